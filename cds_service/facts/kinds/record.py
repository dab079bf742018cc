"""``record``: whether something is on record."""

from cds_service.facts.comparing import compare
from cds_service.facts.context import Context
from cds_service.facts.evidence import Fact
from cds_service.facts.kind import Rules, YesOrNoKind
from cds_service.facts.logic import Truth
from cds_service.facts.origins import but_not, records
from cds_service.facts.recorded import recorded
from cds_service.policy.model import FactRule, Test


class RecordKind(YesOrNoKind):
    """A record that counts is a yes; silence is a no only if the rule set gives the reason."""

    name = "record"
    needs = {"required": ["codes", "resources", "state"]}
    may_be_absent = True
    has_dates = True
    is_silent_without_records = True

    def read(self, rule: FactRule, context: Context) -> Fact:
        """Whether any record counts."""
        found, may, notes, spoiled, refused = recorded(rule, context)
        shown = tuple(evidence for _, evidence in (*found, *may))
        if found:
            return Fact(rule, (True,), shown, tuple(notes), not_counted=refused)
        if may:
            return Fact(rule, (), shown, tuple(notes), open=True, not_counted=refused, only_by_words=not spoiled)
        # Silence is a no only if no possible record was left unread.
        if rule.when_absent == "no" and not notes and not spoiled:
            return Fact(rule, (False,))
        return Fact(rule, (), (), tuple(notes), open=spoiled, not_counted=refused)

    def truths_if_open(self, test: Test, fact: Fact, truth: Truth) -> frozenset[Truth]:
        """More records can only add a yes if none was found, or remove a no."""
        absent = {compare(test, False)} if fact.rule.when_absent == "no" else set()
        return frozenset((truth, compare(test, True), *absent))

    def compared(self, test: Test, rule: FactRule) -> str:
        """Whether it must be on record."""
        if test.wanted:
            return "on record"
        return "none on record" if rule.when_absent == "no" else "contradicts it if on record"

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The records, with their site and reason."""
        where = " whose body site or words lie in the site listed" if rule.site else ""
        why = " for a reason that is listed" if rule.reason else ""
        return f"any {records(rule)}{where}{why}{but_not(rule)}"


KIND = RecordKind()
