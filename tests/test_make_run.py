"""`make run`: it shows that it installs, which takes longest, and keeps its state in the checkout and says so."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.serving import ROOT

# In the place of an environment's Python: pip as far as its words are read, which for each file of pins are these.
PIP = """#!/bin/sh
case "$*" in *"-r requirements"*) ;; *) exit 0 ;; esac
for number in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "Collecting package-$number==1.0 (from -r requirements.txt)"; done
[ -z "$FAILING" ] || { echo "ERROR: no such hash"; exit 3; }
echo "Installing collected packages: package-1, package-2"
echo "Successfully installed package-1-1.0"
"""


@pytest.fixture
def environment(tmp_path) -> Path:
    """A virtual environment that was made and has nothing installed."""
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PIP, encoding="utf-8")
    python.chmod(0o755)
    (tmp_path / "venv" / ".created").touch()
    return tmp_path / "venv"


def installed(environment: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """What `make run` does before it starts anything, where nothing is installed."""
    command = ["make", "--no-print-directory", f"VENV={environment}", f"{environment}/.runtime"]
    given = os.environ | variables
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False, timeout=60)


def test_what_is_installed_is_shown_while_it_is(environment):
    run = installed(environment)
    assert run.returncode == 0, run.stderr
    pins = {of: (ROOT / f"requirements{of}.txt").read_text(encoding="utf-8").count("==") for of in ("-build", "")}
    lines = run.stdout.splitlines()
    assert lines == [
        "Installing the pinned dependencies (a minute or two, once)",
        f"  1 of 3: what installs and builds (1 of {pins['-build']} at most: package-1)",
        f"  1 of 3: what installs and builds (11 of {pins['-build']} at most: package-11)",
        "  1 of 3: what installs and builds: unpacking",
        f"  2 of 3: what the service needs (1 of {pins['']} at most: package-1)",
        f"  2 of 3: what the service needs (11 of {pins['']} at most: package-11)",
        "  2 of 3: what the service needs: unpacking",
        "  3 of 3: the service itself",
    ]
    assert (environment / ".runtime").exists()


def test_an_installation_that_fails_stops_and_shows_what_pip_said(environment):
    run = installed(environment, FAILING="1")
    assert run.returncode != 0
    assert "ERROR: no such hash" in run.stderr
    assert not (environment / ".runtime").exists()


@pytest.mark.parametrize("named", ["", "/var/lib/of-the-operator"])
def test_the_state_is_kept_in_the_checkout_and_shown(named):
    state = named or f"{ROOT}/.state"
    environment = {name: value for name, value in os.environ.items() if name != "CDS_SERVICE_STATE"}
    if named:
        environment["CDS_SERVICE_STATE"] = named
    said = subprocess.run(["make", "-n", "run"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert re.search(rf"what it keeps is in {state}$", said.stdout.replace('"', ""), re.MULTILINE)
    assert f'CDS_SERVICE_STATE="{state}" exec' in said.stdout
    assert ".state/" in (ROOT / ".gitignore").read_text().splitlines()
    # What goes into an image is listed; all else, this folder too, stays out.
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
