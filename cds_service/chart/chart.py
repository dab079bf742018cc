"""Resources in, Chart out: the patient's records indexed by code, and for each type whether it was sent at all.

The resources stay the JSON that the EHR sent (FHIR R4). Reading is strict in shape and liberal in content: what cannot
be read is listed, never raised, so that one broken resource spoils only what it could have served.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from cds_service.chart.arrivals import Listing, State, Unreadable
from cds_service.chart.code_index import Lexicon
from cds_service.chart.concepts import NO_CONCEPT, ReadConcept, read_concept, says_nothing
from cds_service.errors import UnreadableError
from cds_service.fhir.bundles import DEFAULT_LIMITS, ReadLimits, newest_copies, once
from cds_service.fhir.concepts import concept_by, inline_concept
from cds_service.fhir.elements import Json, Key, first_of, list_of, relative
from cds_service.fhir.free_text import FreeText, Said
from cds_service.fhir.types import TYPES, Ordered, ResourceType
from cds_service.policy.codes import Code, CodeSet

Told = TypeVar("Told")
# http://hl7.org/fhir/R4/valueset-care-plan-activity-status.html
_PARTS_THAT_COUNT = (None, "in-progress", "on-hold", "completed", "stopped")
# What of one record is read element by element.
_LISTED = ("bodySite", "reasonCode", "reasonReference", "payor")


class Record(NamedTuple):
    """One resource of the patient: its type, its reference for evidence, its JSON."""

    type: str
    reference: str
    resource: Json


class Match(NamedTuple):
    """A record that a code set recognizes: the part with the code (resource or component), and the row of the set.

    ``text`` is the record's own code, or what it is called where its words are read; then ``code`` is None, and
    ``said`` is the manner in which they say it. ``beside_code``: a code of a standard system stands beside these words
    that the set does not list. ``drugs`` are the ingredients that they name. ``words`` are those that stand beside its
    own code.
    """

    record: Record
    part: Json
    code: Code | None
    text: str
    without_system: bool
    said: Said = Said.REPORTED
    beside_code: bool = False
    drugs: tuple[str, ...] = ()
    words: str = ""


class _Worded(NamedTuple):
    """A part that may be read by its words, and what it says that it is."""

    record: Record
    part: Json
    said: ReadConcept


class _Spoken(NamedTuple):
    """The words of a type's records: in which of them each code set is named, what is said by words at all, and at
    which ``places`` of that each text stands."""

    named: Mapping[CodeSet, Mapping[str, FreeText]]
    worded: Sequence[_Worded]
    places: Mapping[str, Sequence[int]]


class Delivery(NamedTuple):
    """What became of the resources of one type: the state of their list ("whole", "in-part", "failed", "missing"), how
    many came and how many count as this patient's, and those that do not, each with why; ``unasked``: nobody asks for
    them."""

    state: str
    received: int
    counted: int
    dropped: tuple[Unreadable, ...]
    unasked: bool = False

    def as_json(self) -> Json:
        """The same as JSON."""
        dropped = [{"reference": item.reference, "why": item.why} for item in self.dropped]
        return {"state": self.state, "received": self.received, "counted": self.counted, "dropped": dropped}


class Chart:
    """What is on record for one patient.

    ``patient`` is the Patient resource or None, and ``patients`` are all copies of it that may hold; ``listings`` says
    for each resource type what became of its list; ``why_missing`` holds a sentence for types that are missing or
    failed, and ``unfetched`` those of them that say why fetching them failed; ``unreadable`` lists what is broken, and
    ``dropped`` by type what is another patient's or does not say whose it is; ``limits`` are the most that is read.
    """

    def __init__(self, patient_id: str, listings: Mapping[str, Listing], lexicon: Lexicon) -> None:
        self.patient_id = patient_id
        self.patient: Json | None = None
        self.listings = listings
        self.why_missing = {kind: item.why_missing for kind, item in listings.items() if item.why_missing}
        self.unfetched = {kind: item.unfetched for kind, item in listings.items() if item.unfetched}
        self.unreadable = [item.in_part for item in listings.values() if item.in_part is not None]
        self.dropped: dict[str, list[Unreadable]] = {}
        self.patients: tuple[Json, ...] = ()
        self._own: dict[str, list[Record]] = {}
        self._coded: dict[tuple[CodeSet, str], list[Match]] = {}
        self._worded: dict[str, list[_Worded]] = {}
        self._lexicon = lexicon
        self._spoken: dict[str, _Spoken] = {}
        self.limits = DEFAULT_LIMITS
        self._touched: set[CodeSet] | None = None
        self._characters = 0
        self._mine = f"Patient/{patient_id}"
        self._received: Mapping[str, list[Json]] = {}
        self._addresses: Mapping[str, Json] = {}
        self._by_id: dict[str, dict[str, Json]] = {}
        self._identifiers: frozenset[_Identifier] = frozenset()
        self._opened: tuple[Mapping[str, Any], Mapping[str, Json]] = ({}, {})
        self._told: dict[tuple[Hashable, ...], tuple[Any, Any, str | None]] = {}
        self._read: dict[str, FreeText] = {}

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
        chart = cls(patient_id, listings, lexicon)
        chart.limits = limits
        unique = {kind: once(found) for kind, found in resources.items()}
        chart._received, chart._addresses = unique, addresses
        _find_patient(chart, newest_copies(resources.get("Patient", ())))
        for kind in sorted(unique.keys() & set(types)):
            if kind != "Patient":
                _index(chart, kind, unique[kind], limits)
        return chart

    @property
    def died(self) -> str | None:
        """When the patient died, as written; "" where that is not recorded, None where no death is."""
        said = [
            patient for patient in self.patients if patient.get("deceasedBoolean") or patient.get("deceasedDateTime")
        ]
        written = [day for patient in said if isinstance(day := patient.get("deceasedDateTime"), str)]
        return written[0] if written else "" if said else None

    def known(self, resource_type: str) -> bool:
        """Whether what is on record of that type was sent (even if it is nothing)."""
        listing = self.listings.get(resource_type)
        return listing is not None and listing.is_known

    def whole(self, resource_type: str) -> bool:
        """Whether all that is on record of that type was sent, and its meaning can be determined."""
        return self.known(resource_type) and all(item.type != resource_type for item in self.unreadable)

    def delivery(self, resource_type: str) -> Delivery:
        """What became of the resources of a type: the one ledger that cards, pages and ``explain`` tell from."""
        listing = self.listings.get(resource_type, Listing(State.MISSING))
        unreadable = (item for item in self.unreadable if item.type == resource_type and item is not listing.in_part)
        dropped = (*self.dropped.get(resource_type, ()), *unreadable)
        came = len(self._received.get(resource_type, ()))
        in_part = "in-part" if came or listing.is_known else listing.state.value
        state = "whole" if self.whole(resource_type) else in_part
        unasked = resource_type in TYPES and TYPES[resource_type].unasked
        return Delivery(state, came, came - len(dropped), dropped, unasked)

    def matches(self, resource_type: str, codes: CodeSet) -> Sequence[Match]:
        """Each record of the type that the code set recognizes, once for each matching part."""
        coded = self._coded.get((codes, resource_type), ())
        many = len(coded) > 1
        found = sorted(sorted(coded, key=_system_and_code, reverse=True), key=_reference) if many else list(coded)
        spoken = self._spoken_in(resource_type)
        if texts := spoken.named.get(codes):
            found += _matches_by_words(codes, texts, spoken, found, TYPES[resource_type].orders is Ordered.ACT)
        return found

    @property
    def touched(self) -> Set[CodeSet]:
        """The code sets of which anything in the chart carries a code or a word: most sets are not among them."""
        if self._touched is None:
            self._touched = {code_set for code_set, _ in self._coded}
            for kind in self._worded:
                self._touched.update(self._spoken_in(kind).named)
        return self._touched

    def records(self, resource_type: str) -> Sequence[Record]:
        """All of the patient's resources of a type."""
        return self._own.get(resource_type, ())

    def concepts(self, resource_type: str) -> Iterator[Any]:
        """What each record of a type says that it is, and what each part of one does: a CodeableConcept as sent."""
        for record in self.records(resource_type):
            try:
                parts = _parts(TYPES[resource_type], record.resource)
            except UnreadableError:
                parts = (record.resource,)
            concepts = (concept_of(part, self, record.resource) for part in parts)
            yield from (concept for concept in concepts if concept is not None)

    def _spoken_in(self, resource_type: str) -> _Spoken:
        """What stands in words in the records of a type, each text once: many may refer to one medication."""
        if resource_type not in self._spoken:
            worded = self._worded.get(resource_type, ())
            named: dict[CodeSet, dict[str, FreeText]] = {}
            places: dict[str, list[int]] = {}
            for place, item in enumerate(worded):
                places.setdefault(item.said.text, []).append(place)
            for text in places:
                read = self.free_text(text)
                for codes in self.code_sets_named_in(read.plain):
                    named.setdefault(codes, {})[text] = read
            self._spoken[resource_type] = _Spoken(named, worded, places)
        return self._spoken[resource_type]

    def code_sets_named_in(self, plain: str) -> set[CodeSet]:
        """The code sets of which a phrase stands in a text in the form of ``free_text.words``."""
        return self._lexicon.named_in(plain)

    def code_sets_with(self, key: Key) -> set[CodeSet]:
        """The code sets that read a (system, code) pair."""
        return {codes for codes, *_ in self._lexicon.read((key,)).rows}

    def told(self, question: Callable[..., Told], about: Any, *more: Hashable) -> Told:
        """``question(about, *more)``, worked out once: many records may refer to one, and one may have many parts.

        Raises UnreadableError as the question does.
        ``about`` is a part of what was sent, and ``more`` does not change from one record to the next.
        """
        # Without the chart itself, which would keep itself in memory until the garbage collector comes.
        key = (question, id(about), *(more[:-1] if more and more[-1] is self else more))
        # What was asked about is kept, or another could come to lie at its place in memory.
        if key not in self._told:
            kept = None if about is self else about
            try:
                self._told[key] = (kept, question(about, *more), None)
            except UnreadableError as error:
                self._told[key] = (kept, None, str(error))
        _, answer, why_not = self._told[key]
        if why_not is not None:
            raise UnreadableError(why_not)
        told: Told = answer
        return told

    def free_text(self, text: str) -> FreeText:
        """A text of the chart, read once, however many ask it for their phrases."""
        read = self._read.get(text)
        if read is None:
            read = self._read[text] = FreeText(text)
        return read

    def count_words(self, text: str) -> None:
        """Counts the characters of a text that is read. Raises UnreadableError where the chart has more than is
        read."""
        self._characters += len(text)
        most = self.limits.all_text_characters
        if self._characters > most:
            raise UnreadableError(f"is worded beyond CDS_SERVICE_MAX_ALL_TEXT_CHARACTERS ({most})")

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
                    # Some servers kept the sign of the reference in the id.
                    by_id.setdefault(identity.removeprefix("#"), resource)
            self._opened = (container, by_id)
        return self._opened[1]

    def resolve(self, reference: Any, container: Mapping[str, Any] | None = None) -> Json | None:
        """The resource that a Reference names: contained (``#id``), ``Type/id``, absolute or ``urn:uuid:``; or None."""
        if not isinstance(reference, dict) or not isinstance(target := reference.get("reference"), str):
            return None
        if target.startswith("#"):
            return self._contained_in(container).get(target[1:]) if container else None
        return self._resource_at(target)

    def is_the_patients(self, reference: Any, container: Mapping[str, Any] | None = None) -> bool:
        """Whether a Reference names the patient of the call, however it is written: ``Patient/X`` with any address
        before it, ``urn:uuid:X``, an address under which the patient came, an identifier, or a contained Patient."""
        if not isinstance(reference, dict):
            return False
        target = reference.get("reference")
        if target == self._mine:
            return True
        if not isinstance(target, str):
            return _identifier(reference.get("identifier")) in self._identifiers
        target = target.rstrip("/")
        if relative(target) == self._mine or target == f"urn:uuid:{self.patient_id}":
            return True
        found = self.resolve({"reference": target}, container) or {}
        if found.get("resourceType") != "Patient":
            return False
        own = {_identifier(one) for one in list_of(found.get("identifier"))} - {None}
        return found.get("id") == self.patient_id or not own.isdisjoint(self._identifiers)


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


