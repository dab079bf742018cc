"""The part `scope` of policy.json."""

from tests.spec.pieces import BOTH, HUM, SCOPE, SIDES, answered, is_yes
from tests.spec.tables import Row, Table, held

SCOPE = Table(
    "scope",
    "What the service evaluates separately. The order names its parts by body site, code, or words; if it names none, "
    "the card asks. A criterion that reads a fact with `per` has one finding for each part, and a verdict takes the "
    "result of its weakest part.",
    {"hum": HUM | {"per": "knee"}},
    is_yes("hum"),
    (
        Row(
            "both ordered, one attested: the attested side", answered(hum__right=True), "met", {"side": [BOTH]}, "right"
        ),
        Row("the other side", answered(hum__right=True), "unknown", {"side": [BOTH]}, "left"),
        Row(
            "both sides together",
            answered(hum__right=True),
            "unknown",
            {"side": [BOTH]},
            expect={"verdicts": {"verdict": "unknown"}},
        ),
        Row("no side on the order", answered(hum__right=True), "the card asks", expect={"summary": "Which one?"}),
    ),
    more={"scope": SCOPE},
    sets=SIDES,
    shows={"scope": SCOPE},
)
TABLES = (SCOPE,)

test_rows = held(*TABLES)
