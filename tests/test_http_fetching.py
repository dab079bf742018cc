"""The whole way over HTTP: a call without prefetch is completed from the EHR's server, and told without the patient."""

import json
import logging
from datetime import date, timedelta

import pytest
import structlog
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.fetch import Fetcher
from cds_service.ehr.search import FetchLimits
from cds_service.examples import examples
from cds_service.hooks.feedback import DayRange
from cds_service.installation import Installation, names_of
from cds_service.operations import logs
from cds_service.operations.audit import AuditLog
from cds_service.operations.audit_lines import Wanted, read
from cds_service.operations.metrics import Metrics
from cds_service.settings.settings import Settings, data_folder
from cds_service.store.database import open_store
from cds_service.store.ledger import Ledger
from cds_service.store.shown import counts
from cds_service.trust.entries import anyone
from tests.canaries import Planted, found_below, found_in
from tests.fhir_server import FhirServer
from tests.shipped import TODAY, example, library

SIGN = "/cds-services/coverage-guidance-order-sign"
EXAMPLES = examples(data_folder("fhir_examples"))
HERE = anyone(this_machine=True)


@pytest.fixture
def installation(tmp_path):
    client = OutgoingClient()
    fetcher = Fetcher(client, FetchLimits(5_000_000, 20))
    store = open_store(None, tmp_path)
    metrics, log = Metrics(names_of(library())), AuditLog(tmp_path / "audit", b"a key of the tests", None)
    made = Installation(
        fetcher=fetcher,
        open_client=HERE,
        metrics=metrics,
        audit=log,
        store=store,
        ledger=Ledger(store, lambda error, lost: None),
    )
    yield made
    made.close()
    fetcher.close()
    client.close()


def client_of(installation: Installation, **settings) -> FlaskClient:
    return create_app(
        Settings(**settings), library(), "http://127.0.0.1:8080", lambda: TODAY, installation
    ).test_client()


def without_prefetch(body: dict, server: FhirServer) -> dict:
    granted = {"access_token": "t0ken", "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.rs"}
    return body | {"prefetch": {}, "fhirServer": server.base, "fhirAuthorization": granted}


def test_a_call_without_prefetch_gets_the_same_bytes_by_fetching(installation):
    body = example("typical-gaps")
    client = client_of(installation)
    sent = client.post(SIGN, json=body)
    with FhirServer(body["prefetch"], token="t0ken") as server:
        fetched = client.post(SIGN, json=without_prefetch(body, server))
    assert fetched.data == sent.data
    assert "fetch-observation" in fetched.headers["Server-Timing"]
    assert "evaluate;dur=" in fetched.headers["Server-Timing"]


def test_pages_are_fetched_where_links_name_an_inner_host(installation):
    """The host in the links leads nowhere: every page is asked of fhirServer, with the token."""
    body = example("typical-gaps")
    client = client_of(installation)
    with FhirServer(body["prefetch"], token="t0ken", page_size=1, inner="http://hapi_fhir:8080/fhir") as server:
        fetched = client.post(SIGN, json=without_prefetch(body, server))
        assert any("_start=1" in path for path, _ in server.calls)
    assert fetched.data == client.post(SIGN, json=body).data


@pytest.mark.parametrize("path", ["/elsewhere", "/fhir/..;", "/fhir/..;x=1", "/fhir/%2e%2e", "/fhir/.."])
def test_a_next_link_outside_of_the_base_is_not_followed(installation, path):
    body = example("typical-gaps")
    client = client_of(installation)
    with FhirServer(body["prefetch"], token="t0ken", page_size=1) as server:
        server.inner = f"http://127.0.0.1:{server.port}{path}"
        answer = client.post(SIGN, json=without_prefetch(body, server))
        assert not any("_start=1" in path for path, _ in server.calls)
    assert "the address of its next page is not allowed" in answer.get_json()["cards"][0]["detail"]


def test_a_resource_that_nobody_asked_for_spoils_nothing(installation):
    """Some servers add a resource to every search, and do not say why."""
    body = example("typical-gaps")
    client = client_of(installation)
    stray = {"resourceType": "Provenance", "id": "added"}
    with FhirServer(body["prefetch"], token="t0ken", stray=stray) as server:
        fetched = client.post(SIGN, json=without_prefetch(body, server))
    assert fetched.data == client.post(SIGN, json=body).data


@pytest.mark.parametrize("end", ["?", "#", "?x=1", "#x", "/?", "/..;/fhir", "/;x/../fhir", "/%2e%2e/fhir", "/./"])
def test_a_server_whose_address_can_be_read_in_two_ways_is_never_asked(installation, end):
    body = example("typical-gaps")
    with FhirServer(body["prefetch"], token="t0ken") as server:
        sent = without_prefetch(body, server) | {"fhirServer": server.base + end}
        sent["prefetch"] = {"patient": body["prefetch"]["patient"]}
        answer = client_of(installation).post(SIGN, json=sent)
        assert server.calls == []
    assert "is not one that this service may call" in answer.get_json()["cards"][0]["detail"]


