"""A gallery of broken policies: each mistake of an author is reported with its file and place, in words that help.

tests/broken/README.md says how an entry is written.
"""

import ast
import importlib
import inspect
import json
import pkgutil
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest

from cds_service.authoring.check import Wishes, check_folder
from cds_service.authoring.problems import Severity
from cds_service.errors import PolicyError
from cds_service.policy import loading
from cds_service.policy.json_files import FILES
from tests.charts import BASE, MINIMAL
from tests.charts import TODAY as MADE_ON
from tests.loading import load_policy
from tests.test_schema_errors import shipped_nodes

GALLERY = Path(__file__).parent / "broken"
SLUGS = sorted(path.stem for path in GALLERY.glob("*.json"))
# Where problems are noted by a method ``problem``; each of its calls must be reached by an entry.
MODULES = tuple(f"{loading.__name__}.{module.name}" for module in pkgutil.iter_modules(loading.__path__))
LONGEST = 600
# Nothing of Python and nothing of JSON Schema may reach an author.
FOREIGN = re.compile(
    r"<class|<function| object at 0x|<cds_service|\w\(\w+=|Ellipsis|Traceback|\bNone\b|\bTrue\b|\bFalse\b"
)
RAW = re.compile(
    r"is not valid under|is a required property|Additional properties|was expected|non-empty|is not of type"
)
PATTERN = re.compile(r"\^[\[(\\\w]|\[a-z|\[A-Z|\\[sSdDwWb]|\)[*?]")


@dataclass(frozen=True)
class Told:
    """What an author sees of a broken policy, without the path of its folder.

    ``is_refused``: by the loader, so that the check did not run. ``sites``: (file, line) of each call of ``problem``.
    """

    problems: tuple[str, ...]
    is_refused: bool
    sites: frozenset[tuple[str, int]]


def entry(slug: str) -> dict:
    return json.loads((GALLERY / f"{slug}.json").read_text(encoding="utf-8"))


def apply(change: dict, folder: Path) -> None:
    """Makes one change of an entry in a copy of the made-up statement."""
    file = folder / f"{change['file']}.json"
    if change.get("delete"):
        file.unlink()
        return
    text = file.read_text(encoding="utf-8")
    if "text" in change:
        old, new = change["text"]
        assert old in text, f"{old!r} does not stand in {file.name}"
        file.write_text(text.replace(old, new, 1), encoding="utf-8")
        return
    document = json.loads(text)
    steps = [int(step) if step.isdigit() else step for step in change["path"].split(".") if step]
    place = document
    for step in steps[:-1]:
        place = place[step]
    if not steps:
        document = change["value"]
    elif change.get("remove"):
        del place[steps[-1]]
    elif isinstance(place, list) and steps[-1] == len(place):
        place.append(change["value"])
    else:
        place[steps[-1]] = change["value"]
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")


def problems_of(folder: Path) -> tuple[tuple[str, ...], bool]:
    """What the loader says of a folder, or where it accepts the folder what the check says; and whether it refused."""
    try:
        load_policy(folder)
    except PolicyError as error:
        return tuple(error.problems), True
    report = check_folder(folder, BASE, Wishes(MADE_ON, mutations=False))
    return tuple(
        f"{problem.place}: {problem.says}" for problem in report.problems if problem.severity is Severity.ERROR
    ), False


def noting_classes() -> list[type]:
    """The classes of the modules that have a method ``problem`` of their own."""
    members = [vars(importlib.import_module(name)).values() for name in MODULES]
    found = (member for values in members for member in values if inspect.isclass(member))
    return list(dict.fromkeys(member for member in found if "problem" in vars(member)))


@cache
def told(slug: str) -> Told:
    """Breaks a copy of the made-up statement as the entry says, and gathers what an author sees."""
    sites: set[tuple[str, int]] = set()

    def noting(problem):
        def noted(*arguments, **named):
            caller = sys._getframe(1)
            sites.add((caller.f_code.co_filename, caller.f_lineno))
            return problem(*arguments, **named)

        return noted

    with tempfile.TemporaryDirectory() as scratch:
        folder = shutil.copytree(MINIMAL, Path(scratch) / MINIMAL.name)
        for change in entry(slug)["change"]:
            apply(change, folder)
        patches = [patch.object(member, "problem", noting(member.problem)) for member in noting_classes()]
        for each in patches:
            each.start()
        try:
            problems, is_refused = problems_of(folder)
        finally:
            for each in patches:
                each.stop()
        plain = (problem.replace(f"{folder}/", "").replace(str(folder), folder.name) for problem in problems)
        return Told(tuple(plain), is_refused, frozenset(sites))


@pytest.mark.parametrize("slug", SLUGS)
def test_a_broken_policy_is_reported_with_its_place_and_in_words_that_help(slug):
    wanted = entry(slug)
    problems = told(slug).problems
    assert any(
        f"{wanted['place']}: " in problem and all(word in problem for word in wanted["says"]) for problem in problems
    ), "\n".join(problems)


@pytest.mark.parametrize("slug", SLUGS)
def test_nothing_foreign_reaches_an_author(slug):
    patterns = {node["pattern"] for node in shipped_nodes() if "pattern" in node}
    for problem in told(slug).problems:
        assert len(problem) <= LONGEST, problem
        assert not any(search.search(problem) for search in (FOREIGN, RAW, PATTERN)), problem
        assert not any(pattern in problem for pattern in patterns), problem


@pytest.mark.parametrize("slug", SLUGS)
def test_a_fault_of_form_is_reported_once(slug):
    """A file that is not JSON or breaks its schema has as many problems as faults, and each entry makes one fault."""
    if told(slug).is_refused and not told(slug).sites:
        assert len(told(slug).problems) == 1


@pytest.mark.parametrize("slug", SLUGS)
def test_an_entry_is_written_as_its_readme_says(slug):
    wanted = entry(slug)
    assert wanted.keys() == {"about", "change", "place", "says"}
    assert wanted["about"].endswith(".")
    assert wanted["says"]
    for change in wanted["change"]:
        assert change["file"] in FILES
        assert change.keys() - {"file"} in ({"path", "value"}, {"path", "remove"}, {"text"}, {"delete"})


@pytest.mark.parametrize("module", MODULES)
def test_every_problem_of_the_loader_has_an_entry(module):
    path = importlib.import_module(module).__file__
    source = Path(path).read_text(encoding="utf-8")
    calls = [
        (node.lineno, node.end_lineno)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "problem"
    ]
    reached = {line for slug in SLUGS for file, line in told(slug).sites if file == path}
    missed = [first for first, last in calls if not reached & set(range(first, last + 1))]
    lines = source.splitlines()
    assert not missed, "no entry reaches\n" + "\n".join(f"{path}:{line}: {lines[line - 1].strip()}" for line in missed)
