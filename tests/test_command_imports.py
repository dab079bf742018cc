"""A command loads what it needs and no more: a shell, an editor and a pipeline call commands often."""

import json
import subprocess
import sys

import pytest

from tests.few_cases import with_few_cases
from tests.shipped import example
from tests.test_commands import ROOT
from tests.waiting import clean_environment

SERVER = {"flask", "werkzeug", "gunicorn", "sqlalchemy", "alembic", "psycopg", "prometheus_client", "limits"}
SERVER |= {"opentelemetry", "structlog", "requests", "urllib3", "jwt", "nh3", "markdown_it"}
RULES = {"jsonschema", "fhir", "networkx"}
SETTINGS = {"pydantic", "pydantic_settings"}

POLICY = "isass-restorative-neurostimulation-2023"

# Command -> libraries that it must not load. Loading them all took ten times the CPU of an example.
COMMANDS = {
    "--help": SERVER | RULES | SETTINGS,
    "--version": SERVER | RULES | SETTINGS,
    "serve --help": SERVER | RULES | SETTINGS,
    "example": SERVER | RULES | SETTINGS,
    "example all-met": SERVER | RULES | SETTINGS,
    "config": SERVER | RULES,
    "new-policy knee-humming-2026": SERVER,
    "changes isass-si-joint-fusion-2020 isass-si-joint-fusion-2020": SERVER,
    # The linter renders each card as two kinds of clients do.
    f"check --no-slips {POLICY}": SERVER - {"markdown_it"},
    "explain request.json": SERVER,
}
LOADED = """
import runpy, sys
sys.argv = ["cds-service", *sys.argv[1:]]
try:
    runpy.run_module("cds_service", run_name="__main__")
finally:
    print("LOADED", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_command_does_not_load_what_it_does_not_need(command, tmp_path):
    with_few_cases(POLICY, tmp_path)
    (tmp_path / "request.json").write_text(json.dumps(example("all-met")), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-c", LOADED, *command.split()],
        cwd=tmp_path,
        env=clean_environment({"CDS_SERVICE_STATE": str(tmp_path)}) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.rpartition("LOADED ")[2].split())
    assert "click" in loaded
    assert loaded & COMMANDS[command] == set()
