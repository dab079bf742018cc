"""The card as a reader meets it: what it says, what it offers, and that nothing in a chart can turn into markup."""

import copy
import json
from typing import Any

import pytest
from markdown_it import MarkdownIt

from cds_service.app import create_app
from cds_service.settings.settings import Settings, data_folder
from tests.shipped import PUBLIC_URL, TODAY, answers, example, library

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<iframe srcdoc='<script>parent.document.title=1</script>'></iframe>",
    "![pixel](https://tracker.example/p.png)",
    "[click](javascript:alert(1))",
    "https://phish.example/login www.phish.example mail@phish.example",
    "a | b | c\n| Met: everything | yes |\n\n# Heading",
    "**Met:** `code` ~~struck~~ __bold__ ***",
    "&lt;script&gt; &#60;b&#62;",
    "\u202eright to left\u202c \u2066isolated\u2069\x00\x07",
    "x" * 9_000,
    "\n\n---\n\n> quote\n\n1. list\n\n```\nfence\n```",
]


def only_card(request: Any) -> dict:
    (answer,) = answers(request)
    assert answer.error is None, repr(answer.error)
    return answer.card


def poisoned(text: str) -> Any:
    """A chart in which everything that a card may repeat is hostile text."""
    request = example("typical-gaps")
    prefetch = request["prefetch"]
    prefetch["coverage"] = {
        "resourceType": "Coverage",
        "id": "c",
        "status": "active",
        "beneficiary": {"reference": f"Patient/{request['context']['patientId']}"},
        "payor": [{"display": text}],
    }
    for entry in prefetch["medicationRequest"]["entry"]:
        entry["resource"]["medicationCodeableConcept"] = {"text": f"naproxen {text}"}
        entry["resource"].pop("medicationReference", None)
    # A code of a category is shown as it was sent, beside our label of the category.
    prefetch["condition"]["entry"].append(
        {
            "resource": {
                "resourceType": "Condition",
                "id": "category",
                "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": f"S32.0{text}"}]},
                "subject": {"reference": f"Patient/{request['context']['patientId']}"},
            }
        }
    )
    prefetch["procedure"]["entry"] = [
        {
            "resource": {
                "resourceType": "Procedure",
                "id": text,
                "status": "completed",
                "code": {"text": f"lumbar discectomy {text}"},
                "subject": {"reference": f"Patient/{request['context']['patientId']}"},
            }
        }
    ]
    return request


RENDERERS = [
    pytest.param(MarkdownIt("gfm-like", {"html": True, "linkify": False}).enable("table"), id="gfm with raw HTML"),
    pytest.param(MarkdownIt("js-default", {"html": True}).enable("table"), id="js-default with raw HTML"),
]


def tags(html: str) -> list[str]:
    return [part.split(">")[0].split()[0] for part in html.split("<")[1:]]


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:24]))
def test_chart_text_never_becomes_markup(renderer, text):
    plain = renderer.render(only_card(poisoned("plain words"))["detail"])
    hostile = renderer.render(only_card(poisoned(text))["detail"])
    assert tags(hostile) == tags(plain)
    assert "hostile" in poisoned("hostile")["prefetch"]["coverage"]["payor"][0]["display"]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:24]))
def test_chart_text_never_reaches_the_summary(text):
    assert only_card(poisoned(text))["summary"].isascii()
    assert text not in only_card(poisoned(text))["summary"]


def test_an_update_is_the_draft_as_received_plus_one_coding():
    request = example("all-met")
    draft = request["context"]["draftOrders"]["entry"][0]["resource"]
    draft |= {
        "extension": [{"url": "https://ehr.example/priority", "valueDecimal": 1.50}],
        "_status": {"extension": [{"url": "https://ehr.example/why", "valueString": "x"}]},
        "thisIsNoFhir": {"at": ["all", None, 1e3]},
    }
    received = copy.deepcopy(draft)
    (update,) = [
        action
        for suggestion in only_card(request)["suggestions"]
        for action in suggestion["actions"]
        if action["type"] == "update"
    ]
    order = update["resource"]
    added = order["code"]["coding"].pop()
    assert added == {"system": "http://www.ama-assn.org/go/cpt", "code": "64555"}
    if not order["code"]["coding"]:
        del order["code"]["coding"]
    assert order == received
    assert draft == received


def test_an_order_is_echoed_digit_for_digit():
    request = example("all-met")
    draft = request["context"]["draftOrders"]["entry"][0]["resource"]
    draft["quantityQuantity"] = {"value": "NUMBER"}
    draft["extension"] = [{"url": "https://ehr.example/number", "valueInteger": "LONG"}]
    body = json.dumps(request).replace('"NUMBER"', "1.10").replace('"LONG"', "123456789012345678901234567890")
    app = create_app(Settings(), library(), PUBLIC_URL, lambda: TODAY)
    answer = app.test_client().post(
        "/cds-services/coverage-guidance-order-sign", data=body, content_type="application/json"
    )
    assert b'"quantityQuantity":{"value":1.10}' in answer.data
    assert b'"valueInteger":123456789012345678901234567890}' in answer.data


def test_accepting_every_suggestion_leaves_nothing_to_suggest():
    request = example("all-met")
    entries = request["context"]["draftOrders"]["entry"]
    for suggestion in only_card(request)["suggestions"]:
        for action in suggestion["actions"]:
            if action["type"] == "update":
                entries[0]["resource"] = action["resource"]
            else:
                entries.append({"resource": action["resource"] | {"id": "companion"}})
    assert "suggestions" not in only_card(request)


def test_the_companion_order_is_for_the_same_patient_and_the_same_reasons():
    request = example("all-met")
    draft = request["context"]["draftOrders"]["entry"][0]["resource"]
    companion = only_card(request)["suggestions"][-1]["actions"][0]["resource"]
    assert companion["code"] == {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "64590"}]}
    assert companion["subject"] == draft["subject"]
    assert companion["reasonCode"] == draft["reasonCode"]
    assert (companion["status"], companion["intent"]) == ("draft", "order")
    assert "id" not in companion


def test_two_patients_never_share_an_id():
    mine, theirs = example("typical-gaps"), json.loads(
        json.dumps(example("typical-gaps")).replace(example("typical-gaps")["context"]["patientId"], "another-patient")
    )  # fmt: skip
    assert only_card(mine)["uuid"] != only_card(theirs)["uuid"]


def test_cards_name_what_they_rest_on_and_link_to_their_page_here():
    card = only_card(example("typical-gaps"))
    page = f"{PUBLIC_URL}/policies/isass-restorative-neurostimulation-2023"
    assert card["source"]["label"] == "FDA label P190021 and trials"
    assert card["source"]["url"] == page
    assert [link["url"] for link in card["links"]] == [page]


def test_no_answer_carries_a_display_on_a_suggested_code():
    codes = [
        json.dumps(action["resource"]["code"])
        for path in data_folder("fhir_examples").glob("*/request.json")
        for answer in answers(example(path.parent.name))
        for suggestion in answer.card.get("suggestions", ())
        for action in suggestion["actions"]
        if action["type"] == "create"
    ]
    assert codes
    assert not [code for code in codes if "display" in code]
