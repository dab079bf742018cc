"""Tests over facts, and in words why a criterion is unknown or not met."""

import pytest

from cds_service.facts import gather
from cds_service.facts.comparing import compare
from cds_service.facts.evidence import ANYTHING, Fact
from cds_service.facts.logic import Truth
from cds_service.verdicts.criteria import find
from cds_service.verdicts.decisions import decide
from tests.charts import (
    FORMS,
    ICD10CM,
    TODAY,
    attested,
    chart,
    concept,
    condition,
    finding,
    known_of,
    medicine,
    minimal,
    named,
    observation,
    patient,
    procedure,
    quantity,
    truth,
    weight_ratio,
)
from tests.words import node, rule_of
from tests.words import truth as truth_of

MET, NOT, UNKNOWN = Truth.MET, Truth.NOT_MET, Truth.UNKNOWN
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}


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
    assert truth_of(of(at_least=18), {"f": Fact(rule, values)}) is answer


def test_tests_nest():
    rule = rule_of("f", "answer", "F", "unknown")
    known = {"yes": Fact(rule, (True,)), "no": Fact(rule, (False,)), "open": Fact(rule)}
    yes, no, still_open = (of(name, **{"is": True}) for name in ("yes", "no", "open"))
    table = [
        (node("all", (yes, node("not", (no,)))), MET),
        (node("all", (yes, still_open)), UNKNOWN),
        (node("all", (no, still_open)), NOT),
        (node("any", (yes, still_open)), MET),
        (node("any", (no, still_open)), UNKNOWN),
        (node("agree", (yes, still_open)), MET),
        (node("agree", (yes, no)), UNKNOWN),
        (node("not", (still_open,)), UNKNOWN),
        (node("not", (node("any", (no, node("not", (yes,)))),)), MET),
    ]
    assert [truth_of(test, known) for test, _ in table] == [answer for _, answer in table]


def test_every_criterion_has_a_finding_in_the_policys_order():
    on_record = chart()
    found = find(minimal(), minimal().criteria, known_of(on_record), on_record)
    assert list(found) == [item.id for item in minimal().criteria]


def test_an_empty_chart_meets_nothing():
    on_record = chart(patient=None)
    found = find(minimal(), minimal().criteria, known_of(on_record), on_record)
    assert {item.truth for item in found.values()} == {UNKNOWN}


# --- evidence and reasons ---------------------------------------------------------------------------------------------


def test_what_is_met_shows_its_evidence_and_needs_no_reason():
    found = finding("weight-ratio", weight_ratio(30))
    assert found.truth is MET
    assert found.reason == ""
    assert [(item.reference, item.value, item.date) for item in found.evidence] == [
        ("Observation/o1", "30 kg/m2", "2026-03-01")
    ]


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


@pytest.mark.parametrize(
    ("criterion", "resources", "values", "reason"),
    named(
        ("nothing on record", "weight-ratio", [], {}, "nothing on record"),
        ("not sent", "weight-ratio", [], {"observation": ...}, "Observation not sent (prefetch observation)"),
        ("failed", "weight-ratio", [], {"observation": OUTCOME}, "the EHR reported that it could not be read"),
        ("no unit", "weight-ratio", [weight_ratio(valueQuantity=quantity(30))], {}, "30 has no unit"),
        (
            "too old",
            "weight-ratio",
            [weight_ratio(effectiveDateTime="2020-01-01")],
            {},
            "2020-01-01 is more than 365 days ago",
        ),
        ("a code that cannot be read", "weight-ratio", [weight_ratio(code="39156-5")], {}, "Observation/o1"),
        ("two values of one day", "weight-ratio", [weight_ratio(30), weight_ratio(40, id="o2")], {}, "disagree"),
        ("a date too coarse", "adult", [patient(birthDate="2008")], {}, "does not settle it"),
        ("no onset", "pain-duration", [condition(onsetDateTime=...)], {}, "onset not recorded"),
        (
            "not completed",
            "can-hum",
            [attested({"can-hum": {"valueBoolean": True}}, status="in-progress")],
            {},
            "not completed",
        ),
        (
            "record and attestation",
            "no-infection",
            [condition(code=concept(ICD10CM, "M00.9")), attested({"no-infection": {"valueBoolean": True}})],
            {},
            "record and attestation disagree",
        ),
        ("a hint", "exercised", [medicine()], {}, "outcome not recorded"),
    ),
)
def test_what_is_unknown_says_why(criterion, resources, values, reason):
    found = finding(criterion, *resources, **values)
    assert found.truth is UNKNOWN
    assert reason in found.reason


