"""What waits counts: a call's deadline runs from its first byte, through the queue and the turn to compute."""

import json
import sys
import threading
import time
from contextlib import closing, contextmanager
from http.client import HTTPResponse

import pytest
import requests

from cds_service.app import create_app
from cds_service.clock import Deadline
from cds_service.installation import Installation
from cds_service.operations.computing import Turn
from cds_service.server.arrival import looks_whole
from cds_service.settings.settings import Settings
from tests.fhir_server import FhirServer
from tests.serving import ROOT, free_port, served
from tests.shipped import PUBLIC_URL, TODAY, example, library
from tests.test_connections import SECONDS, connected, until
from tests.test_errors import SIGN, call, head
from tests.waiting import answering, clean_environment

CALL_SECONDS = 0.5
# An application that holds its threads until a file is there, and says how many seconds the deadline leaves.
HOLDS = f"""
import pathlib, sys, threading, time
from cds_service.server.gunicorn_server import Server
from cds_service.web.accepted import deadline_of

def app(environment, start_response):
    file = pathlib.Path(sys.argv[2])
    end = time.monotonic() + {SECONDS}
    if environment["PATH_INFO"] == "/held":
        file.with_name(f"held by {{threading.get_ident()}}").touch()
    while environment["PATH_INFO"] == "/held" and not file.exists() and time.monotonic() < end:
        time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(deadline_of(environment, {CALL_SECONDS}).left()).encode()]

Server(app, "127.0.0.1", int(sys.argv[1]), 1).run()
"""


def test_the_time_in_the_queue_counts_against_the_deadline(tmp_path):
    port, file = free_port(), tmp_path / "go on"
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", HOLDS, str(port), str(file)]
    left: dict[str, float] = {}

    def ask(path: str) -> None:
        left[path] = float(requests.get(address + path, timeout=SECONDS).text)

    with answering(command, f"{address}/healthz", cwd=ROOT, environment=clean_environment({})):
        ask("/at-once")
        holding = [threading.Thread(target=ask, args=("/held",)) for _ in range(8)]
        for thread in holding:
            thread.start()
        until(lambda: len([*tmp_path.glob("held by *")]) == len(holding))
        with closing(connected(address)) as waiting:
            waiting.sendall(b"GET /queued HTTP/1.1\r\nHost: x\r\n\r\n")
            # What was sent before it has been read when this is answered.
            assert requests.get(f"{address}/healthz", timeout=SECONDS).ok
            sent = time.monotonic()
            until(lambda: time.monotonic() > sent + CALL_SECONDS)
            file.touch()
            answer = HTTPResponse(waiting)
            answer.begin()
            assert float(answer.read()) == 0.0
        for thread in holding:
            thread.join(SECONDS)
    assert 0 < left["/at-once"] < CALL_SECONDS


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    settings = {
        "CDS_SERVICE_CALL_SECONDS": str(CALL_SECONDS),
        "CDS_SERVICE_STATE": str(tmp_path_factory.mktemp("state")),
    }
    with served(settings=settings, probe="/readyz") as (running, _):
        yield running


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_call_that_comes_whole_after_its_deadline_is_refused_and_not_begun(address, framing):
    data = call()
    sent = head(Content_Length=str(len(data))) if framing == "length" else head(Transfer_Encoding="chunked")
    rest = data if framing == "length" else b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
    with closing(connected(address)) as connection:
        connection.sendall(sent)
        assert requests.get(f"{address}/healthz", timeout=SECONDS).ok
        begun = time.monotonic()
        until(lambda: time.monotonic() > begun + CALL_SECONDS)
        connection.sendall(rest)
        answer = HTTPResponse(connection)
        answer.begin()
        outcome = json.loads(answer.read())
    assert (answer.status, outcome["resourceType"]) == (503, "OperationOutcome")
    assert answer.headers["Retry-After"]
    # A step of the call would be named here.
    assert "evaluate" not in answer.headers.get("Server-Timing", "")
    assert requests.get(f"{address}/healthz", timeout=SECONDS).ok


def test_one_thread_computes_at_a_time_and_waits_no_longer_than_its_deadline():
    turn = Turn()
    with turn.taken(Deadline(SECONDS)):
        with pytest.raises(TimeoutError), turn.taken(Deadline(0.01)):
            raise AssertionError("two have the turn")
        with pytest.raises(TimeoutError), turn.taken(Deadline(0)):
            raise AssertionError("two have the turn")
    with pytest.raises(ValueError, match="broke"), turn.taken():
        raise ValueError("broke")
    with turn.taken(Deadline(0)):
        pass


def app_client(installation: Installation):
    return create_app(Settings(), library(), PUBLIC_URL, lambda: TODAY, installation).test_client()


def test_a_call_whose_turn_does_not_come_in_time_is_503():
    installation = Installation(call_seconds=0.2)
    client = app_client(installation)
    with installation.turn.taken():
        answer = client.post(SIGN, json=example("typical-gaps"))
        assert (answer.status_code, int(answer.headers["Retry-After"])) == (503, 5)
    assert Installation().turn is not installation.turn


@contextmanager
def slow_ehr(body: dict, asked: threading.Event, go_on: threading.Event):
    def slow(handler, kind):
        asked.set()
        go_on.wait(SECONDS)
        handler.answer(200, handler.page(kind))

    with FhirServer(body["prefetch"], faults={"Coverage": slow}) as server:
        yield server


def test_a_call_that_waits_for_an_ehr_leaves_the_turn_to_others(tmp_path):
    body, asked, go_on = example("typical-gaps"), threading.Event(), threading.Event()
    settings = {"CDS_SERVICE_CALL_SECONDS": "60", "CDS_SERVICE_STATE": str(tmp_path)}
    statuses: list[int] = []
    with slow_ehr(body, asked, go_on) as ehr, served(settings=settings) as (address, _):
        waits = body | {"fhirServer": ehr.base, "prefetch": {**body["prefetch"]}}
        del waits["prefetch"]["coverage"]
        caller = threading.Thread(
            target=lambda: statuses.append(requests.post(address + SIGN, json=waits, timeout=SECONDS).status_code)
        )
        caller.start()
        try:
            assert asked.wait(SECONDS)
            assert requests.post(address + SIGN, json=example("typical-gaps"), timeout=SECONDS).ok
            assert not statuses
        finally:
            go_on.set()
            caller.join(SECONDS)
    assert statuses == [200]


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"POST / HTTP/1.1\r\ncontent-length:2\r\nX: y\r\n\r\n{}", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n{}", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n", False),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\n\r\nContent-Length: 0\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", False),
    ],
)
def test_a_request_looks_whole_only_where_its_length_has_come(data, whole):
    assert looks_whole(data) is whole
