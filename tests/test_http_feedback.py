"""Feedback over HTTP (CDS Hooks 2.0, "Feedback"): acknowledged is kept, repeated is counted once, words stay inside."""

import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from cds_service.app import create_app
from cds_service.hooks.feedback import CardsShown, DayRange
from cds_service.installation import Installation, names_of
from cds_service.operations import audit
from cds_service.operations.audit import AuditLog
from cds_service.operations.audit_lines import Wanted, read
from cds_service.operations.metrics import Metrics
from cds_service.settings.settings import Settings
from cds_service.store import activity, shown
from cds_service.store.activity import Silence
from cds_service.store.database import Store, open_store
from cds_service.store.failures import StoreError
from cds_service.store.feedback import kept
from cds_service.store.ledger import Ledger
from tests.canaries import MARK, Planted, feedback, found_below, found_in
from tests.shipped import TODAY, example, library

SIGN = "/cds-services/coverage-guidance-order-sign"
FEEDBACK = f"{SIGN}/feedback"
AT = "2026-11-25T10:00:00Z"
ANY = DayRange()


@pytest.fixture
def failures() -> list[StoreError]:
    return []


@pytest.fixture
def installation(store: Store, tmp_path, failures):
    with closing(
        Installation(
            metrics=Metrics(names_of(library())),
            audit=AuditLog(tmp_path / "audit", b"a key of the tests", None),
            store=store,
            ledger=Ledger(store, lambda error, forgotten: failures.append(error)),
        )
    ) as made:
        yield made


@pytest.fixture
def client(installation):
    return create_app(Settings(), library(), "http://127.0.0.1:8080", lambda: TODAY, installation).test_client()


def card_of(client, name: str = "all-met") -> dict:
    return client.post(SIGN, json=example(name)).get_json()["cards"][0]


def accepted(card: dict, **more) -> dict:
    taken = [{"id": card["suggestions"][0]["uuid"]}]
    return {"card": card["uuid"], "outcome": "accepted", "acceptedSuggestions": taken, "outcomeTimestamp": AT, **more}


def test_feedback_on_a_card_is_kept_with_what_the_card_was(client, installation, store):
    card = card_of(client)
    answer = client.post(FEEDBACK, json={"feedback": [accepted(card)]})
    assert (answer.status_code, answer.get_json()) == (200, {})
    installation.ledger.flush()
    (row,) = kept(store, ANY)
    policy = next(policy for policy in library().policies if card["links"][-1]["url"].endswith(policy.id))
    assert (row.client, row.card, row.outcome) == ("open", card["uuid"], "accepted")
    assert (row.policy, row.edition, row.card_outcome) == (policy.id, policy.edition, "met")
    assert row.service == "coverage-guidance-order-sign"
    assert row.suggestions == (card["suggestions"][0]["label"],)
    assert shown.counts(store, ANY) == [CardsShown(policy.id, "met", 1)]


def test_feedback_may_come_before_what_was_shown_is_written(client, installation, store):
    """What a card was about is looked up when the report is made."""
    card = card_of(client)
    client.post(FEEDBACK, json={"feedback": [accepted(card)]})
    installation.ledger.flush()
    assert kept(store, ANY)[0].policy is not None


def test_repeated_feedback_is_answered_as_the_first_and_kept_once(client, store):
    """G, CRD: feedback is answered quickly and is idempotent."""
    body = {"feedback": [accepted({"uuid": "c", "suggestions": [{"uuid": "s"}]})]}
    answers = [client.post(FEEDBACK, json=body) for _ in range(3)]
    assert [(answer.status_code, answer.data) for answer in answers] == [(200, b"{}")] * 3
    assert len(kept(store, ANY)) == 1
    numbers = client.get("/metrics").get_data(as_text=True)
    assert 'cds_service_feedback_total{outcome="new"} 1.0' in numbers
    assert 'cds_service_feedback_total{outcome="repeated"} 2.0' in numbers


def test_a_batch_over_several_cards_is_kept_whole(client, store):
    items = [accepted({"uuid": f"c-{number}", "suggestions": [{"uuid": "s"}]}) for number in range(50)]
    assert client.post(FEEDBACK, json={"feedback": items}).status_code == 200
    assert len(kept(store, ANY)) == 50


@pytest.mark.parametrize(
    "item",
    [
        {"overrideReasons": [{"reason": {"code": "other-therapy"}}]},
        {"overrideReason": {"extension": {"com.epic.cdshooks.feedback.overrideReason.reasonCategory": "3"}}},
        {"overrideReason": {"userComment": "Not now."}},
        {"overrideReason": {"reason": {"code": "other-therapy", "display": "No system is sent."}}},
        {},
    ],
)
def test_what_ehrs_send_in_their_own_way_is_kept(client, store, item):
    sent = {"card": "no-uuid", "outcome": "overridden", **item}
    assert client.post(FEEDBACK, json={"feedback": [sent]}).status_code == 200
    assert len(kept(store, ANY)) == 1


