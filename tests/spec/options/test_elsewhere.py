"""The option `elsewhere` of facts."""

from tests.spec.pieces import EXERCISE, exercise, is_yes
from tests.spec.tables import Row, Table, held

ELSEWHERE = Table(
    "elsewhere",
    "A record does not count if its body sites, or its reasons, are all in this code set (other parts of the body, "
    "other complaints), or if its own words name something in the set; the card says so. A record that names nothing "
    "counts.",
    {"exercised": EXERCISE | {"elsewhere": "infection"}},
    is_yes("exercised"),
    (
        Row("names nothing", exercise(), "met"),
        Row("at a site in the set", exercise(site="Septic arthritis"), "unknown"),
        Row("at another site", exercise(site="Knee"), "met"),
        Row("its words name something in the set", exercise(text="Exercise, septic arthritis"), "unknown"),
        Row("for a reason in the set", exercise(reason="ICD-10-CM|M00.9"), "unknown"),
        Row("for another reason", exercise(reason="ICD-10-CM|M25.561"), "met"),
    ),
    shows={"elsewhere": "infection"},
)
TABLES = (ELSEWHERE,)

test_rows = held(*TABLES)
