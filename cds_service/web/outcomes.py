"""The outcome of a call, in the fixed words of metrics and audit log."""

from collections.abc import Iterable, Sequence
from typing import Any

from cds_service.card.outcomes import Outcome
from cds_service.facts.logic import Truth
from cds_service.service.statement import Answer


def of_call(answers: Iterable[Answer]) -> str:
    """The outcome of an answered call: ``failed`` or ``late`` if any rule set was, otherwise card, ask or none."""
    outcomes = {of_answer(answer) for answer in answers}
    for word in ("failed", "late"):
        if word in outcomes:
            return word
    if not outcomes:
        return "none"
    return "ask" if outcomes == {Outcome.UNCLEAR.value} else "card"


def of_answer(answer: Answer) -> str:
    """The outcome of one rule set: that of its card (``card.outcomes``), or late."""
    return "late" if answer.late else answer.outcome.value


def unknowns(answer: Answer) -> list[str]:
    """The ids of the unknown criteria of an answer."""
    if answer.decision is None:
        return []
    # A criterion evaluated for each part counts once.
    findings = answer.decision.findings.values()
    return list(dict.fromkeys(item.criterion.id for item in findings if item.truth is Truth.UNKNOWN))


def told(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """The audit log's summary of each answer, without chart data.

    Each has the rule set and its digest, the card's outcome and uuid, and the truth of each verdict and criterion (by
    key, with the part if evaluated for each part).
    """
    return [
        {
            "policy": answer.policy.id,
            "edition": answer.policy.edition,
            "digest": answer.policy.digest,
            "outcome": of_answer(answer),
            **_truths(answer),
            "card": answer.card.get("uuid") if answer.card else None,
        }
        for answer in answers
    ]


def _truths(answer: Answer) -> dict[str, dict[str, str]]:
    decision = answer.decision
    if decision is None:
        return {"verdicts": {}, "criteria": {}}
    return {
        "verdicts": {item.rule.id: item.truth.value for item in decision.verdicts},
        "criteria": {item.key: item.truth.value for item in (*decision.findings.values(), *decision.lent)},
    }
