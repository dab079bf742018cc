"""Fetches the missing prefetch of a call from the EHR's FHIR server: all keys in parallel, until the deadline."""

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from threading import BoundedSemaphore, Lock
from time import monotonic
from typing import ClassVar, NamedTuple, Protocol

from cds_service.clock import Deadline
from cds_service.ehr import scopes, search, templates
from cds_service.ehr.addresses import Allowance, ForbiddenAddressError, permitted
from cds_service.ehr.received import ByteBudget, OutgoingError, Received
from cds_service.ehr.search import SERVER, FetchError, FetchLimits, Get, SearchResult
from cds_service.ehr.templates import Query, UnresolvedError
from cds_service.fhir.bundles import size_of
from cds_service.hooks.hook_request import HookRequest
from cds_service.operations import logs

ACCEPT = "application/fhir+json"
THREADS = 64
MOST_OUTSTANDING = 128

_LATE = ("timeout", f"{SERVER} did not answer in time")
_CLAUSES = {
    "forbidden": f"{SERVER} is not one that this service may call",
    "unreachable": f"{SERVER} could not be reached",
    "timeout": _LATE[1],
    "too-large": "the search found more than the service reads",
    "redirected": f"{SERVER} sent the call to another address",
    "tls": f"the certificate of {SERVER} is not trusted",
}
_NO_TIME = ("timeout", "no time was left to ask for it")
_TOO_MANY = "with it, the call would exceed the limit of resources (CDS_SERVICE_MAX_RESOURCES)"
_TOO_LARGE = ("too-large", "with it, the call would exceed the limit of bytes (CDS_SERVICE_FHIR_MAX_CALL_BYTES)")
_BUSY = ("busy", "this service was too busy to ask for it")


class KeyReport(NamedTuple):
    """The result for one published key.

    ``state``: sent, fetched, in-part, failed (requested, but nothing came), not-asked. ``cause`` is one of a few words
    if the result is incomplete, otherwise "". Contains no patient data.
    """

    key: str
    state: str
    cause: str
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Completed:
    """A call with the fetched values in ``prefetch`` and failures in ``unfetched``, and a report of each key."""

    request: HookRequest
    report: tuple[KeyReport, ...] = ()


class Getter(Protocol):
    """The part of ``OutgoingClient`` that fetching needs."""

    def get(
        self,
        url: str,
        *,
        accept: str,
        allowance: Allowance,
        deadline: Deadline,
        max_bytes: int,
        token: str | None = None,
        room: ByteBudget | None = None,
    ) -> Received:
        """The answer of a server. Raises OutgoingError."""


class _Threads:
    """The threads of one process; ``room`` counts their outstanding work, waiting or running."""

    def __init__(self, threads: int, most_outstanding: int) -> None:
        self.process = os.getpid()
        self.executor = ThreadPoolExecutor(threads, "fetching")
        self.room = BoundedSemaphore(most_outstanding)

    def submit(self, work: Callable[[], SearchResult]) -> Future[SearchResult] | None:
        """Start work; returns None if too much is outstanding."""
        if not self.room.acquire(blocking=False):
            return None
        future = self.executor.submit(work)
        future.add_done_callback(lambda _: self.room.release())
        return future


class NoFetcher:
    """A fetcher that is off: calls stay unchanged."""

    fetches: ClassVar[bool] = False

    def room(self) -> ByteBudget:
        """An empty byte budget, because nothing is fetched."""
        return ByteBudget(0)

    def complete(
        self,
        request: HookRequest,
        wanted: Mapping[str, str],
        allowance: Allowance,
        deadline: Deadline,
        room: ByteBudget | None = None,
    ) -> Completed:
        """The unchanged call."""
        return Completed(request)

    def close(self) -> None:
        """Do nothing."""


