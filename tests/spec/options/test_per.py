"""The option `per` of facts."""

import pytest

from cds_service.chart.parts import parts_named
from tests.charts import CPT, SNOMED, chart, concept, named, procedure
from tests.spec.pieces import BOTH, EXERCISE, HUM, LEFT, RIGHT, SCOPE, SIDES, answered, exercise, is_yes
from tests.spec.tables import Row, Table, also, held

PER = Table(
    "per",
    "The service reads the fact separately for each part of the scope: a record by its body site, code, or words, and "
    "an answer by its linkId (`hum.right`). A record that names no part counts for no part, and may belong to any.",
    {"hum": HUM | {"per": "knee"}, "exercised": EXERCISE | {"per": "knee"}},
    {"any": [is_yes("hum"), is_yes("exercised")]},
    (
        Row("attested for that side", answered(hum__right=True), "met", {"side": [RIGHT]}, "right"),
        Row("attested for the other side", answered(hum__left=True), "unknown", {"side": [RIGHT]}, "right"),
        Row("recorded for the other side", exercise(side=LEFT), "unknown", {"side": [RIGHT]}, "right"),
        Row("recorded for both sides", exercise(side=BOTH), "met", {"side": [BOTH]}, "left"),
        Row("recorded without a side", exercise(), "unknown", {"side": [RIGHT]}, "right"),
    ),
    more={"scope": SCOPE},
    sets=SIDES,
    shows={"per": "knee"},
)
BEFORE_AN_ANSWER = also(
    PER.facts,
    {"first": [{"fact": "exercised", "is": False}, is_yes("hum")]},
    Row("an answer alone", answered(hum__right=True), "met", {"side": [RIGHT]}, "right"),
    Row(
        "a record of this side", exercise(side=RIGHT) | answered(hum__right=True), "not-met", {"side": [RIGHT]}, "right"
    ),
    Row("a record of the other", exercise(side=LEFT) | answered(hum__right=True), "met", {"side": [RIGHT]}, "right"),
    Row("a record of no side", exercise() | answered(hum__right=True), "unknown", {"side": [RIGHT]}, "right"),
    more={"scope": SCOPE},
    sets=SIDES,
)
TABLES = (PER, BEFORE_AN_ANSWER)

test_rows = held(*TABLES)


def side(code):
    return concept(SNOMED, code.partition("|")[2])


@pytest.mark.parametrize(
    ("code", "sites", "named_parts"),
    named(
        ("the site stands above the words", "left knee exercise", [side(RIGHT)], ("right",)),
        ("both sites stand above the words", "left knee exercise", [side(RIGHT), side(LEFT)], ("right", "left")),
        ("a site in words stands above the words", "left knee exercise", [{"text": "right knee"}], ("right",)),
        ("a site without a side leaves it to the words", "left knee exercise", [{"text": "knee"}], ("left",)),
        ("no site", "left knee exercise", [], ("left",)),
        ("neither", "knee exercise", [], ()),
    ),
)
def test_a_body_site_that_names_a_side_stands_above_the_code(code, sites, named_parts):
    record = procedure(code=concept(CPT, "97110", text=code), bodySite=sites)
    assert parts_named(PER.policy.scope, record, chart()) == named_parts
