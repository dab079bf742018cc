"""The store: each test runs on SQLite and on PostgreSQL, unless it is about one of them."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, text

from cds_service.hooks.feedback import CardsShown, DayRange, FeedbackItem, Reason
from cds_service.store import activity, migration, shown
from cds_service.store.activity import Activity, Silence
from cds_service.store.address import address_of
from cds_service.store.database import Store, open_store
from cds_service.store.failures import StoreError
from cds_service.store.feedback import Saved, kept, save
from cds_service.store.replay import GRACE_SECONDS, PRUNE_SECONDS, PRUNED_AT_ONCE, ReplayStore
from cds_service.store.shown import Shown
from cds_service.store.tables import METADATA

AT = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
RECEIVED = AT + timedelta(minutes=5)
DAY = AT.date()
CARD = "4e0a3a1e-3283-4575-ab82-028d55fe2719"
SUGGESTION = "e56e1945-20b3-4393-8503-a1a20fd73152"
ANY = DayRange()


def overridden(card: str = CARD, happened_at: datetime | None = AT, **more) -> FeedbackItem:
    return FeedbackItem(card, "overridden", happened_at, **more)


def number_of(store: Store, table: str) -> int:
    with store.reading() as connection:
        return connection.execute(text(f"SELECT count(*) FROM {table}")).scalar()


# --- feedback ---


def test_feedback_is_kept_whole(store):
    item = FeedbackItem(CARD, "accepted", AT, ("s-2", "s-1"), Reason("c", "s", "d"), "words – ünïcode ✓")
    assert save(store, [item], "ehr", RECEIVED) == Saved(new=1, repeated=0, unknown=1)
    (row,) = kept(store, ANY)
    assert (row.client, row.card, row.outcome, row.happened_at) == ("ehr", CARD, "accepted", AT)
    assert (row.other_suggestions, row.reason, row.comment) == (
        ("s-1", "s-2"),
        Reason("c", "s", "d"),
        "words – ünïcode ✓",
    )
    assert (row.policy, row.edition, row.card_outcome, row.service) == (None, None, None, None)


def test_a_repeat_is_counted_and_not_kept_twice(store):
    item = FeedbackItem(CARD, "accepted", AT, (SUGGESTION,))
    assert save(store, [item], "ehr", RECEIVED) == Saved(1, 0, 1)
    assert save(store, [item], "ehr", RECEIVED + timedelta(days=1)) == Saved(0, 1, 1)
    assert save(store, [item, item], "ehr", RECEIVED) == Saved(0, 2, 2)
    (row,) = kept(store, ANY)
    assert row.other_suggestions == (SUGGESTION,)


def test_an_item_twice_in_one_batch_is_one(store):
    assert save(store, [overridden(), overridden()], "ehr", RECEIVED) == Saved(1, 1, 2)
    assert len(kept(store, ANY)) == 1


@pytest.mark.parametrize(
    ("client", "item"),
    [
        ("another", overridden()),
        ("ehr", overridden("another")),
        ("ehr", FeedbackItem(CARD, "accepted", AT)),
        ("ehr", overridden(happened_at=AT + timedelta(microseconds=1))),
        ("ehr", overridden(happened_at=None)),
    ],
    ids=["client", "card", "outcome", "timestamp", "no timestamp"],
)
def test_feedback_is_keyed_by_client_card_outcome_and_timestamp(store, client, item):
    save(store, [overridden()], "ehr", RECEIVED)
    assert save(store, [item], client, RECEIVED).new == 1
    assert len(kept(store, ANY)) == 2


def test_the_same_instant_in_another_zone_is_the_same_feedback(store):
    save(store, [overridden()], "ehr", RECEIVED)
    zoned = datetime.fromisoformat("2026-11-25T11:30:00+01:00")
    assert save(store, [overridden(happened_at=zoned)], "ehr", RECEIVED).repeated == 1


def test_feedback_without_a_timestamp_is_one_however_often_it_comes_and_has_the_time_of_its_first_reception(store):
    assert save(store, [overridden(happened_at=None)], "ehr", RECEIVED).new == 1
    assert save(store, [overridden(happened_at=None)], "ehr", RECEIVED + timedelta(hours=1)).repeated == 1
    (row,) = kept(store, ANY)
    assert row.happened_at == RECEIVED


def test_a_repeat_adds_what_it_knows_and_empties_nothing(store):
    first = FeedbackItem(CARD, "accepted", AT, ("s-1",), Reason("c", "s", "d"), "words")
    save(store, [first], "ehr", RECEIVED)
    save(store, [FeedbackItem(CARD, "accepted", AT, ("s-2",))], "ehr", RECEIVED)
    (row,) = kept(store, ANY)
    assert (row.other_suggestions, row.reason, row.comment) == (("s-1", "s-2"), Reason("c", "s", "d"), "words")
    save(store, [FeedbackItem(CARD, "accepted", AT, (), Reason("e"), "other words")], "ehr", RECEIVED)
    (row,) = kept(store, ANY)
    assert (row.other_suggestions, row.reason, row.comment) == (("s-1", "s-2"), Reason("e"), "other words")


def test_the_largest_batch_is_kept(store):
    items = [FeedbackItem(f"c-{number}", "accepted", AT, ("a", "b")) for number in range(1000)]
    assert save(store, items, "ehr", RECEIVED) == Saved(1000, 0, 1000)
    assert save(store, [*items[500:], overridden()], "ehr", RECEIVED) == Saved(1, 500, 501)
    assert len(kept(store, ANY)) == 1001
    assert number_of(store, "accepted_suggestions") == 2000


def test_nothing_to_keep_is_nothing_kept(store):
    assert save(store, [], "ehr", RECEIVED) == Saved(0, 0, 0)


def test_a_batch_is_kept_whole_or_not_at_all(store):
    with pytest.raises(StoreError):
        save(store, [overridden("a"), overridden("b", comment={1}), overridden("c")], "ehr", RECEIVED)
    assert kept(store, ANY) == []


def test_feedback_is_found_by_its_days(store):
    days = [DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)]
    instants = [datetime(day.year, day.month, day.day, hour, tzinfo=UTC) for day in days for hour in (0, 23)]
    save(store, [overridden(happened_at=instant) for instant in instants], "ehr", RECEIVED)
    found = [row.happened_at for row in kept(store, DayRange(DAY, DAY))]
    assert found == instants[2:4]
    assert [row.happened_at for row in kept(store, DayRange(since=DAY))] == instants[2:]
    assert [row.happened_at for row in kept(store, DayRange(until=DAY))] == instants[:4]
    assert len(kept(store, DayRange(until=date.max))) == len(kept(store, ANY)) == 6


def test_batches_of_many_threads_in_any_order_are_all_kept(store):
    cards = [f"c-{number}" for number in range(40)]
    failed: list[BaseException] = []

    def send(turn: int) -> None:
        try:
            for start in range(5):
                turned = cards[start + turn :] + cards[: start + turn]
                save(store, [FeedbackItem(card, "accepted", AT, (f"s-{turn}",)) for card in turned], "ehr", RECEIVED)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=send, args=(turn,)) for turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    rows = kept(store, ANY)
    assert sorted(row.card for row in rows) == sorted(cards)
    assert all(len(row.other_suggestions) == 8 for row in rows)


# --- cards shown ---

SHOWN = Shown(
    card=CARD,
    client="ehr",
    policy="policy-1",
    edition="2023",
    outcome="unknown",
    service="service-1",
    day=DAY,
    suggestions=((SUGGESTION, "Add a code"),),
)


def test_feedback_is_reported_with_what_its_card_was_about(store):
    shown.record(store, [SHOWN])
    item = FeedbackItem(CARD, "accepted", AT, (SUGGESTION, "not-ours"))
    assert save(store, [item], "ehr", RECEIVED) == Saved(1, 0, unknown=0)
    (row,) = kept(store, ANY)
    assert (row.policy, row.edition, row.card_outcome, row.service) == ("policy-1", "2023", "unknown", "service-1")
    assert (row.suggestions, row.other_suggestions) == (("Add a code",), ("not-ours",))


def test_feedback_of_another_client_on_a_card_has_no_statement(store):
    shown.record(store, [SHOWN])
    assert save(store, [overridden()], "another", RECEIVED).unknown == 1
    (row,) = kept(store, ANY)
    assert row.policy is None


def test_a_card_shown_again_counts_once_and_on_its_first_day(store):
    again = replace(SHOWN, outcome="met", service="service-2", day=DAY + timedelta(days=1), suggestions=())
    shown.record(store, [SHOWN])
    shown.record(store, [again])
    assert shown.counts(store, ANY) == [CardsShown("policy-1", "unknown", 1)]
    assert shown.counts(store, DayRange(since=DAY + timedelta(days=1))) == []
    assert shown.counts(store, DayRange(DAY, DAY)) == shown.counts(store, ANY)
    assert shown.counts(store, DayRange(until=DAY - timedelta(days=1))) == []


def test_no_card_is_no_row(store):
    shown.record(store, [])
    assert shown.counts(store, ANY) == []


def test_several_cards_of_one_answer_are_counted_by_statement_and_outcome(store):
    rows = [
        replace(SHOWN, card=f"card-{number}", policy=f"p-{number % 2}", outcome="met", suggestions=())
        for number in range(5)
    ]
    shown.record(store, rows)
    assert shown.counts(store, ANY) == [CardsShown("p-0", "met", 3), CardsShown("p-1", "met", 2)]


def test_old_cards_are_forgotten_and_those_with_feedback_are_not(store):
    answered = replace(SHOWN, card="answered", day=DAY - timedelta(days=400), suggestions=())
    edge = replace(SHOWN, card="edge", day=DAY - timedelta(days=365), suggestions=())
    old = replace(SHOWN, card="old", day=DAY - timedelta(days=366))
    shown.record(store, [answered, edge, old])
    save(store, [overridden("answered")], "ehr", RECEIVED)
    assert [*shown.remove_old(store, DAY - timedelta(days=365))] == [1]
    assert shown.counts(store, ANY) == [CardsShown("policy-1", "unknown", 2)]
    assert kept(store, ANY)[0].policy == "policy-1"
    assert number_of(store, "suggestions_shown") == 0


# --- tokens seen ---


class Clock:
    def __init__(self) -> None:
        self.now = AT.timestamp()

    def __call__(self) -> float:
        return self.now


def test_a_token_counts_once(store):
    replay = ReplayStore(store, Clock())
    assert replay.remember("https://ehr.example", "jti-1", AT) is True
    assert replay.remember("https://ehr.example", "jti-1", AT) is False
    assert replay.remember("https://ehr.example", "jti-2", AT) is True
    assert replay.remember("https://other.example", "jti-1", AT) is True
    assert ReplayStore(store, Clock()).remember("https://other.example", "jti-1", AT) is False


def test_issuer_and_jti_cannot_run_into_each_other(store):
    replay = ReplayStore(store, Clock())
    assert replay.remember("https://ehr.example", "1jti", AT)
    assert replay.remember("https://ehr.example1", "jti", AT)


def test_a_token_is_kept_as_a_hash_alone(store):
    ReplayStore(store, Clock()).remember("https://canary-issuer.example", "canary-jti", AT)
    with store.reading() as connection:
        (row,) = connection.execute(text("SELECT key, expires FROM tokens_seen")).all()
    assert len(bytes(row.key)) == 32
    assert b"canary" not in bytes(row.key)


def test_a_token_is_forgotten_only_when_every_clock_refuses_it(store):
    clock = Clock()
    replay = ReplayStore(store, clock)
    assert replay.remember("i", "j", AT)
    clock.now += GRACE_SECONDS
    replay.prune()
    assert replay.remember("i", "j", AT) is False
    clock.now += 2
    assert replay.prune() == 1
    assert replay.remember("i", "j", AT) is True


def test_expired_tokens_are_forgotten_by_and_by(store):
    clock = Clock()
    replay = ReplayStore(store, clock)
    expired = PRUNED_AT_ONCE + 50
    for number in range(expired):
        replay.remember("i", str(number), AT)
    clock.now += GRACE_SECONDS + PRUNE_SECONDS + 10
    later = AT + timedelta(days=1)
    replay.remember("i", "first call", later)
    assert number_of(store, "tokens_seen") == expired + 1 - PRUNED_AT_ONCE
    replay.remember("i", "second call", later)
    assert number_of(store, "tokens_seen") == 2


def test_between_two_cleanings_no_call_cleans(store, monkeypatch):
    clock = Clock()
    replay = ReplayStore(store, clock)
    cleaned: list[float] = []
    monkeypatch.setattr(ReplayStore, "prune", lambda _: cleaned.append(clock.now) or 0)
    for _ in range(5):
        replay.remember("i", os.urandom(8).hex(), AT)
        clock.now += PRUNE_SECONDS / 2
    assert cleaned == [AT.timestamp() + PRUNE_SECONDS * turn for turn in range(3)]


def test_a_token_is_judged_even_if_cleaning_up_fails(store, monkeypatch):
    def broken(_):
        raise StoreError("broken")

    monkeypatch.setattr(ReplayStore, "prune", broken)
    assert ReplayStore(store, Clock()).remember("i", "j", AT) is True


def in_child(work) -> int:
    """Runs ``work`` in a forked child, as a worker of gunicorn is; its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        code = 0 if work() else 2
    finally:
        os._exit(code)