def _matches_by_words(
    codes: CodeSet, texts: Mapping[str, FreeText], spoken: _Spoken, coded: Iterable[Match], ordered: bool
) -> Iterator[Match]:
    """The parts that ``texts`` name, without those that are found by their codes."""
    seen = {id(match.part) for match in coded}
    manners = {
        text: manner for text, read in texts.items() if (manner := codes.manner_in(read, ordered=ordered)) is not None
    }
    for place in sorted(place for text in manners for place in spoken.places[text]):
        record, part, said = spoken.worded[place]
        if id(part) not in seen:
            has_code = said.codes.coded or codes in said.codes.silent_for
            yield Match(
                record,
                part,
                None,
                said.label,
                without_system=False,
                said=manners[said.text],
                beside_code=has_code and not codes.words_beside_codes,
                drugs=codes.drugs_in(texts[said.text].plain),
            )


def _reference(match: Match) -> str:
    return match.record.reference


def _system_and_code(match: Match) -> Key:
    return (match.code.system, match.text) if match.code else ("", match.text)


def concept_of(part: Mapping[str, Any], chart: Chart, container: Mapping[str, Any]) -> Any:
    """The CodeableConcept that says what a resource (or an Observation component) is."""
    concept = inline_concept(part)
    return concept if concept is not None else _referred_concept(part, chart, container)


