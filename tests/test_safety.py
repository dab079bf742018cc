"""The safety case (docs/safety.md): every hazard has its controls, and every test that holds one exists and runs."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from cds_service.app import create_app
from cds_service.installation import Installation
from cds_service.settings.settings import Settings
from cds_service.store.database import open_store
from tests.shipped import TODAY, example, library

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "safety.md").read_text(encoding="utf-8")
HAZARDS = (
    *("False met", "Hidden contraindication", "Wrong patient", "Wrong side", "Wrong device", "Stale edition"),
    *(
        "Lost or partial source",
        "Wrong code accepted",
        "False answer in a form",
        "Alert hidden by an override",
        "Silence",
    ),
)
MARKS = ("skip", "skipif", "xfail")
CALLS = ("skip", "xfail", "importorskip")


def rows(hazard: str) -> list[list[str]]:
    """The rows of the table of a hazard: cause, control, tests."""
    section = PAGE.partition(f"\n## {hazard}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    assert lines[:2] == ["| cause | control | tests |", "|---|---|---|"], hazard
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def named() -> list[str]:
    """Every test that the page names, once, as file::test."""
    return list(dict.fromkeys(name for hazard in HAZARDS for *_, tests in rows(hazard) for name in listed(tests)))


def listed(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def why_not_run(source: str, name: str) -> str:
    """Why pytest does not run a test of a file as a test that can fail, by the file's syntax tree; "" where it does."""
    tree = ast.parse(source)
    found = [node for node in functions(tree) if node.name == name]
    if len(found) != 1:
        return "is not there" if not found else "is defined twice, so that the first one never runs"
    if any(isinstance(node, ast.Assign) and "pytestmark" in ast.unparse(node.targets[0]) and marks(node.value)
           for node in tree.body):  # fmt: skip
        return "is in a file that is skipped"
    if any(calls_skip(node) for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)):
        return "is in a file that may skip itself"
    if any(marks(decorator) for decorator in found[0].decorator_list):
        return "is marked to be skipped or to fail"
    return "may skip itself" if calls_skip(found[0]) else ""


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """The functions that pytest collects: of the file, and of its classes Test…."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from (inner for inner in node.body if isinstance(inner, ast.FunctionDef))


def marks(node: ast.AST) -> bool:
    """Whether a piece of code names a mark with which a test does not count."""
    return any(isinstance(inner, ast.Attribute) and inner.attr in MARKS for inner in ast.walk(node))


def calls_skip(node: ast.AST) -> bool:
    called = (inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call))
    return any(ast.unparse(function) in {f"pytest.{name}" for name in CALLS} for function in called)


@cache
def source_of(file: str) -> str:
    return (TESTS / file).read_text(encoding="utf-8")


def test_the_page_has_every_hazard_and_no_row_without_control_and_test():
    titles = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    assert titles == [*HAZARDS, "What remains"]
    for hazard in HAZARDS:
        assert len(rows(hazard)) >= 3, hazard
        for cause, control, tests in rows(hazard):
            assert cause, hazard
            assert control, cause
            assert listed(tests), cause
            assert ", ".join(f"`{name}`" for name in listed(tests)) == tests, cause


@pytest.mark.parametrize("name", named())
def test_every_test_that_the_page_names_exists_and_runs(name):
    file, _, function = name.partition("::")
    assert Path(file).name.startswith("test_"), "pytest collects no other file"
    assert function.startswith("test_"), "pytest collects no other function"
    assert why_not_run(source_of(file), function) == ""


SOUND = "import pytest\n\n@pytest.mark.parametrize('x', [1])\ndef test_a(x):\n    assert x\n"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (SOUND, ""),
        (f"class TestA:\n{'    '.join(['', *SOUND.splitlines(keepends=True)])}", ""),
        ("# def test_a(): pass\n'''\ndef test_a(): pass\n'''\n", "is not there"),
        ("def helper():\n    def test_a(): pass\n", "is not there"),
        ("class Other:\n    def test_a(self): pass\n", "is not there"),
        (f"{SOUND}def test_a():\n    pass\n", "is defined twice, so that the first one never runs"),
        ("@pytest.mark.skip\ndef test_a(): pass\n", "is marked to be skipped or to fail"),
        ("@pytest.mark.skipif(True, reason='')\ndef test_a(): pass\n", "is marked to be skipped or to fail"),
        ("@pytest.mark.xfail(reason='')\ndef test_a(): pass\n", "is marked to be skipped or to fail"),
        (f"pytestmark = [pytest.mark.skip]\n{SOUND}", "is in a file that is skipped"),
        (f"if True:\n    pytest.skip('', allow_module_level=True)\n{SOUND}", "is in a file that may skip itself"),
        (f"numpy = pytest.importorskip('numpy')\n{SOUND}", "is in a file that may skip itself"),
        ("def test_a():\n    if True:\n        pytest.skip('')\n", "may skip itself"),
    ],
)
def test_a_test_that_is_missing_or_skipped_is_found(source, why):
    assert why_not_run(source, "test_a") == why


def test_an_override_hides_no_later_card(tmp_path):
    """The service remembers no dismissal: the same card comes again, and a graver one for the same order too."""
    store = open_store(None, tmp_path)
    client = create_app(Settings(), library(), "http://127.0.0.1:8080", lambda: TODAY, Installation(store=store))
    app, service = client.test_client(), "/cds-services/coverage-guidance-order-sign"
    call = example("typical-gaps")
    (card,) = app.post(service, json=call).get_json()["cards"]
    override = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-11-23T10:00:00Z"}
    assert app.post(f"{service}/feedback", json={"feedback": [override]}).status_code == 200
    assert app.post(service, json=call).get_json()["cards"] == [card]
    infection = {
        "resourceType": "Condition",
        "id": "discitis",
        "subject": {"reference": f"Patient/{call['context']['patientId']}"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "M46.46"}]},
        "recordedDate": "2026-11-20",
    }
    call["prefetch"]["condition"]["entry"].append({"resource": infection})
    (graver,) = app.post(service, json=call).get_json()["cards"]
    assert graver["uuid"] != card["uuid"]
    assert graver["indicator"] == "warning"
    assert graver["summary"] != card["summary"]
    store.close()
