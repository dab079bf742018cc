"""A Policy in plain English, for its page: readings, criteria and verdicts. Pure, no Flask."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cds_service.facts.clauses import Clause
from cds_service.facts.kind import kind_of
from cds_service.facts.word import clause, sentence
from cds_service.fhir.sentence_case import capital
from cds_service.policy.codes import CodeSet
from cds_service.policy.model import Contrary, Criterion, FactRule, Policy, Profile, Scope, VerdictRule, own_id
from cds_service.verdicts.payers import SEEN_WITHIN_DAYS

VERIFIED = {"verbatim": "seen word for word", "paraphrase": "paraphrase only", "unverified": "unverified"}
NOT_CHECKED = "not yet checked by a named reviewer"
_PEOPLE = {"clinician": "clinicians", "staff": "staff", "patient": "the patient"}


# --- readings --------------------------------------------------------------------------------------------------------


class ReadingText(NamedTuple):
    """What one fact reads, in words; ``says`` is what the fact still lacks if it is shown without settling a criterion.

    ``apart`` says that each part of the scope is read separately; ``attributes`` are the readings of each event.
    """

    kind: str
    title: str
    origin: str
    sets: tuple[CodeSet, ...]
    age: str
    units: str
    absence: str
    says: str | None = None
    apart: str = ""
    attributes: tuple["ReadingText", ...] = ()


def reading(
    rule: FactRule, facts: Mapping[str, FactRule], says: str | None = None, scope: Scope | None = None
) -> ReadingText:
    """What a fact reads: its origin, codes, age limit and units, and what its absence means.

    ``facts`` are all facts of the rule set, because a fact may refer to others.
    """
    return ReadingText(
        kind=rule.kind.name,
        title=rule.title,
        origin=kind_of(rule).origin(rule, facts),
        sets=(*((rule.codes,) if rule.codes else ()), *rule.narrowed_by),
        age=kind_of(rule).age_limit(rule),
        units=kind_of(rule).units(rule),
        absence=kind_of(rule).absence(rule),
        says=says,
        apart=_apart(rule, scope) if rule.per_part else "",
        attributes=tuple(_attribute(rule, attribute) for attribute in rule.attributes.values()),
    )


def _attribute(event: FactRule, rule: FactRule) -> ReadingText:
    """What is read of one event; an attribute is as old as its event and has no record of its own."""
    coded = ", or a code of the event itself" if rule.codes else ""
    sets = (rule.codes,) if rule.codes else ()
    origin = f"the answer “{rule.item}” in its attested group{coded}"
    if rule.start:
        origin = kind_of(rule).origin(rule, event.attributes)
    return ReadingText(
        kind=rule.kind.name,
        title=rule.title,
        origin=origin,
        sets=sets,
        age="as the event",
        units=kind_of(rule).units(rule),
        absence="unknown",
    )


def _apart(rule: FactRule, scope: Scope | None) -> str:
    if scope is None:
        return "for each part apart"
    linked = f" (answers: “{rule.item}.{scope.parts[0].id}” and so on)" if rule.item else ""
    return f"for each {scope.name} apart{linked}"


# --- criteria and verdicts -------------------------------------------------------------------------------------------


class VariantText(NamedTuple):
    """A criterion in the version of a single-source rule, with its own numbers or test."""

    rule: Criterion
    profile: Profile
    sentence: str
    clause: Clause


class CriterionText(NamedTuple):
    """One criterion for its page; ``verdicts`` count it, and ``hints`` are shown without settling it.

    ``reads`` names all facts that settle it, by its own test or by a single-source version of the test. ``profiles``
    are the single-source rules that require it, ``variants`` their versions of it, and ``beside`` what only the
    variants read.
    """

    rule: Criterion
    sentence: str
    clause: Clause
    reads: tuple[str, ...]
    readings: tuple[ReadingText, ...]
    beside: tuple[ReadingText, ...]
    contrary: tuple[ReadingText, ...]
    hints: tuple[ReadingText, ...]
    attested_by: str
    verdicts: tuple[VerdictRule, ...]
    profiles: tuple[Profile, ...]
    variants: tuple[VariantText, ...]

    @property
    def short(self) -> str:
        """The test on one line, without repeating the title."""
        return short(self.rule, self.sentence)

    @property
    def look_back(self) -> str:
        """The age limits of what settles the criterion, on one line."""
        if len({item.age for item in self.readings}) == 1:
            return self.readings[0].age
        return "; ".join(dict.fromkeys(f"{item.kind}: {item.age}" for item in self.readings))

    @property
    def pending(self) -> bool:
        """Whether the criterion still has to be compared with the statement's own wording."""
        return self.rule.statement_text != "verified"


class VerdictGroup(NamedTuple):
    """The criteria printed under one heading and under no earlier one.

    They are the criteria of ``verdict``; if it is None, those that only single-source rules require (``lent``), or
    those that nothing counts. ``above`` are criteria of the verdict that appear under an earlier heading.
    """

    verdict: VerdictRule | None
    criteria: tuple[CriterionText, ...]
    above: tuple[CriterionText, ...]
    lent: bool = False

    @property
    def title(self) -> str:
        """The heading."""
        if self.verdict is not None:
            return self.verdict.title + (", in addition" if self.above else "")
        return "Only where a single source’s rule asks, in no verdict" if self.lent else "For review, in no verdict"


