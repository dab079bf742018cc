"""Open calls over HTTP: pages of other sites can neither call the service nor reach it by a name of their own."""

import json

import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError

from cds_service.app import create_app
from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.fetch import Fetcher
from cds_service.ehr.search import FetchLimits
from cds_service.ehr.templates import resolve
from cds_service.hooks.feedback import DayRange
from cds_service.installation import Installation, names_of
from cds_service.operations.check_names import CHECKS
from cds_service.operations.metrics import Metrics
from cds_service.operations.readiness import Readiness
from cds_service.settings.settings import Settings
from cds_service.store.database import open_store
from cds_service.store.feedback import kept
from cds_service.trust.entries import anyone
from tests.fhir_server import FhirServer
from tests.shipped import PUBLIC_URL, TODAY, example, library
from tests.test_commands import ROOT
from tests.test_http import outcome_of
from tests.test_trust_tokens import PATH, live, now_headers

SIGN = "/cds-services/coverage-guidance-order-sign"
SANDBOX = "https://sandbox.cds-hooks.org"
EHR = "https://ehr.example"
HOOK_INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
FEEDBACK = {"feedback": [{"card": "c1", "outcome": "accepted", "outcomeTimestamp": "2026-11-23T08:00:00Z"}]}


@pytest.fixture
def installation(tmp_path):
    """All that an open service on this machine has."""
    http, store = OutgoingClient(), open_store(None, tmp_path)
    fetcher = Fetcher(http, FetchLimits(5_000_000, 20))
    yield Installation(
        fetcher=fetcher,
        open_client=anyone(this_machine=True),
        metrics=Metrics(names_of(library(), (), CHECKS)),
        store=store,
        readiness=Readiness(),
        workbench=True,
    )
    fetcher.close()
    http.close()
    store.close()


def client_of(installation: Installation, public_url: str = PUBLIC_URL, **settings: object) -> FlaskClient:
    return create_app(Settings(**settings), library(), public_url, lambda: TODAY, installation).test_client()


# --- hosts ------------------------------------------------------------------------------------------------------------

ASKED = [
    ("POST", SIGN),
    ("POST", f"{SIGN}/feedback"),
    ("OPTIONS", SIGN),
    ("GET", "/"),
    ("GET", "/cds-services"),
    ("GET", "/feedback"),
    ("GET", "/feedback.csv"),
    ("GET", "/policies"),
    ("GET", f"/policies/{library().policies[0].id}.json"),
    ("GET", "/workbench/patients/typical-gaps"),
    ("GET", "/workbench/fhir/typical-gaps/Patient"),
    ("POST", "/workbench/markdown"),
    ("GET", "/nowhere"),
]
HOSTILE_HOSTS = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example:8080",
    "evil-localhost",
    "127.0.0.1@evil.example",
    "2130706433",
    "0.0.0.0:8080",
    "10.0.0.1",
    "[::2]:8080",
    "[::ffff:10.0.0.1]",
    "[::1",
    "",
]
OWN_HOSTS = ["localhost", "LOCALHOST:8080", "localhost.", "127.0.0.1:8080", "127.0.0.2", "[::1]:8080", "[::1]"]


@pytest.mark.parametrize(("method", "path"), ASKED)
def test_a_name_that_leads_here_is_refused_everywhere(installation, method, path):
    """DNS rebinding: the page of evil.example lets its name lead to this machine, and reads what the browser gets."""
    body = example("typical-gaps") if method == "POST" else None
    answer = client_of(installation).open(path, method=method, json=body, headers={"Host": "evil.example:8080"})
    assert answer.status_code == 421
    assert "CDS_SERVICE_ALLOWED_HOSTS" in outcome_of(answer)["diagnostics"]
    assert b"evil" not in answer.data


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_hosts_that_are_none_of_ours(installation, host):
    answer = client_of(installation).post(SIGN, json=example("typical-gaps"), headers={"Host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_every_name_of_this_machine_is_answered(installation, host):
    answer = client_of(installation).post(SIGN, json=example("typical-gaps"), headers={"Host": host})
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_answer_to_any_host(installation, path):
    client = client_of(installation)
    asked = [client.get(path, headers={"Host": host}).status_code for host in ("localhost", "10.1.2.3:8080")]
    assert asked[0] == asked[1] != 421


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("cds.hospital.example", 200),
        ("CDS.hospital.example:443", 200),
        ("inner", 200),
        ("inner:8080", 200),
        ("10.0.0.7:8080", 200),
        ("[fd00::7]:8080", 200),
        ("localhost", 200),
        ("other.hospital.example", 421),
        ("10.0.0.8", 421),
    ],
)
def test_beyond_this_machine_the_public_host_and_those_of_the_setting_are_answered(installation, host, status):
    client = client_of(
        installation, "https://cds.hospital.example/cds", allowed_hosts=["inner", "10.0.0.7", "[fd00::7]"]
    )
    assert client.get("/policies", headers={"Host": host}).status_code == status


