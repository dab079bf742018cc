"""What an author may have meant: the allowed name most like a misspelled one, and the other allowed names."""

from collections.abc import Iterable
from difflib import SequenceMatcher

# A less similar guess confuses more than it helps: "height" is not a misspelling of "pain-onset".
LIKENESS = 0.6
NAMES_LISTED = 12
LENGTH_LISTED = 240


def likeness(one: str, other: str) -> float:
    """The likeness of two names, from 0 to 1, ignoring case and whether a dash, an underscore or a space joins
    words."""
    first, second = (name.lower().replace("_", "-").replace(" ", "-") for name in (one, other))
    ratio = SequenceMatcher(None, first, second).ratio()
    # Swapped letters weigh too much in a short word: "on" for "no".
    return max(ratio, 0.9) if sorted(first) == sorted(second) else ratio


def by_likeness(name: str, allowed: Iterable[str]) -> list[str]:
    """The allowed names, most like ``name`` first; equally similar names keep their order."""
    return sorted(allowed, key=lambda other: -likeness(name, other))


def meant(name: str, allowed: Iterable[str]) -> str | None:
    """The allowed name that ``name`` is probably a misspelling of, or None."""
    return next((other for other in by_likeness(name, allowed)[:1] if likeness(name, other) >= LIKENESS), None)


def nearest(name: str, allowed: Iterable[str]) -> str:
    """The second half of a sentence such as "'aeg' is not a fact; …", for a name that is not allowed.

    Returns "did you mean 'age'? Allowed: age, stage, and 9 more", "allowed: age, stage" if no name is similar, or
    "there is none to choose from". The nearest name comes first, and a long list keeps only the nearest names.
    """
    names = list(dict.fromkeys(allowed))
    if not names:
        return "there is none to choose from"
    if len(names) > NAMES_LISTED:
        names = by_likeness(name, names)
    guess = meant(name, names)
    if guess is None:
        return f"allowed: {listed(names)}"
    names.sort(key=lambda other: other != guess)
    return f"did you mean '{guess}'? Allowed: {listed(names)}"


def listed(names: list[str]) -> str:
    """Names as "a, b" or, for many names, "a, b, and 9 more"."""
    shown: list[str] = []
    for name in names[:NAMES_LISTED]:
        if shown and len(", ".join((*shown, name))) > LENGTH_LISTED:
            break
        shown.append(shortened(name))
    more = f", and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"{', '.join(shown)}{more}"


def shortened(text: str, length: int = 60) -> str:
    """Text on one line, cut if longer than ``length``."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
