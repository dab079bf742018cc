"""The option `when_absent` of facts."""

import pytest

from tests.charts import CPT, ICD10CM, concept, condition, fact, named, procedure
from tests.spec.pieces import EXERCISE, HUM, answered, exercise, is_yes
from tests.spec.tables import Row, Table, also, held

WHEN_ABSENT = Table(
    "when_absent",
    "What a silent chart means: `unknown`, or `no` with the written reason why the chart would document it.",
    {"exercised": EXERCISE | {"when_absent": {"no": "Every session is billed here."}}, "hum": HUM},
    {"all": [{"fact": "exercised", "is": False}, is_yes("hum")]},
    (
        Row("nothing on record", answered(hum=True), "met"),
        Row("on record", exercise() | answered(hum=True), "not-met"),
    ),
    shows={"when_absent": {"no": "Every session is billed here."}},
)
DENIED = also(
    {"exercised": WHEN_ABSENT.facts["exercised"]},
    is_yes("exercised"),
    Row(
        "what silence denies is not said to be on record",
        {},
        "not-met",
        reason="exercise: not on record",
    ),
)
TABLES = (WHEN_ABSENT, DENIED)

test_rows = held(*TABLES)


@pytest.mark.parametrize(
    ("resources", "values"),
    named(
        ("nothing on record", [], (False,)),
        ("on record", [procedure(concept(CPT, "27447"))], (True,)),
        ("as a diagnosis", [condition(code=concept(ICD10CM, "Z96.651"))], (True,)),
        ("as words", [procedure({"text": "Total knee replacement, right"})], (True,)),
        ("something else on record", [procedure()], (False,)),
        ("one that cannot be read", [procedure({"coding": "27447"})], ()),
        ("one of doubtful standing", [procedure(concept(CPT, "27447"), status="unknown")], ()),
    ),
)
def test_silence_means_no_only_where_a_reason_says_so(resources, values):
    assert fact("surgery", *resources).values == values


@pytest.mark.parametrize("key", ["condition", "procedure"])
def test_silence_means_no_only_where_every_type_was_sent(key):
    assert fact("surgery", **{key: ...}).values == ()


def test_silence_without_a_reason_is_unknown():
    assert fact("infection").values == ()
