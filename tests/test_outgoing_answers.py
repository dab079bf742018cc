"""What the client of our own calls sends, and what it makes of invented answers; real servers are in test_outgoing."""

import pytest
import requests
import responses

from cds_service.clock import Deadline
from cds_service.ehr.addresses import Allowance
from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.received import OutgoingError

ADDRESS = "https://ehr.example/fhir/Patient/1"
ALLOWED = Allowance(bases=("https://ehr.example/fhir",))


@pytest.fixture
def server():
    with responses.RequestsMock() as mock:
        yield mock


def get(token: str | None = None, max_bytes: int = 1000):
    client = OutgoingClient()
    try:
        deadline = Deadline(30)
        return client.get(
            ADDRESS,
            accept="application/fhir+json",
            allowance=ALLOWED,
            deadline=deadline,
            max_bytes=max_bytes,
            token=token,
        )
    finally:
        client.close()


@pytest.mark.parametrize("status", [200, 201, 400, 401, 404, 410, 429, 500, 503])
def test_an_answer_is_reported_as_it_came_whatever_its_status(server, status):
    headers = {"Content-Type": "Application/FHIR+JSON; charset=utf-8", "Cache-Control": "max-age=60"}
    server.get(ADDRESS, body=b'{"a": 1}', status=status, headers=headers)
    received = get()
    assert (received.status, received.body, received.url) == (status, b'{"a": 1}', ADDRESS)
    assert (received.content_type, received.cache_control) == ("application/fhir+json", "max-age=60")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_an_error_and_not_followed(server, status):
    server.get(ADDRESS, status=status, headers={"Location": "https://ehr.example/fhir/Patient/2"})
    with pytest.raises(OutgoingError) as caught:
        get()
    assert caught.value.kind == "redirected"


def test_the_token_goes_out_where_there_is_one_and_nothing_else_of_ours(server):
    server.get(ADDRESS, body=b"{}")
    server.get(ADDRESS, body=b"{}")
    get()
    get("t0ken")
    open_call, granted = (call.request.headers for call in server.calls)
    assert "Authorization" not in open_call
    assert granted["Authorization"] == "Bearer t0ken"
    assert granted["Accept"] == "application/fhir+json"
    assert "Cookie" not in granted


def test_more_than_is_read_is_too_large(server):
    server.get(ADDRESS, body=b"x" * 1001)
    with pytest.raises(OutgoingError) as caught:
        get()
    assert caught.value.kind == "too-large"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (requests.exceptions.SSLError("of the certificate of ehr.example"), "tls"),
        (requests.exceptions.ConnectTimeout(TimeoutError("ehr.example")), "timeout"),
        (requests.exceptions.ConnectionError("ehr.example refused"), "unreachable"),
        (requests.exceptions.ChunkedEncodingError("ehr.example broke off"), "unreachable"),
    ],
)
def test_what_went_wrong_is_reported_without_the_address(server, error, kind):
    server.get(ADDRESS, body=error)
    with pytest.raises(OutgoingError) as caught:
        get()
    assert caught.value.kind == kind
    assert "ehr.example" not in caught.value.sentence