def test_of_several_processes_exactly_one_has_a_token_first(store):
    """A.7: a jti is unseen once, across workers; the store was used before the fork, as with preload."""
    ReplayStore(store, Clock()).remember("i", "before the fork", AT)
    rounds = 20
    for number in range(rounds):
        pids = [
            in_child(lambda number=number: ReplayStore(store, Clock()).remember("i", f"{number}", AT)) for _ in range(4)
        ]
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        assert sorted(codes) == [0, 2, 2, 2]
    assert number_of(store, "tokens_seen") == rounds + 1


def test_of_several_threads_exactly_one_has_a_token_first(store):
    replay = ReplayStore(store, Clock())
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(replay.remember("i", "j", AT))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False] * 7 + [True]


# --- activity ---


def test_activity_adds_up_by_statement_and_day(store):
    activity.record(store, [Activity(DAY, "p", 1, 1)])
    activity.record(store, [Activity(DAY, "p", 2, 1)])
    with store.reading() as connection:
        rows = connection.execute(text("SELECT policy, day, orders, cards FROM activity")).all()
    assert [tuple(row) for row in rows] == [("p", DAY.isoformat(), 3, 2)]


def test_silence_is_reported_by_statement(store):
    def ago(days: int) -> date:
        return DAY - timedelta(days=days)

    for policy, days, orders, cards in [
        ("speaks", 3, 1, 0),
        ("speaks", 1, 2, 1),
        ("fell-silent", 9, 1, 1),
        ("fell-silent", 5, 1, 0),
        ("fell-silent", 2, 4, 0),
        ("never-spoke", 4, 1, 0),
        ("patient-view", 2, 0, 1),
        ("speaks", -1, 1, 0),
    ]:
        activity.record(store, [Activity(ago(days), policy, orders, cards)])
    assert activity.silence(store, DAY) == {
        "speaks": Silence(ago(1), ago(1), 0),
        "fell-silent": Silence(ago(2), ago(9), 2),
        "never-spoke": Silence(ago(4), None, 1),
        "patient-view": Silence(None, ago(2), 0),
    }


