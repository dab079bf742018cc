"""The decisions behind forms: the rule sets that orders or a request ask for, each evaluated against a chart. Pure."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from cds_service.chart import orders
from cds_service.chart.chart import Chart
from cds_service.chart.orders import ProcedureOrder
from cds_service.facts import gather
from cds_service.facts.evidence import Known
from cds_service.hooks.hook_request import HookRequest
from cds_service.policy.editions import date_of_service, in_force
from cds_service.policy.model import Policy
from cds_service.service import call_chart
from cds_service.service.concerned import concerned_policies
from cds_service.service.guide import Guide
from cds_service.verdicts import decisions
from cds_service.verdicts.decisions import Decision


class FormDecision(NamedTuple):
    """One rule set evaluated against one chart, with its decision.

    ``known`` are the facts with answers to forms, ``recorded`` those without.
    """

    policy: Policy
    chart: Chart
    known: Known
    recorded: Known
    decision: Decision


def form_decisions(
    request: HookRequest, guide: Guide, today: date, asked: Iterable[Policy] = ()
) -> Iterator[FormDecision]:
    """The rule sets whose procedure the orders of a call ask for, and those ``asked`` for by name.

    Among several editions of a statement, the edition in force on the date of service applies, unless another is asked
    for. If a pathway of the rule set applies to the order, there is no form. Raises RequestError 400 for an order for
    another patient.
    """
    candidates = concerned_policies(request, guide, today)
    wanted = {policy.id: policy for policy in asked}
    for editions in guide.library.statements:
        if editions[0].statement in {policy.statement for policy in candidates}:
            policy = in_force(editions, date_of_service([resource for _, resource in request.drafts], today))
            wanted.setdefault(policy.id, policy)
    named = {policy.id for policy in asked}
    came = call_chart.arrivals(request, guide.library)
    for policy in wanted.values():
        chart = call_chart.read_chart(request, [policy], guide, came)
        order = orders.recognize(policy.orders, request.drafts, chart, None, today, policy.scope)
        if policy.id in named or (order is not None and order.certain):
            found = _decided(policy, chart, order, guide, today)
            if policy.id in named or decisions.pathway(policy, found[0], order) is None:
                yield FormDecision(policy, chart, *found)


def _decided(
    policy: Policy, chart: Chart, order: ProcedureOrder | None, guide: Guide, today: date
) -> tuple[Known, Known, Decision]:
    forms = guide.library.questionnaires(policy)
    known = gather.gather(policy, chart, forms, today, order, accepts=guide.accepts)
    recorded = gather.gather(policy, chart, frozenset(), today, order, accepts=guide.accepts)
    return known, recorded, decisions.decide(policy, chart, known, order, today)
