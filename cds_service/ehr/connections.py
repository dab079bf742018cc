"""The connections below ``requests``: each leads to a checked address, and ends with the deadline.

This module resolves the host, refuses every address outside the allowance, and connects to the same address that it
checked, so a second lookup cannot lead elsewhere.
"""

import http.client
import io
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from typing import Any, cast

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from cds_service.clock import Deadline
from cds_service.ehr.addresses import Address, Allowance, literal_address, may_connect
from cds_service.ehr.received import OutgoingError

Resolver = Callable[[str, int], Sequence[str]]

MOST_POOLED = 32
RESOLVERS = 8


def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, from the machine's resolver. Raises OSError."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class CurrentCall(threading.local):
    """The current call of a thread: its deadline, and whether it opened a connection."""

    deadline: Deadline
    connected = False


class Connections:
    """Opens the connections of calls in any thread; ``current`` is the call of the current thread."""

    def __init__(self, resolve: Resolver) -> None:
        self.current = CurrentCall()
        self._resolve = resolve
        self._lock = threading.Lock()
        self._resolvers: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Stop looking up names."""
        with self._lock:
            if self._resolvers is not None:
                self._resolvers.shutdown(wait=False, cancel_futures=True)
                self._resolvers = None

    def adapter(self, allowance: Allowance) -> HTTPAdapter:
        """An adapter with which a session of ``requests`` opens its connections here, under one allowance."""
        return _GuardedAdapter(self._pools(allowance))

    def _pools(self, allowance: Allowance) -> dict[str, type[HTTPConnectionPool]]:
        """Pools that open their connections under one allowance."""
        connections = self

        class Plain(HTTPConnection):
            response_class = _timed(connections.current)

            def _new_conn(self) -> socket.socket:
                return connections._connect(self.host, self.port, allowance)

        class Secure(HTTPSConnection):
            response_class = _timed(connections.current)

            def _new_conn(self) -> socket.socket:
                return connections._connect(self.host, self.port, allowance)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}

    def _connect(self, host: str, port: int, allowance: Allowance) -> socket.socket:
        """A connection to a checked address."""
        deadline = self.current.deadline
        self.current.connected = True
        host = host.strip("[]")
        literal = literal_address(host)
        # A literal IP address needs no check here, because the client's entry lists it.
        addresses = [literal] if literal is not None else self._checked(host, port, allowance, deadline)
        for address in addresses:
            family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(seconds_left(deadline))
                connection.connect((str(address), port))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(seconds_left(deadline))
            except OutgoingError:
                connection.close()
                raise
            except OSError:
                connection.close()
                continue
            return connection
        seconds_left(deadline)
        raise OutgoingError("unreachable")

    def _checked(self, host: str, port: int, allowance: Allowance, deadline: Deadline) -> list[Address]:
        """The addresses of a name. Raises OutgoingError if even one of them is forbidden."""
        with self._lock:
            if self._resolvers is None:
                self._resolvers = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="resolve")
            waiting = self._resolvers.submit(self._resolve, host, port)
        try:
            found = [literal_address(text.partition("%")[0]) for text in waiting.result(timeout=seconds_left(deadline))]
        except NotInTimeError:
            waiting.cancel()
            raise OutgoingError("timeout") from None
        except (OSError, UnicodeError):
            raise OutgoingError("unreachable", "the server's name is not known") from None
        addresses = [address for address in found if address is not None]
        if len(addresses) < len(found) or not all(may_connect(address, allowance) for address in addresses):
            raise OutgoingError("forbidden")
        return addresses


def seconds_left(deadline: Deadline) -> float:
    """The rest of a deadline in seconds. Raises OutgoingError if none is left."""
    left = deadline.left()
    if left <= 0:
        raise OutgoingError("timeout")
    return left


class _GuardedAdapter(HTTPAdapter):
    """An adapter of requests with pools of our own connections."""

    def __init__(self, pools: dict[str, type[HTTPConnectionPool]]) -> None:
        self._pools = pools
        super().__init__(pool_connections=MOST_POOLED, pool_maxsize=MOST_POOLED, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **rest: Any) -> None:
        """Create the pools (called by requests)."""
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **rest)
        self.poolmanager.pool_classes_by_scheme = self._pools


class _TimedReader(io.RawIOBase):
    """Reads a socket with the rest of the deadline each time, so a server that drips bytes cannot extend it."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        # Keeps the socket open until this reader closes, although http.client closes the socket earlier.
        self._raw = connection.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Fill the buffer with the bytes that have arrived (io.RawIOBase)."""
        self._connection.settimeout(seconds_left(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Release the socket."""
        self._raw.close()
        super().close()


class _TimedSocket:
    """The part of a socket that http.client needs to read an answer."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        """A reader that obeys the deadline."""
        return io.BufferedReader(_TimedReader(self._connection, self._deadline))


def _timed(current: CurrentCall) -> type[http.client.HTTPResponse]:
    class Timed(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
            super().__init__(cast("socket.socket", _TimedSocket(sock, current.deadline)), *args, **named)

    return Timed
