"""The patient's own records, filed under the code sets that read their codes and their words.

Reading is strict in shape and liberal in content: unreadable parts are listed, never raised, so one broken resource
affects only the facts that it could have supported.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import count
from typing import Any

from cds_service.chart.arrivals import Unreadable
from cds_service.chart.code_index import Lexicon
from cds_service.chart.concepts import NO_CONCEPT, ReadConcept, read_concept, says_nothing
from cds_service.chart.records import Match, Record, coded_elements, record_of
from cds_service.chart.references import References, referred_concept
from cds_service.chart.texts import Texts
from cds_service.errors import UnreadableError
from cds_service.fhir.bundles import ReadLimits
from cds_service.fhir.concepts import concept_by, inline_concept
from cds_service.fhir.elements import Json, Key, first_of
from cds_service.fhir.free_text import FreeText
from cds_service.fhir.types import TYPES, Ordered, ResourceType
from cds_service.policy.codes import CodeSet

# The lists of a record that are read element by element.
_LISTED = ("bodySite", "reasonCode", "reasonReference", "payor")


# An element to find by its words: the order in which it was filed, its record, itself, and its concept.
_Worded = tuple[int, Record, Json, ReadConcept]
# The code sets that records of a type name in words, each with the texts that name them.
_Named = Mapping[CodeSet, Mapping[str, FreeText]]


class RecordIndex:
    """Records by type, by code and by word.

    ``own`` are the patient's records of each type, ``dropped`` the records that name another patient or none, and
    ``unreadable`` the records that are unreadable in part or exceed ``limits``.
    """

    def __init__(self, references: References, lexicon: Lexicon, texts: Texts, limits: ReadLimits) -> None:
        self.own: dict[str, list[Record]] = {}
        self.dropped: dict[str, list[Unreadable]] = {}
        self.unreadable: list[Unreadable] = []
        self._references = references
        self._lexicon = lexicon
        self._texts = texts
        self._limits = limits
        self._longest = limits.text_characters
        self._coded: dict[tuple[CodeSet, str], list[Match]] = {}
        # The elements with words, by record type and by text.
        self._worded: dict[str, dict[str, list[_Worded]]] = {}
        self._places = count()
        self._named: dict[str, _Named] = {}
        # Concepts of other resources, which many records may name, by their id in memory.
        self._referred: dict[int, tuple[Any, ReadConcept]] = {}
        self._touched: set[CodeSet] | None = None

    def add(self, row: ResourceType, resources: Iterable[Json]) -> None:
        """Files the resources of one type; each resource comes once."""
        own = self.own[row.name] = self._own_records(row, resources)
        if not row.coded:
            return
        self._worded[row.name] = {}
        components = 0
        most = self._limits.resources
        unknown: list[str] = []
        for record in own:
            try:
                elements = coded_elements(row, record.resource) if row.coded_within else (record.resource,)
                if len(elements) > 1:
                    components += len(elements) - 1
                    if components > most:
                        raise UnreadableError(f"has components beyond CDS_SERVICE_MAX_RESOURCES ({most})")
                for element in elements:
                    if self._file(row, record, element):
                        unknown.append(record.reference)
            except UnreadableError as error:
                self.unreadable.append(Unreadable(row.name, record.reference, str(error)))
        if unknown:
            more = f" ({len(unknown) - 1} more like it)" if len(unknown) > 1 else ""
            why = f"has no words, and a code whose system or meaning is not known here{more}"
            self.unreadable.append(Unreadable(row.name, unknown[0], why))

    def drop(self, kind: str, resource: Json, why: str) -> None:
        """Notes that a resource is not the patient's."""
        self.dropped.setdefault(kind, []).append(Unreadable(kind, record_of(kind, resource).reference, why))

    def matches(self, resource_type: str, codes: CodeSet) -> Sequence[Match]:
        """Each record of the type that the code set recognizes, once for each matching element."""
        coded = self._coded.get((codes, resource_type), ())
        many = len(coded) > 1
        found = sorted(sorted(coded, key=_system_and_code, reverse=True), key=_reference) if many else list(coded)
        if texts := self._named_in(resource_type).get(codes):
            worded = self._worded[resource_type]
            found += _matches_by_words(codes, texts, worded, found, TYPES[resource_type].orders is Ordered.ACT)
        return found

    @property
    def touched(self) -> Set[CodeSet]:
        """The code sets of which any record has a code or a phrase; most code sets are not among them."""
        if self._touched is None:
            self._touched = {code_set for code_set, _ in self._coded}
            for kind in self._worded:
                self._touched.update(self._named_in(kind))
        return self._touched

    def _own_records(self, row: ResourceType, resources: Iterable[Json]) -> list[Record]:
        """The patient's records whose lists together are within the limit; notes all others."""
        own: list[Record] = []
        is_the_patients, most = self._references.is_the_patients, self._limits.resources
        usual = self._references.usual
        read = 0
        for resource in resources:
            subject = resource.get(row.subject)
            if subject is None:
                subject = first_of(resource, "subject", "patient")
            if subject != usual and not is_the_patients(subject, resource):
                is_said = isinstance(subject, dict) and isinstance(subject.get("reference"), str)
                self.drop(row.name, resource, "names another patient" if is_said else "names no patient")
                continue
            record = record_of(row.name, resource)
            if not resource.keys().isdisjoint(_LISTED):
                lists = [name for name in _LISTED if isinstance(resource.get(name), list)]
                # One element each is usual, and costs no more than its record.
                more = sum(max(len(resource[name]) - 1, 0) for name in lists)
                if read + more > most:
                    why = f"has more {' and '.join(lists)} than are read (CDS_SERVICE_MAX_RESOURCES, {most})"
                    self.unreadable.append(Unreadable(row.name, record.reference, why))
                    continue
                read += more
            own.append(record)
        return own

    def _file(self, row: ResourceType, record: Record, element: Json) -> bool:
        """Files one element of a record under the code sets that read it; returns whether its meaning is unknown.

        Raises UnreadableError if the rest of the element cannot be read.
        """
        concept = concept_by(row, element) if element is record.resource else inline_concept(element)
        if concept is not None:
            said = read_concept(concept, self._lexicon)
        else:
            concept = referred_concept(element, self._references, record.resource)
            if concept is None and row.concept_at and element.get(row.concept_at) is not None:
                raise UnreadableError(f"names a {row.concept_in} that was not sent")
            said = NO_CONCEPT if concept is None else self._read_referred(concept)
        codes, text = said.codes, said.text
        for code_set, listed, code, without_system in codes.rows:
            match = Match(record, element, listed, code, without_system, words=text)
            self._coded.setdefault((code_set, row.name), []).append(match)
        if codes.broken:
            raise UnreadableError(codes.broken)
        if text:
            if len(text) > self._longest:
                why = f"has a code in more words than CDS_SERVICE_MAX_TEXT_CHARACTERS ({self._longest})"
                raise UnreadableError(why)
            self._texts.count(text)
            self._worded[row.name].setdefault(text, []).append((next(self._places), record, element, said))
            return False
        return row.is_record and says_nothing(said, row)

    def _read_referred(self, concept: Any) -> ReadConcept:
        found = self._referred.get(id(concept))
        if found is None:
            # Keep the concept, or a new object could get the same id.
            found = self._referred[id(concept)] = (concept, read_concept(concept, self._lexicon))
        return found[1]

    def _named_in(self, resource_type: str) -> _Named:
        """The code sets that records of a type name in words; each text is read once, as many records may share one
        medication."""
        if resource_type not in self._named:
            named: dict[CodeSet, dict[str, FreeText]] = {}
            for text in self._worded.get(resource_type, ()):
                read = self._texts.read(text)
                for codes in self._lexicon.named_in(read):
                    named.setdefault(codes, {})[text] = read
            self._named[resource_type] = named
        return self._named[resource_type]


def _matches_by_words(
    codes: CodeSet,
    texts: Mapping[str, FreeText],
    worded: Mapping[str, Sequence[_Worded]],
    coded: Iterable[Match],
    ordered: bool,
) -> list[Match]:
    """The elements that ``texts`` name, without those already found by their codes, as most are."""
    seen = {id(match.element) for match in coded}
    found: list[tuple[int, Match]] = []
    for text, read in texts.items():
        left = [item for item in worded[text] if id(item[2]) not in seen]
        manner = codes.manner_in(read, ordered=ordered) if left else None
        if manner is None:
            continue
        drugs = codes.drugs_in(read)
        for place, record, element, said in left:
            has_code = said.codes.coded or codes in said.codes.silent_for
            match = Match(
                record,
                element,
                None,
                said.label,
                without_system=False,
                said=manner,
                beside_code=has_code and not codes.words_beside_codes,
                drugs=drugs,
            )
            found.append((place, match))
    return [match for _, match in sorted(found)]


def _reference(match: Match) -> str:
    return match.record.reference


def _system_and_code(match: Match) -> Key:
    return (match.code.system, match.text) if match.code else ("", match.text)
