"""The word of tests `all`."""

from tests.spec.pieces import BUZZ, HUM, answered, is_yes
from tests.spec.tables import Row, Table, held

ALL = Table(
    "all",
    "All of these: one that is not met settles it, one that is unknown keeps it open.",
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
