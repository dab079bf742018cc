"""What a change of a rule set can affect, and therefore which cases can notice it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cds_service.policy.codes import CodeSet
from cds_service.policy.model import FactRule, Policy
from cds_service.policy.walk import Rooted, tests


@dataclass(frozen=True, slots=True)
class Reach:
    """The affected ``criteria`` and ``verdicts`` by id; ``whole_call`` if the change can affect which card is shown.

    ``code`` or ``phrase`` is set if only a case that contains it can notice the change.
    """

    criteria: frozenset[str] = frozenset()
    verdicts: frozenset[str] = frozenset()
    whole_call: bool = False
    code: str | None = None
    phrase: str | None = None


def of_tests(roots: Iterable[Rooted]) -> Reach:
    """What a change of these tests can affect."""
    roots = tuple(roots)
    return Reach(
        criteria=frozenset(root.criterion for root in roots if root.criterion),
        verdicts=frozenset(root.verdict for root in roots if root.verdict),
        whole_call=not all(root.criterion or root.verdict for root in roots),
    )


def of_fact(policy: Policy, name: str) -> Reach:
    """The criteria that a fact can affect, or the whole call if another kind of test reads the fact."""
    reading = [root for root in tests(policy) if name in policy.behind(root.test.facts())]
    if not all(root.criterion for root in reading):
        return Reach(whole_call=True)
    beside = frozenset(rule.id for rule in policy.criteria if name in policy.behind(rule.beside))
    return Reach(criteria=beside.union(root.criterion for root in reading))


def of_sets(policy: Policy) -> dict[str, Reach]:
    """Each code set that the rule set reads, with what the set can affect."""
    found: dict[str, Reach] = {}
    for codes, fact in sets_read(policy):
        known = found.get(codes.name, Reach())
        touched = of_fact(policy, fact) if fact else Reach(whole_call=True)
        found[codes.name] = Reach(known.criteria | touched.criteria, whole_call=known.whole_call or touched.whole_call)
    return found


def sets_read(policy: Policy) -> Iterator[tuple[CodeSet, str]]:
    """(code set, fact that reads it) for each set that facts, orders, parts and pathways read; "" if no fact reads
    it."""
    for rule in policy.facts.values():
        yield from ((codes, rule.name) for codes in sets_of(rule))
    orders = policy.orders
    named = [*(act.codes for act in orders.acts), *((orders.here, orders.unspecific) if orders.names_site else ())]
    named += [part.codes for part in (policy.scope.parts if policy.scope else ())]
    pathways = [codes for row in orders.pathways for codes in (row.codes, row.reasons)]
    named += [codes for codes in (orders.known_by, *pathways) if codes is not None]
    yield from ((codes, "") for codes in named)


def sets_of(rule: FactRule) -> Iterator[CodeSet]:
    """The code sets that a fact reads, with those of its attributes."""
    yield from (*rule.code_sets, *rule.narrowed_by)
    for attribute in rule.attributes.values():
        yield from sets_of(attribute)
