"""The word of tests `agree`."""

import pytest

from tests.charts import ICD10CM, attested, concept, condition, finding, named, truth
from tests.spec.pieces import EXERCISE, HUM, answered, exercise, is_yes
from tests.spec.tables import Row, Table, held

AGREE = Table(
    "agree",
    "Several sources for one finding: a silent source leaves the result to the others, and a contradiction is unknown.",
    {"hum": HUM, "exercised": EXERCISE},
    {"agree": [is_yes("hum"), {"fact": "exercised", "is": False}]},
    (
        Row("attested yes, nothing recorded", answered(hum=True), "met"),
        Row("attested yes, but recorded", answered(hum=True) | exercise(), "unknown"),
    ),
)
TABLES = (AGREE,)

test_rows = held(*TABLES)


YES, NO = {"valueBoolean": True}, {"valueBoolean": False}


@pytest.mark.parametrize(
    ("answer", "infected", "met"),
    named(
        ("attested absent, nothing on record", YES, False, "met"),
        ("attested absent, present on record", YES, True, "unknown"),
        ("attested present, present on record", NO, True, "not-met"),
        ("attested present, nothing on record", NO, False, "not-met"),
        ("nothing attested, present on record", None, True, "not-met"),
        ("nothing attested, nothing on record", None, False, "unknown"),
    ),
)
def test_a_record_and_an_attestation(answer, infected, met):
    on_record = [condition(code=concept(ICD10CM, "M00.9"))] if infected else []
    answers = [attested({"no-infection": answer})] if answer else []
    assert truth("no-infection", *on_record, *answers) == met


def test_a_record_and_an_attestation_that_disagree_are_both_shown():
    found = finding("no-infection", condition(code=concept(ICD10CM, "M00.9")), attested({"no-infection": YES}))
    assert {item.reference for item in found.evidence} == {"Condition/c1", "QuestionnaireResponse/q1"}
    assert "disagree" in found.reason
