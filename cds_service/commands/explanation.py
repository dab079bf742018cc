"""A hook call evaluated offline: the answer of each rule set, also as the public JSON object."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from cds_service.errors import RequestError
from cds_service.facts.evidence import Attested, Evidence
from cds_service.facts.logic import Truth, every
from cds_service.hooks.hook_request import SERVICE_OF, parse
from cds_service.policy.model import Part, Policy
from cds_service.service import hook_call
from cds_service.service.guide import Guide
from cds_service.service.statement import Answer
from cds_service.verdicts.criteria import Finding
from cds_service.verdicts.decisions import Counts, Decision, Verdict
from cds_service.verdicts.payers import PayerPosition


def answers_to(
    body: Any, guide: Guide, today: date, tell: Callable[[str], None], profile: str | None = None
) -> list[Answer]:
    """Each rule set's answer to a hook request (parsed JSON).

    ``tell`` receives a sentence for each draft that is not a readable order, and for each rule set that fails.
    ``profile`` is a rule that the call is also evaluated against. Raises RequestError.
    """
    hook = body.get("hook") if isinstance(body, dict) else None
    service_id = SERVICE_OF.get(hook) if isinstance(hook, str) else None
    if service_id is None:
        allowed = ", ".join(SERVICE_OF)
        raise RequestError(400, "invalid", f"The body must be a hook request whose hook is one of {allowed}.", "hook")
    request = parse(service_id, body)
    for draft in request.unread_drafts:
        tell(f"The service cannot read this draft as an order: {draft.sentence}")
    answers = hook_call.answer(request, replace(guide, explains=True), today, profile)
    for failed in hook_call.failures(answers):
        tell(f"{failed.policy.id} could not be evaluated: {failed.error!r}")
    return answers


def as_json(answers: Sequence[Answer], today: date) -> dict[str, Any]:
    """The JSON object described in the integrator's guide."""
    return {
        "today": today.isoformat(),
        "policies": [_policy(item) for item in answers if item.error is None and not item.late],
        "response": hook_call.response(answers),
    }


def _policy(item: Answer) -> dict[str, Any]:
    """One rule set's findings; if its card asks which therapy is meant, the findings that apply if it is this one."""
    said = {
        "id": item.policy.id,
        "order": item.order,
        "outcome": item.outcome.value,
        "route": item.pathway,
    }
    found = item.assessment or item.if_meant
    if found is None:
        return {**said, "verdicts": [], "criteria": []}
    decision = found.decision
    verdicts = [entry for verdict in decision.verdicts for entry in _verdict(decision, verdict)]
    lent = decision.lent + (decision.requested.findings if decision.requested else ())
    beside = {finding.key: finding for finding in lent if finding.key not in decision.findings}
    return {
        **said,
        "delivery": _delivery(item),
        "review": [
            {**_evidence(found), "says": line.says} for line, evidence in decision.for_review for found in evidence
        ],
        "payer": _payer(decision.payer),
        "verdicts": verdicts + (list(_verdict(decision, decision.requested)) if decision.requested else []),
        "criteria": [_criterion(item.policy, finding) for finding in (*decision.findings.values(), *beside.values())],
    }


def _delivery(item: Answer) -> dict[str, Any]:
    """How each resource type arrived: types that the rule set requests, and types that it only reads if sent."""
    if item.assessment is None:
        return {}
    chart = item.assessment.chart
    ledger = {name: chart.delivery(name) for name in sorted({"Patient"} | item.policy.resource_types)}
    return {name: found.as_json() for name, found in ledger.items() if found.received or not found.unasked}


def _payer(position: PayerPosition) -> dict[str, Any]:
    """The payers in the chart, with what is known of each or why nothing is known."""
    known = [payer.background for _, payer in position.payers if payer is not None]
    return {
        "name": "; ".join(name for name, _ in position.payers) or None,
        "says": ". ".join(filter(None, (position.reason, *known))),
        "reference": position.reference,
    }


def _verdict(decision: Decision, verdict: Verdict) -> Iterator[dict[str, Any]]:
    """The verdict for the whole, followed by the verdict for each part if parts are judged separately."""
    said = {"id": verdict.rule.id, "title": verdict.rule.title}
    remark = {"remark": verdict.rule.as_far_as} if verdict.truth is Truth.MET and verdict.rule.as_far_as else {}
    yield {**said, "truth": verdict.truth.value, **_counted(verdict.findings), **remark}
    for part, findings in verdict.by_part():
        truth = every(finding.truth for finding in findings)
        yield {**said, "truth": truth.value, **_counted(findings), "scope": _scope(decision.policy, part)}


def _counted(findings: Iterable[Finding]) -> dict[str, int]:
    """The number of criteria, of met criteria, and of those met only by attestation; empty if there are no criteria."""
    counts = Counts.of(findings)
    said = {"criteria": counts.total, "met": counts.met, "by_attestation": counts.by_attestation}
    return said if counts.total else {}


def _scope(policy: Policy, part: Part) -> dict[str, str]:
    return {"name": policy.scope.name if policy.scope else "", "value": part.id}


def _criterion(policy: Policy, finding: Finding) -> dict[str, Any]:
    apart = {"scope": _scope(policy, finding.part)} if finding.part else {}
    lent = {"profile": finding.criterion.profile} if finding.criterion.profile else {}
    return {
        "id": finding.criterion.id,
        "title": finding.criterion.title,
        "truth": finding.truth.value,
        "reason": finding.reason,
        "evidence": [_evidence(item) for item in finding.evidence],
        "contrary": [_evidence(item) for item in finding.contrary],
        "not_counted": [item._asdict() for item in finding.not_counted],
        "source": "; ".join(
            f"{policy.sources[citation.source].title}, {citation.place} ({citation.verified})"
            for citation in finding.criterion.citations
        ),
        **apart,
        **lent,
    }


def _evidence(item: Evidence) -> dict[str, Any]:
    display = f"{item.display} ({item.code})" if item.code else item.display
    value = ": ".join(filter(None, (item.value, f"“{item.quote}”"))) if item.quote else item.value
    said = {"reference": item.reference, "display": display, "value": value, "date": item.date}
    said |= {"remark": item.remark} if item.remark else {}
    return said | {"attested": _attested(item.attested)} if item.attested else said


def _attested(item: Attested) -> dict[str, Any]:
    said: dict[str, Any] = {"by": item.by, "role": item.role, "observed": item.observed, "basis": item.basis}
    despite = [{"reference": record.reference, "why": record.why} for record in item.in_spite_of]
    return said | {"despite": despite} if despite else said
