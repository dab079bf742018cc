"""One call at a time, guarded: the address is checked as written and as resolved, and nothing outlives the deadline.

``requests`` does the HTTP. What is ours is the connection below it: it resolves the host itself, refuses every address
that the allowance does not have, and connects to the very address that it checked, so that a second look-up cannot lead
elsewhere.
"""

import http.client
import http.cookiejar
import io
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from cds_service.clock import Deadline
from cds_service.ehr.addresses import Address, Allowance, ForbiddenAddressError, literal_address, may_connect, permitted

Kind = Literal["forbidden", "unreachable", "timeout", "too-large", "redirected", "tls"]
Resolver = Callable[[str, int], Sequence[str]]

CHUNK = 65_536
MOST_POOLED = 32
RESOLVERS = 8
_SENTENCES: dict[Kind, str] = {
    "forbidden": "the server's name leads to an address that may not be called",
    "unreachable": "the server could not be reached",
    "timeout": "the server did not answer in time",
    "too-large": "the server's answer is larger than what is read",
    "redirected": "the server answered with a redirect, which is not followed",
    "tls": "the server's certificate is not trusted",
}


class OutgoingError(Exception):
    """A call that brought nothing; ``sentence`` can be shown to anyone: it holds no address, token or patient."""

    def __init__(self, kind: Kind, sentence: str | None = None) -> None:
        self.kind: Kind = kind
        self.sentence = sentence or _SENTENCES[kind]
        super().__init__(self.sentence)


@dataclass(frozen=True, slots=True)
class Received:
    """An answer, whatever its status: its media type without parameters, its body unpacked, the address called.

    ``cache_control``, ``location`` and ``etag`` are the headers of these names, as they came.
    """

    status: int
    content_type: str
    body: bytes
    url: str
    cache_control: str = ""
    location: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class _Request:
    method: Literal["GET", "POST", "PUT"]
    headers: Mapping[str, str]
    body: bytes | None = None


def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the machine's resolver has them. Raises OSError."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class ByteBudget:
    """How many bytes may still be read of the answers to several calls, by all threads that make them."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Counts what was read, and says whether there was room for it."""
        with self._lock:
            self._left -= count
            return self._left >= 0

    @property
    def is_exceeded(self) -> bool:
        """Whether more came than there was room for."""
        return self._left < 0


class _Limits(NamedTuple):
    """How many bytes are read of one answer, and together with others."""

    max_bytes: int
    room: ByteBudget | None = None

    def has_room(self, read: int, last: int) -> bool:
        """Whether an answer may go on of which so many bytes were read, so many of them ``last``."""
        return read <= self.max_bytes and (self.room is None or self.room.take(last))


class _Current(threading.local):
    """The call that a thread is making: its deadline, and whether it opened a connection."""

    deadline: Deadline
    connected = False


