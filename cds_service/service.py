"""The whole story of one call: request in, decisions and cards out. Read this first."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from cds_service.card import guidance, suggestions
from cds_service.card.assessment import Assessment
from cds_service.card.guidance import Addresses, Frame
from cds_service.card.ids import IdMaker, fingerprint, id_maker
from cds_service.card.outcomes import Outcome
from cds_service.card.style import DEFAULT_STYLE, Style
from cds_service.chart import orders
from cds_service.chart.arrivals import Arrivals, State, arrived
from cds_service.chart.chart import Chart
from cds_service.chart.orders import ProcedureOrder
from cds_service.errors import RequestError
from cds_service.facts import gather
from cds_service.facts.attesters import DEFAULT_ACCEPTS, Accepts
from cds_service.facts.evidence import Known
from cds_service.fhir.bundles import DEFAULT_LIMITS, ReadLimits
from cds_service.fhir.elements import Json
from cds_service.hooks import hook_request, prefetch
from cds_service.hooks.client_names import OPEN
from cds_service.hooks.hook_request import HookRequest
from cds_service.library import Library
from cds_service.policy.editions import date_of_service, in_force
from cds_service.policy.model import Policy, Profile
from cds_service.settings.settings import Settings
from cds_service.verdicts import decisions
from cds_service.verdicts.decisions import Decision

# After that long, whatever made a call late may be over.
SECONDS_TO_WAIT = 5


@dataclass(frozen=True, slots=True)
class Guide:
    """What every call needs beside its request: the policies, our addresses, the key of the ids, the caller's name, the
    most that is read, which answers without an author or a role count, and the ``style`` of cards. ``explains``: also
    what the criteria would say of an order that a card only asks about.
    """

    library: Library
    addresses: Addresses
    id_key: bytes
    client: str = OPEN
    limits: ReadLimits = DEFAULT_LIMITS
    accepts: Accepts = DEFAULT_ACCEPTS
    explains: bool = False
    style: Style = DEFAULT_STYLE


def guide_of(settings: Settings, library: Library, public_url: str) -> Guide:
    """What every call of an installation needs beside its request; ``public_url`` is its address."""
    limits = ReadLimits(
        settings.max_resources,
        settings.max_drafts,
        settings.max_text_characters,
        settings.max_all_text_characters,
    )
    accepts = Accepts(settings.accept_unsigned_answers, settings.accept_answers_without_role)
    addresses = Addresses(public_url, settings.canonical_base)
    return Guide(library, addresses, settings.key(), limits=limits, accepts=accepts)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one policy says to one call.

    ``card`` is None where it stays silent as a chart is opened. ``decision`` is None if the card only asks, names
    another ``pathway``, or says that evaluation failed or, ``late``, was not possible in time. ``assessment`` is the
    decision as its card was made from it, with its chart, and ``order`` the first draft that it is about.
    ``if_meant`` is the assessment of an order that the card asks about, were it for this therapy; worked out only where
    somebody wants it explained.
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


def always() -> bool:
    """There is always time."""
    return True


class _Call(NamedTuple):
    """What every statement is checked against: the request, its orders, the chart, the day, and a rule asked for."""

    request: HookRequest
    drafts: list[tuple[str, Json]]
    chart: Chart
    guide: Guide
    today: date
    profile: str | None


def answer(
    request: HookRequest,
    guide: Guide,
    today: date,
    profile: str | None = None,
    *,
    candidates: Sequence[Policy] | None = None,
    in_time: Callable[[], bool] = always,
    came: Arrivals | None = None,
) -> list[Answer]:
    """Checks one call against every statement whose business it may be; at most one answer for each, by the edition of
    the date of service.

    ``candidates`` are ``concerned`` of the call, and ``came`` its ``arrivals``, where the caller has them. ``profile``
    is a rule of one source, by its id, that the policies which have it are also checked against. Raises RequestError
    412 where an order is recognized but its patient was not sent, 422 for a profile that cannot be applied. A policy
    that fails answers with a card that says so; the others are unaffected. ``in_time`` says whether there is time for
    another statement: those for which there is none answer with a card that says so too. Raises RequestError 503 where
    there is time for none of them.
    """
    if profile is not None:
        _refuse_profile(guide.library, profile)
    if candidates is None:
        candidates = concerned(request, guide, today)
    if not candidates:
        return []
    if not in_time():
        raise late()
    if came is None:
        came = arrivals(request, guide.library)
    call = _Call(request, _orders(request), read_chart(request, candidates, guide, came), guide, today, profile)
    if not in_time():
        raise late()
    statements = {policy.statement for policy in candidates}
    return [
        found
        for editions in guide.library.statements
        if editions[0].statement in statements
        and (found := _guarded(editions, call) if in_time() else _late(editions, call)) is not None
    ]


def late() -> RequestError:
    """What is said of a call of which nothing could be done in time."""
    sentence = f"The call could not be answered in time; nothing was decided. Send it again in {SECONDS_TO_WAIT} s."
    return RequestError(503, "timeout", sentence, headers={"Retry-After": str(SECONDS_TO_WAIT)})


def _late(editions: tuple[Policy, ...], call: _Call) -> Answer:
    policy = in_force(editions, call.today)
    card = None if _is_quiet(call) else guidance.failed_card(_frame(call, policy, "late", ""), late=True)
    return Answer(policy, card, None, Outcome.FAILED, late=True)


def concerned(request: HookRequest, guide: Guide, today: date) -> tuple[Policy, ...]:
    """Whose business the call may be: of most orders it is nobody's, and that shows in the orders alone.

    Raises RequestError 400 for an order for another patient that may be a policy's business; others are ignored.
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
    return guide.library.order_index.concerned((resource for _, resource in _orders(request)), today)


