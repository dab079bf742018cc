"""The kind of fact `reduction`."""

from tests.spec.pieces import answered, yes
from tests.spec.tables import Row, Table, also, held

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
    "The percentage by which a number fell `from` one measurement `to` another, or as stated in `item`; never rounded.",
    REDUCED,
    {"fact": "relief", "at_least": 75},
    (
        Row("from 8 to 2", answered(before=8, after=2), "met"),
        Row("from 10 to 2.51: 74.9%", answered(before=10, after=2.51), "not-met"),
        Row("from 0: nothing to compute", answered(before=0, after=0), "unknown"),
        Row("stated as 70-80%", answered(relief="70-80%"), "unknown"),
        Row("stated as 80%, but from 8 to 6", answered(before=8, after=6, relief=80), "unknown"),
    ),
    shows=REDUCED["relief"],
)
NO_PERCENTAGE = "QuestionnaireResponse/form: the answer is not a percentage"
STATED = also(
    REDUCED,
    REDUCTION.test,
    Row("stated as 75%", answered(relief="75%"), "met"),
    Row("stated as 100%", answered(relief="100%"), "met"),
    Row("stated as a number", answered(relief=75), "met"),
    Row("stated as 76-80%", answered(relief="76-80%"), "met"),
    Row("stated the wrong way round", answered(relief="80-76%"), "unknown", reason=NO_PERCENTAGE),
    Row("stated as more than all", answered(relief="101 %"), "unknown", reason=NO_PERCENTAGE),
    Row(
        "stated as a number above all",
        answered(relief=101),
        "unknown",
        reason="QuestionnaireResponse/form: the answer is outside -1e+09 to 100",
    ),
    Row("stated in other words", answered(relief="much better"), "unknown", reason=NO_PERCENTAGE),
)
TABLES = (REDUCTION, STATED)

test_rows = held(*TABLES)
