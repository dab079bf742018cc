"""The rule sets that a call may concern, before its chart is read, and the prefetch that their answer still needs."""

from collections.abc import Collection, Mapping
from datetime import date

from cds_service.chart import orders
from cds_service.errors import RequestError
from cds_service.fhir.elements import Json
from cds_service.hooks import hook_request
from cds_service.hooks.hook_request import HookRequest
from cds_service.policy import prefetch_templates
from cds_service.policy.model import Policy
from cds_service.service.call_chart import arrivals, read_chart
from cds_service.service.guide import Guide
from cds_service.service.statement import ReadCall, may_open


def concerned_policies(request: HookRequest, guide: Guide, today: date) -> tuple[Policy, ...]:
    """The rule sets that the call may concern; the orders alone show that most calls concern none.

    Raises RequestError 400 for an order for another patient that may concern a rule set; other such orders are ignored.
    """
    if request.hook == hook_request.PATIENT_VIEW:
        return guide.library.opened_on_patient_view
    for place, resource in request.orders_of_others:
        if orders.may_order(resource) and guide.library.order_index.concerned([resource], today):
            raise RequestError(
                400,
                "business-rule",
                f"{place}.resource is an order for another patient than context.patientId; send one patient's orders.",
                f"{place}.resource.subject",
            )
    return guide.library.order_index.concerned((resource for _, resource in orders_of(request)), today)


def wanted_templates(
    request: HookRequest, candidates: Collection[Policy], guide: Guide, today: date
) -> Mapping[str, str]:
    """Published prefetch key -> template, for what must be known next to answer for these rule sets. Pure.

    For an order that is everything they read. For an opened chart it is first what shows whether a rule set has
    something to say; once that is known (sent, fetched, or not available), it is everything that those rule sets read.
    So call this again after each fetch, until it wants nothing unknown. Raises RequestError 400 as ``answer`` does.
    """
    if not candidates:
        return {}
    templates = guide.library.prefetch_templates
    if request.hook != hook_request.PATIENT_VIEW:
        return _templates_of(templates, guide.library.policy_reads.of(candidates).resource_types)
    opening = guide.library.read_when_a_chart_is_opened
    first = _templates_of(templates, {name for policy in candidates for name in opening[policy.id]})
    if any(request.lacks(key) for key in first):
        return first
    chart = read_chart(request, candidates, guide, arrivals(request, guide.library))
    call = ReadCall(request, [], chart, guide, today, None)
    opened = [policy for policy in candidates if may_open(policy, call)]
    return _templates_of(templates, {name for policy in opened for name in policy.resource_types})


def _templates_of(templates: Mapping[str, str], resource_types: Collection[str]) -> Mapping[str, str]:
    keys = {prefetch_templates.key_of(name) for name in ("Patient", *resource_types)}
    return {key: template for key, template in templates.items() if key in keys}


def orders_of(request: HookRequest) -> list[tuple[str, Json]]:
    """The drafts of a call that may order something, as (reference, resource)."""
    return [(reference, resource) for reference, resource in request.drafts if orders.may_order(resource)]
