"""The option `only_for` of facts."""

from tests.spec.pieces import EXERCISE, Json, exercise, is_yes
from tests.spec.tables import Row, Table, held


def told(reason: str) -> Json:
    """Exercise with a reason in words alone."""
    code = {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "97110"}]}
    return {"exercise": {"resource": {**DONE, "code": code, "reasonCode": [{"text": reason}]}}}


DONE = {"resourceType": "Procedure", "status": "completed", "performedDateTime": "2026-02-01"}
ONLY_FOR = Table(
    "only_for",
    "A record that names reasons counts only where one of them lies in one of these code sets; the card says so. One "
    "that names none counts.",
    {"exercised": EXERCISE | {"only_for": ["knee-pain"]}},
    is_yes("exercised"),
    (
        Row("for no reason", exercise(), "met"),
        Row("for one in the set", exercise(reason="ICD-10-CM|M25.561"), "met"),
        Row("in its words", told("Pain of the knee; knee pain at night"), "met"),
        Row("for another reason", told("Tremor"), "unknown"),
        Row("for a code of which nothing is known", exercise(reason="ICD-10-CM|R25.1"), "met"),
    ),
    shows={"only_for": ["knee-pain"]},
)
TABLES = (ONLY_FOR,)

test_rows = held(*TABLES)
