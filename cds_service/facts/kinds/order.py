"""``order``: whether a draft of the call asks for something."""

from cds_service.facts.context import Context
from cds_service.facts.evidence import Evidence, Fact
from cds_service.facts.kind import Rules, YesOrNoKind
from cds_service.policy.model import FactRule, Test


class OrderKind(YesOrNoKind):
    """The drafts of the call, by a code that is valid on the date of service, or by their words."""

    name = "order"
    needs = {"required": ["codes"]}
    on_record = "ordered"
    is_of_the_call = True

    def read(self, rule: FactRule, context: Context) -> Fact:
        """Whether a draft carries a code that has this meaning on the date of service, or its words."""
        if context.order is None or rule.codes is None:
            return Fact(rule)
        carrying = [
            Evidence(reference, text, None, None)
            for reference, text in context.order.carriers(rule.codes, context.chart)
        ]
        if not carrying and not context.order.is_readable(context.chart):
            return Fact(rule, notes=("the code of a draft cannot be read",))
        return Fact(rule, (bool(carrying),), tuple(carrying))

    def compared(self, test: Test, rule: FactRule) -> str:
        """Whether it must be ordered."""
        return "ordered" if test.wanted else "not ordered"

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The drafts."""
        return "the drafts of the call, by a code that is valid on the date of service, or by their words"

    def absence(self, rule: FactRule) -> str:
        """A no, where orders are at hand."""
        return "no; unknown where no order is at hand"


KIND = OrderKind()
