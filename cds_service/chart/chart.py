"""Resources in, Chart out: the patient's records indexed by code, and for each type whether it was sent at all.

The resources stay the JSON that the EHR sent (FHIR R4). Reading is strict in shape and liberal in content: what cannot
be read is listed, never raised, so that one broken resource spoils only what it could have served.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from cds_service.chart.arrivals import Listing, Unreadable
from cds_service.chart.code_index import Lexicon
from cds_service.errors import UnreadableError
from cds_service.fhir.bundles import DEFAULT_LIMITS, ReadLimits, once
from cds_service.fhir.elements import Json, Key, codings, concept_text, list_of, relative
from cds_service.fhir.terminology import reported_until, words
from cds_service.fhir.types import TYPES, ResourceType
from cds_service.policy.codes import Code, CodeSet

# Between two texts: no phrase holds it, and no text does.
_APART = "|"
_NOBODY = frozenset[CodeSet]()
Told = TypeVar("Told")
# What of one record is read element by element.
_LISTED = ("bodySite", "reasonCode", "reasonReference", "payor")


class Record(NamedTuple):
    """One resource of the patient: its type, its reference for evidence, its JSON."""

    type: str
    reference: str
    resource: Json


class Match(NamedTuple):
    """A record that a code set recognises: the part with the code (resource or component), and the row of the set.

    ``text`` is the record's own code, or its words as written where it carries words alone; then ``code`` is None.
    """

    record: Record
    part: Json
    code: Code | None
    text: str
    without_system: bool


class _Worded(NamedTuple):
    """A part that may be read by its words, as written; ``coded`` where codes stand beside them.

    ``silent_for`` are the code sets for which a code beside the words counts, and for others it does not.
    """

    record: Record
    part: Json
    coded: bool
    text: str
    silent_for: frozenset[CodeSet]


class _Spoken(NamedTuple):
    """The words of a type (``terminology.words``) by their texts, and all of them in one text.

    A phrase that is not in that one is in none of them, which is soon seen.
    """

    texts: Mapping[str, str]
    together: str


class Chart:
    """What is on record for one patient.

    ``patient`` is the Patient resource or None; ``listings`` says for each resource type what became of its list;
    ``why_missing`` holds a sentence for types that are missing or failed, and ``unfetched`` those of them that say why
    fetching them failed; ``unreadable`` lists what is broken; ``strangers`` counts the resources that are another
    patient's or say of nobody whose they are.
    """

    def __init__(self, patient_id: str, listings: Mapping[str, Listing]) -> None:
        self.patient_id = patient_id
        self.patient: Json | None = None
        self.listings = listings
        self.why_missing = {kind: item.why_missing for kind, item in listings.items() if item.why_missing}
        self.unfetched = {kind: item.unfetched for kind, item in listings.items() if item.unfetched}
        self.unreadable = [item.in_part for item in listings.values() if item.in_part is not None]
        self.strangers: Counter[str] = Counter()
        self._own: dict[str, list[Json]] = {}
        self._coded: dict[tuple[CodeSet, str], list[Match]] = {}
        self._worded: dict[str, list[_Worded]] = {}
        self._spoken: dict[str, _Spoken] = {}
        self._characters = 0
        self._mine = f"Patient/{patient_id}"
        self._received: Mapping[str, list[Json]] = {}
        self._addresses: Mapping[str, Json] = {}
        self._by_id: dict[str, dict[str, Json]] = {}
        self._identifiers: frozenset[_Identifier] = frozenset()
        self._opened: tuple[Mapping[str, Any], Mapping[str, Json]] = ({}, {})
        self._reported: dict[str, int] = {}
        self._told: dict[tuple[Hashable, ...], tuple[Any, Any, str | None]] = {}

    @classmethod
    def of(
        cls,
        resources: Mapping[str, Iterable[Json]],
        listings: Mapping[str, Listing],
        *,
        patient_id: str,
        types: Iterable[str],
        lexicon: Lexicon,
        addresses: Mapping[str, Json] = MappingProxyType({}),
        limits: ReadLimits = DEFAULT_LIMITS,
    ) -> "Chart":
        """The chart of one patient.

        ``resources`` are all that came, by type; ``listings`` says what became of the list of each type; ``types`` are
        those, and ``lexicon`` holds the codes, that policies read; ``addresses`` holds what came under a fullUrl. A
        record with more than ``limits`` let through counts as one that cannot be read. Never raises on JSON that
        parses.
        """
        chart = cls(patient_id, listings)
        unique = {kind: once(found) for kind, found in resources.items()}
        chart._received, chart._addresses = unique, addresses
        _find_patient(chart, unique.get("Patient", ()))
        for kind in sorted(unique.keys() & set(types)):
            if kind != "Patient":
                _index(chart, kind, unique[kind], lexicon, limits)
        return chart

    def known(self, resource_type: str) -> bool:
        """Whether what is on record of that type was sent (even if it is nothing)."""
        listing = self.listings.get(resource_type)
        return listing is not None and listing.is_known

    def whole(self, resource_type: str) -> bool:
        """Whether all that is on record of that type was sent."""
        return self.known(resource_type) and self.listings[resource_type].in_part is None

    def matches(self, resource_type: str, codes: CodeSet) -> Sequence[Match]:
        """Each record of the type that the code set recognises, once for each matching part."""
        coded = self._coded.get((codes, resource_type))
        found = sorted(sorted(coded, key=_system_and_code, reverse=True), key=_reference) if coded else []
        spoken = self._spoken_in(resource_type) if codes.phrases else None
        if spoken and codes.stands_in(spoken.together):
            seen = {id(match.part) for match in found}
            matching = {text for text, plain in spoken.texts.items() if codes.match_words(plain, self._until(plain))}
            for worded in self._worded[resource_type] if matching else ():
                beside_code = worded.coded or codes in worded.silent_for
                counts = not beside_code or (codes.words_beside_codes and TYPES[resource_type].keeps_words)
                if counts and id(worded.part) not in seen and worded.text in matching:
                    found.append(Match(worded.record, worded.part, None, worded.text, False))
        return found

    def records(self, resource_type: str) -> Iterator[Record]:
        """All of the patient's resources of a type."""
        return (_record(resource_type, resource) for resource in self._own.get(resource_type, ()))

    def _spoken_in(self, resource_type: str) -> _Spoken:
        """What stands in words in the records of a type, each text once: many may refer to one medication."""
        if resource_type not in self._spoken:
            texts = {item.text: "" for item in self._worded.get(resource_type, ())}
            texts = {text: words(text) for text in texts}
            self._spoken[resource_type] = _Spoken(texts, _APART.join(texts.values()))
        return self._spoken[resource_type]

    def _until(self, text: str) -> int:
        """``reported_until`` of a text, worked out once for all code sets."""
        if text not in self._reported:
            self._reported[text] = reported_until(text)
        return self._reported[text]

    def told(self, question: Callable[..., Told], about: Any, *more: Hashable) -> Told:
        """``question(about, *more)``, worked out once: many records may refer to one, and one may have many parts.

        Raises UnreadableError as the question does.
        ``about`` is a part of what was sent, and ``more`` does not change from one record to the next.
        """
        # Without the chart itself, which would keep itself in memory until the garbage collector comes.
        key = (question, id(about), *(more[:-1] if more and more[-1] is self else more))
        # What was asked about is kept, or another could come to lie at its place in memory.
        if key not in self._told:
            try:
                self._told[key] = (about, question(about, *more), None)
            except UnreadableError as error:
                self._told[key] = (about, None, str(error))
        _, answer, why_not = self._told[key]
        if why_not is not None:
            raise UnreadableError(why_not)
        told: Told = answer
        return told

    def _received_by_id(self, kind: str) -> Mapping[str, Json]:
        """What was received of a type, by id; made when first asked for, and most calls never ask."""
        if kind not in self._by_id:
            received = self._received.get(kind, ())
            self._by_id[kind] = {item["id"]: item for item in received if isinstance(item.get("id"), str)}
        return self._by_id[kind]

    def _resource_at(self, target: str) -> Json | None:
        """The resource at a literal reference: by the fullUrl under which it came, or by type and id."""
        came = self._addresses.get(target)
        if came is not None:
            identity = came.get("id")
            return self._received_by_id(came["resourceType"]).get(identity, came) if isinstance(identity, str) else came
        kind, _, identity = relative(target).partition("/")
        return self._received_by_id(kind).get(identity)

    def _contained_in(self, container: Mapping[str, Any]) -> Mapping[str, Json]:
        """The contained resources of one resource by id; kept for the next reference, which mostly has the same one."""
        if self._opened[0] is not container:
            contained = container.get("contained")
            by_id: dict[str, Json] = {}
            for resource in contained if isinstance(contained, list) else ():
                if isinstance(resource, dict) and isinstance(identity := resource.get("id"), str):
                    by_id.setdefault(identity, resource)
            self._opened = (container, by_id)
        return self._opened[1]

    def resolve(self, reference: Any, container: Mapping[str, Any] | None = None) -> Json | None:
        """The resource that a Reference names: contained (``#id``), ``Type/id``, absolute or ``urn:uuid:``; or None."""
        if not isinstance(reference, dict) or not isinstance(target := reference.get("reference"), str):
            return None
        if target.startswith("#"):
            return self._contained_in(container).get(target[1:]) if container else None
        return self._resource_at(target)

    def is_the_patients(self, reference: Any) -> bool:
        """Whether a Reference names the patient of the call, however it is written."""
        if not isinstance(reference, dict):
            return False
        target = reference.get("reference")
        if target == self._mine:
            return True
        if isinstance(target, str):
            if relative(target) == self._mine:
                return True
            found = self._resource_at(target) or {}
            return found.get("resourceType") == "Patient" and found.get("id") == self.patient_id
        return _identifier(reference.get("identifier")) in self._identifiers