def test_a_trusted_proxy_says_the_host():
    client = client_of(Installation(trusted_proxies=1), "https://cds.hospital.example")
    for said, status in (("cds.hospital.example", 200), ("evil.example", 421)):
        assert client.get("/policies", headers={"X-Forwarded-Host": said}).status_code == status


def test_with_trust_on_the_token_decides_and_not_the_host():
    client = client_of(Installation(verifier=live()))
    headers = now_headers() | {"Host": "any.example", "Origin": "https://any.example"}
    answer = client.post(PATH, json=example("unrelated-order"), headers=headers)
    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("host", ["https://cds.example", "cds.example:8080", "cds.example/x", "::1", "*", "a b", ""])
def test_a_host_that_is_none_stops_the_start(host):
    with pytest.raises(ValidationError, match="without scheme, port, or path"):
        Settings(allowed_hosts=[host])


# --- origins ----------------------------------------------------------------------------------------------------------

FOREIGN = [
    "https://evil.example",
    "null",
    "http://sandbox.cds-hooks.org",
    "https://sandbox.cds-hooks.org:8443",
    "https://sandbox.cds-hooks.org.evil.example",
    "https://xsandbox.cds-hooks.org",
    "https://sandboxxcds-hooks.org",
    "http://localhost:9999",
    "https://localhost",
    "",
]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("path", [SIGN, f"{SIGN}/feedback", "/workbench/markdown"])
def test_a_call_of_another_origin_is_refused_and_has_no_effect(installation, origin, path):
    body = example("typical-gaps")
    client = client_of(installation)
    with FhirServer(body["prefetch"]) as server:
        sent = FEEDBACK if path.endswith("feedback") else body | {"prefetch": {}, "fhirServer": server.base}
        answer = client.post(path, json=sent, headers={"Origin": origin})
        assert server.calls == []
    assert answer.status_code == 403
    assert "CDS_SERVICE_CORS_ORIGINS" in outcome_of(answer)["diagnostics"]
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert list(kept(installation.store, DayRange())) == []


@pytest.mark.parametrize("origin", [None, SANDBOX, PUBLIC_URL, "http://localhost"])
def test_calls_of_our_own_pages_of_the_sandbox_and_of_programs_are_answered_and_completed(installation, origin):
    body = example("typical-gaps")
    client = client_of(installation)
    headers = {"Origin": origin} if origin else {}
    with FhirServer(body["prefetch"]) as server:
        answer = client.post(SIGN, json=body | {"prefetch": {}, "fhirServer": server.base}, headers=headers)
        assert server.calls != []
    assert answer.data == client.post(SIGN, json=body).data
    assert client.post(f"{SIGN}/feedback", json=FEEDBACK, headers=headers).status_code == 200
    assert len(list(kept(installation.store, DayRange()))) == 1


def preflight(client: FlaskClient, origin: str, path: str = SIGN):
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}
    return client.options(path, headers={"Origin": origin, "Access-Control-Request-Private-Network": "true"} | asked)


@pytest.mark.parametrize("path", [SIGN, f"{SIGN}/feedback", "/cds-services"])
def test_the_sandbox_may_call_a_service_on_this_machine(installation, path):
    answer = preflight(client_of(installation), SANDBOX, path)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == SANDBOX
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization, content-type"


