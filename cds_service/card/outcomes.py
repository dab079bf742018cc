"""The outcome of a card, in one word: the first outcome that applies."""

from dataclasses import dataclass
from enum import Enum

from cds_service.card import overrides
from cds_service.card.words.rest import OUTCOMES


@dataclass(frozen=True, slots=True)
class _Row:
    """The attributes of an outcome.

    ``topic`` ends the topic's code; ``codes``: codes may be suggested; ``decided``: criteria were counted.
    """

    topic: str
    reasons: tuple[str, ...]
    warns: bool = False
    codes: bool = False
    decided: bool = True


class Outcome(Enum):
    """The outcomes in order of priority; the value is the id in ``explain --json``."""

    DECEASED = "deceased"
    FAILED = "failed"
    UNCLEAR = "unclear"
    ROUTED = "routed"
    CONTRAINDICATED = "contraindicated"
    CONFLICT_URGENT = "conflict-urgent"
    OFF_LABEL = "off-label"
    IMPLANTED = "implanted"
    PAYER_EXCLUDES = "payer-excludes"
    CONFLICT = "conflict"
    NOT_READ = "not-read"
    TWO_SIDES = "two-sides"
    GAPS = "gaps"
    NOT_STUDIED = "not-studied"
    TRIAL_GAPS = "trial-gaps"
    MET = "met"

    @property
    def topic(self) -> str:
        """The end of the topic's code; one topic per outcome, so that dismissing one outcome never silences another."""
        return _ROWS[self].topic

    @property
    def called(self) -> str:
        """The outcome in words, for reports."""
        return OUTCOMES[self.value]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The codes of the override reasons."""
        return _ROWS[self].reasons

    @property
    def indicator(self) -> str:
        """The CDS Hooks indicator."""
        return "warning" if _ROWS[self].warns else "info"

    @property
    def suggests(self) -> bool:
        """Whether codes may be suggested."""
        return _ROWS[self].codes

    @property
    def decided(self) -> bool:
        """Whether criteria were evaluated and counted."""
        return _ROWS[self].decided


_ROWS = {
    Outcome.DECEASED: _Row("Deceased", overrides.ORDER, warns=True, decided=False),
    Outcome.FAILED: _Row("Failed", overrides.ORDER, decided=False),
    Outcome.UNCLEAR: _Row("Ask", overrides.ORDER, decided=False),
    Outcome.ROUTED: _Row("NotEvaluated", overrides.ORDER, decided=False),
    Outcome.CONTRAINDICATED: _Row("Contraindicated", overrides.OFF_LABEL, warns=True),
    Outcome.CONFLICT_URGENT: _Row("ConflictUrgent", overrides.DOCUMENTATION, warns=True),
    Outcome.OFF_LABEL: _Row("OffLabel", overrides.OFF_LABEL, warns=True),
    Outcome.IMPLANTED: _Row("Implanted", overrides.ORDER),
    Outcome.PAYER_EXCLUDES: _Row("PayerExcludes", overrides.PAYER, warns=True, codes=True),
    Outcome.CONFLICT: _Row("Conflict", overrides.DOCUMENTATION, codes=True),
    Outcome.NOT_READ: _Row("NotRead", overrides.DOCUMENTATION, codes=True),
    Outcome.TWO_SIDES: _Row("TwoSides", overrides.DOCUMENTATION, codes=True),
    Outcome.GAPS: _Row("Gaps", overrides.DOCUMENTATION, codes=True),
    Outcome.NOT_STUDIED: _Row("NotStudied", overrides.TRIAL, codes=True),
    Outcome.TRIAL_GAPS: _Row("TrialGaps", overrides.TRIAL, codes=True),
    Outcome.MET: _Row("Met", overrides.DOCUMENTATION, codes=True),
}
