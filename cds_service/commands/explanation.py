"""A hook call evaluated offline: the findings as the public JSON object, or as a table for a terminal."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

from cds_service import service
from cds_service.errors import RequestError
from cds_service.facts.evidence import Evidence
from cds_service.facts.logic import every
from cds_service.hooks.hook_request import SERVICE_OF, parse
from cds_service.policy.model import Part, Policy
from cds_service.service import Answer, Guide
from cds_service.verdicts.criteria import Finding
from cds_service.verdicts.decisions import Decision, Verdict


def explain(
    body: Any, guide: Guide, today: date, tell: Callable[[str], None], profile: str | None = None
) -> dict[str, Any]:
    """Evaluates a hook request (parsed JSON): the object that the integrator's guide shows.

    ``tell`` is given a sentence for each policy that could not be evaluated; ``profile`` is a rule to be held against
    besides. Raises RequestError.
    """
    hook = body.get("hook") if isinstance(body, dict) else None
    service_id = SERVICE_OF.get(hook) if isinstance(hook, str) else None
    if service_id is None:
        allowed = ", ".join(SERVICE_OF)
        raise RequestError(400, "invalid", f"The body must be a hook request whose hook is one of {allowed}.", "hook")
    answers = service.answer(parse(service_id, body), guide, today, profile)
    for failed in service.failures(answers):
        tell(f"{failed.policy.id} could not be evaluated: {failed.error!r}")
    return {
        "today": today.isoformat(),
        "policies": [_policy(item) for item in answers if item.decision],
        "response": service.response(answers),
    }


def _policy(item: Answer) -> dict[str, Any]:
    decision = item.decision
    assert decision is not None
    verdicts = [entry for verdict in decision.verdicts for entry in _verdict(decision, verdict)]
    lent = decision.lent + (decision.requested.findings if decision.requested else ())
    beside = {finding.key: finding for finding in lent if finding.key not in decision.findings}
    return {
        "id": item.policy.id,
        "order": decision.order.drafts[0].reference if decision.order else None,
        "delivery": {name: item.chart.delivery(name).as_json() for name in _types(item.policy)} if item.chart else {},
        "verdicts": verdicts + (list(_verdict(decision, decision.requested)) if decision.requested else []),
        "criteria": [_criterion(item.policy, finding) for finding in (*decision.findings.values(), *beside.values())],
    }


def _types(policy: Policy) -> list[str]:
    return sorted({"Patient"} | policy.resource_types)


def _verdict(decision: Decision, verdict: Verdict) -> Iterator[dict[str, Any]]:
    """A verdict of the whole, and behind it that of each part where parts are judged apart."""
    said = {"id": verdict.rule.id, "title": verdict.rule.title}
    yield {**said, "truth": verdict.truth.value}
    for part, findings in verdict.by_part():
        truth = every(finding.truth for finding in findings)
        yield {**said, "truth": truth.value, "scope": _scope(decision.policy, part)}


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
    return {"reference": item.reference, "display": display, "value": item.value, "date": item.date}


def table(explained: dict[str, Any]) -> str:
    """The same object as text: verdicts, criteria with reason and evidence, and the cards' summaries."""
    lines = [f"Evaluated on {explained['today']}"]
    for policy in explained["policies"]:
        lines += ["", f"{policy['id']}  (order: {policy['order'] or 'none'})", ""]
        lines += _columns([(item["truth"], item["title"] + _of_part(item)) for item in policy["verdicts"]])
        lines.append("")
        lines += _columns(
            [(item["truth"], item["id"] + _of_part(item), item["title"], _said(item)) for item in policy["criteria"]]
        )
    if not explained["policies"]:
        lines += ["", "No policy evaluates this call."]
    for card in explained["response"]["cards"]:
        lines += ["", f"[{card['indicator']}] {card['summary']}", "", card["detail"]]
        lines += [f"  + {item['label']}" for item in card.get("suggestions", ())]
    if not explained["response"]["cards"]:
        lines += ["", "No card."]
    return "\n".join(lines)


def _of_part(item: dict[str, Any]) -> str:
    return f" ({item['scope']['value']})" if "scope" in item else ""


def _said(criterion: dict[str, Any]) -> str:
    evidence = [
        " ".join(str(part) for part in (_what(item), item["date"], f"[{item['reference']}]") if part)
        for item in criterion["evidence"]
    ]
    return "; ".join(part for part in (criterion["reason"], *evidence) if part)


def _what(evidence: dict[str, Any]) -> str:
    return " ".join(part for part in (evidence["display"], evidence["value"]) if part)


def _columns(rows: Iterable[tuple[str, ...]]) -> list[str]:
    rows = list(rows)
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]) - 1)] if rows else []
    return [
        "  " + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]
