"""The word of tests `fact`."""

import pytest

from cds_service.facts.comparing import compare
from cds_service.facts.evidence import ANYTHING, Fact
from cds_service.facts.logic import Truth
from tests.charts import (
    ICD10CM,
    attested,
    concept,
    condition,
    finding,
    named,
    observation,
    patient,
    quantity,
    weight_ratio,
)
from tests.spec.pieces import HUM, SCORE, answered, score
from tests.spec.tables import Row, Table, also, held
from tests.words import node, rule_of, truth

IS = Table(
    "is",
    "Compares yes or no.",
    {"hum": HUM},
    {"fact": "hum", "is": False},
    (Row("yes", answered(hum=True), "not-met"), Row("no", answered(hum=False), "met")),
)
AT_LEAST = Table(
    "at_least",
    "`at_least` and `at_most` compare a number; `more_than` and `less_than` exclude the limit itself. A number that "
    "may lie on both sides of the limit is unknown.",
    {"function": SCORE},
    {"fact": "function", "at_least": 21, "at_most": 60},
    (
        Row("21", score(21), "met"),
        Row("60", score(60), "met"),
        Row("20", score(20), "not-met"),
        Row("61", score(61), "not-met"),
    ),
)
MORE_THAN = Table(
    "more_than",
    "Like `at_least`, but excludes the limit itself; `less_than` does the same for `at_most`.",
    {"function": SCORE},
    {"fact": "function", "more_than": 20, "less_than": 60},
    (Row("20", score(20), "not-met"), Row("21", score(21), "met"), Row("60", score(60), "not-met")),
)
BOTH_SIDES = also(
    {"function": SCORE},
    {"fact": "function", "more_than": 20, "less_than": 60},
    Row(
        "values on both sides of limits that do not count themselves",
        score(10) | score(70, name="second"),
        "not-met",
        reason="10 %, 70 %: outside 20 to 60",
    ),
)
TABLES = (IS, AT_LEAST, MORE_THAN, BOTH_SIDES)

test_rows = held(*TABLES)


MET, NOT, UNKNOWN = Truth.MET, Truth.NOT_MET, Truth.UNKNOWN


def of(fact="f", **comparison):
    names = {"is": "wanted"}
    return node("fact", (), fact, **{names.get(key, key): value for key, value in comparison.items()})


@pytest.mark.parametrize(
    ("limits", "value", "answer"),
    named(
        ("on the lower limit", {"at_least": 18}, (18, 18), MET),
        ("below the lower limit", {"at_least": 18}, (17.9, 17.9), NOT),
        ("across the lower limit", {"at_least": 18}, (17, 18), UNKNOWN),
        ("from the lower limit on", {"at_least": 18}, (18, 90), MET),
        ("up to just below the lower limit", {"at_least": 18}, (0, 17.9), NOT),
        ("on the upper limit", {"at_most": 35}, (35, 35), MET),
        ("above the upper limit", {"at_most": 35}, (35.1, 35.1), NOT),
        ("across the upper limit", {"at_most": 35}, (35, 36), UNKNOWN),
        ("between both limits", {"at_least": 21, "at_most": 60}, (21, 60), MET),
        ("below both limits", {"at_least": 21, "at_most": 60}, (20, 20), NOT),
        ("above both limits", {"at_least": 21, "at_most": 60}, (61, 61), NOT),
        ("across both limits", {"at_least": 21, "at_most": 60}, (20, 61), UNKNOWN),
        ("anything", {"at_least": 18}, ANYTHING, UNKNOWN),
        ("yes, wanted", {"is": True}, True, MET),
        ("no, yes wanted", {"is": True}, False, NOT),
        ("no, wanted", {"is": False}, False, MET),
        ("yes, no wanted", {"is": False}, True, NOT),
        ("an unreadable answer", {"is": True}, ANYTHING, UNKNOWN),
        ("a yes where a number is compared", {"at_least": 1}, True, UNKNOWN),
    ),
)
def test_one_comparison_with_one_possible_value(limits, value, answer):
    assert compare(of(**limits), value) is answer


@pytest.mark.parametrize(
    ("values", "answer"),
    named(
        ("nothing known", (), UNKNOWN),
        ("all within", ((20, 20), (30, 30)), MET),
        ("all beyond", ((10, 10), (15, 15)), NOT),
        ("on both sides", ((10, 10), (30, 30)), UNKNOWN),
        ("one that may be anything", ((30, 30), ANYTHING), UNKNOWN),
    ),
)
def test_a_fact_with_several_possible_values_is_settled_where_all_agree(values, answer):
    rule = rule_of("f", "measurement", "F", "unknown")
    assert truth(of(at_least=18), {"f": Fact(rule, values)}) is answer


@pytest.mark.parametrize(
    ("criterion", "resources", "reason"),
    named(
        ("above a limit", "weight-ratio", [weight_ratio(40)], "40 kg/m2: above 35"),
        ("below a limit", "adult", [patient(birthDate="2010-01-01")], "16 years: below 18"),
        (
            "above the upper of two limits",
            "function",
            [observation("97909-6", valueQuantity=quantity(61, code="%"))],
            "61 %: above 60",
        ),
        (
            "below the lower of two limits",
            "function",
            [observation("97909-6", valueQuantity=quantity(20, code="%"))],
            "20 %: below 21",
        ),
        ("an answer", "can-hum", [attested({"can-hum": {"valueBoolean": False}})], "can hum: no"),
        ("a record", "no-infection", [condition(code=concept(ICD10CM, "M00.9"))], "infection of the knee on record"),
    ),
)
def test_what_is_not_met_says_which_limit_or_which_record(criterion, resources, reason):
    found = finding(criterion, *resources)
    assert found.truth is NOT
    assert found.reason == reason
    assert found.evidence
