"""Ten times the calls that a worker can answer: those let in are answered in time, and it is over at once."""

import asyncio
import os
import time
from dataclasses import dataclass, field

import orjson

from cds_service.server import utc_today
from tests.bench import machine, workload

TIMES = 10
AT_LEAST = 5
SECONDS = 8.0
# Beyond this many at a time the generator itself would be what is measured.
OPEN_AT_ONCE = 400
LONGEST_P99 = 1.0
LONGEST_RECOVERY = 2.0


@dataclass
class Overload:
    """What was seen: ``sustainable`` and ``offered`` calls a second; seconds that accepted and refused calls took, and
    probes beside them; seconds until a call was answered as before.
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


def overload() -> Overload:
    """Runs one worker on one core and the generator on the other. Raises AssertionError."""
    server_core, load_core = machine.cores()
    service, body = workload.whole_card(utc_today())
    before = os.sched_getaffinity(0)
    with machine.serving("cds_service", "serve", "--port", "{port}", core=server_core) as running:
        os.sched_setaffinity(0, {load_core})
        try:
            seen = asyncio.run(_run(running.port, _request(f"/cds-services/{service}", orjson.dumps(body))))
        finally:
            os.sched_setaffinity(0, before)
    assert not seen.others, f"answered with {set(seen.others)}"
    assert seen.offered >= AT_LEAST * seen.sustainable, str(seen)
    assert _p99(seen.accepted) < LONGEST_P99, str(seen)
    assert _p99(seen.probes) < LONGEST_P99, str(seen)
    assert seen.recovery < LONGEST_RECOVERY, str(seen)
    return seen


def _request(path: str, body: bytes = b"") -> bytes:
    head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: cds.example\r\nConnection: close\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def _run(port: int, request: bytes) -> Overload:
    seen = Overload()
    until = time.monotonic() + machine.LONGEST_START
    while (await _call(port, _request("/readyz")))[0] != 200:
        assert time.monotonic() < until, "not ready"
    await _sustain(port, request, seen)
    over = asyncio.Event()
    probing = asyncio.create_task(_probe(port, seen, over))
    await _flood(port, request, seen)
    over.set()
    await probing
    ended = time.monotonic()
    while time.monotonic() < ended + 10 * LONGEST_RECOVERY:
        status, took = await _call(port, request)
        if status == 200 and took < max(10 * seen.usual, 0.1):
            break
    seen.recovery = time.monotonic() - ended
    return seen


async def _sustain(port: int, request: bytes, seen: Overload) -> None:
    """As many callers as there are threads, each with its next call when the last one is answered."""
    took: list[float] = []
    until = time.monotonic() + 3

    async def caller() -> None:
        while time.monotonic() < until:
            status, seconds = await _call(port, request)
            assert status == 200, status
            took.append(seconds)

    await asyncio.gather(*(caller() for _ in range(8)))
    seen.sustainable = len(took) / 3
    seen.usual = sorted(took)[len(took) // 2]


async def _flood(port: int, request: bytes, seen: Overload) -> None:
    """New calls at their rate, whether the earlier ones were answered or not."""
    running: set[asyncio.Task[None]] = set()
    begun = time.monotonic()
    offered = 0

    async def one() -> None:
        status, took = await _call(port, request)
        if status == 200:
            seen.accepted.append(took)
        elif status == 503:
            seen.refused.append(took)
        elif status:
            seen.others.append(status)
        else:
            seen.lost += 1

    while (now := time.monotonic() - begun) < SECONDS:
        due = int(now * TIMES * seen.sustainable)
        while offered < due and len(running) < OPEN_AT_ONCE:
            offered += 1
            task = asyncio.create_task(one())
            running.add(task)
            task.add_done_callback(running.discard)
        # What the generator cannot keep up with is not made up for later: it would come in a burst.
        await asyncio.sleep(0.001)
    seen.offered = offered / SECONDS
    await asyncio.gather(*running)


async def _probe(port: int, seen: Overload, over: asyncio.Event) -> None:
    while not over.is_set():
        for path in ("/healthz", "/readyz"):
            status, took = await _call(port, _request(path))
            assert status == 200, f"{path}: {status}"
            seen.probes.append(took)
        await asyncio.sleep(0.1)


async def _call(port: int, request: bytes) -> tuple[int, float]:
    """Status (0 where there was no answer) and seconds of one call on a connection of its own."""
    begun = time.monotonic()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return 0, time.monotonic() - begun
    try:
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 30)
    except OSError:
        return 0, time.monotonic() - begun
    finally:
        writer.close()
    return int(answer[9:12] or 0), time.monotonic() - begun


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * 0.99))] if seconds else 0.0


SCENARIOS = (overload,)

if __name__ == "__main__":
    print(overload())
