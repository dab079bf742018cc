"""The part `scope` of policy.json."""

from tests.spec.pieces import BOTH, HUM, SCOPE, SIDES, answered, is_yes
from tests.spec.tables import Row, Table, held

SCOPE = Table(
    "scope",
    "What is evaluated separately. The order names its parts by body site, code or words; if it names none, the card "
    "asks. A criterion that reads a fact with `per` has one finding for each part, a verdict is as its weakest part.",
    {"hum": HUM | {"per": "knee"}},
    is_yes("hum"),
    (
        Row("both ordered, one attested: that one", answered(hum__right=True), "met", {"side": [BOTH]}, "right"),
        Row("and the other", answered(hum__right=True), "unknown", {"side": [BOTH]}, "left"),
        Row(
            "the whole",
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
