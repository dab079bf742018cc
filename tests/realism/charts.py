"""Charts: each kind as systems write it. Every kind is written by two of them, the ordinary kinds by all ten."""

from collections.abc import Iterator
from typing import Any

from tests.realism.kinds import KINDS, Kind
from tests.realism.scoring import Written
from tests.realism.writers import MANNERS, Json

TODAY = "2026-11-28"
IN_ALL_MANNERS = ("ordinary", "ordinary, worse")
PATIENT: Json = {"resourceType": "Patient", "id": "px-1", "gender": "female", "birthDate": "1975-08-19"}


def charts() -> Iterator[tuple[str, str]]:
    """(kind, manner) of each chart."""
    names = list(MANNERS)
    for place, kind in enumerate(KINDS):
        chosen = names if kind in IN_ALL_MANNERS else [names[(2 * place + step) % len(names)] for step in (0, 5)]
        yield from ((kind, manner) for manner in chosen)


def write(kind: Kind, manner: str) -> tuple[list[Json], list[Written]]:
    """The entries of a chart, its Patient first, and what each of its facts became; a system that cannot say a fact
    has none of it."""
    writer = MANNERS[manner]()
    written = [Written(fact, frozenset(getattr(writer, fact.kind)(fact))) for fact in kind.facts]
    whose = writer.subject["reference"]
    address = whose if whose.startswith("urn:") else f"https://ehr.example/fhir/{whose}"
    entries = [{"fullUrl": address, "resource": PATIENT | kind.patient}, *writer.entries]
    return entries, [item for item in written if item.references]


def request(kind: Kind, entries: list[Json], keys: dict[str, str]) -> Json:
    """The hook request with a chart as prefetch; ``keys`` maps prefetch keys to types."""
    prefetch: dict[str, Any] = {}
    for key, name in keys.items():
        found = [item for item in entries if item["resource"]["resourceType"] == name]
        prefetch[key] = {"resourceType": "Bundle", "type": "searchset", "entry": found}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": kind.order}]}
    context = {"userId": "Practitioner/d-1", "patientId": "px-1", "draftOrders": bundle}
    return {"hook": kind.hook, "hookInstance": "1", "context": context, "prefetch": prefetch}
