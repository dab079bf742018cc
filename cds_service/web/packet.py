"""The packet of a prior authorization: all that its summary, its letter, and its FHIR document are made of. Pure.

It is handed to the browser, closed, and comes back from there: the service keeps nothing of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import orjson

from cds_service.fhir.elements import Json, relative

MOST_RECORDS = 150
MOST_BYTES = 1024 * 1024
# References that a reader of the record needs to know what it is; all others lead elsewhere.
_FOLLOWED = frozenset({"medicationReference", "result", "payor", "hasMember", "derivedFrom", "valueReference"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """``page`` is the evidence page, with references; ``patient`` names the patient ("name", "born", "number"), and is
    empty where a page names nobody.

    ``issuer`` is the FHIR server of the ``records``, which are by their references (``Type/id``); ``own`` are those of
    them that are not there. ``subject`` is the reference of the patient, ``order`` that of the order, ``author`` that
    of whoever signed the answers (its role ``role``), ``signed`` when (a FHIR instant); each "" where there is none.
    ``left_out`` counts the records for which there was no room.
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
        """As the browser keeps it."""
        return orjson.dumps(asdict(self))

    @classmethod
    def of_json(cls, kept: bytes) -> "Packet":
        """What ``as_json`` wrote."""
        read = orjson.loads(kept)
        return cls(**{**read, "own": tuple(read["own"])})


class Chosen(NamedTuple):
    """The records of a packet, by their references, and how many there was no room for."""

    records: dict[str, Json]
    left_out: int


def cited(page: Mapping[str, Any]) -> list[str]:
    """The references of all records that a page rests on, each once, in the order in which it names them."""
    groups = (*(group["rows"] for group in page["groups"]), page["payer"]["rows"], page["review"]["rows"])
    return references_of(row for rows in groups for row in rows)


def references_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The references of all records that rows of a page rest on, each once, in their order."""
    items = (item for row in rows for item in (*row.get("evidence", ()), *row.get("against", ())))
    return list(dict.fromkeys(name for item in items for name in item.get("references", ())))


def chosen(first: Iterable[str], resources: Iterable[Json]) -> Chosen:
    """The records that are named first, and those that they refer to for what they say, as far as there is room."""
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
    """The records that a record refers to for what it says."""
    for member, value in _members(record):
        if member in _FOLLOWED and isinstance(value, dict) and isinstance(name := value.get("reference"), str):
            yield relative(name)


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Every member of an object and of what is in it, with its name; each item of a list by the list's name."""
    if isinstance(value, dict):
        for name, inner in value.items():
            for item in inner if isinstance(inner, Sequence) and not isinstance(inner, str) else (inner,):
                yield name, item
                yield from _members(item)
