"""Drafts of forms in a chart: they settle nothing, the card says how much is answered, and its link resumes them."""

import json
from typing import Any

import pytest

from cds_service.card.form_context import LONGEST, app_context, read_context
from cds_service.card.words.rest import FORM_LINK, RESUMED_FORM_LINK
from cds_service.trust.entries import Client
from cds_service.trust.smart import SmartApp
from cds_service.web.form_links import FormLinks
from tests.shipped import BASE, answers, example, library

POLICY = "isass-restorative-neurostimulation-2023"
DOCTOR = {"reference": "Practitioner/dr-1", "display": "Dr. Alex Example"}
YES: dict[str, Any] = {"valueBoolean": True}
FOUR = {"can-operate-device": YES, "fit-for-implant": YES, "physical-therapy": YES, "disability": {"valueDecimal": 44}}


def response(links: dict[str, dict[str, Any]] = FOUR, **change: Any) -> dict[str, Any]:
    items = [{"linkId": link, "answer": [value]} for link, value in links.items()]
    made = {
        "resourceType": "QuestionnaireResponse",
        "id": "draft-1",
        "questionnaire": f"{BASE}/Questionnaire/{POLICY}|2023",
        "status": "in-progress",
        "subject": {"reference": "Patient/rosalind-achterberg"},
        "authored": "2026-11-20T09:00:00Z",
        "author": DOCTOR,
        "item": items,
    } | change
    return {name: value for name, value in made.items() if value is not None}


def signed(*responses: dict[str, Any]) -> Any:
    """The answer of the first order when its chart holds these responses."""
    request = example("typical-gaps")
    entries = [{"resource": item} for item in responses]
    request["prefetch"]["questionnaireResponse"] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(entries),
        **({"entry": entries} if entries else {}),
    }
    return answers(request)[0]


def detail(*responses: dict[str, Any]) -> str:
    return signed(*responses).card["detail"]


def test_a_draft_settles_nothing_and_is_named_on_the_card():
    without, with_draft = signed(), signed(response())
    assert {key: item.truth for key, item in without.decision.findings.items()} == {
        key: item.truth for key, item in with_draft.decision.findings.items()
    }
    assert with_draft.card["summary"] == without.card["summary"]
    assert "**Draft of 11/20/2026** with 4 answers, 7 for the clinician." in with_draft.card["detail"]
    assert "Draft of" not in without.card["detail"]


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ({}, "with 0 answers, 10 for the clinician."),
        ({"can-operate-device": YES}, "with 1 answer, 9 for the clinician."),
        # What is beside an answer is not one.
        ({"can-operate-device": YES, "can-operate-device.observed": {"valueDate": "2026-11-02"}}, "with 1 answer, 9"),
        ({"disability": {"valueDecimal": 44}}, "with 1 answer, 10 for the clinician."),
    ],
)
def test_the_card_counts_what_is_answered_and_what_a_clinician_must_answer(links, said):
    assert said in detail(response(links))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "stopped"},
        {"status": "entered-in-error"},
        {"questionnaire": f"{BASE}/Questionnaire/{POLICY}|1999"},
        {"questionnaire": "https://other.example/Questionnaire/x|1"},
        {"authored": None},
        # Filled in by a program, as the package of Da Vinci DTR hands it out.
        {"author": {"type": "Device", "display": "cds-service, filled in from the chart"}},
        {"modifierExtension": [{"url": "https://example.org/not"}]},
    ],
)
def test_what_is_no_draft_of_a_person_is_not_named(change):
    assert "Draft of" not in detail(response(**change))


@pytest.mark.parametrize(
    ("authored", "waits"),
    [
        ("2026-11-20T08:59:59Z", True),
        ("2026-11-20T09:00:00Z", False),
        # 10:00 in New York is 15:00 UTC.
        ("2026-11-20T10:00:00-05:00", False),
        ("2026-11-20", False),
        ("2026-11-19", True),
    ],
)
def test_a_draft_waits_until_a_form_is_signed_after_it(authored, waits):
    done = response({"axial-pain": YES}, id="done", status="completed", authored=authored)
    assert ("Draft of" in detail(response(), done)) is waits


def test_of_several_drafts_the_newest_is_named():
    older = response({"can-operate-device": YES}, id="older", authored="2026-11-18")
    assert "Draft of 11/20/2026" in detail(older, response())
    assert "Draft of 11/20/2026" in detail(response(), older)


def test_a_settled_order_names_no_draft():
    request = example("all-met")
    entries = request["prefetch"]["questionnaireResponse"]["entry"]
    entries.append({"resource": response(authored="2026-11-22T10:00:00Z", subject=entries[0]["resource"]["subject"])})
    assert "Draft of" not in answers(request)[0].card["detail"]


@pytest.mark.parametrize(("responses", "label"), [((), FORM_LINK), ((response(),), RESUMED_FORM_LINK)])
def test_the_link_of_a_card_resumes_the_draft(responses, label):
    client = Client(id="general", issuer="https://ehr.example", smart=SmartApp(client_id="form"))
    answer = signed(*responses)
    (link,) = FormLinks({}.get, "https://cds.example").links([answer], client, None).values()
    assert link["label"] == label
    assert read_context(link["appContext"]).draft == ("draft-1" if responses else "")
    assert len(link["appContext"]) <= LONGEST


def test_a_context_stays_short_however_long_the_id_of_a_draft_is():
    policy = library().policy(POLICY)
    assert policy is not None
    context = app_context(policy, None, f"QuestionnaireResponse/{'x' * 64}")
    assert read_context(context).draft == "x" * 64
    assert len(json.dumps(context)) <= LONGEST + 40
