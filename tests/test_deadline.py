"""One deadline from the accepted request to the last byte, whatever the store, the chart or a caller does."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from cds_service.app import create_app
from cds_service.clock import Deadline
from cds_service.errors import RequestError
from cds_service.hooks import hook_request
from cds_service.installation import Installation, installation_of
from cds_service.service import hook_call, statement
from cds_service.settings.settings import Settings
from cds_service.store import circuit, patience
from cds_service.store.circuit import Circuit
from cds_service.store.database import Store, open_store
from cds_service.store.failures import StoreError
from cds_service.store.replay import ReplayStore
from cds_service.web import accepted, outcomes, reading
from tests.shipped import TODAY, example, guide, library
from tests.tokens import BASE, ISSUER, URL, bearer, key_set

SIGN = URL.removeprefix(BASE)
FEEDBACK = f"{SIGN}/feedback"
SECONDS = 2.0
# What a busy machine may need beside the deadline; a call that waits for the store without one takes 5 s and more.
BUSY = 2.0
ITEM = {"card": "c", "outcome": "accepted", "outcomeTimestamp": "2026-11-25T10:00:00Z"}
HOLDS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(f"BEGIN {sys.argv[2]}")
print("held", flush=True)
sys.stdin.read()
"""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def held_by_another_process(file: Path, kind: str) -> Iterator[None]:
    arguments = [sys.executable, "-c", HOLDS, str(file), kind]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            other.stdin.close()


Stuck = Callable[[], AbstractContextManager[None]]


@pytest.fixture(params=["sqlite IMMEDIATE", "sqlite EXCLUSIVE", "postgresql stopped"])
def stuck(request, tmp_path) -> tuple[str, Stuck]:
    """The address of a store, and what makes it answer nothing."""
    kind, _, how = request.param.partition(" ")
    if kind == "postgresql":
        cluster = request.getfixturevalue("postgresql")
        return cluster.database(), cluster.stopped
    return "", lambda: held_by_another_process(tmp_path / "store.sqlite", how)


@contextmanager
def serving(tmp_path: Path, url: str, **more) -> Iterator[Installation]:
    settings = Settings(state=tmp_path, store_url=url, call_seconds=SECONDS, **more)
    with closing(installation_of(settings, library(), only_this_machine=True)) as installation:
        yield installation


def client_of(installation: Installation):
    return create_app(Settings(), library(), BASE, lambda: TODAY, installation).test_client()


def clients_file(tmp_path: Path) -> Path:
    (tmp_path / "keys.json").write_text(json.dumps(key_set("rsa")))
    path = tmp_path / "clients.toml"
    path.write_text(f'[[client]]\nid = "general"\nissuer = "{ISSUER}"\njwks_file = "keys.json"\n')
    return path


def authorized(jti: str) -> dict[str, str]:
    now = int(time.time())
    return {"Authorization": bearer(iat=now, exp=now + 300, jti=jti)}


def timed(send: Callable[[], TestResponse]) -> tuple[TestResponse, float]:
    started = time.monotonic()
    return send(), time.monotonic() - started


def assert_unavailable(answer: TestResponse) -> None:
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert json.loads(answer.data)["resourceType"] == "OperationOutcome"


def without_links(answer: TestResponse) -> dict:
    """The one card of an answer but for its links: without the store there is no evidence page."""
    (card,) = json.loads(answer.data)["cards"]
    return {name: value for name, value in card.items() if name != "links"}


def test_without_trust_a_stuck_store_holds_no_hook_call(stuck, tmp_path):
    url, stop = stuck
    with serving(tmp_path, url) as installation:
        client = client_of(installation)
        card = without_links(client.post(SIGN, json=example("all-met")))
        with stop():
            for _ in range(3):
                answer, seconds = timed(lambda: client.post(SIGN, json=example("all-met")))
                assert (answer.status_code, without_links(answer)) == (200, card)
                assert seconds < SECONDS + BUSY


