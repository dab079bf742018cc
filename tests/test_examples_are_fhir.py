"""The examples are laid out alike, and what is not broken on purpose in them is valid FHIR."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from cds_service.examples import examples
from tests.examples import FOLDER, as_text, readme

NAMES = sorted(examples(FOLDER))
# Resources that are broken on purpose; every other resource of every example is valid FHIR.
BROKEN = {
    "broken-resources": frozenset(
        (
            "Condition/code-is-a-word", "Procedure/date-in-words", "Observation/value-in-words",
            "Observation/coding-no-list", "MedicationRequest/concept-no-object", "DiagnosticReport/without-code",
            "QuestionnaireResponse/answer-in-words", "Coverage/period-in-words",
        )
    ),
}  # fmt: skip


def _request(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / name / "request.json").read_text(encoding="utf-8"))


def _resources(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every resource of a request, once; searchsets without their entries."""
    values = [value for value in request["prefetch"].values() if value]
    yield from (value | ({"entry": []} if value["resourceType"] == "Bundle" else {}) for value in values)
    for bundle in (*values, request["context"].get("draftOrders", {})):
        for entry in bundle.get("entry", ()):
            if isinstance(entry, dict) and entry["resource"]:
                yield entry["resource"]


@pytest.mark.parametrize("name", NAMES)
def test_every_resource_is_valid_unless_broken_on_purpose(name: str) -> None:
    invalid = {}
    for resource in _resources(_request(name)):
        try:
            get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        except ValidationError as error:
            invalid[f"{resource['resourceType']}/{resource['id']}"] = str(error)
    assert invalid.keys() == BROKEN.get(name, frozenset()), invalid


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", ["about.json", "request.json"])
def test_the_files_are_laid_out_as_they_are_written(name: str, file: str) -> None:
    text = (FOLDER / name / file).read_text(encoding="utf-8")
    assert text == as_text(json.loads(text))


def test_the_readme_lists_the_examples_and_no_folder_is_left_over() -> None:
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == readme()
    assert sorted(path.name for path in FOLDER.iterdir() if path.is_dir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_example_has_the_size_of_a_real_chart(name: str) -> None:
    assert 40 <= sum(1 for resource in _resources(_request(name)) if resource["resourceType"] != "Bundle") <= 120


@pytest.mark.parametrize("name", NAMES)
def test_no_cpt_coding_carries_a_display(name: str) -> None:
    def codings(value: Any) -> Iterator[dict[str, Any]]:
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from codings(item)
        if isinstance(value, dict) and "system" in value and "code" in value:
            yield value

    cpt = [item for item in codings(_request(name)) if "cpt" in item["system"] or item["system"].endswith("6.12")]
    assert not [item for item in cpt if "display" in item]
