"""Whether the codes of a rule set can be right: their check digits, and the answers of the public tables."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from cds_service.authoring.code_tables import spans, written_as
from cds_service.authoring.documents import Documents
from cds_service.authoring.problems import Problem, error, warning
from cds_service.fhir.check_digits import CHECKED
from cds_service.fhir.terminology import ICD10CM, ICD10PCS, canonical_system
from cds_service.policy.released_codes import FILE, answers_of

_TABLED = (ICD10CM, ICD10PCS)
# A category of ICD-10-CM has this many characters; a shorter prefix is not a family.
SHORTEST_PREFIX = 3


def code_problems(folder: Path, documents: Documents, today: date) -> Iterator[Problem]:
    """A problem for each code that is invalid in its system or missing from the checked release."""
    systems = {name: canonical_system(entry["url"]) for name, entry in documents["codes"]["systems"].items()}
    answers = answers_of(folder)
    used = set()
    for place, row in _rows(documents):
        system = systems.get(row["system"], "")
        used.add(row["system"])
        is_right = CHECKED.get(system)
        if is_right and not row["code"].endswith("-") and not is_right(row["code"]):
            yield error(place, f"{row['system']} {row['code']}: the check digit is wrong; compare it with its source")
        if system in _TABLED and row["system"] in answers:
            yield from _against_table(place, row, answers[row["system"]])
    for name in sorted(used):
        if systems.get(name) in _TABLED:
            yield from _table(name, answers.get(name), today)


def _rows(documents: Documents) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, entry in documents["codes"]["sets"].items():
        for index, row in enumerate(entry["codes"]):
            yield f"codes.json: $.sets.{name}.codes[{index}]", row


def _against_table(place: str, row: Mapping[str, Any], table: Mapping[str, Any]) -> Iterator[Problem]:
    written = written_as(row)
    found = table["codes"].get(written, [])
    if not found:
        says = f"{row['system']} {written} is not in the release of {table['release']}"
        yield error(place, f"{says}; correct it, or ask a newer table with: cds-service codes update")
    elif row["code"].endswith("-") and len(row["code"].rstrip("-")) < SHORTEST_PREFIX:
        yield error(place, f"'{row['code']}' catches too much ({spans(found)}); name a category, or a range")


def _table(name: str, table: Mapping[str, Any] | None, today: date) -> Iterator[Problem]:
    if table is None:
        yield warning(FILE, f"the {name} codes were checked against no table; run: cds-service codes update")
    elif date.fromisoformat(table["next_check"]) < today:
        says = f"the {name} codes were checked on {table['checked']} against the release of {table['release']}"
        yield warning(FILE, f"{says} and were to be checked again by {table['next_check']}")
