"""The labels of the feedback page's bars, and its faults; its headings are in its template."""

from collections.abc import Mapping

from cds_service.card.outcomes import Outcome

UNKNOWN_CARDS = "Feedback for unknown cards"
NO_FEEDBACK = "no feedback"
NOT_KNOWN = "not known"
LAST_BEFORE_FIRST = "until is a day before since; the first day comes first."
# The words for each outcome of a card.
SAYS: Mapping[str, str] = {item.value: item.called for item in Outcome} | {
    "late": "not checked in time",
    # Outcomes of older releases.
    "not-met": "a criterion not met",
    "unknown": "a criterion unknown",
    "not-applicable": "nothing to decide",
    "pathway": "the order is not evaluated",
    "ask": "a question about the order",
}


def no_day(name: str) -> str:
    """An invalid day; ``name`` is since or until."""
    return f"{name} must be a day such as 2026-11-25, or be left out."


def rates(accepted: int, accept_rate: str, overridden: int, override_rate: str) -> str:
    """The numbers accepted and overridden, each with its percentage."""
    return f"{accepted} accepted ({accept_rate}), {overridden} overridden ({override_rate})"


def share(number: int, total: int, rate: str) -> str:
    """A part of a number, with its percentage."""
    return f"{number} of {total} ({rate})"
