"""The kind of fact `parts`."""

from tests.spec.pieces import BOTH, RIGHT, SCOPE, SIDES
from tests.spec.tables import Row, Table, held

PARTS = Table(
    "parts",
    "The number of parts of the scope that the order names.",
    {"knees": {"kind": "parts", "title": "Knees ordered", "when_absent": "unknown"}},
    {"fact": "knees", "at_most": 1},
    (
        Row("one side", {}, "met", {"side": [RIGHT]}),
        Row("both sides", {}, "not-met", {"side": [BOTH]}),
    ),
    more={"scope": SCOPE},
    sets=SIDES,
)
TABLES = (PARTS,)

test_rows = held(*TABLES)
