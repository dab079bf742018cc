"""Calls of the made-up statement that judges both knees apart: further orders, rules of single sources, ids."""

from pathlib import Path

from cds_service.card.guidance import Addresses
from cds_service.commands.explanation import answers_to, as_json
from cds_service.library import Library
from cds_service.policy.model import Policy
from cds_service.service.guide import Guide
from tests.charts import BASE, CPT, SNOMED, TODAY, concept, order, patient
from tests.loading import policy_of
from tests.paired import paired

RIGHT, LEFT = [concept(SNOMED, "24028007")], [concept(SNOMED, "7771000")]
ACT = order(bodySite=RIGHT)


def statement(by_rule: bool = False) -> Policy:
    """The statement whose first verdict does not apply where a tool is ordered; nothing goes another way."""
    made = paired()
    made["codes"]["sets"]["tool"] = {"title": "Tool", "text": ["tool"], "codes": []}
    made["policy"]["facts"]["old-coil"]["codes"] = "tool"
    made["policy"].pop("pathways")
    if by_rule:
        made["policy"]["verdicts"].append({"id": "by-bulletin", "title": "As the bulletin asks", "profile": "bulletin"})
    return policy_of(Path("/made-up/paired"), made)


def explained(*drafts: dict, selected: list[str] | None = None, policy: Policy | None = None) -> dict:
    context = {
        "userId": "Practitioner/1",
        "patientId": "p1",
        "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": draft} for draft in drafts]},
    }
    hook = "order-sign" if selected is None else "order-select"
    body = {"hook": hook, "hookInstance": "made up", "context": context, "prefetch": {"patient": patient()}}
    if selected is not None:
        context["selections"] = selected
    guide = Guide(Library((policy or statement(),), BASE), Addresses("http://x", BASE), b"a key for tests only")
    return as_json(answers_to(body, guide, TODAY, print), TODAY)


def first_verdict(*drafts: dict, **more) -> str:
    return explained(*drafts, **more)["policies"][0]["verdicts"][0]["truth"]


def tool(**changes) -> dict:
    return order(None, id="s2", code={"text": "tool"}, **changes)


def test_what_is_not_to_be_done_is_not_ordered():
    assert first_verdict(ACT, tool()) == "not-applicable"
    assert first_verdict(ACT, tool(doNotPerform=True)) == "unknown"


def test_an_order_that_is_not_selected_is_still_an_order_of_the_call():
    beside = order(id="s2", code=concept(CPT, "11111", text="tool"), bodySite=RIGHT)
    assert first_verdict(ACT, beside, selected=["ServiceRequest/s1"]) == "not-applicable"


def test_the_criteria_of_a_verdict_by_a_rule_are_explained():
    found = explained(ACT, policy=statement(by_rule=True))["policies"][0]["criteria"]
    assert {(item["id"], item.get("profile")) for item in found} >= {("care", "bulletin"), ("fell", None)}


def test_another_decision_has_another_id():
    calls = [(ACT,), (ACT, tool()), (order(bodySite=LEFT),)]
    assert len({explained(*drafts)["response"]["cards"][0]["uuid"] for drafts in calls}) == len(calls)


def test_an_act_that_names_no_side_beside_one_that_does_asks():
    found = explained(ACT, order(id="s2"))
    assert [(item["outcome"], item["criteria"]) for item in found["policies"]] == [("unclear", [])]
    assert "suggestions" not in found["response"]["cards"][0]


def test_an_order_whose_code_cannot_be_read_settles_nothing_about_what_is_ordered():
    assert first_verdict(ACT) == "unknown"
    found = explained(ACT, order(id="s2", code={"coding": "11111"}))
    assert found["policies"][0]["verdicts"][0]["truth"] == "unknown"
