"""The cases nearest to a mutation: those of its profile, and those that contain what the mutated place reads."""

from datetime import date, timedelta
from typing import NamedTuple

from cds_service.authoring.mutations import LOOK_BACKS, Mutation
from cds_service.policy.model import Policy, own_id
from cds_service.policy.places import Steps
from cds_service.policy.walk import nodes, tests


class Near(NamedTuple):
    """What a case near a mutation contains: the profile of the mutated place, if any, and the linkIds, codes, phrases
    and days that matter there."""

    profile: str | None
    marks: frozenset[str]


def near(policy: Policy, mutation: Mutation) -> Near:
    """The likely content, in capitals, of a case that notices a mutation, derived from the mutation's place."""
    steps = mutation.steps
    if mutation.file != "policy":
        return Near(None, frozenset())
    profile = str(steps[1]) if steps[0] == "profiles" else None
    named = {str(steps[1])} if steps[0] == "facts" else set()
    named |= _facts_at(policy, steps) | _facts_beside(policy, steps)
    if steps[-2:-1] == ("all",) and steps[0] in ("verdicts", "profiles"):
        dropped = _member_at(policy, steps)
        named.update(name for root in tests(policy) if root.criterion == dropped for name in root.test.facts())
    read = set(policy.behind(name for name in named if name in policy.facts))
    marks = {mark.upper() for name in read for mark in _marks(policy, name)}
    return Near(profile, frozenset(marks | _days_at(policy, mutation)))


def _member_at(policy: Policy, steps: Steps) -> str:
    """The criterion at a place in the list of a verdict or profile."""
    holder, index = steps[1], int(steps[-1])
    listed = policy.verdicts[holder] if isinstance(holder, int) else policy.profiles[holder]
    return own_id(listed.criteria[index])


def _facts_at(policy: Policy, steps: Steps) -> set[str]:
    """The facts of the innermost test around a place, or of the tests that use the parameter at that place."""
    named: set[str] = set()
    parameter = (steps[-2] if steps[-1] == "value" else steps[-1]) if "parameters" in steps else None
    for root in tests(policy):
        for node in nodes(root.test):
            place = node.test.place
            if parameter in node.test.parameters.values():
                named |= set(node.test.facts())
            # Nodes come outermost first, so the last node that contains the place is the innermost.
            elif steps[: len(place)] == place and (inner := set(node.test.facts())):
                named = inner
    return named


def _facts_beside(policy: Policy, steps: Steps) -> set[str]:
    """The fact of the contrary line or hint of a criterion at a place."""
    if steps[0] != "criteria" or len(steps) < 4:
        return set()
    rule, number = policy.criteria[int(steps[1])], steps[3]
    facts = {
        "contrary": [line.fact for line in rule.contrary],
        "hints": [line.fact for line in rule.hints],
    }.get(str(steps[2]))
    return {facts[int(number)]} if facts else set()


def _days_at(policy: Policy, mutation: Mutation) -> set[str]:
    """The oldest days that still count with the original look-back and with the moved one."""
    if mutation.steps[-1] not in LOOK_BACKS:
        return set()
    today = date.fromisoformat(policy.cases.document["today"])
    counted = (getattr(policy.facts[str(mutation.steps[1])], str(mutation.steps[-1])), mutation.edits[0].value)
    return {(today - timedelta(days=days)).isoformat() for days in counted}


def _marks(policy: Policy, name: str) -> list[str]:
    """How cases spell a fact: its linkIds and codes, and its phrases if it is found by words."""
    rule = policy.facts[name]
    links = [link for link in (rule.item, rule.until) if link]
    said = [phrase.strip() for phrase in rule.codes.phrases] if rule.codes and rule.kind.is_of_words else []
    return [*(f'"{link}' for link in links), *(row.code for row in (rule.codes.codes if rule.codes else ())), *said]
