"""Silent failure is found: thirty ways to break the service, each of which turns readiness red and raises a metric."""

import json
import os
import shutil
import sqlite3
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from flask import Response, request

from cds_service.app import create_app
from cds_service.card.guidance import Addresses
from cds_service.facts.logic import Truth
from cds_service.installation import Installation, installation_of
from cds_service.library import Library
from cds_service.operations.check_names import CHECKS, DEGRADING, DEGRADING_WITH_TRUST, PARTS_OF_READINESS, WARNINGS
from cds_service.operations.readiness import SILENT, STARTING, Readiness
from cds_service.policy.cases import CaseFiles
from cds_service.self_check.checks import PARTS, CheckResult, SelfCheck
from cds_service.self_check.known_answers import KeptAnswers, KnownAnswer, covering, known_answers
from cds_service.self_check.stores import SECONDS_BETWEEN_QUICK_CHECKS, StoreCheck
from cds_service.self_check.watch import Watch
from cds_service.service.guide import Guide
from cds_service.settings.settings import Settings, data_folder
from cds_service.store import activity
from cds_service.store.activity import Activity
from cds_service.web.discovery import discovery_document
from tests import shipped
from tests.shipped import example, library
from tests.waiting import wait_for

SECONDS = 20
ADDRESS = "http://127.0.0.1:8080"


@dataclass
class Running:
    """A service as it is installed, and what a way to break it may lay hands on."""

    settings: Settings
    installation: Installation
    guide: Guide
    check: SelfCheck
    readiness: Readiness
    app: object
    folder: Path
    patch: pytest.MonkeyPatch
    now: list[float]

    def failing(self) -> set[str]:
        self.check.run()
        return set(self.readiness.failing())

    def ask_everything(self) -> None:
        """Every known answer that the service would ask itself for, in place of a few."""
        self.check._kept = kept()

    def get(self, path: str) -> Response:
        return self.app.test_client().get(path)


@cache
def known() -> tuple[tuple[KnownAnswer, ...], ...]:
    """The known answers of each policy that ships."""
    return tuple(tuple(known_answers(policy, shipped.guide())) for policy in library().policies)


@cache
def kept() -> tuple[KeptAnswers, ...]:
    """All of them, as the service keeps them."""
    return tuple(KeptAnswers(cases, PARTS) for cases in known())


@cache
def few() -> tuple[KeptAnswers, ...]:
    """Two for each policy: enough where something else than answers is tested, and far quicker."""
    return tuple(KeptAnswers(covering(cases)[:2], PARTS) for cases in known())


@pytest.fixture
def running(tmp_path, monkeypatch) -> Iterator[Running]:
    cards = tmp_path / "cards"
    shutil.copytree(data_folder("cards"), cards)
    settings = Settings(cards=cards, state=tmp_path / "state", silent_days=3)
    loaded = library()
    with closing(installation_of(settings, loaded, only_this_machine=True)) as made:
        readiness = Readiness(None, 10, degrading=made.readiness.degrading)
        installation = replace(made, readiness=readiness)
        guide = Guide(loaded, Addresses(ADDRESS, settings.canonical_base), settings.key())
        now = [time.time()]

        def today() -> date:
            return datetime.fromtimestamp(now[0], UTC).date()

        app = create_app(settings, loaded, ADDRESS, today, installation)
        check = SelfCheck(
            app, settings, guide, installation, today, now=lambda: now[0], monotonic=lambda: now[0] - 1000
        )
        check._kept = few()
        yield Running(settings, installation, guide, check, readiness, app, tmp_path, monkeypatch, now)
        installation.fetcher.close()


def test_a_sound_service_is_ready_and_says_so(running):
    running.check._kept = None
    assert running.readiness.failing() == [STARTING]
    assert running.get("/readyz").status_code == 503
    assert running.failing() == set()
    answer = running.get("/readyz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ready"})
    numbers = running.get("/metrics").get_data(as_text=True)
    for name in CHECKS:
        assert f'cds_service_self_check_failing{{check="{name}"}} 0.0' in numbers
    assert {name for name in CHECKS if f'cds_service_ready{{part="{name}"}} 1.0' in numbers} == PARTS_OF_READINESS


# --- thirty ways to break it ---

Way = Callable[[Running], None]
WAYS: dict[str, tuple[str, Way]] = {}


def way(failing: str) -> Callable[[Way], Way]:
    def listed(breaks: Way) -> Way:
        WAYS[breaks.__name__] = failing, breaks
        return breaks

    return listed


