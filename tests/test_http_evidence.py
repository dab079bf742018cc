"""Evidence pages over HTTP: the link of a card, who may open it, what is reported, and what is stored nowhere."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from pydantic import SecretStr

from cds_service.app import create_app
from cds_service.card.words.rest import EVIDENCE_LINK
from cds_service.clock import Deadline
from cds_service.hooks.client_names import OPEN
from cds_service.installation import Installation, installation_of, names_of
from cds_service.operations import logs
from cds_service.operations.audit import AuditLog
from cds_service.operations.audit_lines import Wanted, read
from cds_service.operations.metrics import Metrics
from cds_service.operations.sealing import keys_of
from cds_service.settings.settings import Settings
from cds_service.store import database
from cds_service.store.failures import StoreError
from cds_service.store.page_keys import KeptKeys
from cds_service.store.sealed_pages import SealedPages
from cds_service.trust.clients import load_clients
from cds_service.trust.entries import OFF, SEALED, Client
from cds_service.web import calls, evidence_links
from cds_service.web.evidence import COOKIE
from tests.canaries import Planted, found_below, found_in
from tests.shipped import TODAY, example, library
from tests.tokens import ISSUER

PUBLIC = "http://127.0.0.1:8080"
SIGN = "/cds-services/coverage-guidance-order-sign"
KEY = "A" * 43 + "="


class Clock:
    """A time that a test moves."""

    now = datetime(2026, 11, 23, 14, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(autouse=True)
def patience(monkeypatch) -> None:
    """A machine with much to do costs no card its link here: what is tested is links, and not how soon they come."""
    monkeypatch.setattr(calls, "FOR_A_LINK", 60.0)
    monkeypatch.setattr(database, "SECONDS_OF_A_CALL", 60.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pages(store, tmp_path, clock) -> SealedPages:
    return SealedPages(store, KeptKeys(tmp_path / "keys"), 8, [OPEN], clock)


@pytest.fixture
def installation(store, tmp_path, pages) -> Installation:
    return Installation(
        metrics=Metrics(names_of(library())),
        audit=AuditLog(tmp_path / "audit", b"a key of the tests", keys_of(KEY)),
        store=store,
        evidence_mode=SEALED,
        evidence_pages=pages,
    )


def application(installation: Installation, public: str = PUBLIC):
    return create_app(Settings(), library(), public, lambda: TODAY, installation)


@pytest.fixture
def app(installation):
    return application(installation)


@pytest.fixture
def client(app):
    return app.test_client()


def cards_of(client, name: str = "typical-gaps", request: dict | None = None) -> list[dict]:
    answer = client.post(SIGN, json=request or example(name))
    assert answer.status_code == 200, answer.data
    return answer.get_json()["cards"]


def link_of(card: dict) -> str | None:
    return next((item["url"] for item in card.get("links", ()) if item["label"] == EVIDENCE_LINK), None)


def opening(client, link: str, **more):
    """What the script of the page sends for a link."""
    path, _, secret = link.removeprefix(PUBLIC).partition("#")
    return client.post(path, json={"secret": secret}, **more)


# --- the link --------------------------------------------------------------------------------------------------------


def test_a_card_links_to_its_evidence_page(client):
    (card,) = cards_of(client)
    (link,) = [item for item in card["links"] if item["label"] == "Evidence for this patient"]
    assert link["type"] == "absolute"
    assert link["url"].startswith(f"{PUBLIC}/evidence/")
    assert "#" in link["url"]
    assert len(link["url"]) < 200


def test_the_link_changes_nothing_else_of_the_answer(client, store):
    without = application(Installation(store=store, evidence_mode=OFF)).test_client()
    (plain,), (linked,) = cards_of(without), cards_of(client)
    changed = {name for name in plain if plain[name] != linked[name]}
    assert changed == {"links", "detail"}
    # Without a page the card spells out what the page would show.
    assert plain["detail"].startswith(linked["detail"])
    assert "Documentation needed:" in plain["detail"].removeprefix(linked["detail"])
    assert link_of(plain) is None


def test_the_same_call_has_the_same_card_and_another_link(client):
    (first,), (second,) = cards_of(client), cards_of(client)
    assert first["uuid"] == second["uuid"]
    assert link_of(first) != link_of(second)


def test_each_card_of_a_call_has_its_own_link(client):
    request = example("typical-gaps")
    request["context"]["draftOrders"]["entry"] += example("joint-typical-gaps")["context"]["draftOrders"]["entry"]
    for entry in request["context"]["draftOrders"]["entry"]:
        entry["resource"]["subject"] = {"reference": f"Patient/{request['context']['patientId']}"}
    cards = cards_of(client, request=request)
    assert len(cards) == 2
    assert len({link_of(card) for card in cards} - {None}) == 2
    for card in cards:
        assert card["summary"] in opening(client, link_of(card)).get_data(as_text=True)


@pytest.mark.parametrize("name", ["bare-code-asks", "temporary-lead", "joint-without-a-side"])
def test_a_card_without_a_decision_has_no_evidence_page(client, name):
    assert [link_of(card) for card in cards_of(client, name)] == [None]


def test_a_client_whose_pages_are_off_has_no_link(installation):
    off = Installation(store=installation.store, evidence_pages=installation.evidence_pages, evidence_mode=OFF)
    (card,) = cards_of(application(off).test_client())
    assert link_of(card) is None


class Down(SealedPages):
    """Pages whose store is down."""

    def add(self, pages, deadline):
        raise StoreError("The store (SQLite) cannot be used: its disk is full.")


def test_without_the_store_the_card_goes_out_without_the_link(installation, store, tmp_path, clock):
    down = Down(store, KeptKeys(tmp_path / "keys"), 8, [OPEN], clock)
    broken = Installation(store=store, metrics=installation.metrics, evidence_mode=SEALED, evidence_pages=down)
    (card,) = cards_of(application(broken).test_client())
    assert card["summary"]
    assert link_of(card) is None


def test_without_a_key_the_card_goes_out_without_the_link(store, tmp_path, clock):
    (tmp_path / "keys").write_text("broken")
    pages = SealedPages(store, KeptKeys(tmp_path / "keys"), 8, [OPEN], clock)
    broken = Installation(store=store, evidence_mode=SEALED, evidence_pages=pages)
    (card,) = cards_of(application(broken).test_client())
    assert link_of(card) is None


def test_a_page_that_cannot_be_made_costs_its_link_and_no_card(client, monkeypatch):
    def broken(*given: object, **named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(evidence_links, "evidence_page", broken)
    assert [link_of(card) for card in cards_of(client)] == [None]


# --- who may open it -------------------------------------------------------------------------------------------------


def test_the_page_asks_for_itself_and_holds_nothing_of_the_patient(client):
    link = link_of(cards_of(client)[0])
    asked = client.get(link.removeprefix(PUBLIC).partition("#")[0])
    text = asked.get_data(as_text=True)
    assert asked.status_code == 200
    assert "<title>Evidence</title>" in text
    for word in ("M54", "Female", "back pain", "neurostimulation"):
        assert word not in text
    assert "<script>" not in text
    assert 'src="../static/evidence.js"' in text


def test_the_secret_opens_the_page(client):
    (card,) = cards_of(client)
    shown = opening(client, link_of(card))
    text = shown.get_data(as_text=True)
    assert shown.status_code == 200
    assert card["summary"] in text
    for word in ("Female, 48", "CPT 64555", "Example Mutual", "Attach or document before submission", "97110", "44%"):
        assert word in text
    for heading in ("Codes", "Payer", "Evidence for and against the therapy", "Data received", "About this page"):
        assert f">{heading}</h2>" in text


def test_conflicts_stand_first(client):
    text = opening(client, link_of(cards_of(client, "conflicting-data")[0])).get_data(as_text=True)
    assert text.index("Resolve first") < text.index("FDA label criteria</h2>")
    assert text.index("Conflict</span>") < text.index("Met in chart</span>")


@pytest.mark.parametrize("method", ["get", "post"])
def test_no_answer_is_kept_framed_or_referred_to(client, method):
    link = link_of(cards_of(client)[0])
    path = link.removeprefix(PUBLIC).partition("#")[0]
    answer = client.get(path) if method == "get" else opening(client, link)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "strict-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_first_browser_is_bound_by_a_cookie_that_no_script_reads(client):
    link = link_of(cards_of(client)[0])
    cookie = opening(client, link).headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/evidence"):
        assert part in cookie
    assert "Partitioned" not in cookie
    assert opening(client, link).status_code == 200


def test_a_second_browser_is_asked_to_open_it_again_from_the_chart(app, client):
    link = link_of(cards_of(client)[0])
    assert opening(client, link).status_code == 200
    second = opening(app.test_client(), link)
    assert second.status_code == 403
    assert "Open it again from the chart" in second.get_data(as_text=True)
    assert "Set-Cookie" not in second.headers


def test_unknown_and_expired_give_the_same_words(client, clock):
    link = link_of(cards_of(client)[0])
    path = link.removeprefix(PUBLIC).partition("#")[0]
    assert opening(client, link).status_code == 200
    unknown = "/evidence/AAAAAAAAAAAAAAAAAAAAAA"
    answers = [client.get(unknown), client.post(unknown, json={"secret": "A" * 43})]
    wrong = client.post(path, json={"secret": "A" * 43})
    clock.now += timedelta(hours=9)
    expired = [client.get(path), opening(client, link)]
    assert {answer.status_code for answer in (*answers, wrong, *expired)} == {404}
    assert answers[0].data == expired[0].data
    assert answers[1].data == expired[1].data == wrong.data
    assert {**answers[1].headers} == {**expired[1].headers}


@pytest.mark.parametrize("body", ["[]", "{}", '{"secret": 5}', '"x"'])
def test_what_is_no_secret_opens_nothing(client, body):
    path = link_of(cards_of(client)[0]).removeprefix(PUBLIC).partition("#")[0]
    assert client.post(path, data=body, content_type="application/json").status_code == 404


def test_a_form_of_another_page_opens_nothing(client):
    path = link_of(cards_of(client)[0]).removeprefix(PUBLIC).partition("#")[0]
    assert client.post(path, data="secret=x", content_type="application/x-www-form-urlencoded").status_code == 415


def test_a_long_body_is_not_read(client):
    path = link_of(cards_of(client)[0]).removeprefix(PUBLIC).partition("#")[0]
    assert client.post(path, json={"secret": "x" * 2000}).status_code == 413


def test_a_page_of_another_origin_may_not_ask(client):
    link = link_of(cards_of(client)[0])
    assert opening(client, link, headers={"Origin": "https://evil.example"}).status_code == 403


def test_too_many_attempts_are_asked_to_wait(client, monkeypatch):
    # A busy machine may take longer over them than the minute in which they count.
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    codes = {client.get("/evidence/AAAAAAAAAAAAAAAAAAAAAA").status_code for _ in range(601)}
    assert codes == {404, 429}
    link = link_of(cards_of(client)[0])
    refused = opening(client, link)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert "Wait a minute" in refused.get_data(as_text=True)


def test_a_page_that_cannot_be_read_now_says_so(client, pages, monkeypatch):
    link = link_of(cards_of(client)[0])

    def down(name: str, deadline: Deadline) -> None:
        raise StoreError("The store (SQLite) cannot be used: it is busy.")

    monkeypatch.setattr(pages, "_found", down)
    for answer in (client.get(link.removeprefix(PUBLIC).partition("#")[0]), opening(client, link)):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert "Try again in a few seconds" in answer.get_data(as_text=True)


# --- clients ---------------------------------------------------------------------------------------------------------


@contextmanager
def trusting(tmp_path, *lines: str, **settings):
    """An installation with a clients file whose one entry has these lines too."""
    path = tmp_path / "clients.toml"
    path.write_text("\n".join([path.read_text() if path.exists() else "", *lines]))
    made = Settings(state=tmp_path / "state", clients=path, id_key=SecretStr("0123456789abcdef"), **settings)
    with closing(installation_of(made, library(), only_this_machine=True)) as installation:
        yield installation


def test_on_open_loopback_pages_are_on_and_with_clients_they_are_off_until_chosen(tmp_path, clients_file):
    made = Settings(state=tmp_path / "state")
    with closing(installation_of(made, library(), only_this_machine=True)) as installation:
        assert installation.evidence_pages is not None
    with closing(installation_of(made, library(), only_this_machine=False)) as installation:
        assert installation.evidence_pages is None
    with trusting(tmp_path) as installation:
        assert installation.evidence_pages is None
    with trusting(tmp_path, 'evidence = "sealed"') as installation:
        assert installation.evidence_pages is not None


def test_a_client_may_have_no_pages_where_others_do(tmp_path, clients_file):
    with trusting(tmp_path, 'evidence = "off"', evidence="sealed") as installation:
        assert installation.evidence_pages is None
        assert installation.evidence_mode == SEALED


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('evidence = "smart"', "'smart' needs the table smart: the EHR launches the page as it launches the form"),
        ('evidence = "seeled"', "'seeled' is not allowed; did you mean 'sealed'"),
        ('frame_ancestors = ["https://ehr.example/x"]', "is not a web origin such as https://ehr.example"),
        ('frame_ancestors = ["https://a.example; script-src *"]', "is not a web origin"),
    ],
)
def test_what_an_entry_may_say_of_evidence_is_reported(clients_file, line, words):
    clients_file.write_text(clients_file.read_text() + line + "\n")
    with pytest.raises(ValueError, match="client 'general'") as caught:
        load_clients(clients_file)
    assert words in str(caught.value)


def test_a_framed_client_has_its_origin_and_a_partitioned_cookie(store, tmp_path, clock):
    entry = Client(id=OPEN, issuer=ISSUER, evidence=SEALED, frame_ancestors=("https://ehr.example",))
    pages = SealedPages(store, KeptKeys(tmp_path / "keys"), 8, [OPEN], clock)
    framed = Installation(store=store, open_client=entry, evidence_pages=pages)
    client = application(framed, "https://cds.example").test_client()
    headers = {"Host": "cds.example"}
    link = link_of(client.post(SIGN, json=example("typical-gaps"), headers=headers).get_json()["cards"][0])
    path, _, secret = link.removeprefix("https://cds.example").partition("#")
    shown = client.post(path, json={"secret": secret}, headers=headers)
    assert "frame-ancestors https://ehr.example" in shown.headers["Content-Security-Policy"]
    for part in ("HttpOnly", "Secure", "SameSite=None", "Partitioned"):
        assert part in shown.headers["Set-Cookie"]
    # Whoever learns in a frame that a page is gone must be able to read it there.
    gone = client.get("/evidence/AAAAAAAAAAAAAAAAAAAAAA", headers=headers)
    assert "frame-ancestors https://ehr.example" in gone.headers["Content-Security-Policy"]


# --- what is reported, and what is not -------------------------------------------------------------------------------


def test_the_audit_log_tells_made_and_opened_by_card_and_nothing_that_opens_it(client, tmp_path):
    (card,) = cards_of(client)
    link = link_of(card)
    cookie = opening(client, link).headers["Set-Cookie"]
    broken: list[str] = []
    lines = list(read(tmp_path / "audit", Wanted(card=card["uuid"]), keys_of(KEY), broken.append))
    told = [(line["kind"], line.get("event"), line["client"]) for line in lines]
    assert told == [("call", None, OPEN), ("evidence", "made", OPEN), ("evidence", "opened", OPEN)]
    assert lines[1]["request"] == lines[0]["request"]
    # The content that is kept of the answer too, opened with its key.
    assert EVIDENCE_LINK in json.dumps(lines[0]["content"])
    kept = json.dumps(lines)
    name, _, secret = link.rpartition("/")[2].partition("#")
    held = cookie.removeprefix(f"{COOKIE}=").partition(";")[0]
    for part in (name, secret, held, link):
        assert part not in kept
    assert broken == []


@pytest.fixture
def log_of_json() -> Iterator[None]:
    """Everything is logged as JSON, and afterwards as before."""
    root = logging.getLogger()
    handlers, level, raising = [*root.handlers], root.level, logging.raiseExceptions
    logs.configure("json", "debug", names_of(library()), lambda count: None)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising
    structlog.reset_defaults()


@pytest.mark.usefixtures("log_of_json")
def test_canaries_stand_in_the_answer_and_nowhere_else(client, tmp_path, store, capsys):
    planted = Planted(example("typical-gaps"))
    (card,) = cards_of(client, request=planted.request)
    shown = opening(client, link_of(card)).get_data(as_text=True)
    assert found_in(shown)
    patient = planted.request["prefetch"]["patient"]
    for name in patient["name"]:
        assert found_in(json.dumps(name)).isdisjoint(found_in(shown))
    got = client.get(link_of(card).removeprefix(PUBLIC).partition("#")[0])
    assert found_in(got.data) == set()
    assert found_in(link_of(card)) == set()
    with store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM evidence_pages").all()
    assert len(rows) == 1
    assert found_in(repr([tuple(map(bytes_or_text, row)) for row in rows])) == set()
    assert found_below([tmp_path]) == {}
    told = "".join(capsys.readouterr())
    assert '"event":"call"' in told.replace(" ", "")
    assert found_in(told) == set()
    assert client.get("/metrics").status_code == 200
    assert found_in(client.get("/metrics").data) == set()


def bytes_or_text(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


@pytest.fixture(autouse=True)
def quiet():
    """The log as it was before the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}{% raw %}\u202e\u0000javascript:alert(3)'


def test_hostile_words_of_a_chart_are_text(client):
    request = json.loads(json.dumps(example("typical-gaps")))
    for value in request["prefetch"].values():
        for entry in (value or {}).get("entry", ()):
            resource = entry["resource"]
            if resource["resourceType"] == "MedicationStatement":
                resource["medicationCodeableConcept"]["text"] += f" {HOSTILE}"
            if resource["resourceType"] == "Organization":
                resource["name"] = HOSTILE
            if resource["resourceType"] == "Coverage":
                resource["payor"] = [{"display": HOSTILE}]
    (card,) = cards_of(client, request=request)
    text = opening(client, link_of(card)).get_data(as_text=True)
    assert text.count("&lt;script&gt;alert(1)") >= 2
    assert "{{7*7}}{% raw %}" in text
    for raw in ("<script", "<img", "onerror=alert(2)>", "\u202e", "\x00"):
        assert raw not in text
