"""Prefetch in, Chart out: the patient's resources indexed by code, and for each type whether it was sent at all.

The resources stay the JSON that the EHR sent (FHIR R4). Reading is strict in shape and liberal in content: what cannot
be read is listed, never raised, so that one broken resource spoils only what it could have served.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import cached_property
from json import dumps
from typing import Any, NamedTuple

from cds_service.elements import Json, Key, concept_keys, concept_text, relative
from cds_service.errors import UnreadableError
from cds_service.policy import Code, CodeSet
from cds_service.terminology import words

DEEPEST_BUNDLE = 4
UNCODED = ("QuestionnaireResponse", "Coverage")
# Of these the words are kept even where a code stands beside them.
WORDED = ("MedicationRequest", "MedicationStatement")
SUBJECT = {"Coverage": "beneficiary", "Device": "patient"}


class State(Enum):
    """What became of one type's prefetch: only the first two are knowledge (CDS Hooks 2.0, "Prefetch")."""

    FILLED = "filled"
    EMPTY = "empty"
    MISSING = "missing"
    FAILED = "failed"


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


class Unreadable(NamedTuple):
    """A resource that could not be read, and why."""

    type: str
    reference: str
    why: str


class _Indexed(NamedTuple):
    record: Record
    part: Json
    without_system: bool
    coded: bool
    text: str = ""
    words: str = ""


class Chart:
    """What is on record for one patient.

    ``patient`` is the Patient resource or None; ``states`` says for each resource type how its prefetch arrived;
    ``why_missing`` holds a sentence for types that are missing or failed; ``unreadable`` lists broken resources.
    """

    def __init__(self, patient_id: str) -> None:
        self.patient_id = patient_id
        self.patient: Json | None = None
        self.states: dict[str, State] = {}
        self.why_missing: dict[str, str] = {}
        self.unreadable: list[Unreadable] = []
        self.strangers = 0
        self.records: dict[str, list[Record]] = {}
        self._by_code: dict[str, dict[Key, list[_Indexed]]] = {}
        self._worded: dict[str, list[_Indexed]] = {}
        self._mine = f"Patient/{patient_id}"
        self._received: tuple[Mapping[str, list[Json]], Mapping[str, Json]] = ({}, {})

    def known(self, resource_type: str) -> bool:
        """Whether what is on record of that type was sent (even if it is nothing)."""
        return self.states.get(resource_type) in (State.FILLED, State.EMPTY)

    def matches(self, resource_type: str, codes: CodeSet) -> Iterator[Match]:
        """Each record of the type that the code set recognises, once for each matching part."""
        seen: set[int] = set()
        index = self._by_code.get(resource_type)
        if index and (codes.prefixes or not codes.exact.keys().isdisjoint(index)):
            for key in _shared(index, codes):
                for indexed in index[key]:
                    if id(indexed.part) not in seen:
                        seen.add(id(indexed.part))
                        yield Match(indexed.record, indexed.part, codes.match(key), key[1], indexed.without_system)
        if codes.phrases:
            for indexed in self._worded.get(resource_type, ()):
                counts = (codes.words_beside_codes or not indexed.coded) and id(indexed.part) not in seen
                if counts and codes.match_words(indexed.words):
                    yield Match(indexed.record, indexed.part, None, indexed.text, False)

    @cached_property
    def _by_reference(self) -> Mapping[str, Json]:
        """What was received, by ``Type/id`` and by the fullUrl under which it came; most calls never ask."""
        resources, addresses = self._received
        found = {
            f"{kind}/{item['id']}": item
            for kind, items in resources.items()
            for item in items
            if isinstance(item.get("id"), str)
        }
        for address, item in addresses.items():
            found[address] = found.get(f"{item['resourceType']}/{item.get('id')}", item)
        return found

    def resolve(self, reference: Any, container: Mapping[str, Any] | None = None) -> Json | None:
        """The resource that a Reference names: contained (``#id``), ``Type/id``, absolute or ``urn:uuid:``; or None."""
        if not isinstance(reference, dict) or not isinstance(target := reference.get("reference"), str):
            return None
        if target.startswith("#"):
            contained = container.get("contained") if container else None
            for resource in contained if isinstance(contained, list) else ():
                if isinstance(resource, dict) and resource.get("id") == target[1:]:
                    return resource
            return None
        return self._by_reference.get(target) or self._by_reference.get(relative(target))

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
            found = self._by_reference.get(target, {})
            return found.get("resourceType") == "Patient" and found.get("id") == self.patient_id
        identifier = reference.get("identifier")
        mine = self.patient.get("identifier") if self.patient else None
        return isinstance(identifier, dict) and isinstance(mine, list) and _same_identifier(identifier, mine)


