"""A server that is asked to end finishes the calls in flight, keeps what they left, and takes no more."""

import os
import signal
import threading
import time
from contextlib import closing

import pytest
import requests

from cds_service.hooks.feedback import DayRange
from cds_service.store.database import open_store
from cds_service.store.shown import counts
from tests.fhir_server import FhirServer
from tests.shipped import example
from tests.torture import served
from tests.waiting import wait_for

SIGN = "/cds-services/coverage-guidance-order-sign"
SECONDS = 30


def test_calls_in_flight_are_finished_and_told(tmp_path):
    body = example("typical-gaps")
    asked, go_on = threading.Event(), threading.Event()

    def slow(handler, kind):
        asked.set()
        go_on.wait(SECONDS)
        handler.answer(200, handler.page(kind))

    found: list[requests.Response] = []
    with FhirServer(body["prefetch"], faults={"Coverage": slow}) as server, served(tmp_path, "") as (address, arbiter):
        del body["prefetch"]["coverage"]
        body["fhirServer"] = server.base
        caller = threading.Thread(
            target=lambda: found.append(requests.post(address + SIGN, json=body, timeout=SECONDS))
        )
        caller.start()
        assert asked.wait(SECONDS)
        os.kill(arbiter, signal.SIGTERM)
        # The signal has reached the worker once nobody new is let in.
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and answers(address):
            time.sleep(0.02)
        go_on.set()
        caller.join(SECONDS)
    (answer,) = found
    assert answer.status_code == 200
    (card,) = answer.json()["cards"]
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{address}/healthz", timeout=SECONDS)
    with closing(open_store(None, tmp_path)) as store:
        assert [row.cards for row in counts(store, DayRange())] == [1]
    (written,) = (tmp_path / "audit").iterdir()
    assert card["uuid"] in written.read_text()


def test_without_its_main_process_a_worker_ends_the_connections_of_busy_callers(tmp_path):
    with served(tmp_path, "") as (address, arbiter), requests.Session() as session:

        def is_last() -> bool:
            return session.get(f"{address}/healthz", timeout=SECONDS).headers.get("Connection") == "close"

        assert not is_last()
        os.kill(arbiter, signal.SIGKILL)
        wait_for(is_last, "an answer that ends its connection")


def answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/healthz", timeout=SECONDS).ok
    except requests.ConnectionError:
        return False
