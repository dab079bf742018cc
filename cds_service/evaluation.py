"""Tests over facts, in three-valued logic: what a test comes to, and whether only a waiver or a condition meets it."""

from collections.abc import Iterable, Mapping
from math import inf
from typing import NamedTuple

from cds_service import logic
from cds_service.dates import Days
from cds_service.elements import Interval
from cds_service.evidence import Event, Fact, Value
from cds_service.logic import Truth
from cds_service.policy import Test

WAIVED, DOES_NOT_APPLY = "waived", "does not apply"


def evaluate(test: Test, facts: Mapping[str, Fact]) -> Truth:
    """The truth of a test over facts; a fact with several possible values is settled only where all of them agree."""
    match test.word:
        case "fact":
            return logic.agreement_of_all([compare(test, value) for value in facts[test.fact].values])
        case "all":
            return logic.every(evaluate(part, facts) for part in test.parts)
        case "any":
            return logic.some(evaluate(part, facts) for part in test.parts)
        case "agree":
            return logic.agreement(evaluate(part, facts) for part in test.parts)
        case "first":
            return logic.first_settled(evaluate(part, facts) for part in test.parts)
        case "not":
            return logic.negation(evaluate(test.parts[0], facts))
        case "of":
            return compare(test, how_many([evaluate(part, facts) for part in test.parts]))
        case "count":
            return compare(test, tally(test, facts).number)
        case "if":
            condition, asked = (evaluate(part, facts) for part in test.parts)
            return logic.some((logic.negation(condition), asked))
        case "waived":
            held, waiver = (evaluate(part, facts) for part in test.parts)
            return Truth.MET if waiver is Truth.MET else held
        case _:
            held, doubt = (evaluate(part, facts) for part in test.parts)
            return Truth.UNKNOWN if held is Truth.NOT_MET and doubt is Truth.MET else held


def compare(test: Test, value: Value) -> Truth:
    """One comparison with one possible value: a boolean with ``is``, an interval with limits."""
    if isinstance(value, bool):
        return Truth.UNKNOWN if test.wanted is None else logic.from_bool(value is test.wanted)
    if test.wanted is not None:
        return Truth.UNKNOWN
    low, high = value
    if below(test, high) or above(test, low):
        return Truth.NOT_MET
    return Truth.UNKNOWN if below(test, low) or above(test, high) else Truth.MET


def below(test: Test, number: float) -> bool:
    """Whether a number misses a lower limit."""
    return (test.at_least is not None and number < test.at_least) or (
        test.more_than is not None and number <= test.more_than
    )


def above(test: Test, number: float) -> bool:
    """Whether a number misses an upper limit."""
    return (test.at_most is not None and number > test.at_most) or (
        test.less_than is not None and number >= test.less_than
    )


def how_many(truths: Iterable[Truth]) -> Interval:
    """How many are met: for certain, and at most."""
    truths = list(truths)
    met = truths.count(Truth.MET)
    return (met, met + truths.count(Truth.UNKNOWN))


class Tally(NamedTuple):
    """Events held against a test: the ``number`` of days that pass, at least and at most; the events that pass, that
    stand open, that fail, and that came too early."""

    number: Interval
    passing: tuple[Event, ...]
    doubtful: tuple[Event, ...]
    failing: tuple[Event, ...]
    before: tuple[Event, ...]


def tally(test: Test, facts: Mapping[str, Fact]) -> Tally:
    """Counts the events of a fact that pass a test.

    More may have happened than is on record, so that the number has no upper end; but where an event on record fails
    in full, the record is taken for all there is.
    """
    start, latest_start = (facts[test.after].newest_days() if test.after else None) or (None, None)
    passing: list[Event] = []
    doubtful: list[Event] = []
    failing: list[Event] = []
    before: list[Event] = []
    for event in facts[test.fact].events:
        if start is not None and event.when.last <= start:
            before.append(event)
            continue
        truth = evaluate(test.parts[0], event.attributes) if test.parts else Truth.MET
        certain = event.certain and (latest_start is None or event.when.first > latest_start)
        if truth is Truth.MET and certain:
            passing.append(event)
        elif truth is not Truth.NOT_MET:
            doubtful.append(event)
        elif certain:
            failing.append(event)
    most = len(passing) + len(doubtful) if failing else inf
    number = (_distinct_days(event.when for event in passing), most)
    return Tally(number, tuple(passing), tuple(doubtful), tuple(failing), tuple(before))


def _distinct_days(dates: Iterable[Days]) -> int:
    """How many different days there are at least: dates that may be the same day count once."""
    count, last = 0, None
    for when in sorted(dates, key=lambda when: when.last):
        if last is None or when.first > last:
            count, last = count + 1, when.last
    return count


def manner(test: Test, facts: Mapping[str, Fact]) -> str:
    """How a test that is met is met: "" by what it asks, else ``WAIVED`` or, where its condition fails,
    ``DOES_NOT_APPLY``."""
    match test.word:
        case "if":
            condition, asked = test.parts
            return DOES_NOT_APPLY if evaluate(condition, facts) is Truth.NOT_MET else manner(asked, facts)
        case "waived":
            held, _ = test.parts
            return manner(held, facts) if evaluate(held, facts) is Truth.MET else WAIVED
        case "all":
            manners = [manner(part, facts) for part in test.parts]
            if WAIVED in manners:
                return WAIVED
            return DOES_NOT_APPLY if manners and set(manners) == {DOES_NOT_APPLY} else ""
        case "any" | "agree":
            # One part is enough, so that a part that is met by what it asks needs no waiver beside it.
            manners = [manner(part, facts) for part in test.parts if evaluate(part, facts) is Truth.MET]
            return "" if "" in manners else next((how for how in (WAIVED, DOES_NOT_APPLY) if how in manners), "")
        case "first":
            decides = (part for part in test.parts if evaluate(part, facts) is not Truth.UNKNOWN)
            return next((manner(part, facts) for part in decides), "")
        case "voided":
            return manner(test.parts[0], facts)
        case _:
            return ""