def test_a_hint_is_shown_and_settles_nothing():
    found = finding("exercised", medicine())
    assert found.truth is UNKNOWN
    assert [item.reference for item in found.evidence] == ["MedicationRequest/m1"]


def test_a_hint_is_silent_once_the_criterion_is_settled():
    settled = (medicine(), procedure(), attested({"can-hum": {"valueBoolean": True}}))
    found = finding("exercised", *settled)
    assert found.truth is MET
    assert "MedicationRequest/m1" not in {item.reference for item in found.evidence}


def test_a_reason_speaks_only_of_what_the_criterion_reads():
    found = finding("weight-ratio", condition(code="M25.561"), condition=...)
    assert found.reason == "nothing on record"


def test_of_many_values_too_old_the_newest_is_named():
    old = [weight_ratio(30, id=f"o{number}", effectiveDateTime=f"20{10 + number}-01-01") for number in range(6)]
    reason = finding("weight-ratio", *old).reason
    assert "2015-01-01 is more than 365 days ago" in reason
    assert "2014" not in reason


def test_many_things_that_do_not_count_are_cut_short():
    wrong = [weight_ratio(id=f"o{number}", valueQuantity=quantity(30 + number, unit="lb")) for number in range(6)]
    assert finding("weight-ratio", *wrong).reason.endswith("3 more on record do not count")


@pytest.mark.parametrize("turn", [1, -1], ids=["one way", "the other way"])
def test_the_reason_does_not_depend_on_the_order_of_the_chart(turn):
    old = [
        weight_ratio(30 + number, id=f"o{number}", effectiveDateTime=f"20{10 + number}-01-01") for number in range(3)
    ]
    assert finding("weight-ratio", *old[::turn]) == finding("weight-ratio", *old)


# --- verdicts ---------------------------------------------------------------------------------------------------------

YES = {"valueBoolean": True}
LABEL_MET = (condition(), attested({"can-hum": YES, "no-infection": YES}))


def decided(*resources, **values):
    found = chart(*resources, **values)
    known = gather.gather(minimal(), found, FORMS, TODAY)
    return decide(minimal(), found, known, None, TODAY)


@pytest.mark.parametrize(
    ("resources", "labelled", "studied", "withheld"),
    named(
        ("nothing known but the age", [], "unknown", "unknown", False),
        ("the label met, the trials open", LABEL_MET, "met", "unknown", False),
        ("the label met, the trials not", [*LABEL_MET, weight_ratio(40)], "met", "not-met", False),
        (
            "all met",
            [
                *LABEL_MET,
                weight_ratio(30),
                observation("97909-6", id="o2", valueQuantity=quantity(44, code="%")),
                observation("72514-3", id="o3", valueInteger=7),
            ],
            "met",
            "met",
            False,
        ),
        (
            "one label criterion not met, others open",
            [condition(onsetDateTime="2026-03-01")],
            "not-met",
            "unknown",
            True,
        ),
        ("too young for both", [patient(birthDate="2020-01-01")], "not-met", "not-met", True),
    ),
)
def test_verdicts_are_kept_apart(resources, labelled, studied, withheld):
    decision = decided(*resources)
    assert [verdict.truth.value for verdict in decision.verdicts] == [labelled, studied, "unknown"]
    assert decision.codes_withheld is withheld


def test_a_criterion_in_no_verdict_decides_nothing_and_is_for_review():
    assert [item.criterion.id for item in decided().outside_verdicts] == ["exercised"]


def test_a_stimulator_on_record_is_for_review():
    device = {
        "resourceType": "Device",
        "id": "v1",
        "patient": {"reference": "Patient/p1"},
        "type": concept(None, "C1767"),
    }
    (says, evidence), *rest = decided(device).for_review
    assert says == "a stimulator is on record"
    assert [item.reference for item in evidence] == ["Device/v1"]
    assert rest == []
    assert decided().for_review == ()


def test_removing_evidence_meets_nothing():
    whole = [*LABEL_MET, weight_ratio(30), procedure()]
    met = {name for name, item in decided(*whole).findings.items() if item.truth is MET}
    for index in range(len(whole)):
        fewer = decided(*whole[:index], *whole[index + 1 :]).findings
        assert {name for name, item in fewer.items() if item.truth is MET} <= met


def test_a_criterion_reads_the_same_at_the_same_day_only():
    assert truth("weight-ratio", weight_ratio(30)) == "met"
    assert truth("weight-ratio", weight_ratio(30), today=TODAY.replace(year=2028)) == "unknown"
