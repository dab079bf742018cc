"""A CodeableConcept held against the code sets of some policies: which of them read its codes, and what it says."""

from typing import Any, NamedTuple

from cds_service.chart.code_index import Lexicon
from cds_service.errors import UnreadableError
from cds_service.fhir.elements import codings, concept_texts
from cds_service.fhir.free_text import NEXT_TEXT
from cds_service.fhir.types import ResourceType
from cds_service.policy.codes import Code, CodeSet

_NOBODY = frozenset[CodeSet]()


class ReadConcept(NamedTuple):
    """What a concept says: the row of each code set that reads one of its codes, its words, what it is called, whether
    it ``has_codes`` at all, is ``coded`` in a standard system, or ``foreign``: in systems alone that are not known;
    ``broken``: why the rest of it cannot be read."""

    coded: bool
    silent_for: frozenset[CodeSet]
    rows: tuple[tuple[CodeSet, Code, str, bool], ...]
    text: str
    label: str = ""
    has_codes: bool = False
    foreign: bool = False
    broken: str = ""


def read_concept(concept: Any, lexicon: Lexicon) -> ReadConcept:
    """Reads a CodeableConcept as JSON; what is broken in it is noted, never raised."""
    coded, has_codes, foreign, silent_for = False, False, True, _NOBODY
    rows: dict[CodeSet, tuple[CodeSet, Code, str, bool]] = {}
    try:
        for coding in codings(concept):
            known = lexicon.look_up(coding.get("system"), coding.get("code"))
            coded, has_codes = coded or known.standard, has_codes or coding.get("code") is not None
            foreign = foreign and not known.code
            if known.silences:
                silent_for |= known.silences
            for codes, row in known.rows:
                # Of several codes that a set reads, the one that comes first by system and code.
                first = rows.get(codes)
                if first is None or (row.system, known.code) <= (first[1].system, first[2]):
                    rows[codes] = (codes, row, known.code, known.without_system)
    except UnreadableError as error:
        return ReadConcept(coded, silent_for, tuple(rows.values()), "", broken=str(error))
    texts = concept_texts(concept)
    label = next((text for text in texts if text.strip()), "")
    return ReadConcept(
        coded, silent_for, tuple(rows.values()), NEXT_TEXT.join(texts), label, has_codes, has_codes and foreign
    )


# What says nothing of what it is.
NO_CONCEPT = ReadConcept(False, _NOBODY, (), "")


def says_nothing(said: ReadConcept, row: ResourceType) -> bool:
    """Whether a record has codes of which nothing is known, and no words.

    A code of a known system says what it is, except that of a drug's product, whose ingredients are not known.
    """
    unknown = said.has_codes if row.of_drugs else said.foreign
    return unknown and not (said.rows or said.text)
