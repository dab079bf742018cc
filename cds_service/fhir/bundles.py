"""The content of a prefetch value: the resources in whatever the EHR sent, or why there are none (FHIR R4 Bundle)."""

from collections.abc import Iterable, Mapping
from json import dumps
from typing import Any, NamedTuple

from cds_service.fhir.elements import Json

DEEPEST_BUNDLE = 4
# More copies of one resource than these add nothing.
MOST_COPIES = 10
_MATCH = {"mode": "match"}
_NO_RECORDS = ("Bundle", "OperationOutcome")
_UNREADABLE_BUNDLE = "the EHR sent a Bundle that cannot be read"


class ReadLimits(NamedTuple):
    """The most that the service reads of one call.

    ``resources`` counts the resources of its prefetch, each copy separately, and also the components of measurements,
    and the additional sites, reasons and payors of all records of one type. ``drafts`` counts the orders of
    draftOrders, ``text_characters`` the words of one code of a record, ``all_text_characters`` the words of all records
    that are read by their words, and all codes and words of the orders, their sites and reasons.
    """

    resources: int = 5_000
    drafts: int = 500
    text_characters: int = 10_000
    all_text_characters: int = 1_000_000

    @property
    def worded_beyond(self) -> str:
        """Why no text is read after the last of ``all_text_characters``."""
        return f"is worded beyond CDS_SERVICE_MAX_ALL_TEXT_CHARACTERS ({self.all_text_characters})"


DEFAULT_LIMITS = ReadLimits()


class PrefetchValue:
    """The content of one prefetch value: resources by type and by fullUrl, and why something in it failed (or None).

    ``left_out`` says that more exists than was sent, with ``{}`` for the requested resources (or None).
    """

    __slots__ = ("addresses", "by_type", "failure", "left_out")

    def __init__(self) -> None:
        self.by_type: dict[str, list[Json]] = {}
        self.addresses: dict[str, Json] = {}
        self.failure: str | None = None
        self.left_out: str | None = None

    def fails(self, why: str) -> None:
        """Notes why something in the value failed; the first reason stays."""
        self.failure = self.failure or why


def read_value(value: Any) -> PrefetchValue:
    """Reads a prefetch value: null, a resource, a Bundle (of Bundles), a list, an OperationOutcome, or anything.

    A Bundle is complete unless something in it says otherwise (FHIR R4 Bundle): a ``next`` link; a ``total`` above the
    number of its matches; an entry whose response is not a success, that holds no resource, or an OperationOutcome that
    reports an error.
    """
    found = PrefetchValue()
    value = unwrapped(value)
    if isinstance(value, list):
        for part in value:
            _collect(part, None, 1, found)
    elif value is not None:
        _collect(value, None, 0, found)
    return found


def _collect(item: Any, address: Any, depth: int, into: PrefetchValue) -> None:
    """Adds the resources in an item; the resources of a Bundle one by one."""
    kind = item.get("resourceType") if isinstance(item, dict) else None
    if not isinstance(kind, str):
        into.fails("the EHR sent something that is not a FHIR resource")
    elif kind not in _NO_RECORDS:
        into.by_type.setdefault(kind, []).append(item)
        if isinstance(address, str):
            into.addresses[address] = item
    elif kind == "Bundle":
        _collect_entries(item, depth, into)
    elif depth == 0 or is_error(item):
        into.fails("the EHR reported that it could not be read")


def _collect_entries(bundle: Json, depth: int, into: PrefetchValue) -> None:
    entries = bundle.get("entry") or []
    if not isinstance(entries, list) or depth >= DEEPEST_BUNDLE:
        into.fails(_UNREADABLE_BUNDLE)
        return
    by_type, addresses = into.by_type, into.addresses
    # The entries that are not matches of the search.
    others = 0
    for entry in entries:
        if not isinstance(entry, dict):
            into.fails(_UNREADABLE_BUNDLE)
            others += 1
            continue
        if "response" in entry and (status := _status_of(entry)) is not None and not status.startswith("2"):
            into.fails(f"the EHR could not answer a part of it ({status})")
            others += 1
            continue
        # Some servers send the resource itself instead of an entry.
        resource = entry if "resourceType" in entry else entry.get("resource")
        if resource is None:
            into.fails("the EHR sent an entry without a resource")
            others += 1
            continue
        found = entry.get("search")
        if found != _MATCH and isinstance(found, dict) and found.get("mode") in ("include", "outcome"):
            others += 1
        address = entry.get("fullUrl")
        # Another resource of the same type, the usual case, needs no call.
        if isinstance(resource, dict) and isinstance(kind := resource.get("resourceType"), str) and kind in by_type:
            by_type[kind].append(resource)
            if isinstance(address, str):
                addresses[address] = resource
        else:
            _collect(resource, address, depth + 1, into)
    _note_what_is_left_out(bundle, len(entries) - others, into)


