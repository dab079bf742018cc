"""``test`` … ``voided_by``: a test whose failure does not count if another test is met."""

from collections.abc import Mapping, Sequence
from typing import Any

from cds_service.facts.clauses import Clause
from cds_service.facts.evaluated import Evaluated
from cds_service.facts.kind import Rules
from cds_service.facts.logic import Truth
from cds_service.facts.word import Excuse, PairWord, excused_clause, inner_sentence, manner_of
from cds_service.policy.model import Test


class Voided(PairWord):
    """The truth of the test; a failed test is unknown if the voiding test is met."""

    name = "voided"
    key = "voided_by"
    schema = {"test": {"$ref": "#/$defs/test"}, "voided_by": {"$ref": "#/$defs/test"}}
    members = ("test", "voided_by")
    exceptions = (Excuse("voided_by", "test", "in no case is 'voided_by' met and 'test' failed: add one"),)

    def recognizes(self, entry: Mapping[str, Any]) -> bool:
        """Whether the entry has a test without a waiver; then it must have ``voided_by``."""
        return "test" in entry and "waived_by" not in entry

    def truth_of(self, first: Truth, second: Truth) -> Truth:
        """The truth of the test, or unknown if its failure is voided."""
        return Truth.UNKNOWN if first is Truth.NOT_MET and second is Truth.MET else first

    def manner(self, found: Evaluated) -> str:
        """The manner of the test."""
        return manner_of(found.inner[0])

    def asked(self, found: Evaluated) -> Sequence[Evaluated]:
        """The test without the voiding test."""
        return found.inner[:1]

    def clause(self, test: Test, rules: Rules) -> Clause:
        """The clause of the test, with the voiding test beside it."""
        held, doubt = test.inner
        return excused_clause(held, "A no does not count, and leaves it unknown,", doubt, "", rules)

    def sentence(self, test: Test, rules: Rules) -> str:
        """The test and its voiding test."""
        held, doubt = test.inner
        return f"{inner_sentence(held, rules)}, a no does not count where {inner_sentence(doubt, rules)}"


WORD = Voided()
