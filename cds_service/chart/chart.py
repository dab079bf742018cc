"""The patient's records indexed by code, and for each resource type whether its list was sent."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from cds_service.chart.arrivals import Listing, State, Unreadable
from cds_service.chart.code_index import Lexicon
from cds_service.chart.record_index import RecordIndex
from cds_service.chart.records import Match, Record, coded_elements
from cds_service.chart.references import References, concept_of
from cds_service.chart.texts import Texts
from cds_service.errors import UnreadableError
from cds_service.fhir.bundles import DEFAULT_LIMITS, ReadLimits, newest_copies, once
from cds_service.fhir.elements import Json
from cds_service.fhir.types import TYPES
from cds_service.policy.codes import CodeSet

Told = TypeVar("Told")


class Delivery(NamedTuple):
    """How the resources of one type arrived.

    ``state`` is the state of their list ("whole", "in-part", "failed", "missing"); ``received`` is how many arrived,
    ``counted`` how many count as this patient's, and ``dropped`` the others, each with the reason; ``unasked`` says
    that the service never requests this type.
    """

    state: str
    received: int
    counted: int
    dropped: tuple[Unreadable, ...]
    unasked: bool = False

    def as_json(self) -> Json:
        """The delivery as JSON."""
        dropped = [{"reference": item.reference, "why": item.why} for item in self.dropped]
        return {"state": self.state, "received": self.received, "counted": self.counted, "dropped": dropped}


class Chart:
    """The records of one patient, as the JSON that the EHR sent (FHIR R4).

    ``patient`` is the Patient resource or None, and ``patients`` are all its copies that may be current; ``listings``
    has the list of each resource type; ``why_missing`` has a sentence for each type that is missing or failed, and
    ``unfetched`` only those for failed fetches; ``unreadable`` lists what is broken, and ``dropped`` has by type the
    records of another patient or of no stated patient; ``limits`` bound what the chart reads. ``references`` finds what
    a Reference names, ``lexicon`` looks up the code sets that rule sets read, and ``texts`` reads free text.
    """

    def __init__(
        self,
        patient_id: str,
        resources: Mapping[str, Iterable[Json]],
        listings: Mapping[str, Listing],
        addresses: Mapping[str, Json],
        *,
        lexicon: Lexicon,
        limits: ReadLimits,
    ) -> None:
        self.patient_id = patient_id
        self.listings = listings
        self.limits = limits
        self.lexicon = lexicon
        self.texts = Texts(limits)
        self.why_missing = {kind: item.why_missing for kind, item in listings.items() if item.why_missing}
        self.unfetched = {kind: item.unfetched for kind, item in listings.items() if item.unfetched}
        self._received = {kind: once(found) for kind, found in resources.items()}
        copies = newest_copies(resources.get("Patient", ()))
        self.patients = tuple(copy for copy in copies if copy.get("id") == patient_id)
        self.patient = self.patients[0] if self.patients else None
        self.references = References(patient_id, self._received, addresses, self.patients)
        self._index = RecordIndex(self.references, lexicon, self.texts, limits)
        for copy in copies:
            if copy.get("id") != patient_id:
                self._index.drop("Patient", copy, "is another patient")
        self.dropped = self._index.dropped
        self.unreadable: list[Unreadable] = []
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

        ``resources`` are all resources that arrived, by type; ``listings`` has the list of each type; ``types`` are the
        types, and ``lexicon`` has the codes, that rule sets read; ``addresses`` has the resources that have a fullUrl.
        A record that exceeds ``limits`` counts as unreadable. Never raises on JSON that parses.
        """
        chart = cls(patient_id, resources, listings, addresses, lexicon=lexicon, limits=limits)
        for kind in sorted(chart._received.keys() & set(types)):
            if kind != "Patient":
                chart._index.add(TYPES[kind], chart._received[kind])
        in_part = [item.in_part for item in listings.values() if item.in_part is not None]
        chart.unreadable = [*in_part, *chart._index.unreadable]
        return chart

    @property
    def died(self) -> str | None:
        """When the patient died, as written; "" if the date is not recorded, None if no death is recorded."""
        said = [
            patient for patient in self.patients if patient.get("deceasedBoolean") or patient.get("deceasedDateTime")
        ]
        written = [day for patient in said if isinstance(day := patient.get("deceasedDateTime"), str)]
        return written[0] if written else "" if said else None

    def known(self, resource_type: str) -> bool:
        """Whether the list of that type was sent, even an empty one."""
        listing = self.listings.get(resource_type)
        return listing is not None and listing.is_known

    def whole(self, resource_type: str) -> bool:
        """Whether the complete list of that type was sent, and every record in it is readable."""
        return self.known(resource_type) and all(item.type != resource_type for item in self.unreadable)

    def delivery(self, resource_type: str) -> Delivery:
        """How the resources of a type arrived: the one ledger behind cards, pages and ``explain``."""
        listing = self.listings.get(resource_type, Listing(State.MISSING))
        unreadable = (item for item in self.unreadable if item.type == resource_type and item is not listing.in_part)
        dropped = (*self.dropped.get(resource_type, ()), *unreadable)
        came = len(self._received.get(resource_type, ()))
        in_part = "in-part" if came or listing.is_known else listing.state.value
        state = "whole" if self.whole(resource_type) else in_part
        unasked = resource_type in TYPES and TYPES[resource_type].unasked
        return Delivery(state, came, came - len(dropped), dropped, unasked)

    def records(self, resource_type: str) -> Sequence[Record]:
        """All of the patient's resources of a type."""
        return self._index.own.get(resource_type, ())

    def matches(self, resource_type: str, codes: CodeSet) -> Sequence[Match]:
        """Each record of the type that the code set recognizes, once for each matching element."""
        return self._index.matches(resource_type, codes)

    @property
    def touched(self) -> Set[CodeSet]:
        """The code sets of which the chart has a code or a phrase; most code sets are not among them."""
        return self._index.touched

    def concepts(self, resource_type: str) -> Iterator[Any]:
        """The CodeableConcept, as sent, of each record of a type and of each coded element inside it."""
        for record in self.records(resource_type):
            try:
                elements = coded_elements(TYPES[resource_type], record.resource)
            except UnreadableError:
                elements = (record.resource,)
            concepts = (concept_of(element, self.references, record.resource) for element in elements)
            yield from (concept for concept in concepts if concept is not None)

    def told(self, question: Callable[..., Told], about: Any, *more: Hashable) -> Told:
        """``question(about, *more)``, computed once: many records may refer to one resource, and a record may have many
        parts.

        ``about`` is a part of what the EHR sent, and ``more`` does not change from one record to the next. Raises
        UnreadableError as the question does.
        """
        # A key with the chart in it would keep the chart in memory until the garbage collector runs.
        key = (question, id(about), more[:-1] if more and more[-1] is self else more)
        if key not in self._told:
            # Keep the object, or a new object could get the same id.
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
