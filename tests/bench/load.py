"""Load on one server: wrk, and whether every answer was the one expected."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.machine import BenchError, Running

CONNECTIONS = 8
# Seconds that one answer may take.
LONGEST = 10
# One in so many variants is checked before and after the load.
CHECKED = 50
SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True, slots=True)
class Call:
    """One hook call to repeat: its path, the file with its variants, one in each line, and the answer that each must
    get, which may depend on the day; ``part`` is what of an answer must be that."""

    path: str
    bodies: Path
    answer: Callable[[bytes], bytes]
    shortest: int
    part: Callable[[bytes], bytes] = bytes


@dataclass(frozen=True, slots=True)
class Measured:
    """What wrk saw in one round, and the processor time of the server for one request; times in milliseconds."""

    rate: float
    p50: float
    p99: float
    cpu: float


def check(server: Running, call: Call, token: Callable[[], str] | None = None) -> None:
    """Makes a call with some of the variants and checks each answer against the expected one, byte for byte.

    Where the day changes meanwhile, either day's answer will do.
    """
    for body in call.bodies.read_bytes().splitlines()[::CHECKED]:
        expected = call.answer(body)
        answer = call.part(server.post(call.path, body, token() if token else None))
        if answer not in (expected, call.answer(body)):
            raise BenchError(f"{call.path} on port {server.port} answered {answer[:300]!r}, not {expected[:300]!r}")


def put_under_load(server: Running, call: Call, seconds: float, core: int, tokens: Path | None = None) -> Measured:
    """Repeats a call for some seconds, each with the next line of ``tokens`` as its token.

    Raises BenchError for any answer but 200 and for answers that are too short.
    """
    url = f"http://127.0.0.1:{server.port}{call.path}"
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s"]
    command += [f"--timeout={LONGEST}s", "-s", str(SCRIPT), url]
    before = server.cpu_seconds()
    environment = os.environ | {"BENCH_BODIES": str(call.bodies), "BENCH_TOKENS": str(tokens or "")}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    used = server.cpu_seconds() - before
    server.rest()
    if run.returncode or not run.stdout:
        raise BenchError(f"{' '.join(command)} failed: {run.stderr}")
    found = json.loads(run.stdout.splitlines()[-1])
    requests, errors = found["requests"], {name: count for name, count in found["errors"].items() if count}
    if errors:
        raise BenchError(f"{url}: {requests} answers and these errors: {errors}")
    if not requests:
        raise BenchError(f"{url}: no answer within {seconds:g} s")
    if found["bytes"] < 0.99 * requests * call.shortest:
        raise BenchError(f"{url}: answers of {found['bytes'] // requests} bytes, expected more than {call.shortest}")
    return Measured(
        rate=requests / (found["micros"] / 1e6),
        p50=found["p50"] / 1000,
        p99=found["p99"] / 1000,
        cpu=used / requests * 1000,
    )


def middle(rounds: list[Measured]) -> Measured:
    """The median of each figure over the rounds."""
    return Measured(
        rate=median(item.rate for item in rounds),
        p50=median(item.p50 for item in rounds),
        p99=median(item.p99 for item in rounds),
        cpu=median(item.cpu for item in rounds),
    )
