"""The result of a validation: remarks with place and level, and the checks that passed."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cds_service.fhir.models import problems
from cds_service.workbench import check_words as words

ERROR, WARNING, NOTE = "error", "warning", "note"
MOST_RESOURCES = 300
MOST_FINDINGS = 200


class Remark(NamedTuple):
    """One finding: ``path`` in the JSON (empty for the whole), ``level`` error, warning or note, ``text``."""

    path: str
    level: str
    text: str


class Check(NamedTuple):
    """One part of a validation: ``title`` is the sentence for a pass, ``remarks`` are the findings."""

    title: str
    remarks: Iterable[Remark]


class Report(NamedTuple):
    """The remarks of all checks, errors first, and the titles of the checks that passed."""

    findings: list[Remark]
    passed: list[str]


def report_of(checks: Iterable[Check]) -> Report:
    """Run the checks, up to ``MOST_FINDINGS``. A check passes if it finds nothing worse than a note."""
    found: dict[Remark, None] = {}
    passed = []
    for check in checks:
        if len(found) >= MOST_FINDINGS:
            break
        remarks = list(islice(check.remarks, MOST_FINDINGS - len(found)))
        found |= dict.fromkeys(remarks)
        if all(remark.level == NOTE for remark in remarks):
            passed.append(check.title)
    order = (ERROR, WARNING, NOTE)
    return Report(sorted(found, key=lambda remark: order.index(remark.level)), passed)


def models_check(place: str, resources: list[tuple[str, Any]]) -> Check:
    """A check that resources, each with its place, are valid against their models; all lie within ``place``."""
    return Check(words.valid(len(resources)), _models(place, resources))


def _models(place: str, resources: list[tuple[str, Any]]) -> Iterator[Remark]:
    """Violations of each resource's FHIR R4B model, without its values. Models are slow, so there is a limit."""
    if len(resources) > MOST_RESOURCES:
        yield Remark(place, WARNING, words.first_validated(len(resources), MOST_RESOURCES))
    for where, resource in resources[:MOST_RESOURCES]:
        if isinstance(resource, Mapping) and isinstance(resource.get("resourceType"), str):
            for problem in problems(dict(resource)):
                yield Remark(where, WARNING, words.not_valid(problem))


def split_address(address: str) -> tuple[str, str] | None:
    """Scheme and host of an absolute http or https address; None for any other text."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname or "") if parts.scheme in ("http", "https") and parts.hostname else None
