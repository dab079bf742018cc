"""What a prefetch value holds: resources out of whatever the EHR sent, or why there are none (FHIR R4 Bundle)."""

from collections.abc import Iterable, Mapping
from json import dumps
from typing import Any, NamedTuple

from cds_service.fhir.elements import Json

DEEPEST_BUNDLE = 4
_UNREADABLE_BUNDLE = "the EHR sent a Bundle that cannot be read"


class ReadLimits(NamedTuple):
    """The most that is read of one call.

    ``resources`` counts those of its prefetch, each copy of them; besides, the components of measurements, and the
    further sites, reasons and payors of all records of one type. ``drafts`` counts the orders of draftOrders,
    ``text_characters`` the words of one code of a record, ``all_text_characters`` those of all records that are read by
    their words, and all codes and words of the orders, their sites and reasons.
    """

    resources: int = 5_000
    drafts: int = 500
    text_characters: int = 10_000
    all_text_characters: int = 1_000_000


DEFAULT_LIMITS = ReadLimits()


class PrefetchValue(NamedTuple):
    """What one prefetch value holds: resources by type and by fullUrl, and why something in it failed (or None).

    ``more_pages``: it is a page of a search that goes on.
    """

    by_type: dict[str, list[Json]]
    addresses: dict[str, Json]
    failure: str | None
    more_pages: bool


def read_value(value: Any) -> PrefetchValue:
    """Reads a prefetch value: null, a resource, a Bundle (of Bundles), a list, an OperationOutcome, or anything."""
    value = unwrapped(value)
    arrival = PrefetchValue({}, {}, None, next_page(value) is not None)
    failure = None if value is None else _collect(value, None, 0, arrival)
    return arrival if failure is None else arrival._replace(failure=failure)


def _collect(item: Any, address: Any, depth: int, into: PrefetchValue) -> str | None:
    """Adds the resources in an item, a Bundle's or a list's one by one; returns why something in it failed, or None."""
    if isinstance(item, list) and depth == 0:
        return next(filter(None, [_collect(part, None, 1, into) for part in item]), None)
    kind = item.get("resourceType") if isinstance(item, dict) else None
    if not isinstance(kind, str):
        return "the EHR sent something that is not a FHIR resource"
    if kind == "OperationOutcome":
        return "the EHR reported that it could not be read" if depth == 0 or is_error(item) else None
    if kind == "Bundle":
        return _collect_entries(item.get("entry") or [], depth, into)
    into.by_type.setdefault(kind, []).append(item)
    if isinstance(address, str):
        into.addresses[address] = item
    return None


def _collect_entries(entries: Any, depth: int, into: PrefetchValue) -> str | None:
    if not isinstance(entries, list) or depth >= DEEPEST_BUNDLE:
        return _UNREADABLE_BUNDLE
    failure = None
    for entry in entries:
        if not isinstance(entry, dict):
            failure = _UNREADABLE_BUNDLE
        elif (resource := entry.get("resource")) is not None:
            failure = _collect(resource, entry.get("fullUrl"), depth + 1, into) or failure
    return failure


def unwrapped(value: Any) -> Any:
    """A prefetch value that stands in an entry, ``{"response": {"status": "200 OK"}, "resource": {...}}``, by itself.

    CDS Hooks had it so before 1.0, and clients still send it. A status other than 2xx says that it could not be read.
    """
    if not isinstance(value, dict) or "resourceType" in value or not isinstance(value.get("response"), dict):
        return value
    done = str(value["response"].get("status")).startswith("2")
    return value.get("resource") if done else {"resourceType": "OperationOutcome"}


def size_of(value: Any, depth: int = 0) -> int:
    """How many resources a prefetch value holds, each copy counted."""
    value = unwrapped(value) if depth == 0 else value
    if isinstance(value, list) and depth == 0:
        return sum(size_of(part, 1) for part in value)
    if not isinstance(value, dict):
        return 0
    entries = value.get("entry")
    if value.get("resourceType") != "Bundle" or not isinstance(entries, list) or depth >= DEEPEST_BUNDLE:
        return 1
    return sum(size_of(entry.get("resource"), depth + 1) for entry in entries if isinstance(entry, dict))


def next_page(value: Any) -> str | None:
    """The address of the page that follows one page of a search; "" where it is not text, None where none follows."""
    value = unwrapped(value)
    links = value.get("link") if isinstance(value, dict) and value.get("resourceType") == "Bundle" else None
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("relation") == "next":
            address = link.get("url")
            return address if isinstance(address, str) else ""
    return None


def is_error(outcome: Mapping[str, Any]) -> bool:
    """Whether an OperationOutcome says that something failed, and not merely remarks on it."""
    issues = outcome.get("issue")
    return not isinstance(issues, list) or any(
        isinstance(issue, dict) and issue.get("severity") in ("fatal", "error") for issue in issues
    )


def once(resources: Iterable[Json]) -> list[Json]:
    """One copy of each resource: of two with one id the later version, judged by meta.lastUpdated, then by content.

    Each copy is read a fixed number of times, however many there are: comparing two ends with the smaller one.
    """
    kept: dict[str, _Kept] = {}
    unnamed: dict[str, Json] = {}
    for resource in resources:
        identity = resource.get("id")
        if not isinstance(identity, str):
            unnamed.setdefault(_content(resource), resource)
        elif identity not in kept:
            kept[identity] = _Kept(resource)
        elif kept[identity].resource != resource:
            kept[identity] = max(kept[identity], _Kept(resource))
    return [*(one.resource for one in kept.values()), *unnamed.values()]


class _Kept:
    """One version of a resource, which is written down at most once, and only where two are of one moment."""

    def __init__(self, resource: Json) -> None:
        self.resource = resource
        meta = resource.get("meta")
        updated = meta.get("lastUpdated") if isinstance(meta, dict) else None
        self._updated = updated if isinstance(updated, str) else ""
        self._written: str | None = None

    def __gt__(self, other: "_Kept") -> bool:
        if self._updated != other._updated:
            return self._updated > other._updated
        return self._content > other._content

    @property
    def _content(self) -> str:
        if self._written is None:
            self._written = _content(self.resource)
        return self._written


def _content(resource: Json) -> str:
    return dumps(resource, sort_keys=True)
