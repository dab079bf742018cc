"""The suggestions of a card: one code on the order as received, and a companion order for the other act."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import orjson

from cds_service.card.ids import IdMaker
from cds_service.card.words import rest as words
from cds_service.chart.orders import Draft
from cds_service.fhir.elements import Json, list_of
from cds_service.policy.codes import Code
from cds_service.policy.editions import date_of_service
from cds_service.policy.model import Act
from cds_service.verdicts.decisions import Decision

# The members that a companion order copies from its order; the body site stays with its own act.
TAKEN_OVER = (
    *("subject", "encounter", "authoredOn", "requester", "performer", "performerType", "locationCode"),
    *("locationReference", "priority", "category", "occurrenceDateTime", "occurrencePeriod", "reasonCode", "insurance"),
)


def suggestions(decision: Decision, make_id: IdMaker) -> list[Json]:
    """CDS Hooks suggestions for a decision on an order, each safe to accept in any combination.

    At most one ``update`` for each draft (the draft as received plus one coding), and one ``create`` for each act
    without a draft. No suggestion has a code that is invalid on the date of service. The outcome determines whether a
    card may offer them.
    """
    order = decision.order
    if order is None or not order.certain:
        return []
    offered = []
    coded = set(order.coded)
    for draft in order.drafts:
        action = _update(decision, draft, coded)
        coded.add(draft.act.id)
        if action:
            offered.append(_suggestion(action, f"suggestion:{draft.reference}", make_id))
    on = date_of_service([order.drafts[0].resource], order.today)
    for act in decision.policy.orders.acts:
        if act.id not in order.settled and act.code.is_valid(on):
            action = {
                "type": "create",
                "description": words.add_order(act.code.system_name, act.code.code, act.label),
                "resource": companion_order(act, order.drafts[0].resource),
            }
            offered.append(_suggestion(action, f"suggestion:{act.id}", make_id))
    return offered


def _suggestion(action: Json, name: str, make_id: IdMaker) -> Json:
    return {"label": action["description"], "uuid": make_id(name), "actions": [action]}


def _may_be_coded(draft: Draft) -> bool:
    # A CodeableReference (FHIR R5) has no place for an R4 coding.
    concept = draft.resource.get("code")
    is_r4 = not isinstance(concept, dict) or "concept" not in concept
    return draft.orders_an_act and isinstance(draft.resource.get("id"), str) and is_r4


def _update(decision: Decision, draft: Draft, coded: Collection[str]) -> Json | None:
    if not _may_be_coded(draft):
        return None
    code = draft.act.code
    if draft.act.id in coded or not code.is_valid(date_of_service([draft.resource], decision.today)):
        return None
    concept = draft.resource.get("code")
    patched = draft.resource | {"code": _with_coding(concept if isinstance(concept, dict) else {}, code)}
    what = words.add_code(code.system_name, code.code, draft.act.label)
    return {"type": "update", "description": what, "resource": patched}


def _with_coding(concept: Mapping[str, Any], code: Code) -> Json:
    present = [coding for coding in list_of(concept.get("coding")) if coding != {}]
    return {**concept, "coding": [*present, {"system": code.system, "code": code.code}]}


def companion_order(act: Act, beside: Mapping[str, Any]) -> Json:
    """A draft ServiceRequest for another act of the same procedure, with the same patient and reasons."""
    order: Json = orjson.loads(_skeleton(act.code.system, act.code.code))
    order |= {name: beside[name] for name in TAKEN_OVER if name in beside}
    references = [item for item in list_of(beside.get("reasonReference")) if not _is_contained(item)]
    if references:
        order["reasonReference"] = references
    return order


def _is_contained(reference: Any) -> bool:
    return isinstance(reference, dict) and str(reference.get("reference", "#")).startswith("#")


@lru_cache(maxsize=256)
def _skeleton(system: str, code: str) -> bytes:
    """The order as JSON text; each companion order parses its own copy."""
    # The model checks what we create; it is heavy, so it loads with the first companion order and runs once per code.
    from fhir.resources.R4B.servicerequest import ServiceRequest

    model = ServiceRequest(
        status="draft",
        intent="order",
        code={"coding": [{"system": system, "code": code}]},
        # Replaced by the subject of the other order.
        subject={"reference": "Patient/1"},
    )
    skeleton: Json = model.model_dump(mode="json", exclude_none=True)
    del skeleton["subject"]
    return orjson.dumps(skeleton)


def warm_up(act: Act) -> None:
    """Load the model and make the act's skeleton before the first call needs it."""
    _skeleton(act.code.system, act.code.code)
