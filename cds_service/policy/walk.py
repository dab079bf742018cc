"""The tests of a rule set: each whole test with what it decides, and every test inside it."""

from collections.abc import Iterator
from typing import NamedTuple

from cds_service.policy.model import Policy, Test


class Rooted(NamedTuple):
    """A whole test and what it decides: a criterion or a verdict (ids), or the whole call if both are ""."""

    test: Test
    criterion: str = ""
    verdict: str = ""


class Node(NamedTuple):
    """A test or a test inside it; ``events`` names the fact whose events it applies to."""

    test: Test
    events: str = ""


def tests(policy: Policy) -> Iterator[Rooted]:
    """Every whole test of policy.json, once; a profile that changes only a criterion's numbers adds none."""
    for rule in policy.criteria:
        yield Rooted(rule.test, criterion=rule.id)
    for rule in policy.variants.values():
        if rule.test.place[0] == "profiles":
            yield Rooted(rule.test, criterion=rule.id)
    for verdict in policy.verdicts:
        if verdict.applies_unless is not None:
            yield Rooted(verdict.applies_unless, verdict=verdict.id)
    whens = [
        *(row.when for row in policy.orders.pathways),
        *(part.when for part in (policy.scope.parts if policy.scope else ())),
        policy.patient_view_when,
        policy.patient_view_unless,
    ]
    yield from (Rooted(test) for test in whens if test is not None)


def nodes(test: Test, events: str = "") -> Iterator[Node]:
    """A test and every test inside it, outermost first."""
    yield Node(test, events)
    for inner in test.inner:
        yield from nodes(inner, test.fact if test.word.asks_of_events else events)


def parameters_named(test: Test) -> Iterator[str]:
    """The parameters that are limits in a test."""
    return (name for node in nodes(test) for name in node.test.parameters.values())


def attributes_named(test: Test) -> Iterator[tuple[str, str]]:
    """(events, attribute) of each attribute of events that a test names."""
    return ((node.events, node.test.fact) for node in nodes(test) if node.events and node.test.fact)
