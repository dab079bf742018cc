"""The records of a patient, and the parts of them that a code set recognizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.errors import UnreadableError
from cds_service.fhir.elements import Json
from cds_service.fhir.manners import Said
from cds_service.fhir.types import ResourceType
from cds_service.policy.codes import Code

# http://hl7.org/fhir/R4/valueset-care-plan-activity-status.html
_STATUSES_THAT_COUNT = (None, "in-progress", "on-hold", "completed", "stopped")


# Neither frozen nor a tuple, which take four to six times as long to make: there is one for every record of a chart.
@dataclass(slots=True)
class Record:
    """One resource of the patient: its type, its reference for evidence, its JSON."""

    type: str
    reference: str
    resource: Json


@dataclass(slots=True)
class Match:
    """A record that a code set recognizes: the element with the code (resource or component), and the row of the set.

    ``text`` is the record's code, or its name if it was found by words; then ``code`` is None, and ``said`` is the
    manner of the words. ``beside_code``: a code of a standard system that the set does not list is beside these words.
    ``drugs`` are the ingredients that the words name. ``words`` are the words beside the record's code.
    """

    record: Record
    element: Json
    code: Code | None
    text: str
    without_system: bool
    said: Said = Said.REPORTED
    beside_code: bool = False
    drugs: tuple[str, ...] = ()
    words: str = ""


def record_of(kind: str, resource: Json) -> Record:
    """A resource of that type as a record."""
    identity = resource.get("id")
    return Record(kind, f"{kind}/{identity}" if isinstance(identity, str) else kind, resource)


def coded_elements(row: ResourceType, resource: Json) -> Sequence[Json]:
    """The resource and the elements inside it that have their own code, without planned or abandoned ones.

    Raises UnreadableError if the elements are not objects.
    """
    if not row.coded_within or row.coded_within[0] not in resource:
        return (resource,)
    elements = resource[row.coded_within[0]]
    for name in row.coded_within[1:]:
        elements = [item[name] for item in elements if name in item] if _are_objects(elements) else elements
    if not _are_objects(elements):
        raise UnreadableError(f"has {row.coded_within[0]} that cannot be read")
    return [resource, *(item for item in elements if item.get("status") in _STATUSES_THAT_COUNT)]


def _are_objects(elements: Any) -> bool:
    return isinstance(elements, list) and all(isinstance(item, dict) for item in elements)
