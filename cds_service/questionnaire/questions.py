"""The questions of a rule set's form: one for each fact that an answer can settle, grouped by verdict.

No question is written by hand. The questions are the facts with an ``item``, in the words of their ``ask``, and
``facts.responses`` and ``facts.attested`` read answers under their linkIds.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cds_service.facts.kind import kind_of
from cds_service.policy.model import FactRule, Policy, Test, own_id
from cds_service.policy.walk import tests
from cds_service.questionnaire import question_words as words

# Suffixes of the linkIds of a question's children.
FOUND, HELP, OBSERVED = ".found", ".help", ".observed"
BASIS, BASIS_TEXT, WHY_NOT = ".basis", ".basis-text", ".why-not"
DESPITE, DESPITE_WHY = ".despite", ".despite-why"
# The signer's group; ``facts.responses`` reads the role.
ATTESTER, ATTESTER_NAME, ATTESTER_ROLE = "attester", "attester.name", "attester.role"
ATTESTER_STATEMENT = "attester.statement"
# The prefix of a group's linkId, because the id of a verdict alone may equal that of a question.
GROUP = "group."
# The groups of the questions that identify parts, that payers' rules require, and that no verdict counts.
SCOPE, PAYERS, REVIEW = f"{GROUP}scope", f"{GROUP}payers", f"{GROUP}review"
# The suffix of the date that each event has in addition to its attributes.
EVENT_DATE = ".date"


class FormQuestion(NamedTuple):
    """One question of a form.

    ``link_id`` is the linkId of its answer, and ends with the ``part`` if parts are judged separately. ``type`` is the
    type of the item: "boolean" (an attestation), "decimal", "date", or "group" (a repeating event with the questions
    ``inner``). ``criteria`` are the ids of the criteria that its answer bears on, in order; ``settled_by`` is what
    would settle the first. ``ends``: it asks for the fact's end date.
    """

    link_id: str
    type: str
    text: str
    help: str
    fact: FactRule
    criteria: tuple[str, ...] = ()
    settled_by: str = ""
    part: str = ""
    ends: bool = False
    inner: tuple["FormQuestion", ...] = ()

    @property
    def is_attestation(self) -> bool:
        """Whether a person must answer the question, because no record can."""
        return self.type == "boolean"

    @property
    def attested_by(self) -> frozenset[str]:
        """The kinds of people whose answers count: "clinician", "staff", "patient"."""
        return self.fact.attested_by


class FormGroup(NamedTuple):
    """The questions of one verdict (``verdict`` is its id), or of no verdict (``verdict`` is "")."""

    link_id: str
    title: str
    verdict: str
    questions: tuple[FormQuestion, ...]


def groups(policy: Policy) -> tuple[FormGroup, ...]:
    """The questions of a rule set, each once, in the first group that needs it.

    The order is: questions that identify parts, each verdict's questions, those of payers' rules, and the rest.
    """
    asked: set[str] = set()
    found: list[FormGroup] = []

    def add(name: str, title: str, verdict: str, facts: Iterable[str]) -> None:
        fresh = [fact for fact in dict.fromkeys(policy.behind(facts)) if fact not in asked and policy.facts[fact].item]
        asked.update(fresh)
        if fresh:
            questions = tuple(question for fact in fresh for question in _questions(policy, policy.facts[fact]))
            found.append(FormGroup(name, title, verdict, questions))

    if policy.scope is not None:
        whens = [part.when for part in policy.scope.parts if part.when is not None]
        add(SCOPE, words.which(policy.scope.name), "", _facts(whens))
    for verdict in policy.verdicts:
        if not verdict.payer:
            applies = [verdict.applies_unless] if verdict.applies_unless else []
            criteria = [policy.criterion(key).test for key in verdict.criteria]
            add(f"{GROUP}{verdict.id}", verdict.title, verdict.id, _facts([*applies, *criteria]))
    lent = [policy.criterion(key).test for profile in policy.profiles.values() for key in profile.criteria]
    add(PAYERS, words.OF_PAYERS, "", _facts(lent))
    rest = [root.test for root in tests(policy)]
    add(REVIEW, words.REVIEW, "", [*_facts(rest), *(line.fact for line in policy.for_review)])
    return tuple(found)


def questions(policy: Policy) -> Iterator[FormQuestion]:
    """All questions of a rule set, without those inside an event."""
    for group in groups(policy):
        yield from group.questions


def _facts(tests_of: Iterable[Test]) -> list[str]:
    return [name for test in tests_of for name in test.facts()]


def _questions(policy: Policy, rule: FactRule) -> Iterator[FormQuestion]:
    """The questions for one fact: one for each part if it is read for each part, and a second one for its end date."""
    parts = [(part.id, part.label) for part in policy.scope.parts] if policy.scope and rule.per_part else [("", "")]
    reading = [root.criterion for root in tests(policy) if rule.name in policy.behind(root.test.facts())]
    criteria = tuple(dict.fromkeys(own_id(name) for name in reading if name))
    settled_by = policy.criterion(criteria[0]).settled_by if criteria else ""
    for part, label in parts:
        one = FormQuestion(
            link_id=_link(rule.item or "", part),
            type=kind_of(rule).answer_type,
            text=_of_part(rule.ask.text if rule.ask else rule.title, label),
            help=rule.ask.help if rule.ask else "",
            fact=rule,
            criteria=criteria,
            settled_by=settled_by,
            part=part,
        )
        yield one._replace(inner=tuple(_attributes(rule, one)))
        if rule.until:
            text = rule.ask.until if rule.ask and rule.ask.until else words.end_of(rule.title)
            yield one._replace(link_id=_link(rule.until, part), text=_of_part(text, label), help="", ends=True)


def _attributes(rule: FactRule, event: FormQuestion) -> Iterator[FormQuestion]:
    """The questions inside one event; their linkIds begin with the event's."""
    for attribute in rule.attributes.values():
        if attribute.item:
            yield FormQuestion(
                link_id=f"{event.link_id}.{attribute.item}",
                type=kind_of(attribute).answer_type,
                text=attribute.ask.text if attribute.ask else attribute.title,
                help=attribute.ask.help if attribute.ask else "",
                fact=attribute,
                criteria=event.criteria,
                part=event.part,
            )


def _link(item: str, part: str) -> str:
    return f"{item}.{part}" if part else item


def _of_part(text: str, label: str) -> str:
    return f"{label[:1].upper()}{label[1:]}: {text}" if label else text
