"""Drafts of the form over HTTP: saved, resumed by whom, handed over, changed by somebody else, and signed over."""

import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.form_ehr import BASE, SCOPES, FormEhr
from tests.form_service import CONTEXT, OURS, SIGNED, Clock, form_app, opened, page_of, posted, token_of

RESPONSES = "/QuestionnaireResponse"
NURSE = {"role": "163W00000X"}
OTHER = f"{BASE}/Practitioner/other"


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


def saved(browser: FlaskClient, path: str, action: str = "draft", **fields: str) -> str:
    return posted(browser, path, token_of(browser, path), action=action, **fields).get_data(as_text=True)


def signed(browser: FlaskClient, path: str, **fields: str):
    token = token_of(browser, path)
    posted(browser, path, token, action="review", **fields, **SIGNED)
    return posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})


def responses(ehr: FormEhr) -> list[dict]:
    return [item for item in ehr.wrote if item["resourceType"] == "QuestionnaireResponse"]


def answers(response: dict) -> dict[str, object]:
    """The answers of a response, by linkId."""
    found = {}
    for group in response["item"]:
        for item in group["item"]:
            found[item["linkId"]] = next(value for name, value in item["answer"][0].items() if name.startswith("value"))
    return found


def test_a_draft_is_saved_over_itself_and_signed_over(browser, ehr):
    path = opened(browser, ehr)
    assert "Draft saved in the EHR." in saved(browser, path, **{"can-operate-device": "yes"})
    both = {"can-operate-device": "yes", "disability": "44"}
    assert "Draft saved in the EHR." in saved(browser, path, **both)
    (draft,) = responses(ehr)
    assert (draft["status"], answers(draft)) == ("in-progress", {"can-operate-device": True, "disability": 44})
    assert "Saved in the EHR" in signed(browser, path, **both).get_data(as_text=True)
    (done,) = responses(ehr)
    assert (done["id"], done["status"], done["meta"]["versionId"]) == (draft["id"], "completed", "3")


def test_an_ehr_that_lets_nothing_be_changed_gets_each_draft_and_the_form_beside_it(browser, ehr):
    ehr.token["scope"] = SCOPES.replace(".crus", ".crs")
    path = opened(browser, ehr)
    saved(browser, path, **{"can-operate-device": "yes"})
    saved(browser, path, **{"can-operate-device": "no"})
    signed(browser, path, **{"can-operate-device": "yes"})
    assert [item["status"] for item in responses(ehr)] == ["in-progress", "in-progress", "completed"]
    assert [answers(item)["can-operate-device"] for item in responses(ehr)[:2]] == [True, False]
    assert len({item["identifier"]["value"] for item in responses(ehr)}) == 3


@pytest.mark.parametrize("status", [403, 404, 405])
def test_where_an_update_is_refused_the_form_is_written_beside_its_draft(browser, ehr, status):
    path = opened(browser, ehr)
    saved(browser, path, **{"can-operate-device": "yes"})
    ehr.answers["PUT", f"{RESPONSES}/new-1"] = (status, {})
    done = signed(browser, path, **{"can-operate-device": "yes"})
    assert "Saved in the EHR" in done.get_data(as_text=True)
    assert [item["status"] for item in responses(ehr)] == ["in-progress", "completed"]


def test_the_drafts_of_a_chart_are_offered_and_one_is_filled_in_again(app, browser, ehr):
    fields = {
        "can-operate-device": "yes",
        "can-operate-device.observed": "09/01/2026",
        "can-operate-device.basis-text": "clinic note",
        "fit-for-implant": "no",
        "fit-for-implant.why-not": "an open wound",
        "disability": "44",
        "pain-duration": "02/2023",
    }
    saved(browser, opened(browser, ehr), **fields)
    again = app.test_client()
    path = opened(again, ehr)
    page = page_of(again, path)
    assert "A draft of this form is in the chart" in page
    assert "4 answers" in page
    page = posted(again, path, token_of(again, path), resume="QuestionnaireResponse/new-1").get_data(as_text=True)
    assert "Filled in from your draft of" in page
    assert re.search(r'name="disability"[^>]* value="44"', page)
    assert re.search(r'name="pain-duration"[^>]* value="02/2023"', page)
    assert 'name="can-operate-device" value="yes" checked' in page
    assert 'name="fit-for-implant" value="no" checked' in page
    signed(again, path, **fields)
    assert [(item["id"], item["status"]) for item in responses(ehr)] == [("new-1", "completed")]


def test_the_link_of_a_card_resumes_its_draft(app, browser, ehr):
    saved(browser, opened(browser, ehr), **{"can-operate-device": "yes"})
    ehr.token = {"appContext": json.dumps(json.loads(CONTEXT) | {"draft": "new-1"})}
    again = app.test_client()
    page = page_of(again, opened(again, ehr))
    assert "Filled in from your draft of" in page
    assert 'name="can-operate-device" value="yes" checked' in page


def test_a_yes_or_no_of_somebody_else_is_shown_and_never_filled_in(app, browser, ehr):
    saved(browser, opened(browser, ehr), **{"can-operate-device": "yes", "disability": "44"})
    ehr.claims = {"fhirUser": OTHER}
    again = app.test_client()
    path = opened(again, ehr)
    page = posted(again, path, token_of(again, path), resume="QuestionnaireResponse/new-1").get_data(as_text=True)
    assert f"Filled in from {BASE}/Practitioner/dr-1&#39;s draft of " in page
    assert 'name="can-operate-device" value="yes" checked' not in page
    assert "In the draft yes" in page
    assert 'name="disability" maxlength="12" inputmode="decimal" value="44"' in page