def _same_identifier(wanted: Mapping[str, Any], owned: Iterable[Any]) -> bool:
    system, value = wanted.get("system"), wanted.get("value")
    return bool(value) and any(
        isinstance(item, dict) and item.get("system") == system and item.get("value") == value for item in owned
    )


def _shared(index: Mapping[Key, Any], codes: CodeSet) -> Iterable[Key]:
    shared = index.keys() & codes.exact.keys()
    if codes.prefixes:
        shared |= {key for key in index if key not in shared and codes.match(key)}
    return shared if len(shared) < 2 else sorted(shared)


def concept_of(part: Mapping[str, Any], chart: Chart, container: Mapping[str, Any]) -> Any:
    """The CodeableConcept that says what a resource (or an Observation component) is."""
    kind = part.get("resourceType")
    if kind in _REFERRED:
        inline, reference, name = _REFERRED[kind]
        concept = part.get(inline)
        if concept is None:
            referred = chart.resolve(part.get(reference), container)
            concept = referred.get(name) if referred else _display_of(part.get(reference))
        return concept
    return part.get("type" if kind == "Device" else "code")


# Types whose concept stands inline, or in a resource that is referred to (under the name given last).
_REFERRED = {
    "MedicationRequest": ("medicationCodeableConcept", "medicationReference", "code"),
    "MedicationStatement": ("medicationCodeableConcept", "medicationReference", "code"),
    "DeviceRequest": ("codeCodeableConcept", "codeReference", "type"),
}


def _display_of(reference: Any) -> Json | None:
    display = reference.get("display") if isinstance(reference, dict) else None
    return {"text": display} if display else None


def read_chart(
    prefetch: Mapping[str, Any],
    keys: Mapping[str, str],
    patient_id: str,
    types: Iterable[str],
    used: Callable[[Key], bool] = lambda key: True,
) -> Chart:
    """Reads the prefetch of one call.

    ``prefetch`` is the request's own (any keys, any JSON); ``keys`` maps each published prefetch key to its resource
    type; ``types`` are the resource types that policies read; ``used`` says whether any policy reads a code, so that
    the others need not be indexed. Never raises on JSON that parses.
    """
    chart = Chart(patient_id)
    found: dict[str, list[Json]] = {}
    addresses: dict[str, Json] = {}
    for key, value in prefetch.items():
        resources, failure = _resources(value)
        for resource, address in resources:
            found.setdefault(resource["resourceType"], []).append(resource)
            if address:
                addresses[address] = resource
        if key in keys:
            _note_arrival(chart, key, keys[key], {resource["resourceType"] for resource, _ in resources}, failure)
            if _has_more_pages(value):
                chart.states[keys[key]] = State.FAILED
                chart.why_missing[keys[key]] = f"only the first page of {keys[key]} was sent"
    for key, expected in keys.items():
        if expected not in chart.states:
            # What came under the EHR's own keys counts as found, but does not show that it is all there is.
            chart.states[expected] = State.MISSING
            if expected not in found:
                chart.why_missing[expected] = f"{expected} not sent (prefetch {key})"
    unique = {kind: _once(resources) for kind, resources in found.items()}
    chart._received = (unique, addresses)
    _find_patient(chart, unique.get("Patient", ()))
    for kind in sorted(unique.keys() & set(types)):
        if kind != "Patient":
            _index(chart, kind, unique[kind], used)
    return chart


def _note_arrival(chart: Chart, key: str, expected: str, arrived: set[str], failure: str | None) -> None:
    """Which of the four states a published key is in; resources of another type alone are no answer to a search."""
    if expected in arrived:
        chart.states[expected] = State.FILLED
        if failure:
            chart.unreadable.append(Unreadable(expected, f"prefetch {key}", f"in part: {failure}"))
    elif failure or arrived:
        chart.states[expected] = State.FAILED
        chart.why_missing[expected] = failure or f"the EHR sent no {expected} as prefetch {key}, but something else"
    else:
        chart.states[expected] = State.EMPTY


def _resources(value: Any) -> tuple[list[tuple[Json, str | None]], str | None]:
    """The resources in a prefetch value with their fullUrl, and why the value failed (or None)."""
    resources: list[tuple[Json, str | None]] = []
    return resources, None if value is None else _collect(value, None, 0, resources)


