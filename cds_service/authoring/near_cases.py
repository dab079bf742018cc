"""Which cases stand nearest to a slip: those of its profile, and those that write what the slipped place reads."""

from typing import Any, NamedTuple

from cds_service.authoring.documents import LIMITS, Documents, at, facts_behind, facts_named, nodes, tests
from cds_service.authoring.slips import Slip
from cds_service.policy.places import Steps


class Near(NamedTuple):
    """What a case near a slip names: the profile whose place it is, if any, and the linkIds and codes that are read."""

    profile: str | None
    marks: frozenset[str]


def near(documents: Documents, slip: Slip) -> Near:
    """What a case that notices a slip most likely writes, in capitals; the slip's place says it."""
    policy, steps = documents["policy"], slip.steps
    if slip.file != "policy":
        return Near(None, frozenset())
    profile = str(steps[1]) if steps[0] == "profiles" else None
    marks = {str(step) for step in steps[1:2] if steps[0] == "facts"} | _facts_at(policy, steps)
    dropped = at(policy, steps) if steps[-2:-1] == ("all",) and steps[0] in ("verdicts", "profiles") else None
    if isinstance(dropped, str):
        tested = (root.test for root in tests(policy) if root.criterion == dropped)
        marks |= {name for test in tested for name in facts_named(test)}
    read = facts_behind(policy, tuple(marks))
    return Near(profile, frozenset(mark.upper() for name in read for mark in _marks(documents, name)))


def _facts_at(policy: Any, steps: Steps) -> set[str]:
    """The facts of the innermost test around a place, or of those that read the parameter which stands there."""
    named: set[str] = set()
    parameter = f"${steps[-2] if steps[-1] == 'value' else steps[-1]}" if "parameters" in steps else None
    for root in tests(policy):
        for node in nodes(root.test, root.steps):
            if parameter in [node.entry.get(limit) for limit in LIMITS] and parameter:
                named |= set(facts_named(node.entry))
            # Nodes come outermost first, so that the last one that holds the place is the innermost.
            elif steps[: len(node.steps)] == node.steps and (inner := set(facts_named(node.entry))):
                named = inner
    return named


def _marks(documents: Documents, name: str) -> list[str]:
    """How cases write a fact: its linkIds, and the codes that it reads."""
    fact = documents["policy"]["facts"][name]
    links = [fact[word] for word in ("item", "until") if word in fact]
    rows = documents["codes"]["sets"].get(fact.get("codes"), {}).get("codes", ())
    return [*(f'"{link}' for link in links), *(row["code"].rstrip("-") for row in rows)]
