"""Events and sides where two readings lie near each other: which event is which, what came after, whose side it was."""

import pytest

from cds_service.chart.parts import parts_named
from tests.charts import CPT, SNOMED, chart, concept, named, procedure
from tests.vocabulary import HUM, LEFT, RIGHT, SCOPE, SESSIONS, SIDES, Row, Word, differences, exercise, is_yes, policy
from tests.vocabulary import sessions as attested

SURGERY = {
    "kind": "record",
    "title": "Knee replacement",
    "codes": "knee-surgery",
    "resources": ["Procedure"],
    "state": "ever",
    "when_absent": "unknown",
}


def word(test, **facts):
    return Word("event", "tests", "", {"sessions": SESSIONS, **facts}, test, ())


@pytest.mark.parametrize(
    ("groups", "truth"),
    named(
        ("two without a date may be the two that are missing", [{"relief": 80}, {"relief": 80}], "unknown"),
        ("one without a date is one at most", [{"relief": 80}], "not-met"),
    ),
)
def test_each_event_without_a_date_stands_alone(groups, truth):
    # An event that fails in full closes the record: no more happened than is on it.
    asked = word({"count": "sessions", "where": {"fact": "relief", "at_least": 50}, "at_least": 2})
    assert differences(asked, Row("", attested({"date": "2026-01-10", "relief": 49}, *groups), truth)) == ()


@pytest.mark.parametrize(
    ("surgery", "session", "truth"),
    named(
        ("the day after the month", "2026-01", "2026-02-01", "met"),
        ("the last day of the month", "2026-01", "2026-01-31", "unknown"),
        ("the same month", "2026-01", "2026-01", "unknown"),
        ("the month after", "2026-01", "2026-02", "met"),
        ("the same day", "2026-01-31", "2026-01-31", "unknown"),
        ("a month that begins with the day", "2026-02-01", "2026-02", "unknown"),
        ("a month that begins after the day", "2026-01-31", "2026-02", "met"),
    ),
)
def test_an_event_is_later_only_where_every_day_it_may_be_is_later(surgery, session, truth):
    asked = word({"count": "sessions", "after": "surgery", "at_least": 1}, surgery=SURGERY)
    on_record = exercise(session) | exercise(surgery, "surgery", procedure="CPT|27447")
    assert differences(asked, Row("", on_record, truth)) == ()


def side(code):
    return concept(SNOMED, code.partition("|")[2])


@pytest.mark.parametrize(
    ("code", "sites", "named_parts"),
    named(
        ("the site stands above the words", "left knee exercise", [side(RIGHT)], ("right",)),
        ("both sites stand above the words", "left knee exercise", [side(RIGHT), side(LEFT)], ("right", "left")),
        ("a site in words stands above the words", "left knee exercise", [{"text": "right knee"}], ("right",)),
        ("a site without a side leaves it to the words", "left knee exercise", [{"text": "knee"}], ("left",)),
        ("no site", "left knee exercise", [], ("left",)),
        ("neither", "knee exercise", [], ()),
    ),
)
def test_a_body_site_that_names_a_side_stands_above_the_code(code, sites, named_parts):
    scope = policy(
        Word("scope", "policy", "", {"hum": HUM}, is_yes("hum"), (), more={"scope": SCOPE}, sets=SIDES)
    ).scope
    record = procedure(code=concept(CPT, "97110", text=code), bodySite=sites)
    assert parts_named(scope, record, chart()) == named_parts
