"""Threads beside the calls go on after any exception, are reported in the log, and are found where they do not."""

import ast
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import date

import pytest

from cds_service.installation import installation_of
from cds_service.operations.background import Background
from cds_service.settings.settings import Settings
from cds_service.store import ledger as ledgers
from cds_service.store.failures import StoreError
from cds_service.store.ledger import Ledger
from cds_service.store.shown import Shown
from tests.serving import ROOT
from tests.shipped import library

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
    assert len(ledger._cards) == len(ledger._activity) == 10
    assert ledger._forgotten == 50


@pytest.mark.parametrize(
    ("error", "event"), [(StoreError("locked"), "store-failed"), (ZeroDivisionError(), "background-failed")]
)
def test_what_the_ledger_of_an_installation_cannot_write_is_in_the_log_and_counted(
    tmp_path, monkeypatch, capsys, error, event
):
    failed = threading.Event()

    def fails(*given) -> None:
        failed.set()
        raise error

    monkeypatch.setattr(ledgers.activity, "record", fails)
    installation = installation_of(Settings(state=tmp_path), library(), only_this_machine=True)
    with closing(installation):
        installation.ledger.note([], DAY, ["p"], [])
        assert failed.wait(SECONDS)
    told = capsys.readouterr().err
    assert f"error   {event} count=0 error=" in told
    numbers = installation.metrics.exposition()[0].decode()
    assert float(re.findall(r"^cds_service_store_failures_total (.+)$", numbers, re.MULTILINE)[0]) >= 1


def calls_of(tree: ast.Module) -> Iterator[str]:
    """The last name of each function that is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).rpartition(".")[2]


def test_there_is_no_thread_beside_the_calls_that_nobody_watches():
    """Each is a Background, and what it fails to do is found: the ledger's by a check, the check's by its silence."""
    package = ROOT / "cds_service"
    starts: dict[str, set[str]] = {"Thread": set(), "Timer": set(), "start_new_thread": set(), "Background": set()}
    for path in package.rglob("*.py"):
        for name in starts.keys() & calls_of(ast.parse(path.read_text(encoding="utf-8"))):
            starts[name].add(path.relative_to(package).as_posix())
    assert starts == {
        "Thread": {"operations/background.py"},
        "Timer": set(),
        "start_new_thread": set(),
        "Background": {"store/ledger.py", "self_check/watch.py"},
    }


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
