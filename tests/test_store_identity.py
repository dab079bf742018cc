"""A store that knows it is itself: the file removed, replaced, emptied or damaged under processes that have it open."""

import os
import shutil
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from cds_service.hooks.feedback import DayRange, FeedbackItem
from cds_service.store import migration, shown
from cds_service.store.address import address_of
from cds_service.store.database import SECONDS_BETWEEN_TRIES, Store, open_store
from cds_service.store.failures import StoreError
from cds_service.store.feedback import kept, save
from cds_service.store.replay import ReplayStore
from cds_service.store.shown import Shown
from tests.test_store import in_child
from tests.waiting import wait_for

RECEIVED = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
DAY = date(2026, 11, 25)
ANY = DayRange()


@pytest.fixture
def store(tmp_path):
    with closing(open_store(None, tmp_path)) as opened:
        yield opened


def send(store: Store, name: str) -> None:
    assert save(store, [FeedbackItem(name, "accepted", None)], "ehr", RECEIVED).new == 1


def is_taken(store: Store, name: str) -> bool:
    """Whether feedback was acknowledged; while another process opens the new file it may be refused, and sent again."""
    try:
        send(store, name)
    except StoreError:
        return False
    return True


def cards(folder: Path) -> set[str]:
    """What a program that starts now finds at the path."""
    with closing(open_store(None, folder)) as fresh:
        return {item.card for item in kept(fresh, ANY)}


def removed(folder: Path) -> None:
    (folder / "store.sqlite").unlink()


def removed_with_all_beside_it(folder: Path) -> None:
    for path in folder.glob("store.sqlite*"):
        path.unlink()


def moved_away(folder: Path) -> None:
    (folder / "store.sqlite").rename(folder / "elsewhere")


def folder_removed(folder: Path) -> None:
    shutil.rmtree(folder)


def replaced_by_an_empty_file(folder: Path) -> None:
    (folder / "new").touch()
    (folder / "new").replace(folder / "store.sqlite")


def emptied(folder: Path) -> None:
    os.truncate(folder / "store.sqlite", 0)


def replaced_by_a_backup(folder: Path) -> None:
    with closing(open_store(None, folder / "made")) as made:
        send(made, "of the backup")
    (folder / "made" / "store.sqlite").replace(folder / "store.sqlite")


WAYS = [
    *(removed, removed_with_all_beside_it, moved_away, folder_removed),
    *(replaced_by_an_empty_file, emptied, replaced_by_a_backup),
]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_acknowledged_after_the_file_went_is_in_the_file_at_its_path(store, tmp_path, way):
    send(store, "before")
    way(tmp_path)
    for number in range(20):
        send(store, f"after-{number}")
    store.ping()
    assert store.reopened == 1
    store.close()
    found = cards(tmp_path)
    assert {f"after-{number}" for number in range(20)} <= found
    assert ("of the backup" in found) is (way is replaced_by_a_backup)
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("way", WAYS)
def test_several_processes_agree_on_the_new_file(store, tmp_path, way):
    """Each has the old file open, with what SQLite keeps beside it under names that the new file takes too."""
    begin, go_on = [os.pipe() for _ in range(3)], [os.pipe() for _ in range(3)]

    def work(number: int) -> bool:
        send(store, f"before-{number}")
        os.write(begin[number][1], b"x")
        os.read(go_on[number][0], 1)
        for turn in range(20):
            wait_for(lambda turn=turn: is_taken(store, f"after-{number}-{turn}"), "feedback is taken again")
        # The new file may have the number of the old one, and is the right one then without being opened again.
        return True

    pids = [in_child(lambda number=number: work(number)) for number in range(3)]
    for read, _ in begin:
        os.read(read, 1)
    way(tmp_path)
    for _, write in go_on:
        os.write(write, b"x")
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0, 0]
    assert {f"after-{number}-{turn}" for number in range(3) for turn in range(20)} <= cards(tmp_path)
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for pipe in (*begin, *go_on):
        for end in pipe:
            os.close(end)


def test_feedback_whose_file_goes_while_it_is_written_is_not_acknowledged(store, tmp_path):
    def write() -> None:
        with store.writing() as connection:
            connection.execute(text("INSERT INTO pulse VALUES ('x', 'y')"))
            removed(tmp_path)

    with pytest.raises(StoreError, match="was removed or replaced while it was written"):
        write()
    send(store, "sent again")
    assert cards(tmp_path) == {"sent again"}


