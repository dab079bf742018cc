"""The kind of fact `reduction`."""

from tests.spec.pieces import answered, yes
from tests.spec.tables import Row, Table, held

REDUCED = {
    "before": yes("before", "Pain before") | {"kind": "measurement", "unit": "", "range": [0, 10]},
    "after": yes("after", "Pain after") | {"kind": "measurement", "unit": "", "range": [0, 10]},
    "relief": {
        "kind": "reduction",
        "title": "Relief",
        "from": "before",
        "to": "after",
        "item": "relief",
        "when_absent": "unknown",
    },
}
REDUCTION = Table(
    "reduction",
    "By how many percent a number fell `from` one measurement `to` another, or as stated in `item`; never rounded.",
    REDUCED,
    {"fact": "relief", "at_least": 75},
    (
        Row("from 8 to 2", answered(before=8, after=2), "met"),
        Row("from 10 to 2.51: 74.9 %", answered(before=10, after=2.51), "not-met"),
        Row("from 0: nothing to compute", answered(before=0, after=0), "unknown"),
        Row("stated as 70-80%", answered(relief="70-80%"), "unknown"),
        Row("stated as 80 %, but from 8 to 6", answered(before=8, after=6, relief=80), "unknown"),
    ),
    shows=REDUCED["relief"],
)
TABLES = (REDUCTION,)

test_rows = held(*TABLES)
