"""The expected errors: an author's (of a rule set), a caller's (a request), and JSON that is not FHIR's.

The code that reads the chart catches the last one, so the error affects only what needed that JSON. Any other error is
a bug.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class PolicyError(Exception):
    """A rule set folder that cannot be used.

    ``problems`` is a list of sentences, each naming file, place, what is wrong, and what is allowed.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class UnreadableError(Exception):
    """A resource, or a part of one, whose JSON does not have the shape that FHIR R4 gives it."""


@dataclass(eq=False)
class RequestError(Exception):
    """A call that gets an error status and an OperationOutcome.

    ``code`` is an issue type of http://hl7.org/fhir/R4/valueset-issue-type.html. ``expression`` is the place in the
    body (a JSON path such as ``context.draftOrders``), or None if no single place is at fault. ``headers`` are those
    that the status requires (``Retry-After``, ``WWW-Authenticate``).
    """

    status: int
    code: str
    sentence: str
    expression: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.sentence


def operation_outcome(code: str, sentence: str, expression: str | None = None) -> dict[str, Any]:
    """The one shape of every error body: a FHIR R4 OperationOutcome with a single issue."""
    issue: dict[str, Any] = {"severity": "error", "code": code, "diagnostics": sentence}
    if expression:
        issue["expression"] = [expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}
