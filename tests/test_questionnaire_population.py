"""The expressions of a Questionnaire, evaluated by fhirpathpy, give what the service reads of every example."""

from decimal import Decimal
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.models import models

from cds_service.questionnaire.population import INITIAL, VARIABLE, is_populated
from cds_service.questionnaire.questions import questions
from cds_service.questionnaire.rendering import questionnaire
from cds_service.questionnaire.versions import Version
from tests.population_cases import Case, cases, computed, expressions, plain, searches
from tests.questionnaire_answers import items
from tests.shipped import BASE, TODAY, library


def populated(case: Case) -> dict[str, Any]:
    """linkId -> the value that the form's own expression gives."""
    form = questionnaire(case.policy, BASE)
    known = searches(form, case, TODAY)
    for name, expression in computed(form):
        known[name] = fhirpathpy.evaluate({}, expression, known, models["r4"])
    found = {}
    for item in items(form):
        for expression in expressions(item, INITIAL):
            values = fhirpathpy.evaluate({}, expression["expression"], known, models["r4"])
            assert len(values) <= 1
            found[item["linkId"]] = _plain(values[0]) if values else None
    return found


def _plain(value: Any) -> float | str:
    # A date keeps the text that it was made of, which may be partial.
    return plain(value if isinstance(value, Decimal | int | float | str) else value.asStr)


@pytest.mark.parametrize("case", cases(), ids=str)
def test_each_expression_gives_the_value_that_the_service_reads(case):
    given = populated(case)
    assert given.pop("attester.name") == "Practitioner/dr-example"
    assert case.agrees(given)


def test_the_examples_populate_every_question_that_has_an_expression():
    for policy in library().policies:
        wanted = {question.link_id for question in questions(policy) if is_populated(question)}
        # The expressions give these very values (above).
        read = [case.read for case in cases() if case.policy is policy]
        assert {link for values in read for link, value in values.items() if value is not None} >= wanted
        assert wanted


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ({}, 7.0),
        ({"valueQuantity": {"value": 66, "unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm"}}, 6.6),
        ({"valueQuantity": {"value": 11, "unit": "{score}"}}, None),
        ({"valueQuantity": {"value": 7, "comparator": ">"}}, None),
        ({"valueQuantity": {"value": 70, "unit": "%"}}, None),
        ({"status": "entered-in-error"}, None),
        ({"effectiveDateTime": "2026-08-24"}, None),
        ({"bodySite": {"coding": [{"system": "http://snomed.info/sct", "code": "72696002"}]}}, None),
        ({"valueQuantity": None, "valueString": "7"}, None),
    ],
)
def test_a_score_that_is_not_certain_fills_in_nothing(changed, value):
    case = next(case for case in cases() if case.name == "typical-gaps")
    score = {
        "resourceType": "Observation",
        "id": "pain",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "72514-3"}]},
        "effectiveDateTime": "2026-11-13",
        "valueQuantity": {"value": 7, "unit": "{score}", "system": "http://unitsofmeasure.org", "code": "{score}"},
    }
    resource = {name: part for name, part in (score | changed).items() if part is not None}
    assert populated(case._replace(resources=[resource]))["pain-severity"] == value


@pytest.mark.parametrize("policy", library().policies, ids=lambda policy: policy.id)
def test_the_older_version_carries_no_expression(policy):
    form = questionnaire(policy, BASE, Version.V2_0_1)
    assert "expression" not in str(form).lower()
    assert expressions(form, VARIABLE) == []
