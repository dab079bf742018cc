"""The option `elsewhere` of facts."""

from tests.spec.pieces import EXERCISE, exercise, is_yes
from tests.spec.tables import Row, Table, held

ELSEWHERE = Table(
    "elsewhere",
    "A record does not count whose body sites, or whose reasons, all lie in this code set (other parts of the body, "
    "other complaints), or whose own words name it; the card says so. One that names nothing counts.",
    {"exercised": EXERCISE | {"elsewhere": "infection"}},
    is_yes("exercised"),
    (
        Row("names nothing", exercise(), "met"),
        Row("at a site in the set", exercise(site="Septic arthritis"), "unknown"),
        Row("at another site", exercise(site="Knee"), "met"),
        Row("its words name it", exercise(text="Exercise, septic arthritis"), "unknown"),
        Row("for a reason in the set", exercise(reason="ICD-10-CM|M00.9"), "unknown"),
        Row("for another reason", exercise(reason="ICD-10-CM|M25.561"), "met"),
    ),
    shows={"elsewhere": "infection"},
)
TABLES = (ELSEWHERE,)

test_rows = held(*TABLES)