class Fetcher:
    """Fetches with one client for all calls. Threads can share it, and a process may fork after creating it.

    ``limits`` bound the data read for one search, and for one call.
    """

    fetches: ClassVar[bool] = True

    def __init__(
        self,
        client: Getter,
        limits: FetchLimits,
        *,
        threads: int = THREADS,
        most_outstanding: int = MOST_OUTSTANDING,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._client = client
        self._limits = limits
        self._sizes = (threads, most_outstanding)
        self._clock = clock
        self._lock = Lock()
        self._threads: _Threads | None = None

    def room(self) -> ByteBudget:
        """The byte budget of one call."""
        return ByteBudget(self._limits.max_call_bytes)

    def complete(
        self,
        request: HookRequest,
        wanted: Mapping[str, str],
        allowance: Allowance,
        deadline: Deadline,
        room: ByteBudget | None = None,
    ) -> Completed:
        """Fetch the wanted keys (published key -> template) that the call lacks, and return by the deadline.

        A key that was sent, even as ``null``, empty or failed, stays; if only its first page was sent, the rest is
        fetched. A call without ``fhir_server`` comes back unchanged. All stages of one call share one ``room``, from
        ``room()``. Server failures never raise.
        """
        if request.fhir_server is None:
            return Completed(request)
        lacking = {key: template for key, template in wanted.items() if request.lacks(key)}
        get = partial(
            self._get, allowance=allowance, deadline=deadline, token=_token(request), room=room or self.room()
        )
        found, taken = self._found(request, lacking, allowance, deadline, get) if lacking else ({}, {})
        came = {key: item.value for key, item in found.items() if item.value is not None}
        why = {key: item.sentence for key, item in found.items() if item.sentence is not None}
        report = tuple(_report(key, found.get(key), taken.get(key)) for key in wanted if key not in request.unfetched)
        if not found:
            return Completed(request, report)
        completed = replace(request, prefetch={**request.prefetch, **came}, unfetched={**request.unfetched, **why})
        return Completed(completed, report)

    def close(self) -> None:
        """Start no more work; running work ends by its own deadline. The client stays open."""
        with self._lock:
            if self._threads is not None:
                self._threads.executor.shutdown(wait=False, cancel_futures=True)
                self._threads = None

    def _found(
        self, request: HookRequest, lacking: Mapping[str, str], allowance: Allowance, deadline: Deadline, get: Get
    ) -> tuple[dict[str, SearchResult], dict[str, float]]:
        """The result for each key, and the seconds that each requested key took."""
        found: dict[str, SearchResult] = {}
        asked: dict[Future[SearchResult], str] = {}
        ended: dict[str, float] = {}
        started = self._clock()
        for key, template in lacking.items():
            kind = template.partition("?")[0].partition("/")[0]
            try:
                work = partial(self._fetch, get, request, key, _base(request, allowance), _query(request, template))
                if deadline.left() <= 0:
                    raise FetchError(*_NO_TIME)
                future = self._pool().submit(work)
                if future is None:
                    raise FetchError(*_BUSY)
                future.add_done_callback(partial(self._note_end, ended, key, started))
                asked[future] = key
            except FetchError as error:
                found[key] = _nothing(request, key, kind, error)
        wait(asked, timeout=deadline.left())
        # The answer to the call may already be on its way, so later results are dropped.
        taken = {key: ended.get(key, self._clock() - started) for key in asked.values()}
        for future, key in asked.items():
            kind = lacking[key].partition("?")[0].partition("/")[0]
            if future.cancel():
                found[key] = _nothing(request, key, kind, FetchError(*_BUSY))
            elif not future.done():
                found[key] = _nothing(request, key, kind, FetchError(*_LATE))
            else:
                found[key] = _result(future, request, key, kind)
        return self._within_limits(request, {key: found[key] for key in lacking}, lacking), taken

    def _within_limits(
        self, request: HookRequest, found: Mapping[str, SearchResult], lacking: Mapping[str, str]
    ) -> dict[str, SearchResult]:
        """The results, without the keys that would exceed the maximum number of resources of one call."""
        total = sum(size_of(value) for key, value in request.prefetch.items() if key not in lacking)
        kept = {}
        for key, item in found.items():
            total += size_of(item.value)
            if total > self._limits.max_resources and item.value is not None:
                total -= size_of(item.value)
                kind = lacking[key].partition("?")[0].partition("/")[0]
                kept[key] = SearchResult(None, "too-large", f"{kind}: {_TOO_MANY}")
            else:
                kept[key] = item
        return kept

    def _note_end(self, ended: dict[str, float], key: str, started: float, _: Future[SearchResult]) -> None:
        ended[key] = self._clock() - started

    def _pool(self) -> _Threads:
        """The threads, created on first use, because a parent's threads do not run in its child processes."""
        with self._lock:
            if self._threads is None or self._threads.process != os.getpid():
                self._threads = _Threads(*self._sizes)
            return self._threads

    def _fetch(self, get: Get, request: HookRequest, key: str, base: str, query: Query) -> SearchResult:
        if query.search is None:
            return search.read(get, base, query, request.patient_id, self._limits)
        return search.search(get, base, query, request.patient_id, self._limits, request.prefetch.get(key))

    def _get(
        self, url: str, max_bytes: int, *, allowance: Allowance, deadline: Deadline, token: str | None, room: ByteBudget
    ) -> Received:
        if deadline.left() <= 0:
            raise FetchError(*_LATE)
        try:
            return self._client.get(
                url, accept=ACCEPT, allowance=allowance, deadline=deadline, max_bytes=max_bytes, token=token, room=room
            )
        except OutgoingError as error:
            if room.is_exceeded:
                raise FetchError(*_TOO_LARGE) from None
            raise FetchError(error.kind, _CLAUSES.get(error.kind, _CLAUSES["unreachable"])) from None


def _base(request: HookRequest, allowance: Allowance) -> str:
    """The base of the FHIR server, without a trailing slash. Raises FetchError for a forbidden base."""
    written = request.fhir_server or ""
    try:
        base = permitted(written, allowance)
    except ForbiddenAddressError:
        raise FetchError("forbidden", _CLAUSES["forbidden"]) from None
    # The resource path would become part of the query, and the address a different one.
    if "?" in written or "#" in written:
        raise FetchError("forbidden", _CLAUSES["forbidden"])
    return base.rstrip("/")


def _query(request: HookRequest, template: str) -> Query:
    try:
        query = templates.resolve(template, request.context)
    except UnresolvedError as error:
        raise FetchError("unresolved", str(error)) from None
    scope = request.authorization.scope if request.authorization else None
    if not scopes.covers(scope, query.resource_type, query.search):
        raise FetchError("scope", "the EHR's authorization does not cover it")
    return query


def _token(request: HookRequest) -> str | None:
    return request.authorization.access_token if request.authorization else None


def _nothing(request: HookRequest, key: str, kind: str, error: FetchError) -> SearchResult:
    """A result without a value, or with no more than the first page that was sent."""
    where = f"only 1 page of {kind} came" if key in request.prefetch else kind
    return SearchResult(None, error.cause, f"{where}: {error.clause}")


def _result(future: Future[SearchResult], request: HookRequest, key: str, kind: str) -> SearchResult:
    error = future.exception()
    if error is None:
        return future.result()
    # A bug here must neither fail the call nor look like an empty chart; its message may repeat the call's data.
    logs.logger().error("unexpected", exc_info=error)
    return _nothing(request, key, kind, FetchError("error", "this service failed while asking for it"))


def _report(key: str, found: SearchResult | None, seconds: float | None) -> KeyReport:
    if found is None:
        return KeyReport(key, "sent", "", 0.0)
    milliseconds = (seconds or 0.0) * 1000
    if found.cause is None:
        return KeyReport(key, "fetched", "", milliseconds)
    if found.value is not None:
        return KeyReport(key, "in-part", found.cause, milliseconds)
    return KeyReport(key, "not-asked" if seconds is None else "failed", found.cause, milliseconds)


def server_timing(report: Iterable[KeyReport]) -> str:
    """The ``Server-Timing`` header of a report (W3C Server Timing): the requested keys with their milliseconds."""
    return ", ".join(
        f'fetch-{item.key};desc="{item.state}";dur={item.milliseconds:.1f}'
        for item in report
        if item.state not in ("sent", "not-asked")
    )