def _referred_concept(part: Mapping[str, Any], chart: Chart, container: Mapping[str, Any]) -> Any:
    """What a resource is that says so in another one, to which it refers."""
    if not isinstance(kind := part.get("resourceType"), str):
        return None
    row = TYPES.get(kind)
    reference = _reference_to(part, row) if row is not None else None
    if row is None or reference is None:
        return None
    referred = chart.resolve(reference, container)
    return referred.get(row.there) if referred else _display_of(reference)


def _reference_to(part: Mapping[str, Any], row: ResourceType) -> Any:
    """The Reference to the resource that says what a resource is; in FHIR R5 it stands in a CodeableReference."""
    if row.concept_at and (reference := part.get(row.concept_at)) is not None:
        return reference
    later = part.get(row.concept_in_r5) if row.concept_in_r5 else None
    return later.get("reference") if isinstance(later, dict) else None


def _display_of(reference: Any) -> Json | None:
    display = reference.get("display") if isinstance(reference, dict) else None
    return {"text": display} if display else None


def _find_patient(chart: Chart, patients: Iterable[Json]) -> None:
    own = []
    for patient in patients:
        if patient.get("id") == chart.patient_id:
            own.append(patient)
        else:
            _drop(chart, "Patient", patient, "is another patient")
    identifiers = (identifier for patient in own for identifier in list_of(patient.get("identifier")))
    chart._identifiers = frozenset(filter(None, map(_identifier, identifiers)))
    chart.patients, chart.patient = tuple(own), own[0] if own else None