def test_feedback_that_cannot_be_read_is_refused_whole_and_with_its_place(client, store):
    items = [accepted({"uuid": "c", "suggestions": [{"uuid": "s"}]}), {"card": "d", "outcome": "ignored"}]
    answer = client.post(FEEDBACK, json={"feedback": items})
    assert answer.status_code == 400
    (issue,) = answer.get_json(force=True)["issue"]
    assert issue["expression"] == ["feedback[1].outcome"]
    assert kept(store, ANY) == []


def test_feedback_on_a_service_that_is_not_there_is_a_404(client):
    assert client.post("/cds-services/other/feedback", json={"feedback": []}).status_code == 404
    assert client.get(FEEDBACK).status_code == 405


def test_what_cannot_be_kept_is_not_acknowledged(client, installation, store, monkeypatch):
    def full(*_):
        raise StoreError("The store cannot be used: its disk is full (SQLITE_FULL).")

    monkeypatch.setattr("cds_service.web.feedback.save", full)
    answer = client.post(FEEDBACK, json={"feedback": [accepted({"uuid": "c", "suggestions": [{"uuid": "s"}]})]})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.get_json(force=True)["issue"][0]["code"] == "transient"
    assert "cds_service_store_failures_total 1.0" in client.get("/metrics").get_data(as_text=True)


def test_a_failure_of_the_store_is_logged_with_its_request(client, monkeypatch, capsys):
    def full(*_):
        raise StoreError("The store cannot be used: its disk is full (SQLITE_FULL).")

    monkeypatch.setattr("cds_service.web.feedback.save", full)
    client.post(FEEDBACK, json={"feedback": [{"card": "c", "outcome": "accepted"}]})
    lines = capsys.readouterr().err.splitlines()
    (failed,) = (line for line in lines if "store-failed" in line)
    (refused,) = (line for line in lines if "refused" in line)
    (request,) = (word for word in failed.split() if word.startswith("request="))
    assert request in refused.split()


@pytest.mark.parametrize(
    ("sent", "status"),
    [({"json": {"feedback": [{"card": 1}]}}, 400), ({"data": b"{}", "content_type": "text/plain"}, 415)],
)
def test_refused_feedback_leaves_an_audit_line_and_a_metric(client, tmp_path, sent, status):
    assert client.post(FEEDBACK, **sent).status_code == status
    (line,) = read(tmp_path / "audit", Wanted(), None, lambda problem: None)
    assert (line["kind"], line["status"], line["client"], line["feedback"]) == ("feedback", status, "open", [])
    text = client.get("/metrics").get_data(as_text=True)
    assert f'cds_service_feedback_total{{outcome="refused:{status}"}} 1.0' in text


def test_feedback_that_is_too_large_is_reported_too(installation, tmp_path):
    small = create_app(Settings(max_body_bytes=10), library(), "http://127.0.0.1:8080", lambda: TODAY, installation)
    client = small.test_client()
    assert client.post(FEEDBACK, json={"feedback": ["long enough"]}).status_code == 413
    (line,) = read(tmp_path / "audit", Wanted(), None, lambda problem: None)
    assert (line["kind"], line["status"]) == ("feedback", 413)


def test_a_browser_of_another_origin_may_send_feedback(client):
    asked = {"Origin": "https://sandbox.cds-hooks.org", "Access-Control-Request-Method": "POST"}
    allowed = client.options(FEEDBACK, headers=asked | {"Access-Control-Request-Headers": "Authorization"})
    assert allowed.headers["Access-Control-Allow-Origin"] in ("*", "https://sandbox.cds-hooks.org")
    assert "POST" in allowed.headers["Access-Control-Allow-Methods"]
    refused = client.post(FEEDBACK, json={"feedback": 1}, headers={"Origin": "https://sandbox.cds-hooks.org"})
    assert refused.headers["Access-Control-Allow-Origin"] in ("*", "https://sandbox.cds-hooks.org")


def test_calls_beyond_the_limit_are_refused_for_feedback_too(installation):
    limited = replace(installation, rate_limit="1/minute")
    client = create_app(Settings(), library(), "http://127.0.0.1:8080", lambda: TODAY, limited).test_client()
    assert [client.post(FEEDBACK, json={"feedback": []}).status_code for _ in range(2)] == [200, 429]


def test_the_audit_log_knows_of_feedback_and_not_its_words(client, installation, tmp_path):
    card = card_of(client)
    reason = {"code": card["overrideReasons"][0]["code"], "display": f"{MARK}1"}
    sent = {"card": card["uuid"], "outcome": "overridden", "overrideReasons": [{"reason": reason}]}
    client.post(FEEDBACK, json={"feedback": [sent]})
    lines = list(read(tmp_path / "audit", Wanted(card=card["uuid"]), None, lambda problem: None))
    assert [line["kind"] for line in lines] == ["call", "feedback"]
    assert lines[1]["feedback"] == [{"card": card["uuid"], "outcome": "overridden", "reason": reason["code"]}]
    assert found_below([tmp_path / "audit"]) == {}


