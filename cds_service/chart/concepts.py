"""A CodeableConcept matched with the code sets of some rule sets: which sets read its codes, and its words."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cds_service.chart.code_index import Lexicon, ReadCodes
from cds_service.errors import UnreadableError
from cds_service.fhir.elements import codings, concept_texts
from cds_service.fhir.free_text import NEXT_TEXT
from cds_service.fhir.types import ResourceType

_NO_CODES, _NO_CODINGS = ReadCodes(), list[Any]()


@dataclass(slots=True)
class ReadConcept:
    """A concept's ``codes``, its different ``texts``, and all of them joined as ``text``."""

    codes: ReadCodes
    text: str = ""
    texts: Iterable[str] = ()

    @property
    def label(self) -> str:
        """The name of the concept: its first text that is not blank."""
        return next(filter(str.strip, self.texts), "")


def read_concept(concept: Any, lexicon: Lexicon) -> ReadConcept:
    """Reads a CodeableConcept as JSON; notes what is broken, never raises."""
    if not isinstance(concept, dict) or not isinstance(listed := concept.get("coding", _NO_CODINGS), list):
        return _without_codings(concept)
    said = concept.get("text")
    texts = [said] if said and isinstance(said, str) else []
    pairs = []
    for coding in listed:
        if not isinstance(coding, dict):
            return _without_codings(concept)
        pairs.append((coding.get("system"), coding.get("code")))
        display = coding.get("display")
        if display and display != said and isinstance(display, str):
            texts.append(display)
    once = texts if len(texts) < 2 else list(dict.fromkeys(texts))
    return ReadConcept(lexicon.read(tuple(pairs)), NEXT_TEXT.join(once), once)


def _without_codings(concept: Any) -> ReadConcept:
    """Reads a concept that has no codings, or none that can be read."""
    try:
        codings(concept)
        codes = _NO_CODES
    except UnreadableError as error:
        codes = ReadCodes(broken=str(error))
    texts = concept_texts(concept)
    return ReadConcept(codes, NEXT_TEXT.join(texts), texts)


# A concept without codes and words.
NO_CONCEPT = ReadConcept(_NO_CODES)


def says_nothing(said: ReadConcept, row: ResourceType) -> bool:
    """Whether a record has only unknown codes, and no words.

    A code in a known system says what the record is, unless it is the code of a drug product: its ingredients are
    unknown.
    """
    if said.text or said.codes.rows:
        return False
    return said.codes.are_any if row.of_drugs else said.codes.foreign
