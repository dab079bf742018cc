"""Threads beside the calls go on after any exception, are reported in the log, and are found where they do not."""

import subprocess
import sys
import threading
from datetime import date

import pytest

from cds_service.operations.background import Background
from cds_service.store import ledger as ledgers
from cds_service.store.ledger import Ledger
from cds_service.store.shown import Shown

SECONDS = 20
DAY = date(2026, 11, 25)


class Turns:
    """A piece of work that fails its first ``failing`` turns."""

    def __init__(self, failing: int, wanted: int) -> None:
        self.taken, self.told, self.enough = 0, [], threading.Event()
        self._failing, self._wanted = failing, wanted

    def __call__(self) -> float:
        self.taken += 1
        if self.taken >= self._wanted:
            self.enough.set()
        if self.taken <= self._failing:
            raise MemoryError
        return 0.0

    def tell(self, error: Exception) -> None:
        self.told.append(error)
        raise OSError("a full disk")


def test_a_turn_that_fails_is_reported_and_the_next_is_taken_even_where_telling_fails():
    turns = Turns(failing=3, wanted=5)
    thread = Background("t", turns, turns.tell, SECONDS, 0.0)
    thread.start()
    assert turns.enough.wait(SECONDS)
    assert thread.problem() == ""
    thread.close(SECONDS)
    assert [type(error) for error in turns.told] == [MemoryError] * 3


def test_one_that_waits_to_be_woken_takes_a_failed_turn_again_by_itself():
    turns = Turns(failing=2, wanted=3)
    thread = Background("t", turns, turns.tell, SECONDS, 0.0, only_when_woken=True)
    thread.start()
    thread.wake()
    assert turns.enough.wait(SECONDS)
    thread.close(SECONDS)
    assert turns.taken == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_one_that_ended_or_is_stuck_is_found():
    now, over, begun = [0.0], threading.Event(), threading.Event()

    def turn() -> float:
        begun.set()
        over.wait(SECONDS)
        raise SystemExit

    thread = Background("t", turn, lambda error: None, 10.0, 0.0, monotonic=lambda: now[0])
    assert thread.problem() == ""
    thread.start()
    assert begun.wait(SECONDS)
    assert thread.problem() == ""
    now[0] = 11.0
    assert thread.problem() == "the thread t has been at one turn for 11 s"
    over.set()
    thread._thread.join(SECONDS)
    assert thread.problem() == "the thread t has ended"
    over.clear()
    begun.clear()
    thread.start()
    assert begun.wait(SECONDS)
    assert thread.problem() == ""
    over.set()
    thread.close(SECONDS)


@pytest.mark.parametrize("error", [MemoryError, ZeroDivisionError, OSError, KeyError])
def test_the_ledger_writes_what_it_noted_after_any_error(store, monkeypatch, error):
    """It died for good on any error but the store's own."""
    monkeypatch.setattr(ledgers, "SECONDS", 0.01)
    monkeypatch.setattr(ledgers, "SECONDS_AFTER_A_FAILURE", 0.01)
    failures, written = [], threading.Event()
    record = ledgers.activity.record

    def fails_twice(*given) -> None:
        if len(failures) < 2:
            raise error
        record(*given)
        written.set()

    monkeypatch.setattr(ledgers.activity, "record", fails_twice)
    ledger = Ledger(store, lambda told, forgotten: failures.append(type(told)))
    ledger.note(
        [Shown(card="c", client="ehr", policy="p", edition="1", outcome="met", service="s", day=DAY)], DAY, ["p"], ["p"]
    )
    assert written.wait(SECONDS)
    ledger.close()
    assert failures == [error, error]
    assert ledgers.activity.silence(store, DAY)["p"].last_card == DAY


def test_the_bound_of_the_ledger_holds_while_it_writes_and_while_it_does_not(store, monkeypatch):
    monkeypatch.setattr(ledgers, "MOST_CARDS", 10)
    monkeypatch.setattr(ledgers, "MOST_COUNTS", 10)
    ledger = Ledger(store, lambda error, forgotten: None)
    monkeypatch.setattr(ledger.thread, "start", lambda: None)

    def note(name: str) -> None:
        for number in range(30):
            card = Shown(
                card=f"{name}-{number}", client="ehr", policy="p", edition="1", outcome="met", service="s", day=DAY
            )
            ledger.note([card], DAY, [f"{name}-{number}"], ["p"])
            assert len(ledger._cards) + ledger._in_hand <= 10
            assert len(ledger._activity) <= 10

    def meanwhile(*_) -> None:
        note("while it writes")
        raise ZeroDivisionError

    note("before")
    monkeypatch.setattr(ledgers.shown, "record", meanwhile)
    with pytest.raises(ZeroDivisionError):
        ledger.flush()
    assert len(ledger._cards) == 10
    assert ledger._forgotten == 50


THROWS = """
import threading
from cds_service.operations import logs
from cds_service.operations.names import Names
logs.configure("json", "info", Names())
def fails():
    raise ValueError("Canary words of a patient")
thread = threading.Thread(target=fails)
thread.start()
thread.join()
class Fails:
    def __del__(self):
        raise ValueError("Canary words of a patient")
Fails()
"""


def test_the_words_of_an_error_in_a_thread_do_not_reach_the_log():
    run = subprocess.run([sys.executable, "-c", THROWS], capture_output=True, text=True, check=True, timeout=60)
    assert "Canary" not in run.stderr + run.stdout
    assert "Traceback" not in run.stderr
    assert run.stderr.count('"event":"background-failed"') == 2
    assert run.stderr.count('"error":"ValueError"') == 2
