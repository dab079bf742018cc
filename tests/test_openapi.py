"""/openapi.json describes what is served, all of it and nothing else; and what it describes holds for any request."""

from collections.abc import Iterator

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.specs.openapi.checks import positive_data_acceptance
from werkzeug.exceptions import HTTPException

from cds_service.app import create_app
from cds_service.operations.metrics import Metrics
from cds_service.operations.names import names_of
from cds_service.settings import Settings
from cds_service.surroundings import Surroundings
from tests.shipped import TODAY, library

URL = "https://cds.hospital.example"
# Files of the pages are not for programs.
NOT_DESCRIBED = {"static"}


def application(around: Surroundings | None = None) -> Flask:
    made = Settings(security_contact="mailto:security@hospital.example")
    return create_app(made, library(), URL, lambda: TODAY, around)


def application_with_metrics() -> Flask:
    return application(Surroundings(metrics=Metrics(names_of(library()))))


APP = application_with_metrics()
EVERYTHING = APP.test_client().get("/openapi.json").get_json()


def operations(document: dict) -> Iterator[tuple[str, str, dict]]:
    """Path, method and operation, one by one."""
    for path, item in document["paths"].items():
        for method in item.keys() & {"get", "post", "put", "patch", "delete", "head", "options", "trace"}:
            yield path, method, item[method]


def endpoint_of(path: str, method: str) -> str:
    try:
        endpoint, _ = APP.url_map.bind("").match(path.replace("{policy}", library().policies[0].id), method.upper())
    except HTTPException as error:
        return f"nothing: {error}"
    return endpoint


def test_every_route_is_described_and_every_described_path_exists():
    described = {endpoint_of(path, method) for path, method, _ in operations(EVERYTHING)}
    assert described == {rule.endpoint for rule in APP.url_map.iter_rules()} - NOT_DESCRIBED


def test_a_route_that_is_not_served_is_not_described():
    document = application().test_client().get("/openapi.json").get_json()
    assert EVERYTHING["paths"].keys() - document["paths"].keys() == {"/metrics"}


def test_a_route_added_later_is_described():
    app = application()
    app.add_url_rule("/readyz", "readyz", lambda: {})
    paths = app.test_client().get("/openapi.json").get_json()["paths"]
    assert set(paths["/readyz"]["get"]["responses"]) == {"200", "503"}


def test_each_service_is_described_as_discovery_lists_it():
    services = {entry["id"]: entry["hook"] for entry in APP.test_client().get("/cds-services").get_json()["services"]}
    described = {
        path.removeprefix("/cds-services/"): operation["operationId"].removeprefix("call-")
        for path, _, operation in operations(EVERYTHING)
        if operation["operationId"].startswith("call-")
    }
    assert described == services


def test_a3_8_every_refusal_described_is_an_operation_outcome():
    refusals = [
        answer
        for path, _, operation in operations(EVERYTHING)
        for status, answer in operation["responses"].items()
        if status[0] in "45" and path != "/readyz"
    ]
    assert len(refusals) > 20
    for answer in refusals:
        (media,) = answer["content"]
        schema = answer["content"][media]["schema"]
        assert (media, schema["$ref"]) == ("application/fhir+json", "#/components/schemas/OperationOutcome")


def test_the_document_names_our_own_address_and_release():
    assert EVERYTHING["servers"] == [{"url": URL}]
    assert EVERYTHING["openapi"].startswith("3.1.")


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_reference_leads_to_a_component():
    for reference in references(EVERYTHING):
        inner = EVERYTHING
        for name in reference.removeprefix("#/").split("/"):
            inner = inner[name]


def test_every_operation_has_a_name_of_its_own():
    names = [operation["operationId"] for _, _, operation in operations(EVERYTHING)]
    assert len(set(names)) == len(names)


def test_the_document_is_valid_openapi():
    DESCRIBED.validate()


def checks() -> ChecksConfig:
    # An order is only answered with its patient, which a schema cannot say.
    return ChecksConfig(positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=["200", "412"]))


def mixes_patients(body: object) -> bool:
    """Whether orders of the example are sent for another patient than theirs."""
    return "{'reference': 'Patient/p1'}" in str(body) and "'patientId': 'p1'" not in str(body)


GENERATED = GenerationConfig(deterministic=True, max_examples=40)
DESCRIBED = schemathesis.openapi.from_wsgi(
    "/openapi.json",
    APP,
    config=SchemathesisConfig(
        seed=20261123, projects=ProjectsConfig(default=ProjectConfig(generation=GENERATED, checks=checks()))
    ),
)


@DESCRIBED.parametrize()
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent_is_answered_as_described(case):
    # Nor can a schema say that the orders must be those of the patient.
    case.call_and_validate(excluded_checks=[positive_data_acceptance] if mixes_patients(case.body) else [])
