"""Callers that are silent, slow, many or refused, over the real server: nobody else has to wait for them."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPResponse
from urllib.parse import urlsplit

import pytest
import requests

from cds_service.server.worker import PROBES
from tests.fhir_server import FhirServer
from tests.serving import served
from tests.shipped import example
from tests.test_errors import SIGN, call, chunk, converse, head, issue_of

LIMIT = 400_000
SECONDS = 60


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(settings={"CDS_SERVICE_MAX_BODY_BYTES": str(LIMIT)}, probe="/readyz") as (running, _):
        yield running


def until(condition: Callable[[], bool]) -> None:
    """Waits for it; fails where it does not come."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def connected(address: str) -> socket.socket:
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=SECONDS)


@contextmanager
def crowd(address: str, count: int, *sent: bytes) -> Iterator[None]:
    """So many connections; each sends one of the parts and no more, or nothing where there is none."""
    with ExitStack() as stack:
        for number in range(count):
            connection = stack.enter_context(closing(connected(address)))
            if sent:
                connection.sendall(sent[number % len(sent)])
        yield


def cpu_bound(seconds: float) -> float:
    """What ``seconds`` of an idle machine are on this one now: tests run beside others."""
    begun, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < 0.05:
        pass
    return seconds * max(1.0, (time.monotonic() - begun) / 0.05)


def test_idle_and_slow_callers_leave_calls_and_probes_alone(address):
    slow = (
        head()[:40],
        head(Content_Length="1000"),
        head(Content_Length="1000") + b"{",
        head(Transfer_Encoding="chunked") + b"ff\r\n{",
    )
    with crowd(address, 300), crowd(address, 100, *slow):
        for method, path in [("GET", "/healthz"), ("GET", "/readyz"), ("POST", SIGN), ("POST", SIGN)]:
            begun = time.monotonic()
            answer = requests.request(method, address + path, data=call(), headers={"Content-Type": "application/json"})
            took = time.monotonic() - begun
            assert answer.status_code == 200
            assert took < cpu_bound(1), path


def test_more_idle_callers_than_connections_keep_nobody_out(address):
    with crowd(address, 600):
        assert requests.get(f"{address}/healthz", timeout=SECONDS).ok


def test_callers_that_do_not_read_their_answers_hold_nobody_up(address):
    """More of them than there are threads, with more to read than a socket takes."""
    page = b"GET /policies HTTP/1.1\r\nHost: cds.example\r\n\r\n"
    with crowd(address, 20, page * 60):
        begun = time.monotonic()
        assert requests.post(address + SIGN, json=example("typical-gaps"), timeout=SECONDS).ok
        assert time.monotonic() - begun < cpu_bound(15)


@pytest.mark.parametrize(
    ("path", "changes", "status"),
    [
        ("/cds-services/nonsense", {}, 404),
        (SIGN, {"Content_Type": "text/plain"}, 415),
        (SIGN, {"Content_Encoding": "gzip"}, 415),
    ],
)
def test_after_a_refused_call_with_a_large_body_the_connection_goes_on(address, path, changes, status):
    data = b" " * (LIMIT - 1)
    sent = head(path, **changes, Content_Length=str(len(data))) + data
    good = head(Content_Length=str(len(call()))) + call()
    with closing(connected(address)) as connection:
        for expected, request in ((status, sent), (200, good), (status, sent), (200, good)):
            connection.sendall(request)
            answer = HTTPResponse(connection)
            answer.begin()
            answer.read()
            assert (answer.status, answer.headers["Connection"]) == (expected, "keep-alive")


@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT * 2, LIMIT * 4])
def test_a_body_too_large_is_answered_and_the_answer_arrives(address, size):
    """The caller sends everything before it looks."""
    answer = converse(address, head(Content_Length=str(size)), b" " * size)
    assert issue_of(answer) == (413, "too-long")
    assert answer is not None
    assert answer.headers["Connection"] == "close"


