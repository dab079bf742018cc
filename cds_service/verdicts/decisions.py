"""Findings in, one Decision out: the separate verdicts, and what else a reader must review."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, NamedTuple

from cds_service.chart.chart import Chart
from cds_service.chart.orders import ProcedureOrder
from cds_service.facts import logic
from cds_service.facts.evidence import Evidence, Fact, Known, WaitingDraft
from cds_service.facts.logic import Truth
from cds_service.facts.word import evaluate, settled_by
from cds_service.policy.model import Part, Pathway, Policy, Profile, ReviewLine, VerdictRule
from cds_service.verdicts import criteria, payers
from cds_service.verdicts.criteria import Finding
from cds_service.verdicts.payers import PayerPosition


class Counts(NamedTuple):
    """The number of criteria, of met criteria, and of those met only by attestation."""

    total: int
    met: int
    by_attestation: int

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> "Counts":
        """Count findings."""
        listed = list(findings)
        met = [finding for finding in listed if finding.truth is Truth.MET]
        return cls(len(listed), len(met), sum(finding.by_attestation for finding in met))


class Urgent(NamedTuple):
    """A record that every card names: its name, and the record. ``coded``: not found by the words of a report."""

    name: str
    record: Evidence
    coded: bool


def urgent_of(policy: Policy, known: Known) -> tuple[Urgent, ...]:
    """The chart's records that every card names, each once."""
    found: dict[str, Urgent] = {}
    for name, called in policy.phrases.urgent.items():
        fact = known.whole[name]
        if True not in fact.values:
            continue
        coded = not fact.rule.kind.is_of_words
        for record in fact.evidence:
            found.setdefault(record.reference, Urgent(called, record, coded))
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verdict: its truth, its findings (none for a payer verdict), and a reason that the findings do not show."""

    rule: VerdictRule
    truth: Truth
    findings: tuple[Finding, ...]
    reason: str = ""

    def by_part(self) -> tuple[tuple[Part, tuple[Finding, ...]], ...]:
        """Each part with its findings and those for the whole; empty if no finding has a part."""
        parts = {finding.part.id: finding.part for finding in self.findings if finding.part}
        return tuple(
            (part, tuple(item for item in self.findings if item.part in (None, part))) for part in parts.values()
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of a rule set for one patient and one procedure; ``order`` is None on patient-view.

    ``parts`` are the parts of the scope that the decision is about. ``requested`` is the result of a rule that the
    caller asked for in addition. ``for_review`` pairs each line with its evidence. ``died`` is the date of death as
    written ("": unknown; None: alive). ``urgent`` are the records that every card names; ``drafts`` are the unsigned
    forms in the chart, newest first.
    """

    policy: Policy
    order: ProcedureOrder | None
    findings: Mapping[str, Finding]
    verdicts: tuple[Verdict, ...]
    payer: PayerPosition
    for_review: tuple[tuple[ReviewLine, tuple[Evidence, ...]], ...]
    today: date
    parts: tuple[Part, ...] = ()
    requested: Verdict | None = None
    counted: frozenset[str] = field(default=frozenset())
    died: str | None = None
    urgent: tuple[Urgent, ...] = ()
    drafts: tuple[WaitingDraft, ...] = ()

    @property
    def withheld_for_review(self) -> bool:
        """Whether a line for review withholds the codes."""
        return any(line.withholds_codes for line, _ in self.for_review)

    @property
    def lead(self) -> Verdict:
        """The verdict that leads the card: the first that applies and is based on criteria, otherwise the first."""
        applying = (item for item in self.verdicts if item.findings and item.truth is not Truth.NOT_APPLICABLE)
        return next(applying, self.verdicts[0])

    @property
    def lent(self) -> tuple[Finding, ...]:
        """The findings of single sources' rules, from verdicts and the payer."""
        by_rule = (verdict.findings for verdict in self.verdicts if verdict.rule.profile is not None)
        return (*(finding for findings in by_rule for finding in findings), *self.payer.held)

    @property
    def outside_verdicts(self) -> tuple[Finding, ...]:
        """The findings that no verdict counts, for review."""
        return tuple(finding for finding in self.findings.values() if finding.criterion.key not in self.counted)


