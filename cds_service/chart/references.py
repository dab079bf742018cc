"""Finds the resource that a Reference names among those of one call, and whether it is the patient."""

from collections.abc import Iterable, Mapping
from typing import Any

from cds_service.fhir.concepts import inline_concept
from cds_service.fhir.elements import Json, list_of, relative
from cds_service.fhir.types import TYPES, ResourceType

_Identifier = tuple[str | None, str]


class References:
    """Finds what References name.

    ``received`` are the resources of the call, by type, each once; ``addresses`` has the resources with a fullUrl;
    ``patients`` are the copies of the call's Patient. ``usual`` is the form in which most records refer to the patient.
    """

    def __init__(
        self,
        patient_id: str,
        received: Mapping[str, list[Json]],
        addresses: Mapping[str, Json],
        patients: Iterable[Json],
    ) -> None:
        self._patient_id = patient_id
        self._mine = f"Patient/{patient_id}"
        self.usual: Json = {"reference": self._mine}
        self._received = received
        self._addresses = addresses
        self._by_id: dict[str, dict[str, Json]] = {}
        self._opened: tuple[Mapping[str, Any], Mapping[str, Json]] = ({}, {})
        named = (identifier for patient in patients for identifier in list_of(patient.get("identifier")))
        self._identifiers = frozenset(filter(None, map(_identifier, named)))

    def resolve(self, reference: Any, container: Mapping[str, Any] | None = None) -> Json | None:
        """The resource that a Reference names: contained (``#id``), ``Type/id``, absolute or ``urn:uuid:``; or None."""
        if not isinstance(reference, dict) or not isinstance(target := reference.get("reference"), str):
            return None
        if target.startswith("#"):
            return self._contained_in(container).get(target[1:]) if container else None
        return self._resource_at(target)

    def is_the_patients(self, reference: Any, container: Mapping[str, Any] | None = None) -> bool:
        """Whether a Reference names the patient of the call in any form: ``Patient/X`` after any address,
        ``urn:uuid:X``, the fullUrl of the Patient, an identifier, or a contained Patient."""
        if not isinstance(reference, dict):
            return False
        target = reference.get("reference")
        if target == self._mine:
            return True
        if not isinstance(target, str):
            return _identifier(reference.get("identifier")) in self._identifiers
        target = target.rstrip("/")
        if relative(target) == self._mine or target == f"urn:uuid:{self._patient_id}":
            return True
        found = self.resolve({"reference": target}, container) or {}
        if found.get("resourceType") != "Patient":
            return False
        own = {_identifier(one) for one in list_of(found.get("identifier"))} - {None}
        return found.get("id") == self._patient_id or not own.isdisjoint(self._identifiers)

    def _received_by_id(self, kind: str) -> Mapping[str, Json]:
        """The received resources of a type, by id; built on first use, because most calls never need it."""
        if kind not in self._by_id:
            received = self._received.get(kind, ())
            self._by_id[kind] = {item["id"]: item for item in received if isinstance(item.get("id"), str)}
        return self._by_id[kind]

    def _resource_at(self, target: str) -> Json | None:
        """The resource at a literal reference: by its fullUrl, or by type and id."""
        came = self._addresses.get(target)
        if came is not None:
            identity = came.get("id")
            return self._received_by_id(came["resourceType"]).get(identity, came) if isinstance(identity, str) else came
        kind, _, identity = relative(target).partition("/")
        return self._received_by_id(kind).get(identity)

    def _contained_in(self, container: Mapping[str, Any]) -> Mapping[str, Json]:
        """The contained resources of one resource by id; kept for the next reference, usually in the same resource."""
        if self._opened[0] is not container:
            contained = container.get("contained")
            by_id: dict[str, Json] = {}
            for resource in contained if isinstance(contained, list) else ():
                if isinstance(resource, dict) and isinstance(identity := resource.get("id"), str):
                    # Some servers keep the "#" of the reference in the id.
                    by_id.setdefault(identity.removeprefix("#"), resource)
            self._opened = (container, by_id)
        return self._opened[1]


def _identifier(value: Any) -> _Identifier | None:
    """(system, value) of an Identifier, or None if it has no value or cannot be read."""
    if not isinstance(value, dict):
        return None
    system, text = value.get("system"), value.get("value")
    return (system, text) if isinstance(text, str) and text and (system is None or isinstance(system, str)) else None


def concept_of(part: Mapping[str, Any], references: References, container: Mapping[str, Any]) -> Any:
    """The CodeableConcept that identifies a resource (or an Observation component)."""
    concept = inline_concept(part)
    return concept if concept is not None else referred_concept(part, references, container)


def referred_concept(part: Mapping[str, Any], references: References, container: Mapping[str, Any]) -> Any:
    """The concept of a resource that is in another resource, to which it refers."""
    if not isinstance(kind := part.get("resourceType"), str):
        return None
    row = TYPES.get(kind)
    reference = _reference_to(part, row) if row is not None else None
    if row is None or reference is None:
        return None
    referred = references.resolve(reference, container)
    return referred.get(row.there) if referred else _display_of(reference)


def _reference_to(part: Mapping[str, Any], row: ResourceType) -> Any:
    """The Reference to the resource that has the concept; in FHIR R5 it is in a CodeableReference."""
    if row.concept_at and (reference := part.get(row.concept_at)) is not None:
        return reference
    later = part.get(row.concept_in_r5) if row.concept_in_r5 else None
    return later.get("reference") if isinstance(later, dict) else None


def _display_of(reference: Any) -> Json | None:
    display = reference.get("display") if isinstance(reference, dict) else None
    return {"text": display} if display else None
