"""The option `until` of facts."""

from tests.spec.pieces import answered, yes
from tests.spec.tables import Row, Table, also, held

UNTIL = Table(
    "until",
    "The linkId of the date on which a period ended that began on the date in `item`; without an end date, the time "
    "is unknown.",
    {
        "care": yes("care-start", "Months of care")
        | {"kind": "onset", "until": "care-end", "in": "months", "answer_look_back_days": 180}
    },
    {"fact": "care", "at_least": 6},
    (
        Row("6 months", answered(care_start="2025-01-10", care_end="2025-07-10"), "met"),
        Row("a day less", answered(care_start="2025-01-10", care_end="2025-07-09"), "not-met"),
        Row("no end date", answered(care_start="2025-01-10"), "unknown"),
    ),
    shows={"item": "care-start", "until": "care-end"},
)
OTHER_NAME = also(
    {"care": UNTIL.facts["care"] | {"aliases": ["care-from"]}},
    UNTIL.test,
    Row(
        "begun under its other name, with no end",
        answered(care_from="2025-01-10"),
        "unknown",
        reason="end not recorded",
    ),
)
TABLES = (UNTIL, OTHER_NAME)

test_rows = held(*TABLES)