def _drop(chart: Chart, kind: str, resource: Json, why: str) -> None:
    chart.dropped.setdefault(kind, []).append(Unreadable(kind, _record(kind, resource).reference, why))


def _index(chart: Chart, kind: str, resources: list[Json], limits: ReadLimits) -> None:
    row = TYPES[kind]
    own = chart._own[kind] = _own_records(chart, row, resources, limits)
    if not row.coded:
        return
    chart._worded[kind] = []
    components = 0
    unknown: list[str] = []
    for record in own:
        try:
            parts = _parts(row, record.resource)
            components += len(parts) - 1
            if components > limits.resources:
                raise UnreadableError(f"has components beyond CDS_SERVICE_MAX_RESOURCES ({limits.resources})")
            for part in parts:
                if _index_part(chart, row, record, part, limits):
                    unknown.append(record.reference)
        except UnreadableError as error:
            chart.unreadable.append(Unreadable(kind, record.reference, str(error)))
    if unknown:
        more = f" ({len(unknown) - 1} more like it)" if len(unknown) > 1 else ""
        why = f"has no words, and a code whose system or meaning is not known here{more}"
        chart.unreadable.append(Unreadable(kind, unknown[0], why))


def _index_part(chart: Chart, row: ResourceType, record: Record, part: Json, limits: ReadLimits) -> bool:
    """Files one part of a record under the code sets that read it; whether nothing of its meaning can be determined.

    Raises UnreadableError for what is left of it that cannot be read.
    """
    concept = concept_by(row, part) if part is record.resource else inline_concept(part)
    if concept is not None:
        said = read_concept(concept, chart._lexicon)
    else:
        concept = _referred_concept(part, chart, record.resource)
        said = NO_CONCEPT if concept is None else chart.told(read_concept, concept, chart._lexicon)
    codes, text, _ = said
    for code_set, listed, code, without_system in codes.rows:
        match = Match(record, part, listed, code, without_system, words=text)
        chart._coded.setdefault((code_set, row.name), []).append(match)
    if codes.broken:
        raise UnreadableError(codes.broken)
    if concept is None and row.concept_at and part.get(row.concept_at) is not None:
        raise UnreadableError(f"names a {row.concept_in} that was not sent")
    if text:
        most = limits.text_characters
        if len(text) > most:
            raise UnreadableError(f"has a code in more words than CDS_SERVICE_MAX_TEXT_CHARACTERS ({most})")
        chart.count_words(text)
        chart._worded[row.name].append(_Worded(record, part, said))
        return False
    return row.is_record and says_nothing(said, row)


