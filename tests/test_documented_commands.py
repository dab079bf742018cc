"""Every command of the documentation runs as it is written, against one service that `make run` started.

What differs from a reader's terminal: the port, where the programs lie, and the names that stand for a reader's own.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from cds_service.commands.main import main
from cds_service.settings.settings import data_folder
from tests.made_up_calls import POLICY
from tests.serving import ROOT, free_port
from tests.shipped import example
from tests.test_docs import FIRST_CARD, PAGES, request_of_first_card
from tests.tokens import ISSUER, bearer, key_set
from tests.waiting import answering, clean_environment

BIN = Path(sys.executable).parent
# A deadline only ends what hangs: on a machine that is busy an installation takes minutes.
SECONDS = 600
TESTS = {
    # No container engine runs in tests: what the commands of the image set and start does.
    "docker build": "tests/test_image.py::test_the_image_is_made_with_every_file_of_licenses_and_both_extras",
    "docker run": "tests/test_image.py::test_the_documented_container_starts_and_shows_the_workbench",
    # With the audit log that these need.
    **dict.fromkeys(
        ("cds-service audit", "cds-service explain call.json"),
        "tests/test_investigation.py::test_every_command_of_the_page_runs_as_it_is_written",
    ),
    "make run": "tests/test_documented_commands.py::test_make_run_serves_as_documented",
    **dict.fromkeys(
        ("python3 -m venv", ".venv/bin/pip install", ".venv/bin/cds-service serve"),
        "tests/test_documented_commands.py::test_what_pip_installs_as_documented_serves",
    ),
}
# What ends with another status than 0, and why.
STATUS = {
    "cds-service check society-procedure-2026": 1,  # places are still to be filled in
}
# A reader's own names.
OWN = {"FOLDER": "charts", "OLD": f"earlier/{POLICY}", "NEW": f"corrected/{POLICY}"}


# The address that the page on the clients file takes a token for.
CALLED = "https://cds.example/cds-services/coverage-guidance-order-sign"


class Command(NamedTuple):
    """A command of a page, its lines joined and without the remark behind it."""

    page: str
    line: str

    @property
    def elsewhere(self) -> str:
        """The test that runs it, where that is not this module's."""
        return next((test for start, test in TESTS.items() if self.line.startswith(start)), "")


def commands_of(page: Path) -> list[Command]:
    found = []
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        joined = re.sub(r"\\\n\s*", " ", block)
        lines = (re.sub(r"\s+#\s.*$", "", line).strip() for line in joined.splitlines())
        found += [Command(page.relative_to(ROOT).as_posix(), line) for line in lines if line]
    return found


COMMANDS = [command for page in PAGES for command in commands_of(page)]
RUN_HERE = [command for command in COMMANDS if not command.elsewhere]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the service answers that the documented `make run` starts, in the environment of the tests."""
    port = free_port()
    # -o: what is installed is taken as it is, so that nothing is fetched here.
    command = ["make", "run", f"PORT={port}", f"VENV={BIN.parent}", "-o", f"{BIN.parent}/.runtime"]
    environment = clean_environment({"CDS_SERVICE_STATE": str(tmp_path_factory.mktemp("state"))})
    with answering(command, f"http://127.0.0.1:{port}/healthz", cwd=ROOT, environment=environment, seconds=SECONDS):
        yield f"127.0.0.1:{port}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A terminal's folder with what the pages say that a reader has: programs, requests, charts, rule sets, clients."""
    made = tmp_path / "reader"
    made.mkdir()
    (made / ".venv").mkdir()
    (made / ".venv" / "bin").symlink_to(BIN)
    request = example("typical-gaps")
    (made / "request.json").write_text(json.dumps(request), encoding="utf-8")
    (made / "my-request.json").write_text(json.dumps(request_of_first_card()), encoding="utf-8")
    (made / "order.json").write_text(json.dumps(request["context"]["draftOrders"]["entry"][0]["resource"]))
    (made / "charts").mkdir()
    entries = [{"resource": request["prefetch"]["patient"]}, *request["prefetch"]["condition"]["entry"]]
    chart = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    (made / "charts" / "chart.json").write_text(json.dumps(chart), encoding="utf-8")
    for name in (OWN["OLD"], OWN["NEW"]):
        shutil.copytree(data_folder("cards") / POLICY, made / name)
    policy = made / OWN["NEW"] / "policy.json"
    text = policy.read_text(encoding="utf-8")
    changed = text.replace('"at_most": 35', '"at_most": 34')
    assert changed != text
    policy.write_text(changed, encoding="utf-8")
    (made / "keys.json").write_text(json.dumps(key_set("rsa")), encoding="utf-8")
    (made / "clients.toml").write_text(
        f'[[client]]\nid = "general-hospital"\nissuer = "{ISSUER}"\njwks_file = "keys.json"\n', encoding="utf-8"
    )
    now = int(time.time())
    (made / "token.txt").write_text(bearer(aud=CALLED, iat=now, exp=now + 300), encoding="utf-8")
    return made


