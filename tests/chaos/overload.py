"""Ten times the calls that a worker can answer: those let in are answered in time, and it is over at once."""

import os
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import orjson

from cds_service.server.gunicorn_server import utc_today
from tests.bench import machine, workload

TIMES = 10
AT_LEAST = 5
SECONDS = 8.0
SECONDS_BEFORE = 3.0
SECONDS_BETWEEN_PROBES = 0.1
# As many callers as there are threads.
CALLERS = 8
# Beyond this many at a time the generator itself would be what is measured.
OPEN_AT_ONCE = 400
LONGEST_P99 = 1.0
LONGEST_RECOVERY = 2.0
LONGEST_ANSWER = 30.0
PROBES = ("/healthz", "/readyz")

Then = Callable[[int, float], None]


@dataclass
class Overload:
    """What came: ``sustainable`` and ``offered`` calls a second; seconds that accepted and refused calls took, and
    probes beside them; calls without an answer and those with an unknown one; seconds until a call was answered as
    before.
    """

    sustainable: float = 0.0
    usual: float = 0.0
    offered: float = 0.0
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    lost: int = 0
    others: list[int] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    recovery: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.sustainable:.0f} calls/s sustainable, {self.offered / self.sustainable:.1f} times that offered; "
            f"{len(self.accepted)} accepted, p99 {_p99(self.accepted):.2f} s; {len(self.refused)} refused, "
            f"p99 {_p99(self.refused):.2f} s; {self.lost} without an answer; probes p99 {_p99(self.probes):.2f} s; "
            f"as before after {self.recovery:.2f} s"
        )

    def count(self, status: int, took: float) -> None:
        """Takes what became of one of too many calls; a status of 0 is not an answer."""
        if status == 200:
            self.accepted.append(took)
        elif status == 503:
            self.refused.append(took)
        elif status:
            self.others.append(status)
        else:
            self.lost += 1


class Generator:
    """Calls on connections of their own, all in one loop: each costs little, and none waits for another."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._selector = selectors.DefaultSelector()
        self.open = 0

    def call(self, request: bytes, then: Then) -> None:
        """Sends a request; ``then`` gets the status (0 where there was no answer) and seconds."""
        begun, unsent, answer = time.monotonic(), memoryview(request), bytearray()
        sock = socket.create_connection(self._address)
        sock.setblocking(False)
        self.open += 1

        def go_on(events: int) -> None:
            nonlocal unsent
            try:
                if events & selectors.EVENT_WRITE:
                    unsent = unsent[sock.send(unsent) :]
                    if not unsent:
                        self._selector.modify(sock, selectors.EVENT_READ, go_on)
                if not events & selectors.EVENT_READ:
                    return
                if data := sock.recv(65536):
                    answer.extend(data)
                    return
            except BlockingIOError:
                return
            # A refusal may come before the whole request is out; what came before the end counts.
            except OSError:
                with suppress(OSError):
                    answer.extend(sock.recv(65536))
            self._selector.unregister(sock)
            sock.close()
            self.open -= 1
            then(int(answer[9:12] or 0), time.monotonic() - begun)

        self._selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, go_on)

    def turn(self, seconds: float) -> None:
        """Waits so long at most for what comes, and takes it."""
        for key, events in self._selector.select(seconds):
            key.data(events)

    def until(self, reached: Callable[[], bool], what: str) -> None:
        """Goes on until a condition holds. Raises AssertionError."""
        end = time.monotonic() + LONGEST_ANSWER
        while not reached():
            assert time.monotonic() < end, f"{what} did not come"
            self.turn(0.01)

    def one(self, request: bytes) -> tuple[int, float]:
        """Status and seconds of one call; what else is open goes on."""
        found: list[tuple[int, float]] = []
        self.call(request, lambda *told: found.append(told))
        self.until(lambda: bool(found), "an answer")
        return found[0]


def overload() -> Overload:
    """Runs one worker on one core and the generator on the other. Raises AssertionError."""
    server_core, load_core = machine.cores()
    service, body = workload.whole_card(utc_today())
    before = os.sched_getaffinity(0)
    with machine.serving("cds_service", "serve", "--port", "{port}", core=server_core) as running:
        os.sched_setaffinity(0, {load_core})
        try:
            seen = _run(Generator(running.port), _request(f"/cds-services/{service}", orjson.dumps(body)))
        finally:
            os.sched_setaffinity(0, before)
    assert not seen.others, f"answered with {set(seen.others)}"
    assert not seen.lost, str(seen)
    assert seen.offered >= AT_LEAST * seen.sustainable, str(seen)
    assert _p99(seen.accepted) < LONGEST_P99, str(seen)
    assert _p99(seen.probes) < LONGEST_P99, str(seen)
    assert seen.recovery < LONGEST_RECOVERY, str(seen)
    return seen


def _request(path: str, body: bytes = b"") -> bytes:
    head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _run(generator: Generator, request: bytes) -> Overload:
    seen = Overload()
    ready = _request("/readyz")
    generator.until(lambda: generator.one(ready)[0] == 200, "readiness")
    _sustain(generator, request, seen)
    _flood(generator, request, seen)
    ended = time.monotonic()
    while time.monotonic() - ended < 10 * LONGEST_RECOVERY:
        status, took = generator.one(request)
        if status == 200 and took < max(10 * seen.usual, 0.1):
            break
    seen.recovery = time.monotonic() - ended
    generator.until(lambda: not generator.open, "the last answer")
    return seen


def _sustain(generator: Generator, request: bytes, seen: Overload) -> None:
    """Some callers, each with its next call when the last one is answered."""
    took: list[float] = []
    until = time.monotonic() + SECONDS_BEFORE

    def next_call(status: int = 200, seconds: float = 0.0) -> None:
        assert status == 200, status
        if seconds:
            took.append(seconds)
        if time.monotonic() < until:
            generator.call(request, next_call)

    for _ in range(CALLERS):
        next_call()
    generator.until(lambda: not generator.open, "the last answer")
    seen.sustainable = len(took) / SECONDS_BEFORE
    seen.usual = sorted(took)[len(took) // 2]


def _flood(generator: Generator, request: bytes, seen: Overload) -> None:
    """New calls at their rate, whether the earlier ones were answered or not, and probes beside them."""
    offered, next_probe, begun = 0, 0.0, time.monotonic()

    def probed(status: int, took: float) -> None:
        assert status == 200, f"a probe: {status}"
        seen.probes.append(took)

    while (now := time.monotonic() - begun) < SECONDS:
        due = int(now * TIMES * seen.sustainable)
        # What the generator cannot keep up with is not made up for at once: it would come in a burst.
        for _ in range(min(due - offered, 10, OPEN_AT_ONCE - generator.open)):
            generator.call(request, seen.count)
            offered += 1
        if now > next_probe:
            next_probe = now + SECONDS_BETWEEN_PROBES
            for path in PROBES:
                generator.call(_request(path), probed)
        generator.turn(0.001)
    seen.offered = offered / SECONDS


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * 0.99))] if seconds else 0.0


SCENARIOS = (overload,)

if __name__ == "__main__":
    print(overload())
