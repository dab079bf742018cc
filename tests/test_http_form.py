"""The form over HTTP: who gets in, what is taken from a browser, and what never leaves it."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cds_service.store.database import open_store
from cds_service.store.form_sessions import IDLE_SECONDS, remove_ended
from tests.form_ehr import FormEhr
from tests.form_service import (
    CONTEXT,
    HEADERS,
    OURS,
    POLICY,
    SIGNED,
    Clock,
    form_app,
    opened,
    posted,
    token_of,
)


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


@pytest.mark.parametrize("status", [401, 403, 404, 405, 409, 412, 422, 500])
def test_an_ehr_that_refuses_loses_no_answer(browser, ehr, status):
    path = opened(browser, ehr)
    token = token_of(browser, path)
    ehr.answers["POST", "/QuestionnaireResponse"] = (status, {"resourceType": "OperationOutcome"})
    posted(browser, path, token, action="review", **{"can-operate-device": "yes"}, **SIGNED)
    answer = posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})
    assert answer.status_code in (409, 502)
    assert "Nothing you typed is lost" in answer.get_data(as_text=True)
    kept = browser.get(f"{path}/response.json", base_url=OURS).get_json()
    assert "can-operate-device" in str(kept)
    del ehr.answers["POST", "/QuestionnaireResponse"]
    done = posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})
    assert "Saved in the EHR" in done.get_data(as_text=True)
    assert [item["resourceType"] for item in ehr.wrote].count("QuestionnaireResponse") == 1


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
    assert "Which therapy is to be documented?" in page
    chosen = browser.get(f"{path}?statement={POLICY}", base_url=OURS).get_data(as_text=True)
    assert 'name="can-operate-device"' in chosen


def test_what_an_administrator_registers(browser):
    told = browser.get("/smart/client.json", base_url=OURS).get_json()
    assert told["redirect_uris"] == [f"{OURS}/smart/callback"]
    assert told["initiate_login_uri"] == f"{OURS}/smart/launch"
    assert "patient/QuestionnaireResponse.crus" in told["scope"]


def test_nothing_of_a_patient_or_a_session_reaches_the_log(browser, ehr, capsys, caplog):
    path = opened(browser, ehr)
    token = token_of(browser, path)
    ehr.answers["POST", "/QuestionnaireResponse"] = (500, {"resourceType": "OperationOutcome"})
    posted(browser, path, token, action="review", **{"can-operate-device": "yes"}, **SIGNED)
    posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})
    told = capsys.readouterr()
    for words in ("Canary", "token-of-the-ehr", "patient-1", token, path.rpartition("/")[2]):
        assert words not in told.out + told.err + caplog.text
