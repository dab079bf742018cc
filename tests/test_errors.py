"""Every error has one shape: its status, an OperationOutcome of one issue, and the headers that every answer carries.

The rules are those of CDS Hooks 2.0, "HTTP Status Codes" and "Calling a CDS Service", and of RFC 9110.
"""

import json
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPResponse

import pytest
import requests
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.installation import Installation
from cds_service.service import hook_call
from cds_service.settings.settings import Settings
from tests.serving import served
from tests.shipped import PUBLIC_URL, TODAY, example, library
from tests.test_http import outcome_of

SIGN = "/cds-services/coverage-guidance-order-sign"
ORIGIN = {"Origin": "https://ehr.example"}
LIMIT = 200_000
JSON = "application/json"


def client_of(installation: Installation | None = None) -> FlaskClient:
    app = create_app(
        Settings(max_body_bytes=LIMIT, cors_origins=[ORIGIN["Origin"]]),
        library(),
        PUBLIC_URL,
        lambda: TODAY,
        installation,
    )
    # As in production, where nobody catches what the application lets through.
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app.test_client()


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return client_of()


def call(**changes: object) -> bytes:
    return json.dumps(example("typical-gaps") | changes).encode()


def without_patient() -> bytes:
    request = example("typical-gaps")
    return json.dumps(request | {"prefetch": {**request["prefetch"], "patient": None}}).encode()


def post(data: bytes, content_type: str = JSON, path: str = SIGN, **headers: str) -> Callable[[FlaskClient], object]:
    return lambda client: client.post(path, data=data, content_type=content_type, headers=ORIGIN | headers)


def ask(method: str, path: str) -> Callable[[FlaskClient], object]:
    return lambda client: client.open(path, method=method, headers=ORIGIN)


def cut_off(client: FlaskClient) -> object:
    announced = {"CONTENT_LENGTH": "1000"}
    return client.post(SIGN, data=b"{}", content_type=JSON, headers=ORIGIN, environ_overrides=announced)


ERRORS = [
    # remark, status, issue type, what is asked
    ("A3.8 no JSON", 400, "structure", post(b"{")),
    ("A3.8 nothing", 400, "structure", post(b"")),
    ("A3.8 not UTF-8", 400, "structure", post(b'{"hook":"\xff"}')),
    ("A3.8 a byte order mark", 400, "structure", post(b"\xef\xbb\xbf" + call())),
    ("A3.8 not a number", 400, "structure", post(b'{"hook":NaN}')),
    ("A3.8 a number too large", 400, "structure", post(b'{"hook":1e999}')),
    ("A3.8 nested without end", 400, "too-costly", post(b"[" * 100_000)),
    ("A3.8 wrong types", 400, "structure", post(call(context=[]))),
    ("A3.1 no hook", 400, "required", post(call(hook=""))),
    ("A3.1 a grant without a server", 400, "required", post(call(fhirAuthorization={}))),
    ("A3.2 a grant of another kind", 400, "invalid", post(call(fhirServer="x", fhirAuthorization={"token_type": 1}))),
    ("A3.3 the hook of another service", 400, "invalid", post(call(hook="patient-view"))),
    ("A3.8 an unknown service", 404, "not-found", post(call(), path="/cds-services/nonsense")),
    ("A1.8 an unknown service asked for", 404, "not-found", ask("GET", "/cds-services/nonsense")),
    ("an unknown page", 404, "not-found", ask("GET", "/nowhere")),
    ("an unknown policy", 404, "not-found", ask("GET", "/policies/nonsense")),
    ("an unknown policy as JSON", 404, "not-found", ask("GET", "/policies/nonsense.json")),
    ("no contact for security", 404, "not-found", ask("GET", "/.well-known/security.txt")),
    ("A1.8 a service asked for", 405, "not-supported", ask("GET", SIGN)),
    ("A3.8 a service to be deleted", 405, "not-supported", ask("DELETE", SIGN)),
    ("A3.8 a call of discovery", 405, "not-supported", ask("POST", "/cds-services")),
    ("A3.8 a body announced and not sent", 408, "timeout", cut_off),
    ("A3.5 no patient", 412, "not-found", post(without_patient())),
    ("A3.8 a body too large", 413, "too-long", post(b" " * (LIMIT + 1))),
    ("A3.8 a form", 415, "not-supported", post(b"hook=x", "application/x-www-form-urlencoded")),
    ("A3.8 no type", 415, "not-supported", post(b"{}", "")),
    ("A3.8 another charset", 415, "not-supported", post(b"{}", "application/json; charset=latin-1")),
    ("A3.8 a compressed body", 415, "not-supported", post(b"{}", **{"Content-Encoding": "gzip"})),
]


