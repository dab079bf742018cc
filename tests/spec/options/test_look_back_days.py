"""The option `look_back_days` of facts."""

from tests.spec.pieces import SCORE, answered, score
from tests.spec.tables import Row, Table, held

LOOK_BACK_DAYS = Table(
    "look_back_days",
    "The maximum age of a record or an answer; `answer_look_back_days` sets a different limit for answers.",
    {"function": SCORE | {"answer_look_back_days": 30}},
    {"fact": "function", "at_least": 30},
    (
        Row("measured 180 days ago", score(40, date="2025-09-16"), "met"),
        Row("measured 181 days ago", score(40, date="2025-09-15"), "unknown"),
        Row("attested 30 days ago", answered("2026-02-13", function=40), "met"),
        Row("attested 31 days ago", answered("2026-02-12", function=40), "unknown"),
    ),
    shows={"look_back_days": 180, "answer_look_back_days": 30},
)
TABLES = (LOOK_BACK_DAYS,)

test_rows = held(*TABLES)
