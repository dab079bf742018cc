"""One read or one search of a FHIR server, page by page: the results, and why any are missing (FHIR R4 RESTful API)."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit, urlunsplit

import orjson

from cds_service.ehr.addresses import ForbiddenAddressError, is_at_or_below, is_plain_path
from cds_service.ehr.received import Received
from cds_service.ehr.templates import Query
from cds_service.fhir.bundles import DEFAULT_LIMITS, is_error, next_page
from cds_service.fhir.elements import Json
from cds_service.fhir.types import subject_of
from cds_service.hooks.draft_orders import is_of_another

SERVER = "the EHR's FHIR server"
_VISIBLE = re.compile(r"[!-~]+")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_REFUSED = (401, 403)
_GONE = (404, 410)
_BUSY = 429


class FetchError(Exception):
    """Requested data that did not come: ``cause`` is one of a few words, ``clause`` describes it to people."""

    def __init__(self, cause: str, clause: str) -> None:
        super().__init__(clause)
        self.cause = cause
        self.clause = clause


class SearchResult(NamedTuple):
    """The result: ``value`` as in prefetch (None if nothing came), and the cause if it is incomplete (or None).

    ``sentence`` explains the cause to the reader of the card.
    """

    value: Json | None
    cause: str | None = None
    sentence: str | None = None


# Gets one address and reads up to the given number of bytes; raises FetchError without an answer.
Get = Callable[[str, int], Received]


class FetchLimits(NamedTuple):
    """The maximum data of one search; ``max_resources`` and ``max_call_bytes`` apply to the whole call.

    A call may read more bytes than one search, so an oversized search leaves room for the others.
    """

    max_bytes: int
    max_pages: int
    max_resources: int = DEFAULT_LIMITS.resources
    max_call_bytes: int = 8_000_000


def read(get: Get, base: str, query: Query, patient_id: str, limits: FetchLimits) -> SearchResult:
    """Read one resource; a Patient must be the patient of the call."""
    kind = query.resource_type
    try:
        resource = _resource(get(f"{base}/{query.relative}", limits.max_bytes), "has no such record")
        _expect(resource, kind)
        if kind == "Patient" and resource.get("id") != patient_id:
            raise FetchError("invalid", f"{SERVER} sent another patient")
    except FetchError as error:
        return SearchResult(None, error.cause, f"{kind}: {error.clause}")
    return SearchResult(resource)


def search(
    get: Get, base: str, query: Query, patient_id: str, limits: FetchLimits, sent: Json | None = None
) -> SearchResult:
    """Search, and follow ``next`` links to the end, only below the base.

    ``sent`` is the first page if the EHR sent it; it stays unchanged. Resources of the requested type count, and so do
    resources that come with them, as in a prefetch that was sent. Other types alone are not an answer, unless the
    server says that it found nothing. Another patient's resources never count, and mark the rest as unreliable.
    """
    kind = query.resource_type
    walk = _Walk(kind, patient_id)
    address: str | None = f"{base}/{query.relative}"
    try:
        if sent is not None:
            entries = sent.get("entry")
            walk.entries += entries if isinstance(entries, list) else []
            walk.pages, walk.matched = 1, True
            address = _following(sent, base, f"{base}/")
        _follow(get, base, address, limits, walk)
    except FetchError as error:
        if not walk.pages:
            return SearchResult(None, error.cause, f"{kind}: {error.clause}")
        pages = "1 page" if walk.pages == 1 else f"{walk.pages} pages"
        return SearchResult(walk.bundle(), error.cause, f"only {pages} of {kind} came: {error.clause}")
    walk.end()
    if walk.doubt is not None:
        return SearchResult(walk.bundle(), walk.doubt.cause, f"{kind}: {walk.doubt.clause}")
    return SearchResult(walk.bundle())


class _Walk:
    """The pages of one search so far."""

    def __init__(self, kind: str, patient_id: str) -> None:
        self.kind = kind
        self.patient_id = patient_id
        self.entries: list[Any] = []
        self.unasked: list[Any] = []
        self.pages = 0
        self.matched = self.none_found = False
        self.doubt: FetchError | None = None

    def bundle(self) -> Json:
        return {"resourceType": "Bundle", "type": "searchset", "entry": self.entries}

    def add(self, page: Json) -> None:
        entries = page.get("entry") or []
        if not isinstance(entries, list):
            raise _not_fhir()
        for entry in entries:
            try:
                self._add_entry(entry)
            except FetchError as error:
                self.doubt = self.doubt or error
        self.none_found = page.get("total") == 0
        self.pages += 1

    def end(self) -> None:
        """Finish after the last page: unrequested resources count only together with requested ones."""
        if self.matched:
            self.entries += self.unasked
        elif self.unasked and not self.none_found:
            self.doubt = self.doubt or _other_kind()

    def _add_entry(self, entry: Any) -> None:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or not isinstance(kind := resource.get("resourceType"), str):
            raise _not_fhir()
        if kind == "OperationOutcome":
            if is_error(resource):
                raise _reported()
        elif kind == self.kind:
            if is_of_another(resource.get(subject_of(kind)), self.patient_id):
                raise FetchError("invalid", f"{SERVER} sent records of another patient")
            self.entries.append(entry)
            self.matched = True
        elif isinstance(mode := entry.get("search"), dict) and mode.get("mode") == "include":
            self.entries.append(entry)
        else:
            self.unasked.append(entry)


def _follow(get: Get, base: str, address: str | None, limits: FetchLimits, walk: _Walk) -> None:
    seen: set[str] = set()
    left = limits.max_bytes
    while address is not None:
        if walk.pages >= limits.max_pages or left <= 0:
            raise FetchError("too-large", "the search found more than the service reads")
        if address in seen:
            raise FetchError("invalid", f"{SERVER} sent the same page twice")
        seen.add(address)
        received = get(address, left)
        left -= len(received.body)
        page = _resource(received, "does not offer it")
        _expect(page, "Bundle")
        walk.add(page)
        if len(walk.entries) > limits.max_resources:
            raise FetchError("too-large", "the search found more than the service reads")
        address = _following(page, base, address)


def _resource(received: Received, gone: str) -> Json:
    """The resource in an answer. Raises FetchError for any other answer; ``gone`` is the meaning of a 404."""
    status = received.status
    if status in _REFUSED:
        raise FetchError("refused", f"the EHR refused access to it ({status})")
    if status in _GONE:
        raise FetchError("not-found", f"{SERVER} {gone} ({status})")
    if status == _BUSY or status >= 500:
        raise FetchError("server-error", f"{SERVER} failed ({status})")
    if status != 200:
        raise FetchError("not-accepted", f"{SERVER} did not accept the query ({status})")
    try:
        value = orjson.loads(received.body.removeprefix(_BYTE_ORDER_MARK))
        # A value that nests too deeply to serialize could break later code.
        orjson.dumps(value)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        raise _not_fhir() from None
    if not isinstance(value, dict):
        raise _not_fhir()
    return value


def _expect(resource: Json, kind: str) -> None:
    found = resource.get("resourceType")
    if found == "OperationOutcome":
        raise _reported()
    if found != kind:
        raise _other_kind() if isinstance(found, str) else _not_fhir()


def _following(page: Json, base: str, address: str) -> str | None:
    link = next_page(page)
    if link is None:
        return None
    try:
        target = _at_the_base(base, address, link)
        if target is not None and is_at_or_below(base, target):
            return target
    except (ValueError, ForbiddenAddressError):
        pass
    raise FetchError("forbidden", "the address of its next page is not allowed")


def _at_the_base(base: str, address: str, link: str) -> str | None:
    """The address of a link on the page at ``address``, with the origin of the base; None for an unsafe link.

    Behind a proxy, many FHIR servers write links with their own internal name, which outside callers cannot use, or
    with http instead of https. Path and query lead to the same page at the base, and a token goes to no other host.
    Raises ValueError.
    """
    if not _VISIBLE.fullmatch(link) or not is_plain_path(urlsplit(link).path):
        return None
    ours, theirs = urlsplit(base), urlsplit(urljoin(address, link))
    # The port property raises ValueError for an invalid port.
    if theirs.scheme not in ("http", "https") or "@" in theirs.netloc or theirs.port == 0 or theirs.fragment:
        return None
    return urlunsplit((ours.scheme, ours.netloc, theirs.path, theirs.query, ""))


def _not_fhir() -> FetchError:
    return FetchError("invalid", f"{SERVER} sent something that cannot be read")


def _other_kind() -> FetchError:
    return FetchError("invalid", f"{SERVER} sent records of other types")


def _reported() -> FetchError:
    return FetchError("reported", f"{SERVER} reported an error")