_Identifier = tuple[str | None, str]


def _identifier(value: Any) -> _Identifier | None:
    """(system, value) of an Identifier, or None where it has no value or cannot be read."""
    if not isinstance(value, dict):
        return None
    system, text = value.get("system"), value.get("value")
    return (system, text) if isinstance(text, str) and text and (system is None or isinstance(system, str)) else None


def _record(kind: str, resource: Json) -> Record:
    identity = resource.get("id")
    return Record(kind, f"{kind}/{identity}" if isinstance(identity, str) else kind, resource)


def _reference(match: Match) -> str:
    return match.record.reference


def _system_and_code(match: Match) -> Key:
    return (match.code.system, match.text) if match.code else ("", match.text)


def concept_of(part: Mapping[str, Any], chart: Chart, container: Mapping[str, Any]) -> Any:
    """The CodeableConcept that says what a resource (or an Observation component) is."""
    concept = inline_concept(part)
    if (
        concept is None
        and isinstance(kind := part.get("resourceType"), str)
        and (row := TYPES.get(kind))
        and row.concept_at
    ):
        referred = chart.resolve(part.get(row.concept_at), container)
        return referred.get(row.there) if referred else _display_of(part.get(row.concept_at))
    return concept


def inline_concept(part: Mapping[str, Any]) -> Any:
    """The same, where it stands in the resource itself; None where it does not."""
    kind = part.get("resourceType")
    # A component, too, may bring a type, and of any shape.
    row = TYPES.get(kind) if isinstance(kind, str) else None
    return part.get(row.concept if row else "code")


