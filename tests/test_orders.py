"""Recognizing the order: which rule set it concerns, how surely, and which act it names."""

from dataclasses import replace

import pytest

from cds_service.chart.orders import recognize
from cds_service.policy.model import Pathway
from tests.charts import (
    CPT,
    HCPCS,
    ICD10CM,
    ME,
    SNOMED,
    TODAY,
    chart,
    concept,
    condition,
    minimal,
    named,
    order,
)

KNEE = [{"text": "Right knee"}]


def recognized(*drafts, selected=None, on_record=()):
    pairs = [(f"{draft['resourceType']}/{draft.get('id')}", draft) for draft in drafts]
    return recognize(minimal().orders, pairs, chart(*on_record), selected, TODAY)


def device_order(**changes):
    return {
        "resourceType": "DeviceRequest",
        "id": "v1",
        "subject": ME,
        "status": "draft",
        "intent": "order",
        "codeCodeableConcept": concept(HCPCS, "C1111"),
    } | changes


@pytest.mark.parametrize(
    ("draft", "act", "coded", "by_text"),
    named(
        ("by the act's own code", order("11111"), "coil", True, False),
        ("by the other act's own code", order("22222"), "driver", True, False),
        ("by the code's OID", order(code=concept("urn:oid:2.16.840.1.113883.6.12", "11111")), "coil", True, False),
        ("by the code without a system", order(code=concept(None, "11111")), "coil", True, False),
        ("by another code of the act", order(code=concept(HCPCS, "C1111")), "coil", False, False),
        ("by the device", device_order(), "coil", False, False),
        (
            "by a contained device",
            {key: value for key, value in device_order().items() if key != "codeCodeableConcept"}
            | {
                "codeReference": {"reference": "#d"},
                "contained": [{"resourceType": "Device", "id": "d", "type": concept(HCPCS, "C1111")}],
            },
            "coil",
            False,
            False,
        ),
        (
            "the second of several codings",
            order(code={"coding": [{}, {"system": "urn:x", "code": "1"}, {"system": CPT, "code": "11111"}]}),
            "coil",
            True,
            False,
        ),
        ("by words", order(code={"text": "Knee humming, trial"}), "coil", False, True),
        ("by words that name the other act", order(code={"text": "Knee humming: driver"}), "driver", False, True),
        ("by a display", order(code={"coding": [{"display": "The Hummer (R)"}]}), "coil", False, True),
        ("by words behind an empty coding", order(code={"coding": [{}], "text": "knee humming"}), "coil", False, True),
    ),
)
def test_an_order_is_recognized(draft, act, coded, by_text):
    found = recognized(draft | {"bodySite": KNEE})
    assert found is not None
    assert found.certain
    assert [(item.act.id, item.act.id in item.coded, item.by_text) for item in found.drafts] == [(act, coded, by_text)]
    assert found.by_text is by_text


@pytest.mark.parametrize(
    "draft",
    named(
        ("another code", order("99999")),
        ("another system's code", order(code=concept("urn:x", "11111"))),
        ("no code", order(None)),
        ("an empty coding", order(code={"coding": [{}]})),
        ("words inside other words", order(code={"text": "kneehummingbird"})),
        ("not to be done", order(doNotPerform=True)),
        ("entered in error", order(status="entered-in-error")),
        ("revoked", order(status="revoked")),
        ("completed", order(status="completed")),
        ("a code that cannot be read", order(code="11111")),
        ("a coding that cannot be read", order(code={"coding": {"code": "11111"}})),
    ),
)
def test_an_order_is_not_recognized(draft):
    assert recognized(draft | {"bodySite": KNEE}) is None


