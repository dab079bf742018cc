"""Tests over facts, in three-valued logic: what a test comes to, and whether only a waiver or a condition meets it."""

from collections.abc import Iterable, Mapping
from itertools import product
from math import inf
from typing import NamedTuple

from cds_service.facts import logic
from cds_service.facts.evidence import Event, Fact, Value
from cds_service.facts.logic import Truth
from cds_service.fhir.dates import Days
from cds_service.fhir.elements import Interval
from cds_service.policy.model import Test

WAIVED, DOES_NOT_APPLY = "waived", "does not apply"


def evaluate(test: Test, facts: Mapping[str, Fact]) -> Truth:
    """The truth of a test over facts: settled only where all that the facts may be gives that same truth."""
    possible = truths(test, facts)
    return next(iter(possible)) if len(possible) == 1 else Truth.UNKNOWN


def as_if_whole(test: Test, facts: Mapping[str, Fact]) -> Mapping[str, Fact]:
    """The facts as if what was read for the test were all there is."""
    return {**facts, **{name: facts[name]._replace(open=False) for name in test.facts()}}


def truths(test: Test, facts: Mapping[str, Fact]) -> frozenset[Truth]:
    """All that a test may come to.

    Unknown stands for silence: where a fact is open, a source that was not read may say more than silence, so that
    another source behind it (``first``, ``agree``) settles nothing unless it does so whatever that source would say.
    """
    match test.word:
        case "fact":
            return _truths_of_fact(test, facts[test.fact])
        case "count":
            return _truths_of_count(test, facts)
        case "all" | "any" | "agree" | "of":
            return frozenset(_together(test, counted) for counted in _counts([truths(p, facts) for p in test.parts]))
        case "first":
            possible = frozenset((Truth.UNKNOWN,))
            for part in test.parts:
                behind = truths(part, facts)
                possible = frozenset(logic.first_settled(pair) for pair in product(possible, behind))
            return possible
        case "not":
            return frozenset(map(logic.negation, truths(test.parts[0], facts)))
        case _:
            pairs = product(*(truths(part, facts) for part in test.parts))
            return frozenset(_of_pair(test.word, *pair) for pair in pairs)


def _truths_of_fact(test: Test, fact: Fact) -> frozenset[Truth]:
    """What a comparison may come to; more records can only add a yes where none was found, or take a no away."""
    truth = logic.agreement_of_all([compare(test, value) for value in fact.values])
    if not fact.open:
        return _ALONE[truth]
    if fact.rule.kind != "record":
        return _ANY
    absent = {compare(test, False)} if fact.rule.when_absent == "no" else set()
    return frozenset((truth, compare(test, True), *absent))


def _truths_of_count(test: Test, facts: Mapping[str, Fact]) -> frozenset[Truth]:
    number, found = tally(test, facts).number, facts[test.fact]
    if found.open:
        # What was not read may add events, and may say of an event what makes it pass no longer.
        number = (0 if test.parts else number[0], inf)
    truth = compare(test, number)
    is_open = found.open or (bool(test.after) and facts[test.after].open)
    return _ANY if is_open and truth is Truth.UNKNOWN else _ALONE[truth]


_ALONE = {truth: frozenset((truth,)) for truth in Truth}
_ANY = frozenset((Truth.MET, Truth.NOT_MET, Truth.UNKNOWN))
_Counted = tuple[int, int, int]


def _counts(parts: Iterable[frozenset[Truth]]) -> set[_Counted]:
    """How many parts may be met, not met and unknown: each possible count once, so that many parts stay cheap."""
    counts = {(0, 0, 0)}
    for possible in parts:
        counts = {
            (
                met + (truth is Truth.MET),
                not_met + (truth is Truth.NOT_MET),
                unknown + (truth is Truth.UNKNOWN),
            )
            for met, not_met, unknown in counts
            for truth in possible
        }
    return counts


def _together(test: Test, counted: _Counted) -> Truth:
    members = [truth for truth, times in zip(_COUNTED, counted, strict=True) for _ in range(times)]
    match test.word:
        case "all":
            return logic.every(members)
        case "any":
            return logic.some(members)
        case "agree":
            return logic.agreement(members)
        case _:
            return compare(test, how_many(members))


_COUNTED = (Truth.MET, Truth.NOT_MET, Truth.UNKNOWN)


def _of_pair(word: str, first: Truth, second: Truth) -> Truth:
    """A condition and what it asks, a test and its waiver, a test and what makes its failing no answer."""
    if word == "if":
        return logic.some((logic.negation(first), second))
    if word == "waived":
        return Truth.MET if second is Truth.MET else first
    return Truth.UNKNOWN if first is Truth.NOT_MET and second is Truth.MET else first


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