class OutgoingClient:
    """Makes guarded calls from any thread; connections are kept apart by allowance. Made before or after a fork.

    ``ca_bundle`` is a file of certificates to trust in place of the usual ones.
    """

    def __init__(self, resolve: Resolver = resolved, ca_bundle: str | None = None) -> None:
        self._resolve = resolve
        self._verify: str | bool = ca_bundle or True
        self._current = _Current()
        self._lock = threading.Lock()
        self._sessions: dict[Allowance, requests.Session] = {}
        self._resolvers: ThreadPoolExecutor | None = None

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
        """The answer to a GET, with ``token`` as Bearer token where there is one. Raises OutgoingError.

        Of the answer at most ``max_bytes`` are read, and no more than there is ``room`` for.
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

        Never sent twice: of a POST whose answer is lost nobody knows whether it was carried out.
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
        """The answer to a PUT of ``body``. Raises OutgoingError. Never sent twice, like a POST."""
        return self._call(_Request("PUT", headers, body), url, allowance, deadline, _Limits(max_bytes))

    def _call(self, asked: _Request, url: str, allowance: Allowance, deadline: Deadline, limits: _Limits) -> Received:
        try:
            address = permitted(url, allowance)
        except ForbiddenAddressError as error:
            raise OutgoingError("forbidden", error.sentence) from None
        session = self._session(allowance)
        self._current.deadline, self._current.connected = deadline, False
        for last in (asked.method != "GET", True):
            try:
                return _received(session, asked, address, deadline, limits)
            except OutgoingError:
                raise
            except Exception as error:
                # A kept connection that the server has meanwhile closed says nothing about the server.
                if last or self._current.connected or deadline.left() <= 0 or not _was_stale(error):
                    raise _told(error, deadline) from None
        raise AssertionError("the second attempt returns or raises")

    def close(self) -> None:
        """Closes every connection that is kept."""
        with self._lock:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()
            if self._resolvers is not None:
                self._resolvers.shutdown(wait=False, cancel_futures=True)
                self._resolvers = None

    def _session(self, allowance: Allowance) -> requests.Session:
        with self._lock:
            if allowance not in self._sessions:
                session = requests.Session()
                # Neither a proxy nor a netrc file of the machine may see or change these calls.
                session.trust_env = False
                session.verify = self._verify
                session.headers["User-Agent"] = "cds-service"
                session.cookies.set_policy(_NoCookies())
                adapter = _GuardedAdapter(self._pools(allowance))
                session.mount("http://", adapter)
                session.mount("https://", adapter)
                self._sessions[allowance] = session
            return self._sessions[allowance]

    def _pools(self, allowance: Allowance) -> dict[str, type[HTTPConnectionPool]]:
        """Pools whose connections are opened under one allowance."""
        client = self

        class Plain(HTTPConnection):
            response_class = _timed(client._current)

            def _new_conn(self) -> socket.socket:
                return client._connect(self.host, self.port, allowance)

        class Secure(HTTPSConnection):
            response_class = _timed(client._current)

            def _new_conn(self) -> socket.socket:
                return client._connect(self.host, self.port, allowance)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}

    def _connect(self, host: str, port: int, allowance: Allowance) -> socket.socket:
        """A connection to an address that was checked, and to no other."""
        deadline = self._current.deadline
        self._current.connected = True
        host = host.strip("[]")
        literal = literal_address(host)
        # An address that is written out in the client's entry is listed there.
        addresses = [literal] if literal is not None else self._checked(host, port, allowance, deadline)
        for address in addresses:
            family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(_left(deadline))
                connection.connect((str(address), port))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(_left(deadline))
            except OutgoingError:
                connection.close()
                raise
            except OSError:
                connection.close()
                continue
            return connection
        _left(deadline)
        raise OutgoingError("unreachable")

    def _checked(self, host: str, port: int, allowance: Allowance, deadline: Deadline) -> list[Address]:
        """What a name leads to; a name that leads anywhere forbidden is not called at all."""
        with self._lock:
            if self._resolvers is None:
                self._resolvers = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="resolve")
            waiting = self._resolvers.submit(self._resolve, host, port)
        try:
            found = [literal_address(text.partition("%")[0]) for text in waiting.result(timeout=_left(deadline))]
        except NotInTimeError:
            waiting.cancel()
            raise OutgoingError("timeout") from None
        except (OSError, UnicodeError):
            raise OutgoingError("unreachable", "the server's name is not known") from None
        addresses = [address for address in found if address is not None]
        if len(addresses) < len(found) or not all(may_connect(address, allowance) for address in addresses):
            raise OutgoingError("forbidden")
        return addresses


def _received(
    session: requests.Session, asked: _Request, address: str, deadline: Deadline, limits: _Limits
) -> Received:
    left = _left(deadline)
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
            _left(deadline)
        content_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        named = (answer.headers.get(name, "") for name in ("Cache-Control", "Location", "ETag"))
        return Received(answer.status_code, content_type, bytes(body), address, *named)


def _left(deadline: Deadline) -> float:
    left = deadline.left()
    if left <= 0:
        raise OutgoingError("timeout")
    return left


def _was_stale(error: BaseException) -> bool:
    return any(isinstance(cause, http.client.RemoteDisconnected | ConnectionError) for cause in _causes(error))


def _told(error: BaseException, deadline: Deadline) -> OutgoingError:
    """What went wrong, as one of our own errors: those of the libraries repeat the address."""
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
    """The error, what it arose from, and what it carries: libraries wrap one error in another in all three ways."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        waiting += [item for item in inner if isinstance(item, BaseException)]


class _GuardedAdapter(HTTPAdapter):
    """requests over pools of our own connections."""

    def __init__(self, pools: dict[str, type[HTTPConnectionPool]]) -> None:
        self._pools = pools
        super().__init__(pool_connections=MOST_POOLED, pool_maxsize=MOST_POOLED, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **rest: Any) -> None:
        """Makes the pools (called by requests)."""
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **rest)
        self.poolmanager.pool_classes_by_scheme = self._pools


class _NoCookies(http.cookiejar.DefaultCookiePolicy):
    """What one answer sets must not go out with the next call."""

    def set_ok(self, cookie: http.cookiejar.Cookie, request: Any) -> bool:
        """Never."""
        return False


class _TimedReader(io.RawIOBase):
    """Reads a socket with what is left of the deadline each time: a server that drips bytes cannot stretch it."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        # Keeps the socket open until this reader is closed, although http.client closes it sooner.
        self._raw = connection.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Fills the buffer with what has come (io.RawIOBase)."""
        self._connection.settimeout(_left(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Lets go of the socket."""
        self._raw.close()
        super().close()


class _TimedSocket:
    """As much of a socket as http.client asks of one that it reads an answer from."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        """A reader that is bound to the deadline."""
        return io.BufferedReader(_TimedReader(self._connection, self._deadline))


def _timed(current: _Current) -> type[http.client.HTTPResponse]:
    class Timed(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
            super().__init__(cast("socket.socket", _TimedSocket(sock, current.deadline)), *args, **named)

    return Timed
