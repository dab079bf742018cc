"""Findings and verdicts: a finding for each criterion, why it is unknown, and what criteria come to together."""

import pytest

from cds_service.card.assessment import Assessment
from cds_service.facts import gather
from cds_service.facts.logic import Truth
from cds_service.facts.word import evaluate
from cds_service.verdicts import criteria
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

MET, NOT, UNKNOWN = Truth.MET, Truth.NOT_MET, Truth.UNKNOWN
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}


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
        ("a date too coarse", "adult", [patient(birthDate="2008")], {}, "do not settle it"),
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


@pytest.mark.parametrize(
    ("values", "times"), named(("nothing is open", {}, 1), ("a list failed", {"observation": OUTCOME}, 2))
)
def test_a_test_is_evaluated_again_only_where_something_is_open(monkeypatch, values, times):
    asked = []
    monkeypatch.setattr(criteria, "evaluate", lambda test, facts: asked.append(test.fact) or evaluate(test, facts))
    assert finding("weight-ratio", **values).truth is UNKNOWN
    assert asked.count("weight-ratio") == times


# --- verdicts ---------------------------------------------------------------------------------------------------------

YES = {"valueBoolean": True}
LABEL_MET = (condition(), attested({"can-hum": YES, "no-infection": YES}))


def decided(*resources, **values):
    found = chart(*resources, **values)
    known = gather.gather(minimal(), found, FORMS, TODAY)
    return decide(minimal(), found, known, None, TODAY)


@pytest.mark.parametrize(
    ("resources", "labeled", "studied", "withheld"),
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
def test_verdicts_are_kept_apart(resources, labeled, studied, withheld):
    decision = decided(*resources)
    assert [verdict.truth.value for verdict in decision.verdicts] == [labeled, studied, "unknown"]
    assert Assessment(decision, chart(*resources)).outcome.suggests is not withheld


def test_a_criterion_in_no_verdict_decides_nothing_and_is_for_review():
    assert [item.criterion.id for item in decided().outside_verdicts] == ["exercised"]


def test_a_stimulator_on_record_is_for_review():
    device = {
        "resourceType": "Device",
        "id": "v1",
        "patient": {"reference": "Patient/p1"},
        "type": concept(None, "C1767"),
    }
    (line, evidence), *rest = decided(device).for_review
    assert line.says == "a stimulator is on record"
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
