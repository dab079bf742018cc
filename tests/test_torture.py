"""Feedback that was acknowledged outlives the death of workers: a short run of what `make torture` does at length."""

import os
import signal
from types import SimpleNamespace

import pytest
import requests

from cds_service.server.gunicorn_server import ServedInstallation, Server
from tests.torture import FEEDBACK, _workers, served, torture
from tests.waiting import wait_for

KILLS = 12


def test_workers_die_and_nothing_that_was_acknowledged_is_lost_or_doubled(store_url, tmp_path):
    outcome = torture(KILLS, tmp_path, store_url or "")
    assert outcome.kills == KILLS
    assert len(outcome.acknowledged) > KILLS
    assert (outcome.lost, outcome.doubled, outcome.damaged) == (set(), set(), ""), str(outcome)


def test_a_worker_that_is_killed_while_it_makes_its_file_of_numbers_does_not_end_the_service(tmp_path):
    numbers = tmp_path / "numbers"
    item = {"card": "c", "outcome": "accepted"}
    with served(tmp_path, "", {"PROMETHEUS_MULTIPROC_DIR": str(numbers)}) as (address, arbiter):
        before = _workers(arbiter)
        for worker in before:
            for kind in ("counter", "histogram"):
                (numbers / f"{kind}_{worker}.db").unlink(missing_ok=True)
                (numbers / f"{kind}_{worker}.db").touch()
            os.kill(worker, signal.SIGKILL)
        wait_for(lambda: len(set(_workers(arbiter)) - set(before)) == 2, "two other workers")
        assert requests.post(address + FEEDBACK, json={"feedback": item}, timeout=60).status_code == 200


class _Failing:
    def __init__(self) -> None:
        self.asked: list[int] = []

    def forget(self, pid: int) -> None:
        self.asked.append(pid)
        raise OSError(28, "No space left on device")

    worker_ended = forget


def test_whatever_fails_when_a_worker_has_ended_is_reported_and_ends_nothing(capsys):
    readiness, metrics = _Failing(), _Failing()
    around = SimpleNamespace(readiness=readiness, metrics=metrics)
    ServedInstallation(None, around, None).forget(42)  # type: ignore[arg-type]
    assert (readiness.asked, metrics.asked) == ([42], [42])
    assert capsys.readouterr().err.count("background-failed") == 2


@pytest.mark.parametrize(("own", "ended"), [(True, 1), (False, 0)])
def test_only_a_worker_ends_what_runs_beside_its_calls(own, ended):
    """gunicorn asks in its main process too, for a worker that it finds gone."""
    calls: list[int] = []
    beside = SimpleNamespace(end=lambda: calls.append(1), refused=lambda count: None)
    server = Server(None, "127.0.0.1", 1, 1, beside=beside)  # type: ignore[arg-type]
    server.options["worker_exit"](None, SimpleNamespace(pid=os.getpid() + (not own)))
    assert len(calls) == ended
