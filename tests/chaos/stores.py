"""What happens to a store while feedback comes in: ``python -m tests.chaos [NAME...]``.

Each scenario serves with two workers, does something to the store, and asserts: readiness is red or degraded within 60
seconds or feedback goes on being kept, hook calls go on being answered, nothing that was acknowledged while the store
was at its path is missing, and the service recovers without a restart.
"""

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import requests

from cds_service.hooks.feedback import DayRange
from cds_service.store.database import open_store
from cds_service.store.feedback import kept
from tests.postgresql import Cluster, cluster, end
from tests.shipped import example
from tests.torture import FEEDBACK, served
from tests.waiting import clean_environment

SIGN = "/cds-services/coverage-guidance-order-sign"
SECONDS_TO_TELL = 60.0
# A worker that hangs in the store tells nothing more, and is then given up by those that are asked.
SECONDS_TO_RECOVER = 90.0
SECONDS_OF_A_CALL = 15.0
SETTINGS: Mapping[str, str] = {"CDS_SERVICE_SELF_CHECK_SECONDS": "5"}
SENDERS = 2


@dataclass
class Scene:
    """A service under feedback. ``acknowledged`` grows while it runs."""

    address: str
    arbiter: int
    state: Path
    url: str
    acknowledged: list[str] = field(default_factory=list)

    def readiness(self) -> str:
        """The word of /readyz."""
        return str(requests.get(f"{self.address}/readyz", timeout=SECONDS_OF_A_CALL).json()["status"])

    def waits_for(self, reached: Callable[[], bool], seconds: float, what: str) -> float:
        """Seconds until a condition holds."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            with contextlib.suppress(requests.RequestException):
                if reached():
                    return time.monotonic() - started
            time.sleep(0.1)
        raise AssertionError(f"{what} did not come within {seconds:.0f} s; readiness is {self.readiness()}")

    def tells(self) -> float:
        """Seconds until readiness is red or degraded."""
        return self.waits_for(lambda: self.readiness() != "ready", SECONDS_TO_TELL, "red or degraded")

    def is_ready(self) -> float:
        """Seconds until readiness is green."""
        return self.waits_for(lambda: self.readiness() == "ready", SECONDS_TO_RECOVER, "ready")

    def takes_feedback(self, more: int = 5) -> float:
        """Seconds until so many more pieces are acknowledged."""
        before = len(self.acknowledged)
        return self.waits_for(lambda: len(self.acknowledged) >= before + more, SECONDS_TO_RECOVER, "feedback")

    def answers(self) -> None:
        """Asserts that a hook call gets its card."""
        answer = requests.post(self.address + SIGN, json=example("typical-gaps"), timeout=SECONDS_OF_A_CALL)
        assert answer.status_code == 200, f"a hook call was answered with {answer.status_code}"
        assert len(answer.json()["cards"]) == 1, "a hook call was answered without its card"

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        return _children(self.arbiter)

    def keeps(self) -> None:
        """Asserts that nothing that was acknowledged is missing."""
        _missing(self, self.acknowledged)


@contextmanager
def scene(
    url: str = "", settings: Mapping[str, str] = MappingProxyType({}), run: Sequence[str] = ("-m", "cds_service")
) -> Iterator[Scene]:
    """A service that is ready and takes feedback from two senders until the end."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        state, over = Path(folder), threading.Event()
        address, arbiter = stack.enter_context(served(state, url, {**SETTINGS, **settings}, run))
        made = Scene(address, arbiter, state, url)
        senders = [threading.Thread(target=_send, args=(made, str(number), over)) for number in range(SENDERS)]
        try:
            for sender in senders:
                sender.start()
            made.is_ready()
            made.takes_feedback()
            yield made
        finally:
            over.set()
            for sender in senders:
                sender.join()


def _send(made: Scene, name: str, over: threading.Event) -> None:
    number = 0
    with requests.Session() as session:
        while not over.wait(0.02):
            number += 1
            body = {"feedback": [{"card": f"{name}-{number}", "outcome": "accepted"}]}
            with contextlib.suppress(requests.RequestException):
                if session.post(made.address + FEEDBACK, json=body, timeout=SECONDS_OF_A_CALL).status_code == 200:
                    made.acknowledged.append(f"{name}-{number}")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _there(made: Scene) -> set[str]:
    with closing(open_store(made.url, made.state)) as store:
        return {item.card for item in kept(store, DayRange())}


def _missing(made: Scene, acknowledged: list[str]) -> None:
    lost = set(acknowledged) - _there(made)
    assert not lost, f"{len(lost)} of {len(acknowledged)} pieces that were acknowledged are missing"


def _after_the_file_went(way: Callable[[Path], None]) -> str:
    with scene() as made:
        way(made.state / "store.sqlite")
        # What was on its way when the file went may have been acknowledged just before.
        first = len(made.acknowledged) + SENDERS
        took = made.takes_feedback(20)
        made.answers()
        ready = made.is_ready()
        _missing(made, made.acknowledged[first:])
        return f"kept again after {took:.1f} s, ready after {ready:.1f} s, {len(made.acknowledged)} acknowledged"


