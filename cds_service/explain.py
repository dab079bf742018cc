"""A hook call evaluated offline: the findings as the public JSON object, or as a table for a terminal."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from cds_service import service
from cds_service.criteria import Finding
from cds_service.errors import RequestError
from cds_service.evidence import Evidence
from cds_service.hooks import SERVICE_OF, parse
from cds_service.policy import Policy
from cds_service.service import Answer, Guide


def explain(body: Any, guide: Guide, today: date, tell: Callable[[str], None]) -> dict[str, Any]:
    """Evaluates a hook request (parsed JSON): the object that the integrator's guide shows.

    ``tell`` is given a sentence for each policy that could not be evaluated. Raises RequestError.
    """
    hook = body.get("hook") if isinstance(body, dict) else None
    service_id = SERVICE_OF.get(hook) if isinstance(hook, str) else None
    if service_id is None:
        allowed = ", ".join(SERVICE_OF)
        raise RequestError(400, "invalid", f"The body must be a hook request whose hook is one of {allowed}.", "hook")
    answers = service.answer(parse(service_id, body), guide, today)
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
    return {
        "id": item.policy.id,
        "order": decision.order.drafts[0].reference if decision.order else None,
        "verdicts": [
            {"id": verdict.rule.id, "title": verdict.rule.title, "truth": verdict.truth.value}
            for verdict in decision.verdicts
        ],
        "criteria": [_criterion(item.policy, finding) for finding in decision.findings.values()],
    }


def _criterion(policy: Policy, finding: Finding) -> dict[str, Any]:
    sources = policy.raw["sources"]
    return {
        "id": finding.criterion.id,
        "title": finding.criterion.title,
        "truth": finding.truth.value,
        "reason": finding.reason,
        "evidence": [_evidence(item) for item in finding.evidence],
        "source": "; ".join(
            f"{sources[citation.source]['title']}, {citation.place} ({citation.verified})"
            for citation in finding.criterion.citations
        ),
    }


def _evidence(item: Evidence) -> dict[str, Any]:
    display = f"{item.display} ({item.code})" if item.code else item.display
    return {"reference": item.reference, "display": display, "value": item.value, "date": item.date}


def table(explained: dict[str, Any]) -> str:
    """The same object as text: verdicts, criteria with reason and evidence, and the cards' summaries."""
    lines = [f"Evaluated on {explained['today']}"]
    for policy in explained["policies"]:
        lines += ["", f"{policy['id']}  (order: {policy['order'] or 'none'})", ""]
        lines += _columns([(item["truth"], item["title"]) for item in policy["verdicts"]])
        lines.append("")
        lines += _columns([(item["truth"], item["id"], item["title"], _said(item)) for item in policy["criteria"]])
    if not explained["policies"]:
        lines += ["", "No policy evaluates this call."]
    for card in explained["response"]["cards"]:
        lines += ["", f"[{card['indicator']}] {card['summary']}", "", card["detail"]]
        lines += [f"  + {item['label']}" for item in card.get("suggestions", ())]
    if not explained["response"]["cards"]:
        lines += ["", "No card."]
    return "\n".join(lines)


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
