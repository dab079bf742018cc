"""The calls that are measured, made from the examples that ship: one ends in a whole card, one in none."""

import json
from datetime import date
from typing import Any

from cds_service.examples import examples, request_as_of
from cds_service.settings.settings import data_folder

RECOGNISED, UNRELATED, OPENED = "typical-gaps", "unrelated-order", "patient-view-multifidus"


def whole_card(today: date) -> tuple[str, Any]:
    """Service id and body of a call that a policy recognises, on a full chart."""
    example = examples(data_folder("fhir_examples"))[RECOGNISED]
    return example.about["service"], request_as_of(example, today)


def patient_view(today: date) -> tuple[str, Any]:
    """Service id and body of a call that opens a chart of which a policy has something to say."""
    example = examples(data_folder("fhir_examples"))[OPENED]
    return example.about["service"], request_as_of(example, today)


def unrecognised(request: Any, today: date) -> Any:
    """The same call with orders that are no policy's business."""
    other = request_as_of(examples(data_folder("fhir_examples"))[UNRELATED], today)["context"]
    ours, theirs = request["context"]["patientId"], other["patientId"]
    orders = json.loads(json.dumps(other["draftOrders"]).replace(theirs, ours))
    return request | {"context": request["context"] | {"draftOrders": orders}}


def resource_count(request: Any) -> int:
    """How many resources the prefetch of a call holds."""
    values = [value for value in request["prefetch"].values() if value is not None]
    return sum(len(value.get("entry", ())) if value["resourceType"] == "Bundle" else 1 for value in values)
