"""What a card offers: one coding on the order as received, a companion order for the other act, and nothing else."""

import copy

import pytest

from cds_service.card.assessment import Assessment
from cds_service.card.suggestions import companion_order, suggestions
from cds_service.chart import orders
from cds_service.facts.gather import gather
from cds_service.verdicts.decisions import decide
from tests.charts import (
    CPT,
    FORMS,
    HCPCS,
    ICD10CM,
    ME,
    MINIMAL,
    TODAY,
    chart,
    concept,
    condition,
    minimal,
    named,
    order,
    patient,
)
from tests.loading import policy_of, read_documents

KNEE = [{"text": "Right knee"}]
COIL = {"system": CPT, "code": "11111"}
DRIVER = {"system": CPT, "code": "22222"}


def offered(*drafts, on_record=(), selected=None):
    found = chart(*on_record)
    pairs = [(f"{draft['resourceType']}/{draft.get('id')}", draft) for draft in drafts]
    procedure = orders.recognize(minimal().orders, pairs, found, selected, TODAY)
    decision = decide(minimal(), found, gather(minimal(), found, FORMS, TODAY), procedure, TODAY)
    if not Assessment(decision, found).outcome.suggests:
        return []
    return suggestions(decision, lambda name: f"id of {name}")


def actions(*drafts, **more):
    """(type, resource) of every action offered."""
    return [(action["type"], action["resource"]) for item in offered(*drafts, **more) for action in item["actions"]]


def updates(*drafts, **more):
    return [resource for kind, resource in actions(*drafts, **more) if kind == "update"]


def creations(*drafts, **more):
    return [resource["code"]["coding"] for kind, resource in actions(*drafts, **more) if kind == "create"]


WORDS = order(code={"text": "Knee humming"})


def test_an_order_known_by_words_gets_the_one_code_and_nothing_else_is_changed():
    strange = WORDS | {
        "extension": [{"url": "urn:x", "valueString": "kept"}],
        "_status": {"id": "kept too"},
        "priority": "urgent",
        "unheard-of": {"kept": [None, 1.50]},
        "note": [{"text": "keep"}],
    }
    (changed,) = updates(strange)
    assert changed == strange | {"code": {"text": "Knee humming", "coding": [COIL]}}
    assert list(changed) == list(strange)


def test_the_order_as_received_is_not_touched():
    draft = copy.deepcopy(WORDS)
    offered(draft)
    assert draft == WORDS


@pytest.mark.parametrize(
    ("code", "coding"),
    named(
        ("words of the first act", {"text": "Knee humming"}, [COIL]),
        ("words of the other act", {"text": "Knee humming, driver"}, [DRIVER]),
        (
            "a local code beside words",
            {"text": "Knee humming", "coding": [{"system": "urn:x", "code": "1"}]},
            [{"system": "urn:x", "code": "1"}, COIL],
        ),
        ("another code of the act", concept(HCPCS, "C1111"), [{"system": HCPCS, "code": "C1111"}, COIL]),
        ("an empty coding beside words", {"text": "Knee humming", "coding": [{}]}, [COIL]),
    ),
)
def test_the_code_of_the_act_that_the_order_names(code, coding):
    (changed,) = updates(order(code=code, bodySite=KNEE))
    assert changed["code"]["coding"] == coding
    assert all("display" not in item for item in changed["code"]["coding"])


@pytest.mark.parametrize(
    "code",
    named(
        ("its own code", concept(CPT, "11111")),
        ("its own code under the OID", concept("urn:oid:2.16.840.1.113883.6.12", "11111")),
        ("its own code without a system", concept(None, "11111")),
    ),
)
def test_an_order_that_has_its_code_is_not_changed(code):
    assert updates(order(code=code, bodySite=KNEE)) == []


def test_the_other_act_is_an_order_of_its_own():
    assert creations(order(bodySite=KNEE)) == [[DRIVER]]
    assert creations(order("22222", bodySite=KNEE)) == [[COIL]]


def test_nothing_is_offered_that_is_already_drafted():
    assert offered(order(bodySite=KNEE), order("22222", id="s2", bodySite=KNEE)) == []


def test_nothing_is_offered_that_is_drafted_but_not_selected():
    drafts = (order(bodySite=KNEE), order("22222", id="s2", bodySite=KNEE))
    assert offered(*drafts, selected={"ServiceRequest/s1"}) == []


def test_a_device_alone_needs_both_acts():
    device = {
        "resourceType": "DeviceRequest",
        "id": "v1",
        "subject": ME,
        "status": "draft",
        "intent": "order",
        "codeCodeableConcept": concept(HCPCS, "C1111"),
        "reasonCode": [concept(ICD10CM, "M25.561")],
    }
    assert updates(device) == []
    assert creations(device) == [[COIL], [DRIVER]]


def test_an_order_without_an_id_cannot_be_updated():
    assert updates(order(code={"text": "knee humming"}, id=...)) == []


def test_codes_are_withheld_where_a_label_criterion_is_not_met():
    assert offered(WORDS, on_record=[patient(birthDate="2020-01-01")]) == []