def test_what_was_typed_stays_when_a_draft_is_filled_in(app, browser, ehr):
    saved(browser, opened(browser, ehr), **{"can-operate-device": "yes", "fit-for-implant": "yes"})
    again = app.test_client()
    path = opened(again, ehr)
    posted(again, path, token_of(again, path), action="review", **{"fit-for-implant": "no"})
    page = posted(again, path, token_of(again, path), resume="QuestionnaireResponse/new-1").get_data(as_text=True)
    assert 'name="can-operate-device" value="yes" checked' in page
    assert 'name="fit-for-implant" value="no" checked' in page


def test_a_draft_that_is_not_in_the_chart_is_not_resumed(browser, ehr):
    path = opened(browser, ehr)
    page = posted(browser, path, token_of(browser, path), resume="QuestionnaireResponse/another").get_data(as_text=True)
    assert "Filled in from" not in page


def test_handing_over_says_what_is_left_for_whom_before_it_is_done(browser, ehr):
    path = opened(browser, ehr)
    fields = {"disability": "44", "can-operate-device": "yes"}
    page = saved(browser, path, "hand-over", **fields, **NURSE)
    assert ehr.wrote == []
    assert "Save draft and hand over" in page
    clinician = page.partition("For a clinician:")[2].partition("For staff:")[0]
    # What staff answered does not count, and is left for the clinician.
    assert "operate the device" in clinician
    assert "Oswestry" not in page.partition("For staff:")[2]
    done = posted(browser, path, token_of(browser, path), action="handed-over").get_data(as_text=True)
    assert "Handed over" in done
    (draft,) = responses(ehr)
    assert (draft["status"], answers(draft)) == ("in-progress", {"disability": 44})
    assert browser.get(path, base_url=OURS).status_code == 404


@pytest.mark.parametrize("status", [401, 403, 422, 500])
def test_a_hand_over_that_the_ehr_refuses_keeps_the_form(browser, ehr, status):
    path = opened(browser, ehr)
    saved(browser, path, "hand-over", disability="44")
    ehr.answers["POST", RESPONSES] = (status, {})
    answer = posted(browser, path, token_of(browser, path), action="handed-over")
    assert answer.status_code == 502
    assert "The EHR did not take the draft" in answer.get_data(as_text=True)
    assert 'value="44"' in page_of(browser, path)


def changed_by_another(ehr: FormEhr, **change) -> None:
    """Has somebody else store a version of the first response."""
    author = {"reference": "Practitioner/other", "display": "Dr. Other"}
    ehr.wrote[0] = ehr.wrote[0] | {"meta": {"versionId": "9"}, "author": author, **change}


def test_a_draft_that_somebody_else_changed_is_shown_before_it_is_replaced(browser, ehr):
    path = opened(browser, ehr)
    saved(browser, path, **{"can-operate-device": "yes"})
    changed_by_another(ehr)
    answer = signed(browser, path, **{"can-operate-device": "no"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 502
    assert "Dr. Other changed this form in the EHR" in page
    assert "Signing replaces that version with yours." in page
    assert ehr.wrote[0]["meta"]["versionId"] == "9"
    done = posted(browser, path, token_of(browser, path), action="sign", **{"as": "QuestionnaireResponse"})
    assert "Saved in the EHR" in done.get_data(as_text=True)
    (only,) = responses(ehr)
    assert (only["meta"]["versionId"], only["status"]) == ("10", "completed")


def test_a_draft_that_somebody_else_signed_is_never_written_over(browser, ehr):
    path = opened(browser, ehr)
    saved(browser, path, **{"can-operate-device": "yes"})
    changed_by_another(ehr, status="completed")
    page = signed(browser, path, **{"can-operate-device": "no"}).get_data(as_text=True)
    assert "That version was signed." in page
    done = posted(browser, path, token_of(browser, path), action="sign", **{"as": "QuestionnaireResponse"})
    assert "Saved in the EHR" in done.get_data(as_text=True)
    assert [item["meta"]["versionId"] for item in responses(ehr)] == ["9", "1"]


def test_a_save_of_a_changed_draft_asks_first(browser, ehr):
    path = opened(browser, ehr)
    saved(browser, path, **{"can-operate-device": "yes"})
    changed_by_another(ehr)
    page = saved(browser, path, **{"can-operate-device": "no"})
    assert "The draft was not saved: Dr. Other changed it" in page
    assert "Draft saved in the EHR." in saved(browser, path, **{"can-operate-device": "no"})


def test_an_update_whose_answer_was_lost_is_known_again(browser, ehr):
    path = opened(browser, ehr)
    saved(browser, path, **{"can-operate-device": "yes"})
    # The EHR stored the signed form, and its answer never came.
    token = token_of(browser, path)
    posted(browser, path, token, action="review", **{"can-operate-device": "yes"}, **SIGNED)
    written = []

    def lost(url, body, **options):
        written.append(FormEhr.put(ehr, url, body, **options))
        return FormEhr.get(ehr, f"{BASE}/nothing")

    ehr.put = lost
    assert posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"}).status_code == 200
    del ehr.put
