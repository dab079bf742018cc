"""All code sets of some rule sets as one index: a chart is read once, however many rule sets use it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import Any

from cds_service.fhir.elements import Key, coding_key
from cds_service.fhir.free_text import FreeText
from cds_service.fhir.phrase_index import PhraseIndex
from cds_service.fhir.terminology import ICD10PCS
from cds_service.policy.codes import Code, CodeSet

_NOT_TEXT = "has a coding whose code or system is not text"
# The most concepts to remember, and the most codings and characters that a remembered concept has.
REMEMBERED, MOST_CODINGS, LONGEST_CODES = 8192, 8, 400
_NOBODY = frozenset[CodeSet]()
_PLACE_AND_ROW = itemgetter(0, 1)
_TEXT_OR_NONE = (str, NoneType)

# A code set that reads a coding, its row, the code in its system's spelling, and whether the coding has no system.
CodedRow = tuple[CodeSet, Code, str, bool]


@dataclass(slots=True)
class ReadCodes:
    """The codings of a concept: the row of each code set that reads one of them, and whether there ``are_any``.

    ``coded``: one is in a standard system other than ICD-10-PCS; ``foreign``: all are in unknown systems.
    ``silent_for`` are the code sets that ignore words beside an ICD-10-PCS coding: all code sets of each rule set that
    lists the code. ``broken`` says why the remaining codings cannot be read. ``keys`` are the keys of the codings in
    standard systems.
    """

    rows: tuple[CodedRow, ...] = ()
    coded: bool = False
    are_any: bool = False
    foreign: bool = False
    silent_for: frozenset[CodeSet] = _NOBODY
    broken: str = ""
    keys: tuple[Key, ...] = ()


class Lexicon:
    """Looks up codings in many code sets at once, and remembers the results; codes identify no patient.

    ``policies`` are the code sets of each rule set.
    """

    def __init__(self, policies: Iterable[Iterable[CodeSet]]) -> None:
        listed = [tuple(code_sets) for code_sets in policies]
        self._code_sets = tuple(codes for code_sets in listed for codes in code_sets)
        self._policies = tuple(frozenset(code_sets) for code_sets in listed)
        self._exact: dict[Key, list[tuple[int, Code]]] = {}
        # For each system, the lengths of its families' prefixes; for each prefix, its families in order.
        self._lengths: dict[str, set[int]] = {}
        self._families: dict[Key, list[tuple[int, int, Code]]] = {}
        for place, codes in enumerate(self._code_sets):
            for key, row in codes.exact.items():
                self._exact.setdefault(key, []).append((place, row))
            for order, family in enumerate(codes.families):
                self._lengths.setdefault(family.system, set()).add(len(family.begins))
                self._families.setdefault((family.system, family.begins), []).append((place, order, family))
        self._remembered: dict[tuple[Any, ...], ReadCodes] = {}
        self._listing: dict[str, list[CodeSet]] = {}
        for codes in self._code_sets:
            for phrase in codes.phrases:
                self._listing.setdefault(phrase, []).append(codes)
        self._phrases = PhraseIndex(self._listing)

    def read(self, pairs: tuple[tuple[Any, Any], ...]) -> ReadCodes:
        """The codings of one concept as (system, code) pairs of any JSON; never raises."""
        try:
            return self._remembered[pairs]
        except (KeyError, TypeError):
            found = self._read(pairs)
        # Remember only what is short enough to be codes: a chart must not fill the memory.
        if not found.broken and _is_short(pairs):
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[pairs] = found
        return found

    def named_in(self, text: FreeText) -> Iterable[CodeSet]:
        """The code sets that have a phrase in a text; a code set with several such phrases comes more than once."""
        return chain.from_iterable(map(self._listing.__getitem__, self._phrases.found_in(text)))

    def with_key(self, key: Key) -> set[CodeSet]:
        """The code sets that read a (system, code) pair."""
        return {codes for codes, *_ in self.read((key,)).rows}

    def _read(self, pairs: Sequence[tuple[Any, Any]]) -> ReadCodes:
        rows: dict[CodeSet, CodedRow] = {}
        keys: list[Key] = []
        coded, are_any, foreign, silent_for, broken = False, False, True, _NOBODY, ""
        for system, code in pairs:
            if not (isinstance(code, _TEXT_OR_NONE) and isinstance(system, _TEXT_OR_NONE)):
                broken = _NOT_TEXT
                break
            are_any = are_any or code is not None
            key = coding_key(system, code) if code is not None else None
            if key is None:
                continue
            foreign = False
            keys.append(key)
            found = self._rows(key)
            if key[0] != ICD10PCS:
                coded = True
            elif found:
                # Rule sets list few codes of this system. A code that a rule set does not list must not silence the
                # words beside the code, and it must not matter to one rule set which codes another lists.
                read = {codes for codes, _ in found}
                silent_for = silent_for.union(*(sets for sets in self._policies if not read.isdisjoint(sets)))
            for codes, row in found:
                # If a set reads several codes, the first by system and code wins.
                first = rows.get(codes)
                if first is None or (row.system, key[1]) <= (first[1].system, first[2]):
                    rows[codes] = (codes, row, key[1], not system)
        of_sets = tuple(rows.values())
        return ReadCodes(of_sets, coded, are_any, are_any and foreign, silent_for, broken, tuple(keys))

    def _rows(self, key: Key) -> tuple[tuple[CodeSet, Code], ...]:
        """The row of each code set that reads a key; a key that no set lists does not cost a look into each set."""
        found = dict(self._exact.get(key, ()))
        system, code = key
        lengths = self._lengths.get(system)
        if not (found or lengths):
            return ()
        begun = [
            family
            for length in lengths or ()
            for family in self._families.get((system, code[:length]), ())
            if family[2].covers(code)
        ]
        # If a set has several matching families, the first wins, as in ``CodeSet.match``.
        begun.sort(key=_PLACE_AND_ROW)
        for place, _, family in begun:
            if place not in found:
                found[place] = family.narrowed_to(code)
        return tuple((self._code_sets[place], found[place]) for place in sorted(found))


def _is_short(pairs: Sequence[tuple[str | None, str | None]]) -> bool:
    return len(pairs) <= MOST_CODINGS and sum(len(text) for pair in pairs for text in pair if text) <= LONGEST_CODES
