"""The word of tests `count`."""

from cds_service.authoring.cases import told
from tests.spec.pieces import EXERCISE, FIRST_DAY, SECOND_DAY, SESSIONS, exercise, is_yes, sessions
from tests.spec.tables import Json, Row, Table, also, held

RELIEF = {"fact": "relief", "at_least": 50}
COUNT = Table(
    "count",
    "The number of days with an event that passes `where`. More events may have happened than are on record, so too "
    "few is unknown; but if an event on record clearly fails, the record counts as complete.",
    {"sessions": SESSIONS},
    {"count": "sessions", "where": RELIEF, "at_least": 2},
    (
        Row(
            "two with relief of 50% and 80%",
            sessions({"date": FIRST_DAY, "before": 8, "after": 4}, {"date": SECOND_DAY, "before": 5, "after": 1}),
            "met",
        ),
        Row("one", sessions({"date": FIRST_DAY, "before": 8, "after": 4}), "unknown"),
        Row(
            "one that passes, and one with 49%",
            sessions({"date": FIRST_DAY, "before": 8, "after": 4}, {"date": SECOND_DAY, "relief": 49}),
            "not-met",
        ),
        Row(
            "two, one without a recorded relief",
            sessions({"date": FIRST_DAY, "relief": 80}, {"date": SECOND_DAY}),
            "unknown",
        ),
    ),
)
AFTER = Table(
    "after",
    "Counts only events that are later than the newest of another fact.",
    {"sessions": SESSIONS, "surgery": EXERCISE | {"title": "Knee replacement", "codes": "knee-surgery"}},
    {"count": "sessions", "after": "surgery", "at_least": 1},
    (
        Row("after it", exercise(SECOND_DAY) | exercise(FIRST_DAY, "surgery", procedure="CPT|27447"), "met"),
        Row("before it", exercise(FIRST_DAY) | exercise(SECOND_DAY, "surgery", procedure="CPT|27447"), "unknown"),
        Row(
            "surgery without a date",
            exercise(FIRST_DAY) | exercise(None, "surgery", procedure="CPT|27447"),
            "unknown",
        ),
        Row("no surgery on record", exercise(FIRST_DAY), "met"),
    ),
)
ASKED_OF_EACH = also(
    {"sessions": SESSIONS},
    {"count": "sessions", "where": {"of": [is_yes("guided"), RELIEF], "at_least": 2}, "at_least": 1},
    Row(
        "so many of a list, asked of an event",
        sessions({"date": FIRST_DAY, "relief": 80}),
        "unknown",
        reason=f"0 of 1 session; {FIRST_DAY}: guided not recorded",
    ),
)


def around(surgery: str, session: str) -> Json:
    return exercise(session) | exercise(surgery, "surgery", procedure="CPT|27447")


# An event is later only where every day it may be is later.
LATER = also(
    AFTER.facts,
    AFTER.test,
    Row("the day after the month", around("2026-01", "2026-02-01"), "met"),
    Row(
        "the last day of the month",
        around("2026-01", "2026-01-31"),
        "unknown",
        reason="0 of 1 session; 2026-01-31: may not be after knee replacement",
    ),
    Row("the same month", around("2026-01", "2026-01"), "unknown"),
    Row("the month after", around("2026-01", "2026-02"), "met"),
    Row(
        "the same day",
        around("2026-01-31", "2026-01-31"),
        "unknown",
        reason="0 of 1 session; 2026-01-31 is not after knee replacement",
    ),
    Row("a month that begins with the day", around("2026-02-01", "2026-02"), "unknown"),
    Row("a month that begins after the day", around("2026-01-31", "2026-02"), "met"),
)
TABLES = (COUNT, AFTER, ASKED_OF_EACH, LATER)

test_rows = held(*TABLES)


def test_many_events_that_fail_do_not_fill_the_card():
    many = [{"date": f"2025-{month:02}-{day:02}", "relief": 20} for month in range(1, 13) for day in range(1, 28)]
    found = COUNT.answer(Row("made up", sessions(*many), "not-met"))
    assert "321 more sessions that do not count" in told(found)
    assert len(told(found)) < 2000
    assert len(found.card["detail"]) < 400
