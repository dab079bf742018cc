"""What every kind of fact does, beside being loaded: it is read, compared, explained, and said in English."""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import date
from math import ceil, floor
from typing import ClassVar, cast

from cds_service.facts.attested_values import AnswerReader, from_newest
from cds_service.facts.comparing import above, limits_in_words
from cds_service.facts.context import Context
from cds_service.facts.evidence import Fact, OnRecord, Reading, titled
from cds_service.facts.logic import Truth
from cds_service.policy.loading.facts import LoadedKind
from cds_service.policy.model import FactRule, Test

Rules = Mapping[str, FactRule]
# How old what is read may be, where the rule sets no limit.
NO_LIMIT = "no limit"
ANY_TRUTH = frozenset((Truth.MET, Truth.NOT_MET, Truth.UNKNOWN))


class FactKind(LoadedKind):
    """A kind of fact, whole.

    ``is_doubted_by_records``: its attested answer settles nothing where a record contradicts it. ``is_of_the_call``:
    it is read from the call, and has no age. ``answer_type`` is the type of the Questionnaire item whose answer it
    reads (FHIR R4, Questionnaire.item.type); "" where it reads none.
    """

    is_doubted_by_records: ClassVar[bool] = False
    is_of_the_call: ClassVar[bool] = False
    # Whether it says the same of everybody of whom nothing that it reads is on record.
    is_silent_without_records: ClassVar[bool] = False
    # Whether it is made of scores and other numbers that somebody assessed.
    is_of_scores: ClassVar[bool] = False
    answer_type: ClassVar[str] = ""

    @abstractmethod
    def read(self, rule: FactRule, context: Context) -> Fact:
        """The fact: what it may be, by which evidence, and why other things do not count."""

    def reader(self, rule: FactRule) -> AnswerReader:
        """How an answer is read that is asked of one of several events."""
        raise TypeError(f"'{self.name}' is not asked of events")

    def of_event(self, rule: FactRule, known: Mapping[str, Fact], readings: list[Reading], notes: list[str]) -> Fact:
        """The fact of one event, from its readings and from what is ``known`` of it already."""
        return from_newest(rule, readings, notes)

    def said_of_event(self, fact: Fact) -> str:
        """What is worth saying of an event; "" for what goes without."""
        return ""

    def truths_if_open(self, test: Test, fact: Fact, truth: Truth) -> frozenset[Truth]:
        """All that a comparison may come to where more may be on record, and what was read is ``truth``."""
        return ANY_TRUTH

    def shown(self, fact: Fact) -> str:
        """What the evidence says."""
        return ", ".join(dict.fromkeys(item.value for item in fact.evidence if item.value)) or fact.rule.title

    def compared(self, test: Test, rule: FactRule) -> str:
        """What a comparison asks of the fact."""
        raise TypeError(f"'{self.name}' is not compared")

    def why_it_fails(self, test: Test, fact: Fact) -> tuple[str, str]:
        """Why a comparison fails, whole and without what the evidence already shows."""
        raise TypeError(f"'{self.name}' is not compared")

    def recorded_answer(self, fact: Fact) -> OnRecord | None:
        """What the chart alone says in answer to the fact's item; None where it says nothing, more than one thing, or
        where more may be on record than was read."""
        return None

    @abstractmethod
    def origin(self, rule: FactRule, facts: Rules) -> str:
        """Where it is read from; ``facts`` are those that it may name."""

    def age_limit(self, rule: FactRule) -> str:
        """How old what is read may be."""
        if self.is_of_the_call:
            return "of this call"
        record = NO_LIMIT if rule.look_back_days is None else f"{rule.look_back_days} days"
        if rule.answer_look_back_days == rule.look_back_days:
            return record
        return f"record: {record}; answer: {rule.answer_look_back_days} days"

    def units(self, rule: FactRule) -> str:
        """In which units; "" where it has none."""
        return ""

    def absence(self, rule: FactRule) -> str:
        """What silence means."""
        return "unknown" if rule.when_absent == "unknown" else f"no, because {rule.absent_because}"

    def dated(self, in_months: bool, value: int | float, today: date) -> str:
        """The date that makes the fact ``value`` today, for an author's case; "" where none does."""
        return ""


def kind_of(rule: FactRule) -> FactKind:
    """The kind of a fact, with all that it does."""
    return cast(FactKind, rule.kind)


class YesOrNoKind(FactKind):
    """A kind whose facts are compared by ``is``; ``on_record`` is the word for its yes."""

    compared_by = "is"
    on_record: ClassVar[str] = "on record"

    def why_it_fails(self, test: Test, fact: Fact) -> tuple[str, str]:
        """That it is on record, or that it is not."""
        return self.why_not(titled(fact.rule), test, fact)

    def why_not(self, title: str, test: Test, fact: Fact) -> tuple[str, str]:
        """The same, with the title as it is inside a sentence."""
        said = f"{title}: not {self.on_record}" if test.wanted else f"{title} {self.on_record}"
        return said, said


class NumberKind(FactKind):
    """A kind whose facts are compared with limits."""

    compared_by = "limits"

    def why_it_fails(self, test: Test, fact: Fact) -> tuple[str, str]:
        """The values, and the limit that they miss."""
        values = [value for value in fact.values if isinstance(value, tuple)]
        sides = {"above" if above(test, value[0]) else "below" for value in values}
        least = next((limit for limit in (test.at_least, test.more_than) if limit is not None), None)
        most = next((limit for limit in (test.at_most, test.less_than) if limit is not None), None)
        if len(sides) == 2:
            limit = f"outside {least:g} to {most:g}"
        elif "above" in sides:
            limit = f"{'above' if test.at_most is not None else 'not below'} {most:g}"
        else:
            limit = f"{'below' if test.at_least is not None else 'not above'} {least:g}"
        return self.missed(fact, max((value[0] for value in values), default=0), limit, above="above" in sides)

    def missed(self, fact: Fact, most: float, limit: str, *, above: bool) -> tuple[str, str]:
        """The limit behind the values, of which ``most`` is the greatest."""
        return f"{self.shown(fact)}: {limit}", limit


def references_of(fact: Fact) -> tuple[str, ...]:
    """The records that a fact rests on; none where somebody's answer is among its evidence, or more was not read."""
    if fact.open or any(item.is_attested for item in fact.evidence):
        return ()
    return tuple(dict.fromkeys(item.reference for item in fact.evidence))


class ElapsedKind(NumberKind):
    """A kind whose facts are time that has passed."""

    def missed(self, fact: Fact, most: float, limit: str, *, above: bool) -> tuple[str, str]:
        """The time, rounded away from the limit: it must not seem to reach what it misses."""
        number = f"{(ceil if above else floor)(most * 10) / 10:g}"
        elapsed = f"{number} {'months' if fact.rule.in_months else 'days'}"
        return f"{elapsed}: {limit}", f"{elapsed}, {limit}"

    def compared(self, test: Test, rule: FactRule) -> str:
        """In days or months."""
        return f"{limits_in_words(test)} {'months' if rule.in_months else 'days'}{'' if rule.until else ' ago'}"

    def units(self, rule: FactRule) -> str:
        """Months, or days without a word."""
        return "calendar months, with the share of the month begun" if rule.in_months else ""

    def dated(self, in_months: bool, value: int | float, today: date) -> str:
        """The day so many days ago."""
        if in_months or not isinstance(value, int):
            return ""
        return f" (since {date.fromordinal(today.toordinal() - value)})"