def instead(target: str, result) -> Way:
    """Puts something else in the place of a function or value of the program."""

    def breaks(running: Running) -> None:
        running.patch.setattr(target, result if callable(result) else lambda *_, **__: result)

    return breaks


def raises(*_, **__):
    raise ZeroDivisionError


def altered(target: str, change: Callable) -> Way:
    """The same function, whose result is changed."""

    def breaks(running: Running) -> None:
        module, _, name = target.rpartition(".")
        scope = __import__(module, fromlist=[name])
        original = getattr(scope, name)
        running.patch.setattr(target, lambda *given, **named: change(original(*given, **named)))

    return breaks


@way("answers")
def a_criterion_raises(running):
    instead("cds_service.service.statement.decisions.decide", raises)(running)


@way("answers")
def facts_are_not_gathered(running):
    instead("cds_service.service.statement.gather.gather", raises)(running)


@way("answers")
def every_order_is_overlooked(running):
    instead("cds_service.service.statement.orders.recognize", None)(running)


@way("answers")
def the_index_of_orders_is_empty(running):
    instead("cds_service.web.calls.concerned_policies", ())(running)


@way("answers")
def no_edition_answers(running):
    instead("cds_service.service.hook_call.answer_of", None)(running)


@way("answers")
def every_card_loses_its_suggestions(running):
    altered("cds_service.card.guidance.guidance_card", lambda card: {**card, "suggestions": []})(running)


@way("answers")
def every_card_says_info(running):
    altered("cds_service.card.guidance.guidance_card", lambda card: {**card, "indicator": "info"})(running)


@way("answers")
def every_summary_is_the_same(running):
    altered("cds_service.card.guidance.guidance_card", lambda card: {**card, "summary": "Guidance"})(running)


@way("answers")
def cards_are_cut_off(running):
    altered("cds_service.card.guidance.guidance_card", lambda card: {**card, "detail": card["detail"][:40]})(running)


@way("answers")
def unknown_counts_as_met(running):
    def cheerful(truths):
        return Truth.NOT_MET if Truth.NOT_MET in set(truths) else Truth.MET

    running.patch.setattr("cds_service.facts.logic.every", cheerful)


@way("answers")
def the_chart_loses_its_patient(running):
    def without_patient(chart):
        lost = copy(chart)
        lost.patient = None
        return lost

    altered("cds_service.service.hook_call.read_chart", without_patient)(running)


@way("answers")
def days_are_a_year_off(running):
    running.patch.setattr(
        "cds_service.self_check.known_answers.today_of",
        lambda policy: date.fromisoformat(policy.cases.document["today"]) + timedelta(days=400),
    )
    running.check._kept = None


@way("answers")
def hook_calls_are_refused(running):
    running.app.view_functions["call"] = lambda service_id: Response("busy", 503)


@way("answers")
def hook_calls_come_back_empty(running):
    running.app.view_functions["call"] = lambda service_id: Response('{"cards": []}', 200, mimetype="application/json")


@way("answers")
def hook_calls_come_back_as_text(running):
    running.app.view_functions["call"] = lambda service_id: Response('{"cards": []}', 200, mimetype="text/plain")


@way("answers")
def cards_are_lost_on_the_way_out(running):
    def lost(answer: Response) -> Response:
        if request.path.startswith("/cds-services/"):
            answer.set_data(b'{"cards": []}')
        return answer

    running.app.after_request(lost)


@way("answers")
def ids_are_made_of_another_key(running):
    running.failing()
    running.patch.setattr("cds_service.service.statement.id_maker", lambda *given, **named: lambda name: f"{name}-0000")


@way("answers")
def a_code_is_dropped_from_a_loaded_rule(running):
    policy = running.guide.library.policies[0]
    name = next(name for name, rule in policy.facts.items() if rule.codes)
    running.patch.setitem(policy.facts, name, replace(policy.facts[name], codes=None))


@way("discovery")
def discovery_is_empty(running):
    running.app.view_functions["discover"] = lambda: Response('{"services": []}', mimetype="application/json")


@way("discovery")
def discovery_fails(running):
    running.app.view_functions["discover"] = raises


@way("discovery")
def a_template_has_a_token_that_nothing_fills(running):
    found = json.dumps(discovery_document(running.guide.library)).replace("context.patientId", "context.patient")
    running.app.view_functions["discover"] = lambda: Response(found, mimetype="application/json")


@way("pages")
def the_page_of_a_statement_fails(running):
    running.app.view_functions["policy"] = raises


