"""The kind of fact `events`."""

from tests.spec.pieces import FIRST_DAY, SECOND_DAY, SESSIONS, exercise, sessions
from tests.spec.tables import Row, Table, also, held

EVENTS = Table(
    "events",
    "Events to count: records in `codes`, and groups attested under `item`, each with `attributes`. Entries for the "
    "same day are one event.",
    {"sessions": SESSIONS},
    {"count": "sessions", "at_least": 2},
    (
        Row(
            "two days",
            exercise(FIRST_DAY) | exercise(SECOND_DAY, "second"),
            "met",
        ),
        Row("one day, recorded twice", exercise(FIRST_DAY) | exercise(FIRST_DAY, "second"), "unknown"),
        Row(
            "one day in a record and a form, another only in the form",
            exercise(FIRST_DAY) | sessions({"date": FIRST_DAY}, {"date": SECOND_DAY}),
            "met",
        ),
        Row("two that may be on the same day", exercise("2026-01") | exercise(FIRST_DAY, "second"), "unknown"),
    ),
)
# An event that fails in full closes the record: no more happened than is on it.
WITHOUT_DATE = also(
    {"sessions": SESSIONS},
    {"count": "sessions", "where": {"fact": "relief", "at_least": 50}, "at_least": 2},
    Row(
        "two without a date may be the two that are missing",
        sessions({"date": FIRST_DAY, "relief": 49}, {"relief": 80}, {"relief": 80}),
        "unknown",
    ),
    Row("one without a date is one at most", sessions({"date": FIRST_DAY, "relief": 49}, {"relief": 80}), "not-met"),
)
TABLES = (EVENTS, WITHOUT_DATE)

test_rows = held(*TABLES)