def opens_on_patient_view(policy: Policy, known: Mapping[str, Fact]) -> bool:
    """Whether the rule set has something to say when the chart is opened: its condition is met, its exception not."""
    if policy.patient_view_when is None or evaluate(policy.patient_view_when, known).truth is not Truth.MET:
        return False
    unless = policy.patient_view_unless
    return unless is None or evaluate(unless, known).truth is not Truth.MET


def pathway(policy: Policy, known: Known, order: ProcedureOrder | None) -> tuple[Pathway, tuple[Part, ...]] | None:
    """The first pathway row that matches the call, with its parts; None if the rule set's own criteria apply.

    A row matches by the order, or by its test over the facts of the whole or of a part of the call.
    """
    parts = {name: policy.scope.part(name) for name in known.parts} if policy.scope else {}
    for row in policy.orders.pathways:
        if order is not None and order.pathway is row:
            return row, tuple(parts.values())
        if row.when is not None:
            met = [part for name, part in parts.items() if evaluate(row.when, known.at(name)).truth is Truth.MET]
            # If a scoped call names no part, the row may need the facts of a part: the card asks for the part first.
            if met or (policy.scope is None and evaluate(row.when, known.whole).truth is Truth.MET):
                return row, tuple(met)
    return None


def decide(
    policy: Policy,
    chart: Chart,
    known: Known,
    order: ProcedureOrder | None,
    today: date,
    *,
    profile: Profile | None = None,
    silent: criteria.SilentFindings = MappingProxyType({}),
) -> Decision:
    """Evaluate one chart, and the facts known from it (``facts.gather``), against one rule set. Pure: no clock, no log.

    ``profile`` is another rule to evaluate, on request. ``silent`` are the known findings of criteria whose facts are
    all silent; without them, these criteria are evaluated like all others.
    """
    findings = criteria.find(policy, policy.always_evaluated, known, chart, silent)
    by_key: dict[str, list[Finding]] = {}
    for finding in findings.values():
        by_key.setdefault(finding.criterion.key, []).append(finding)

    def held(keys: Collection[str]) -> tuple[Finding, ...]:
        """The findings of criteria by key; criteria that only a profile has are evaluated on demand."""
        for key in keys:
            if key not in by_key:
                by_key[key] = list(criteria.find(policy, [policy.criterion(key)], known, chart, silent).values())
        return tuple(finding for key in keys for finding in by_key[key])

    review = [line for line in policy.for_review if True in known.whole[line.fact].values]
    drafts: list[Mapping[str, Any]] = [draft.resource for draft in order.drafts] if order else []
    payer = payers.position(policy, chart, held, drafts, today)
    requested = _requested(profile) if profile else None
    return Decision(
        policy=policy,
        order=order,
        findings=findings,
        verdicts=tuple(_verdict(rule, held, payer, known) for rule in policy.verdicts),
        payer=payer,
        for_review=tuple((line, known.whole[line.fact].evidence) for line in review),
        today=today,
        died=chart.died,
        parts=tuple(policy.scope.part(name) for name in known.parts) if policy.scope else (),
        requested=_verdict(requested, held, payer, known) if requested else None,
        urgent=urgent_of(policy, known),
        counted=frozenset(key for rule in policy.verdicts if rule.profile is None for key in rule.criteria),
        drafts=known.drafts,
    )


def _requested(profile: Profile) -> VerdictRule:
    """The verdict rule for a profile that the caller asked for."""
    return VerdictRule(
        id=profile.id,
        title=profile.title,
        criteria=profile.criteria,
        payer=False,
        profile=profile,
    )


def _verdict(rule: VerdictRule, held: payers.Held, payer: PayerPosition, known: Known) -> Verdict:
    if rule.payer:
        return Verdict(rule, payer.truth, (), payer.reason)
    if rule.profile is not None and rule.profile.pending is not None:
        return Verdict(rule, Truth.UNKNOWN, (), rule.profile.pending)
    unless = evaluate(rule.applies_unless, known.whole) if rule.applies_unless is not None else None
    if unless is not None and (given := settled_by(unless, Truth.MET)):
        names = dict.fromkeys(known.whole[name].rule.title for name in given)
        return Verdict(rule, Truth.NOT_APPLICABLE, (), ", ".join(names))
    members = held(rule.criteria)
    return Verdict(rule, logic.every(finding.truth for finding in members), members)
