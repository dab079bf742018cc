"""The word of tests `not`."""

from tests.spec.pieces import BUZZ, HUM, answered, is_yes
from tests.spec.tables import Row, Table, also, held

NOT = Table(
    "not",
    "The opposite; unknown stays unknown.",
    {"hum": HUM},
    {"not": is_yes("hum")},
    (Row("yes", answered(hum=True), "not-met"), Row("nothing", {}, "unknown")),
)
INSIDE = also(
    {"hum": HUM, "buzz": BUZZ},
    {"not": {"any": [is_yes("hum"), {"not": is_yes("buzz")}]}},
    Row("of a list that holds another", answered(hum=False, buzz=True), "met"),
)
TABLES = (NOT, INSIDE)

test_rows = held(*TABLES)