@pytest.mark.parametrize(
    ("changes", "certain"),
    named(
        ("the site in words", {"bodySite": KNEE}, True),
        ("the site as a code", {"bodySite": [concept(SNOMED, "72696002")]}, True),
        ("the reason as a code", {"reasonCode": [concept(ICD10CM, "M25.561")]}, True),
        ("the reason without its dot", {"reasonCode": [concept(ICD10CM, "M25561")]}, True),
        ("the reason as a header code", {"reasonCode": [concept(ICD10CM, "M25.56")]}, True),
        ("the reason in a category", {"reasonCode": [concept(ICD10CM, "M17.11")]}, True),
        ("the reason in words", {"reasonCode": [{"text": "Pain of the knee"}]}, True),
        ("a diagnosis of the chart", {"reasonReference": [{"reference": "Condition/c1"}]}, True),
        (
            "a contained diagnosis",
            {"reasonReference": [{"reference": "#c"}], "contained": [condition(id="c")]},
            True,
        ),
        ("a diagnosis by its words", {"reasonReference": [{"display": "Knee pain"}]}, True),
        ("the words of the code", {"code": concept(CPT, "11111", text="Coil, right knee")}, True),
        ("the name of the therapy", {"code": concept(CPT, "11111", text="Knee humming")}, True),
        ("one of two reasons", {"reasonCode": [concept(ICD10CM, "G89.4"), concept(ICD10CM, "M25.561")]}, True),
        ("this site, a reason elsewhere", {"bodySite": KNEE, "reasonCode": [concept(ICD10CM, "M25.511")]}, True),
        ("nothing", {}, False),
        ("an empty site", {"bodySite": [{}], "reasonCode": []}, False),
        ("a reason that names no place", {"reasonCode": [concept(ICD10CM, "G89.4")]}, False),
        ("words that name no place", {"reasonCode": [{"text": "Pain"}]}, False),
        ("a diagnosis that is nowhere", {"reasonReference": [{"reference": "Condition/lost"}]}, False),
        ("a local code of a site", {"bodySite": [concept("urn:x", "L", text="left side")]}, False),
    ),
)
def test_a_code_that_serves_many_places_must_point_here(changes, certain):
    """Sure where it points here; a question where nothing says where."""
    found = recognized(order(**changes), on_record=[condition()])
    assert found is not None
    assert found.certain is certain


@pytest.mark.parametrize(
    "changes",
    named(
        ("another site in words", {"bodySite": [{"text": "Left shoulder"}]}),
        ("another site as a code with its name", {"bodySite": [concept(SNOMED, "16982005", text="Shoulder")]}),
        (
            "another site, though the reason is here",
            {"bodySite": [{"text": "Elbow"}], "reasonCode": [concept(ICD10CM, "M25.561")]},
        ),
        ("another reason", {"reasonCode": [concept(ICD10CM, "M25.511")]}),
        ("another reason in words", {"reasonCode": [{"text": "Shoulder pain"}]}),
        ("another diagnosis of the chart", {"reasonReference": [{"reference": "Condition/c2"}]}),
        ("the words of the code", {"code": concept(CPT, "11111", text="Coil, shoulder")}),
        (
            "a reason elsewhere beside one that names no place",
            {"reasonCode": [concept(ICD10CM, "G89.4"), concept(ICD10CM, "M25.511")]},
        ),
    ),
)
def test_an_order_that_points_elsewhere_concerns_no_rule_set(changes):
    shoulder = condition(id="c2", code=concept(ICD10CM, "M25.511"))
    assert recognized(order(**changes), on_record=[shoulder]) is None


def test_a_site_that_is_denied_does_not_point_here():
    found = recognized(order(reasonCode=[{"text": "no knee pain"}]))
    assert found is None or not found.certain


def test_drafts_of_one_implant_are_one_procedure():
    found = recognized(order(bodySite=KNEE), order("22222", id="s2", bodySite=KNEE))
    assert [draft.reference for draft in found.drafts] == ["ServiceRequest/s1", "ServiceRequest/s2"]
    assert found.settled == {"coil", "driver"}


def test_one_draft_that_points_here_decides_for_the_others():
    assert recognized(order(), order("22222", id="s2", bodySite=KNEE)).certain


def test_a_draft_that_points_elsewhere_is_no_part_of_the_procedure():
    found = recognized(order(bodySite=KNEE), order("22222", id="s2", bodySite=[{"text": "shoulder"}]))
    assert [draft.reference for draft in found.drafts] == ["ServiceRequest/s1"]
    assert found.settled == {"coil"}