def test_activity_of_many_threads_is_lost_in_none(store):
    def work() -> None:
        for _ in range(25):
            activity.record(store, [Activity(DAY, "p", 1, 1)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.reading() as connection:
        assert connection.execute(text("SELECT orders, cards FROM activity")).one() == (200, 200)


# --- readiness, errors ---


def test_a_store_that_can_be_written_answers_the_ping(store):
    store.ping()
    store.ping()
    assert number_of(store, "pulse") == 1


def test_an_error_repeats_nothing_of_what_was_to_be_kept(store):
    with pytest.raises(StoreError) as caught:
        save(store, [overridden("Canary card", comment={"Canary words"})], "ehr", RECEIVED)
    error = caught.value
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert "Canary" not in str(error)


def test_an_error_that_is_not_the_stores_stays_what_it_is(store):
    with pytest.raises(ZeroDivisionError), store.writing():
        raise ZeroDivisionError


def test_what_fails_in_a_quick_write_is_undone_and_the_store_works_on(store):
    broken = replace(SHOWN, card="card-2", suggestions=((None, "label"),))
    with pytest.raises(StoreError):
        shown.record(store, [SHOWN, broken])
    assert shown.counts(store, ANY) == []
    shown.record(store, [SHOWN])
    assert shown.counts(store, ANY) == [CardsShown("policy-1", "unknown", 1)]


# --- migrations ---


def test_a_store_is_made_at_the_newest_version(store):
    assert store.version() == migration.NEWEST


def test_the_list_of_versions_is_that_of_the_scripts():
    config = Config()
    config.set_main_option("script_location", str(migration.SCRIPTS))
    script = ScriptDirectory.from_config(config)
    assert tuple(item.revision for item in reversed(list(script.walk_revisions()))) == migration.REVISIONS
    assert script.get_heads() == [migration.NEWEST]


def test_the_tables_are_as_migrated(store):
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []


def test_the_comparison_would_find_a_difference(store):
    with store.writing() as connection:
        connection.execute(text("ALTER TABLE activity ADD COLUMN more INTEGER"))
    with store.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) != []


def test_the_schema_can_be_taken_back_and_made_again(store):
    with store.writing() as connection:
        migration.migrate(connection, "base")
    with store.reading() as connection:
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}
    with store.writing() as connection:
        migration.migrate(connection, migration.NEWEST)
    assert save(store, [overridden()], "ehr", RECEIVED).new == 1
    assert store.version() == migration.NEWEST


