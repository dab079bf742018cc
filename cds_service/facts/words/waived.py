"""``test`` … ``waived_by``: a test that something else may stand in for."""

from collections.abc import Mapping, Sequence
from typing import Any

from cds_service.facts.clauses import Clause
from cds_service.facts.evaluated import WAIVED, Evaluated
from cds_service.facts.kind import Rules
from cds_service.facts.logic import Truth
from cds_service.facts.word import (
    Excuse,
    PairWord,
    excused_clause,
    inner_sentence,
    manner_of,
    settled_by,
)
from cds_service.policy.model import Test


class Waived(PairWord):
    """Met where the waiver is; otherwise what the test comes to."""

    name = "waived"
    key = "waived_by"
    schema = {"test": {"$ref": "#/$defs/test"}, "waived_by": {"$ref": "#/$defs/test"}}
    members = ("test", "waived_by")
    exceptions = (Excuse("waived_by", "test", "in no case is 'waived_by' met and 'test' not: add one"),)

    def recognizes(self, entry: Mapping[str, Any]) -> bool:
        """Whether a test stands beside what waives it."""
        return "test" in entry and "waived_by" in entry

    def truth_of(self, first: Truth, second: Truth) -> Truth:
        """The test's truth, or met by the waiver."""
        return second if second is Truth.MET else first

    def manner(self, found: Evaluated) -> str:
        """Waived where the test alone is not met."""
        held, _ = found.inner
        return manner_of(held) if held.truth is Truth.MET else WAIVED

    def excuses(self, found: Evaluated, how: str) -> list[str]:
        """What waives it."""
        return settled_by(found.inner[1], Truth.MET) if how == WAIVED else []

    def asked(self, found: Evaluated) -> Sequence[Evaluated]:
        """The test, without what waives it."""
        return found.inner[:1]

    def clause(self, test: Test, rules: Rules) -> Clause:
        """The clause of the test, and beside it what waives it."""
        held, waiver = test.inner
        return excused_clause(held, "Waived, counted as met and shown as waived,", waiver, "", rules)

    def sentence(self, test: Test, rules: Rules) -> str:
        """The test, and what waives it."""
        held, waiver = test.inner
        return f"{inner_sentence(held, rules)}, waived where {inner_sentence(waiver, rules)}"


WORD = Waived()
