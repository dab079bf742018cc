"""Callers that are silent, slow, deaf or no HTTP at all, while others call: no call is lost or waits long."""

import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import requests

from tests.shipped import example
from tests.torture import served
from tests.waiting import wait_for

SIGN = "/cds-services/coverage-guidance-order-sign"
SETTINGS = {"CDS_SERVICE_SELF_CHECK_SECONDS": "5"}
IDLE = 300
SLOW = 100
DEAF = 60
ROUNDS_OF_JUNK = 300
# So many good calls must come through beside them.
CALLS = 100
LONGEST = 1.0
# A deadline only ends what hangs.
LONGEST_SLOW = 60.0
HEAD = f"POST {SIGN} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n".encode()
IN_CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SLOWLY = (
    HEAD[:30],
    HEAD,
    HEAD + b"Content-Length: 1000\r\n\r\n",
    HEAD + b"Content-Length: 1000\r\n\r\n{",
    IN_CHUNKS + b"ff\r\n{",
)
JUNK = (
    IN_CHUNKS + b"5\r\nhelloworld\r\n0\r\n\r\n",
    IN_CHUNKS + b"g\r\n",
    IN_CHUNKS + b"-1\r\n\r\n",
    IN_CHUNKS + b"ffffffffffffffffffff\r\n",
    IN_CHUNKS + b"\xff" * 10_000,
    IN_CHUNKS + b"5\nhello\n0\n\n",
    IN_CHUNKS + b"1\r\n{\r\n0\r\nno field\r\n\r\n",
    HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
)


@dataclass
class Beside:
    """The good calls and probes beside a crowd: how long they took, and what was not answered with 200."""

    calls: list[float] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{len(self.calls)} good calls, the longest {max(self.calls):.2f} s; "
            f"{len(self.probes)} probes, the longest {max(self.probes):.2f} s"
        )

    def check(self) -> str:
        """What was measured. Raises AssertionError."""
        assert not self.wrong, f"{len(self.wrong)} were not answered with 200: {self.wrong[:3]}"
        assert max(self.calls) < LONGEST, str(self)
        assert max(self.probes) < LONGEST, str(self)
        return str(self)


def _ask(beside: Beside, took: list[float], ask: Callable[[], requests.Response]) -> None:
    begun = time.monotonic()
    try:
        status = str(ask().status_code)
    except requests.RequestException as error:
        status = type(error).__name__
    took.append(time.monotonic() - begun)
    if status != "200":
        beside.wrong.append(status)


@contextmanager
def _beside(address: str) -> Iterator[Beside]:
    """Good calls and probes, each on a connection of its own, until enough of them went by."""
    made, over, body = Beside(), threading.Event(), example("typical-gaps")

    def call() -> None:
        while not over.wait(0.01):
            _ask(made, made.calls, lambda: requests.post(address + SIGN, json=body, timeout=30))

    def probe() -> None:
        while not over.wait(0.1):
            for path in ("/healthz", "/readyz"):
                _ask(made, made.probes, lambda path=path: requests.get(address + path, timeout=30))

    threads = [threading.Thread(target=target) for target in (call, probe)]
    for thread in threads:
        thread.start()
    try:
        yield made
        wait_for(lambda: made.wrong or len(made.calls) >= CALLS, f"{CALLS} good calls", 60)
    finally:
        over.set()
        for thread in threads:
            thread.join()


@contextmanager
def _service() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), "", SETTINGS) as (address, _):
        wait_for(lambda: requests.get(f"{address}/readyz", timeout=30).ok, "readiness")
        yield address


def _connected(address: str) -> socket.socket:
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


@contextmanager
def _crowd(address: str, count: int, *sent: bytes) -> Iterator[list[socket.socket]]:
    """So many connections; each sends one of the parts and no more, or nothing where there is none."""
    with ExitStack() as stack:
        connections = []
        for number in range(count):
            connection = stack.enter_context(closing(_connected(address)))
            connections.append(connection)
            if sent:
                connection.setblocking(False)
                # What is not read at once stays unsent.
                connection.send(sent[number % len(sent)])
        yield connections


def idle_connections() -> str:
    """Callers that connect and say nothing."""
    with _service() as address, _crowd(address, IDLE), _beside(address) as beside:
        pass
    return beside.check()


def slow_connections() -> str:
    """Callers that stop within a head or a body, until each learned that it was too slow."""
    with _service() as address, _crowd(address, SLOW, *SLOWLY) as crowd, _beside(address) as beside:
        statuses = Counter(_first_line(connection) for connection in crowd)
    assert set(statuses) == {"408"}, f"told {statuses}"
    return f"{SLOW} got 408; {beside.check()}"


def _first_line(connection: socket.socket) -> str:
    """The status that comes first; empty where the connection ends without one."""
    connection.settimeout(LONGEST_SLOW)
    return connection.recv(12)[9:].decode()


def unread_bodies() -> str:
    """Bodies that nobody reads, for they are refused, and answers that their callers do not read."""
    refused = HEAD.replace(SIGN.encode(), b"/nowhere") + b"Content-Length: 1000000\r\n\r\n" + b" " * 1_000_000
    # Fewer of these than may wait: each is a call until its caller's socket is full.
    answers = b"GET /policies HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 60
    with _service() as address, _crowd(address, DEAF, *[refused] * 5, answers), _beside(address) as beside:
        pass
    return beside.check()


def chunk_junk() -> str:
    """What is not HTTP is a 4xx or 501, or the connection ends; never a 5xx of ours."""
    statuses: set[str] = set()
    with _service() as address, _beside(address) as beside:
        for number in range(ROUNDS_OF_JUNK):
            with closing(_connected(address)) as connection:
                connection.sendall(JUNK[number % len(JUNK)])
                connection.shutdown(socket.SHUT_WR)
                statuses.add(connection.recv(12)[9:].decode())
    assert statuses <= {"400", "408", "413", "501"}, f"answered with {sorted(statuses)}"
    return f"{ROUNDS_OF_JUNK} pieces of junk got {sorted(statuses)}; {beside.check()}"


SCENARIOS = (idle_connections, slow_connections, unread_bodies, chunk_junk)
