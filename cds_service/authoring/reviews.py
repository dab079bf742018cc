"""What must be looked at again and when: places and review dates that are missing, and those that are past."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from cds_service.authoring.documents import Documents
from cds_service.authoring.problems import Problem, error, warning


def without_source(documents: Documents) -> Iterator[Problem]:
    """A problem for each number and rule that does not say where it was seen, or when to look again."""
    for name, parameter in documents["policy"].get("parameters", {}).items():
        for member in ("source", "place"):
            if not parameter.get(member):
                says = f"the number does not say its {member}: the document, and the place in it, where it was seen"
                yield error(f"policy.json: $.parameters.{name}", says)
    for place, entry in _reviewed(documents):
        if not entry.get("next_review"):
            yield error(place, "no next_review: say on which day somebody must look again")


def overdue(documents: Documents, today: date) -> Iterator[Problem]:
    """A warning for each part whose day of review is past."""
    late = [
        (entry["next_review"], place)
        for place, entry in _reviewed(documents)
        if entry.get("next_review") and date.fromisoformat(entry["next_review"]) < today
    ]
    for day, place in late:
        yield warning(place, f"was to be reviewed by {day}; look at the sources again and move next_review")


def _reviewed(documents: Documents) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(file and place, entry) of each part that has a day of review."""
    policy = documents["policy"]
    yield "policy.json: $.review", policy["review"]
    for index, criterion in enumerate(policy["criteria"]):
        yield f"policy.json: $.criteria[{index}] ({criterion['id']})", criterion
    for name, profile in policy.get("profiles", {}).items():
        yield f"policy.json: $.profiles.{name}", profile
    for index, payer in enumerate(documents["payers"]["payers"]):
        yield f"payers.json: $.payers[{index}] ({payer['name']})", payer