def test_what_is_kept_is_there_after_opening_again(store, store_url, tmp_path):
    save(store, [overridden()], "ehr", RECEIVED)
    with closing(open_store(store_url, tmp_path)) as again:
        assert len(kept(again, ANY)) == 1


def test_a_store_of_a_newer_version_is_refused_in_words(store, store_url, tmp_path):
    with store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"has version 9999, .* up to 0005: a newer program wrote it") as caught:
        open_store(store_url, tmp_path)
    assert "password" not in str(caught.value)
    assert store.version() == "9999"


def test_a_migration_that_fails_changes_nothing(store_url, tmp_path, monkeypatch):
    migrate = migration.migrate

    def half(connection, revision):
        migrate(connection, revision)
        raise sqlite3.OperationalError("the process dies here") if store_url is None else KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(migration, "migrate", half)
        with pytest.raises((StoreError, KeyboardInterrupt)):
            open_store(store_url, tmp_path)
    with closing(Store(address_of(store_url, tmp_path))) as store, store._engines.durable.connect() as connection:
        assert inspect(connection).get_table_names() == []


OPENS = """
import sys
from pathlib import Path
from cds_service.store.database import open_store
sys.stdin.readline()
store = open_store(sys.argv[1] or None, Path(sys.argv[2]))
store.ping()
print(store.version())
store.close()
"""