def hold(answer, status: int, code: str) -> None:
    """All that is the same for every error."""
    assert answer.status_code == status
    assert outcome_of(answer)["code"] == code
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]


@pytest.mark.parametrize(("status", "code", "asked"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS])
def test_a3_7_every_error_is_one_operation_outcome_with_the_same_headers(client, status, code, asked):
    hold(asked(client), status, code)


def test_a3_8_every_status_that_is_described_for_a_call_is_tried(client):
    described = client.get("/openapi.json").get_json()["paths"][SIGN]["post"]["responses"].keys()
    # Hosts and origins: tests/test_open_calls.py.
    tried = {str(status) for _, status, _, _ in ERRORS} | {"200", "403", "421", "429", "500"}
    # A profile, and a store that is kept from writing, are nothing that a call alone can ask for.
    assert described - tried <= {"422", "503"}


def test_a3_8_too_many_calls_learn_when_to_call_again():
    client = client_of(Installation(rate_limit="1/minute"))
    assert post(call())(client).status_code == 200
    answer = post(call())(client)
    hold(answer, 429, "throttled")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_a3_8_a_bug_says_nothing_of_itself(client, monkeypatch, capsys):
    def broken(*arguments: object) -> None:
        raise ValueError("Marisol Quintero, born 1978")

    monkeypatch.setattr(hook_call, "answer", broken)
    answer = post(call())(client)
    hold(answer, 500, "exception")
    assert "Marisol" not in answer.get_data(as_text=True) + capsys.readouterr().err