def short(rule: Criterion, said: str) -> str:
    """A test in words, without repeating the criterion's title."""
    return capital(said.removeprefix(f"{rule.title}: "))


def criterion(policy: Policy, rule: Criterion) -> CriterionText:
    """A criterion in words."""
    profiles = tuple(item for item in policy.profiles.values() if rule.id in map(own_id, item.criteria))
    variants = tuple(variant(policy, item) for item in policy.variants.values() if item.id == rule.id)
    own = dict.fromkeys(policy.behind(rule.test.facts()))
    others = dict.fromkeys(policy.behind(name for item in variants for name in item.rule.test.facts()))
    return CriterionText(
        rule=rule,
        sentence=sentence(rule.test, policy.facts),
        clause=clause(rule.test, policy.facts),
        reads=(*own, *(name for name in others if name not in own)),
        readings=tuple(_read(policy, name) for name in own),
        beside=tuple(_read(policy, name) for name in others if name not in own),
        contrary=tuple(_read(policy, item.fact, f"{item.says} ({_bears_on(policy, item)})") for item in rule.contrary),
        hints=tuple(_read(policy, hint.fact, hint.says) for hint in rule.hints),
        attested_by=attested_by(rule) if any(policy.facts[name].items for name in own) else "",
        verdicts=tuple(verdict for verdict in policy.verdicts if rule.id in map(own_id, verdict.criteria)),
        profiles=profiles,
        variants=variants,
    )


def attested_by(rule: Criterion) -> str:
    """Whose answers count for a criterion: "clinicians, staff"."""
    return ", ".join(_PEOPLE[name] for name in _PEOPLE if name in rule.attested_by)


def _bears_on(policy: Policy, item: Contrary) -> str:
    """The source that a contrary record concerns, and whether that link is only our reading."""
    title = policy.sources[item.source].title
    return f"our reading of {title}" if item.own_reading else f"named in {title}"


def variant(policy: Policy, rule: Criterion) -> VariantText:
    """A criterion with a profile's numbers or test, in words."""
    said = sentence(rule.test, policy.facts)
    return VariantText(rule, policy.profiles[rule.profile], said, clause(rule.test, policy.facts))


def _read(policy: Policy, name: str, says: str | None = None) -> ReadingText:
    return reading(policy.facts[name], policy.facts, says, policy.scope)


def read_elsewhere(policy: Policy) -> list[ReadingText]:
    """The readings that no criterion uses: facts of scope, pathways, opened charts and limits of verdicts."""
    rules = (*policy.criteria, *policy.variants.values())
    tests = {name for rule in rules for name in policy.behind(rule.test.facts())}
    beside = {name for rule in rules for name in rule.beside}
    shown = {line.fact for line in policy.for_review}
    return [_read(policy, name) for name in policy.facts if name not in tests | beside | shown]


def groups(policy: Policy) -> list[VerdictGroup]:
    """Every criterion exactly once: under the first verdict that counts it, or else by whether a rule requires it."""
    texts = {rule.id: criterion(policy, rule) for rule in policy.criteria}
    shown: set[str] = set()
    found = []
    for verdict in policy.verdicts:
        named = [own_id(key) for key in verdict.criteria]
        own = tuple(texts[name] for name in named if name not in shown)
        above = tuple(texts[name] for name in named if name in shown)
        shown |= set(named)
        if own or above:
            found.append(VerdictGroup(verdict, own, above))
    rest = [text for name, text in texts.items() if name not in shown]
    lent = tuple(text for text in rest if text.profiles)
    uncounted = tuple(text for text in rest if not text.profiles)
    found += [VerdictGroup(None, lent, (), lent=True)] if lent else []
    return [*found, VerdictGroup(None, uncounted, ())] if uncounted else found


def composed(policy: Policy, verdict: VerdictRule) -> str:
    """How a verdict is composed, and where it does not apply."""
    return " ".join(_composed(policy, verdict))


def _composed(policy: Policy, verdict: VerdictRule) -> Iterator[str]:
    if verdict.payer:
        yield (
            "Met or not met only from the payer’s own text, in force and seen within "
            f"{SEEN_WITHIN_DAYS} days, matched by a listed identifier or its exact name; else unknown."
        )
        return
    if verdict.profile is not None and verdict.profile.pending is not None:
        yield f"Unknown for every patient: {verdict.profile.pending.removesuffix('.')}."
    else:
        rule = f"By the rule “{verdict.profile.title}”: met" if verdict.profile else "Met"
        number = len(verdict.criteria)
        every = f"all {number} criteria are met" if number > 1 else "its one criterion is met"
        yield f"{rule} when {every}; not met when one is not met; else unknown."
    if verdict is policy.verdicts[0]:
        yield (
            "No billing codes are suggested while it is not met, or while records conflict about a contraindication or "
            "an urgent record. An unknown criterion takes no code away."
        )
    if verdict.as_far_as:
        yield f"Met means: {verdict.as_far_as}."
    if verdict.applies_unless is not None:
        yield f"Does not apply where: {sentence(verdict.applies_unless, policy.facts)}."


def pending(policy: Policy) -> list[str]:
    """The ids of the criteria not yet compared with the statement's text."""
    return [rule.id for rule in policy.criteria if rule.statement_text != "verified"]
