"""The part `parameters` of policy.json."""

from tests.spec.pieces import SCORE, score
from tests.spec.tables import Row, Table, held

PARAMETERS = Table(
    "parameters",
    "A number under `parameters`, with its source. Tests refer to it as `$name`, and a profile may change it.",
    {"function": SCORE},
    {"fact": "function", "at_least": "$least"},
    (Row("30", score(30), "met"), Row("29", score(29), "not-met")),
    more={"parameters": {"least": {"title": "Least", "value": 30, "source": "primer", "place": "page 2"}}},
)
TABLES = (PARAMETERS,)

test_rows = held(*TABLES)
