"""The findings of a check: errors to fix, and warnings to know about."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

# Places are listed up to this many characters; the rest are counted.
MOST_OF_PLACES = 300


class Severity(Enum):
    """The severity of a problem: an error makes the check fail, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: its place (file, JSON path, case), and a sentence that says what is wrong and what is allowed."""

    severity: Severity
    place: str
    says: str


def error(place: str, says: str) -> Problem:
    """A problem that makes the check fail."""
    return Problem(Severity.ERROR, place, says)


def warning(place: str, says: str) -> Problem:
    """A problem that does not make the check fail."""
    return Problem(Severity.WARNING, place, says)


def told_once(problems: Iterable[Problem], folder: str = "") -> list[str]:
    """A sentence for each distinct problem, with its first places and a count of the rest.

    ``folder`` precedes the places.
    """
    places: dict[str, list[str]] = {}
    for problem in problems:
        places.setdefault(problem.says, []).append(problem.place)
    return [_sentence(says, list(dict.fromkeys(filter(None, found))), folder) for says, found in places.items()]


def _sentence(says: str, places: list[str], folder: str) -> str:
    if not places:
        return says
    named = 1
    while named < len(places) and len(", ".join(places[: named + 1])) <= MOST_OF_PLACES:
        named += 1
    hidden = len(places) - named
    return f"{folder}{', '.join(places[:named])}{f' and {hidden} more' if hidden else ''}: {says}"
