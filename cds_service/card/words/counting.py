"""Numbers with nouns, and lists cut to the first few names: the only place that chooses singular or plural."""

from collections.abc import Sequence

MOST_NAMES = 3
# The separator before the last name of a list.
AND = " and "


def form(number: int, one: str, many: str) -> str:
    """The form of a noun or verb for a number."""
    return one if number == 1 else many


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number} {form(number, one, many)}"


def needs(number: int) -> str:
    """The verb for criteria that need documentation."""
    return form(number, "needs", "need")


def criteria(number: int) -> str:
    """The noun for a number of criteria."""
    return form(number, "criterion", "criteria")


def few(names: Sequence[str], apart: str = "; ", most: int = MOST_NAMES, last: str | None = None) -> str:
    """The first names, and the number of the others.

    ``apart`` separates the names; ``last``, if given, replaces it before the number.
    """
    more = len(names) - most
    return apart.join(names[:most]) + (f"{apart if last is None else last}{and_more(more)}" if more > 0 else "")


def and_more(number: int) -> str:
    """The number of names left out."""
    return f"{number} more"


def all_of(names: Sequence[str]) -> str:
    """All names, joined by "and"."""
    return AND.join(names)
