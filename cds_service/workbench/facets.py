"""The facets of the patient list: groups of card outcomes that a newcomer looks for."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from cds_service.workbench import words

Item = TypeVar("Item")
NO_CARD = "none"


class Facet(NamedTuple):
    """One choice of the list; ``outcomes`` are its words of ``web.outcomes``."""

    id: str
    title: str
    outcomes: frozenset[str]


_OUTCOMES = {
    "documentation": {"unknown", "gaps", "two-sides"},
    "off-label": {"not-met", "off-label", "contraindicated"},
    "conflict": {"conflict", "conflict-urgent"},
    "met": {"met"},
    "trial": {"trial-gaps", "not-studied"},
    "payer": {"payer-excludes"},
    "question": {"ask", "unclear"},
    "routed": {"pathway", "routed", "implanted", "deceased", "not-applicable"},
    "not-checked": {"failed", "late", "not-read"},
    NO_CARD: {NO_CARD},
}
# The most informative facets come first.
FACETS = tuple(Facet(name, words.FACETS[name], frozenset(outcomes)) for name, outcomes in _OUTCOMES.items())
OTHER = Facet("other", words.FACETS["other"], frozenset())


def facet_of(outcome: str) -> Facet:
    """The facet of an outcome; ``OTHER`` for an outcome without one."""
    return next((facet for facet in FACETS if outcome in facet.outcomes), OTHER)


def telling_order(items: Iterable[tuple[Facet, Item]]) -> Iterator[Item]:
    """Items in an order that shows every facet early: one item of each facet, then a second of each, and so on."""
    of_facet: dict[str, list[Item]] = {facet.id: [] for facet in (*FACETS, OTHER)}
    for facet, item in items:
        of_facet[facet.id].append(item)
    longest = max(map(len, of_facet.values()), default=0)
    for place in range(longest):
        yield from (found[place] for found in of_facet.values() if place < len(found))


def counted(facets: Iterable[Facet]) -> list[tuple[Facet, int]]:
    """Each facet that occurs, with its count, in the order of the list."""
    found = list(facets)
    return [(facet, found.count(facet)) for facet in (*FACETS, OTHER) if facet in found]
