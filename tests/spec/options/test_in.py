"""The option `in` of facts."""

from tests.spec.pieces import KNEE_PAIN, diagnosis
from tests.spec.tables import Row, Table, held

IN = Table(
    "in",
    "The unit of `onset` and `since`: days, or calendar months with the fraction of the month begun.",
    {"onset": KNEE_PAIN | {"in": "months"}},
    {"fact": "onset", "at_least": 6},
    (
        Row("6 months ago to the day", diagnosis(onset="2025-09-15"), "met"),
        Row("a day less", diagnosis(onset="2025-09-16"), "not-met"),
        Row("on an unknown day of that month", diagnosis(onset="2025-09"), "unknown"),
    ),
    shows={"in": "months"},
)
TABLES = (IN,)

test_rows = held(*TABLES)
