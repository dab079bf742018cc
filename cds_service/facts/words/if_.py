"""``if`` … ``then``: a test that applies only if a condition holds."""

from collections.abc import Sequence

from cds_service.facts import logic
from cds_service.facts.clauses import Clause
from cds_service.facts.evaluated import DOES_NOT_APPLY, Evaluated
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


class If(PairWord):
    """Material implication: if the condition is not met, the test counts as met."""

    name = key = "if"
    schema = {"if": {"$ref": "#/$defs/test"}, "then": {"$ref": "#/$defs/test"}}
    members = ("if", "then")
    exceptions = (Excuse("if", "then", "in no case are both 'if' and 'then' not met: add one"),)

    def truth_of(self, first: Truth, second: Truth) -> Truth:
        """Met if the condition is not met; otherwise the truth of the test."""
        return logic.some((logic.negation(first), second))

    def manner(self, found: Evaluated) -> str:
        """``DOES_NOT_APPLY`` if the condition is not met; otherwise the manner of the test."""
        condition, asked = found.inner
        return DOES_NOT_APPLY if condition.truth is Truth.NOT_MET else manner_of(asked)

    def excuses(self, found: Evaluated, how: str) -> list[str]:
        """The facts by which the condition does not hold."""
        return settled_by(found.inner[0], Truth.NOT_MET) if how == DOES_NOT_APPLY else []

    def asked(self, found: Evaluated) -> Sequence[Evaluated]:
        """The test without its condition."""
        return found.inner[1:]

    def clause(self, test: Test, rules: Rules) -> Clause:
        """The clause of the test, with its condition beside it."""
        condition, asked = test.inner
        return excused_clause(asked, "Only asked", condition, "; elsewhere it does not apply, and counts as met", rules)

    def sentence(self, test: Test, rules: Rules) -> str:
        """The test and its condition."""
        condition, asked = test.inner
        return f"{inner_sentence(asked, rules)}, only asked where {inner_sentence(condition, rules)}"


WORD = If()
