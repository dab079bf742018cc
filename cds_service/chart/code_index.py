"""All code sets that some policies read, as one index: a chart is read once, however many policies look."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import Any

from cds_service.fhir.elements import Key, coding_key
from cds_service.fhir.free_text import FreeText, PhraseIndex
from cds_service.fhir.terminology import ICD10PCS
from cds_service.policy.codes import Code, CodeSet

_NOT_TEXT = "has a coding whose code or system is not text"
# Of so many concepts the codings are remembered, of concepts with so many codings of so many characters at most.
REMEMBERED, MOST_CODINGS, LONGEST_CODES = 8192, 8, 400
_NOBODY = frozenset[CodeSet]()
_PLACE_AND_ROW = itemgetter(0, 1)
_TEXT_OR_NONE = (str, NoneType)

# A code set that reads a coding, its row, the code as its system spells it, and whether the system was left out.
CodedRow = tuple[CodeSet, Code, str, bool]


@dataclass(slots=True)
class ReadCodes:
    """What the codings of a concept say: the row of each code set that reads one of them, and if there ``are_any``.

    ``coded``: one is of a standard system; ``foreign``: all are of systems that are not known. ``silent_for`` are the
    code sets that do not read words beside a coding although its system is not among the standard ones: those of each
    policy that lists it. ``broken``: why the codings behind these cannot be read. ``keys`` are those of the codings in
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
    """Looks up codings in many code sets at once, and remembers what it found; codes are no patient's own.

    ``policies`` are the code sets of each policy.
    """

    def __init__(self, policies: Iterable[Iterable[CodeSet]]) -> None:
        listed = [tuple(code_sets) for code_sets in policies]
        self._code_sets = tuple(codes for code_sets in listed for codes in code_sets)
        self._policies = tuple(frozenset(code_sets) for code_sets in listed)
        self._exact: dict[Key, list[tuple[int, Code]]] = {}
        # By system, how long the beginnings of its families are, and by each of them those families, in their order.
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
        """What the codings of one concept say, each by its system and its code, whatever JSON these are; never
        raises."""
        try:
            return self._remembered[pairs]
        except (KeyError, TypeError):
            found = self._read(pairs)
        # Only what is short enough to be codes is remembered: a chart must not fill the memory with what it likes.
        if not found.broken and _is_short(pairs):
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[pairs] = found
        return found

    def named_in(self, text: FreeText) -> Iterable[CodeSet]:
        """The code sets of which a phrase is in a text; one of several phrases more than once."""
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
                # Policies list few codes of this system, so that one that a policy does not list must not silence the
                # words beside it, and for another policy it must not matter who lists it.
                read = {codes for codes, _ in found}
                silent_for = silent_for.union(*(sets for sets in self._policies if not read.isdisjoint(sets)))
            for codes, row in found:
                # Of several codes that a set reads, the one that comes first by system and code.
                first = rows.get(codes)
                if first is None or (row.system, key[1]) <= (first[1].system, first[2]):
                    rows[codes] = (codes, row, key[1], not system)
        of_sets = tuple(rows.values())
        return ReadCodes(of_sets, coded, are_any, are_any and foreign, silent_for, broken, tuple(keys))

    def _rows(self, key: Key) -> tuple[tuple[CodeSet, Code], ...]:
        """What each code set that reads a key makes of it; what no set lists costs no look into each of them."""
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
        # Of several families of one set the first one, as ``CodeSet.match`` has it.
        begun.sort(key=_PLACE_AND_ROW)
        for place, _, family in begun:
            if place not in found:
                found[place] = family.narrowed_to(code)
        return tuple((self._code_sets[place], found[place]) for place in sorted(found))


def _is_short(pairs: Sequence[tuple[str | None, str | None]]) -> bool:
    return len(pairs) <= MOST_CODINGS and sum(len(text) for pair in pairs for text in pair if text) <= LONGEST_CODES