def wanted(request: HookRequest, candidates: Collection[Policy], guide: Guide, today: date) -> Mapping[str, str]:
    """Published prefetch key -> template of all that must be known next to answer for these policies.

    Of an order it is all that they read. When a chart is opened it is first what tells whether a policy has something
    to say, and once that is known (sent, fetched, or not to be had) all that those read which have: so ask again after
    each fetch, until nothing is wanted that is not known. Pure. Raises RequestError 400 as ``answer`` does.
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
    call = _Call(request, [], chart, guide, today, None)
    opened = [policy for policy in candidates if _may_open(policy, call)]
    return _templates_of(templates, {name for policy in opened for name in policy.resource_types})


def _may_open(policy: Policy, call: _Call) -> bool:
    try:
        return decisions.opens_on_patient_view(policy, _known(policy, call, None).whole)
    # A policy that fails says so on its card, which is made where the call is answered.
    except Exception:
        return True


def _templates_of(templates: Mapping[str, str], resource_types: Collection[str]) -> Mapping[str, str]:
    keys = {prefetch.key_of(name) for name in ("Patient", *resource_types)}
    return {key: template for key, template in templates.items() if key in keys}


def _orders(request: HookRequest) -> list[tuple[str, Json]]:
    return [(reference, resource) for reference, resource in request.drafts if orders.may_order(resource)]


def read_chart(request: HookRequest, candidates: Collection[Policy], guide: Guide, came: Arrivals) -> Chart:
    """The chart as these policies read it.

    What the others read stays unread: they cost nothing then, and cannot change what these policies see.
    """
    types, lexicon = guide.library.policy_reads.of(candidates)
    try:
        return Chart.of(
            came.resources,
            came.listings,
            patient_id=request.patient_id,
            types=types,
            lexicon=lexicon,
            addresses=came.addresses,
            limits=guide.limits,
        )
    except RecursionError:
        raise RequestError(400, "too-costly", "prefetch is nested too deeply to be read.", "prefetch") from None


def _refuse_profile(library: Library, name: str) -> None:
    known = {key: profile for policy in library.policies for key, profile in policy.profiles.items()}
    if name not in known:
        allowed = ", ".join(known) or "none"
        raise RequestError(422, "not-found", f"There is no profile '{name[:60]}'; there are {allowed}.")
    if known[name].pending is not None:
        raise RequestError(422, "not-supported", f"The profile '{name}' is pending: {known[name].pending}")


def response(answers: Iterable[Answer]) -> dict[str, Any]:
    """The CDS Hooks response: the cards, most urgent first, in a fixed order."""
    cards = [item.card for item in answers if item.card is not None]
    return {"cards": sorted(cards, key=lambda item: item["indicator"] != "warning")}


def _guarded(editions: tuple[Policy, ...], call: _Call) -> Answer | None:
    policy = in_force(editions, call.today)
    try:
        policy = _edition(editions, call)
        return _answer(policy, call)
    except RequestError:
        raise
    # Whatever goes wrong inside one statement must neither silence the others nor read as "nothing wrong".
    except Exception as error:
        card = None if _is_quiet(call) else guidance.failed_card(_frame(call, policy, "failed", ""))
        return Answer(policy, card, None, Outcome.FAILED, error)


def _edition(editions: tuple[Policy, ...], call: _Call) -> Policy:
    """The edition that answers: that of the day on which the drafts are to be performed that any edition recognizes."""
    if len(editions) == 1 or call.request.hook == hook_request.PATIENT_VIEW:
        return in_force(editions, call.today)
    meant = [draft.resource for policy in editions if (order := _recognized(policy, call)) for draft in order.drafts]
    return in_force(editions, date_of_service(meant, call.today))


def _recognized(policy: Policy, call: _Call) -> ProcedureOrder | None:
    return orders.recognize(policy.orders, call.drafts, call.chart, call.request.selections, call.today, policy.scope)


def _answer(policy: Policy, call: _Call) -> Answer | None:
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


def _known(policy: Policy, call: _Call, order: ProcedureOrder | None) -> Known:
    guide = call.guide
    forms, silent = guide.library.questionnaires(policy), guide.library.silences(policy).facts
    return gather.gather(policy, call.chart, forms, call.today, order, accepts=guide.accepts, silent=silent)


def _decision(
    policy: Policy, call: _Call, known: Known, order: ProcedureOrder | None, rule: Profile | None = None
) -> Decision:
    silent = call.guide.library.silences(policy).findings
    return decisions.decide(policy, call.chart, known, order, call.today, profile=rule, silent=silent)


def _decided(policy: Policy, call: _Call, known: Known, order: ProcedureOrder | None) -> Answer:
    """What is said of a call that is the policy's business: another pathway, a question, or the criteria."""
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


