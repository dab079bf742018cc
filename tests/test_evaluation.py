"""What must hold for every test over facts, tried on tests and facts that a machine makes up (hypothesis)."""

import time
from datetime import date, timedelta
from itertools import product
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import UnreadableError
from cds_service.facts.attested_values import attested_percentage, reduction
from cds_service.facts.comparing import how_many
from cds_service.facts.evidence import ANYTHING, Event, Evidence, Fact
from cds_service.facts.logic import Truth
from cds_service.facts.words.count import tally
from cds_service.fhir.dates import Days, months_between
from cds_service.policy.model import Test as Node
from tests.words import manner, node, rule_of, truth

NAMES = ("a", "b", "c")
RULE = rule_of("f", "answer", "F", "unknown")
VALUES = {Truth.MET: (True,), Truth.NOT_MET: (False,), Truth.UNKNOWN: ()}
SETTLED = (Truth.MET, Truth.NOT_MET)


def leaf(name: str, wanted: bool) -> Node:
    return node("fact", (), name, wanted)


def combined(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(node, st.sampled_from(("all", "any")), several),
        st.builds(node, st.just("not"), st.tuples(inner)),
        st.builds(node, st.just("if"), st.tuples(inner, inner)),
        st.builds(lambda parts, least: node("of", parts, at_least=least), several, st.integers(1, 3)),
    )


TESTS = st.recursive(st.builds(leaf, st.sampled_from(NAMES), st.booleans()), combined, max_leaves=8)
TRUTHS = st.fixed_dictionaries({name: st.sampled_from(list(VALUES)) for name in NAMES})


def facts(truths: dict[str, Truth]) -> dict[str, Fact]:
    return {name: Fact(RULE, VALUES[truth]) for name, truth in truths.items()}


@given(TESTS, TRUTHS)
def test_what_is_settled_stays_so_whatever_the_unknown_turns_out_to_be(test, truths):
    settled = truth(test, facts(truths))
    if settled is Truth.UNKNOWN:
        return
    choices = [SETTLED if truth is Truth.UNKNOWN else (truth,) for truth in truths.values()]
    for completed in product(*choices):
        assert truth(test, facts(dict(zip(truths, completed, strict=True)))) is settled


@given(TESTS, TRUTHS)
def test_where_everything_is_known_nothing_is_unknown(test, truths):
    known = {name: truth if truth in SETTLED else Truth.NOT_MET for name, truth in truths.items()}
    assert truth(test, facts(known)) in SETTLED


@given(TESTS, TESTS, TRUTHS)
def test_a_waiver_meets_and_is_shown_where_the_test_alone_would_not_be_met(test, waiver, truths):
    known = facts(truths)
    waived = node("waived", (test, waiver))
    if truth(test, known) is Truth.MET:
        assert truth(waived, known) is Truth.MET
        assert manner(waived, known) == manner(test, known)
    elif truth(waiver, known) is Truth.MET:
        assert (truth(waived, known), manner(waived, known)) == (Truth.MET, "waived")
    else:
        assert truth(waived, known) is truth(test, known)


@given(TESTS, TESTS, TRUTHS)
def test_what_voids_a_test_only_ever_opens_a_no(test, doubt, truths):
    known = facts(truths)
    alone, voided = truth(test, known), truth(node("voided", (test, doubt)), known)
    assert voided is alone or (alone is Truth.NOT_MET and voided is Truth.UNKNOWN)


@given(st.lists(st.sampled_from(list(VALUES)), max_size=6))
def test_how_many_is_between_what_is_met_and_what_may_be(truths):
    low, high = how_many(truths)
    assert low == truths.count(Truth.MET)
    assert high == len(truths) - truths.count(Truth.NOT_MET)


DAY = date(2026, 1, 1)


def event(offset: int, truth: Truth, certain: bool = True) -> Event:
    day = DAY + timedelta(days=offset)
    return Event(Days(day, day, day.isoformat()), {"passes": Fact(RULE, VALUES[truth])}, certain)


EVENTS = st.lists(st.builds(event, st.integers(0, 4), st.sampled_from(list(VALUES)), st.booleans()), max_size=6)
COUNTED = node("count", (node("fact", (), "passes", True),), "events", at_least=2)


def counted(events: list[Event]) -> tuple[float, float]:
    return tally(
        COUNTED, {"events": Fact(rule_of("events", "events", "E", "unknown"), (), (), (), tuple(events))}
    ).number


@given(EVENTS)
def test_a_count_is_an_interval_that_no_order_of_the_record_changes(events):
    low, high = counted(events)
    assert 0 <= low <= high
    assert counted(events[::-1]) == (low, high)


