"""Reads the facts of a rule set from a chart: for each fact its possible values, their evidence, and what did not
count.

A value is an interval of numbers or True/False. A fact may have several possible values (sources that disagree, a
partial date, a score whose unit is ambiguous); a comparison is settled only if all of them agree.
"""

from datetime import date

from cds_service.chart.chart import Chart
from cds_service.chart.orders import ProcedureOrder
from cds_service.facts.attesters import DEFAULT_ACCEPTS, Accepts
from cds_service.facts.context import Context, types_not_whole
from cds_service.facts.drafts import waiting_drafts
from cds_service.facts.evidence import Fact, Known
from cds_service.facts.kind import kind_of
from cds_service.facts.logic import Truth
from cds_service.facts.responses import read_answers
from cds_service.facts.silence import NOTHING_IS_SILENT, CallSilence, SilentFacts
from cds_service.facts.word import evaluate
from cds_service.policy.model import Policy


def gather(
    policy: Policy,
    chart: Chart,
    questionnaires: frozenset[str],
    today: date,
    order: ProcedureOrder | None = None,
    *,
    accepts: Accepts = DEFAULT_ACCEPTS,
    silent: SilentFacts | None = None,
) -> Known:
    """Every fact of the rule set: of the whole, and of each part of the call.

    ``questionnaires`` are the canonical addresses, each with its edition, whose answers count as attested; ``order`` is
    None if nothing is ordered, and then the call is about all parts; ``accepts`` says which answers without an author
    or a role count. Without ``silent``, facts that have nothing on record are read like all others.
    """
    answers = read_answers(chart, questionnaires, accepts)
    drafts = waiting_drafts(chart, questionnaires)
    whole: dict[str, Fact] = {}
    not_whole = types_not_whole(chart, {"Patient", *policy.resource_types})
    context = Context(chart, answers, today, order, policy.scope, whole, not_whole=not_whole)
    silence = silent.in_call(chart, answers, not_whole) if silent is not None else NOTHING_IS_SILENT
    quiet = silence.facts(answers)
    for name, rule in policy.facts.items():
        if not rule.per_part and not rule.kind.counts_parts:
            whole[name] = quiet.get(name) or kind_of(rule).read(rule, context)
    if policy.scope is None:
        return Known(whole, {}, drafts)
    if order is None:
        parts = tuple(part.id for part in policy.scope.parts)
    else:
        parts = order.parts or tuple(
            part.id for part in policy.scope.parts if part.when and evaluate(part.when, whole).truth is Truth.MET
        )
    context = context._replace(parts=parts)
    for name, rule in policy.facts.items():
        if rule.kind.counts_parts:
            whole[name] = kind_of(rule).read(rule, context)
    return Known(whole, {part: _of_part(policy, context, part, silence) for part in parts}, drafts)


def _of_part(policy: Policy, context: Context, part: str, silence: CallSilence) -> dict[str, Fact]:
    known = dict(context.known)
    here = context._replace(known=known, part=part, answers=context.answers._replace(part=part))
    quiet = silence.facts(here.answers)
    for name, rule in policy.facts.items():
        if rule.per_part:
            known[name] = quiet.get(name) or kind_of(rule).read(rule, here)
    return known