def test_a_body_too_large_in_chunks_is_answered_and_the_answer_arrives(address):
    parts = [chunk(b" " * 50_000)] * (LIMIT // 50_000 * 3)
    answer = converse(address, head(Transfer_Encoding="chunked"), *parts, chunk(b""))
    assert issue_of(answer) == (413, "too-long")
    assert answer is not None
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (head(Transfer_Encoding="chunked") + b"5\r\nhelloworld\r\n0\r\n\r\n", (400, "structure")),
        (head(Transfer_Encoding="chunked") + b"g\r\n", (400, "structure")),
        (head(Transfer_Encoding="chunked") + b"\r\n\r\n", (400, "structure")),
        (head(Transfer_Encoding="chunked") + b"5\nhello\n0\n\n", (400, "structure")),
        (head(Transfer_Encoding="chunked") + b"\xff" * 100_000, (400, "structure")),
        (head(Transfer_Encoding="chunked") + chunk(b"{") + b"0\r\nno field\r\n\r\n", (400, "structure")),
        (head(Transfer_Encoding="gzip, chunked") + chunk(b"{}") + chunk(b""), (501, "not-supported")),
        (head(Transfer_Encoding="gzip") + b"{}", (400, "structure")),
        (b"GET /healthz HTTP/1.1\r\n\r\n", (400, "structure")),
        (b"nonsense\r\n\r\n", (400, "structure")),
    ],
)
def test_what_is_no_http_is_reported_as_such(address, sent, told):
    answer = converse(address, sent)
    assert issue_of(answer) == told
    assert answer is not None
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize("sent", [b"5\r\nhel", b"5\r\nhello\r\n0\r\n", b"5\r\nhello\r\n0\r\nX: 1\r\n", b""])
def test_a_body_in_chunks_that_is_broken_off_is_reported_as_such(address, sent):
    with closing(connected(address)) as connection:
        connection.sendall(head(Transfer_Encoding="chunked") + sent)
        connection.shutdown(socket.SHUT_WR)
        answer = HTTPResponse(connection)
        answer.begin()
        answer.body = answer.read()
    assert issue_of(answer) == (408, "timeout")


def test_requests_sent_behind_each_other_are_answered_in_turn(address):
    data = call()
    sent = (head(Content_Length=str(len(data))) + data + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") * 3
    with closing(connected(address)) as connection, connection.makefile("rb") as answers:
        connection.sendall(sent)
        for _ in range(6):
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
            fields = {}
            while (line := answers.readline()) != b"\r\n":
                name, _, value = line.decode().partition(":")
                fields[name.lower()] = value.strip()
            assert answers.read(int(fields["content-length"]))


def test_who_asks_first_is_asked_to_go_on(address):
    data = call()
    with closing(connected(address)) as connection:
        connection.sendall(head(Content_Length=str(len(data)), Expect="100-continue"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(data)
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == 200


class Calls(list[requests.Response]):
    """Calls made side by side, each in a thread."""

    def __init__(self, address: str, body: dict, count: int) -> None:
        def post() -> None:
            self.append(requests.post(address + SIGN, json=body, timeout=SECONDS))

        self.threads = [threading.Thread(target=post) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def all(self) -> list[requests.Response]:
        for thread in self.threads:
            thread.join(SECONDS)
        return self


def metric(address: str, name: str) -> float:
    lines = requests.get(f"{address}/metrics", timeout=SECONDS).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def test_a_full_queue_refuses_and_probes_answer_beside_it(tmp_path):
    """All eight threads wait for an EHR and two calls wait for a thread: two more are refused at once."""
    body = example("typical-gaps")
    go_on = threading.Event()

    def slow(handler, kind):
        go_on.wait(SECONDS)
        handler.answer(200, handler.page(kind))

    settings = {"CDS_SERVICE_QUEUE": "2", "CDS_SERVICE_CALL_SECONDS": "60", "CDS_SERVICE_STATE": str(tmp_path)}
    log = tmp_path / "log"
    with (
        FhirServer(body["prefetch"], faults={"Coverage": slow}) as ehr,
        served(settings=settings, log=log, probe="/readyz") as (address, _),
    ):
        del body["prefetch"]["coverage"]
        body["fhirServer"] = ehr.base
        calls = Calls(address, body, 12)
        try:
            until(lambda: len(calls) == 2)
            for refused in calls:
                assert (refused.status_code, refused.headers["Content-Type"]) == (503, "application/fhir+json")
                assert refused.json()["issue"][0]["code"] == "throttled"
                assert (refused.headers["Retry-After"], refused.headers["Connection"]) == ("1", "close")
            for path in PROBES:
                assert requests.get(address + path, timeout=SECONDS).ok, path
            until(lambda: metric(address, "cds_service_overload_total") == 2)
        finally:
            go_on.set()
        assert sorted(answer.status_code for answer in calls.all()) == [200] * 10 + [503] * 2
        assert requests.post(address + SIGN, json=example("typical-gaps"), timeout=SECONDS).ok
    assert "overloaded count=" in log.read_text()
