"""The form over HTTP: who gets in, what is taken from a browser, and what never leaves it."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cds_service.documentation.answers import fields_of
from cds_service.ehr.received import OutgoingError
from cds_service.fhir.models import problems
from cds_service.questionnaire.questions import questions
from cds_service.store.database import open_store
from cds_service.store.form_sessions import IDLE_SECONDS, remove_ended
from tests.form_ehr import BASE, SCOPES, FormEhr, registration
from tests.form_service import (
    CONTEXT,
    HEADERS,
    OURS,
    POLICY,
    QUESTIONNAIRE,
    SIGNED,
    Clock,
    form_app,
    opened,
    page_of,
    posted,
    token_of,
)
from tests.shipped import library


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ehr() -> FormEhr:
    return FormEhr(token={"appContext": CONTEXT})


@pytest.fixture
def app(tmp_path, ehr, clock) -> Flask:
    return form_app(tmp_path, ehr, clock)


@pytest.fixture
def browser(app) -> FlaskClient:
    return app.test_client()


def test_the_form_shows_the_patient_and_asks_what_is_open(browser, ehr):
    page = browser.get(opened(browser, ehr), base_url=OURS)
    text = page.get_data(as_text=True)
    assert page.status_code == 200
    assert "Canary-Given Canary-Family" in text
    assert 'name="can-operate-device"' in text


def test_the_cookie_of_a_form_is_for_this_origin_and_for_no_script(browser, ehr):
    path = opened(browser, ehr)
    header = browser.get(path, base_url=OURS).headers["Set-Cookie"]
    assert header.startswith(f"__Host-form-{path.rpartition('/')[2]}=")
    for words in ("Secure", "HttpOnly", "Path=/", "SameSite=None", "Partitioned"):
        assert words in header


def test_no_page_may_load_or_send_anything_elsewhere_or_stand_in_a_frame(browser, ehr):
    policy = browser.get(opened(browser, ehr), base_url=OURS).headers["Content-Security-Policy"]
    for words in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert words in policy


def test_another_browser_gets_the_same_words_as_for_a_form_that_never_was(app, browser, ehr):
    path = opened(browser, ehr)
    other = app.test_client()
    answers = [other.get(one, base_url=OURS) for one in (path, "/forms/AAAAAAAAAAAAAAAAAAAAAA", "/forms/x")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.get_data() for answer in answers}) == 1


def test_a_form_that_was_left_is_over_and_its_row_is_removed(app, browser, ehr, clock, tmp_path):
    path = opened(browser, ehr)
    clock.seconds += IDLE_SECONDS
    assert browser.get(path, base_url=OURS).status_code == 404
    store = open_store("", tmp_path)
    assert remove_ended(store, clock()) >= 1


@pytest.mark.parametrize(
    ("token", "headers"),
    [("", HEADERS), ("another", HEADERS), (None, {"Origin": "https://evil.example"}), (None, {"Origin": "null"})],
)
def test_a_post_that_is_not_of_the_forms_own_page_is_refused(browser, ehr, token, headers):
    path = opened(browser, ehr)
    own = token_of(browser, path)
    answer = posted(browser, path, own if token is None else token, headers, action="review", **SIGNED)
    assert answer.status_code == 403
    assert ehr.wrote == []


def test_a_form_that_is_too_large_is_refused(browser, ehr):
    path = opened(browser, ehr)
    answer = posted(browser, path, token_of(browser, path), **{"can-operate-device.basis-text": "x" * 10_000_000})
    assert answer.status_code == 413


def test_what_users_write_comes_back_as_text(browser, ehr):
    path = opened(browser, ehr)
    script = "<script>alert(1)</script>"
    fields = {"can-operate-device": "yes", "can-operate-device.basis-text": script, "disability": script}
    page = posted(browser, path, token_of(browser, path), action="review", **fields).get_data(as_text=True)
    assert script not in page
    assert "&lt;script&gt;" in page


def test_nothing_is_written_before_the_review_is_signed(browser, ehr):
    path = opened(browser, ehr)
    token = token_of(browser, path)
    assert posted(browser, path, token, action="sign", **{"can-operate-device": "yes"}).status_code == 422
    assert posted(browser, path, token, action="review", **{"can-operate-device": "yes"}, **SIGNED).status_code == 200
    assert ehr.wrote == []
    assert posted(browser, path, token, action="sign", **{"as": "Patient"}).status_code == 200
    assert ehr.wrote == []
    done = posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})
    assert "Saved in the EHR" in done.get_data(as_text=True)
    assert ehr.wrote[0]["resourceType"] == "QuestionnaireResponse"
    assert browser.get(path, base_url=OURS).status_code == 404


def test_an_answer_to_what_is_not_asked_is_not_written(browser, ehr):
    path = opened(browser, ehr)
    token = token_of(browser, path)
    fields = {"can-operate-device": "yes", "not-a-question": "yes", "can-operate-device.basis": "Patient/other"}
    posted(browser, path, token, action="review", **fields, **SIGNED)
    posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})
    written = str(ehr.wrote[0])
    assert "not-a-question" not in written
    assert "Patient/other" not in written


REFUSALS: dict[str, Any] = {
    **{str(status): (status, {"resourceType": "OperationOutcome"}) for status in (401, 403, 404, 405, 409, 412, 422)},
    "500": (500, {}),
    "timeout": OutgoingError("timeout"),
    "reset": OutgoingError("unreachable"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_an_ehr_that_refuses_loses_no_answer(browser, ehr, refusal):
    path = opened(browser, ehr)
    token = token_of(browser, path)
    ehr.answers["POST", "/QuestionnaireResponse"] = REFUSALS[refusal]
    fields = {"can-operate-device": "yes", "can-operate-device.basis-text": "clinic note", "disability": "44"}
    posted(browser, path, token, action="review", **fields, **SIGNED)
    answer = posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})
    assert answer.status_code in (409, 502)
    assert "Nothing you typed is lost" in answer.get_data(as_text=True)
    kept = str(browser.get(f"{path}/response.json", base_url=OURS).get_json())
    assert all(words in kept for words in ("can-operate-device", "clinic note", "44"))
    form = page_of(browser, path)
    assert 'name="can-operate-device" value="yes" checked' in form
    assert 'value="clinic note"' in form
    del ehr.answers["POST", "/QuestionnaireResponse"]
    done = posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})
    assert "Saved in the EHR" in done.get_data(as_text=True)
    assert [item["resourceType"] for item in ehr.wrote].count("QuestionnaireResponse") == 1


def lost(ehr: FormEhr, url: str, body: bytes, **options: Any) -> None:
    """Stores what is posted, and does not answer in time."""
    FormEhr.post(ehr, url, body, **options)
    raise OutgoingError("timeout")


def test_an_answer_that_is_lost_after_it_was_stored_makes_no_second_one(browser, ehr):
    path = opened(browser, ehr)
    token = token_of(browser, path)
    posted(browser, path, token, action="review", disability="50", **SIGNED)
    ehr.post = partial(lost, ehr)
    assert posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"}).status_code == 502
    del ehr.post
    assert posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"}).status_code == 200
    kinds = [item["resourceType"] for item in ehr.wrote]
    assert (kinds.count("QuestionnaireResponse"), kinds.count("Observation")) == (1, 0)


@pytest.mark.parametrize(
    ("scope", "written"), [(SCOPES, [(False, "2")]), (SCOPES.replace(".crus", ".crs"), [(True, "1"), (False, "1")])]
)
def test_answers_that_were_changed_between_two_tries_are_what_is_saved(browser, ehr, scope, written):
    ehr.token["scope"] = scope
    path = opened(browser, ehr)
    token = token_of(browser, path)
    posted(browser, path, token, action="review", **{"can-operate-device": "yes"}, **SIGNED)
    ehr.post = partial(lost, ehr)
    assert posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"}).status_code == 502
    del ehr.post
    posted(browser, path, token, action="review", **{"can-operate-device": "no"}, **SIGNED)
    done = posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})
    assert "Saved in the EHR" in done.get_data(as_text=True)
    said = [item["item"][0]["item"][0]["answer"][0]["valueBoolean"] for item in ehr.wrote]
    assert list(zip(said, [item["meta"]["versionId"] for item in ehr.wrote], strict=True)) == written


def test_where_a_response_is_not_taken_a_document_is_offered(browser, ehr):
    path = opened(browser, ehr)
    token = token_of(browser, path)
    ehr.answers["POST", "/QuestionnaireResponse"] = (403, {})
    posted(browser, path, token, action="review", **{"can-operate-device": "yes"}, **SIGNED)
    page = posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"}).get_data(as_text=True)
    assert 'value="DocumentReference"' in page
    done = posted(browser, path, token, action="sign", **{"as": "DocumentReference"})
    assert done.status_code == 200
    assert [item["resourceType"] for item in ehr.wrote] == ["DocumentReference"]


def test_a_user_whom_the_ehr_does_not_name_cannot_sign(browser, ehr):
    ehr.token = {**ehr.token, "id_token": None}
    path = opened(browser, ehr)
    token = token_of(browser, path)
    posted(browser, path, token, action="review", **{"can-operate-device": "yes"}, **SIGNED)
    posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})
    assert ehr.wrote == []


def test_access_that_has_ended_asks_for_a_new_launch(browser, ehr, clock):
    path = opened(browser, ehr)
    token = token_of(browser, path)
    posted(browser, path, token, action="review", **{"can-operate-device": "yes"}, **SIGNED)
    clock.seconds += 301
    page = posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})
    assert "sign-in at the EHR has ended" in page.get_data(as_text=True)
    assert ehr.wrote == []


def test_without_a_context_the_statement_is_chosen(browser, ehr):
    ehr.token = {}
    path = opened(browser, ehr)
    page = browser.get(path, base_url=OURS).get_data(as_text=True)
    assert "Which therapy is this form for?" in page
    chosen = browser.get(f"{path}?statement={POLICY}", base_url=OURS).get_data(as_text=True)
    assert 'name="can-operate-device"' in chosen


def test_what_an_administrator_registers(browser):
    told = browser.get("/smart/client.json", base_url=OURS).get_json()
    assert told["redirect_uris"] == [f"{OURS}/smart/callback"]
    assert told["initiate_login_uri"] == f"{OURS}/smart/launch"
    assert "patient/QuestionnaireResponse.crus" in told["scope"]


SCRIPT = "<script>alert('Canary-Script')</script>"


def test_a_script_in_any_field_is_shown_and_written_as_text(browser, ehr):
    path = opened(browser, ehr)
    token = token_of(browser, path)
    policy = library().policy(POLICY)
    assert policy is not None
    fields = dict.fromkeys(fields_of(list(questions(policy))), SCRIPT)
    refused = posted(browser, path, token, action="review", **fields, **SIGNED).get_data(as_text=True)
    texts = {name: SCRIPT for name in fields if name.endswith((".basis-text", ".why-not", ".despite-why"))}
    said = dict.fromkeys(("can-operate-device", "fit-for-implant"), "no")
    pages = [refused, page_of(browser, path)]
    pages.append(posted(browser, path, token, action="hand-over", **texts, **said).get_data(as_text=True))
    pages.append(posted(browser, path, token, action="review", **texts, **said, **SIGNED).get_data(as_text=True))
    pages.append(posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"}).get_data(as_text=True))
    assert not any("<script>" in page or "Canary-Script')</script" in page for page in pages)
    assert "Canary-Script" in pages[-1]
    assert "<script>" not in ehr.wrote[0]["text"]["div"]
    assert SCRIPT in str(ehr.wrote[0]["item"])


@pytest.mark.parametrize(
    ("posted_as", "status"),
    [("application/json", 403), ("text/plain", 403), ("multipart/form-data; boundary=x", 403)],
)
def test_a_post_that_is_no_form_is_refused(browser, ehr, posted_as, status):
    path = opened(browser, ehr)
    token = token_of(browser, path)
    body = f'{{"token": "{token}", "action": "sign"}}'
    answer = browser.post(path, base_url=OURS, headers=HEADERS, data=body, content_type=posted_as)
    assert answer.status_code == status
    assert ehr.wrote == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("can-operate-device", "perhaps"),
        ("disability", "a lot"),
        ("disability", "1e999"),
        ("pain-duration", "yesterday"),
        ("pain-duration", "99/99/2020"),
        ("can-operate-device.observed", "01/01/2999"),
    ],
)
def test_an_answer_of_a_wrong_type_is_reported_beside_its_field_and_not_written(browser, ehr, field, value):
    path = opened(browser, ehr)
    fields = {"can-operate-device": "yes", field: value}
    answer = posted(browser, path, token_of(browser, path), action="review", **fields, **SIGNED)
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.get_data(as_text=True)
    assert ehr.wrote == []


def test_an_answer_that_is_not_enabled_is_not_written(browser, ehr):
    path = opened(browser, ehr)
    token = token_of(browser, path)
    fields = {
        "can-operate-device": "yes",
        "can-operate-device.why-not": "Canary-why",
        "fit-for-implant.basis-text": "Canary-basis",
        "physical-therapy": "yes",
        "physical-therapy.despite": "Condition/other",
        "physical-therapy.despite-why": "Canary-despite",
    }
    posted(browser, path, token, action="review", **fields, **SIGNED)
    posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})
    assert "can-operate-device" in str(ehr.wrote[0])
    assert "Canary-" not in str(ehr.wrote[0]["item"]) + ehr.wrote[0]["text"]["div"]


def test_a_chart_of_another_patient_is_not_shown(browser, ehr):
    other = {"resourceType": "Patient", "id": "other", "name": [{"family": "Canary-Other"}], "birthDate": "1950-01-01"}
    ehr.answers["GET", "/Patient/patient-1"] = (200, other)
    page = page_of(browser, opened(browser, ehr))
    assert "Canary-Other" not in page
    assert "could not be" in page


def test_the_coverage_of_the_chart_and_the_order_are_what_the_response_is_for(browser, ehr):
    ehr.token["appContext"] = CONTEXT[:-1] + ', "order": "ServiceRequest/o1"}'
    coverage = {"resourceType": "Coverage", "id": "c1", "status": "active", "payor": [{"display": "Example Mutual"}]}
    ehr.wrote.append(coverage | {"beneficiary": {"reference": "Patient/patient-1"}})
    path = opened(browser, ehr)
    token = token_of(browser, path)
    posted(browser, path, token, action="review", disability="44", **SIGNED)
    posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})
    said = {item["url"].rpartition("/")[2]: item.get("valueReference") for item in ehr.wrote[1]["extension"]}
    assert said["qr-coverage"] == {"reference": "Coverage/c1"}
    assert said["qr-context"] == {"reference": "ServiceRequest/o1"}


def attested(ehr: FormEhr, **change: Any) -> None:
    """A form that somebody signed is in the chart, too old to count."""
    item = {"linkId": "can-operate-device", "answer": [{"valueBoolean": True}]}
    response = {
        "resourceType": "QuestionnaireResponse",
        "id": "old",
        "status": "completed",
        "questionnaire": QUESTIONNAIRE,
        "subject": {"reference": "Patient/patient-1"},
        "authored": "2025-01-15T10:00:00Z",
        "author": {"reference": "Practitioner/dr-9", "display": "Dr. Before"},
        "item": [item],
    }
    ehr.wrote.append(response | change)


def test_what_was_attested_too_long_ago_is_shown_for_a_fresh_answer(browser, ehr):
    attested(ehr)
    page = page_of(browser, opened(browser, ehr))
    assert "Attested yes, 01/15/2025, Dr. Before. Answer again to attest it now." in page
    assert "01/15/2025 is more than 180 days ago" in page
    assert 'name="can-operate-device" value="yes" checked' not in page


def test_what_was_attested_and_still_counts_is_not_asked_again(browser, ehr):
    attested(ehr, authored="2026-09-01T10:00:00Z")
    page = page_of(browser, opened(browser, ehr))
    open_questions, _, settled = page.partition("Already on record")
    assert 'name="can-operate-device"' not in open_questions
    assert "Attested yes, 09/01/2026, Dr. Before" in settled
    assert 'name="can-operate-device" value="" checked' in settled


@pytest.mark.parametrize(
    ("answer", "said", "is_open"),
    [("withdraw", "Withdrawn: the earlier answer no longer holds", True), ("no", "device? No", False)],
)
def test_an_answer_that_still_counts_is_given_again_or_withdrawn(app, browser, ehr, answer, said, is_open):
    attested(ehr, authored="2026-09-01T10:00:00Z")
    path = opened(browser, ehr)
    token = token_of(browser, path)
    review = posted(browser, path, token, action="review", **{"can-operate-device": answer}, **SIGNED)
    assert said in review.get_data(as_text=True)
    done = posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})
    assert "Saved in the EHR" in done.get_data(as_text=True)
    assert [item["id"] for item in ehr.wrote] == ["old", "new-2"]
    assert list(problems(ehr.wrote[1])) == []
    again = app.test_client()
    page = page_of(again, opened(again, ehr))
    assert ('name="can-operate-device" value="yes"' in page.partition("Already on record")[0]) is is_open


def test_an_answer_that_nobody_gave_cannot_be_withdrawn(browser, ehr):
    path = opened(browser, ehr)
    answer = posted(
        browser, path, token_of(browser, path), action="review", **{"fit-for-implant": "withdraw"}, **SIGNED
    )
    assert answer.status_code == 422


def test_a_client_that_writes_dates_as_iso_sees_them_so(tmp_path, ehr, clock):
    attested(ehr)
    browser = form_app(tmp_path, ehr, clock, replace(registration(), dates="iso")).test_client()
    page = page_of(browser, opened(browser, ehr))
    assert "Born 1978-05-28" in page
    assert "Attested yes, 2025-01-15, Dr. Before" in page
    assert "YYYY-MM-DD" in page


def test_dates_are_written_as_americans_read_them(browser, ehr):
    path = opened(browser, ehr)
    fields = {"can-operate-device": "yes", "can-operate-device.observed": "2026-09-01"}
    page = posted(browser, path, token_of(browser, path), action="review", **fields, **SIGNED).get_data(as_text=True)
    assert "Born 05/28/1978" in page
    assert "observed 09/01/2026" in page


@pytest.mark.parametrize("where", ["iframe", "frame", "embed", "object"])
def test_a_frame_without_cookies_is_shown_a_way_out_before_the_launch_is_used_up(browser, ehr, where):
    headers = {"Sec-Fetch-Dest": where}
    launch = f"/smart/launch?iss={BASE}&launch=abc"
    first = browser.get(launch, base_url=OURS, headers=headers)
    assert first.status_code == 303
    browser.delete_cookie("__Host-form-framed", domain="cds.example")
    out = browser.get(f"/smart/launch{first.location}", base_url=OURS, headers=headers)
    assert 'href="?iss=https%3A%2F%2Fehr.example%2Ffhir&amp;launch=abc" target="_blank"' in out.get_data(as_text=True)
    assert ehr.calls == []


def test_a_frame_that_keeps_cookies_signs_in(browser, ehr):
    headers = {"Sec-Fetch-Dest": "iframe"}
    first = browser.get(f"/smart/launch?iss={BASE}&launch=abc", base_url=OURS, headers=headers)
    assert "Partitioned" in first.headers["Set-Cookie"]
    second = browser.get(f"/smart/launch{first.location}", base_url=OURS, headers=headers)
    assert second.location.startswith(f"{BASE}/authorize?")


def test_nothing_of_a_patient_or_a_session_reaches_the_log(browser, ehr, capsys, caplog):
    path = opened(browser, ehr)
    token = token_of(browser, path)
    ehr.answers["POST", "/QuestionnaireResponse"] = (500, {"resourceType": "OperationOutcome"})
    posted(browser, path, token, action="review", **{"can-operate-device": "yes"}, **SIGNED)
    posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})
    told = capsys.readouterr()
    for words in ("Canary", "token-of-the-ehr", "patient-1", token, path.rpartition("/")[2]):
        assert words not in told.out + told.err + caplog.text


def test_nothing_of_a_patient_an_answer_or_a_session_can_be_read_in_the_store(browser, ehr, tmp_path):
    path = opened(browser, ehr)
    token = token_of(browser, path)
    fields = {"can-operate-device": "yes", "can-operate-device.basis-text": "Canary-Basis"}
    assert "Canary-Basis" in posted(browser, path, token, action="review", **fields, **SIGNED).get_data(as_text=True)
    held = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert len(held) > 1000
    for words in ("Canary", "can-operate-device", "token-of-the-ehr", "patient-1", "dr-1", token):
        assert words.encode() not in held
        assert words.encode("utf-16-le") not in held
