"""``count``: a number of events of a fact that each pass a test, later than the newest of another fact."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from math import inf
from typing import Any

from cds_service.facts.clauses import Clause
from cds_service.facts.comparing import compare, limit_of, limits_in_words
from cds_service.facts.evaluated import ALONE, Evaluated, Facts, Judged, Tally
from cds_service.facts.evidence import WITHOUT_DATE, Event, titled
from cds_service.facts.kind import ANY_TRUTH, Rules
from cds_service.facts.logic import Truth
from cds_service.facts.word import (
    LIMIT_SCHEMAS,
    Excuse,
    TestWord,
    Why,
    clause,
    evaluate,
    inner_sentence,
    leaves,
    list_clause,
    why_it_fails,
    word_of,
)
from cds_service.fhir.dates import Days
from cds_service.fhir.sentence_case import capital
from cds_service.policy.loading.tests import LIMITS, TestReader
from cds_service.policy.model import Test
from cds_service.policy.places import Steps

# How many events that do not count are listed individually.
MOST_SAID = 3


class Count(TestWord):
    """The number of days with an event that passes, compared with a limit."""

    name = key = "count"
    schema = {
        "count": {"$ref": "#/$defs/slug"},
        "where": {"$ref": "#/$defs/test"},
        "after": {"$ref": "#/$defs/slug"},
        **LIMIT_SCHEMAS,
    }
    has_company = True
    is_leaf = True
    asks_of_events = True
    exceptions = (Excuse("after", None, "no case has one of '{count}' before the newest '{after}': add one"),)

    def load(self, entry: Mapping[str, Any], place: Steps, reader: TestReader) -> Test:
        """The test of ``{"count": …, "where": …, "after": …, "at_least": …}``."""
        reader.only(entry, {"count"}, {"where", "after", *LIMITS}, place)
        events = sorted(name for name, rule in reader.facts.items() if rule.kind.compared_by == "count")
        known = reader.named_fact(entry["count"], events, "fact of kind 'events'", (*place, "count"))
        if "after" in entry:
            dated = sorted(name for name, rule in reader.facts.items() if rule.kind.has_dates)
            reader.named_fact(entry["after"], dated, "fact of kind 'record' or 'events'", (*place, "after"))
        inner: tuple[Test, ...] = ()
        if "where" in entry:
            attributes = reader.facts[entry["count"]].attributes if known else {}
            inner = (reader.within(attributes).test(entry["where"], (*place, "where")),)
        test = Test(self, inner, entry["count"], after=entry.get("after", ""), place=place)
        return reader.limited(test, entry, place)

    def facts(self, test: Test) -> Iterator[str]:
        """The events, and the fact that they must come after; the attributes of events are not facts."""
        yield test.fact
        if test.after:
            yield test.after

    def evaluate(self, test: Test, facts: Facts) -> Evaluated:
        """Whether the number of days with an event that passes is within the limits."""
        counted, after = facts[test.fact], facts[test.after] if test.after else None
        found = tally(test, facts)
        number = found.number
        if counted.open:
            # Unread records may add events, or make an event fail.
            number = (0 if test.inner else number[0], inf)
        truth = compare(test, number)
        is_open = counted.open or (after is not None and after.open)
        possible = ANY_TRUTH if is_open and truth is Truth.UNKNOWN else ALONE[truth]
        return Evaluated(test, possible, (), counted, after, found)

    def why_it_fails(self, found: Evaluated) -> Why:
        """How many events count, and why others do not."""
        said = _counted(found)
        return Why(said, said)

    def why_it_is_open(self, found: Evaluated) -> str:
        """The same as ``why_it_fails`` if there are any events; otherwise ""."""
        return _counted(found) if found.fact is not None and found.fact.events else ""

    def clause(self, test: Test, rules: Rules) -> Clause:
        """The required number of events, and the test that each must pass."""
        counted = capital(_asked_for(test, rules))
        if not test.inner:
            return Clause(counted)
        inner, several = list_clause(test.inner[0])
        each = {"all": ", each with all of these:", "any": ", each with at least one of these:"}.get(
            several, ", each with:"
        )
        return Clause(counted + each, tuple(clause(asked, rules[test.fact].attributes) for asked in inner))

    def sentence(self, test: Test, rules: Rules) -> str:
        """The clause on one line."""
        each = [f", each with {inner_sentence(asked, rules[test.fact].attributes)}" for asked in test.inner]
        return _asked_for(test, rules) + "".join(each)

    def at_limit(self, test: Test, value: int | float, rules: Rules, today: date) -> str:
        """A case with exactly ``value`` events."""
        return f"with {value} of '{test.fact}'"


def tally(test: Test, facts: Facts) -> Tally:
    """Counts the events of a fact that pass a test.

    More may have happened than is on record, so the number has no upper limit; but if an event on record is certain and
    fails, the record counts as complete.
    """
    start, latest_start = (facts[test.after].newest_days() if test.after else None) or (None, None)
    passing: list[Judged] = []
    doubtful: list[Judged] = []
    failing: list[Judged] = []
    before: list[Judged] = []
    unplaced: list[Judged] = []
    for event in facts[test.fact].events:
        if start is not None and event.when.last <= start:
            before.append(Judged(event, None))
            continue
        asked = evaluate(test.inner[0], event.attributes) if test.inner else None
        truth = asked.truth if asked is not None else Truth.MET
        certain = event.certain and (latest_start is None or event.when.first > latest_start)
        if truth is Truth.MET and certain:
            passing.append(Judged(event, asked))
        elif truth is not Truth.NOT_MET:
            doubtful.append(Judged(event, asked))
        else:
            (failing if certain else unplaced).append(Judged(event, asked))
    most = len(passing) + len(doubtful) if failing else inf
    number = (_distinct_days(judged.event.when for judged in passing), most)
    return Tally(number, *map(tuple, (passing, doubtful, failing, before, unplaced)))


def _distinct_days(dates: Iterable[Days]) -> int:
    """The least number of different days: dates that may be the same day count once."""
    count, last = 0, None
    for when in sorted(dates, key=lambda when: when.last):
        if last is None or when.first > last:
            count, last = count + 1, when.last
    return count


def _asked_for(test: Test, rules: Rules) -> str:
    rule = rules[test.fact]
    after = f", after the newest “{rules[test.after].title}”" if test.after else ""
    one, many = rule.noun or (rule.title, rule.title)
    number = limits_in_words(test)
    return f"{number} {one if number == 'at least 1' else f'{many} on different days'}{after}"


def _counted(found: Evaluated) -> str:
    """How many events count, and why others do not."""
    assert found.fact is not None
    assert found.tally is not None
    tally, limit = found.tally, limit_of(found.test)
    one, many = found.fact.rule.noun or ("event", "events")
    said = [f"{tally.number[0]:g} of {limit} {one if limit == '1' else many}"]
    after = titled(found.after.rule) if found.after is not None else ""
    others = [
        *((judged.event, f": {_why_doubtful(judged, after)}") for judged in tally.doubtful),
        *((judged.event, f": {_why_failing(judged)}") for judged in tally.failing),
        *((judged.event, f" is not after {after}") for judged in tally.before),
        *((judged.event, f": {_why_failing(judged)}, {_why_unplaced(judged, after)}") for judged in tally.unplaced),
    ]
    said += [f"{event.when.text}{why}" for event, why in others[:MOST_SAID]]
    more = len(others) - MOST_SAID
    return "; ".join(said + [f"{more} more {one if more == 1 else many} that do not count"] * (more > 0))


def _why_uncertain(event: Event) -> str:
    return "not recorded when" if event.when.text == WITHOUT_DATE else "not recorded where"


def _why_doubtful(judged: Judged, after: str) -> str:
    missing = [] if judged.event.certain else [_why_uncertain(judged.event)]
    for leaf in leaves(judged.asked) if judged.asked is not None else ():
        missing += word_of(leaf.test).what_is_open(leaf)
    if not missing and after:
        missing.append(f"may not be after {after}")
    return ", ".join(dict.fromkeys(missing)) or "not certain"


def _why_unplaced(judged: Judged, after: str) -> str:
    return f"may not be after {after}" if judged.event.certain else _why_uncertain(judged.event)


def _why_failing(judged: Judged) -> str:
    assert judged.asked is not None
    return why_it_fails(judged.asked).reason


WORD = Count()
