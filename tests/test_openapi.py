"""/openapi.json describes everything that is served and nothing else; and what it describes holds for any request."""

from collections.abc import Iterator
from contextlib import closing

import pytest
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
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from werkzeug.exceptions import HTTPException

from cds_service.app import create_app
from cds_service.hooks.client_names import OPEN
from cds_service.installation import Installation, names_of
from cds_service.operations.metrics import Metrics
from cds_service.operations.readiness import Readiness
from cds_service.settings.settings import Settings
from cds_service.store.database import open_store
from cds_service.store.page_keys import KeptKeys
from cds_service.store.sealed_pages import SealedPages
from tests.shipped import TODAY, library

URL = "https://cds.hospital.example"
# Files of the pages are not for programs.
NOT_DESCRIBED = {"static"}


def application(installation: Installation | None = None) -> Flask:
    made = Settings(security_contact="mailto:security@hospital.example")
    return create_app(made, library(), URL, lambda: TODAY, installation)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Iterator[Flask]:
    """The application with every part that brings a route."""
    folder = tmp_path_factory.mktemp("store")
    with closing(open_store(None, folder)) as store:
        readiness = Readiness(None, 600)
        readiness.say([])
        pages = SealedPages(store, KeptKeys(folder / "evidence.key"), 8, [OPEN])
        yield application(
            Installation(metrics=Metrics(names_of(library())), store=store, readiness=readiness, evidence_pages=pages)
        )


@pytest.fixture(scope="module")
def everything(whole) -> dict:
    return whole.test_client().get("/openapi.json").get_json()


def operations(described: dict) -> Iterator[tuple[str, str, dict]]:
    """Path, method and operation, one by one."""
    for path, item in described["paths"].items():
        for method in item.keys() & {"get", "post", "put", "patch", "delete", "head", "options", "trace"}:
            yield path, method, item[method]


def endpoint_of(app: Flask, path: str, method: str) -> str:
    filled = path.replace("{policy}", library().policies[0].id).replace("{id}", "x")
    try:
        endpoint, _ = app.url_map.bind("").match(filled, method.upper())
    except HTTPException as error:
        return f"nothing: {error}"
    return endpoint


def test_every_route_is_described_and_every_described_path_exists(whole, everything):
    described = {endpoint_of(whole, path, method) for path, method, _ in operations(everything)}
    assert described == {rule.endpoint for rule in whole.url_map.iter_rules()} - NOT_DESCRIBED


def test_a_route_that_is_not_served_is_not_described(everything):
    made = application().test_client().get("/openapi.json").get_json()
    missing = everything["paths"].keys() - made["paths"].keys()
    assert {path for path in missing if not path.endswith("/feedback")} == {"/metrics", "/evidence/{id}"}
    assert len(missing) == 5


def test_a_route_added_later_is_described():
    app = application()
    app.add_url_rule("/metrics", "metrics", lambda: {})
    assert "/metrics" in app.test_client().get("/openapi.json").get_json()["paths"]


def test_each_service_is_described_as_discovery_lists_it(whole, everything):
    services = {entry["id"]: entry["hook"] for entry in whole.test_client().get("/cds-services").get_json()["services"]}
    described = {
        path.removeprefix("/cds-services/"): operation["operationId"].removeprefix("call-")
        for path, _, operation in operations(everything)
        if operation["operationId"].startswith("call-")
    }
    assert described == services


def test_a3_8_every_refusal_described_is_an_operation_outcome(everything):
    refusals = [
        answer
        for path, _, operation in operations(everything)
        for status, answer in operation["responses"].items()
        # What a browser shows a person is a page.
        if status[0] in "45" and path != "/readyz" and "text/html" not in answer["content"]
    ]
    assert len(refusals) > 20
    for answer in refusals:
        (media,) = answer["content"]
        schema = answer["content"][media]["schema"]
        assert (media, schema["$ref"]) == ("application/fhir+json", "#/components/schemas/OperationOutcome")


