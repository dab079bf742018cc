"""The evidence page that an EHR launches: what it says, whom it names, what it asks for, and that nothing is kept."""

import json
import sqlite3
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cds_service.card.form_context import LONGEST, app_context, read_context
from cds_service.card.ids import results_digest
from cds_service.documentation.context import drafts_of
from cds_service.documentation.patient_page import patient_page
from cds_service.hooks import hook_request
from cds_service.installation import Installation
from cds_service.operations.audit import AuditLog
from cds_service.operations.audit_lines import Wanted, read
from cds_service.service import hook_call
from cds_service.service.form_decisions import form_decisions
from cds_service.store.form_sessions import IDLE_SECONDS
from cds_service.trust.entries import OFF, SEALED, SMART, Client, anyone
from cds_service.trust.smart import SmartApp
from cds_service.web.evidence_links import LAUNCH_PATH, EvidenceLinks, RuleSetParts
from tests.form_ehr import BASE, NOW, PATIENT, FormEhr, registration
from tests.form_service import OURS, Clock, form_app, signed_in
from tests.shipped import TODAY, answers, example, guide

POLICY = "isass-restorative-neurostimulation-2023"
CARD = "6a1f0e7c-1111-5222-8333-444455556666"
CONTEXT = {"policy": POLICY, "codes": ["64590"], "order": "ServiceRequest/o1", "made": NOW - 660, "card": CARD}
CANARIES = ("Canary-Family", "Canary-Given", "token-of-the-ehr", "1978-05-28")
EXAMPLES = (
    *("typical-gaps", "all-met", "conflicting-data", "infection-red-flag", "epic-like", "order-select-leads"),
    *("joint-typical-gaps", "joint-both-sides", "joint-all-documented", "patient-view-multifidus"),
)
WHO = {
    "resourceType": "Patient",
    "id": PATIENT,
    "name": [{"family": "Canary-Family", "given": ["Canary-Given"]}],
    "birthDate": "1978-05-28",
    "gender": "female",
    "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": "Canary-4711"}],
}
SIGN = hook_request.SERVICE_OF[hook_request.ORDER_SIGN]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ehr() -> FormEhr:
    ehr = FormEhr(token={"appContext": json.dumps(CONTEXT)})
    ehr.answers["GET", f"/Patient/{PATIENT}"] = (200, WHO)
    return ehr


@pytest.fixture
def app(ehr, tmp_path, clock) -> Flask:
    around = Installation(audit=AuditLog(tmp_path / "audit", b"a key of the tests", None))
    return form_app(tmp_path / "state", ehr, clock, installation=around)


@pytest.fixture
def browser(app) -> FlaskClient:
    return app.test_client()


def shown(browser: FlaskClient, ehr: FormEhr) -> str:
    answer, _ = signed_in(browser, ehr, LAUNCH_PATH)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def chosen_link(page: str) -> str:
    """Where the first statement of a choice leads."""
    return "/smart/" + page.partition('<li><a href="')[2].partition('"')[0]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_rechecked_page_says_what_the_card_said(name):
    body = example(name)
    (card,) = (item for item in answers(body) if item.outcome.decided)
    of_card = {"made": NOW, "results": results_digest(b"key", card.decision), "card": card.card["uuid"]}
    written = app_context(card.policy, card.decision.order, of_card=of_card)
    assert len(written) <= LONGEST
    context = read_context(written)
    patient = body["context"]["patientId"]
    drafts = drafts_of(context, card.policy, patient) if context.has_order else []
    entries = {"resourceType": "Bundle", "entry": [{"resource": draft} for draft in drafts]}
    call = body | {
        "hook": hook_request.ORDER_SIGN,
        "context": {"userId": "Practitioner/1", "patientId": patient, "draftOrders": entries},
    }
    found = next(form_decisions(hook_request.parse(SIGN, call), guide(), TODAY, (card.policy,)))
    page = patient_page(found, context, digest="d", made=datetime.now(UTC)).page
    assert page is not None
    assert page["summary"] == card.card["summary"]
    assert context.results == results_digest(b"key", found.decision)


def test_the_page_names_the_patient_and_says_when_it_was_rechecked(browser, ehr):
    page = shown(browser, ehr)
    for words in ("Canary-Given Canary-Family", "Born 05/28/1978", "MRN Canary-4711", "Rechecked", "card made"):
        assert words in page
    assert "FDA label criteria" in page
    assert "name not shown on this link" not in page


def test_the_page_asks_to_read_and_for_nothing_else(browser, ehr):
    _, asked = signed_in(browser, ehr, LAUNCH_PATH)
    verbs = {scope.rpartition(".")[2] for scope in asked["scope"].split() if scope.startswith("patient/")}
    assert verbs <= {"r", "rs"}
    assert asked["redirect_uri"].endswith("/smart/callback")


def test_the_form_still_asks_to_write(browser, ehr):
    _, asked = signed_in(browser, ehr, "/smart/launch")
    assert "patient/QuestionnaireResponse.crus" in asked["scope"]


def test_after_the_page_no_session_and_nothing_of_the_patient_is_kept(browser, ehr, tmp_path):
    answer, _ = signed_in(browser, ehr, LAUNCH_PATH)
    with sqlite3.connect(tmp_path / "state" / "store.sqlite") as connection:
        assert connection.execute("select count(*) from form_sessions").fetchone() == (0,)
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert kept
    assert not any(canary.encode() in kept for canary in CANARIES)
    assert all("Max-Age=0" in header for header in answer.headers.getlist("Set-Cookie"))


