"""The word of tests `if`."""

from tests.spec.pieces import BUZZ, HUM, answered, is_yes
from tests.spec.tables import Row, Table, held

IF = Table(
    "if",
    "If `if` is not met, the criterion does not apply, whatever `then` says, and the service shows that. If `if` is "
    "unknown, only a met `then` decides the result.",
    {"hum": HUM, "buzz": BUZZ},
    {"if": is_yes("hum"), "then": is_yes("buzz")},
    (
        Row("no, nothing", answered(hum=False), "does-not-apply"),
        Row("yes, no", answered(hum=True, buzz=False), "not-met"),
        Row("yes, nothing", answered(hum=True), "unknown"),
        Row("nothing, yes", answered(buzz=True), "met"),
        Row("nothing, no", answered(buzz=False), "unknown"),
    ),
)
TABLES = (IF,)

test_rows = held(*TABLES)