def test_processes_that_start_at_once_migrate_once(store_url, tmp_path):
    command = [sys.executable, "-W", "error", "-c", OPENS, store_url or "", str(tmp_path / "new")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    told = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    assert told == [(f"{migration.NEWEST}\n", "", 0)] * 4


# --- SQLite ---


@pytest.fixture
def sqlite_store(tmp_path):
    with closing(open_store(None, tmp_path)) as opened:
        yield opened


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folder_and_files_are_their_owners_alone(tmp_path):
    with closing(open_store(None, tmp_path / "deep" / "state")) as store:
        save(store, [overridden()], "ehr", RECEIVED)
        files = sorted((tmp_path / "deep" / "state").iterdir())
        assert {file.suffix for file in files} == {".sqlite", ".sqlite-wal", ".sqlite-shm", ".lock"}
        assert mode(tmp_path / "deep" / "state") == 0o700
        assert {mode(file) for file in files} == {0o600}


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path):
    (tmp_path / "store.sqlite").touch(mode=0o644)
    open_store(None, tmp_path).close()
    assert mode(tmp_path / "store.sqlite") == 0o600


def test_feedback_waits_for_the_disk_and_tokens_do_not(sqlite_store):
    engines = sqlite_store._engines
    with closing(engines.durable.raw_connection()) as durable, closing(engines.quick.raw_connection()) as quick:
        for connection, synchronous in ((durable, 2), (quick, 1)):
            cursor = connection.cursor()
            assert cursor.execute("PRAGMA synchronous").fetchone() == (synchronous,)
            assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert cursor.execute("PRAGMA foreign_keys").fetchone() == (1,)
            assert cursor.execute("PRAGMA busy_timeout").fetchone() == (5000,)
            cursor.close()