def test_feedback_is_answered_by_the_deadline_though_the_store_is_stuck_and_kept_after_it(stuck, tmp_path):
    url, stop = stuck
    with serving(tmp_path, url) as installation:
        client = client_of(installation)
        assert client.post(FEEDBACK, json={"feedback": [ITEM]}).status_code == 200
        with stop():
            answer, seconds = timed(lambda: client.post(FEEDBACK, json={"feedback": [ITEM]}))
            assert_unavailable(answer)
            assert seconds < SECONDS + BUSY
            # No second one waits in vain.
            answer, seconds = timed(lambda: client.post(FEEDBACK, json={"feedback": [ITEM]}))
            assert_unavailable(answer)
            assert seconds < circuit.SECONDS_IN_VAIN
        assert until(lambda: client.post(FEEDBACK, json={"feedback": [ITEM]}).status_code == 200)


def test_with_trust_a_token_that_cannot_be_checked_is_answered_by_the_deadline(stuck, tmp_path):
    url, stop = stuck
    with serving(tmp_path, url, clients=clients_file(tmp_path)) as installation:
        client = client_of(installation)

        def call(jti: str) -> TestResponse:
            return client.post(SIGN, json=example("unrelated-order"), headers=authorized(jti))

        assert call("before").status_code == 200
        with stop():
            answer, seconds = timed(lambda: call("meanwhile"))
            assert_unavailable(answer)
            assert seconds < SECONDS + BUSY
            # A token that is bad needs no store to be refused.
            assert client.post(SIGN, json={}, headers={"Authorization": "Bearer x"}).status_code == 401
        assert until(lambda: call(f"after {time.monotonic()}").status_code == 200)
        assert call("before").status_code == 401


def until(holds: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether something comes to hold."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < end:
        if holds():
            return True
        pause.wait(0.05)
    return False


def test_work_beside_the_calls_does_not_wait_for_a_stopped_server_without_end(postgresql, tmp_path, monkeypatch):
    monkeypatch.setattr(patience, "SECONDS_UNANSWERED", 0.3)
    with closing(open_store(postgresql.database(), tmp_path)) as store:
        store.ping()
        with postgresql.stopped(), pytest.raises(StoreError, match="it cannot be reached"):
            store.ping()
        store.ping()


def test_a_batch_that_takes_longer_than_the_patience_is_written_while_the_server_answers(
    postgresql, tmp_path, monkeypatch
):
    monkeypatch.setattr(patience, "SECONDS_UNANSWERED", 0.0)
    with closing(open_store(postgresql.database(), tmp_path)) as store:
        replay = ReplayStore(store)
        assert all(replay.remember("i", str(number), datetime(2030, 1, 1, tzinfo=UTC)) for number in range(20))


def test_a_connection_keeps_its_usual_patience_after_a_call(tmp_path):
    with closing(open_store("", tmp_path)) as store:
        with store.within(Deadline(0.05)):
            assert busy_timeout(store) <= 50
        assert busy_timeout(store) == 5000


def busy_timeout(store: Store) -> int:
    with store.reading() as connection:
        return connection.exec_driver_sql("PRAGMA busy_timeout").scalar()


def test_after_a_wait_in_vain_one_call_tries_and_the_others_are_refused_at_once():
    clock = Clock()
    breaker = Circuit("the store", clock)

    def fails_after(seconds: float) -> None:
        with breaker.guarded():
            clock.now += seconds
            raise StoreError("busy")

    for _ in range(2):
        with pytest.raises(StoreError, match=r"^busy$"):
            fails_after(circuit.SECONDS_IN_VAIN / 2)
    with pytest.raises(StoreError, match=r"^busy$"):
        fails_after(circuit.SECONDS_IN_VAIN)
    with pytest.raises(StoreError, match="is being skipped for a moment"):
        fails_after(0)
    clock.now += circuit.SECONDS_OPEN
    with breaker.guarded(), pytest.raises(StoreError, match="is being skipped for a moment"):
        fails_after(0)
    with breaker.guarded():
        pass


def test_the_deadline_runs_from_the_moment_that_the_server_names():
    clock = Clock()
    clock.now = 100.0
    assert accepted.deadline_of({accepted.KEY: 98.0}, 3.0, clock).left() == 1.0
    assert accepted.deadline_of({accepted.KEY: 90.0}, 3.0, clock).left() == 0.0
    assert accepted.deadline_of({}, 3.0, clock).left() == 3.0
    assert accepted.deadline_of({accepted.KEY: "98"}, 3.0, clock).left() == 3.0
    assert accepted.deadline_of({}, 3.0, clock).earlier(1.0).left() == 2.0


@pytest.mark.parametrize(("path", "body"), [(SIGN, example("all-met")), (FEEDBACK, {"feedback": [ITEM]})])
def test_what_waited_for_its_turn_beyond_the_deadline_is_not_begun(tmp_path, path, body):
    with serving(tmp_path, "") as installation:
        client = client_of(installation)
        long_ago = {accepted.KEY: time.monotonic() - SECONDS}
        answer = client.post(path, json=body, environ_overrides=long_ago)
        assert_unavailable(answer)
        assert client.post(path, json=body, environ_overrides={accepted.KEY: time.monotonic()}).status_code == 200


def test_a_body_that_comes_too_late_is_408_and_counted_as_such(tmp_path):
    installation = Installation(metrics=surroundings_metrics())
    app = create_app(Settings(), library(), BASE, lambda: TODAY, installation)
    with app.test_request_context(SIGN, method="POST", json={}), pytest.raises(RequestError) as refused:
        reading.body(Deadline(0))
    assert refused.value.status == 408
    with app.test_client() as client:
        announced = {"CONTENT_LENGTH": "10"}
        cut = client.post(SIGN, data=b"{", content_type="application/json", environ_overrides=announced)
        assert cut.status_code == 408
        assert 'outcome="refused:408"' in client.get("/metrics").get_data(as_text=True)


def surroundings_metrics():
    from cds_service.installation import names_of
    from cds_service.operations.metrics import Metrics

    return Metrics(names_of(library()))


def answers_in(rounds: int) -> list[statement.Answer]:
    """The answers of all statements where there is time for so many steps: reading, and each statement after it."""
    parsed = hook_request.parse("coverage-guidance-order-sign", example("all-met"))
    left = iter([True] * rounds)
    policies = tuple(library().policies)
    return hook_call.answer(parsed, guide(), TODAY, candidates=policies, in_time=lambda: next(left, False))


@pytest.mark.parametrize("rounds", [0, 1])
def test_where_there_is_time_for_no_statement_the_call_is_503(rounds):
    with pytest.raises(RequestError) as refused:
        answers_in(rounds)
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "5"})


