"""The part `applies_unless` of policy.json."""

from tests.spec.pieces import HUM, answered, is_yes
from tests.spec.tables import CRITERION, Row, Table, held

DRIVER = {"order": "CPT|22222"}
APPLIES_UNLESS = Table(
    "applies_unless",
    "A verdict does not apply if this test is met: for example, a verdict on another device's label.",
    {"hum": HUM, "other": {"kind": "order", "title": "Driver", "codes": "driver", "when_absent": "unknown"}},
    is_yes("hum"),
    (
        Row("not ordered", answered(hum=True), "met", expect={"verdicts": {"verdict": "met"}}),
        Row(
            "ordered", answered(hum=True), "not-applicable", DRIVER, expect={"verdicts": {"verdict": "not-applicable"}}
        ),
    ),
    more={
        "verdicts": [
            {"id": "verdict", "title": "Verdict", "all": [CRITERION], "applies_unless": is_yes("other")},
        ]
    },
    shows={"applies_unless": is_yes("other")},
)
TABLES = (APPLIES_UNLESS,)

test_rows = held(*TABLES)
