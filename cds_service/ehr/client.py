"""A guarded HTTP client: it checks the spelling and the IP address of each address, and stops at the deadline.

``requests`` does the HTTP, over the connections of this package.
"""

import http.client
import http.cookiejar
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import requests
from urllib3.exceptions import HTTPError

from cds_service.clock import Deadline
from cds_service.ehr.addresses import Allowance, ForbiddenAddressError, permitted
from cds_service.ehr.connections import Connections, Resolver, resolved, seconds_left
from cds_service.ehr.received import ByteBudget, OutgoingError, Received

CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class _Request:
    method: Literal["GET", "POST", "PUT"]
    headers: Mapping[str, str]
    body: bytes | None = None


class _Limits(NamedTuple):
    """The maximum bytes of one answer, and the byte budget that it shares with others."""

    max_bytes: int
    room: ByteBudget | None = None

    def has_room(self, read: int, last: int) -> bool:
        """True if an answer with ``read`` bytes so far, ``last`` in its last chunk, may continue."""
        return read <= self.max_bytes and (self.room is None or self.room.take(last))


class OutgoingClient:
    """Makes guarded calls from any thread, with separate connections for each allowance. A fork may come before or
    after its creation.

    ``ca_bundle`` is a file of certificates to trust instead of the default ones.
    """

    def __init__(self, resolve: Resolver = resolved, ca_bundle: str | None = None) -> None:
        self._connections = Connections(resolve)
        self._verify: str | bool = ca_bundle or True
        self._lock = threading.Lock()
        self._sessions: dict[Allowance, requests.Session] = {}

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
        """The answer to a GET, with ``token`` as Bearer token if given. Raises OutgoingError.

        Reads at most ``max_bytes`` of the answer, and no more than ``room`` allows.
        """
        headers = {"Accept": accept} | ({"Authorization": f"Bearer {token}"} if token else {})
        return self._call(_Request("GET", headers), url, allowance, deadline, _Limits(max_bytes, room))

    def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str],
        allowance: Allowance,
        deadline: Deadline,
        max_bytes: int,
    ) -> Received:
        """The answer to a POST of ``body``. Raises OutgoingError.

        Never sends it twice: if the answer is lost, the server may have carried out the POST.
        """
        return self._call(_Request("POST", headers, body), url, allowance, deadline, _Limits(max_bytes))

    def put(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str],
        allowance: Allowance,
        deadline: Deadline,
        max_bytes: int,
    ) -> Received:
        """The answer to a PUT of ``body``. Raises OutgoingError. Never sends it twice, like a POST."""
        return self._call(_Request("PUT", headers, body), url, allowance, deadline, _Limits(max_bytes))

    def _call(self, asked: _Request, url: str, allowance: Allowance, deadline: Deadline, limits: _Limits) -> Received:
        try:
            address = permitted(url, allowance)
        except ForbiddenAddressError as error:
            raise OutgoingError("forbidden", error.sentence) from None
        session = self._session(allowance)
        current = self._connections.current
        current.deadline, current.connected = deadline, False
        for last in (asked.method != "GET", True):
            try:
                return _received(session, asked, address, deadline, limits)
            except OutgoingError:
                raise
            except Exception as error:
                # A pooled connection that the server has closed says nothing about the server's health.
                if last or current.connected or deadline.left() <= 0 or not _was_stale(error):
                    raise _told(error, deadline) from None
        raise AssertionError("the second attempt returns or raises")

    def close(self) -> None:
        """Close all pooled connections."""
        with self._lock:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()
        self._connections.close()

    def _session(self, allowance: Allowance) -> requests.Session:
        with self._lock:
            if allowance not in self._sessions:
                session = requests.Session()
                # Proxies and netrc files of the machine may not see or change these calls.
                session.trust_env = False
                session.verify = self._verify
                session.headers["User-Agent"] = "cds-service"
                session.cookies.set_policy(_NoCookies())
                adapter = self._connections.adapter(allowance)
                session.mount("http://", adapter)
                session.mount("https://", adapter)
                self._sessions[allowance] = session
            return self._sessions[allowance]


def _received(
    session: requests.Session, asked: _Request, address: str, deadline: Deadline, limits: _Limits
) -> Received:
    left = seconds_left(deadline)
    with session.request(
        asked.method,
        address,
        headers=dict(asked.headers),
        data=asked.body,
        stream=True,
        allow_redirects=False,
        timeout=(left, left),
    ) as answer:
        if 300 <= answer.status_code < 400:
            raise OutgoingError("redirected")
        declared = answer.headers.get("Content-Length", "")
        if declared.isdecimal() and int(declared[:20]) > limits.max_bytes:
            raise OutgoingError("too-large")
        body = bytearray()
        for chunk in answer.raw.stream(CHUNK, decode_content=True):
            body += chunk
            if not limits.has_room(len(body), len(chunk)):
                raise OutgoingError("too-large")
            seconds_left(deadline)
        content_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        named = (answer.headers.get(name, "") for name in ("Cache-Control", "Location", "ETag"))
        return Received(answer.status_code, content_type, bytes(body), address, *named)


def _was_stale(error: BaseException) -> bool:
    return any(isinstance(cause, http.client.RemoteDisconnected | ConnectionError) for cause in _causes(error))


def _told(error: BaseException, deadline: Deadline) -> OutgoingError:
    """The error as one of our own, because errors of the libraries repeat the address."""
    for cause in _causes(error):
        if isinstance(cause, OutgoingError):
            return cause
    if isinstance(error, requests.exceptions.SSLError):
        return OutgoingError("tls")
    if deadline.left() <= 0 or any(isinstance(cause, TimeoutError) for cause in _causes(error)):
        return OutgoingError("timeout")
    if isinstance(error, requests.RequestException | HTTPError | http.client.HTTPException | OSError | ValueError):
        return OutgoingError("unreachable", "the server's answer broke off or was not HTTP")
    raise error


def _causes(error: BaseException) -> Iterable[BaseException]:
    """The error, its cause, and the errors in its arguments: libraries wrap errors in all three ways."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        waiting += [item for item in inner if isinstance(item, BaseException)]


class _NoCookies(http.cookiejar.DefaultCookiePolicy):
    """Rejects every cookie, so no answer affects the next call."""

    def set_ok(self, cookie: http.cookiejar.Cookie, request: Any) -> bool:
        """Return False: no cookie is stored."""
        return False
