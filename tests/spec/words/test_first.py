"""The word of tests `first`."""

from tests.spec.pieces import EXERCISE, HUM, answered, exercise, is_yes
from tests.spec.tables import Row, Table, held

FIRST = Table(
    "first",
    "Sources in order: the first source that says anything decides.",
    {"exercised": EXERCISE, "hum": HUM},
    {"first": [{"fact": "exercised", "is": False}, is_yes("hum")]},
    (
        Row("recorded, and attested yes", exercise() | answered(hum=True), "not-met"),
        Row("nothing recorded, attested yes", answered(hum=True), "met"),
    ),
)
TABLES = (FIRST,)

test_rows = held(*TABLES)
