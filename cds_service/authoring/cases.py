"""Cases: patients as short items in cases.json, turned into hook calls, answered, and compared with the expectation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from cds_service.authoring import case_reports
from cds_service.authoring.case_requests import request_of
from cds_service.card import evidence_text
from cds_service.card.words.facts import DISCLAIMER
from cds_service.errors import PolicyError, RequestError
from cds_service.facts.logic import every
from cds_service.fhir.elements import Json
from cds_service.hooks import hook_request
from cds_service.library import Library
from cds_service.policy.model import Policy
from cds_service.service import hook_call
from cds_service.service.guide import Guide
from cds_service.service.statement import Answer
from cds_service.verdicts.criteria import Finding
from cds_service.verdicts.decisions import Decision


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The result of one case: its name, its differences from the expectation, and the answers."""

    name: str
    differences: tuple[str, ...]
    answers: tuple[Answer, ...]


def run_cases(policy: Policy, guide: Guide) -> Iterator[CaseResult]:
    """Runs every case of a rule set through the real service, with only that rule set loaded."""
    alone = guide_of(policy, guide)
    return (case_result(policy, case, alone) for case in policy.cases.document["cases"])


def case_result(policy: Policy, case: Mapping[str, Any], guide: Guide) -> CaseResult:
    """Makes the request of one case and runs it; an invalid case returns its problems. ``guide`` has only this rule
    set."""
    try:
        request = request_of(policy, case, guide)
    except PolicyError as error:
        return CaseResult(case["name"], tuple(error.problems), ())
    return run_case(case, request, guide, today_of(policy))


def guide_of(policy: Policy, guide: Guide) -> Guide:
    """A copy of the guide with only that rule set."""
    return replace(guide, library=Library((policy,), guide.library.canonical_base))


def run_case(case: Mapping[str, Any], request: tuple[str, Json], guide: Guide, today: date) -> CaseResult:
    """Answers the request of a case (``request_of``) and compares the answer with the expectation."""
    wanted = case["expect"].get("refused")
    try:
        answers = hook_call.answer(hook_request.parse(*request), guide, today, case.get("profile"))
    except RequestError as error:
        refused = () if wanted and wanted in str(error) else (f"the call was refused: {error}",)
        return CaseResult(case["name"], refused, ())
    found = [f"expected a refusal that says '{wanted}', and the call was answered"] if wanted else []
    found += differences(case["expect"], answers)
    return CaseResult(case["name"], tuple(found), tuple(answers))


def today_of(policy: Policy) -> date:
    """The day on which a rule set's cases are evaluated."""
    return date.fromisoformat(policy.cases.frame["today"])


def differences(  # noqa: C901 - one branch for each thing that a case can expect
    expect: Mapping[str, Any], answers: Sequence[Answer]
) -> Iterator[str]:
    """A sentence for each difference between the answers and the case's expectation."""
    wanted, shown = expect.get("cards", 1), [item for item in answers if item.card is not None]
    if len(shown) != wanted:
        yield f"expected {wanted} cards, got {len(shown)}"
        return
    if not shown or (card := shown[0].card) is None:
        return
    decision = shown[0].decision
    if decision is not None and decision.order is not None and DISCLAIMER not in card.get("detail", ""):
        yield f"the card does not end with '{DISCLAIMER}'"
    if "outcome" in expect and shown[0].outcome.value != expect["outcome"]:
        yield f"outcome: expected {expect['outcome']}, got {shown[0].outcome.value}"
    for name in ("summary", "indicator"):
        if name in expect and card[name] != expect[name]:
            yield f"{name}: expected '{expect[name]}', got '{card[name]}'"
    if "pathway" in expect and shown[0].pathway != expect["pathway"]:
        yield f"pathway: expected {expect['pathway']}, got {shown[0].pathway or 'none'}"
    said = told(shown[0]) if {"says", "omits"} & expect.keys() else ""
    for words in expect.get("says", ()):
        if words not in said:
            yield f"neither card nor evidence says '{words}'"
    for words in expect.get("omits", ()):
        if words in said:
            yield f"card or evidence says '{words}', which it must not"
    if "suggests" in expect:
        offered = sorted(_suggested(card))
        if offered != sorted(expect["suggests"]):
            yield f"suggests: expected {sorted(expect['suggests'])}, got {offered}"
    verdicts = _verdicts(decision) if decision else {}
    for name, truth in expect.get("verdicts", {}).items():
        if name not in verdicts:
            yield f"verdict {name}: expected {truth}, got no verdict of that name"
        elif verdicts[name][0] != truth:
            why = case_reports.of_findings(verdicts[name][1])
            yield f"verdict {name}: expected {truth}, got {verdicts[name][0]}{why}"
    findings = list(_findings(decision)) if decision else []
    for name, truth in expect.get("criteria", {}).items():
        found = [finding for finding in findings if name in (finding.key, finding.criterion.key)]
        if not found:
            yield f"criterion {name}: expected {truth}, got no criterion of that name"
        for finding in found:
            got = finding.manner.replace(" ", "-") or finding.truth.value
            if got != truth:
                yield f"criterion {finding.key}: expected {truth}, got {got}{case_reports.of_finding(finding)}"


def told(answer: Answer) -> str:
    """Everything that a reader of a card can see: its summary and detail, and the evidence behind it."""
    card, found = answer.card or {}, answer.assessment
    behind: tuple[str, ...] = ()
    if found is not None:
        behind = tuple(evidence_text.lines(found.decision, found.chart, answer.outcome.suggests))
    return "\n".join((card.get("summary", ""), card.get("detail", ""), *behind))


def _verdicts(decision: Decision) -> dict[str, tuple[str, tuple[Finding, ...]]]:
    """Truth and findings by verdict id, and for each part by "id part"; includes the requested rule."""
    truths: dict[str, tuple[str, tuple[Finding, ...]]] = {}
    for verdict in (*decision.verdicts, *([decision.requested] if decision.requested else ())):
        truths[verdict.rule.id] = (verdict.truth.value, verdict.findings)
        for part, findings in verdict.by_part():
            truths[f"{verdict.rule.id} {part.id}"] = (every(item.truth for item in findings).value, findings)
    return truths


def _findings(decision: Decision) -> Iterator[Finding]:
    """Every finding once, including those of the payer's rule and of the requested rule."""
    lent = [*decision.payer.held, *(decision.requested.findings if decision.requested else ())]
    yield from {finding.key: finding for finding in (*decision.findings.values(), *lent)}.values()


def _suggested(card: Mapping[str, Any]) -> Iterator[str]:
    """The code that each suggestion adds: the code of the order that the action's description names."""
    for suggestion in card.get("suggestions", ()):
        for action in suggestion["actions"]:
            order, named = action["resource"], action["description"].split()
            concepts = [order.get("code", {}), *order.get("reasonCode", [])]
            codes = [coding.get("code") for concept in concepts for coding in concept.get("coding", [])]
            yield from dict.fromkeys(code for code in codes if code in {word.strip("()") for word in named})
