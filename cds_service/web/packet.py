"""The packet of a prior authorization: the material of its summary, letter, and FHIR document. Pure.

The browser keeps it encrypted and sends it back; the service stores none of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import orjson

from cds_service.fhir.elements import Json, relative

MOST_RECORDS = 150
MOST_BYTES = 1024 * 1024
# References that a reader needs to understand a record; all others lead elsewhere.
_FOLLOWED = frozenset({"medicationReference", "result", "payor", "hasMember", "derivedFrom", "valueReference"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """The material of a packet: ``page`` is the evidence page, with references.

    ``patient`` identifies the patient ("name", "born", "number"), and is empty for a page without a name. ``issuer`` is
    the FHIR server of the ``records``, which are keyed by reference (``Type/id``); ``own`` are the records that are not
    on that server. ``subject``, ``order`` and ``author`` are references to the patient, the order, and the signer of
    the answers; ``role`` is the signer's role and ``signed`` the time of signing (a FHIR instant); each is "" if
    unknown. ``left_out`` counts the records that did not fit.
    """

    page: Mapping[str, Any]
    patient: Mapping[str, str] = field(default_factory=dict)
    issuer: str = ""
    subject: str = ""
    records: Mapping[str, Json] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    order: str = ""
    author: str = ""
    role: str = ""
    signed: str = ""
    left_out: int = 0

    def as_json(self) -> bytes:
        """The JSON text that ``of_json`` reads."""
        return orjson.dumps(asdict(self))

    @classmethod
    def of_json(cls, kept: bytes) -> "Packet":
        """The packet that ``as_json`` wrote."""
        read = orjson.loads(kept)
        return cls(**{**read, "own": tuple(read["own"])})


class Chosen(NamedTuple):
    """The records of a packet by reference, and the number that did not fit."""

    records: dict[str, Json]
    left_out: int


def cited(page: Mapping[str, Any]) -> list[str]:
    """The references of all records that a page is based on, each once, in the page's order."""
    groups = (*(group["rows"] for group in page["groups"]), page["payer"]["rows"], page["review"]["rows"])
    return references_of(row for rows in groups for row in rows)


def references_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The references of all records that these rows are based on, each once, in their order."""
    items = (item for row in rows for item in (*row.get("evidence", ()), *row.get("against", ())))
    return list(dict.fromkeys(name for item in items for name in item.get("references", ())))


def chosen(first: Iterable[str], resources: Iterable[Json]) -> Chosen:
    """The ``first`` records and the records that explain them, up to the limits."""
    known = {f"{item['resourceType']}/{item['id']}": item for item in resources if "id" in item}
    records, left_out, room = dict[str, Json](), 0, MOST_BYTES
    named = dict.fromkeys(name for name in first if name in known)
    waiting = list(named)
    for name in waiting:
        record = known[name]
        size = len(orjson.dumps(record))
        if len(records) == MOST_RECORDS or size > room:
            left_out += 1
            continue
        records[name], room = record, room - size
        further = dict.fromkeys(other for other in followed(record) if other in known and other not in named)
        named |= further
        waiting += further
    return Chosen(records, left_out)


def followed(record: Json) -> Iterator[str]:
    """The references to records that a reader needs to understand ``record``."""
    for member, value in _members(record):
        if member in _FOLLOWED and isinstance(value, dict) and isinstance(name := value.get("reference"), str):
            yield relative(name)


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Every member of an object at any depth, with its name; list items have the list's name."""
    if isinstance(value, dict):
        for name, inner in value.items():
            for item in inner if isinstance(inner, Sequence) and not isinstance(inner, str) else (inner,):
                yield name, item
                yield from _members(item)
