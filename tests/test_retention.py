"""What is kept is kept for its days and below its caps, and what was acknowledged is never removed before its time."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from cds_service.app import create_app
from cds_service.hooks.client_names import WORKBENCH
from cds_service.hooks.feedback import ACCEPTED, OVERRIDDEN, CardsShown, DayRange, FeedbackItem
from cds_service.installation import Installation, installation_of, names_of
from cds_service.operations import audit_retention
from cds_service.operations.audit import AuditError, AuditLog, Call, Caller
from cds_service.operations.audit_lines import Wanted, read
from cds_service.operations.counting import NoMetrics
from cds_service.operations.feedback_report import OTHER_REASON, report
from cds_service.operations.metrics import Metrics
from cds_service.operations.sealing import Keys, keys_of
from cds_service.settings.settings import Settings
from cds_service.store import activity, retention, shown, turns
from cds_service.store import feedback as stored
from cds_service.store.activity import Activity
from cds_service.store.database import Store, open_store
from cds_service.store.failures import StoreError
from cds_service.store.feedback import kept, save
from cds_service.store.ledger import Ledger
from cds_service.store.retention import Retention, RetentionLimits, added_up, prune_audit, prune_store
from cds_service.store.shown import Shown
from tests.shipped import TODAY, example, library

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ANY = DayRange()
LIMITS = RetentionLimits(
    audit_days=30, feedback_days=60, audit_bytes=10**9, cards=10**6, feedback=10**6, evidence=10**6
)
SIGN = "/cds-services/coverage-guidance-order-sign"


def card(name: str, days_ago: int, client: str = "ehr") -> Shown:
    return Shown(
        card=name,
        client=client,
        policy="p",
        edition="1",
        outcome="met",
        service="s",
        day=NOW.date() - timedelta(days=days_ago),
    )


def item(name: str, outcome: str = OVERRIDDEN, minute: int = 0, **more) -> FeedbackItem:
    return FeedbackItem(name, outcome, NOW + timedelta(minutes=minute), **more)


def log_in(folder: Path, now: datetime = NOW, keys: Keys | None = None, most: int = 0) -> AuditLog:
    return AuditLog(folder, b"a key of the tests", keys, lambda: now, most_bytes=most)


def call(client: str = "ehr") -> Call:
    body = {"hook": "order-sign", "long": "x" * 2000}
    return Call(
        request_id="0" * 32,
        service="s",
        caller=Caller(client=client),
        today=NOW.date(),
        status=200,
        outcome="card",
        milliseconds=1.0,
        request=json.dumps(body).encode(),
        response=b'{"cards":[]}',
    )


def pruned(store: Store, limits: RetentionLimits = LIMITS) -> Mapping[tuple[str, str], int]:
    return added_up(prune_store(store, limits, NOW.date()))


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "audit"


# --- days ------------------------------------------------------------------------------------------------------------


def test_what_is_past_its_days_is_removed_and_nothing_else(store, folder):
    shown.record(store, [card("old", 31), card("edge", 30), card("answered", 50)])
    save(store, [item("answered")], "ehr", NOW - timedelta(days=50))
    save(store, [item("forgotten")], "ehr", NOW - timedelta(days=61))
    activity.record(store, [Activity(NOW.date() - timedelta(days=days), "p", 1, 0) for days in (31, 1)])
    for days in (31, 30, 0):
        log_in(folder, NOW - timedelta(days=days)).call(call())
    removed = pruned(store) | added_up(prune_audit(folder, LIMITS, NOW.date()))
    assert removed == {("audit", "age"): 1, ("feedback", "age"): 1, ("cards", "age"): 1, ("activity", "age"): 1}
    assert shown.counts(store, ANY) == [CardsShown("p", "met", 2)]
    assert [found.card for found in kept(store, ANY)] == ["answered"]
    assert len([*folder.iterdir()]) == 2
    assert pruned(store) | added_up(prune_audit(folder, LIMITS, NOW.date())) == {}


def test_a_card_goes_with_its_feedback(store):
    shown.record(store, [card("answered", 70)])
    save(store, [item("answered", suggestions=("s",))], "ehr", NOW - timedelta(days=61))
    assert pruned(store) == {("feedback", "age"): 1, ("cards", "age"): 1}


def test_feedback_of_another_client_keeps_no_card(store):
    shown.record(store, [card("old", 31)])
    save(store, [item("old")], "another", NOW)
    assert pruned(store) == {("cards", "age"): 1}


def test_days_count_from_the_reception_whatever_the_sender_says(store):
    save(store, [FeedbackItem("a", ACCEPTED, datetime(1970, 1, 1, tzinfo=UTC))], "ehr", NOW)
    save(store, [FeedbackItem("b", ACCEPTED, datetime(9999, 1, 1, tzinfo=UTC))], "ehr", NOW - timedelta(days=61))
    assert pruned(store) == {("feedback", "age"): 1}
    assert [found.card for found in kept(store, ANY)] == ["a"]


def test_much_is_removed_in_bounded_batches_over_several_runs(store, folder, monkeypatch):
    monkeypatch.setattr(retention, "BATCHES", 2)
    monkeypatch.setattr(shown, "REMOVED_AT_ONCE", 10)
    shown.record(store, [card(f"c-{number}", 31) for number in range(45)])
    keeper = Retention(store, folder, LIMITS, NoMetrics())
    left = []
    for minute in range(4):
        keeper.run(NOW + timedelta(minutes=minute))
        left.append(shown.number(store))
    assert left == [25, 5, 0, 0]


def test_one_of_all_workers_has_the_turn_of_a_day(store):
    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    assert turns.take(store, "retention", NOW, midnight)
    assert not turns.take(store, "retention", NOW + timedelta(hours=1), midnight)
    assert turns.take(store, "retention", NOW + timedelta(days=1), midnight + timedelta(days=1))


def test_the_running_service_prunes_once_a_day(store, folder):
    first, second = (Retention(store, folder, LIMITS, NoMetrics()) for _ in range(2))
    first.run(NOW)
    shown.record(store, [card("old", 31), card("edge", 30)])
    first.run(NOW + timedelta(hours=1))
    second.run(NOW + timedelta(hours=1))
    assert shown.number(store) == 2
    second.run(NOW + timedelta(days=1))
    assert shown.number(store) == 0


def test_work_that_a_failure_broke_off_is_done_in_the_next_run(store, folder, monkeypatch):
    shown.record(store, [card("old", 31)])
    log_in(folder, NOW - timedelta(days=31)).call(call())
    keeper = Retention(store, folder, LIMITS, NoMetrics())
    remove = shown.remove_old

    def broken(store: Store, first: date) -> Iterator[int]:
        raise StoreError("The store is away.")

    monkeypatch.setattr(shown, "remove_old", broken)
    with pytest.raises(StoreError):
        keeper.run(NOW)
    assert not [*folder.iterdir()]
    monkeypatch.setattr(shown, "remove_old", remove)
    keeper.run(NOW + timedelta(minutes=1))
    assert shown.number(store) == 0


def test_old_days_of_the_audit_log_go_where_it_was_switched_off(tmp_path):
    folder = tmp_path / "audit"
    for days in (31, 1):
        log_in(folder, NOW - timedelta(days=days)).call(call())
    settings = Settings(state=tmp_path, audit=False, audit_days=30)
    with closing(installation_of(settings, library(), only_this_machine=True)) as installation:
        installation.retention.run(NOW)
    assert [path.name for path in folder.iterdir()] == ["audit-2026-11-22.jsonl"]


def aside_at(file: Path, when: datetime, word: str = "replaced", ends: str = "-wal") -> Path:
    path = Path(f"{file}.{word}-{when:%Y%m%dT%H%M%S%fZ}{ends}")
    path.write_bytes(b"feedback of an earlier file")
    return path


def test_what_the_store_set_aside_is_kept_no_longer_than_what_it_holds(sqlite, tmp_path):
    file = tmp_path / "store.sqlite"
    old = [aside_at(file, NOW - timedelta(days=31), ends=ends) for ends in ("-wal", "-shm")]
    old.append(aside_at(file, NOW - timedelta(days=400), "damaged", ""))
    young = [aside_at(file, NOW - timedelta(days=29)), tmp_path / "store.sqlite.lock", tmp_path / "store.sqlite.mine"]
    young[-1].touch()
    assert pruned(sqlite) == {("set-aside", "age"): 2}
    assert [path for path in (*old, *young) if path.exists()] == young
    assert pruned(sqlite) == {}


def test_of_what_the_store_set_aside_the_newest_are_kept(sqlite, tmp_path):
    file = tmp_path / "store.sqlite"
    made = [aside_at(file, NOW - timedelta(minutes=minute)) for minute in range(retention.MOST_SET_ASIDE + 3)]
    assert pruned(sqlite) == {("set-aside", "cap"): 3}
    assert [path for path in made if path.exists()] == made[: retention.MOST_SET_ASIDE]


# --- caps ------------------------------------------------------------------------------------------------------------


def test_beyond_the_cap_the_oldest_cards_without_feedback_go(store):
    shown.record(store, [card(f"c-{number:02}", 29 - number) for number in range(25)])
    save(store, [item("c-00")], "ehr", NOW)
    removed = pruned(store, LIMITS._replace(cards=20))
    assert removed == {("cards", "cap"): 6}
    with store.reading() as connection:
        left = set(connection.execute(text("SELECT card FROM cards_shown")).scalars())
    assert left == {"c-00", *(f"c-{number:02}" for number in range(7, 25))}


def test_at_the_cap_of_the_audit_log_content_goes_before_lines_and_the_last_two_days_stay(folder):
    keys = keys_of(base64.b64encode(b"k" * 32).decode())
    for days in (4, 3, 2, 1, 0):
        log = log_in(folder, NOW - timedelta(days=days), keys)
        for _ in range(3):
            log.call(call())
    assert added_up(prune_audit(folder, LIMITS, NOW.date())) == {}
    size = audit_retention.size(folder)
    assert [*audit_retention.shrink(folder, size - 1, NOW.date())] == [("audit-content", 3)]
    oldest = [*read(folder, Wanted(until=date(2026, 11, 19)), keys, pytest.fail)]
    assert [(line["client"], line["content"]) for line in oldest] == [("ehr", None)] * 3
    assert audit_retention.size(folder) < size
    assert (folder / "audit-2026-11-19.jsonl").stat().st_mode & 0o777 == 0o600
    removed = added_up(prune_audit(folder, LIMITS._replace(audit_bytes=1), NOW.date()))
    assert removed == {("audit-content", "cap"): 6, ("audit", "cap"): 3}
    assert sorted(path.name for path in folder.iterdir()) == ["audit-2026-11-22.jsonl", "audit-2026-11-23.jsonl"]


def test_a_cap_that_is_reached_shows_in_the_metric_and_nothing_acknowledged_goes(store, folder):
    metrics = Metrics(names_of(library()))
    keeper = Retention(store, folder, LIMITS._replace(feedback=2), metrics)
    keeper.run(NOW)
    assert not keeper.feedback_full
    save(store, [item("a"), item("b")], "ehr", NOW)
    keeper.run(NOW)
    assert keeper.feedback_full
    assert b'cds_service_storage_used_ratio{kind="feedback"} 1.0' in metrics.exposition()[0]
    assert len(kept(store, ANY)) == 2


# --- feedback over HTTP ----------------------------------------------------------------------------------------------


@pytest.fixture
def sqlite(tmp_path) -> Iterator[Store]:
    with closing(open_store(None, tmp_path)) as opened:
        yield opened


@pytest.fixture
def installation(sqlite, folder) -> Installation:
    ledger = Ledger(sqlite, lambda error, forgotten: None)
    return Installation(store=sqlite, ledger=ledger, audit=log_in(folder), workbench=True)


def client_of(installation: Installation):
    return create_app(Settings(), library(), "http://127.0.0.1:8080", lambda: TODAY, installation).test_client()


def pieces(number: int, first: int = 0) -> dict:
    return {"feedback": [{"card": f"c-{first + index}", "outcome": "accepted"} for index in range(number)]}


def test_at_its_cap_feedback_is_refused_with_the_reason_and_nothing_kept_goes(installation, folder):
    keeper = Retention(installation.store, folder, LIMITS._replace(feedback=3), NoMetrics())
    client = client_of(replace(installation, retention=keeper))
    assert client.post(f"{SIGN}/feedback", json=pieces(3)).status_code == 200
    keeper.run(NOW)
    refused = client.post(f"{SIGN}/feedback", json=pieces(1, 7))
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "3600"
    assert "CDS_SERVICE_STORE_MAX_FEEDBACK" in refused.get_json()["issue"][0]["diagnostics"]
    assert len(kept(installation.store, ANY)) == 3


def test_a_client_sends_no_more_items_than_its_limit(installation):
    client = client_of(replace(installation, feedback_limit="20/hour", feedback_items=10))
    many = client.post(f"{SIGN}/feedback", json=pieces(11))
    assert (many.status_code, many.get_json()["issue"][0]["code"]) == (413, "too-long")
    assert [client.post(f"{SIGN}/feedback", json=pieces(8, 8 * turn)).status_code for turn in range(3)] == [
        200,
        200,
        429,
    ]
    assert client.post(f"{SIGN}/feedback", json=pieces(4, 90)).status_code == 200
    last = client.post(f"{SIGN}/feedback", json=pieces(1, 99))
    assert last.status_code == 429
    assert int(last.headers["Retry-After"]) > 0
    assert "20/hour" in last.get_json()["issue"][0]["diagnostics"]
    assert len(kept(installation.store, ANY)) == 20


def test_by_default_a_client_cannot_add_twelve_thousand_items(installation):
    client = client_of(replace(installation, feedback_limit=Settings().feedback_limit))
    found = [client.post(f"{SIGN}/feedback", json=pieces(1000, 1000 * turn)).status_code for turn in range(12)]
    assert found == [200, 200, *[429] * 10]


# --- demo calls ------------------------------------------------------------------------------------------------------

DEMO = {"CDS-Service-Workbench": "demo"}


def test_demo_calls_and_their_feedback_stand_apart_from_those_of_ehrs(installation, folder):
    client = client_of(installation)
    made = {}
    for name, headers in (("ehr", {}), ("demo", DEMO)):
        made[name] = client.post(SIGN, json=example("all-met"), headers=headers).get_json()["cards"][0]["uuid"]
        installation.ledger.flush()
        sent = {"feedback": [{"card": made[name], "outcome": "accepted"}]}
        assert client.post(f"{SIGN}/feedback", json=sent, headers=headers).status_code == 200
    assert made["ehr"] != made["demo"]
    for name, workbench in (("ehr", False), ("demo", True)):
        assert [found.card for found in kept(installation.store, ANY, workbench=workbench)] == [made[name]]
        assert [found.cards for found in shown.counts(installation.store, ANY, workbench=workbench)] == [1]
    assert {line["client"] for line in read(folder, Wanted(), None, pytest.fail)} == {"open"}
    assert {line["client"] for line in read(folder, Wanted(client=WORKBENCH), None, pytest.fail)} == {WORKBENCH}
    assert activity.silence(installation.store, TODAY)[library().policies[0].id].last_card == TODAY
    page, demo = client.get("/feedback").text, client.get("/feedback?of=workbench").text
    assert "<h1>Feedback from EHRs</h1>" in page
    assert "<h1>Feedback from the workbench</h1>" in demo
    assert "feedback-workbench.csv" in client.get("/feedback.csv?of=workbench").headers["Content-Disposition"]


def test_a_demo_call_alone_leaves_nothing_among_real_ones(installation):
    client = client_of(installation)
    client.post(SIGN, json=example("all-met"), headers=DEMO)
    installation.ledger.flush()
    assert shown.counts(installation.store, ANY) == []
    assert activity.silence(installation.store, TODAY) == {}
    assert "No card was shown" in client.get("/feedback").text


def test_where_there_is_no_workbench_nobody_is_it(installation):
    client = client_of(replace(installation, workbench=False))
    client.post(f"{SIGN}/feedback", json=pieces(1), headers=DEMO)
    assert [found.client for found in kept(installation.store, ANY)] == ["open"]


def test_no_page_of_another_origin_may_say_that_it_is_the_workbench(installation):
    asked = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "cds-service-workbench, content-type",
    }
    answer = client_of(installation).options(SIGN, headers=asked)
    assert "workbench" not in answer.headers.get("Access-Control-Allow-Headers", "").lower()


# --- rates -----------------------------------------------------------------------------------------------------------


def test_of_several_outcomes_of_a_card_the_newest_counts(sqlite):
    shown.record(sqlite, [card("c", 0)])
    sent = [item("c", OVERRIDDEN, minute) for minute in range(11)] + [item("c", ACCEPTED, 20), item("c", ACCEPTED, 21)]
    save(sqlite, sent, "ehr", NOW)
    found = report(ANY, kept(sqlite, ANY), shown.counts(sqlite, ANY), library().reason_label)
    row = found.policies[0]
    assert (row.shown, row.answered, row.accepted, row.overridden) == (1, 1, 1, 0)
    save(sqlite, [item("c", OVERRIDDEN, 30)], "ehr", NOW)
    found = report(ANY, kept(sqlite, ANY), shown.counts(sqlite, ANY), library().reason_label)
    assert (found.policies[0].accepted, found.policies[0].overridden) == (0, 1)


def test_at_the_same_instant_what_came_later_is_newer(sqlite):
    save(sqlite, [item("c", OVERRIDDEN)], "ehr", NOW)
    save(sqlite, [item("c", ACCEPTED)], "ehr", NOW + timedelta(seconds=1))
    found = report(ANY, kept(sqlite, ANY), [], library().reason_label)
    assert (found.policies[0].accepted, found.policies[0].overridden) == (1, 0)


def test_a_comment_without_a_reason_is_another_reason(sqlite):
    save(sqlite, [item("c", comment="Mrs Example prefers to wait")], "ehr", NOW)
    assert report(ANY, stored.kept(sqlite, ANY), [], library().reason_label).reasons == (("unknown", OTHER_REASON, 1),)


def test_a_day_at_its_cap_takes_no_more_lines(folder):
    log = log_in(folder, most=2000)
    log.call(call())
    for _ in range(2000 // audit_retention.size(folder) - 1):
        log.call(call())
    full = audit_retention.size(folder)
    with pytest.raises(AuditError, match="CDS_SERVICE_AUDIT_MAX_BYTES"):
        log.call(call())
    assert audit_retention.size(folder) == full <= 2000
