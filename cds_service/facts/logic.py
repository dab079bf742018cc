"""Three-valued (strong Kleene) logic: met, not met, unknown."""

from collections.abc import Iterable, Sequence
from enum import Enum


class Truth(Enum):
    """The value of a criterion or a verdict; the enum value is the word in JSON."""

    MET = "met"
    NOT_MET = "not-met"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


def negation(truth: Truth) -> Truth:
    """Swaps met and not met; unknown stays unknown."""
    if truth is Truth.MET:
        return Truth.NOT_MET
    if truth is Truth.NOT_MET:
        return Truth.MET
    return truth


def every(truths: Iterable[Truth]) -> Truth:
    """Kleene AND over one or more truths: one truth not met settles the result, one unknown keeps it open."""
    seen = set(truths)
    if Truth.NOT_MET in seen:
        return Truth.NOT_MET
    return Truth.UNKNOWN if Truth.UNKNOWN in seen or not seen else Truth.MET


def some(truths: Iterable[Truth]) -> Truth:
    """Kleene OR over one or more truths: one truth met settles the result, one unknown keeps it open."""
    seen = set(truths)
    if Truth.MET in seen:
        return Truth.MET
    return Truth.UNKNOWN if Truth.UNKNOWN in seen or not seen else Truth.NOT_MET


def agreement(truths: Iterable[Truth]) -> Truth:
    """The common truth of several sources: contradiction is unknown, and a silent source defers to the others."""
    seen = set(truths) - {Truth.UNKNOWN}
    return seen.pop() if len(seen) == 1 else Truth.UNKNOWN


def first_settled(truths: Iterable[Truth]) -> Truth:
    """The first truth that is not unknown; unknown if there is none."""
    return next((truth for truth in truths if truth is not Truth.UNKNOWN), Truth.UNKNOWN)


def agreement_of_all(truths: Sequence[Truth]) -> Truth:
    """The one truth that all possible values share, else unknown; unknown without values."""
    return truths[0] if truths and all(truth is truths[0] for truth in truths) else Truth.UNKNOWN


def from_bool(value: bool) -> Truth:
    """True is met, False is not met."""
    return Truth.MET if value else Truth.NOT_MET