def test_metrics_tell_how_each_key_came_and_what_is_unknown(installation):
    body = example("typical-gaps")
    client = client_of(installation)
    with FhirServer(example("typical-gaps")["prefetch"], token="t0ken") as server:
        del body["prefetch"]["observation"]
        client.post(SIGN, json=without_prefetch(body, server) | {"prefetch": body["prefetch"]})
    text = client.get("/metrics").get_data(as_text=True)
    assert 'cds_service_prefetch_total{key="observation",state="filled"} 1.0' in text
    assert 'cds_service_prefetch_total{key="patient",state="filled"} 1.0' in text
    assert 'outcome="card",service="coverage-guidance-order-sign"} 1.0' in text
    assert "cds_service_unknowns_total{" in text


PATIENT = {"resourceType": "Patient", "id": "another"}
ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
NEXT = [{"relation": "next", "url": "https://fhir.example/next"}]


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (None, "empty"),
        ({"resourceType": "Bundle"}, "empty"),
        ([], "empty"),
        ([{"resourceType": "Condition", "id": "c"}], "filled"),
        ({"resourceType": "Bundle", "link": NEXT, "entry": [{"resource": {"resourceType": "Condition"}}]}, "failed"),
        ({"resourceType": "Bundle", "entry": [{"resource": ERROR}]}, "failed"),
        ({"resourceType": "Bundle", "entry": [{"resource": PATIENT}]}, "failed"),
        (ERROR, "failed"),
        ("text", "failed"),
    ],
)
def test_a_prefetch_key_is_counted_in_the_state_that_the_chart_finds_though_nothing_is_fetched(value, state):
    with_metrics = Installation(metrics=Metrics(names_of(library())))
    client = client_of(with_metrics)
    # The prefetch of an order that concerns no statement is not read, and not counted.
    unread = example("unrelated-order") | {"prefetch": {"condition": value}}
    assert client.post(SIGN, json=unread).status_code == 200
    body = example("typical-gaps")
    body["prefetch"] = {"patient": body["prefetch"]["patient"], "condition": value}
    assert client.post(SIGN, json=body).status_code == 200
    text = client.get("/metrics").get_data(as_text=True)
    assert f'cds_service_prefetch_total{{key="condition",state="{state}"}} 1.0' in text
    assert 'cds_service_prefetch_total{key="device",state="missing"} 1.0' in text


def test_nobody_is_called_where_anyone_can_call_us():
    """In the open mode beyond this machine no address that a caller names is followed."""
    body = example("typical-gaps")
    with FhirServer(body["prefetch"], token="t0ken") as server:
        answer = client_of(Installation()).post(SIGN, json=without_prefetch(body, server))
        assert server.calls == []
    assert answer.status_code == 412


def test_lean_prefetch_asks_for_patient_and_coverage_alone(installation):
    services = client_of(installation, prefetch="lean").get("/cds-services").get_json()["services"]
    assert {tuple(one["prefetch"]) for one in services} == {("patient", "coverage")}


def test_a_client_that_calls_too_often_learns_when_to_call_again():
    client = client_of(Installation(rate_limit="2/minute"))
    body = example("unrelated-order")
    assert [client.post(SIGN, json=body).status_code for _ in range(2)] == [200, 200]
    refused = client.post(SIGN, json=body)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.get_json(force=True)["resourceType"] == "OperationOutcome"


def test_an_audit_log_that_cannot_be_written_costs_nobody_the_answer(installation, tmp_path):
    (tmp_path / "audit").write_text("no folder")
    client = client_of(installation)
    assert client.post(SIGN, json=example("typical-gaps")).status_code == 200
    assert "cds_service_audit_failures_total 1.0" in client.get("/metrics").get_data(as_text=True)


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("name", [name for name in EXAMPLES if EXAMPLES[name].about["service"] in SIGN])
def test_nothing_of_a_call_reaches_log_metrics_audit_or_store(installation, tmp_path, name, refused):
    """A mark in every text of the request is found in no output but the answer to the caller."""
    written = tmp_path / "log"
    before = logging.getLogger().handlers[:]
    try:
        with written.open("wb") as stream:
            logs.configure("json", "debug", names_of(library()), stream=stream)
            planted = Planted(example(name))
            body = dict(planted.request)
            if refused:
                body["context"] = [planted.mark()]
            client = client_of(installation)
            status = client.post(SIGN, data=json.dumps(body), content_type="application/json").status_code
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers[:] = before
    assert status == (400 if refused else 200)
    assert found_in(client.get("/metrics").data) == set()
    installation.ledger.flush()
    cards = 0 if refused else len(json.loads((EXAMPLES[name].folder / "response.json").read_text())["cards"])
    assert sum(row.cards for row in counts(installation.store, DayRange())) == cards
    assert found_below([tmp_path]) == {}
    day = date.today() + timedelta(days=1)
    assert len(list(read(tmp_path / "audit", Wanted(until=day), None, lambda problem: None))) == 1
