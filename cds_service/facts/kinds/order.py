"""``order``: whether a draft of the call orders something."""

from cds_service.facts.context import Context
from cds_service.facts.evidence import Evidence, Fact
from cds_service.facts.kind import Rules, YesOrNoKind
from cds_service.policy.model import FactRule, Test


class OrderKind(YesOrNoKind):
    """The drafts of the call, by a code valid on the date of service or by words, or by their reasons."""

    name = "order"
    needs = {"oneOf": [{"required": ["codes"]}, {"required": ["reason"]}]}
    on_record = "ordered"
    is_of_the_call = True

    def read(self, rule: FactRule, context: Context) -> Fact:
        """Whether a draft has a code with this meaning on the date of service, or the set's words; or such a reason.

        Another reason does not exclude this one.
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
        """Whether it must be ordered, or be the reason for the order."""
        what = "ordered" if rule.reason is None else "the order's reason"
        return what if test.wanted else f"not {what}"

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The drafts, or their reasons."""
        if rule.reason is not None:
            return "the reasons of the drafts, by code or words"
        return "the drafts of the call, by a code that is valid on the date of service, or by their words"

    def absence(self, rule: FactRule) -> str:
        """No if there are orders, otherwise unknown; always unknown for reasons."""
        if rule.reason is not None:
            return "unknown"
        return "no; unknown where no order is at hand"


KIND = OrderKind()
