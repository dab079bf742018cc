"""The benchmark does not judge by a busy machine."""

import os
import subprocess

import pytest
from click.testing import CliRunner

from tests.bench import __main__ as bench
from tests.bench import machine
from tests.waiting import wait_for


def test_a_quiet_machine_is_judged_by():
    assert machine.busy(0.9, 0.01, 2) is None


@pytest.mark.parametrize(
    ("load", "stolen", "said"), [(1.1, 0.0, "1.1 processes ran or waited on 2 cores"), (0.0, 0.03, "3.0% of the")]
)
def test_a_busy_machine_is_not_judged_by_and_the_reason_is_said(load, stolen, said):
    assert machine.busy(load, stolen, 2).startswith(said)


def test_the_benchmark_begins_nothing_on_a_busy_machine(monkeypatch):
    monkeypatch.setattr(bench.os, "getloadavg", lambda: (99.0, 0.0, 0.0))
    monkeypatch.setattr(bench.shutil, "which", lambda tool: tool)
    result = CliRunner().invoke(bench.main, ["--quick"])
    assert result.exit_code == 1
    assert "too busy to judge by: 99.0 processes" in result.output


def test_the_next_server_waits_until_one_has_done_what_it_still_had_to_do(monkeypatch):
    used = [0.1, 0.1, 0.2, 0.2, 0.2, 0.2, 0.2]
    monkeypatch.setattr(machine, "LOOK", 0)
    waits = [True, False]
    monkeypatch.setattr(machine.Running, "cpu_seconds", lambda server: used.pop(0))
    monkeypatch.setattr(machine.Running, "_wants_a_core", lambda server: waits.pop(0))
    machine.Running(1, 1, 0.1).rest()
    assert (used, waits) == ([], [])


def test_a_thread_that_runs_or_waits_for_a_core_is_seen():
    assert machine.Running(1, os.getpid(), 0.1)._wants_a_core()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sleeper:
        sleeper.stdin.write(b"awake\n")
        sleeper.stdin.flush()
        assert sleeper.stdout.readline() == b"awake\n"
        wait_for(lambda: not machine.Running(1, sleeper.pid, 0.1)._wants_a_core(), "cat waits for input")


def test_stolen_time_is_part_of_all_processor_time():
    stolen, ticks = machine.processor_ticks()
    assert 0 <= stolen <= ticks
    assert ticks > 0
