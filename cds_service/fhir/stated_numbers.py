"""A number that a sentence states: "Cobb angle of 31 degrees", "75% relief", "Goutallier grade II"."""

import re
from collections.abc import Collection, Iterable

from cds_service.fhir.free_text import words

# The number is at most this many words after, or before, the phrase that it measures.
WORDS_BEHIND, WORDS_BEFORE = 6, 3
# "L4" is a level, not a number.
_TOKEN = re.compile(r"\d{1,4}(?:\.\d{1,3})?|[a-z]+\d*|[%\u00b0]", re.IGNORECASE)
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}
_GRADES = ("grade", "stage")


def stated_number(
    sentence: str, phrases: Iterable[str], units: Collection[str], least: float, most: float
) -> float | None:
    """The number that a sentence states for the first of the phrases (as ``free_text.words``) that has one, or None.

    If there are ``units`` (lower-case, as written), one of them must follow the number; otherwise a Roman numeral
    counts after the phrase or after "grade". A number outside ``least`` to ``most`` does not count.
    """
    tokens = [token.lower() for token in _TOKEN.findall(sentence)]
    for phrase in phrases:
        measured = words(phrase).split()
        for start in range(len(tokens) - len(measured) + 1):
            if tokens[start : start + len(measured)] == measured:
                end = start + len(measured)
                behind = range(end, min(end + WORDS_BEHIND, len(tokens)))
                before = range(start - 1, max(start - 1 - WORDS_BEFORE, -1), -1)
                for place in (*behind, *before):
                    number = _number_at(tokens, place, units, is_next=place in (end, start - 1))
                    if number is not None and least <= number <= most:
                        return number
    return None


def _number_at(tokens: list[str], place: int, units: Collection[str], *, is_next: bool) -> float | None:
    token = tokens[place]
    if not units and token in _ROMAN and (is_next or tokens[place - 1] in _GRADES):
        return float(_ROMAN[token])
    if not token[0].isdigit():
        return None
    unit = tokens[place + 1] if place + 1 < len(tokens) else ""
    return float(token) if not units or unit in units else None
