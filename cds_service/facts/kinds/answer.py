"""``answer``: an attested yes or no."""

from cds_service.facts.attested import attested
from cds_service.facts.attested_values import AnswerReader, attested_yes_or_no, from_newest
from cds_service.facts.context import Context
from cds_service.facts.evidence import Fact
from cds_service.facts.kind import Rules, YesOrNoKind
from cds_service.facts.origins import answers
from cds_service.fhir.sentence_case import inside_sentence
from cds_service.policy.model import FactRule, Test


class AnswerKind(YesOrNoKind):
    """The newest answer; two answers of one day must agree."""

    name = "answer"
    answer_type = "boolean"
    needs = {"required": ["item", "look_back_days"]}
    of_events = ("item",)
    is_doubted_by_records = True
    is_silent_without_records = True

    def read(self, rule: FactRule, context: Context) -> Fact:
        """The values of the newest answers."""
        readings, notes = attested(rule, context.answers, context.today, attested_yes_or_no)
        fact = from_newest(rule, readings, notes)
        return fact._replace(open=fact.open or context.answers_open(rule))

    def reader(self, rule: FactRule) -> AnswerReader:
        """The reader of a yes or no."""
        return attested_yes_or_no

    def said_of_event(self, fact: Fact) -> str:
        """A no; a yes is obvious."""
        return f"{inside_sentence(fact.rule.title)}: no" if set(fact.values) == {False} else ""

    def compared(self, test: Test, rule: FactRule) -> str:
        """The answer or code that is required."""
        coded = " or said by its code" if rule.codes else ""
        return f"attested yes{coded}" if test.wanted else "attested no"

    def why_not(self, title: str, test: Test, fact: Fact) -> tuple[str, str]:
        """The answer that was given."""
        return f"{title}: {self.shown(fact)}", ""

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The newest answer."""
        return f"the newest {answers(rule)}"


KIND = AnswerKind()
