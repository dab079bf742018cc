"""Removes a patient's names, numbers and birth date from the words of a chart, for texts that must not identify anyone.

The service's own words and the labels of codes identify nobody; only the chart's own words need this.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import islice
from typing import Any

from cds_service.fhir.elements import Json, list_of

# A limit, because a Patient may list any number of names; nobody uses more.
MOST_TERMS = 200
LONGEST_TERM = 100
# Removing shorter names would remove ordinary words.
SHORTEST_NAME = 3
SHORTEST_NUMBER = 4
NAME, NUMBER, BIRTH_DATE = "[name]", "[number]", "[birth date]"


class Nameless:
    """Removes names, numbers and the birth date of the patient from a text; ``patients`` are copies of the Patient.

    It finds single names as written and in capitals, and full names in any case: a patient called Back still has low
    back pain.
    """

    def __init__(self, patients: Iterable[Json]) -> None:
        copies = list(patients)
        self._born = {born for patient in copies if isinstance(born := patient.get("birthDate"), str)}
        exact = _terms(_names(copies))
        self._sought = [
            _Sought(_terms(_whole_names(copies)), NAME, any_case=True),
            _Sought([*exact, *map(str.upper, exact)], NAME, any_case=False),
            _Sought(_terms(_numbers(copies)), NUMBER, any_case=True),
            _Sought(_terms(spelled for born in self._born for spelled in _dates(born)), BIRTH_DATE, any_case=True),
        ]
        self._any = [term.lower() for sought in self._sought for term in sought.terms]

    def __call__(self, text: str) -> str:
        """The text with a marker for each name, number and birth date; few texts have one."""
        if not any(map(text.lower().__contains__, self._any)):
            return text
        for sought in self._sought:
            text = sought.left_out_of(text)
        return text

    def date(self, written: str | None) -> str | None:
        """The date of a record; only the year if it is the birth date."""
        return written[:4] if written is not None and written[:10] in self._born else written


class _Sought:
    """Terms to replace by a marker; the pattern is compiled only when a text has one."""

    def __init__(self, terms: list[str], marker: str, *, any_case: bool) -> None:
        self.terms = [term.lower() for term in terms] if any_case else terms
        self._marker, self._any_case = marker, any_case
        self._pattern: re.Pattern[str] | None = None

    def left_out_of(self, text: str) -> str:
        """The text with the marker for each term that occurs as a whole word."""
        looked_at = text.lower() if self._any_case else text
        if not any(map(looked_at.__contains__, self.terms)):
            return text
        if self._pattern is None:
            either = "|".join(map(re.escape, self.terms))
            self._pattern = re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE if self._any_case else 0)
        return self._pattern.sub(self._marker, text)


def _terms(texts: Iterable[str]) -> list[str]:
    """Each text once, longest first, so that a short name never leaves the rest of a longer one."""
    found = dict.fromkeys(islice((text for text in texts if len(text) <= LONGEST_TERM), MOST_TERMS))
    return sorted(found, key=len, reverse=True)


def _human_names(patients: Iterable[Json]) -> Iterator[Mapping[str, Any]]:
    for patient in patients:
        yield from (name for name in list_of(patient.get("name")) if isinstance(name, dict))


def _said(value: Any) -> Iterator[str]:
    yield from (text.strip() for text in list_of(value) if isinstance(text, str) and text.strip())


def _names(patients: Iterable[Json]) -> Iterator[str]:
    for name in _human_names(patients):
        for part in ("family", "given", "text"):
            for text in _said(name.get(part)):
                yield from (word for word in re.findall(r"\w[\w'’-]*", text) if len(word) >= SHORTEST_NAME)


def _whole_names(patients: Iterable[Json]) -> Iterator[str]:
    for name in _human_names(patients):
        yield from (text for text in _said(name.get("text")) if " " in text)
        for family in _said(name.get("family")):
            for given in (" ".join(_said(name.get("given"))), *_said(name.get("given"))):
                if given:
                    yield from (f"{given} {family}", f"{family}, {given}", f"{family} {given}")


def _numbers(patients: Iterable[Json]) -> Iterator[str]:
    for patient in patients:
        yield from _said(patient.get("id"))
        for element in ("identifier", "telecom"):
            for item in list_of(patient.get(element)):
                if isinstance(item, dict):
                    yield from (text for text in _said(item.get("value")) if len(text) >= SHORTEST_NUMBER)


def _dates(born: str) -> Iterator[str]:
    """The common spellings of a birth date."""
    try:
        day = date.fromisoformat(born)
    except ValueError:
        return
    month, number, year = day.month, day.day, day.year
    yield born
    for apart in "/.-":
        yield f"{month:02}{apart}{number:02}{apart}{year}"
        yield f"{month}{apart}{number}{apart}{year}"
        yield f"{number:02}{apart}{month:02}{apart}{year}"
    for name in (_MONTHS[month - 1], _MONTHS[month - 1][:3]):
        yield from (f"{name} {number}, {year}", f"{name} {number} {year}", f"{number} {name} {year}")


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