def test_a_statement_for_which_there_is_no_time_says_so_and_suggests_nothing():
    whole = answers_in(99)
    found = answers_in(3)
    late = [item for item in found if item.late]
    assert len(late) == len(library().statements) - 1
    for item in late:
        assert item.decision is None
        assert item.card["summary"].endswith("coverage criteria could not be checked; order unchanged")
        assert "suggestions" not in item.card
        assert outcomes.of_answer(item) == "late"
    assert outcomes.of_call(found) == "late"
    assert [item.card for item in found if not item.late] == [
        item.card for item in whole if item.policy.statement == library().statements[0][0].statement
    ]


def test_a_late_statement_is_counted_and_not_taken_for_one_that_gave_its_card(tmp_path, monkeypatch):
    monkeypatch.setattr(hook_call, "answer_of", hook_call.late_answer)
    with serving(tmp_path, "") as installation:
        client = client_of(installation)
        (card,) = client.post(SIGN, json=example("all-met")).get_json()["cards"]
        assert card["summary"].endswith("coverage criteria could not be checked; order unchanged")
        text = client.get("/metrics").get_data(as_text=True)
        assert 'cds_service_cards_total{outcome="late",' in text
        assert 'cds_service_calls_total{outcome="late",' in text
        installation.ledger.flush()
        rows = sqlite3.connect(tmp_path / "store.sqlite").execute("SELECT orders, cards FROM activity").fetchall()
        assert rows == [(1, 0)]


def test_a_call_of_our_own_has_no_deadline(tmp_path):
    from cds_service.web import probe

    installation = replace(Installation(), call_seconds=-1.0)
    client = create_app(Settings(), library(), BASE, lambda: TODAY, installation).test_client()
    assert_unavailable(client.post(SIGN, json=example("all-met")))
    own = client.post(SIGN, json=example("all-met"), environ_overrides={probe.KEY: probe.Probe(TODAY)})
    assert own.status_code == 200
