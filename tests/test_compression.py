"""Answers are compressed where that is asked for, and only where nothing of the request is in them."""

import gzip

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.installation import Installation
from cds_service.settings.settings import Settings
from cds_service.store.database import open_store
from cds_service.web.compression import SHORTEST
from tests.shipped import PUBLIC_URL, TODAY, example, library

SIGN = "/cds-services/coverage-guidance-order-sign"
POLICY = f"/policies/{library().policies[0].id}"
ASKS = {"Accept-Encoding": "gzip, deflate, br"}
LARGE = ["/", "/policies", POLICY, f"{POLICY}.json", "/services", "/cds-services", "/openapi.json"]
LARGE += ["/static/design.css", "/static/workbench/main.js"]


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> FlaskClient:
    store = open_store(None, tmp_path_factory.mktemp("store"))
    installation = Installation(store=store, workbench=True)
    yield create_app(Settings(), library(), PUBLIC_URL, lambda: TODAY, installation).test_client()
    store.close()


@pytest.mark.parametrize("path", LARGE)
def test_pages_documents_and_files_are_compressed_where_asked_for(client, path):
    plain, packed = client.get(path), client.get(path, headers=ASKS)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 2
    assert "Content-Encoding" not in plain.headers
    for answer in (plain, packed):
        assert "Accept-Encoding" in answer.vary
    assert client.get(path, headers=ASKS).data == packed.data


@pytest.mark.parametrize("encodings", ["br", "identity", "gzip;q=0", "*;q=0", ""])
def test_what_is_not_asked_for_is_not_done(client, encodings):
    assert "Content-Encoding" not in client.get(POLICY, headers={"Accept-Encoding": encodings}).headers


@pytest.mark.parametrize(
    "path", ["/feedback?since=2026-11-01", f"{POLICY}?x=1", "/workbench/fhir/typical-gaps/Patient?_id=1"]
)
def test_an_answer_that_may_repeat_the_request_is_not_compressed(client, path):
    """BREACH: of a compressed answer the size tells how much of a guess is in it."""
    answer = client.get(path, headers=ASKS)
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers


def test_cards_and_errors_are_not_compressed(client):
    answer = client.post(SIGN, json=example("typical-gaps"), headers=ASKS)
    assert len(answer.data) > SHORTEST
    assert "Content-Encoding" not in answer.headers
    missing = client.get("/" + "x" * 2000, headers=ASKS | {"Accept": "text/html"})
    assert (missing.status_code, missing.headers.get("Content-Encoding")) == (404, None)


def test_short_answers_stay_as_they_are(client):
    assert "Content-Encoding" not in client.get("/healthz", headers=ASKS).headers


def test_a_compressed_file_is_distinguished_and_can_be_asked_for_again(client):
    plain, packed = (client.get("/static/design.css", headers=headers) for headers in ({}, ASKS))
    assert packed.get_etag() == (plain.get_etag()[0], True)
    again = client.get("/static/design.css", headers=ASKS | {"If-None-Match": packed.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    again.close()


def test_head_has_the_headers_of_get(client):
    got, head = client.get(POLICY, headers=ASKS), client.head(POLICY, headers=ASKS)
    assert head.data == b""
    for name in ("Content-Encoding", "Content-Length", "Vary"):
        assert head.headers[name] == got.headers[name]
