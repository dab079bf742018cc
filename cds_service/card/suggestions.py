"""What a card offers to change: one code on the order as received, and a companion order for the other act."""

import copy
from collections.abc import Callable, Collection, Mapping
from datetime import date
from functools import cache, lru_cache
from typing import Any

from cds_service.card.ids import IdMaker
from cds_service.chart.chart import Chart
from cds_service.chart.evidence_rules import is_confirmed_and_active
from cds_service.chart.orders import Draft
from cds_service.errors import UnreadableError
from cds_service.fhir.elements import Json, list_of, readable_keys
from cds_service.policy.codes import Code
from cds_service.policy.editions import date_of_service
from cds_service.policy.model import Act
from cds_service.verdicts.decisions import Decision

Confirmed = Callable[[], Collection[Code]]
# What a companion order takes over from the order beside which it is drafted; the body site stays with its own act.
TAKEN_OVER = ("subject", "encounter", "requester", "occurrenceDateTime", "occurrencePeriod", "reasonCode", "insurance")


def suggestions(decision: Decision, chart: Chart, make_id: IdMaker) -> list[Json]:
    """CDS Hooks suggestions for a decision on an order, each safe to accept in any combination; none of a code
    that is not valid on the date of service. Whether any may be offered is for the outcome to say.

    At most one ``update`` for each draft (the draft as received plus one coding), one ``create`` for each act not
    drafted.
    """
    order = decision.order
    if order is None or not order.certain:
        return []
    offered = []
    coded = set(order.coded)
    # Asked for only where a reason is a header code, and then once for all drafts.
    confirmed = cache(lambda: _confirmed_diagnoses(decision, chart))
    for draft in order.drafts:
        action = _update(decision, draft, confirmed, coded)
        coded.add(draft.act.id)
        if action:
            offered.append(_suggestion(action, f"suggestion:{draft.reference}", make_id))
    on = date_of_service([order.drafts[0].resource], order.today)
    for act in decision.policy.orders.acts:
        if act.id not in order.settled and act.code.is_valid(on):
            action = {
                "type": "create",
                "description": f"Add order: {act.label} ({act.code.system_name} {act.code.code})",
                "resource": companion_order(act, order.drafts[0].resource),
            }
            offered.append(_suggestion(action, f"suggestion:{act.id}", make_id))
    return offered


def _suggestion(action: Json, name: str, make_id: IdMaker) -> Json:
    return {"label": action["description"], "uuid": make_id(name), "actions": [action]}


def _may_be_coded(draft: Draft) -> bool:
    # What FHIR R5 calls a CodeableReference has no place for a coding of R4.
    concept = draft.resource.get("code")
    is_r4 = not isinstance(concept, dict) or "concept" not in concept
    return draft.orders_an_act and isinstance(draft.resource.get("id"), str) and is_r4


def _update(decision: Decision, draft: Draft, confirmed: Confirmed, coded: Collection[str]) -> Json | None:
    if not _may_be_coded(draft):
        return None
    code = draft.act.code
    on = date_of_service([draft.resource], decision.today)
    if draft.act.id not in coded:
        if not code.is_valid(on):
            return None
        concept = draft.resource.get("code")
        patched = draft.resource | {"code": _with_coding(concept if isinstance(concept, dict) else {}, code)}
        what = f"Add {code.system_name} {code.code} ({draft.act.label}) to this order"
    else:
        patched, leaf = _finer_reason(decision, draft.resource, confirmed, on)
        if leaf is None:
            return None
        what = f"Add confirmed diagnosis {leaf.system_name} {leaf.code} to this order"
    return {"type": "update", "description": what, "resource": patched}


def _with_coding(concept: Mapping[str, Any], code: Code) -> Json:
    present = [coding for coding in list_of(concept.get("coding")) if coding != {}]
    return {**concept, "coding": [*present, {"system": code.system, "code": code.code}]}


def _finer_reason(decision: Decision, order: Json, confirmed: Confirmed, on: date) -> tuple[Json, Code | None]:
    """The order with the billable leaf of its header-coded reason, if exactly one leaf is a confirmed diagnosis."""
    reasons = order.get("reasonCode")
    patched = [_finer(decision, concept, confirmed, on) for concept in list_of(reasons)]
    leaf = next((leaf for _, leaf in patched if leaf), None)
    if leaf is None:
        return order, None
    finer = [concept for concept, _ in patched]
    return order | {"reasonCode": finer if isinstance(reasons, list) else finer[0]}, leaf


def _finer(decision: Decision, concept: Any, confirmed: Confirmed, on: date) -> tuple[Any, Code | None]:
    here = decision.policy.orders.here
    rows = [row for key in readable_keys(concept) if (row := here.match(key))]
    header = next((row for row in rows if row.leaves), None)
    if header is None or any(row.code in header.leaves for row in rows):
        return concept, None
    held = [code for code in confirmed() if code.code in header.leaves and code.is_valid(on)]
    if len(held) != 1:
        return concept, None
    return _with_coding(concept, held[0]), held[0]


def _confirmed_diagnoses(decision: Decision, chart: Chart) -> set[Code]:
    """The codes of the policy's site that confirmed, active Conditions hold."""
    matches = chart.matches("Condition", decision.policy.orders.here)
    return {match.code for match in matches if match.code and _confirmed(match.record.resource)}


def _confirmed(condition: Mapping[str, Any]) -> bool:
    try:
        return is_confirmed_and_active(condition)
    except UnreadableError:
        return False


def companion_order(act: Act, beside: Mapping[str, Any]) -> Json:
    """A draft ServiceRequest for another act of the same procedure, for the same patient and the same reasons."""
    order = copy.deepcopy(_skeleton(act.code.system, act.code.code))
    order |= {name: beside[name] for name in TAKEN_OVER if name in beside}
    references = [item for item in list_of(beside.get("reasonReference")) if not _is_contained(item)]
    if references:
        order["reasonReference"] = references
    return order


def _is_contained(reference: Any) -> bool:
    return isinstance(reference, dict) and str(reference.get("reference", "#")).startswith("#")


@lru_cache(maxsize=256)
def _skeleton(system: str, code: str) -> Json:
    # The model checks what we create; it is heavy, so it loads with the first companion order and runs once per code.
    from fhir.resources.R4B.servicerequest import ServiceRequest

    model = ServiceRequest(
        status="draft",
        intent="order",
        code={"coding": [{"system": system, "code": code}]},
        subject={"display": "taken over from the order beside it"},
    )
    skeleton: Json = model.model_dump(mode="json", exclude_none=True)
    del skeleton["subject"]
    return skeleton


def warm_up(act: Act) -> None:
    """Loads the model and makes the act's skeleton before the first call needs it."""
    _skeleton(act.code.system, act.code.code)
