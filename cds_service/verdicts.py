"""Findings in, one Decision out: the verdicts, kept apart, and what else a reader must review."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cds_service import criteria, logic, payers
from cds_service.chart import Chart
from cds_service.criteria import Finding
from cds_service.evidence import Evidence
from cds_service.facts import Fact
from cds_service.logic import Truth
from cds_service.orders import ProcedureOrder
from cds_service.payers import PayerPosition
from cds_service.policy import Policy, VerdictRule


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verdict: its truth and the findings that it is made of (none for a payer verdict)."""

    rule: VerdictRule
    truth: Truth
    findings: tuple[Finding, ...]

    def with_truth(self, truth: Truth) -> tuple[Finding, ...]:
        """The verdict's findings that have this truth."""
        return tuple(finding for finding in self.findings if finding.truth is truth)


@dataclass(frozen=True, slots=True)
class Decision:
    """All that a policy says of one patient and one procedure; ``order`` is None on patient-view."""

    policy: Policy
    order: ProcedureOrder | None
    findings: Mapping[str, Finding]
    verdicts: tuple[Verdict, ...]
    payer: PayerPosition
    for_review: tuple[tuple[str, tuple[Evidence, ...]], ...]
    today: date

    @property
    def codes_withheld(self) -> bool:
        """Whether a verdict that withholds codes is not met; unknown never withholds."""
        return any(verdict.rule.withholds_codes and verdict.truth is Truth.NOT_MET for verdict in self.verdicts)

    @property
    def outside_verdicts(self) -> tuple[Finding, ...]:
        """The findings that no verdict counts: they are for review."""
        counted = {finding.criterion.id for verdict in self.verdicts for finding in verdict.findings}
        return tuple(finding for name, finding in self.findings.items() if name not in counted)


def opens_on_patient_view(policy: Policy, known: Mapping[str, Fact]) -> bool:
    """Whether the policy has something to say when the chart is opened: its condition met, its exception not."""
    if policy.patient_view_when is None or criteria.evaluate(policy.patient_view_when, known) is not Truth.MET:
        return False
    unless = policy.patient_view_unless
    return unless is None or criteria.evaluate(unless, known) is not Truth.MET


def decide(
    policy: Policy, chart: Chart, known: Mapping[str, Fact], order: ProcedureOrder | None, today: date
) -> Decision:
    """Holds one chart, and the facts known from it (``facts.gather``), against one policy. Pure: no clock, no log."""
    findings = criteria.find(policy, known, chart)
    drafts: list[Mapping[str, Any]] = [draft.resource for draft in order.drafts] if order else []
    payer = payers.position(policy, chart, findings, drafts, today)
    return Decision(
        policy=policy,
        order=order,
        findings=findings,
        verdicts=tuple(_verdict(rule, findings, payer) for rule in policy.verdicts),
        payer=payer,
        for_review=tuple(
            (hint.says, known[hint.fact].evidence) for hint in policy.for_review if True in known[hint.fact].values
        ),
        today=today,
    )


def _verdict(rule: VerdictRule, findings: Mapping[str, Finding], payer: PayerPosition) -> Verdict:
    if rule.payer:
        return Verdict(rule, payer.truth, ())
    members = tuple(findings[name] for name in rule.criteria)
    return Verdict(rule, logic.every(finding.truth for finding in members), members)
