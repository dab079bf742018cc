"""The expressions of a Questionnaire, by a FHIRPath engine of others, give what the service reads of every example."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import fhirpathpy
import pytest
from fhirpathpy.models import models

from cds_service.examples import examples
from cds_service.facts import gather
from cds_service.facts.evidence import Known
from cds_service.fhir.bundles import read_value
from cds_service.fhir.elements import Json
from cds_service.policy.model import Policy
from cds_service.questionnaire.draft import recorded_answer
from cds_service.questionnaire.population import INITIAL, VARIABLE, is_populated
from cds_service.questionnaire.questions import questions
from cds_service.questionnaire.rendering import questionnaire
from cds_service.questionnaire.versions import Version
from tests.examples import FOLDER
from tests.fhir_queries import filled, searched
from tests.shipped import BASE, TODAY, answers, example, library

# A chart whose code systems are spelled in the EHR's own way: the service reads more than a query finds.
WRITTEN_OTHERWISE = {"epic-like"}
# What no FHIR server would hold.
BROKEN = {"broken-resources"}


class Case(NamedTuple):
    """One example as one policy reads it, without what was answered before."""

    name: str
    policy: Policy
    known: Known
    patient: str
    resources: list[Json]


def _resources(request: Any) -> Iterator[Json]:
    for value in request["prefetch"].values():
        for found in read_value(value).by_type.values():
            yield from found


@cache
def cases() -> tuple[Case, ...]:
    found = []
    for name in sorted(examples(FOLDER).keys() - BROKEN):
        request = example(name)
        for answer in answers(request):
            if answer.decision is not None and answer.assessment is not None:
                policy = answer.policy
                chart, order = answer.assessment.chart, answer.decision.order
                known = gather.gather(policy, chart, frozenset(), TODAY, order)
                found.append(Case(name, policy, known, request["context"]["patientId"], list(_resources(request))))
    return tuple(found)


def extensions(item: Json, url: str) -> list[Any]:
    return [extension["valueExpression"] for extension in item.get("extension", ()) if extension["url"] == url]


def items(parent: Json) -> Iterator[Json]:
    for item in parent.get("item", ()):
        yield item
        yield from items(item)


def environment(form: Json, case: Case, today: date) -> dict[str, Any]:
    known: dict[str, Any] = {"patient": {"resourceType": "Patient", "id": case.patient}, "user": {"id": "dr-example"}}
    for found in extensions(form, VARIABLE):
        if found["language"] == "application/x-fhir-query":
            known[found["name"]] = searched(filled(found["expression"], case.patient, today), case.resources)
        else:
            known[found["name"]] = fhirpathpy.evaluate({}, found["expression"], known, models["r4"])
    return known


def populated(case: Case) -> dict[str, Any]:
    """linkId -> the value that the form's own expression gives."""
    form = questionnaire(case.policy, BASE)
    known = environment(form, case, TODAY)
    found = {}
    for item in items(form):
        for expression in extensions(item, INITIAL):
            values = fhirpathpy.evaluate({}, expression["expression"], known, models["r4"])
            assert len(values) <= 1
            found[item["linkId"]] = _plain(values[0]) if values else None
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal | int | float):
        return float(value)
    # A date keeps the text that it was made of, which may be partial.
    return value if isinstance(value, str) else value.asStr


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.name}-{case.policy.procedure}")
def test_each_expression_gives_the_value_that_the_service_reads(case):
    given = populated(case)
    assert given.pop("attester.name") == "Practitioner/dr-example"
    read = {
        question.link_id: _plain(answer.value) if answer else None
        for question in questions(case.policy)
        if is_populated(question)
        for answer in [recorded_answer(question, case.known)]
    }
    if case.name in WRITTEN_OTHERWISE:
        assert {link: value for link, value in given.items() if value is not None}.items() <= read.items()
    else:
        assert given == read


def test_the_examples_populate_every_question_that_has_an_expression():
    for policy in library().policies:
        wanted = {question.link_id for question in questions(policy) if is_populated(question)}
        given = [populated(case) for case in cases() if case.policy is policy]
        assert {link for values in given for link, value in values.items() if value is not None} >= wanted
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
    assert extensions(form, VARIABLE) == []
