"""The facets of the patient list: what the card of a patient says, in groups that a newcomer looks for."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")
NO_CARD = "none"


class Facet(NamedTuple):
    """One choice of the list: ``outcomes`` are the words of ``web.outcomes`` that it holds."""

    id: str
    title: str
    outcomes: frozenset[str]


# The most telling first.
FACETS = (
    Facet("documentation", "Documentation needed", frozenset({"unknown", "gaps", "two-sides"})),
    Facet("off-label", "Off-label or contraindicated", frozenset({"not-met", "off-label", "contraindicated"})),
    Facet("conflict", "Conflicting records", frozenset({"conflict", "conflict-urgent"})),
    Facet("met", "Label criteria met", frozenset({"met"})),
    Facet("trial", "Label met, trial criteria open", frozenset({"trial-gaps", "not-studied"})),
    Facet("payer", "Payer excludes it", frozenset({"payer-excludes"})),
    Facet("question", "Order unclear", frozenset({"ask", "unclear"})),
    Facet("routed", "Not evaluated", frozenset({"pathway", "routed", "implanted", "deceased", "not-applicable"})),
    Facet("not-checked", "Not checked", frozenset({"failed", "late", "not-read"})),
    Facet(NO_CARD, "No card", frozenset({NO_CARD})),
)
OTHER = Facet("other", "Another outcome", frozenset())


def facet_of(outcome: str) -> Facet:
    """The facet that holds an outcome; one of its own for an outcome that none holds."""
    return next((facet for facet in FACETS if outcome in facet.outcomes), OTHER)


def telling_order(items: Iterable[tuple[Facet, Item]]) -> Iterator[Item]:
    """Items so that the first ones show every facet: one of each facet, then a second of each, and so on."""
    of_facet: dict[str, list[Item]] = {facet.id: [] for facet in (*FACETS, OTHER)}
    for facet, item in items:
        of_facet[facet.id].append(item)
    longest = max(map(len, of_facet.values()), default=0)
    for place in range(longest):
        yield from (found[place] for found in of_facet.values() if place < len(found))


def counted(facets: Iterable[Facet]) -> list[tuple[Facet, int]]:
    """Each facet that occurs, with how often, in the order of the list."""
    found = list(facets)
    return [(facet, found.count(facet)) for facet in (*FACETS, OTHER) if facet in found]
