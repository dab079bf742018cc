"""The word of tests `all`."""

from tests.spec.pieces import BUZZ, HUM, answered, is_yes
from tests.spec.tables import Row, Table, held

ALL = Table(
    "all",
    "All of these tests: one test that is not met decides the result; otherwise an unknown test leaves it unknown.",
    {"hum": HUM, "buzz": BUZZ},
    {"all": [is_yes("hum"), is_yes("buzz")]},
    (
        Row("yes, yes", answered(hum=True, buzz=True), "met"),
        Row("yes, nothing", answered(hum=True), "unknown"),
        Row("no, nothing", answered(hum=False), "not-met"),
    ),
)
TABLES = (ALL,)

test_rows = held(*TABLES)
