"""Kills workers at random moments while feedback comes in, and counts what was acknowledged: `make torture`.

Each sender sends a piece until it is acknowledged, as an EHR does that got no answer. Nothing that was acknowledged may
be missing in the end, and nothing may be there twice.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path

import requests
from sqlalchemy import text

from cds_service.hooks.feedback import DayRange
from cds_service.store.database import open_store
from cds_service.store.feedback import kept
from tests import serving
from tests.postgresql import cluster
from tests.serving import Served
from tests.waiting import leave_out_what_others_set

ROOT = Path(__file__).parent.parent
FEEDBACK = "/cds-services/coverage-guidance-order-sign/feedback"
SENDERS = 4
# A deadline only ends what hangs.
SECONDS_FOR_A_WORKER = 120


@dataclass
class Outcome:
    """What came of a run: pieces acknowledged, sent again after no answer, kills, pieces lost and pieces doubled.

    ``refused`` counts by its kind (a status, or an error of the connection) what was no acknowledgment.
    """

    kills: int = 0
    acknowledged: set[str] = field(default_factory=set)
    sent_again: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    lost: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    damaged: str = ""

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {len(self.acknowledged)} pieces acknowledged, {self.sent_again} sent again, "
            f"{len(self.lost)} lost, {len(self.doubled)} doubled{self.damaged and ', ' + self.damaged}"
        )


def torture(kills: int, state: Path, url: str = "", seed: int = 1) -> Outcome:
    """Runs a server of two workers, ``kills`` times kills one, and counts."""
    outcome, over = Outcome(), threading.Event()
    chance = random.Random(seed)
    with served(state, url) as (address, arbiter):
        senders = [
            threading.Thread(target=_send, args=(address, f"sender-{number}", outcome, over))
            for number in range(SENDERS)
        ]
        for sender in senders:
            sender.start()
        try:
            while outcome.kills < kills:
                _wait_for_more(outcome, arbiter)
                time.sleep(chance.uniform(0, 0.1))
                worker = chance.choice(_workers(arbiter))
                os.kill(worker, signal.SIGKILL)
                outcome.kills += 1
        finally:
            over.set()
            for sender in senders:
                sender.join()
    with closing(open_store(url, state)) as store:
        there = Counter(item.card for item in kept(store, DayRange()))
        if store.address.file is not None:
            with store.reading() as connection:
                sound = connection.execute(text("PRAGMA integrity_check")).scalar()
                outcome.damaged = "" if sound == "ok" else f"the database is damaged: {sound}"
    outcome.lost = outcome.acknowledged - set(there)
    outcome.doubled = {card for card, times in there.items() if times > 1}
    return outcome


def _send(address: str, name: str, outcome: Outcome, over: threading.Event) -> None:
    number = 0
    with requests.Session() as session:
        while not over.is_set():
            number += 1
            card = f"{name}-{number}"
            body = {
                "feedback": [
                    {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-11-25T10:00:00.123456789Z"}
                ]
            }
            while refused := _refused(session, address, body):
                outcome.refused[refused] += 1
                outcome.sent_again += 1
                if over.wait(0.02):
                    return
            outcome.acknowledged.add(card)


def _refused(session: requests.Session, address: str, body: dict) -> str:
    """Why it was not acknowledged, or nothing where it was."""
    try:
        status = session.post(address + FEEDBACK, json=body, timeout=10).status_code
    except requests.RequestException as error:
        return type(error).__name__
    return "" if status == 200 else str(status)


def _wait_for_more(outcome: Outcome, arbiter: int) -> None:
    """Until more was acknowledged since the last kill: a worker that is not yet at work has nothing to lose."""
    before, until = len(outcome.acknowledged), time.monotonic() + SECONDS_FOR_A_WORKER
    while len(outcome.acknowledged) < before + SENDERS:
        if time.monotonic() > until:
            state = Path(f"/proc/{arbiter}/stat").read_text().rpartition(")")[2].split()[0]
            raise RuntimeError(
                f"No feedback is acknowledged any more; refused were {dict(outcome.refused)}, and the main process is "
                f"in the state {state} (Z: it has ended)."
            )
        time.sleep(0.002)


def _workers(arbiter: int) -> list[int]:
    until = time.monotonic() + SECONDS_FOR_A_WORKER
    while time.monotonic() < until:
        children = Path(f"/proc/{arbiter}/task/{arbiter}/children").read_text().split()
        if children:
            return [int(child) for child in children]
        time.sleep(0.01)
    raise RuntimeError("The server has no worker left.")


def served(
    state: Path, url: str, settings: Mapping[str, str] | None = None, run: Sequence[str] = ("-m", "cds_service")
) -> AbstractContextManager[Served]:
    """A service with two workers; ``run`` is what Python runs."""
    quiet = {
        "CDS_SERVICE_STATE": str(state),
        "CDS_SERVICE_STORE_URL": url,
        "CDS_SERVICE_LOG_LEVEL": "error",
        "CDS_SERVICE_FEEDBACK_LIMIT": "",
    }
    command = [sys.executable, *run]
    return serving.served("--workers", "2", command=command, settings=quiet | dict(settings or {}), log=state / "log")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--postgresql", action="store_true", help="a PostgreSQL of its own in place of SQLite")
    given = parser.parse_args()
    leave_out_what_others_set()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        if given.postgresql:
            with cluster() as started_cluster:
                outcome = torture(given.kills, Path(folder), started_cluster.database())
        else:
            outcome = torture(given.kills, Path(folder))
    print(f"{outcome} ({time.monotonic() - started:.0f} s)")
    sys.exit(1 if outcome.lost or outcome.doubled or outcome.damaged else 0)


if __name__ == "__main__":
    main()
