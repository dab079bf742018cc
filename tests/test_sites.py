"""Where a record points: what names another part of the body, or another reason, is reported and does not count."""

from dataclasses import replace
from datetime import date

import pytest

from cds_service.chart.evidence_rules import judge
from cds_service.chart.records import Match, Record
from cds_service.chart.sites import why_elsewhere
from cds_service.fhir.terminology import ICD10CM
from cds_service.policy.codes import Code, CodeSet
from tests.charts import CPT, SNOMED, chart, concept, condition, minimal, named, procedure

TODAY = date(2026, 3, 15)


def code_set(phrases, *families, unless=()):
    rows = tuple(
        Code(
            system=ICD10CM,
            system_name="ICD-10-CM",
            code=begins,
            label=begins,
            seen="verbatim",
            provenance="made up",
            valid_from=None,
            valid_until=None,
            prefix=True,
        )
        for begins in families
    )
    spaced = [tuple(f" {phrase} " for phrase in listed) for listed in (phrases, unless)]
    return CodeSet(
        name="made-up", title="Made up", codes=rows, exact={}, families=rows, phrases=spaced[0], unless=spaced[1]
    )


RULE = replace(
    minimal().facts["exercise"],
    elsewhere=code_set(("shoulder", "wrist", "migraine"), "M75", unless=("knee",)),
    only_for=(code_set(("knee", "pain"), "M25.56"),),
)


def why(resource, *others, part=None):
    match = Match(Record("Procedure", "Procedure/x1", resource), part or resource, None, "exercise", False)
    return why_elsewhere(RULE, match, chart(resource, *others))


BURSITIS = condition(id="bursitis", code=concept(ICD10CM, "M75.51"))
REFUTED = {**BURSITIS, "id": "refuted", "verificationStatus": {"coding": [{"code": "refuted"}]}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    named(
        ("nothing named", {}, None),
        ("a site elsewhere", {"bodySite": [{"text": "Left wrist"}]}, "is of another body site (Left wrist)"),
        ("two sites elsewhere", {"bodySite": [{"text": "Wrist"}, {"text": "Shoulder"}]}, "(Wrist, Shoulder)"),
        ("one of two sites elsewhere", {"bodySite": [{"text": "Wrist"}, {"text": "Knee"}]}, None),
        ("a site of which nothing is known", {"bodySite": [{"text": "Left side"}]}, None),
        (
            "the site before the reason",
            {"bodySite": [{"text": "Knee"}], "reasonCode": [{"text": "Migraine"}]},
            "another",
        ),
        ("its own words", {"code": concept(CPT, "97110") | {"text": "Exercise, wrist"}}, "is about another part"),
        ("both in its own words", {"code": {"text": "Exercise of wrist and knee"}}, None),
        ("a reason elsewhere", {"reasonCode": [{"text": "Migraine"}]}, "is for another reason (Migraine)"),
        ("a reason elsewhere by its code", {"reasonCode": [concept(ICD10CM, "M75.101")]}, "is for another reason"),
        ("a reason that is not listed", {"reasonCode": [{"text": "Unsteady"}]}, "is for another reason (Unsteady)"),
        ("a reason that is listed", {"reasonCode": [{"text": "Pain"}]}, None),
        ("one of two reasons is listed", {"reasonCode": [{"text": "Migraine"}, {"text": "Knee pain"}]}, None),
        ("a code of the listed family", {"reasonCode": [concept(ICD10CM, "M25.561")]}, None),
        ("a code beside the listed family", {"reasonCode": [concept(ICD10CM, "I10")]}, "is for another reason"),
        ("its code speaks before its words", {"reasonCode": [concept(ICD10CM, "M25.561") | {"text": "Wrist"}]}, None),
        ("a code without words that nobody knows", {"reasonCode": [concept(SNOMED, "1")]}, None),
        ("an empty reason", {"reasonCode": [{}]}, None),
        ("a diagnosis elsewhere", {"reasonReference": [{"reference": "Condition/bursitis"}]}, "is for another reason"),
        ("a diagnosis that was refuted", {"reasonReference": [{"reference": "Condition/refuted"}]}, None),
    ),
)
def test_what_a_record_names(changes, expected):
    said = why({**procedure(), **changes}, BURSITIS, REFUTED)
    assert said is None if expected is None else expected in said


def test_a_care_plan_says_what_it_addresses_and_an_activity_why_it_is_done():
    plan = {"resourceType": "CarePlan", "addresses": [{"reference": "Condition/bursitis"}]}
    assert why(plan, BURSITIS) == "is for another reason"
    activity = {"code": {"text": "Exercise"}, "reasonCode": [{"text": "Migraine"}]}
    assert why({"resourceType": "CarePlan"}, part=activity) == "is for another reason (Migraine)"
    assert why({"resourceType": "CarePlan"}, part={"code": {"text": "Exercise"}}) is None


def test_a_long_reason_is_cut():
    assert len(why(procedure(reasonCode=[{"text": "unsteady " * 50}]))) < 100


@pytest.mark.parametrize(
    ("changes", "remark"),
    named(
        ("without a reason", {}, "reason not recorded"),
        ("for one that counts", {"reasonCode": [{"text": "Knee pain"}]}, ""),
        ("still under way", {"status": "in-progress"}, "in progress, reason not recorded"),
    ),
)
def test_a_visit_that_counts_says_where_its_reason_is_not_recorded(changes, remark):
    visit = {"resourceType": "Encounter", "id": "v1", "status": "finished", "type": [{"text": "exercise"}]} | changes
    match = Match(Record("Encounter", "Encounter/v1", visit), visit, None, "exercise", False)
    assert judge(RULE, match, chart(visit), TODAY) == (None, remark)
