"""``parts``: the number of parts of the scope in the call."""

from cds_service.facts.comparing import limits_in_words
from cds_service.facts.context import Context
from cds_service.facts.evidence import Fact
from cds_service.facts.kind import NumberKind, Rules
from cds_service.policy.model import FactRule, Test


class PartsKind(NumberKind):
    """The number of parts; known once the parts of the order are."""

    name = "parts"
    is_of_the_call = True
    counts_parts = True
    needs_scope = "counts the parts of the scope"

    def read(self, rule: FactRule, context: Context) -> Fact:
        """The number of parts."""
        if context.order is None or not context.parts:
            return Fact(rule)
        return Fact(rule, ((len(context.parts), len(context.parts)),))

    def compared(self, test: Test, rule: FactRule) -> str:
        """The limits alone."""
        return limits_in_words(test)

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The order."""
        return "how many parts the order names"


KIND = PartsKind()
