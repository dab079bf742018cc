"""All code sets that some policies read, as one index: a chart is read once, however many policies look."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from cds_service.errors import UnreadableError
from cds_service.fhir.elements import Key, coding_key
from cds_service.fhir.terminology import ICD10PCS
from cds_service.policy.codes import Code, CodeSet

_NOT_TEXT = "has a coding whose code or system is not text"

LONGEST_CODE = 100
REMEMBERED = 8192
_NOBODY = frozenset[CodeSet]()


class KnownCodes(NamedTuple):
    """What is known of a coding: whether its system is standard, its code as that system spells it, who reads it.

    ``without_system``: the system was left out and judged by the code's shape. ``rows`` pairs each code set that reads
    the coding with the row that it falls under. ``silences`` are the code sets that do not read words beside the coding
    although its system is not among the ``standard`` ones: those of each policy that lists it.
    """

    standard: bool
    code: str
    without_system: bool
    rows: tuple[tuple[CodeSet, Code], ...]
    silences: frozenset[CodeSet] = _NOBODY


class Lexicon:
    """Looks up codings in many code sets at once, and remembers what it found; codes are no patient's own.

    ``policies`` are the code sets of each policy.
    """

    def __init__(self, policies: Iterable[Iterable[CodeSet]]) -> None:
        listed = [tuple(code_sets) for code_sets in policies]
        self._code_sets = tuple(codes for code_sets in listed for codes in code_sets)
        self._policies = tuple(frozenset(code_sets) for code_sets in listed)
        self._exact: dict[Key, list[tuple[int, Code]]] = {}
        self._with_families: dict[str, list[int]] = {}
        for place, codes in enumerate(self._code_sets):
            for key, row in codes.exact.items():
                self._exact.setdefault(key, []).append((place, row))
            for system in codes.family_systems:
                self._with_families.setdefault(system, []).append(place)
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._look_up)
        # First word of a phrase -> each phrase that begins so, with the sets that list it.
        self._phrases: dict[str, dict[str, list[CodeSet]]] = {}
        for codes in self._code_sets:
            for phrase in codes.phrases:
                self._phrases.setdefault(phrase.split(maxsplit=1)[0], {}).setdefault(phrase, []).append(codes)

    def look_up(self, system: Any, code: Any) -> KnownCodes:
        """What is known of a coding, whatever JSON its system and code are; without a code it is nothing.

        Raises UnreadableError where the system or the code is not text.
        """
        if not isinstance(code, str | None) or not isinstance(system, str | None):
            raise UnreadableError(_NOT_TEXT)
        # Only what is short enough to be a code is remembered: a chart must not fill the memory with what it likes.
        if len(code or "") > LONGEST_CODE or len(system or "") > LONGEST_CODE:
            return self._look_up(system, code)
        return self._remembered(system, code)

    def named_in(self, plain: str) -> set[CodeSet]:
        """The code sets of which a phrase stands in a text in the form of ``words``."""
        found: set[CodeSet] = set()
        for first in self._phrases.keys() & plain.split():
            for phrase, code_sets in self._phrases[first].items():
                if phrase in plain:
                    found.update(code_sets)
        return found

    def _look_up(self, system: str | None, code: str | None) -> KnownCodes:
        key = coding_key(system, code) if code is not None else None
        if key is None:
            return KnownCodes(False, "", False, ())
        rows = self._rows(key)
        if key[0] != ICD10PCS:
            return KnownCodes(True, key[1], not system, rows)
        # Policies list few codes of this system, so that one that a policy does not list must not silence the words
        # beside it, and for another policy it must not matter who lists it.
        read = {codes for codes, _ in rows}
        silences = _NOBODY.union(*(code_sets for code_sets in self._policies if not read.isdisjoint(code_sets)))
        return KnownCodes(False, key[1], not system, rows, silences)

    def _rows(self, key: Key) -> tuple[tuple[CodeSet, Code], ...]:
        """What each code set that reads a key makes of it; what no set lists costs no look into each of them."""
        found = dict(self._exact.get(key, ()))
        for place in self._with_families.get(key[0], ()):
            if place not in found and (row := self._code_sets[place].match(key)):
                found[place] = row
        return tuple((self._code_sets[place], found[place]) for place in sorted(found))
