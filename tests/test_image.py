"""The container image as far as it can be held without a container engine: its base, and that its example starts.

The documented `docker run` is taken apart, and its command run with its environment and the image's, and no other.
"""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import requests

from cds_service.card.words.rest import EVIDENCE_LINK
from tests.serving import ROOT, free_port
from tests.shipped import example
from tests.waiting import answering

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "operators-guide.md").read_text(encoding="utf-8")


def documented_in_dockerfile() -> str:
    lines = [line.removeprefix("#").strip() for line in DOCKERFILE.splitlines() if line.startswith("#")]
    return run_command("\n".join(lines))


def documented_in_guide() -> str:
    return run_command(GUIDE.partition("## In a container")[2])


def documented_in_readme() -> str:
    return run_command((ROOT / "README.md").read_text(encoding="utf-8"))


def documented_for_the_first_card() -> str:
    return run_command((ROOT / "docs" / "first-card.md").read_text(encoding="utf-8"))


PLACES = [documented_in_dockerfile, documented_in_guide, documented_in_readme, documented_for_the_first_card]


def run_command(text: str) -> str:
    """The first `docker run` command in a text, its lines joined."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return next(line for line in joined.splitlines() if line.startswith("docker run"))


def environment_of(command: str) -> dict[str, str]:
    """The variables that -e of a command sets, as the shell expands them."""
    expanded = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {command.removeprefix('docker run')}"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return dict(expanded[at + 1].split("=", 1) for at, word in enumerate(expanded) if word == "-e")


def last_stage() -> str:
    return re.sub(r"\\\n\s*", " ", DOCKERFILE).rpartition("\nFROM ")[2]


def environment_of_image() -> dict[str, str]:
    """What ENV of the last stage sets."""
    found = {}
    for line in re.findall(r"^ENV (.+)$", last_stage(), re.MULTILINE):
        found |= dict(word.split("=", 1) for word in shlex.split(line))
    return found


def command_of_image(port: int) -> list[str]:
    """What CMD starts, on another port and from the environment of the tests."""
    (written,) = re.findall(r"^CMD \[(.+)\]$", last_stage(), re.MULTILINE)
    name, *rest = [word.strip().strip('"') for word in written.split(",")]
    return [str(Path(sys.executable).parent / name), *(str(port) if word == "8080" else word for word in rest)]


def test_the_documented_container_starts_and_shows_the_workbench(tmp_path):
    port = free_port()
    image = environment_of_image()
    assert image["CDS_SERVICE_STATE"] == "/var/lib/cds-service"
    # Its paths are those of the image; here they are folders of the test.
    environment = image | {"CDS_SERVICE_STATE": str(tmp_path / "state"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    environment |= environment_of(documented_in_dockerfile())
    command, address = command_of_image(port), f"http://127.0.0.1:{port}"
    with answering(command, f"{address}/readyz", cwd=tmp_path, environment=environment):
        services = requests.get(f"{address}/cds-services", timeout=60).json()["services"]
        start = requests.get(address, timeout=60).text
        sign = f"{address}/cds-services/coverage-guidance-order-sign"
        (card,) = requests.post(sign, json=example("typical-gaps"), timeout=60).json()["cards"]
    assert services
    assert "Rosalind Achterberg" in start
    assert EVIDENCE_LINK in {link["label"] for link in card["links"]}


@pytest.mark.parametrize("documented", PLACES[1:])
def test_every_place_documents_the_same_command(documented):
    assert shlex.split(documented()) == shlex.split(documented_in_dockerfile())


def test_the_documented_container_is_reached_from_this_machine_alone():
    words = shlex.split(documented_in_dockerfile())
    published = [words[at + 1] for at, word in enumerate(words) if word in ("-p", "--publish")]
    assert [name.rpartition(":")[0].partition(":")[0] for name in published] == ["127.0.0.1"]


def test_the_image_is_made_with_every_file_of_licenses_and_both_extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (copied,) = re.findall(r"^COPY (pyproject\.toml .+) \./$", DOCKERFILE, re.MULTILINE)
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    # Tables of codes are for authors, who do not work in the image.
    locks = {f"requirements-{extra}.txt" for extra in project["optional-dependencies"] if extra != "codes"}
    assert set(project["license-files"]) <= set(copied.split())
    assert {f"!{name}" for name in (*project["license-files"], *locks)} <= set(let_in)
    assert locks <= set(re.findall(r"-r (\S+)", DOCKERFILE))


def test_every_base_image_is_pinned_by_digest():
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE, re.MULTILINE))
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(bases) == 2
    for base in bases:
        image = re.sub(r"\$\{(\w+)\}", lambda match: defaults[match[1]], base)
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", image)