def test_there_are_commands_and_each_runs_here_or_in_a_test_that_exists():
    assert len(RUN_HERE) >= 15
    for command in COMMANDS:
        if command.elsewhere:
            path, _, name = command.elsewhere.partition("::")
            assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), command


def test_make_run_serves_as_documented(address):
    assert "make run" in {command.line for command in COMMANDS}
    assert address


@pytest.mark.parametrize("page", sorted({command.page for command in RUN_HERE}))
def test_the_commands_of_a_page_run_in_its_order_as_they_are_written(page, address, folder):
    for command in RUN_HERE:
        if command.page == page:
            run_as_written(command, address, folder)


def run_as_written(command: Command, address: str, folder: Path) -> None:
    """Runs one command and fails where it ends or answers otherwise than its page says."""
    line = command.line.replace("127.0.0.1:8080", address)
    for name, own in OWN.items():
        line = re.sub(rf"\b{name}\b", own, line)
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        env=clean_environment(environment_of(folder)),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert result.returncode == STATUS.get(command.line, 0), f"{line}\n{result.stdout}{result.stderr}"
    written = re.search(r" > (\S+)$", line)
    printed = (folder / written.group(1)).read_text(encoding="utf-8") if written else result.stdout
    assert printed.strip(), line
    if "curl" in line:
        assert len(json.loads(printed)["cards"]) == 1, printed


def environment_of(folder: Path) -> Mapping[str, str]:
    return {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "CDS_SERVICE_STATE": str(folder / "state"),
        "CDS_SERVICE_CLIENTS": "clients.toml",
    }


def test_what_pip_installs_as_documented_serves(tmp_path):
    """The lines of the page in a copy of the checkout. What they would fetch is in the environment of the tests.

    So is pip: to unpack and compile another one takes half as long as all the rest.
    """
    lines = [command.line for command in commands_of(FIRST_CARD)]
    made, pins, project, serve = lines[lines.index("python3 -m venv .venv") :][:4]
    for name in ("cds_service", "cards", "fhir_examples"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.glob("*.*"):
        if path.suffix in (".toml", ".txt", ".md"):
            shutil.copy(path, tmp_path)
    for name in ("LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, tmp_path)
    settings = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_COMPILE": "1", "HOME": str(tmp_path)}
    environment = clean_environment(settings)

    def run(line: str) -> str:
        result = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"
        return result.stdout

    run(made.replace("python3", sys.executable) + " --without-pip")
    (packages,) = (tmp_path / ".venv" / "lib").glob("python*/site-packages")
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "of-the-tests.pth").write_text("\n".join(ours), encoding="utf-8")
    pip = tmp_path / ".venv" / "bin" / "pip"
    pip.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n', encoding="utf-8")
    pip.chmod(0o755)
    assert "already satisfied" in run(pins)
    run(project)
    port = free_port()
    command = [*serve.split(), "--port", str(port)]
    state = {"CDS_SERVICE_STATE": str(tmp_path / "state")}
    with answering(
        command, f"http://127.0.0.1:{port}/healthz", cwd=tmp_path, environment=environment | state, seconds=SECONDS
    ):
        assert Path(run(".venv/bin/python -c 'import cds_service; print(cds_service.__file__)'").strip()).exists()


# --- commands within sentences ---------------------------------------------------------------------------------------


def mentioned(pattern: str) -> set[tuple[str, str]]:
    """Page and command, for each code within a sentence that begins with this."""
    found = set()
    for page in PAGES:
        text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        found |= {(page.name, code) for code in re.findall(rf"`((?:{pattern})[^`]*)`", text)}
    return found


def options_of(command: click.Command) -> set[str]:
    return {"--help"} | {name for item in command.params for name in item.opts + item.secondary_opts}


def test_every_command_and_option_that_a_sentence_names_exists():
    named = mentioned(r"(?:\.venv/bin/)?cds-service ")
    assert len(named) > 20
    for page, text in sorted(named):
        words = re.split(r"\s+", text.partition("cds-service ")[2].partition(" | ")[0].partition(" > ")[0])
        command: click.Command = main
        while isinstance(command, click.Group) and words and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        assert command is not main or not words or words[0].startswith("--"), f"{page}: {text}"
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options_of(command), (page, text)


def test_every_target_of_make_that_a_sentence_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = mentioned("make ")
    assert named
    for page, text in named:
        words = [word for word in text.split()[1:] if re.fullmatch(r"[a-z-]+", word)]
        assert set(words) <= targets, f"{page}: {text}"