def test_a_bug_in_a_page_is_reported_in_the_same_shape(monkeypatch):
    client = client_of()

    def broken() -> None:
        raise RuntimeError("details")

    client.application.view_functions["policies"] = broken
    answer = ask("GET", "/policies")(client)
    hold(answer, 500, "exception")
    assert b"details" not in answer.data


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (SIGN, {"POST", "OPTIONS"}),
        ("/cds-services", {"GET", "HEAD", "OPTIONS"}),
        ("/healthz", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a1_8_allow_lists_what_is_allowed_whether_refused_or_asked(client, path, allowed):
    for answer in (ask("PATCH", path)(client), ask("OPTIONS", path)(client)):
        assert set(answer.headers["Allow"].split(", ")) == allowed
    assert ask("OPTIONS", path)(client).status_code == 200


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), (SIGN, 405), ("/policies/nonsense", 404)])
def test_a_refused_head_has_no_body(client, path, status):
    answer = ask("HEAD", path)(client)
    assert (answer.status_code, answer.data) == (status, b"")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*;q=0", "image/png, text/*"])
def test_a3_8_what_is_accepted_decides_nothing(client, accept):
    """RFC 9110, section 12.5.1: a service may answer in another type than was asked for; ours has one."""
    answer = client.post(SIGN, data=call(), content_type=JSON, headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (200, JSON)
    hold(post(b"{", Accept=accept)(client), 400, "structure")


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "status", "root", "says"),
    [
        ("/nowhere", 404, "./", "There is nothing at /nowhere"),
        ("/policies/nonsense", 404, "../", "There is nothing at /policies/nonsense"),
        ("/cds-services/nonsense", 404, "../", "coverage-guidance-order-sign"),
        ("/static/none.css", 404, "../", "There is nothing"),
        ("/a/b/<script>", 404, "../../", "&lt;script&gt;"),
        ("/policies/", 404, "../", "There is nothing"),
        (SIGN, 405, "../", "GET is not allowed here"),
    ],
)
def test_a_person_with_a_browser_gets_a_page(client, path, status, root, says):
    answer = client.get(path, headers=BROWSER)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert says in answer.text
    assert f'href="{root}policies"' in answer.text
    assert "<script>" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, text/html;q=0.9"])
def test_a_program_gets_an_operation_outcome_at_an_unknown_address(client, accept):
    answer = client.get("/nowhere", headers={"Accept": accept} if accept else {})
    assert (answer.status_code, outcome_of(answer)["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    "path", ["/fhir", "/fhir/nowhere", "/fhir/Questionnaire/none", "/workbench/fhir/nobody/Patient"]
)
def test_a_fhir_server_answers_a_browser_too_with_an_operation_outcome(client, path):
    answer = client.get(path, headers=BROWSER)
    assert (answer.status_code, outcome_of(answer)["code"]) == (404, "not-found")


# --- over the real server, which reads from sockets ---


class Answer(HTTPResponse):
    """A response whose body is read."""

    body: bytes = b""


def converse(address: str, *parts: bytes, wait: float = 20) -> Answer | None:
    """Sends raw bytes; the answer with its body read, or None where the server hung up without one."""
    host, port = address.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=wait)) as connection:
        for part in parts:
            connection.sendall(part)
        answer = Answer(connection)
        try:
            answer.begin()
        except ConnectionError:
            return None
        answer.body = answer.read()
        answer.close()
        return answer


def head(path: str = SIGN, **headers: str) -> bytes:
    sent = {"Host": "127.0.0.1", "Content-Type": JSON, **{name.replace("_", "-"): headers[name] for name in headers}}
    return f"POST {path} HTTP/1.1\r\n".encode() + b"".join(f"{k}: {v}\r\n".encode() for k, v in sent.items()) + b"\r\n"


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    settings = {"CDS_SERVICE_MAX_BODY_BYTES": str(LIMIT)}
    with served(settings=settings) as (running, _):
        yield running


def issue_of(answer: Answer | None) -> tuple[int, str]:
    assert answer is not None
    outcome = json.loads(answer.body)
    assert (answer.headers["Content-Type"], outcome["resourceType"]) == ("application/fhir+json", "OperationOutcome")
    return answer.status, outcome["issue"][0]["code"]


def test_a_body_in_chunks_is_read(address):
    data = call()
    answer = converse(address, head(Transfer_Encoding="chunked"), chunk(data[:1000]), chunk(data[1000:]), chunk(b""))
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize(
    "path", ["http://evil.example", SIGN.replace("/cov", "//cov"), f"{SIGN}//", f"{SIGN}//feedback"]
)
def test_no_answer_redirects_to_the_host_that_was_named(address, path):
    """Path and token would be sent again, to an address of the Host header, without TLS."""
    data = call()
    answer = converse(address, head(path, Content_Length=str(len(data))), data)
    assert issue_of(answer)[0] in (404, 405)
    assert answer.headers["Location"] is None


def test_a3_8_a_body_too_large_is_refused_before_it_is_sent(address):
    assert issue_of(converse(address, head(Content_Length=str(LIMIT + 1)))) == (413, "too-long")


def test_a3_8_a_body_too_large_in_chunks_is_refused(address):
    parts = [chunk(b" " * 50_000) for _ in range(LIMIT // 50_000 + 1)]
    answer = converse(address, head(Transfer_Encoding="chunked"), *parts, chunk(b""))
    assert issue_of(answer) == (413, "too-long")


# The command, with little time for a request to arrive; still more than a call has in all.
IMPATIENT = """
import runpy
from cds_service.server import worker
worker.REQUEST_SECONDS = 2.0
runpy.run_module("cds_service", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def impatient() -> Iterator[str]:
    settings = {"CDS_SERVICE_CALL_SECONDS": "0.5"}
    with served(command=[sys.executable, "-c", IMPATIENT], settings=settings) as (running, _):
        yield running


def test_callers_that_announce_a_body_and_send_none_hold_nobody_up(impatient):
    """More of them than there are threads: others are served, and once each has had its time it learns so."""
    address = impatient
    host, port = address.removeprefix("http://").split(":")
    stalled = [socket.create_connection((host, int(port)), timeout=60) for _ in range(10)]
    try:
        for connection in stalled[:5]:
            connection.sendall(head(Content_Length="1000") + b"{")
        for connection in stalled[5:8]:
            connection.sendall(head(Transfer_Encoding="chunked") + b"ff\r\n{")
        for connection in stalled[8:]:
            connection.sendall(head()[:40])
        assert requests.get(f"{address}/healthz", timeout=60).status_code == 200
        answers = []
        for connection in stalled[:8]:
            answer = Answer(connection)
            answer.begin()
            answer.body = answer.read()
            answers.append(issue_of(answer))
            answer.close()
        assert set(answers) == {(408, "timeout")}
    finally:
        for connection in stalled:
            connection.close()