def _is_quiet(call: _Call) -> bool:
    """Whether nothing is ordered yet: then nothing is said that is not about the criteria."""
    return call.request.hook == hook_request.PATIENT_VIEW


def _frame(call: _Call, policy: Policy, references: str, findings: str) -> Frame:
    return Frame(policy, call.guide.addresses, _ids(call, policy, references, findings), call.guide.style)


def _ids(call: _Call, policy: Policy, references: str, findings: str) -> IdMaker:
    return id_maker(
        call.guide.id_key,
        client=call.guide.client,
        patient=call.request.patient_id,
        orders=references,
        policy=policy.id,
        edition=policy.edition,
        findings=findings,
    )


def arrivals(request: HookRequest, library: Library) -> Arrivals:
    """What came as the prefetch of a call, or was fetched in its place."""
    return arrived(request.prefetch, library.prefetch_keys, request.patient_id, request.unfetched)


def states(came: Arrivals, library: Library) -> Mapping[str, str]:
    """Published prefetch key -> the ``State`` of its list."""
    return {key: came.listings[kind].state.value for key, kind in library.prefetch_keys.items()}


def failed_lists(arrived: Mapping[str, str]) -> list[str]:
    """The published keys whose list failed or is only a part of what is on record, out of ``states``."""
    return [key for key, state in arrived.items() if state == State.FAILED.value]


def failures(answers: Iterable[Answer]) -> Iterator[Answer]:
    """The answers of policies that could not be evaluated, for whoever must learn of them."""
    return (item for item in answers if item.error is not None)


def warm_up(library: Library) -> None:
    """Loads now what would otherwise make the first call slow, and before the fork, so that workers share it."""
    # The index and the templates are made when first asked for.
    _ = library.order_index, library.policy_reads, library.opened_on_patient_view
    _ = library.prefetch_templates, library.resource_types
    for policy in library.policies:
        library.silences(policy)
        for act in policy.orders.acts:
            suggestions.warm_up(act)
