"""The benchmark does not judge by a busy machine."""

import pytest
from click.testing import CliRunner

from tests.bench import __main__ as bench
from tests.bench import machine


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


def test_stolen_time_is_part_of_all_processor_time():
    stolen, ticks = machine.processor_ticks()
    assert 0 <= stolen <= ticks
    assert ticks > 0
