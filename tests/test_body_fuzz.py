"""Spoiled hook requests over HTTP: whatever is sent, the answer is cards or one OperationOutcome, and nothing leaks.

A resource that cannot be read spoils its own criterion: no card may say that a statement could not be evaluated.
"""

import io
import json
import logging
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.app import create_app
from cds_service.examples import examples
from cds_service.installation import names_of
from cds_service.operations import logs
from cds_service.settings.settings import Settings, data_folder
from tests.canaries import Planted, found_in
from tests.mutations import KINDS, SPOILED, Mutation, apply, spoil
from tests.shipped import TODAY, library
from tests.test_http import outcome_of, schema

EXAMPLES = sorted(examples(data_folder("fhir_examples")))
ANSWERS = {200, 400, 412, 413, 415, 422}
RESPONSE = schema("response")
SHARE = st.integers(0, 999_999)
CHOICE = st.integers(0, 9_999)
MUTATIONS = st.lists(st.builds(Mutation, st.sampled_from(KINDS), SHARE, CHOICE), min_size=1, max_size=6)
BYTES = st.lists(st.tuples(st.sampled_from(SPOILED), SHARE, CHOICE), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def log() -> Iterator[io.BytesIO]:
    root = logging.getLogger()
    handlers, level, raising = [*root.handlers], root.level, logging.raiseExceptions
    stream = io.BytesIO()
    logs.configure("json", "debug", names_of(library()), stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return create_app(Settings(), library(), "http://127.0.0.1:8080", lambda: TODAY).test_client()


@cache
def planted(name: str) -> bytes:
    """An example with a mark in every text that it can do without."""
    request = json.loads((data_folder("fhir_examples") / name / "request.json").read_text(encoding="utf-8"))
    return json.dumps(Planted(request).request).encode()


def mutated(name: str, mutations: list[Mutation]) -> Any:
    body = json.loads(planted(name))
    for mutation in mutations:
        apply(body, mutation)
    return body


def service_of(name: str) -> str:
    return f"/cds-services/{examples(data_folder('fhir_examples'))[name].about['service']}"


def hold(client: FlaskClient, log: io.BytesIO, path: str, data: bytes) -> int:
    """Posts a body; the status, after all that must hold for any answer was looked at."""
    log.seek(0)
    log.truncate()
    answer = client.post(path, data=data, content_type="application/json")
    assert answer.status_code in ANSWERS, (answer.status_code, log.getvalue())
    assert not found_in(log.getvalue())
    if answer.status_code == 200:
        assert [error.message for error in RESPONSE.iter_errors(answer.get_json())] == []
        assert b"policy-failed" not in log.getvalue(), log.getvalue().decode()
        assert not any("could not be evaluated" in card["summary"].lower() for card in answer.get_json()["cards"])
    else:
        outcome_of(answer)
        assert not found_in(answer.data)
    return answer.status_code


@given(name=st.sampled_from(EXAMPLES), mutations=MUTATIONS)
@settings(max_examples=180, suppress_health_check=list(HealthCheck))
def test_a_spoiled_request_is_answered_or_refused_and_nothing_leaks(client, log, name, mutations):
    hold(client, log, service_of(name), json.dumps(mutated(name, mutations)).encode())


@given(name=st.sampled_from(EXAMPLES), changes=BYTES)
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_spoiled_bytes_are_answered_or_refused_and_nothing_leaks(client, log, name, changes):
    data = planted(name)
    for kind, place, choice in changes:
        data = spoil(data, kind, place, choice)
    hold(client, log, service_of(name), data)


def test_the_search_is_not_blind(client, log):
    """Marks are in what is sent, and a body that was not spoiled gives cards."""
    assert found_in(planted("typical-gaps"))
    assert hold(client, log, service_of("typical-gaps"), planted("typical-gaps")) == 200


@pytest.mark.parametrize("kind", KINDS)
def test_every_mutation_changes_a_body(kind):
    before = json.loads(planted("typical-gaps"))
    mutations = (Mutation(kind, place * 9973 % 1_000_000, place) for place in range(60))
    assert any(mutated("typical-gaps", [mutation]) != before for mutation in mutations)