def test_a_draft_that_is_withdrawn_is_not_drafted():
    assert recognized(order(bodySite=KNEE), order("22222", id="s2", status="revoked")).settled == {"coil"}


def test_an_act_that_must_not_be_done_needs_no_order():
    found = recognized(order(bodySite=KNEE), order("22222", id="s2", bodySite=KNEE, doNotPerform=True))
    assert [draft.reference for draft in found.drafts] == ["ServiceRequest/s1"]
    assert found.settled == {"coil", "driver"}
    assert recognized(order(bodySite=KNEE, doNotPerform=True)) is None


def test_a_bare_id_selects_too():
    assert recognized(order(bodySite=KNEE), selected={"s1"}) is not None


def test_a_site_by_an_unknown_code_says_nothing():
    assert not recognized(order(bodySite=[concept(SNOMED, "123456789")])).certain
    assert recognized(order(bodySite=[concept(SNOMED, "123456789")], reasonCode=[concept(ICD10CM, "M25.561")])).certain


@pytest.mark.parametrize(
    "text",
    ["Removal of knee humming device", "Revision, knee humming", "No knee humming", "Knee humming removal"],
)
def test_words_about_something_else_name_no_order(text):
    assert recognized(order(code={"text": text}, bodySite=KNEE)) is None


def test_words_are_read_where_the_codes_cannot_be():
    (draft,) = recognized(order(code={"text": "knee humming", "coding": [None]})).drafts
    assert draft.by_text


def test_to_request_the_device_is_not_to_order_the_act():
    assert recognized(device_order(reasonCode=[concept(ICD10CM, "M25.561")])).settled == set()


def test_only_what_is_selected_is_commented_on_and_the_rest_informs():
    drafts = (order(bodySite=KNEE), order("22222", id="s2"))
    found = recognized(*drafts, selected={"ServiceRequest/s2"})
    assert [draft.reference for draft in found.drafts] == ["ServiceRequest/s2"]
    assert found.settled == {"coil", "driver"}
    assert found.certain


@pytest.mark.parametrize("selected", [set(), {"ServiceRequest/other"}, {"s2"}])
def test_what_is_not_selected_is_left_alone(selected):
    assert recognized(order(bodySite=KNEE), selected=selected) is None


def test_nothing_drafted_is_nothing_recognized():
    assert recognized() is None


@pytest.mark.parametrize(
    "fault", [{"bodySite": "knee"}, {"reasonCode": [7]}, {"reasonReference": [7]}, {"bodySite": [None]}]
)
def test_a_part_that_cannot_be_read_stops_nothing(fault):
    found = recognized(order(bodySite=KNEE), order("22222", id="s2") | fault)
    assert found.drafts[0].reference == "ServiceRequest/s1"


def test_another_way_that_is_not_to_be_gone_settles_no_act():
    rule = minimal().orders
    away = Pathway(id="away", title="Away", codes=None, phrases=(" second humming ",), when=None, says="away")
    rule = replace(rule, pathways=(away,))
    drafts = [
        ("ServiceRequest/s1", order(bodySite=KNEE)),
        ("ServiceRequest/s2", order(None, id="s2", code={"text": "second humming"}, doNotPerform=True)),
        ("ServiceRequest/s3", order("22222", id="s3", bodySite=KNEE, doNotPerform=True)),
    ]
    found = recognize(rule, drafts, chart(), {"ServiceRequest/s1"}, TODAY)
    assert found.settled == {"coil", "driver"}
    assert recognize(rule, drafts[:2], chart(), None, TODAY).settled == {"coil"}
    assert found.others == ()


def test_a_procedure_whose_codes_mean_one_thing_needs_no_site():
    anywhere = replace(minimal().orders, names_site=False)
    pairs = [("ServiceRequest/s1", order())]
    assert recognize(minimal().orders, pairs, chart(), None, TODAY).certain is False
    assert recognize(anywhere, pairs, chart(), None, TODAY).certain is True
