"""The word of tests `any`."""

from tests.spec.pieces import BUZZ, HUM, answered, is_yes
from tests.spec.tables import Row, Table, held

ANY = Table(
    "any",
    "At least one of these tests: one test that is met decides the result.",
    {"hum": HUM, "buzz": BUZZ},
    {"any": [is_yes("hum"), is_yes("buzz")]},
    (
        Row("yes, nothing", answered(hum=True), "met"),
        Row("no, nothing", answered(hum=False), "unknown"),
        Row("no, no", answered(hum=False, buzz=False), "not-met"),
    ),
)
TABLES = (ANY,)

test_rows = held(*TABLES)
