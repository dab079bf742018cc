"""What a check finds: an error that must be mended, or a warning that somebody must know."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

# Places are named up to this many characters, and then counted.
MOST_OF_PLACES = 300


class Severity(Enum):
    """An error makes the check fail; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: where it is (file, JSON path, case), and what is wrong there with what is allowed."""

    severity: Severity
    place: str
    says: str


def error(place: str, says: str) -> Problem:
    """A problem that makes the check fail."""
    return Problem(Severity.ERROR, place, says)


def warning(place: str, says: str) -> Problem:
    """A problem that somebody must know of."""
    return Problem(Severity.WARNING, place, says)


def told_once(problems: Iterable[Problem], folder: str = "") -> list[str]:
    """A sentence for each problem; one found in many places is listed once, with the first places and a count.

    ``folder`` is the one in which the places lie.
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
