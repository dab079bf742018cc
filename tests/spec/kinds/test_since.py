"""The kind of fact `since`."""

from tests.spec.pieces import EXERCISE, answered, exercise
from tests.spec.tables import Row, Table, also, held

SINCE = Table(
    "since",
    "Time since the newest record in `codes`, or since the date attested in `item`.",
    {"since": EXERCISE | {"kind": "since", "in": "months"}},
    {"fact": "since", "at_most": 6},
    (
        Row("the newest 6 months ago", exercise("2024-01-01") | exercise("2025-09-15", "second"), "met"),
        Row("6 months and a day ago", exercise("2025-09-14"), "not-met"),
        Row("on an unknown day of that month", exercise("2025-09"), "unknown"),
        Row("a record without a date", exercise(None), "unknown"),
        Row("6 months ago, and one without a date", exercise("2025-09-15") | exercise(None, "second"), "met"),
    ),
)
REASONS = also(
    SINCE.facts,
    SINCE.test,
    Row("a day beyond six months", exercise("2025-09-14"), "not-met", reason="6.1 months: above 6"),
)
LONG_AGO = also(
    SINCE.facts,
    {"fact": "since", "more_than": 6},
    Row(
        "long ago, and one without a date",
        exercise("2024-01-01") | exercise(None, "second"),
        "unknown",
        reason="the records do not settle it; exercise: has no date",
    ),
)
ATTESTED = also(
    {"since": EXERCISE | {"kind": "since", "in": "months", "item": "last-exercise", "answer_look_back_days": 180}},
    SINCE.test,
    Row("attested as 6 months ago", answered(last_exercise="2025-09-15"), "met"),
    Row("attested as a day more", answered(last_exercise="2025-09-14"), "not-met"),
    Row("attested as today", answered("2026-03-15", last_exercise="2026-03-15"), "met"),
    Row("attested as tomorrow, east of us", answered(last_exercise="2026-03-16"), "met"),
    Row("attested as the day after tomorrow", answered(last_exercise="2026-03-17"), "unknown"),
    Row("attested in words, and an old record", exercise("2024-01-01") | answered(last_exercise="soon"), "unknown"),
    Row("recorded long ago, attested lately", exercise("2024-01-01") | answered(last_exercise="2026-02-01"), "met"),
)
TABLES = (SINCE, REASONS, LONG_AGO, ATTESTED)

test_rows = held(*TABLES)
