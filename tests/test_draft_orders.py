"""draftOrders as EHRs send them: what is read, what is reported, and what refuses the call."""

import pytest

from cds_service.errors import RequestError
from cds_service.hooks.hook_request import parse
from tests.charts import CPT, concept, named, order

SELECT, SIGN = "coverage-guidance-order-select", "coverage-guidance-order-sign"
URN = "urn:uuid:6a0a3f0e-0c5e-4b7e-9a53-1d2b3c4d5e6f"


def request(*entries, selections=None, orders=None):
    context = {"userId": "Practitioner/1", "patientId": "p1", "draftOrders": orders or {"entry": list(entries)}}
    hook = "order-sign" if selections is None else "order-select"
    if selections is not None:
        context["selections"] = selections
    body = {"hook": hook, "hookInstance": "x", "context": context, "prefetch": {}}
    return parse(SIGN if selections is None else SELECT, body)


def entry(resource, **more):
    return {"resource": resource, **more}


@pytest.mark.parametrize(
    ("selection", "selected"),
    named(
        ("the fullUrl of a draft without id", URN, "ServiceRequest#0"),
        ("type and id", "ServiceRequest/s2", "ServiceRequest/s2"),
        ("the address of the server", "https://ehr.example/fhir/ServiceRequest/s2", "ServiceRequest/s2"),
        ("the fullUrl of a draft with id", "urn:uuid:2", "ServiceRequest/s2"),
        ("nothing that is drafted", "ServiceRequest/s9", "ServiceRequest/s9"),
    ),
)
def test_a_selection_finds_its_draft(selection, selected):
    drafts = entry(order(id=...), fullUrl=URN), entry(order(id="s2"), fullUrl="urn:uuid:2")
    call = request(*drafts, selections=[selection])
    assert call.selections == {selected}
    assert [reference for reference, _ in call.drafts] == ["ServiceRequest#0", "ServiceRequest/s2"]


@pytest.mark.parametrize(
    "bad", named(("null", None), ("text", "x"), ("no resource", {}), ("no type", {"resource": {"id": "1"}}))
)
def test_one_entry_that_cannot_be_read_spoils_itself_alone(bad):
    call = request(bad, entry(order()))
    assert [reference for reference, _ in call.drafts] == ["ServiceRequest/s1"]
    assert [item.cause for item in call.unread_drafts] == ["no-resource"]
    assert call.unread_drafts[0].place.startswith("context.draftOrders.entry[0]")


def test_where_no_entry_can_be_read_the_call_is_refused():
    with pytest.raises(RequestError) as refused:
        request(None, {})
    assert refused.value.expression == "context.draftOrders.entry[0]"


def test_a_list_instead_of_a_bundle_is_refused_and_a_bundle_is_asked_for():
    with pytest.raises(RequestError, match="Bundle") as refused:
        request(orders=[order()])
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("draft", "cause", "says"),
    named(
        ("a code that is text", order(code="11111"), "code", "code cannot be read"),
        ("a coding that is not a list", order(code={"coding": {"code": "11111"}}), "code", "cannot be read"),
        ("no code at all", order(None), "code", "neither a code nor text"),
        ("a local code without words", order(code=concept("urn:x", "L1")), "local-code", "only local codes"),
        ("an order of STU3", order(resourceType="ProcedureRequest"), "older-version", "send a ServiceRequest"),
        ("an order of DSTU2", order(resourceType="DiagnosticOrder"), "older-version", "send a ServiceRequest"),
        ("an order carried out", order(status="completed"), "not-a-draft", "status completed"),
        ("an order taken back", order(status="revoked"), "not-a-draft", "status revoked"),
    ),
)
def test_a_draft_that_is_no_readable_order_is_reported(draft, cause, says):
    (told,) = request(entry(draft)).unread_drafts
    assert told.cause == cause
    assert says in told.sentence


@pytest.mark.parametrize(
    "draft",
    named(
        ("a code of a standard system", order()),
        ("words alone", order(None, code={"text": "Knee humming"})),
        ("a local code with words", order(code=concept("urn:x", "L1", text="Knee humming"))),
        ("a CodeableReference of R5", order(code={"concept": concept(CPT, "11111")})),
        ("a device by reference", {"resourceType": "DeviceRequest", "codeReference": {"reference": "Device/1"}}),
        ("a drug without a code, which is not a procedure", {"resourceType": "MedicationRequest", "id": "m"}),
        ("another kind of resource", {"resourceType": "NutritionOrder", "id": "n"}),
    ),
)
def test_of_a_readable_draft_nothing_is_reported(draft):
    assert request(entry(draft)).unread_drafts == ()


def test_an_order_for_another_patient_is_kept_apart():
    """Only where a statement concerns it is the call refused, which is not known before the policies are asked."""
    other = order(id="s2", subject={"reference": "Patient/p2"})
    call = request(entry(order()), entry(other))
    assert [reference for reference, _ in call.drafts] == ["ServiceRequest/s1"]
    assert call.orders_of_others == (("context.draftOrders.entry[1]", other),)
