"""The word of tests `waived`."""

from tests.spec.pieces import BUZZ, HUM, answered, is_yes, yes
from tests.spec.tables import Row, Table, also, held

WAIVED_BY = Table(
    "waived_by",
    "What waives the `test`. A waived `test` counts as met, and the service records and shows it as waived.",
    {"hum": HUM, "excused": yes("excused", "Humming not tolerated")},
    {"test": is_yes("hum"), "waived_by": is_yes("excused")},
    (
        Row("no, but excused", answered(hum=False, excused=True), "waived"),
        Row("nothing, but excused", answered(excused=True), "waived"),
        Row("yes, and excused", answered(hum=True, excused=True), "met"),
        Row("no, not excused", answered(hum=False, excused=False), "not-met"),
        Row("no, excuse not documented", answered(hum=False), "not-met"),
    ),
)
EITHER = also(
    WAIVED_BY.facts | {"buzz": BUZZ},
    {"test": is_yes("hum"), "waived_by": {"any": [is_yes("excused"), is_yes("buzz")]}},
    Row("only what waives is named", answered(excused=True), "waived", reason="waived: humming not tolerated"),
)
TABLES = (WAIVED_BY, EITHER)

test_rows = held(*TABLES)