def test_no_connection_is_open_after_the_start_and_none_goes_into_a_child(sqlite_store):
    def open_files() -> list[str]:
        links = (Path(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd"))
        return [
            target for link in links if (target := os.readlink(link) if link.is_symlink() else "").find("sqlite") > 0
        ]

    assert open_files() == []
    sqlite_store.ping()
    assert open_files() != []
    pid = in_child(lambda: open_files() == [] and sqlite_store.ping() is None)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    sqlite_store.ping()


def every_connection(store: Store, statement: str) -> None:
    """Makes each new connection of a store run a statement; those there are end."""
    for engine in (store._engines.durable, store._engines.quick):
        event.listen(engine, "connect", lambda connection, _: connection.execute(statement).close())
    store.close()


def test_a_full_disk_is_reported_and_nothing_is_acknowledged(sqlite_store):
    save(sqlite_store, [overridden()], "ehr", RECEIVED)
    every_connection(sqlite_store, "PRAGMA max_page_count=1")
    full = [FeedbackItem(f"c-{number}", "accepted", AT, comment="x" * 2000) for number in range(100)]
    with pytest.raises(StoreError, match=r"its disk is full \(SQLITE_FULL\)"):
        save(sqlite_store, full, "ehr", RECEIVED)
    replay = ReplayStore(sqlite_store, Clock())
    with pytest.raises(StoreError, match="its disk is full"):
        all(replay.remember("i", str(number), AT) for number in range(2000))
    assert len(kept(sqlite_store, ANY)) == 1


def test_a_store_that_can_only_be_read_is_reported_by_ping_and_by_every_write(sqlite_store):
    save(sqlite_store, [overridden()], "ehr", RECEIVED)
    every_connection(sqlite_store, "PRAGMA query_only=ON")
    for write in (
        sqlite_store.ping,
        lambda: save(sqlite_store, [overridden("another")], "ehr", RECEIVED),
        lambda: ReplayStore(sqlite_store, Clock()).remember("i", "j", AT),
        lambda: activity.record(sqlite_store, [Activity(DAY, "p", 1, 1)]),
        lambda: shown.record(sqlite_store, [SHOWN]),
    ):
        with pytest.raises(StoreError, match=r"it is read-only \(SQLITE_READONLY\)"):
            write()
    assert len(kept(sqlite_store, ANY)) == 1


FILLS = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from cds_service.hooks.feedback import FeedbackItem
from cds_service.store.database import open_store
from cds_service.store.failures import StoreError
from cds_service.store.feedback import kept, save
store = open_store(None, Path(sys.argv[1]))
# A file that may not grow is the disk's own refusal, through the operating system.
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
acknowledged = 0
try:
    for number in range(10_000):
        save(store, [FeedbackItem(f"c-{number}", "accepted", None, comment="x" * 2000)], "ehr", datetime.now(UTC))
        acknowledged += 1
except StoreError as error:
    print(error)
try:
    # The last of the file may still hold a row as small as this one.
    for _ in range(500):
        store.ping()
    print("the ping noticed nothing")
except StoreError as error:
    print(error)
store.close()
print(acknowledged)
"""


def test_when_the_disk_takes_no_more_all_that_was_acknowledged_is_there(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", FILLS, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    )
    refused, pinged, acknowledged = run.stdout.splitlines()
    assert "its disk" in refused
    assert "its disk" in pinged
    with closing(open_store(None, tmp_path)) as store:
        assert len(kept(store, ANY)) == int(acknowledged) > 10
        with store.reading() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"


def test_a_file_that_is_no_database_is_reported(tmp_path):
    (tmp_path / "store.sqlite").write_bytes(b"this is not a database\n" * 100)
    with pytest.raises(StoreError, match="its file is not a database"):
        open_store(None, tmp_path)


def test_a_damaged_file_is_reported(sqlite_store):
    save(sqlite_store, [overridden(f"c-{number}") for number in range(500)], "ehr", RECEIVED)
    sqlite_store.close()
    file = sqlite_store.address.file
    content = bytearray(file.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    file.write_bytes(content)
    with pytest.raises(StoreError, match=r"its file is damaged|refused a statement"):
        kept(sqlite_store, ANY)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be made or opened: Not a directory"):
        open_store(None, tmp_path / "file" / "state")


def test_a_store_that_another_process_holds_is_busy_and_says_so(sqlite_store):
    every_connection(sqlite_store, "PRAGMA busy_timeout=20")
    with closing(sqlite3.connect(sqlite_store.address.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="it is busy"):
            sqlite_store.ping()
        with pytest.raises(StoreError, match="it is busy"):
            ReplayStore(sqlite_store, Clock()).remember("i", "j", AT)
        assert kept(sqlite_store, ANY) == []
    sqlite_store.ping()


def test_a_report_makes_no_store(tmp_path):
    with pytest.raises(StoreError, match="There is no store at"):
        open_store(None, tmp_path / "state", create=False)
    assert not (tmp_path / "state").exists()


# --- addresses ---


@pytest.mark.parametrize(
    ("url", "shown_as"),
    [
        ("", "SQLite /state/store.sqlite"),
        (None, "SQLite /state/store.sqlite"),
        ("sqlite:////data/x.db", "SQLite /data/x.db"),
        ("postgresql+psycopg://u:hunter2@db.example:6432/cds", "PostgreSQL cds on db.example:6432"),
        ("postgresql://u:hunter2@db.example/cds", "PostgreSQL cds on db.example"),
        ("postgres://u:hunter2@db.example/cds", "PostgreSQL cds on db.example"),
        ("postgresql:///cds", "PostgreSQL cds on local socket"),
    ],
)
def test_an_address_is_shown_without_its_password(url, shown_as):
    address = address_of(url, Path("/state"))
    assert address.shown == shown_as
    assert address.url.drivername in ("sqlite", "postgresql+psycopg")


def test_an_address_of_postgresql_without_its_driver_is_refused_with_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'cds-service\[postgresql\]'") as caught:
        open_store("postgresql://u:hunter2@db.example/cds", tmp_path)
    assert "hunter2" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:hunter2@db.example/cds",
        "postgresql+asyncpg://u:hunter2@db.example/cds",
        "postgresql://u:hunter2@db.example",
        "hunter2",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:hunter2?mode=memory&uri=true",
        "postgresql://u:hunter2@db.example:port/cds",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_what_is_allowed(url, tmp_path):
    with pytest.raises(StoreError, match=r"postgresql\+psycopg://user:password@host/name") as caught:
        open_store(url, tmp_path)
    assert "hunter2" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
