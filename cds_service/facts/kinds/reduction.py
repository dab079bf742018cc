"""``reduction``: how many percent a number fell, from two facts and from attested answers."""

from collections.abc import Mapping

from cds_service.facts.attested import attested
from cds_service.facts.attested_values import AnswerReader, attested_percentage, reduction
from cds_service.facts.comparing import in_unit, limits_in_words
from cds_service.facts.context import Context
from cds_service.facts.evidence import ANYTHING, Fact, Reading
from cds_service.facts.kind import NumberKind, Rules
from cds_service.facts.origins import answers
from cds_service.fhir.sentence_case import inside_sentence
from cds_service.policy.model import FactRule, Test


class ReductionKind(NumberKind):
    """The computed and the stated reduction, never rounded; both must agree."""

    name = "reduction"
    answer_type = "decimal"
    needs = {"required": ["from", "to"]}
    of_events = ("from", "to")
    is_of_scores = True
    default_range = (-1e9, 100.0)

    def read(self, rule: FactRule, context: Context) -> Fact:
        """The reduction between the two facts, and the stated one."""
        readings, notes = (
            attested(rule, context.answers, context.today, lambda answer: attested_percentage(rule, answer))
            if rule.item
            else ([], [])
        )
        is_open = context.answers_open(rule) or context.known[rule.start].open or context.known[rule.end].open
        return reduction(rule, context.known, readings, notes)._replace(open=is_open)

    def reader(self, rule: FactRule) -> AnswerReader:
        """The reader of a percentage."""
        return lambda answer: attested_percentage(rule, answer)

    def of_event(self, rule: FactRule, known: Mapping[str, Fact], readings: list[Reading], notes: list[str]) -> Fact:
        """The reduction from other attributes of the event."""
        return reduction(rule, known, readings, notes)

    def said_of_event(self, fact: Fact) -> str:
        """The percentages, not rounded."""
        numbers = dict.fromkeys(value for value in fact.values if not isinstance(value, bool) and value != ANYTHING)
        spans = [f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in numbers]
        return f"{inside_sentence(fact.rule.title)} {' or '.join(spans)} %" if spans else ""

    def shown(self, fact: Fact) -> str:
        """Each possible percentage."""
        numbers = [value for value in fact.values if isinstance(value, tuple) and value != ANYTHING]
        said = dict.fromkeys(f"{low:g} %" if low == high else f"{low:g} to {high:g} %" for low, high in numbers)
        return ", ".join(said) or fact.rule.title

    def compared(self, test: Test, rule: FactRule) -> str:
        """The limits in percent."""
        return in_unit(limits_in_words(test), "%")

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The two facts and the answer."""
        stated = f", or the percentage stated in {answers(rule)}; both must agree" if rule.item else ""
        return f"computed from “{facts[rule.start].title}” and “{facts[rule.end].title}”, never rounded{stated}"

    def age_limit(self, rule: FactRule) -> str:
        """The limits of the two numbers, if there is no item."""
        return super().age_limit(rule) if rule.item else "as its two numbers"

    def units(self, rule: FactRule) -> str:
        """Percent."""
        return "percent"


KIND = ReductionKind()
