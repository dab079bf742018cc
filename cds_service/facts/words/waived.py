"""``test`` … ``waived_by``: a test that another test may replace."""

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
    """Met if the waiver is met; otherwise the truth of the test."""

    name = "waived"
    key = "waived_by"
    schema = {"test": {"$ref": "#/$defs/test"}, "waived_by": {"$ref": "#/$defs/test"}}
    members = ("test", "waived_by")
    exceptions = (Excuse("waived_by", "test", "in no case is 'waived_by' met and 'test' not: add one"),)

    def recognizes(self, entry: Mapping[str, Any]) -> bool:
        """Whether the entry has a test and its waiver."""
        return "test" in entry and "waived_by" in entry

    def truth_of(self, first: Truth, second: Truth) -> Truth:
        """Met by the waiver, otherwise the truth of the test."""
        return second if second is Truth.MET else first

    def manner(self, found: Evaluated) -> str:
        """``WAIVED`` if the test alone is not met; otherwise the manner of the test."""
        held, _ = found.inner
        return manner_of(held) if held.truth is Truth.MET else WAIVED

    def excuses(self, found: Evaluated, how: str) -> list[str]:
        """The facts by which the waiver is met."""
        return settled_by(found.inner[1], Truth.MET) if how == WAIVED else []

    def asked(self, found: Evaluated) -> Sequence[Evaluated]:
        """The test without its waiver."""
        return found.inner[:1]

    def clause(self, test: Test, rules: Rules) -> Clause:
        """The clause of the test, with its waiver beside it."""
        held, waiver = test.inner
        return excused_clause(held, "Waived, counted as met and shown as waived,", waiver, "", rules)

    def sentence(self, test: Test, rules: Rules) -> str:
        """The test and its waiver."""
        held, waiver = test.inner
        return f"{inner_sentence(held, rules)}, waived where {inner_sentence(waiver, rules)}"


WORD = Waived()
