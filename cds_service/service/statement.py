"""One rule set evaluated for one call: whether the call concerns it, and the answer."""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from cds_service.card import guidance
from cds_service.card.assessment import Assessment
from cds_service.card.guidance import Frame
from cds_service.card.ids import IdMaker, fingerprint, id_maker
from cds_service.card.outcomes import Outcome
from cds_service.chart import orders
from cds_service.chart.chart import Chart
from cds_service.chart.orders import ProcedureOrder
from cds_service.errors import RequestError
from cds_service.facts import gather
from cds_service.facts.evidence import Known
from cds_service.fhir.elements import Json
from cds_service.hooks import hook_request
from cds_service.hooks.hook_request import HookRequest
from cds_service.policy.editions import date_of_service, in_force
from cds_service.policy.model import Policy, Profile
from cds_service.service.guide import Guide
from cds_service.verdicts import decisions
from cds_service.verdicts.decisions import Decision


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of one rule set to one call.

    ``card`` is None if the rule set stays silent when a chart is opened. ``decision`` is None if the card only asks,
    names another ``pathway``, or says that evaluation failed or ran out of time (``late``). ``assessment`` is the
    decision that the card was made from, with its chart; ``order`` is the first draft that the card is about. If a card
    asks about an order, ``if_meant`` is the assessment as if the order were for this therapy; it is evaluated only on
    request.
    """

    policy: Policy
    card: Json | None
    decision: Decision | None
    outcome: Outcome
    error: Exception | None = None
    pathway: str | None = None
    late: bool = False
    assessment: Assessment | None = None
    order: str | None = None
    if_meant: Assessment | None = None


class ReadCall(NamedTuple):
    """The input for every rule set: the request, its orders, the chart, the day, and the rule asked for."""

    request: HookRequest
    drafts: list[tuple[str, Json]]
    chart: Chart
    guide: Guide
    today: date
    profile: str | None


def answer_of(editions: tuple[Policy, ...], call: ReadCall) -> Answer | None:
    """The answer of a statement to a call, by the edition in force on the date of service; None if it is not concerned.

    Raises RequestError 412 if an order is recognized but its patient was not sent.
    """
    policy = in_force(editions, call.today)
    try:
        policy = _edition(editions, call)
        return _answer(policy, call)
    except RequestError:
        raise
    # An error in one rule set must not silence the others, and must not look like "nothing wrong".
    except Exception as error:
        card = None if _is_quiet(call) else guidance.failed_card(_frame(call, policy, "failed", ""))
        return Answer(policy, card, None, Outcome.FAILED, error)


def late_answer(editions: tuple[Policy, ...], call: ReadCall) -> Answer:
    """The answer of a statement without time for evaluation."""
    policy = in_force(editions, call.today)
    card = None if _is_quiet(call) else guidance.failed_card(_frame(call, policy, "late", ""), late=True)
    return Answer(policy, card, None, Outcome.FAILED, late=True)


def may_open(policy: Policy, call: ReadCall) -> bool:
    """Whether a rule set has something to say when this chart is opened."""
    try:
        return decisions.opens_on_patient_view(policy, _known(policy, call, None).whole)
    # A failing rule set gets a card that says so, when the call is answered.
    except Exception:
        return True


def _edition(editions: tuple[Policy, ...], call: ReadCall) -> Policy:
    """The edition that answers: the one in force on the date of service of the drafts that any edition recognizes."""
    if len(editions) == 1 or call.request.hook == hook_request.PATIENT_VIEW:
        return in_force(editions, call.today)
    meant = [draft.resource for policy in editions if (order := _recognized(policy, call)) for draft in order.drafts]
    return in_force(editions, date_of_service(meant, call.today))


def _recognized(policy: Policy, call: ReadCall) -> ProcedureOrder | None:
    return orders.recognize(policy.orders, call.drafts, call.chart, call.request.selections, call.today, policy.scope)


def _answer(policy: Policy, call: ReadCall) -> Answer | None:
    if call.request.hook == hook_request.PATIENT_VIEW:
        if call.chart.died is not None:
            return None
        known = _known(policy, call, None)
        return _decided(policy, call, known, None) if decisions.opens_on_patient_view(policy, known.whole) else None
    order = _recognized(policy, call)
    if order is None:
        return None
    first = order.drafts[0].reference
    if not order.certain:
        frame = _frame(call, policy, order.references, "ask therapy" if order.at_site else "ask")
        urgent: tuple[decisions.Urgent, ...] = ()
        meant = None
        if call.chart.patient is not None:
            known = _known(policy, call, order)
            urgent = decisions.urgent_of(policy, known)
            if call.guide.explains:
                meant = Assessment(_decision(policy, call, known, order), call.chart)
        card = guidance.ask_card(frame, order.at_site, urgent)
        return Answer(policy, card, None, Outcome.UNCLEAR, order=first, if_meant=meant)
    if call.chart.patient is None:
        why = call.chart.why_missing.get("Patient", "no Patient was sent")
        raise RequestError(
            412,
            "not-found",
            f"The order needs the Patient of context.patientId as prefetch 'patient', and it is not available: {why}.",
            "prefetch.patient",
        )
    return _decided(policy, call, _known(policy, call, order), order)


def _known(policy: Policy, call: ReadCall, order: ProcedureOrder | None) -> Known:
    guide = call.guide
    forms, silent = guide.library.questionnaires(policy), guide.library.silences(policy).facts
    return gather.gather(policy, call.chart, forms, call.today, order, accepts=guide.accepts, silent=silent)


def _decision(
    policy: Policy, call: ReadCall, known: Known, order: ProcedureOrder | None, rule: Profile | None = None
) -> Decision:
    silent = call.guide.library.silences(policy).findings
    return decisions.decide(policy, call.chart, known, order, call.today, profile=rule, silent=silent)


def _decided(policy: Policy, call: ReadCall, known: Known, order: ProcedureOrder | None) -> Answer:
    """The answer to a call that concerns the rule set: another pathway, a question, or the criteria."""
    references = order.references if order else ""
    first = order.drafts[0].reference if order else None
    quiet = _is_quiet(call)
    away = decisions.pathway(policy, known, order)
    if away is not None:
        row, parts = away
        frame = _frame(call, policy, references, f"pathway {row.id} {[part.id for part in parts]}")
        card = None if quiet else guidance.pathway_card(frame, row, parts, decisions.urgent_of(policy, known))
        return Answer(policy, card, None, Outcome.ROUTED, pathway=row.id, order=first)
    if policy.scope and not known.parts:
        frame = _frame(call, policy, references, "ask scope")
        card = None if quiet else guidance.ask_scope_card(frame, decisions.urgent_of(policy, known))
        return Answer(policy, card, None, Outcome.UNCLEAR, order=first)
    decision = _decision(policy, call, known, order, policy.profiles.get(call.profile) if call.profile else None)
    found = Assessment(decision, call.chart)
    if quiet and found.outcome is Outcome.IMPLANTED:
        return Answer(policy, None, decision, found.outcome, assessment=found)
    card = guidance.guidance_card(found, _frame(call, policy, references, fingerprint(decision)))
    return Answer(policy, card, decision, found.outcome, assessment=found, order=first)


def _is_quiet(call: ReadCall) -> bool:
    """Whether nothing is ordered yet; then only cards about criteria are shown."""
    return call.request.hook == hook_request.PATIENT_VIEW


def _frame(call: ReadCall, policy: Policy, references: str, findings: str) -> Frame:
    return Frame(policy, call.guide.addresses, _ids(call, policy, references, findings), call.guide.style)


def _ids(call: ReadCall, policy: Policy, references: str, findings: str) -> IdMaker:
    return id_maker(
        call.guide.id_key,
        client=call.guide.client,
        patient=call.request.patient_id,
        orders=references,
        policy=policy.id,
        edition=policy.edition,
        findings=findings,
    )
