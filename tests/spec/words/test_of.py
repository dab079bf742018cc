"""The word of tests `of`."""

from tests.spec.pieces import THREE, answered, is_yes
from tests.spec.tables import Row, Table, held

OF = Table(
    "of",
    "The number of these tests that are met, compared like any number; an unknown test may still be met.",
    THREE,
    {"of": [is_yes("hum"), is_yes("buzz"), is_yes("ring")], "at_least": 2},
    (
        Row("yes, yes, nothing", answered(hum=True, buzz=True), "met"),
        Row("yes, no, nothing", answered(hum=True, buzz=False), "unknown"),
        Row("yes, no, no", answered(hum=True, buzz=False, ring=False), "not-met"),
    ),
)
TABLES = (OF,)

test_rows = held(*TABLES)
