"""The CodeableConcept that identifies a resource, if it is in the resource itself (FHIR R4 and R5)."""

from collections.abc import Mapping
from typing import Any

from cds_service.fhir.elements import Json, codings, list_of
from cds_service.fhir.types import TYPES, ResourceType

BILLING_OPTIONS = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-billing-options"


def inline_concept(part: Mapping[str, Any]) -> Any:
    """The concept of a resource, or of an Observation component; None if it is not there.

    In R5 some of these elements have another name or are CodeableReferences; then the result is their ``concept``.
    """
    kind = part.get("resourceType")
    # A component may also have a resourceType, of any JSON type.
    row = TYPES.get(kind) if isinstance(kind, str) else None
    return part.get("code") if row is None else concept_by(row, part)


def concept_by(row: ResourceType, part: Mapping[str, Any]) -> Any:
    """``inline_concept`` of a resource whose row is known."""
    found = part.get(row.concept)
    if isinstance(found, dict) and "concept" not in found and not row.concept_too:
        # The usual case.
        return found
    if row.concept_too:
        said = [item for name in (row.concept, *row.concept_too) for item in list_of(part.get(name))]
        return _joined([{"text": item} if isinstance(item, str) else item for item in said])
    if found is None and row.concept_in_r5:
        found = part.get(row.concept_in_r5)
    return inner_concept(found)


def inner_concept(value: Any) -> Any:
    """The concept of an element that is a CodeableConcept, or in R5 a CodeableReference; other values come back
    unchanged."""
    if isinstance(value, dict) and "concept" in value and "coding" not in value and "text" not in value:
        return value["concept"]
    return value


def _joined(concepts: list[Any]) -> Json | None:
    """Several concepts of one resource as one. Raises UnreadableError if the codings do not have FHIR's shape."""
    texts = [
        concept["text"] for concept in concepts if isinstance(concept, dict) and isinstance(concept.get("text"), str)
    ]
    listed = [coding for concept in concepts for coding in codings(concept)]
    return {"coding": listed, **({"text": ", ".join(dict.fromkeys(texts))} if texts else {})} if concepts else None


def billing_options(concept: Any) -> list[Any]:
    """The concepts of the billing codes that may go with an order's code (Da Vinci CRD 2.2, ext-billing-options)."""
    listed = concept.get("extension") if isinstance(concept, dict) else None
    extensions = [item for item in (listed if isinstance(listed, list) else ()) if isinstance(item, dict)]
    values = (item.get("valueCodeableConcept") for item in extensions if item.get("url") == BILLING_OPTIONS)
    return [value for value in values if value is not None]