@way("metrics")
def the_numbers_cannot_be_read(running):
    running.app.view_functions["metrics"] = raises


@way("clock")
def the_clock_is_that_of_a_machine_without_battery(running):
    running.now[0] = 0.0


@way("clock")
def the_clock_is_in_another_century(running):
    running.now[0] = datetime(2126, 1, 1, tzinfo=UTC).timestamp()


@way("clock")
def the_clock_jumps(running):
    running.failing()
    running.check._clock._monotonic = lambda: 5.0


@way("clock")
def calls_are_evaluated_on_another_day(running):
    running.check._clock._today = lambda: datetime.fromtimestamp(running.now[0], UTC).date() - timedelta(days=1)


@way("store")
def the_store_is_no_database_any_more(running):
    running.installation.store.close()
    (running.folder / "state" / "store.sqlite-wal").unlink(missing_ok=True)
    (running.folder / "state" / "store.sqlite").write_bytes(b"no database" * 1000)


@way("store")
def the_store_has_lost_a_table(running):
    with closing(sqlite3.connect(running.folder / "state" / "store.sqlite")) as connection:
        connection.execute("DROP TABLE pulse")


@way("store")
def another_process_holds_the_store(running):
    running.patch.setattr("cds_service.store.engines.SECONDS_BUSY", 0.1)
    running.installation.store.close()
    holds = sqlite3.connect(running.folder / "state" / "store.sqlite", isolation_level=None)
    holds.execute("BEGIN EXCLUSIVE")
    running.patch.setattr(running, "holds", holds, raising=False)


@way("store")
def the_file_of_the_store_is_gone(running):
    running.failing()
    (running.folder / "state" / "store.sqlite").unlink()


@way("store")
def the_store_has_a_damaged_page(running):
    store = running.installation.store
    activity.record(store, [Activity(date(2020, 1, 1), f"page-{number}" * 8, 1, 1) for number in range(500)])
    store.close()
    file = running.folder / "state" / "store.sqlite"
    content = file.read_bytes()
    page = content.index(b"page-250" * 8) & ~4095
    file.write_bytes(content[: page + 8] + os.urandom(200) + content[page + 208 :])


@way("threads")
def the_thread_of_the_ledger_has_ended(running):
    ledger = running.installation.ledger
    running.patch.setattr(ledger, "flush", ends)
    ledger.note([], datetime.now(UTC).date(), ["p"], [])
    ledger.thread._thread.join(SECONDS)


@way("threads")
def the_thread_of_the_ledger_is_stuck(running):
    ledger, begun, over = running.installation.ledger, threading.Event(), threading.Event()
    running.patch.setattr(ledger, "flush", lambda: begun.set() or over.wait(SECONDS))
    running.patch.setattr(ledger.thread, "_patience", 0.0)
    running.patch.setattr(running, "over", over, raising=False)
    ledger.note([], datetime.now(UTC).date(), ["p"], [])
    assert begun.wait(SECONDS)


def ends() -> None:
    """Ends the thread of the ledger, and nobody else."""
    if threading.current_thread().name == "ledger":
        raise SystemExit


@way("audit")
def the_audit_folder_is_a_file(running):
    shutil.rmtree(running.folder / "state" / "audit")
    (running.folder / "state" / "audit").write_text("")


@way("audit")
def the_audit_file_is_a_link_elsewhere(running):
    for path in (running.folder / "state" / "audit").iterdir():
        path.unlink()
    today = datetime.now(UTC).date()
    for day in (today, today + timedelta(days=1)):
        (running.folder / "state" / "audit" / f"audit-{day}.jsonl").symlink_to("/dev/null")


@way("policies")
def a_policy_on_disk_is_cut_off(running):
    file = next((running.folder / "cards").glob("*/policy.json"))
    file.write_text(file.read_text()[:500])


@way("policies")
def a_policy_folder_loses_a_file(running):
    next((running.folder / "cards").glob("*/codes.json")).unlink()


@way("policies")
def all_policies_are_gone(running):
    shutil.rmtree(running.folder / "cards")


def test_there_are_thirty_ways():
    assert len(WAYS) >= 30


def test_cases_that_cannot_be_read_concern_their_statement_alone(running):
    lost, other = running.guide.library.policies
    lost = replace(lost, cases=CaseFiles(running.folder / "lost"))
    running.check._guide = replace(running.guide, library=Library((lost, other), running.settings.canonical_base))
    running.check._kept = None
    result = running.check.run()["answers"]
    assert result.policies == (lost.id,)
    assert ["the file is missing" in sentence for sentence in result.sentences] == [True]
    assert running.get("/readyz").get_json()["concerns"] == [{"check": "answers", "policy": lost.id}]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", WAYS)
