"""The option `not_in` of facts."""

from tests.spec.pieces import KNEE_PAIN, diagnosis
from tests.spec.tables import Row, Table, held

NOT_IN = Table(
    "not_in",
    "An `onset` leaves out records that one of these code sets also recognizes, by code or by words.",
    {"since": KNEE_PAIN | {"not_in": ["infection"]}},
    {"fact": "since", "at_least": 90},
    (
        Row("knee pain since 2024", diagnosis(onset="2024-01-01"), "met"),
        Row("in words", diagnosis("", onset="2024-01-01", text="Knee pain"), "met"),
        Row(
            "in words, with an infection",
            diagnosis("", onset="2024-01-01", text="Knee pain, septic arthritis"),
            "unknown",
        ),
    ),
    shows={"not_in": ["infection"]},
)
TABLES = (NOT_IN,)

test_rows = held(*TABLES)
