"""The parts of a rule set that are past their review date."""

from collections.abc import Iterator
from datetime import date

from cds_service.authoring.problems import Problem, warning
from cds_service.policy.model import Policy


def overdue(policy: Policy, today: date) -> Iterator[Problem]:
    """A warning for each part that is past its review date."""
    for place, day in _reviewed(policy):
        if date.fromisoformat(day) < today:
            yield warning(place, f"was to be reviewed by {day}; look at the sources again and move next_review")


def _reviewed(policy: Policy) -> Iterator[tuple[str, str]]:
    """(file and place, review date) of each part that has one."""
    yield "policy.json: $.review", policy.review.next_review
    for index, criterion in enumerate(policy.criteria):
        yield f"policy.json: $.criteria[{index}] ({criterion.id})", criterion.next_review
    for profile in policy.profiles.values():
        yield f"policy.json: $.profiles.{profile.id}", profile.next_review
    for index, payer in enumerate(policy.payers):
        yield f"payers.json: $.payers[{index}] ({payer.name})", payer.next_review
