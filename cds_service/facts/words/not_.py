"""``not``: the opposite of a test."""

from collections.abc import Mapping
from typing import Any

from cds_service.facts import logic
from cds_service.facts.clauses import Clause
from cds_service.facts.evaluated import Evaluated, Facts
from cds_service.facts.kind import Rules
from cds_service.facts.logic import Truth
from cds_service.facts.word import TestWord, clause, evaluate, sentence, settled_by
from cds_service.policy.loading.tests import TestReader
from cds_service.policy.model import Test
from cds_service.policy.places import Steps


class Not(TestWord):
    """Swaps met and not met; unknown stays unknown."""

    name = key = "not"
    schema = {"not": {"$ref": "#/$defs/test"}}

    def load(self, entry: Mapping[str, Any], place: Steps, reader: TestReader) -> Test:
        """The test of ``{"not": …}``."""
        return Test(self, (reader.test(entry["not"], (*place, "not")),), place=place)

    def evaluate(self, test: Test, facts: Facts) -> Evaluated:
        """The opposite of the inner truth."""
        inner = evaluate(test.inner[0], facts)
        return Evaluated(test, frozenset(map(logic.negation, inner.possible)), (inner,))

    def settled_by(self, found: Evaluated, truth: Truth) -> list[str]:
        """The facts that give the inner test the opposite truth."""
        return settled_by(found.inner[0], logic.negation(truth))

    def clause(self, test: Test, rules: Rules) -> Clause:
        """The inner clause, under its heading."""
        return Clause("The opposite of this:", (clause(test.inner[0], rules),))

    def sentence(self, test: Test, rules: Rules) -> str:
        """The inner sentence, in brackets."""
        return f"not ({sentence(test.inner[0], rules)})"


WORD = Not()
