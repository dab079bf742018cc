"""Linux: cores, child processes, their processor time and their memory."""

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
PORTS = range(8150, 8160)
LONGEST_START = 90
# Seconds within which a server is done with what the load gave up, and how often that is looked at.
LONGEST_REST, LOOK = 10, 0.05
# What the machine may be busy with before the benchmark begins, for each core, and what may be stolen while it runs.
IDLE = 0.5
MOST_STOLEN = 0.02


class BenchError(Exception):
    """The benchmark cannot be run, or what it measured is not what it should measure."""


def cores() -> tuple[int, int]:
    """The core of the servers and the core of the load; one core for both where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[1 % len(allowed)]


def busy(load: float, stolen: float, count: int) -> str | None:
    """Why a machine is too busy to judge by: too many runnable processes, or time that other machines took.

    ``load`` is the mean of the last minute, ``stolen`` the part of all processor time that the hypervisor gave away.
    """
    if load > IDLE * count:
        return (
            f"{load:.1f} processes ran or waited on {count} cores in the last minute, and at most {IDLE * count:g} may"
        )
    if stolen > MOST_STOLEN:
        return f"{stolen:.1%} of the processor time went to other machines, and at most {MOST_STOLEN:.0%} may"
    return None


def processor_ticks() -> tuple[int, int]:
    """Ticks stolen by the hypervisor and all ticks, since the machine started (proc(5), /proc/stat)."""
    first = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:9]
    return int(first[7]), sum(int(field) for field in first)


def processor() -> str:
    """The name of the processor."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "unknown processor")


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers: where, the id of the process that does its work, and how long it took to answer."""

    port: int
    worker: int
    ready_seconds: float

    def post(self, path: str, body: bytes, token: str | None = None) -> bytes:
        """The answer to one call; anything but 200 is an error."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            client.request("POST", path, body, headers)
            answer = client.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise BenchError(f"port {self.port} gave no answer: {error!r}") from None
        finally:
            client.close()
        if answer.status != 200:
            raise BenchError(f"port {self.port} answered {answer.status}: {content[:300]!r}")
        return content

    def cpu_seconds(self) -> float:
        """Processor time that the worker has used so far, its own and the kernel's for it."""
        try:
            fields = Path(f"/proc/{self.worker}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            raise BenchError(f"the server on port {self.port} has ended") from None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rest(self) -> None:
        """Waits until the worker is idle: what wrk gave up it still works on, in the time of the next server."""
        until, used = time.perf_counter() + LONGEST_REST, -1.0
        while (self.cpu_seconds() > used or self._wants_a_core()) and time.perf_counter() < until:
            used = self.cpu_seconds()
            time.sleep(LOOK)

    def _wants_a_core(self) -> bool:
        """Whether a thread runs or would, had it a core: on a busy machine it may wait for long without using time."""
        for stat in Path(f"/proc/{self.worker}/task").glob("*/stat"):
            try:
                state = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0]
            except OSError:
                continue
            if state == "R":
                return True
        return False

    def private_mb(self) -> float:
        """Memory that belongs to the worker alone, in millions of bytes."""
        return self._memory("Private_")

    def resident_mb(self) -> float:
        """All memory that the worker has at hand, also what it shares with its parent, in millions of bytes."""
        return self._memory("Rss")

    def _memory(self, kind: str) -> float:
        rollup = Path(f"/proc/{self.worker}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        return sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith(kind)) / 1e6


@contextmanager
def serving(module: str, *arguments: str, core: int, settings: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Starts ``python -m module arguments``, one of our servers, whose work its only child does."""
    with started((sys.executable, "-m", module, *arguments), core=core, settings=settings) as running:
        yield replace(running, worker=_only_child(running.worker))


@contextmanager
def started(
    program: Sequence[str],
    *,
    core: int,
    settings: Mapping[str, str] | None = None,
    folder: Path = ROOT,
    ready: str = "/healthz",
) -> Iterator[Running]:
    """Starts a program (``{port}`` stands for its port) in a folder on one core, and ends it by its id.

    ``settings`` are environment variables; ``ready`` is the path that answers 200 once it serves. Raises BenchError
    where it does not come up.
    """
    port = _free_port()
    command = ["taskset", "-c", str(core), *(part.format(port=port) for part in program)]
    # The settings of the shell must not change what is measured.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CDS_SERVICE_")}
    environment |= settings or {}
    with tempfile.TemporaryFile() as log:
        begun = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            while not _answers(port, ready):
                seconds = time.perf_counter() - begun
                if process.poll() is not None or seconds > LONGEST_START:
                    log.seek(0)
                    raise BenchError(f"{' '.join(command)} is not ready after {seconds:.1f} s:\n{log.read().decode()}")
                time.sleep(0.005)
            yield Running(port, process.pid, time.perf_counter() - begun)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise BenchError(f"no port from {PORTS[0]} to {PORTS[-1]} is free")


def _answers(port: int, path: str) -> bool:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        client.request("GET", path)
        return client.getresponse().status == 200
    except OSError:
        return False
    finally:
        client.close()


def _only_child(pid: int) -> int:
    children = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            children.append(int(status.parent.name))
    if len(children) != 1:
        raise BenchError(f"process {pid} should have one worker and has {len(children)}")
    return children[0]