def _own_records(chart: Chart, row: ResourceType, resources: Iterable[Json], limits: ReadLimits) -> list[Record]:
    """The records of the patient of the call whose lists, all together, are as short as is read; others are noted."""
    own: list[Record] = []
    read = 0
    for resource in resources:
        subject = resource.get(row.subject)
        if subject is None:
            subject = first_of(resource, "subject", "patient")
        if not chart.is_the_patients(subject, resource):
            is_said = isinstance(subject, dict) and isinstance(subject.get("reference"), str)
            _drop(chart, row.name, resource, "names another patient" if is_said else "names no patient")
            continue
        record = _record(row.name, resource)
        if not resource.keys().isdisjoint(_LISTED):
            lists = [name for name in _LISTED if isinstance(resource.get(name), list)]
            # One of each is usual, and costs no more than its record.
            more = sum(max(len(resource[name]) - 1, 0) for name in lists)
            if read + more > limits.resources:
                why = f"has more {' and '.join(lists)} than are read (CDS_SERVICE_MAX_RESOURCES, {limits.resources})"
                chart.unreadable.append(Unreadable(row.name, record.reference, why))
                continue
            read += more
        own.append(record)
    return own


def _parts(row: ResourceType, resource: Json) -> Sequence[Json]:
    """The resource, and what it says of its parts: of those that are not planned or given up.

    Raises UnreadableError where these are no objects.
    """
    if not row.parts or row.parts[0] not in resource:
        return (resource,)
    parts = resource[row.parts[0]]
    for name in row.parts[1:]:
        parts = [part[name] for part in parts if name in part] if _are_objects(parts) else parts
    if not _are_objects(parts):
        raise UnreadableError(f"has {row.parts[0]} that cannot be read")
    return [resource, *(part for part in parts if part.get("status") in _PARTS_THAT_COUNT)]


def _are_objects(parts: Any) -> bool:
    return isinstance(parts, list) and all(isinstance(part, dict) for part in parts)
