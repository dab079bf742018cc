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
    "A record that names reasons counts only if at least one of them is in one of these code sets; otherwise the card "
    "says so. A record that names no reason counts.",
    {"exercised": EXERCISE | {"only_for": ["knee-pain"]}},
    is_yes("exercised"),
    (
        Row("no reason", exercise(), "met"),
        Row("a reason in the set", exercise(reason="ICD-10-CM|M25.561"), "met"),
        Row("such a reason in words", told("Pain of the knee; knee pain at night"), "met"),
        Row("another reason", told("Tremor"), "unknown"),
        Row("a reason with an unknown code", exercise(reason="ICD-10-CM|R25.1"), "met"),
    ),
    shows={"only_for": ["knee-pain"]},
)
TABLES = (ONLY_FOR,)

test_rows = held(*TABLES)
