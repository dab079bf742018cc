"""The variants of a call that the benchmark sends in turn differ in all but what they measure."""

import json
from datetime import date

import pytest

from tests.bench import workload
from tests.shipped import TODAY, answers

COUNT = 9


@pytest.fixture(scope="module")
def variants() -> list[dict]:
    return workload.rotated(workload.whole_card(TODAY)[1], COUNT)


def first_condition(variant: dict) -> dict:
    return variant["prefetch"]["condition"]["entry"][0]["resource"]


def test_the_first_variant_is_the_call_itself(variants):
    assert variants[0] == workload.whole_card(TODAY)[1]


def test_no_two_variants_share_a_patient_an_id_or_a_text(variants):
    patients = {variant["context"]["patientId"] for variant in variants}
    assert len(patients) == COUNT
    conditions = [first_condition(variant) for variant in variants]
    assert {condition["subject"]["reference"] for condition in conditions} == {f"Patient/{one}" for one in patients}
    assert len({condition["id"] for condition in conditions}) == COUNT
    assert len({json.dumps(condition["code"]) for condition in conditions}) == COUNT


def test_dates_differ_by_less_than_a_week(variants):
    days = [date.fromisoformat(first_condition(variant)["meta"]["lastUpdated"][:10]) for variant in variants]
    assert len(set(days)) == workload.DAYS
    assert (max(days) - min(days)).days == workload.DAYS - 1


def test_each_variant_ends_in_the_same_findings(variants):
    found = [
        {name: finding.truth for name, finding in answer.decision.findings.items()}
        for variant in variants
        for answer in answers(variant)
    ]
    assert found == [found[0]] * COUNT