def test_it_is_found(running, name):
    failing, breaks = WAYS[name]
    breaks(running)
    found = running.failing()
    if failing == "answers" and failing not in found:
        # What few known answers tell, all of them tell; and few are asked far quicker.
        running.ask_everything()
        found = running.failing()
    assert failing in found
    answer = running.get("/readyz")
    degraded = failing in DEGRADING
    assert answer.status_code == (200 if degraded else 503)
    assert answer.get_json()["status"] == ("degraded" if degraded else "not-ready")
    assert failing in answer.get_json()["failing"]
    if failing == "answers":
        # A way that breaks itself, not the service, would be found too.
        assert {*map(frozenset, answer.get_json()["concerns"])} == {frozenset({"check", "policy", "case"})}
    if failing != "metrics":
        numbers = running.get("/metrics").get_data(as_text=True)
        assert f'cds_service_self_check_failing{{check="{failing}"}} 1.0' in numbers
        assert f'cds_service_ready{{part="{failing}"}} 0.0' in numbers
        assert (f'cds_service_degraded{{part="{failing}"}} 1.0' in numbers) == degraded
    if (over := getattr(running, "over", None)) is not None:
        over.set()
    if (holds := getattr(running, "holds", None)) is not None:
        holds.close()


# --- the store ---


def test_with_trust_a_store_that_fails_is_red_and_a_thread_that_ended_is_not():
    readiness = Readiness(None, 10, degrading=DEGRADING_WITH_TRUST)
    assert [readiness.status_of([part]) for part in ("store", "threads")] == ["not-ready", "degraded"]
    assert readiness.status_of(["threads", "clock"]) == "not-ready"
    assert Readiness(None, 10, degrading=DEGRADING).status_of(["store"]) == "degraded"


def test_that_another_file_took_the_place_of_the_store_is_reported_once(running):
    assert running.failing() == set()
    (running.folder / "state" / "store.sqlite").unlink()
    assert [running.failing(), running.failing()] == [{"store"}, set()]


def test_pages_are_checked_at_the_start_once_a_day_and_where_another_file_was_opened(running):
    store, checked, now = running.installation.store, [], [5.0]
    running.patch.setattr(store, "is_damaged", lambda: checked.append(now[0]) or False)
    check = StoreCheck(store, lambda: now[0])
    for seconds in (0, 60, SECONDS_BETWEEN_QUICK_CHECKS - 61, 1, 60):
        now[0] += seconds
        assert check.problems() == []
    assert checked == [5.0, 5.0 + SECONDS_BETWEEN_QUICK_CHECKS]
    (running.folder / "state" / "store.sqlite").unlink()
    assert len(check.problems()) == 1
    assert len(checked) == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ended_is_started_again(running):
    ledger = running.installation.ledger
    with running.patch.context() as patched:
        patched.setattr(ledger, "flush", ends)
        ledger.note([], datetime.now(UTC).date(), ["p"], [])
        ledger.thread._thread.join(SECONDS)
    assert [running.failing(), running.failing()] == [{"threads"}, set()]


# --- what is reported and does not turn it red ---


def test_files_that_changed_and_still_load_are_reported_and_cost_no_readiness(running):
    file = next((running.folder / "cards").glob("*/policy.json"))
    file.write_text(file.read_text() + "\n")
    assert running.failing() == set()
    numbers = running.get("/metrics").get_data(as_text=True)
    assert 'cds_service_self_check_failing{check="changed"} 1.0' in numbers


def test_a_statement_that_orders_ask_for_and_that_gives_no_card_is_reported(running, capsys):
    policy = running.guide.library.policies[0].id
    today = datetime.now(UTC).date()
    days = [Activity(today - timedelta(days=number), policy, 2, 0) for number in range(3)]
    activity.record(running.installation.store, days)
    assert running.failing() == set()
    numbers = running.get("/metrics").get_data(as_text=True)
    assert f'cds_service_days_without_a_card{{policy="{policy}"}} 3.0' in numbers
    assert 'cds_service_self_check_failing{check="silence"} 1.0' in numbers


def test_what_is_put_right_is_ready_again(running):
    file = next((running.folder / "cards").glob("*/policy.json"))
    sound = file.read_text()
    file.write_text("{")
    assert running.failing() == {"policies"}
    file.write_text(sound)
    assert running.failing() == set()


