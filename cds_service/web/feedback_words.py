"""The words of the feedback page that its bars are labeled with, and its faults; its headings are in its template."""

from collections.abc import Mapping

from cds_service.card.outcomes import Outcome

UNKNOWN_CARDS = "Feedback for unknown cards"
NO_FEEDBACK = "no feedback"
NOT_KNOWN = "not known"
LAST_BEFORE_FIRST = "until is a day before since; the first day comes first."
# What a card said, by its outcome.
SAYS: Mapping[str, str] = {item.value: item.called for item in Outcome} | {
    "late": "not checked in time",
    # Cards that were shown before outcomes were reported separately.
    "not-met": "a criterion not met",
    "unknown": "a criterion unknown",
    "not-applicable": "nothing to decide",
    "pathway": "the order is not evaluated",
    "ask": "a question about the order",
}


def no_day(name: str) -> str:
    """A day that cannot be read; ``name`` is since or until."""
    return f"{name} must be a day such as 2026-11-25, or be left out."


def rates(accepted: int, accept_rate: str, overridden: int, override_rate: str) -> str:
    """How many were accepted and overridden, each with its share in per cent."""
    return f"{accepted} accepted ({accept_rate}), {overridden} overridden ({override_rate})"


def share(number: int, total: int, rate: str) -> str:
    """A part of a number, in per cent too."""
    return f"{number} of {total} ({rate})"
