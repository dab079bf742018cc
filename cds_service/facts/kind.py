"""The interface of every kind of fact beyond loading: reading, comparing, explaining, and describing it in English."""

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
# The age limit of a fact whose rule sets none.
NO_LIMIT = "no limit"
ANY_TRUTH = frozenset((Truth.MET, Truth.NOT_MET, Truth.UNKNOWN))


class FactKind(LoadedKind):
    """A kind of fact, with everything that it does.

    ``is_doubted_by_records``: its attested answer settles nothing if a record contradicts it. ``is_of_the_call``: it
    comes from the call, and has no age. ``answer_type`` is the type of the Questionnaire item whose answer it reads
    (FHIR R4, Questionnaire.item.type); "" if it reads none.
    """

    is_doubted_by_records: ClassVar[bool] = False
    is_of_the_call: ClassVar[bool] = False
    # Whether the fact is the same for all patients that have none of its records and answers.
    is_silent_without_records: ClassVar[bool] = False
    # Whether the fact consists of scores and other assessed numbers.
    is_of_scores: ClassVar[bool] = False
    answer_type: ClassVar[str] = ""

    @abstractmethod
    def read(self, rule: FactRule, context: Context) -> Fact:
        """The fact: its possible values, their evidence, and why other records or answers do not count."""

    def reader(self, rule: FactRule) -> AnswerReader:
        """The reader of an answer about one of several events."""
        raise TypeError(f"'{self.name}' is not asked of events")

    def of_event(self, rule: FactRule, known: Mapping[str, Fact], readings: list[Reading], notes: list[str]) -> Fact:
        """The fact of one event, from its readings and from the facts already ``known`` about the event."""
        return from_newest(rule, readings, notes)

    def said_of_event(self, fact: Fact) -> str:
        """What is worth saying about an event; "" if it is obvious."""
        return ""

    def truths_if_open(self, test: Test, fact: Fact, truth: Truth) -> frozenset[Truth]:
        """All possible results of a comparison that gives ``truth``, if more may be on record."""
        return ANY_TRUTH

    def shown(self, fact: Fact) -> str:
        """The text of the evidence."""
        return ", ".join(dict.fromkeys(item.value for item in fact.evidence if item.value)) or fact.rule.title

    def compared(self, test: Test, rule: FactRule) -> str:
        """The requirement of a comparison, in words."""
        raise TypeError(f"'{self.name}' is not compared")

    def why_it_fails(self, test: Test, fact: Fact) -> tuple[str, str]:
        """Why a comparison fails, in full and without what the evidence already shows."""
        raise TypeError(f"'{self.name}' is not compared")

    def recorded_answer(self, fact: Fact) -> OnRecord | None:
        """The chart's own answer to the fact's item; None if the chart has none or several, or if more may be on record
        than was read."""
        return None

    @abstractmethod
    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The source of the fact; ``facts`` are the facts that it may refer to."""

    def age_limit(self, rule: FactRule) -> str:
        """The maximum age of the records and answers that the fact reads."""
        if self.is_of_the_call:
            return "of this call"
        record = NO_LIMIT if rule.look_back_days is None else f"{rule.look_back_days} days"
        if rule.answer_look_back_days == rule.look_back_days:
            return record
        return f"record: {record}; answer: {rule.answer_look_back_days} days"

    def units(self, rule: FactRule) -> str:
        """The units of the fact; "" if it has none."""
        return ""

    def absence(self, rule: FactRule) -> str:
        """The meaning of silence."""
        return "unknown" if rule.when_absent == "unknown" else f"no, because {rule.absent_because}"

    def dated(self, in_months: bool, value: int | float, today: date) -> str:
        """The date that gives the fact ``value`` today, for an author's case; "" if none does."""
        return ""


def kind_of(rule: FactRule) -> FactKind:
    """The kind of a fact, with everything that it does."""
    return cast(FactKind, rule.kind)


class YesOrNoKind(FactKind):
    """A kind whose facts are compared by ``is``; ``on_record`` is the word for yes."""

    compared_by = "is"
    on_record: ClassVar[str] = "on record"

    def why_it_fails(self, test: Test, fact: Fact) -> tuple[str, str]:
        """States that the fact is on record, or that it is not."""
        return self.why_not(titled(fact.rule), test, fact)

    def why_not(self, title: str, test: Test, fact: Fact) -> tuple[str, str]:
        """``why_it_fails`` with the title in the form for the middle of a sentence."""
        said = f"{title}: not {self.on_record}" if test.wanted else f"{title} {self.on_record}"
        return said, said


class NumberKind(FactKind):
    """A kind whose facts are compared with limits."""

    compared_by = "limits"

    def why_it_fails(self, test: Test, fact: Fact) -> tuple[str, str]:
        """The values and the limit that they miss."""
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
        """The values and the limit that they miss; ``most`` is the greatest value."""
        return f"{self.shown(fact)}: {limit}", limit


def references_of(fact: Fact) -> tuple[str, ...]:
    """The records that support a fact; none if an answer is among its evidence, or if records are unread."""
    if fact.open or any(item.is_attested for item in fact.evidence):
        return ()
    return tuple(dict.fromkeys(item.reference for item in fact.evidence))


class ElapsedKind(NumberKind):
    """A kind whose facts are elapsed time."""

    def missed(self, fact: Fact, most: float, limit: str, *, above: bool) -> tuple[str, str]:
        """The time, rounded away from the limit: it must not seem to reach the limit that it misses."""
        number = f"{(ceil if above else floor)(most * 10) / 10:g}"
        elapsed = f"{number} {'months' if fact.rule.in_months else 'days'}"
        return f"{elapsed}: {limit}", f"{elapsed}, {limit}"

    def compared(self, test: Test, rule: FactRule) -> str:
        """The limits in days or months."""
        return f"{limits_in_words(test)} {'months' if rule.in_months else 'days'}{'' if rule.until else ' ago'}"

    def units(self, rule: FactRule) -> str:
        """Months with their fraction; "" for days."""
        return "calendar months, with the share of the month begun" if rule.in_months else ""

    def dated(self, in_months: bool, value: int | float, today: date) -> str:
        """The day that many days ago."""
        if in_months or not isinstance(value, int):
            return ""
        return f" (since {date.fromordinal(today.toordinal() - value)})"
