"""The criteria read a second time, from the page and the rule sets alone, come out as the service has them."""

import ast
import json
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests import second_reading
from tests.random_charts import prefetch, truths_of
from tests.second_reading.criteria import second_reading as read_again
from tests.second_reading.page import RULE_SETS
from tests.shipped import BASE, TODAY, library
from tests.shrinking import shrunk
from tests.varied_charts import Varied

CHARTS = 5_000
# The charts are shared out, so that several processes may take their part.
SHARES = 20
FOLDER = Path(second_reading.__file__).parent


@cache
def keys() -> dict[str, str]:
    return dict(library().prefetch_keys)


def differences(name: str, sent: Any) -> dict[str, tuple[str, str | None]]:
    """The criteria that the service and the second reading see otherwise."""
    # Criteria with a profile's numbers have the profile behind an @; their facts are those of the others.
    by_service = {key: truth for key, truth in truths_of(sent, name).items() if "@" not in key}
    again = read_again(name, sent, keys(), "p1", TODAY, BASE)
    assert by_service.keys() == again.keys()
    return {key: (truth, again[key]) for key, truth in by_service.items() if truth != again[key]}


@pytest.mark.parametrize("share", range(SHARES))
def test_the_second_reading_agrees_with_the_service(share):
    random = Random(f"second reading {share}")
    for number in range(CHARTS // SHARES):
        name = RULE_SETS[number % len(RULE_SETS)]
        made = Varied(random, name)
        sent = made.sent(made.records(), keys())
        found = differences(name, sent)
        if found:
            least = shrunk(
                sent, lambda less, name=name, found=found: bool(differences(name, less).keys() & found.keys())
            )
            pytest.fail(
                f"{name}: {differences(name, least)} (service, second reading) of\n{json.dumps(least, indent=1)}"
            )


def test_a_report_that_may_not_mean_what_it_says_does_not_stop_the_evaluation():
    mri = {"coding": [{"system": "http://loinc.org", "code": "24968-0"}]}
    report = {"resourceType": "DiagnosticReport", "id": "r1", "subject": {"reference": "Patient/p1"}, "status": "final"}
    report |= {"code": mri, "effectiveDateTime": "2026-10-01", "modifierExtension": [{"url": "urn:not"}]}
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "1980-01-01"}
    assert truths_of(prefetch([patient, report]))["age"] == "met"


def test_the_charts_meet_and_fail_the_criteria():
    seen: dict[str, Counter[str]] = {name: Counter() for name in RULE_SETS}
    random = Random("what the charts come to")
    for number in range(200):
        name = RULE_SETS[number % len(RULE_SETS)]
        made = Varied(random, name)
        seen[name].update(read_again(name, made.sent(made.records(), keys()), keys(), "p1", TODAY, BASE).values())
    assert all(min(counted["met"], counted["not-met"], counted["unknown"]) > 50 for counted in seen.values()), seen


def test_the_second_reading_imports_nothing_of_the_service():
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in named:
                assert module.startswith("tests.second_reading") or module.partition(".")[0] in sys.stdlib_module_names


def test_a_disagreement_is_shrunk_to_what_it_takes():
    sent = {"a": [{"x": 1, "y": [2, 3]}, {"x": 4}], "b": {"c": 5}}
    assert shrunk(sent, lambda less: less["a"][0]["y"][-1] == 3) == {"a": [{"y": [3]}]}
