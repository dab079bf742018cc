"""``order``: whether a draft of the call asks for something."""

from cds_service.facts.context import Context
from cds_service.facts.evidence import Evidence, Fact
from cds_service.facts.kind import Rules, YesOrNoKind
from cds_service.policy.model import FactRule, Test


class OrderKind(YesOrNoKind):
    """The drafts of the call, by a code that is valid on the date of service or by their words, or by their reasons."""

    name = "order"
    needs = {"oneOf": [{"required": ["codes"]}, {"required": ["reason"]}]}
    on_record = "ordered"
    is_of_the_call = True

    def read(self, rule: FactRule, context: Context) -> Fact:
        """Whether a draft carries a code that has this meaning on the date of service, or its words; or such a reason.

        That another reason is given does not say that this is none.
        """
        order = context.order
        if order is None:
            return Fact(rule)
        if rule.reason is not None:
            given = tuple(
                Evidence(reference, text, None, None) for reference, text in order.reasons(rule.reason, context.chart)
            )
            return Fact(rule, (True,), given) if given else Fact(rule)
        if rule.codes is None:
            return Fact(rule)
        carrying = [
            Evidence(reference, text, None, None) for reference, text in order.carriers(rule.codes, context.chart)
        ]
        if not carrying and not order.is_readable(context.chart):
            return Fact(rule, notes=("the code of a draft cannot be read",))
        return Fact(rule, (bool(carrying),), tuple(carrying))

    def compared(self, test: Test, rule: FactRule) -> str:
        """Whether it must be ordered, or be the reason."""
        what = "ordered" if rule.reason is None else "the order's reason"
        return what if test.wanted else f"not {what}"

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The drafts, or why they are ordered."""
        if rule.reason is not None:
            return "the reasons of the drafts, by code or words"
        return "the drafts of the call, by a code that is valid on the date of service, or by their words"

    def absence(self, rule: FactRule) -> str:
        """A no, where orders are at hand; of reasons, nothing."""
        if rule.reason is not None:
            return "unknown"
        return "no; unknown where no order is at hand"


KIND = OrderKind()