def _display_of(reference: Any) -> Json | None:
    display = reference.get("display") if isinstance(reference, dict) else None
    return {"text": display} if display else None


def _find_patient(chart: Chart, patients: Iterable[Json]) -> None:
    for patient in patients:
        if patient.get("id") == chart.patient_id:
            chart.patient = patient
            chart._identifiers = frozenset(filter(None, map(_identifier, list_of(patient.get("identifier")))))
        else:
            chart.strangers["Patient"] += 1


def _index(chart: Chart, kind: str, resources: list[Json], lexicon: Lexicon, limits: ReadLimits) -> None:
    row = TYPES[kind]
    own = [resource for resource in resources if chart.is_the_patients(resource.get(row.subject))]
    if len(own) < len(resources):
        chart.strangers[kind] = len(resources) - len(own)
    own = chart._own[kind] = list(_of_bearable_size(chart, kind, own, limits))
    if not row.coded:
        return
    worded = chart._worded[kind] = []
    components = 0
    for resource in own:
        try:
            parts = _parts(row, resource)
            components += len(parts) - 1
            if components > limits.resources:
                raise UnreadableError(f"has components beyond CDS_SERVICE_MAX_RESOURCES ({limits.resources})")
            for part in parts:
                concept = concept_of(part, chart, resource)
                stands_here = inline_concept(part) is concept
                said = _read(concept, lexicon) if stands_here else chart.told(_read, concept, lexicon)
                for codes, listed, code, without_system in said.rows:
                    match = Match(_record(kind, resource), part, listed, code, without_system)
                    chart._coded.setdefault((codes, kind), []).append(match)
                if said.broken:
                    raise UnreadableError(said.broken)
                if len(said.text) > limits.text_characters:
                    most = limits.text_characters
                    raise UnreadableError(f"has a code in more words than CDS_SERVICE_MAX_TEXT_CHARACTERS ({most})")
                if (row.keeps_words or not said.coded) and said.text:
                    chart._characters += len(said.text)
                    if chart._characters > limits.all_text_characters:
                        most = limits.all_text_characters
                        raise UnreadableError(f"is worded beyond CDS_SERVICE_MAX_ALL_TEXT_CHARACTERS ({most})")
                    worded.append(_Worded(_record(kind, resource), part, said.coded, said.text, said.silent_for))
        except UnreadableError as error:
            chart.unreadable.append(Unreadable(kind, _record(kind, resource).reference, str(error)))