def test_the_document_names_our_own_address_and_release(everything):
    assert everything["servers"] == [{"url": URL}]
    assert everything["openapi"].startswith("3.1.")


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_reference_leads_to_a_component(everything):
    named = list(references(everything))
    assert "#/components/schemas/Readiness" in named
    for reference in named:
        inner = everything
        for name in reference.removeprefix("#/").split("/"):
            inner = inner[name]


def test_every_operation_has_a_name_of_its_own(everything):
    names = [operation["operationId"] for _, _, operation in operations(everything)]
    assert len(set(names)) == len(names)


def test_a_service_that_is_not_ready_says_so_as_described(everything):
    readiness = Readiness(None, 600)
    answer = application(Installation(readiness=readiness)).test_client().get("/readyz")
    shape = everything["components"]["schemas"]["Readiness"]["properties"]
    assert str(answer.status_code) in everything["paths"]["/readyz"]["get"]["responses"]
    assert answer.status_code == 503
    assert answer.get_json()["status"] in shape["status"]["enum"]
    # Concerns are reported where a check concerns a policy.
    assert answer.get_json().keys() == shape.keys() - {"concerns"}


def test_the_document_is_valid_openapi(described):
    described.validate()


def checks() -> ChecksConfig:
    # An order is only answered with its patient, which a schema cannot say.
    return ChecksConfig(positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=["200", "412"]))


def mixes_patients(body: object) -> bool:
    """Whether orders of the example are sent for another patient than theirs."""
    return "{'reference': 'Patient/p1'}" in str(body) and "'patientId': 'p1'" not in str(body)


GENERATED = GenerationConfig(deterministic=True, max_examples=40)


def has_a_readable_draft(body: object) -> bool:
    """Whether one of the drafts can be read: what of the others cannot is named, and costs the call nothing."""
    try:
        entries = body["context"]["draftOrders"]["entry"]  # type: ignore[index]
        return any(isinstance(entry["resource"]["resourceType"], str) for entry in entries if "resource" in entry)
    except (KeyError, TypeError):
        return False


PROJECT = ProjectConfig(generation=GENERATED, checks=checks())


@pytest.fixture(scope="module")
def described(whole) -> BaseSchema:
    """The document that is served, from which requests are made."""
    config = SchemathesisConfig(seed=20261123, projects=ProjectsConfig(default=PROJECT))
    return schemathesis.openapi.from_wsgi("/openapi.json", whole, config=config)


@pytest.fixture
def named(request: pytest.FixtureRequest) -> None:
    """Schemathesis 4.32 keeps the name of a test in an attribute that the nodes of pytest 9.2 no longer have."""
    request.node._nodeid = request.node.nodeid


# Made from a fixture, the requests are made by the one process that runs the test; otherwise each process makes them
# when it collects the tests, which takes as long as sending them. Each operation is a subtest.
@schemathesis.pytest.from_fixture("described").parametrize()
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@pytest.mark.usefixtures("named")
def test_whatever_is_sent_is_answered_as_described(case):
    # Nor can a schema say that the orders must be those of the patient.
    excluded = [positive_data_acceptance] if mixes_patients(case.body) else []
    if has_a_readable_draft(case.body):
        excluded.append(negative_data_rejection)
    # No id that is made up is one of a page.
    if case.path.startswith("/evidence/"):
        excluded.append(positive_data_acceptance)
    # What FHIR asks of its resources is FHIR's to describe, and no id or address that is made up is one of ours.
    if case.path.startswith("/fhir/"):
        excluded.append(positive_data_acceptance)
    # Feedback is described as CDS Hooks has it, and read as EHRs send it (cds_service.hooks.feedback).
    if case.path.endswith("/feedback"):
        excluded.append(negative_data_rejection)
    # The transport of the tests unpacks nothing.
    case.call_and_validate(excluded_checks=excluded, headers={"Accept-Encoding": "identity"})