def store_removed() -> str:
    """The file of SQLite is removed."""
    return _after_the_file_went(Path.unlink)


def store_replaced() -> str:
    """Another, empty file takes the place of SQLite's."""

    def replace(file: Path) -> None:
        (file.parent / "other").touch()
        (file.parent / "other").replace(file)

    return _after_the_file_went(replace)


def store_folder_removed() -> str:
    """The file and all beside it are removed."""

    def remove(file: Path) -> None:
        for path in (file, *file.parent.glob("store.sqlite-*")):
            path.unlink(missing_ok=True)

    return _after_the_file_went(remove)


def store_damaged() -> str:
    """Pages of the file are overwritten; ``store recover`` helps while the service runs."""
    with scene() as made:
        file = made.state / "store.sqlite"
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        with file.open("r+b") as opened:
            opened.seek(4096)
            opened.write(os.urandom(file.stat().st_size - 4096))
        told = made.tells()
        made.answers()
        before = len(made.acknowledged)
        environment = clean_environment({"CDS_SERVICE_STATE": str(made.state)})
        command = [sys.executable, "-m", "cds_service", "store", "recover"]
        run = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=120)
        if run.returncode:
            # Of a file without a readable table nothing can be saved; what the command says then is to move it away.
            assert "cannot be read at all" in run.stderr, run.stderr
            before = len(made.acknowledged)
            file.rename(made.state / "moved-away")
        way = "moved away" if run.returncode else "recovered"
        made.takes_feedback(20)
        ready = made.is_ready()
        try:
            _missing(made, made.acknowledged[before + SENDERS :])
        except AssertionError as error:
            raise AssertionError(f"{error} ({way})") from None
        return f"told after {told:.1f} s, {way}, ready {ready:.1f} s after it"


def store_locked() -> str:
    """Another process holds the write lock of SQLite."""
    with scene() as made:
        with closing(sqlite3.connect(made.state / "store.sqlite", isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            told = made.tells()
            made.answers()
            other.execute("ROLLBACK")
        took = made.takes_feedback()
        ready = made.is_ready()
        _missing(made, made.acknowledged)
        return f"told after {told:.1f} s, kept again {took:.1f} s and ready {ready:.1f} s after the lock"


def disk_full() -> str:
    """No file may grow anymore, as on a full disk; then there is space again."""
    with scene() as made:
        before = {worker: resource.prlimit(worker, resource.RLIMIT_FSIZE) for worker in made.workers()}
        for worker, (_, hard) in before.items():
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (8192, hard))
        told = made.tells()
        for worker, limits in before.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(worker, resource.RLIMIT_FSIZE, limits)
        took = made.takes_feedback()
        made.answers()
        ready = made.is_ready()
        _missing(made, made.acknowledged)
        return f"told after {told:.1f} s, kept again {took:.1f} s and ready {ready:.1f} s after there was space"


def postgresql_frozen() -> str:
    """PostgreSQL's processes are stopped (SIGSTOP) while their connections live, and go on later."""
    with cluster() as server, scene(server.database()) as made:
        postmaster = _postmaster(server)
        processes = [postmaster, *_children(postmaster)]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            told = made.tells()
            made.answers()
        finally:
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)
        took = made.takes_feedback()
        ready = made.is_ready()
        _missing(made, made.acknowledged)
        return f"told after {told:.1f} s, kept again {took:.1f} s and ready {ready:.1f} s after it went on"


def postgresql_stopped() -> str:
    """PostgreSQL ends and is started again."""
    with cluster() as server, scene(server.database()) as made:
        postmaster = _postmaster(server)
        command = Path(f"/proc/{postmaster}/cmdline").read_text().split("\0")[:-1]
        folder = Path(os.readlink(f"/proc/{postmaster}/cwd"))
        os.kill(postmaster, signal.SIGINT)
        told = made.tells()
        made.answers()
        with _again(command, folder):
            took = made.takes_feedback()
            ready = made.is_ready()
            _missing(made, made.acknowledged)
        return f"told after {told:.1f} s, kept again {took:.1f} s and ready {ready:.1f} s after it was started"


def _postmaster(server: Cluster) -> int:
    with server.connect() as connection:
        found = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
    assert found is not None
    return int(str(found[0]).splitlines()[0])


@contextmanager
def _again(command: list[str], folder: Path) -> Iterator[None]:
    """The same program as the same user; ``folder`` is that of its data, in which it runs."""
    owner: dict[str, Any] = {}
    if os.geteuid() == 0:
        status = folder.stat()
        owner = {"user": status.st_uid, "group": status.st_gid, "extra_groups": []}
    with open(folder.parent / "log", "ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **owner)
    try:
        yield
    finally:
        end(process)


SCENARIOS = (
    *(store_removed, store_replaced, store_folder_removed, store_damaged, store_locked, disk_full),
    *(postgresql_frozen, postgresql_stopped),
)