def _of_bearable_size(chart: Chart, kind: str, resources: list[Json], limits: ReadLimits) -> Iterator[Json]:
    """The records whose lists, all together, are as short as is read; others are noted as unreadable."""
    read = 0
    for resource in resources:
        lists = {name: resource[name] for name in _LISTED if isinstance(resource.get(name), list)}
        # One of each is usual, and costs no more than its record.
        more = sum(len(listed) - 1 for listed in lists.values() if listed)
        if read + more > limits.resources:
            why = f"has more {' and '.join(lists)} than are read (CDS_SERVICE_MAX_RESOURCES, {limits.resources})"
            chart.unreadable.append(Unreadable(kind, _record(kind, resource).reference, why))
        else:
            read += more
            yield resource


class _Said(NamedTuple):
    """What a concept says: the row of each code set that reads one of its codes, its words, and whether it is coded;
    ``broken``: why the rest of it cannot be read."""

    coded: bool
    silent_for: frozenset[CodeSet]
    rows: tuple[tuple[CodeSet, Code, str, bool], ...]
    text: str
    broken: str = ""


def _read(concept: Any, lexicon: Lexicon) -> _Said:
    coded, silent_for = False, _NOBODY
    rows: dict[CodeSet, tuple[CodeSet, Code, str, bool]] = {}
    try:
        for coding in codings(concept):
            known = lexicon.look_up(coding.get("system"), coding.get("code"))
            coded = coded or known.standard
            if known.silences:
                silent_for |= known.silences
            for codes, row in known.rows:
                # Of several codes that a set reads, the one that comes first by system and code.
                first = rows.get(codes)
                if first is None or (row.system, known.code) <= (first[1].system, first[2]):
                    rows[codes] = (codes, row, known.code, known.without_system)
    except UnreadableError as error:
        return _Said(coded, silent_for, tuple(rows.values()), "", str(error))
    return _Said(coded, silent_for, tuple(rows.values()), concept_text(concept))


def _parts(row: ResourceType, resource: Json) -> Sequence[Json]:
    if not row.has_components or "component" not in resource:
        return (resource,)
    components = resource["component"]
    if not isinstance(components, list) or not all(isinstance(component, dict) for component in components):
        raise UnreadableError("has components that cannot be read")
    return [resource, *components]