def _collect(item: Any, address: Any, depth: int, into: list[tuple[Json, str | None]]) -> str | None:
    """Adds the resources in a value, a Bundle's or a list's one by one; returns why something in it failed, or None."""
    if isinstance(item, list) and depth == 0:
        return next(filter(None, [_collect(part, None, 1, into) for part in item]), None)
    kind = item.get("resourceType") if isinstance(item, dict) else None
    if not isinstance(kind, str):
        return "the EHR sent something that is not a FHIR resource"
    if kind == "OperationOutcome":
        return "the EHR reported that it could not be read" if depth == 0 or _is_error(item) else None
    if kind != "Bundle":
        into.append((item, address if isinstance(address, str) else None))
        return None
    entries = item.get("entry") or []
    if not isinstance(entries, list) or depth >= DEEPEST_BUNDLE:
        return "the EHR sent a Bundle that cannot be read"
    failure = None
    for entry in entries:
        if not isinstance(entry, dict):
            failure = "the EHR sent a Bundle that cannot be read"
        elif (resource := entry.get("resource")) is not None:
            failure = _collect(resource, entry.get("fullUrl"), depth + 1, into) or failure
    return failure


def _has_more_pages(value: Any) -> bool:
    links = value.get("link") if isinstance(value, dict) and value.get("resourceType") == "Bundle" else None
    return isinstance(links, list) and any(isinstance(link, dict) and link.get("relation") == "next" for link in links)


def _is_error(outcome: Mapping[str, Any]) -> bool:
    issues = outcome.get("issue")
    return not isinstance(issues, list) or any(
        isinstance(issue, dict) and issue.get("severity") in ("fatal", "error") for issue in issues
    )


def _find_patient(chart: Chart, patients: Iterable[Json]) -> None:
    for patient in patients:
        if patient.get("id") == chart.patient_id:
            chart.patient = patient
        else:
            chart.strangers += 1
    if chart.patient is None and chart.strangers:
        chart.states["Patient"] = State.FAILED
        chart.why_missing["Patient"] = "the EHR sent another patient than the one of the call"


def _once(resources: list[Json]) -> list[Json]:
    """One copy of each resource: of two with one id the later version, judged by meta.lastUpdated, then by content."""
    by_id: dict[str, Json] = {}
    unnamed: dict[str, Json] = {}
    for resource in resources:
        identity = resource.get("id")
        if not isinstance(identity, str):
            unnamed.setdefault(_content(resource), resource)
        elif identity not in by_id:
            by_id[identity] = resource
        elif by_id[identity] != resource:
            by_id[identity] = max(by_id[identity], resource, key=_version)
    return [*by_id.values(), *unnamed.values()]


def _version(resource: Mapping[str, Any]) -> tuple[str, str]:
    meta = resource.get("meta")
    updated = meta.get("lastUpdated") if isinstance(meta, dict) else None
    return (updated if isinstance(updated, str) else "", _content(resource))


def _content(resource: Mapping[str, Any]) -> str:
    return dumps(resource, sort_keys=True)


def _index(chart: Chart, kind: str, resources: Iterable[Json], used: Callable[[Key], bool]) -> None:
    by_code: dict[Key, list[_Indexed]] = {}
    worded: list[_Indexed] = []
    records: list[Record] = []
    subject = SUBJECT.get(kind, "subject")
    for resource in resources:
        if not chart.is_the_patients(resource.get(subject)):
            chart.strangers += 1
            continue
        identity = resource.get("id")
        record = Record(kind, f"{kind}/{identity}" if isinstance(identity, str) else kind, resource)
        records.append(record)
        if kind in UNCODED:
            continue
        try:
            for part in _parts(kind, resource):
                concept = concept_of(part, chart, resource)
                keys = concept_keys(concept)
                for key, without_system in keys:
                    if used(key):
                        by_code.setdefault(key, []).append(_Indexed(record, part, without_system, True))
                if (kind in WORDED or not keys) and (text := concept_text(concept)):
                    worded.append(_Indexed(record, part, False, bool(keys), text, words(text)))
        except UnreadableError as error:
            chart.unreadable.append(Unreadable(kind, record.reference, str(error)))
    chart.records[kind] = records
    chart._by_code[kind] = by_code
    chart._worded[kind] = worded


def _parts(kind: str, resource: Json) -> list[Json]:
    if kind != "Observation" or "component" not in resource:
        return [resource]
    components = resource["component"]
    if not isinstance(components, list) or not all(isinstance(component, dict) for component in components):
        raise UnreadableError("has components that cannot be read")
    return [resource, *components]