@pytest.mark.parametrize("path", ["metadata", "Patient/rosalind-achterberg", "Condition?patient=rosalind-achterberg"])
def test_the_sandbox_may_read_the_fhir_servers_of_the_workbench_and_nothing_else_of_it(installation, path):
    """As the sandbox reads one in its own source: by GET, with no header but Accept."""
    client = client_of(installation)
    headers = {"Origin": SANDBOX, "Accept": "application/json+fhir"}
    answer = client.get(f"/workbench/fhir/typical-gaps/{path}", headers=headers)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, SANDBOX)
    asked = preflight(client, SANDBOX, f"/workbench/fhir/typical-gaps/{path}")
    assert asked.headers["Access-Control-Allow-Private-Network"] == "true"
    other = client.get(f"/workbench/fhir/typical-gaps/{path}", headers=headers | {"Origin": EHR})
    assert "Access-Control-Allow-Origin" not in other.headers
    patient = client.get("/workbench/patients/typical-gaps", headers=headers)
    assert "Access-Control-Allow-Origin" not in patient.headers


def test_the_sandbox_shows_a_card_for_a_patient_of_a_workbench_fhir_server(installation):
    """The steps of the integrator's guide, as the sandbox takes them: metadata, patients, a patient, prefetch, call."""
    client = client_of(installation)
    base = "/workbench/fhir/patient-view-multifidus"
    assert f"8080{base}`" in (ROOT / "docs" / "integrators-guide.md").read_text(encoding="utf-8")

    def read(query: str) -> dict:
        answer = client.get(f"{base}/{query}", headers={"Origin": SANDBOX, "Accept": "application/json+fhir"})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, SANDBOX)
        found: dict = answer.get_json(force=True)
        return found

    assert read("metadata")["resourceType"] == "CapabilityStatement"
    (patient,) = [entry["resource"]["id"] for entry in read("Patient")["entry"]]
    assert read(f"Patient/{patient}")["id"] == patient
    context = {"patientId": patient, "userId": "Practitioner/COREPRACTITIONER1"}
    prefetch = {
        key: read(resolve(template, context).relative) for key, template in library().prefetch_templates.items()
    }
    call = {"hook": "patient-view", "hookInstance": HOOK_INSTANCE, "context": context, "prefetch": prefetch}
    answer = client.post("/cds-services/coverage-guidance-patient-view", json=call, headers={"Origin": SANDBOX})
    assert len(answer.get_json()["cards"]) == 1


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("path", [SIGN, f"{SIGN}/feedback", "/cds-services"])
def test_a_preflight_of_another_origin_fails(installation, origin, path):
    answer = preflight(client_of(installation), origin, path)
    assert not [name for name in dict(answer.headers) if name.lower().startswith("access-control-")]


def test_what_another_origin_may_read_is_not_readable_for_it(installation):
    client = client_of(installation)
    for path in ("/cds-services", "/policies", "/feedback", "/healthz"):
        assert "Access-Control-Allow-Origin" not in client.get(path, headers={"Origin": EHR}).headers


@pytest.mark.parametrize("origins", [[EHR], ["*"], ["http://[::1]:3000"]])
def test_the_setting_names_who_may_call(installation, origins):
    client = client_of(installation, cors_origins=origins)
    origin = EHR if origins == ["*"] else origins[0]
    answer = client.post(SIGN, json=example("typical-gaps"), headers={"Origin": origin})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, origin)
    assert preflight(client, origin).headers["Access-Control-Allow-Private-Network"] == "true"
    sandbox = client.post(SIGN, json=example("typical-gaps"), headers={"Origin": SANDBOX})
    assert sandbox.status_code == (200 if origins == ["*"] else 403)


def test_with_trust_on_cors_is_as_configured():
    client = client_of(Installation(verifier=live()), cors_origins=[EHR])
    for origin, allowed in ((EHR, EHR), (SANDBOX, None)):
        answer = client.post(
            PATH, json=example("unrelated-order"), headers=now_headers(jti=origin) | {"Origin": origin}
        )
        assert answer.status_code == 200
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed


@pytest.mark.parametrize("origin", ["ehr.example", "https://ehr.example/", "https://ehr.example/x", "https://*.e", ""])
def test_an_origin_that_is_none_stops_the_start(origin):
    with pytest.raises(ValidationError, match="must be an origin"):
        Settings(cors_origins=[origin])


def test_a_refusal_is_read_before_the_body(installation):
    answer = client_of(installation).post(SIGN, data=b"{" * 100, content_type="text/plain", headers={"Origin": EHR})
    assert answer.status_code == 403
    assert json.loads(answer.data)["resourceType"] == "OperationOutcome"