def test_tokens_and_cards_are_written_to_the_file_at_its_path(store, tmp_path):
    replay = ReplayStore(store)
    assert replay.remember("i", "j", RECEIVED)
    removed(tmp_path)
    assert replay.remember("i", "j", RECEIVED)
    shown.record(store, [Shown(card="c", client="ehr", policy="p", edition="1", outcome="met", service="s", day=DAY)])
    with closing(open_store(None, tmp_path)) as other:
        assert ReplayStore(other).remember("i", "j", RECEIVED) is False
        assert [row.cards for row in shown.counts(other, ANY)] == [1]


def test_many_threads_open_it_once_and_lose_nothing(store, tmp_path):
    for number in range(8):
        send(store, f"before-{number}")
    acknowledged: list[str] = []

    def work(name: int) -> None:
        for number in range(15):
            try:
                send(store, f"{name}-{number}")
                acknowledged.append(f"{name}-{number}")
            except StoreError:
                pass

    removed(tmp_path)
    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.reopened == 1
    assert len(acknowledged) > 60
    assert set(acknowledged) <= cards(tmp_path)


def test_what_stood_beside_the_earlier_file_is_kept_under_another_name(store, tmp_path):
    send(store, "before")
    removed(tmp_path)
    send(store, "after")
    kinds = {path.name.rpartition("-")[2] for path in tmp_path.glob("store.sqlite.replaced-*")}
    assert kinds == {"wal", "shm"}


def test_a_folder_that_was_copied_whole_keeps_what_stands_beside_the_file(store, tmp_path):
    """After a crash the file beside it holds what was acknowledged; nobody had it open under another identity."""
    send(store, "in the file beside it")
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in tmp_path.glob("store.sqlite*"):
        shutil.copy2(path, copy / path.name)
    assert (copy / "store.sqlite-wal").stat().st_size > 0
    assert cards(copy) == {"in the file beside it"}


def test_tables_that_are_gone_are_made_again_by_the_next_check(store, tmp_path):
    """As in a PostgreSQL that was set up again under the same name."""
    store.ping()
    with store.writing() as connection:
        migration.migrate(connection, "base")
    with pytest.raises(StoreError):
        send(store, "lost")
    store.ping()
    send(store, "kept")
    assert cards(tmp_path) == {"kept"}
    assert store.reopened == 1


def test_a_file_that_vacuum_made_smaller_is_the_same_store(store, tmp_path):
    for number in range(200):
        send(store, f"{number}" + "x" * 180)
    store.close()
    store.ping()
    with closing(sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)) as other:
        other.execute("DELETE FROM feedback")
        other.execute("VACUUM")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    send(store, "after")
    assert store.reopened == 0
    assert cards(tmp_path) == {"after"}


def test_a_file_that_was_cut_off_takes_no_feedback(store, tmp_path):
    for number in range(300):
        send(store, f"{number}" + "x" * 180)
    store.close()
    store._is_open = False
    send(store, "last")
    store.close()
    os.truncate(tmp_path / "store.sqlite", 3 * 4096)
    with pytest.raises(StoreError, match="damaged"):
        send(store, "after")


def test_damaged_pages_are_found(store, tmp_path):
    for number in range(300):
        send(store, f"{number}" + "x" * 180)
    assert store.is_damaged() is False
    store.close()
    with (tmp_path / "store.sqlite").open("r+b") as file:
        file.seek(30 * 4096)
        file.write(os.urandom(4096))
    assert store.is_damaged() is True


def test_a_store_that_cannot_be_opened_is_refused_at_once_and_tried_again(tmp_path):
    now = [0.0]
    (tmp_path / "state").touch()
    store = Store(address_of(None, tmp_path / "state"), lambda: now[0])
    with pytest.raises(StoreError, match="File exists"):
        store.open()
    (tmp_path / "state").unlink()
    with pytest.raises(StoreError, match="File exists"):
        send(store, "too soon")
    now[0] += SECONDS_BETWEEN_TRIES
    send(store, "in time")
    assert store.reopened == 0
    store.close()
    assert cards(tmp_path / "state") == {"in time"}