def test_codes_are_not_withheld_because_something_is_unknown():
    assert offered(WORDS, on_record=[patient(birthDate=...)])


def test_a_question_suggests_nothing():
    assert offered(order()) == []


def test_patient_view_suggests_nothing():
    found = chart()
    decision = decide(minimal(), found, gather(minimal(), found, FORMS, TODAY), None, TODAY)
    assert suggestions(decision, str) == []


def test_a_suggestion_is_labeled_described_and_identified():
    update, create = offered(WORDS)
    assert update["label"] == update["actions"][0]["description"]
    assert "CPT 11111" in update["label"]
    assert "CPT 22222" in create["label"]
    assert update["uuid"] != create["uuid"]
    assert len(update["actions"]) == len(create["actions"]) == 1


# --- the companion order ----------------------------------------------------------------------------------------------

TAKEN_OVER = {
    "subject": ME,
    "encounter": {"reference": "Encounter/e1"},
    "authoredOn": "2026-03-20T09:30:00-05:00",
    "performer": [{"reference": "Practitioner/d2"}],
    "locationReference": [{"reference": "Location/l1"}],
    "priority": "routine",
    "category": [{"text": "Surgery"}],
    "requester": {"reference": "Practitioner/d1"},
    "occurrenceDateTime": "2026-04-01",
    "reasonCode": [concept(ICD10CM, "M25.561")],
    "insurance": [{"reference": "Coverage/v1"}],
    "reasonReference": [{"reference": "Condition/c1"}],
}


def test_a_header_diagnosis_of_an_order_stays_as_it_is():
    """A finer diagnosis is listed on the evidence page: which one it is, is for the clinician to say."""
    (changed,) = updates(HEADER, on_record=[condition()])
    assert changed["reasonCode"] == HEADER["reasonCode"]


def test_a_companion_order_is_for_the_same_patient_and_reasons():
    beside = order(**TAKEN_OVER)
    (created,) = [resource for kind, resource in actions(beside) if kind == "create"]
    assert created == TAKEN_OVER | {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "order",
        "code": {"coding": [DRIVER]},
    }


@pytest.mark.parametrize(
    "element", ["id", "bodySite", "note", "identifier", "extension", "quantityQuantity", "contained"]
)
def test_a_companion_order_does_not_take_over_what_is_the_other_acts(element):
    beside = order(bodySite=KNEE, note=[], identifier=[], extension=[], quantityQuantity={}, contained=[])
    assert element not in companion_order(minimal().orders.acts[1], beside)


def test_a_companion_order_refers_to_nothing_inside_the_other_order():
    references = [{"reference": "#inside"}, {"reference": "Condition/c1"}]
    made = companion_order(minimal().orders.acts[1], order(reasonReference=references))
    assert made["reasonReference"] == [{"reference": "Condition/c1"}]


def test_a_companion_order_names_no_invented_patient():
    assert "of-the-order" not in str(companion_order(minimal().orders.acts[1], order(subject=...)))


HEADER = order(reasonCode=[concept(ICD10CM, "M25.56")], code={"text": "knee humming"})


@pytest.mark.parametrize(
    "reason",
    named(
        ("a reason that is text", ["M25.56"]),
        ("a coding that is text", [{"coding": "M25.56"}]),
        ("a code that is a number", [{"coding": [{"system": ICD10CM, "code": 25}]}]),
        ("nothing", [None]),
    ),
)
def test_a_reason_that_cannot_be_read_stops_nothing(reason):
    """The body site says where; the broken reason spoils its own suggestion and not the card."""
    assert creations(order(bodySite=KNEE, reasonCode=reason)) == [[DRIVER]]


def test_at_most_one_update_for_an_order():
    assert len(updates(HEADER, on_record=[condition()])) == 1


def test_the_suggestions_do_not_depend_on_each_other():
    """Each is safe to accept alone or with the others: no two touch one order."""
    drafts = (WORDS, order(id="s2", code={"text": "knee humming driver"}))
    touched = [resource["id"] for resource in updates(*drafts)]
    assert touched == ["s1", "s2"]
    assert creations(*drafts) == []


def test_a_code_is_offered_only_where_it_is_valid_on_the_date_of_service(monkeypatch):
    made = copy.deepcopy(read_documents(MINIMAL))
    for row in made["codes"]["sets"]["coil"]["codes"]:
        row["valid_until"] = "2026-06-30"
    ended = policy_of(MINIMAL, made)
    monkeypatch.setattr("tests.test_suggestions.minimal", lambda: ended)
    in_words = order(code={"text": "Knee humming"}, bodySite=KNEE)
    other = order("22222", bodySite=KNEE)
    last, beyond = {"occurrenceDateTime": "2026-06-30"}, {"occurrenceDateTime": "2026-07-01"}
    assert [item["code"]["coding"] for item in updates(in_words | last)] == [[COIL]]
    assert updates(in_words | beyond) == []
    assert creations(other | last) == [[COIL]]
    assert creations(other | beyond) == []
