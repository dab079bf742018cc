"""A decision prepared for its card: rows of criteria in the words of the rule set, and the one outcome that applies."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from cds_service.card.outcomes import Outcome
from cds_service.chart.chart import Chart
from cds_service.facts.evaluated import DOES_NOT_APPLY
from cds_service.facts.logic import Truth
from cds_service.fhir.types import TYPES
from cds_service.policy.model import Policy, own_id
from cds_service.policy.phrases import CriterionPhrases
from cds_service.verdicts.criteria import Finding
from cds_service.verdicts.decisions import Decision, Urgent, Verdict

ANSWERS = "QuestionnaireResponse"
_WEAKEST = (Truth.NOT_MET, Truth.UNKNOWN, Truth.MET)


class Row(NamedTuple):
    """One criterion on a card, with its result; if evaluated for each part, the weakest result counts.

    ``finding`` and ``truth`` are those of the weakest part, ``findings`` those of all parts. ``sides`` are the parts
    that the row is about; empty for all. ``conflict``: an answer and a record disagree. ``applies``: the criterion's
    condition holds, as far as is known. ``by_attestation``: the criterion is met, in some part that it applies to only
    by attestation.
    """

    phrases: CriterionPhrases
    finding: Finding
    findings: tuple[Finding, ...]
    truth: Truth
    sides: tuple[str, ...]
    conflict: bool
    applies: bool
    by_attestation: bool

    @property
    def without_document(self) -> bool:
        """Whether the criterion is met by attestation, and no answer names a document that supports it."""
        given = [item.attested for finding in self.findings for item in finding.evidence if item.attested]
        return self.by_attestation and not any(attested.basis for attested in given)


def rows_of(policy: Policy, findings: Iterable[Finding]) -> tuple[Row, ...]:
    """A row for each criterion, in the order of the findings."""
    grouped: dict[str, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault(own_id(finding.criterion.key), []).append(finding)
    return tuple([_row(policy.phrases.criteria[name], tuple(group)) for name, group in grouped.items()])


def _row(phrases: CriterionPhrases, findings: tuple[Finding, ...]) -> Row:
    weakest = findings[0]
    sides: tuple[str, ...] = ()
    if len(findings) > 1:
        weakest = min(findings, key=lambda item: _WEAKEST.index(item.truth))
        alike = [item for item in findings if item.truth is weakest.truth]
        sides = tuple(item.part.name for item in alike if item.part) if len(alike) < len(findings) else ()
    conflict = applies = attested = False
    for item in findings:
        conflict = conflict or item.conflict
        if item.manner != DOES_NOT_APPLY:
            applies = True
            attested = attested or item.by_attestation
    truth = weakest.truth
    return Row(phrases, weakest, findings, truth, sides, conflict, applies, attested and truth is Truth.MET)


class Assessment:
    """A decision, read for its card. Pure; computes only what the card asks for."""

    def __init__(self, decision: Decision, chart: Chart) -> None:
        self.decision = decision
        self.chart = chart
        self.policy = decision.policy
        self.phrases = decision.policy.phrases
        # What documents must say, by criterion and sides; filled on demand.
        self.documents: dict[tuple[str, tuple[str, ...]], str] = {}
        own = [verdict for verdict in decision.verdicts if verdict.findings and verdict.rule.profile is None]
        self.label_applies = decision.verdicts[0].truth is not Truth.NOT_APPLICABLE
        lead, rest = (own[:1], own[1:]) if self.label_applies else ([], own)
        self.label = self._rows(lead, set())
        self.trial = self._rows(rest, {row.finding.criterion.key for row in self.label})

    def _rows(self, verdicts: list[Verdict], listed: set[str]) -> tuple[Row, ...]:
        unique = {
            finding.key: finding
            for verdict in verdicts
            for finding in verdict.findings
            if finding.criterion.key not in listed
        }
        return rows_of(self.policy, unique.values())

    @cached_property
    def outside(self) -> tuple[Row, ...]:
        """The rows of criteria that no verdict counts."""
        return rows_of(self.policy, self.decision.outside_verdicts)

    @property
    def counted(self) -> tuple[Row, ...]:
        """The rows of the label and of the trials."""
        return self.label + self.trial

    @property
    def urgent(self) -> tuple[Urgent, ...]:
        """The urgent records in the chart."""
        return self.decision.urgent

    @cached_property
    def contraindicated(self) -> tuple[Row, ...]:
        """The label's contraindications that the chart has."""
        return tuple(row for row in self.label if row.truth is Truth.NOT_MET and row.phrases.is_contraindication)

    @cached_property
    def off_label(self) -> tuple[Row, ...]:
        """The label's indications that are not met."""
        return tuple(row for row in self.label if row.truth is Truth.NOT_MET and not row.phrases.is_contraindication)

    @cached_property
    def conflicts(self) -> tuple[Row, ...]:
        """The criteria on which a record and an answer disagree."""
        return tuple(row for row in self.counted if row.conflict)

    @cached_property
    def pressing(self) -> tuple[tuple[Row | None, Urgent | None], ...]:
        """What must be resolved before ordering.

        These are coded urgent records that no answer addresses, and conflicts about a contraindication or an urgent
        record.
        """
        if not (self.urgent or self.conflicts):
            return ()
        answered = {item.record.reference for finding in self._findings() for item in finding.answered}
        found: list[tuple[Row | None, Urgent | None]] = []
        records = {item.record.reference: item for item in self.urgent}
        taken: set[str] = set()
        for row in self.conflicts:
            beside = [records[item.reference] for item in row.finding.contrary if item.reference in records]
            fresh = [item for item in beside if item.record.reference not in taken]
            taken |= {item.record.reference for item in beside}
            found += [(row, item) for item in fresh]
            if row.phrases.is_contraindication and not beside:
                found.append((row, None))
        for item in self.urgent:
            if item.coded and item.record.reference not in taken | answered:
                found.append((None, item))
        return tuple(found)

    def _findings(self) -> Iterator[Finding]:
        return (finding for row in self.counted for finding in row.findings)

    @cached_property
    def not_checked(self) -> tuple[Row, ...]:
        """The label's criteria that are unknown because a whole type of record that they read was not received."""
        if not self.chart.why_missing:
            return ()
        return tuple(row for row in self.label if row.truth is Truth.UNKNOWN and not row.conflict and self._unread(row))

    @cached_property
    def not_received(self) -> dict[str, str]:
        """The types of record that open criteria read but that were not received, each with the sentence why."""
        if not self.chart.why_missing:
            return {}
        names = {name for row in self.counted if row.truth is Truth.UNKNOWN for name in self._read(row)}
        return {name: self.chart.why_missing[name] for name in sorted(names) if name in self.chart.why_missing}

    def _unread(self, row: Row) -> bool:
        return any(
            name in self.chart.why_missing and (name != ANSWERS or name in self.chart.unfetched)
            for name in self._read(row)
        )

    def _read(self, row: Row) -> set[str]:
        """The types that the test and hints of a criterion read, except those only searched for words."""
        criterion = row.finding.criterion
        rules = (
            self.policy.facts[name] for name in (*criterion.test.facts(), *(item.fact for item in criterion.hints))
        )
        return {
            name for rule in rules if not rule.kind.is_of_words for name in rule.types() if not TYPES[name].only_shown
        }

    @cached_property
    def open_label(self) -> tuple[Row, ...]:
        """The label's criteria that need documentation."""
        return _open(self.label)

    @cached_property
    def open_trial(self) -> tuple[Row, ...]:
        """The trials' criteria that need documentation."""
        return _open(self.trial)

    @cached_property
    def not_studied(self) -> tuple[Row, ...]:
        """The trials' criteria that are not met."""
        return tuple(row for row in self.trial if row.truth is Truth.NOT_MET)

    @cached_property
    def sides(self) -> dict[str, tuple[tuple[Row, ...], tuple[Row, ...]]]:
        """For each part of the call, its rows of the label and of the trials; empty for fewer than two parts."""
        if len(self.decision.parts) < 2:
            return {}
        return {
            part.name: (self._of_part(self.label, part.id), self._of_part(self.trial, part.id))
            for part in self.decision.parts
        }

    def _of_part(self, rows: tuple[Row, ...], part: str) -> tuple[Row, ...]:
        findings = (item for row in rows for item in row.findings if item.part is None or item.part.id == part)
        return rows_of(self.policy, findings)

    @cached_property
    def outcome(self) -> Outcome:
        """The first outcome that applies."""
        if self.decision.died is not None:
            return Outcome.DECEASED
        if self.contraindicated:
            return Outcome.CONTRAINDICATED
        if self.pressing:
            return Outcome.CONFLICT_URGENT
        if self.off_label:
            return Outcome.OFF_LABEL
        if self.decision.withheld_for_review:
            return Outcome.IMPLANTED
        if self.decision.payer.truth is Truth.NOT_MET:
            return Outcome.PAYER_EXCLUDES
        if self.conflicts:
            return Outcome.CONFLICT
        if self.not_checked:
            return Outcome.NOT_READ
        if len({_side_outcome(*rows) for rows in self.sides.values()}) > 1:
            return Outcome.TWO_SIDES
        return _side_outcome(self.label, self.trial)


def _open(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.truth is Truth.UNKNOWN and not row.conflict)


def _side_outcome(label: tuple[Row, ...], trial: tuple[Row, ...]) -> Outcome:
    if _open(label):
        return Outcome.GAPS
    if any(row.truth is Truth.NOT_MET for row in trial):
        return Outcome.NOT_STUDIED
    return Outcome.TRIAL_GAPS if _open(trial) else Outcome.MET
