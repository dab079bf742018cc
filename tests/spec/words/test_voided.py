"""The word of tests `voided`."""

from tests.spec.pieces import HUM, answered, is_yes, yes
from tests.spec.tables import Row, Table, held

VOIDED_BY = Table(
    "voided_by",
    "Why a no of the `test` does not count, such as a test that could not be done. The result is then unknown; a yes "
    "stays a yes.",
    {"hum": HUM, "hoarse": yes("hoarse", "Hoarse")},
    {"test": is_yes("hum"), "voided_by": is_yes("hoarse")},
    (
        Row("no, but hoarse", answered(hum=False, hoarse=True), "unknown"),
        Row("yes, though hoarse", answered(hum=True, hoarse=True), "met"),
        Row("no, hoarseness not documented", answered(hum=False), "not-met"),
    ),
)
TABLES = (VOIDED_BY,)

test_rows = held(*TABLES)