@given(EVENTS, st.integers(0, 5))
def test_an_event_recorded_twice_never_counts_twice(events, index):
    if events:
        assert counted([*events, events[index % len(events)]])[0] == counted(events)[0]


@given(EVENTS)
def test_an_event_of_uncertain_place_never_proves_anything(events):
    doubtful = [item._replace(certain=False) for item in events]
    assert counted(doubtful)[0] == 0


NUMBERS = st.floats(0, 10, allow_nan=False).map(lambda number: round(number, 1))


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_a_reduction_between_intervals_holds_every_reduction_inside_them(a, b, c, d):
    before, after = sorted((a, b)), sorted((c, d))
    rule = rule_of("r", "reduction", "R", "unknown", start="x", end="y")
    known = {"x": Fact(RULE, (tuple(before),)), "y": Fact(RULE, (tuple(after),))}
    found = reduction(rule, known, [], [])
    if before[0] <= 0:
        assert found.values == (ANYTHING,)
        return
    ((low, high),) = found.values
    for first, second in product(before, after):
        assert low - 1e-6 <= (first - second) / first * 100 <= high + 1e-6


@given(st.dates(date(1990, 1, 1), date(2050, 1, 1)), st.integers(0, 2000))
def test_months_never_run_backwards(start, days):
    end = start + timedelta(days=days)
    assert 0 <= months_between(start, end) <= months_between(start, end + timedelta(days=1))
    assert months_between(start, end) >= months_between(start + timedelta(days=1), end) or days == 0


READ = rule_of("x", "measurement", "X", "unknown")
FALL = rule_of("r", "reduction", "R", "unknown", start="x", end="y")


def fall(before: tuple, after: tuple) -> tuple:
    return reduction(FALL, {"x": Fact(READ, before), "y": Fact(READ, after)}, [], []).values


def test_a_number_that_cannot_be_read_is_not_outweighed_by_another_of_its_day():
    assert ANYTHING in fall(((8, 8), ANYTHING), ((2, 2),))
    assert ANYTHING in fall(((8, 8), (0, 0)), ((2, 2),))


def test_many_different_numbers_of_one_day_become_one_interval():
    many = tuple((n / 10, n / 10) for n in range(10, 110))
    assert fall(many, many) == fall(((1, 10.9),), ((1, 10.9),))


def test_thousands_of_numbers_cost_what_few_do():
    begun = time.thread_time()
    fall(((0, 0),) * 3000, tuple((float(n), float(n)) for n in range(3000)))
    assert time.thread_time() - begun < 1


def test_a_long_text_is_no_percentage_and_is_not_searched():
    begun = time.thread_time()
    with pytest.raises(UnreadableError):
        attested_percentage(FALL, {"valueString": "5" + " " * 100_000 + "x"})
    assert time.thread_time() - begun < 1


def seen(day: str | None) -> Evidence:
    return Evidence("Procedure/1", "surgery", None, day)


@pytest.mark.parametrize(
    ("dates", "number"),
    [
        ((), (1, inf)),
        (("2025-12-31",), (1, inf)),
        (("2026-01-01",), (0, inf)),
        ((None,), (0, inf)),
        (("2025-01-01", None), (0, inf)),
        (("2026",), (0, inf)),
    ],
)
def test_an_event_counts_only_where_it_is_certainly_later(dates, number):
    surgery = Fact(RULE, (True,), tuple(map(seen, dates)))
    after = node("count", (), "events", at_least=1, after="surgery")
    known = {"events": Fact(RULE, events=(event(0, Truth.MET),)), "surgery": surgery}
    assert tally(after, known).number == number


def test_an_event_that_may_be_later_stands_open_beside_one_that_fails():
    year = Fact(RULE, (True,), (seen("2025"),))
    known = {"events": Fact(RULE, events=(event(-200, Truth.MET), event(9, Truth.NOT_MET))), "surgery": year}
    after = node("count", (node("fact", (), "passes", True),), "events", at_least=1, after="surgery")
    assert tally(after, known).number == (0, 1)


WAIVED_B = node("waived", (leaf("b", True), leaf("c", True)))


@pytest.mark.parametrize(
    ("word", "plain", "said"),
    [
        ("all", True, "waived"),
        ("any", True, ""),
        ("any", False, "waived"),
        ("agree", True, ""),
        ("first", True, ""),
        ("first", None, "waived"),
    ],
)
def test_only_what_a_waiver_alone_meets_is_said_to_be_waived(word, plain, said):
    known = {
        "a": Fact(RULE, () if plain is None else (plain,)),
        "b": Fact(RULE, (False,)),
        "c": Fact(RULE, (True,)),
    }
    assert manner(node(word, (leaf("a", True), WAIVED_B)), known) == said