def test_the_page_is_framed_by_nobody_who_is_not_listed(browser, ehr):
    answer, _ = signed_in(browser, ehr, LAUNCH_PATH)
    policy = answer.headers["Content-Security-Policy"]
    for words in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert words in policy


def test_a_callback_that_was_answered_shows_nothing_again(browser, ehr):
    _, asked = signed_in(browser, ehr, LAUNCH_PATH)
    again = browser.get(f"/smart/callback?code=c&state={asked['state']}", base_url=OURS)
    assert again.status_code == 400
    assert "Canary" not in again.get_data(as_text=True)


@pytest.mark.parametrize(("results", "differs"), [("00000000", True), ("", False)])
def test_results_that_differ_from_the_card_are_marked(browser, ehr, results, differs):
    ehr.token["appContext"] = json.dumps(CONTEXT | {"results": results})
    assert ("results below differ from it" in shown(browser, ehr)) == differs


def test_the_audit_log_tells_that_it_was_opened_by_its_card(browser, ehr, tmp_path):
    shown(browser, ehr)
    (line,) = read(tmp_path / "audit", Wanted(), None, [].append)
    assert (line["kind"], line["event"], line["card"], line["client"]) == ("evidence", "opened", CARD, "general")


def test_without_a_context_the_statement_is_chosen_once(app, browser, ehr):
    ehr.token["appContext"] = None
    page = shown(browser, ehr)
    assert "Evidence for which therapy?" in page
    link = chosen_link(page)
    assert app.test_client().get(link, base_url=OURS).status_code == 404
    chosen = browser.get(link, base_url=OURS)
    assert chosen.status_code == 200
    assert "Canary-Given Canary-Family" in chosen.get_data(as_text=True)
    assert browser.get(link, base_url=OURS).status_code == 404


def test_a_choice_that_nobody_makes_is_over_after_half_an_hour(browser, ehr, clock):
    ehr.token["appContext"] = None
    link = chosen_link(shown(browser, ehr))
    clock.seconds += IDLE_SECONDS + 1
    assert browser.get(link, base_url=OURS).status_code == 404


def test_a_patient_who_cannot_be_read_has_no_page(browser, ehr):
    ehr.answers["GET", f"/Patient/{PATIENT}"] = (403, {})
    page = shown(browser, ehr)
    assert "No evidence page is available for this order" in page
    assert "The service could not read the Patient" in page


def test_one_who_died_has_no_page(browser, ehr):
    ehr.answers["GET", f"/Patient/{PATIENT}"] = (200, WHO | {"deceasedDateTime": "2026-01-02"})
    assert "Patient recorded as deceased" in shown(browser, ehr)


def test_words_of_a_chart_are_text(browser, ehr):
    ehr.answers["GET", f"/Patient/{PATIENT}"] = (200, WHO | {"name": [{"text": "<script>alert(1)</script>"}]})
    page = shown(browser, ehr)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_nothing_of_the_patient_or_of_the_access_reaches_the_log(browser, ehr, capsys, caplog):
    shown(browser, ehr)
    printed = capsys.readouterr()
    written = caplog.text + printed.out + printed.err
    assert not any(canary in written for canary in CANARIES)


def links(mode: str, *bases: str) -> EvidenceLinks:
    around = Installation(evidence_mode=mode, forms=object())
    known = dict.fromkeys(bases, registration())
    return EvidenceLinks(around, RuleSetParts(), guide(), known.get, lambda: datetime.fromtimestamp(NOW, UTC))


APP = SmartApp(client_id="a", secret="s")
ENTRY = Client(id="a", issuer="i", jwks_url="https://a.example/keys", smart=APP)


@pytest.mark.parametrize(
    ("entry", "server", "mode"),
    [
        (ENTRY, BASE, SMART),
        (ENTRY, None, SMART),
        (ENTRY, "https://elsewhere.example", OFF),
        (Client(id="a", issuer="i", jwks_url="https://a.example/keys", smart=APP, evidence=SEALED), BASE, SEALED),
        (Client(id="a", issuer="i", jwks_url="https://a.example/keys"), BASE, OFF),
        (anyone(this_machine=True), BASE, SMART),
        (anyone(this_machine=True), None, OFF),
    ],
    ids=["registered", "by-entry", "another-server", "sealed", "not-registered", "demo", "own-bundle"],
)
def test_a_page_is_launched_where_the_ehr_can_launch_it(entry, server, mode):
    assert links(SMART, BASE).mode(entry, server) == mode


def test_the_card_links_to_the_launch_with_its_order_and_no_patient():
    body = example("typical-gaps")
    found = hook_call.answer(hook_request.parse(SIGN, body), guide(), TODAY)
    (link,) = links(SMART, BASE).launches(found, SMART).values()
    assert (link["type"], link["url"]) == ("smart", f"{guide().addresses.public_url}{LAUNCH_PATH}")
    context = read_context(link["appContext"])
    assert (context.policy, context.made, context.card) == (POLICY, NOW, found[0].card["uuid"])
    assert body["context"]["patientId"] not in link["appContext"]
    assert links(SMART, BASE).launches(found, OFF) == {}
