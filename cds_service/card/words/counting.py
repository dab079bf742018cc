"""Numbers with their nouns, and lists that name the first few: singular and plural in one place."""

from collections.abc import Sequence

MOST_NAMES = 3
# Before the last of names that a sentence lists.
AND = " and "


def form(number: int, one: str, many: str) -> str:
    """The form of a noun or verb that goes with a number."""
    return one if number == 1 else many


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number} {form(number, one, many)}"


def needs(number: int) -> str:
    """The verb of what needs documentation."""
    return form(number, "needs", "need")


def criteria(number: int) -> str:
    """The noun."""
    return form(number, "criterion", "criteria")


def few(names: Sequence[str], apart: str = "; ", most: int = MOST_NAMES, last: str | None = None) -> str:
    """The first of many names, and how many more there are, behind ``last`` where that is not as between names."""
    more = len(names) - most
    return apart.join(names[:most]) + (f"{apart if last is None else last}{and_more(more)}" if more > 0 else "")


def and_more(number: int) -> str:
    """How many are not named."""
    return f"{number} more"


def all_of(names: Sequence[str]) -> str:
    """Names that belong together."""
    return AND.join(names)