def test_a_clock_that_was_put_right_is_reported_once(running):
    running.failing()
    running.check._clock._monotonic = lambda: running.now[0] - 2000
    assert [running.failing(), running.failing()] == [{"clock"}, set()]


# --- the known answers ---


def test_few_known_answers_cover_all_that_is_expected():
    for cases in known():
        chosen = covering(cases)
        assert len(chosen) < len(cases) / 5
        assert {point for case in chosen for point in points(case)} == {
            point for case in cases for point in points(case)
        }


def points(case):
    return list(case.expect.get("criteria", {}).items()) + list(case.expect.get("verdicts", {}).items())


def test_all_known_answers_come_by_and_by(running):
    running.check._kept = None
    seen: list[tuple[str, str]] = []
    running.patch.setattr(running.check._examiner, "problems", lambda case: seen.append((case.policy, case.name)) or [])
    for _ in range(PARTS):
        running.check._answers(lambda seconds: False)
        running.check._turn += 1
    assert set(seen) == {case.key for cases in known() for case in cases}


def test_known_answers_are_kept_in_a_fraction_of_their_size():
    """A process keeps those of each statement; what ``dumps`` gives takes up 4 kB however short it is."""
    cases = known()[0]
    tracemalloc.start()
    try:
        packed = KeptAnswers(cases, PARTS)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    due = [*packed.first(), *(case for turn in range(PARTS) for case in packed.part(turn))]
    assert sorted(due, key=lambda case: case.name) == sorted(cases, key=lambda case: case.name)
    assert size < sum(len(case.written) for case in cases) / 3


def test_what_the_service_asks_itself_is_reported_to_nobody(running):
    """No line of the audit log, no count of calls, no card on record, no activity."""
    running.ask_everything()
    running.failing()
    numbers = running.get("/metrics").get_data(as_text=True)
    assert "cds_service_calls_total{" not in numbers
    assert [path.read_bytes() for path in (running.folder / "state" / "audit").iterdir()] == [b""]
    running.installation.ledger.flush()
    assert activity.silence(running.installation.store, datetime.now(UTC).date()) == {}


def test_no_caller_can_pass_for_the_service_itself(running):
    """What a caller sends is in the environment under names of HTTP's own."""
    headers = {"cds_service.probe": "1", "cds-service.probe": "1"}
    running.app.test_client().post(
        "/cds-services/coverage-guidance-order-sign", json=example("typical-gaps"), headers=headers
    )
    assert "cds_service_calls_total{" in running.get("/metrics").get_data(as_text=True)


# --- readiness over several workers ---


def test_readiness_is_what_all_workers_say(tmp_path):
    now = [100.0]
    readiness = Readiness(tmp_path / "workers", 10, lambda: now[0])
    assert readiness.failing() == [STARTING]
    readiness.say([STARTING], 1)
    readiness.say([], 2)
    assert Readiness(tmp_path / "workers", 10, lambda: now[0]).failing() == [STARTING]
    readiness.say([], 1)
    assert readiness.failing() == []
    readiness.say(["store", "clock"], 2)
    readiness.say(["store"], 1)
    assert readiness.failing() == ["store", "clock"] or readiness.failing() == ["clock", "store"]
    readiness.forget(1)
    readiness.forget(2)
    assert readiness.failing() == [STARTING]
    readiness.forget(2)


def test_a_worker_that_says_nothing_more_is_found():
    now = [100.0]
    readiness = Readiness(None, 10, lambda: now[0])
    readiness.say([])
    now[0] += 11
    assert readiness.failing() == [SILENT]


def test_a_run_that_breaks_is_reported_and_the_next_one_is_made(running, capsys):
    runs: list[int] = []

    class Breaks(SelfCheck):
        def __init__(self) -> None:
            pass

        def run(self, pause=lambda seconds: False) -> dict[str, CheckResult]:
            runs.append(1)
            raise ZeroDivisionError

    beside: list[int] = []
    watch = Watch(Breaks(), running.readiness, 0.01, lambda pause: beside.append(1))
    watch.start()
    wait_for(lambda: len(runs) >= 3 and len(beside) >= 3, "three runs, and three of what is run beside them")
    watch.close()
    assert "background-failed" in capsys.readouterr().err


def test_warnings_cost_no_readiness():
    assert set(CHECKS) > WARNINGS
    assert set(CHECKS) - WARNINGS == PARTS_OF_READINESS
