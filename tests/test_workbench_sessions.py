"""Sessions of the workbench in the store: closed, changed one after the other, bounded in number, gone in time."""

import threading

import pytest
from sqlalchemy import func, select

from cds_service.store import workbench_sessions
from cds_service.store.tables import WORKBENCH_SESSIONS
from cds_service.store.workbench_sessions import IDLE_SECONDS, WorkbenchSessions
from tests.smart_client import Clock

KEY = b"k" * 32


def rows(store) -> int:
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(WORKBENCH_SESSIONS)).scalar_one())


def test_a_session_holds_what_was_put_into_it(store):
    sessions = WorkbenchSessions(store, KEY)
    name, other = sessions.begin(b"one"), sessions.begin(b"another")
    assert sessions.read(name) == b"one"
    assert sessions.change(name, lambda held: (held + b" and two", len(held))) == 3
    assert sessions.change(name, lambda held: (None, held)) == b"one and two"
    assert sessions.read(name) == b"one and two"
    assert sessions.read(other) == b"another"


@pytest.mark.parametrize("name", ["", "x", "A" * 22, "A" * 23, "é" * 22, "../../../../../etc/pas"])
def test_a_name_of_no_session_opens_nothing(store, name):
    sessions = WorkbenchSessions(store, KEY)
    sessions.begin(b"one")
    assert sessions.read(name) is None
    assert sessions.change(name, lambda held: (held, 1)) is None


def test_a_change_that_fails_leaves_the_session_as_it_was(store):
    sessions = WorkbenchSessions(store, KEY)
    name = sessions.begin(b"one")

    def fails(held: bytes) -> tuple[bytes, None]:
        raise ValueError("not now")

    with pytest.raises(ValueError, match="not now"):
        sessions.change(name, fails)
    assert sessions.read(name) == b"one"


def test_of_two_changes_at_a_time_the_second_sees_the_first(store):
    sessions = WorkbenchSessions(store, KEY)
    name = sessions.begin(b"")
    threads = [
        threading.Thread(target=sessions.change, args=(name, lambda held: (held + b"x", None))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sessions.read(name) == b"x" * 8


def test_a_start_of_the_service_opens_its_own_sessions_alone(store):
    name = WorkbenchSessions(store, KEY).begin(b"one")
    assert WorkbenchSessions(store, b"K" * 32).read(name) is None
    assert WorkbenchSessions(store, KEY).read(name) == b"one"


def test_a_session_ends_when_it_was_idle_for_long_and_a_change_keeps_it(store):
    clock = Clock()
    sessions = WorkbenchSessions(store, KEY, clock)
    kept, idle = sessions.begin(b"kept"), sessions.begin(b"idle")
    clock.pass_(IDLE_SECONDS - 1)
    sessions.change(kept, lambda held: (held, None))
    clock.pass_(1)
    assert sessions.read(idle) is None
    assert sessions.read(kept) == b"kept"
    assert rows(store) == 2
    sessions.begin(b"new")
    assert rows(store) == 2


def test_of_too_many_sessions_the_longest_idle_goes(store, monkeypatch):
    monkeypatch.setattr(workbench_sessions, "MOST_SESSIONS", 3)
    clock = Clock()
    sessions = WorkbenchSessions(store, KEY, clock)
    assert sessions.shared(lambda: b"shared") == b"shared"
    names = []
    for number in range(4):
        clock.pass_(1)
        names.append(sessions.begin(str(number).encode()))
    assert [sessions.read(name) for name in names] == [None, b"1", b"2", b"3"]
    assert sessions.shared(lambda: b"another") == b"shared"


def test_what_is_shared_is_made_once_for_all_workers_of_a_start(store):
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return str(len(made)).encode()

    assert WorkbenchSessions(store, KEY).shared(make) == b"1"
    assert WorkbenchSessions(store, KEY).shared(make) == b"1"
    assert WorkbenchSessions(store, b"K" * 32).shared(make) == b"2"