def _note_what_is_left_out(bundle: Json, matches: int, into: PrefetchValue) -> None:
    total = bundle.get("total")
    if next_page(bundle) is not None:
        into.left_out = into.left_out or "only the first page of {} was sent"
    elif isinstance(total, int) and total > matches and bundle.get("type") in (None, "searchset"):
        sent = f"only {matches}" if matches else "none"
        into.left_out = into.left_out or f"{sent} of {total} {{}} {'was' if matches == 1 else 'were'} sent"


def _status_of(entry: Json) -> str | None:
    """The status of the response to one entry of a batch; "unreadable" if it is not an HTTP status."""
    response = entry.get("response")
    status = response.get("status") if isinstance(response, dict) else None
    if status is None:
        return None
    return status[:3] if isinstance(status, str) and status[:3].isdecimal() else "unreadable"


def unwrapped(value: Any) -> Any:
    """The resource of a prefetch value that is an entry, ``{"response": {"status": "200 OK"}, "resource": {...}}``.

    CDS Hooks used this form before 1.0, and clients still send it. A status other than 2xx gives an OperationOutcome.
    Other values come back unchanged.
    """
    if not isinstance(value, dict) or "resourceType" in value or not isinstance(value.get("response"), dict):
        return value
    done = str(value["response"].get("status")).startswith("2")
    return value.get("resource") if done else {"resourceType": "OperationOutcome"}


def size_of(value: Any, depth: int = 0) -> int:
    """The number of resources in a prefetch value; each copy counts."""
    value = unwrapped(value) if depth == 0 else value
    if isinstance(value, list) and depth == 0:
        return sum(size_of(part, 1) for part in value)
    if not isinstance(value, dict):
        return 0
    entries = value.get("entry")
    if value.get("resourceType") != "Bundle" or not isinstance(entries, list) or depth >= DEEPEST_BUNDLE:
        return 1
    count = 0
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            count += size_of(resource, depth + 1) if resource.get("resourceType") == "Bundle" else 1
    return count


def next_page(value: Any) -> str | None:
    """The address of the next page of a search; "" if the address is not text, None if there is no next page."""
    value = unwrapped(value)
    links = value.get("link") if isinstance(value, dict) and value.get("resourceType") == "Bundle" else None
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("relation") == "next":
            address = link.get("url")
            return address if isinstance(address, str) else ""
    return None


def is_error(outcome: Mapping[str, Any]) -> bool:
    """Whether an OperationOutcome reports an error, not only a warning or information."""
    issues = outcome.get("issue")
    return not isinstance(issues, list) or any(
        isinstance(issue, dict) and issue.get("severity") in ("fatal", "error") for issue in issues
    )


def once(resources: Iterable[Json]) -> list[Json]:
    """One copy of each resource: of two with one id the later version, judged by meta.lastUpdated, then by content.

    Each copy is read a fixed number of times, because a comparison of two copies ends with the smaller one.
    """
    resources = list(resources)
    identities = [one.get("id") for one in resources]
    if set(map(type, identities)) <= {str} and len(set(identities)) == len(resources):
        return resources
    kept: dict[str, Json] = {}
    disputed: dict[str, _Version] = {}
    unnamed: dict[str, Json] = {}
    for resource in resources:
        identity = resource.get("id")
        if not isinstance(identity, str):
            unnamed.setdefault(_content(resource), resource)
        elif kept.setdefault(identity, resource) is not resource and kept[identity] != resource:
            later = max(disputed.get(identity) or _Version(kept[identity]), _Version(resource))
            disputed[identity], kept[identity] = later, later.resource
    return [*kept.values(), *unnamed.values()]


def newest_copies(resources: Iterable[Json]) -> list[Json]:
    """The different copies of each resource in its latest version; if there are several, any of them may be current."""
    kept: dict[Any, list[Json]] = {}
    for resource in resources:
        identity = resource.get("id")
        name = identity if isinstance(identity, str) else None
        copies = kept.setdefault(name, [])
        if copies and name is not None and _updated(resource) != _updated(copies[0]):
            if _updated(resource) < _updated(copies[0]):
                continue
            copies.clear()
        if len(copies) < MOST_COPIES and resource not in copies:
            copies.append(resource)
    return [copy for copies in kept.values() for copy in copies]


def _updated(resource: Json) -> str:
    meta = resource.get("meta")
    updated = meta.get("lastUpdated") if isinstance(meta, dict) else None
    return updated if isinstance(updated, str) else ""


class _Version:
    """One version of a resource; serialized at most once, and only if two versions have the same time."""

    def __init__(self, resource: Json) -> None:
        self.resource = resource
        self._updated = _updated(resource)
        self._written: str | None = None

    def __gt__(self, other: "_Version") -> bool:
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
