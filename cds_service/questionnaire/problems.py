"""Problems of a rule set's form, for its author: a fact without a question, or a question without words."""

from collections import Counter
from collections.abc import Iterator

from cds_service.facts.kind import kind_of
from cds_service.policy.model import FactRule, Policy
from cds_service.questionnaire.questions import ATTESTER, FormQuestion, groups, questions

# (place in policy.json, sentence)
Fault = tuple[str, str]


def problems(policy: Policy) -> Iterator[Fault]:
    """A fault for each fact with an item that no question covers, and each question whose answer nothing reads.

    Also for each question without its own words, and for two questions with the same linkId.
    """
    yield from _unasked(policy)
    for place, rule in _rules_with_items(policy):
        if rule.ask is None:
            yield place, f"answers to the item '{rule.item}' are read, and no 'ask' says how a form asks for them"
        elif rule.until and not rule.ask.until:
            yield place, f"answers to the item '{rule.until}' are read, and 'ask' has no 'until' to ask for it"
        elif rule.ask.until and not rule.until:
            yield place, "'ask' has an 'until', and the fact has none that it would ask for"
        if not kind_of(rule).answer_type:
            yield place, f"a fact of kind '{kind_of(rule).name}' is not answered by a form, and has an item"
    taken = Counter([ATTESTER, *(group.link_id for group in groups(policy)), *_links(questions(policy))])
    for link, times in taken.items():
        if times > 1:
            yield "$.facts", f"the form would have {times} items '{link}'; name the 'item' of one fact otherwise"


def _unasked(policy: Policy) -> Iterator[Fault]:
    """Facts with an item that no criterion, verdict or rule reads, so no group of the form contains them."""
    asked = {question.fact.name for question in questions(policy)}
    for name, rule in policy.facts.items():
        if rule.item and name not in asked:
            yield f"$.facts.{name}", f"no criterion, verdict, or rule reads the answers to the item '{rule.item}'"


def _rules_with_items(policy: Policy) -> Iterator[tuple[str, FactRule]]:
    for name, rule in policy.facts.items():
        if rule.item:
            yield f"$.facts.{name}", rule
        for inner, attribute in rule.attributes.items():
            if attribute.item:
                yield f"$.facts.{name}.attributes.{inner}", attribute


def _links(asked: Iterator[FormQuestion]) -> Iterator[str]:
    for question in asked:
        yield question.link_id
        yield from _links(iter(question.inner))