@pytest.mark.parametrize("kept", [True, False])
def test_a_line_of_the_audit_log_is_made_only_where_one_is_kept(installation, monkeypatch, kept):
    made: list[str] = []
    for name in ("Call", "Feedback"):
        real = getattr(audit, name)
        monkeypatch.setattr(audit, name, lambda real=real, name=name, **given: made.append(name) or real(**given))
    around = installation if kept else replace(installation, audit=audit.NoAuditLog())
    client = create_app(Settings(), library(), "http://127.0.0.1:8080", lambda: TODAY, around).test_client()
    assert client.post(FEEDBACK, json={"feedback": [accepted(card_of(client))]}).status_code == 200
    assert made == (["Call", "Feedback"] if kept else [])


def test_what_users_wrote_is_in_the_store_alone(client, installation, tmp_path, capsys):
    planted = Planted(example("typical-gaps"))
    client.post(SIGN, json=planted.request)
    calls = set(planted.marks)
    assert client.post(FEEDBACK, json=feedback(planted)).status_code == 200
    installation.close()
    assert found_below([tmp_path / "audit"]) == {}
    assert found_in(client.get("/metrics").data) == set()
    assert found_in("".join(capsys.readouterr())) == set()
    # Of the calls themselves nothing is in the store either.
    assert set().union(*found_below([tmp_path]).values()) & calls == set()


# --- the ledger: what calls leave without waiting ---


def test_orders_and_cards_are_counted_by_statement(client, installation, store):
    policy = library().policies[0]
    for name in ("all-met", "typical-gaps", "unrelated-order"):
        client.post(SIGN, json=example(name))
    installation.ledger.flush()
    silences = activity.silence(store, TODAY)
    assert silences[policy.id] == Silence(TODAY, TODAY, 0)


def test_a_statement_that_fails_has_orders_and_no_card(client, installation, store, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("cds_service.service.statement.decisions.decide", broken)
    card = card_of(client)
    installation.ledger.flush()
    policy = next(policy for policy in library().policies if card["links"][-1]["url"].endswith(policy.id))
    assert activity.silence(store, TODAY)[policy.id] == Silence(TODAY, None, 1)
    assert shown.counts(store, ANY) == [CardsShown(policy.id, "failed", 1)]


def test_what_was_noted_is_written_by_itself(client, installation, store):
    """The ledger's thread writes a moment later, without being asked."""
    written = threading.Event()
    flush = installation.ledger.flush

    def told() -> None:
        flush()
        written.set()

    installation.ledger.flush = told
    card_of(client)
    assert written.wait(20)
    assert len(shown.counts(store, ANY)) == 1


def test_what_cannot_be_written_is_reported_and_written_later(client, installation, store, failures, monkeypatch):
    card_of(client)
    with monkeypatch.context() as patched:

        def busy(*_):
            raise StoreError("The store cannot be used: it is busy.")

        patched.setattr("cds_service.store.ledger.shown.record", busy)
        with pytest.raises(StoreError):
            installation.ledger.flush()
    installation.ledger.flush()
    assert len(shown.counts(store, ANY)) == 1
    assert activity.silence(store, TODAY + timedelta(days=1)) != {}


def test_of_cards_that_cannot_be_written_the_oldest_are_forgotten_at_last(store, monkeypatch):
    lost: list[int] = []

    def broken(*_):
        raise StoreError("The store cannot be used: it is busy.")

    monkeypatch.setattr("cds_service.store.ledger.shown.record", broken)
    monkeypatch.setattr("cds_service.store.ledger.MOST_CARDS", 2)
    ledger = Ledger(store, lambda error, forgotten: lost.append(forgotten))
    cards = [
        shown.Shown(card=f"c-{number}", client="ehr", policy="p", edition="1", outcome="met", service="s", day=TODAY)
        for number in range(5)
    ]
    ledger.note(cards, TODAY, ["p"], ["p"])
    ledger.close()
    assert sum(lost) == 3


def test_closing_writes_what_was_noted(client, installation, store):
    card_of(client)
    installation.close()
    assert len(shown.counts(store, ANY)) == 1


def test_a_second_process_reads_what_the_first_wrote(client, installation, store, store_url, tmp_path):
    client.post(FEEDBACK, json={"feedback": [accepted({"uuid": "c", "suggestions": [{"uuid": "s"}]})]})
    with closing(open_store(store_url, tmp_path)) as other:
        assert len(kept(other, ANY)) == 1
