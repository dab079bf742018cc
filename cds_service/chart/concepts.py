"""A CodeableConcept checked against the code sets of some policies: which of them read its codes, and what it says."""

from typing import Any, NamedTuple

from cds_service.chart.code_index import Lexicon, ReadCodes
from cds_service.errors import UnreadableError
from cds_service.fhir.elements import codings, concept_texts
from cds_service.fhir.free_text import NEXT_TEXT
from cds_service.fhir.types import ResourceType


class ReadConcept(NamedTuple):
    """What a concept says by its ``codes`` and in its words, all of them in one ``text``, and what it is called."""

    codes: ReadCodes
    text: str = ""
    label: str = ""


def read_concept(concept: Any, lexicon: Lexicon) -> ReadConcept:
    """Reads a CodeableConcept as JSON; what is broken in it is noted, never raised."""
    try:
        listed = codings(concept)
    except UnreadableError as error:
        return _in_words(ReadCodes(broken=str(error)), concept_texts(concept))
    said = concept.get("text") if concept is not None else None
    texts: dict[str, None] = {said: None} if isinstance(said, str) and said else {}
    pairs = []
    for coding in listed:
        pairs.append((coding.get("system"), coding.get("code")))
        if isinstance(display := coding.get("display"), str) and display:
            texts[display] = None
    return _in_words(lexicon.read(tuple(pairs)), list(texts))


def _in_words(codes: ReadCodes, texts: list[str]) -> ReadConcept:
    text = texts[0] if len(texts) == 1 else NEXT_TEXT.join(texts)
    return ReadConcept(codes, text, next(filter(str.strip, texts), ""))


# What says nothing of what it is.
NO_CONCEPT = ReadConcept(ReadCodes())


def says_nothing(said: ReadConcept, row: ResourceType) -> bool:
    """Whether a record has codes of which nothing is known, and no words.

    A code of a known system says what it is, except that of a drug's product, whose ingredients are not known.
    """
    if said.text or said.codes.rows:
        return False
    return said.codes.are_any if row.of_drugs else said.codes.foreign
