"""What happens to the processes of a service, its clock and its policies while feedback and calls come in."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cds_service.settings.settings import data_folder
from tests.chaos.stores import scene
from tests.torture import served
from tests.waiting import wait_for

DAY = 86_400
# A worker that goes on as long as callers keep their connections needs the 30 s of its grace.
SECONDS_TO_END = 15.0


def worker_killed() -> str:
    """One of two workers is killed (SIGKILL), then the other."""
    with scene() as made:
        for worker in made.workers():
            os.kill(worker, signal.SIGKILL)
            made.answers()
            made.takes_feedback()
            wait_for(_replaced(made.workers, worker), "another worker")
        ready = made.is_ready()
        made.takes_feedback()
        made.keeps()
        return f"ready {ready:.1f} s after it, {len(made.acknowledged)} acknowledged"


def _replaced(workers: Callable[[], list[int]], gone: int) -> Callable[[], bool]:
    return lambda: gone not in workers() and len(workers()) == 2


def master_killed() -> str:
    """The main process is killed: its workers end by themselves, and the next service has all that was kept."""
    with scene() as made:
        workers = made.workers()
        os.kill(made.arbiter, signal.SIGKILL)
        wait_for(lambda: not any(map(_runs, workers)), "the end of the workers", SECONDS_TO_END)
        before = len(made.acknowledged)
        with served(made.state, "") as (address, _):
            made.address = address
            took = made.takes_feedback()
            made.answers()
            made.keeps()
        return f"{before} acknowledged before, none lost; kept again {took:.1f} s after the start"


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def worker_stopped() -> str:
    """A worker is stopped (SIGSTOP) while the other goes on, and goes on later."""
    with scene() as made:
        worker = made.workers()[0]
        os.kill(worker, signal.SIGSTOP)
        try:
            # A sender whose connection is with that worker waits for its time limit first.
            took = made.takes_feedback(20)
            made.answers()
        finally:
            # On a busy machine the main process has replaced it by then, for it said nothing for too long.
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGCONT)
        ready = made.is_ready()
        made.takes_feedback()
        made.keeps()
        return f"feedback kept on after {took:.1f} s, ready {ready:.1f} s after it went on"


def clock_moved() -> str:
    """The clock jumps a day forward, then two days back."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clock"
        file.write_text("0")
        run = ("-m", "tests.chaos.moved_clock")
        with scene(settings={"MOVED_CLOCK": str(file)}, run=run) as made:
            for seconds in (DAY, -DAY):
                other = file.with_name("next")
                other.write_text(str(seconds))
                other.replace(file)
                made.takes_feedback(20)
                made.answers()
                ready = made.is_ready()
            made.keeps()
            return f"ready {ready:.1f} s after it, {len(made.acknowledged)} acknowledged"


def policies_damaged() -> str:
    """A policy's file is cut in half: what is loaded goes on answering, and readiness tells while it is so."""
    with tempfile.TemporaryDirectory() as folder:
        cards = Path(folder) / "cards"
        shutil.copytree(data_folder("cards"), cards)
        with scene(settings={"CDS_SERVICE_CARDS": str(cards)}) as made:
            kept = {file: file.read_bytes() for file in cards.glob("*/*.json")}
            for file, content in kept.items():
                file.write_bytes(content[: len(content) // 2])
            told = made.tells()
            made.answers()
            made.takes_feedback()
            for file, content in kept.items():
                file.write_bytes(content)
            ready = made.is_ready()
            made.keeps()
            return f"told after {told:.1f} s, ready {ready:.1f} s after the files were whole again"


SCENARIOS = (worker_killed, master_killed, worker_stopped, clock_moved, policies_damaged)
