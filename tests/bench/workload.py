"""The calls that are measured, made from the examples that ship: one ends in a whole card, one in none."""

import json
from collections.abc import Collection, Iterator
from datetime import date, timedelta
from typing import Any

from cds_service.examples import examples, moved, request_as_of
from cds_service.settings.settings import data_folder

# So many days the variants of a call differ by, at most.
DAYS = 7
RECOGNIZED, UNRELATED, OPENED = "typical-gaps", "unrelated-order", "patient-view-multifidus"


def whole_card(today: date) -> tuple[str, Any]:
    """Service id and body of a call that a policy recognizes, on a full chart."""
    example = examples(data_folder("fhir_examples"))[RECOGNIZED]
    return example.about["service"], request_as_of(example, today)


def patient_view(today: date) -> tuple[str, Any]:
    """Service id and body of a call that opens a chart of which a policy has something to say."""
    example = examples(data_folder("fhir_examples"))[OPENED]
    return example.about["service"], request_as_of(example, today)


def unrecognized(request: Any, today: date) -> Any:
    """The same call with orders that concern no policy."""
    other = request_as_of(examples(data_folder("fhir_examples"))[UNRELATED], today)["context"]
    ours, theirs = request["context"]["patientId"], other["patientId"]
    orders = json.loads(json.dumps(other["draftOrders"]).replace(theirs, ours))
    return request | {"context": request["context"] | {"draftOrders": orders}}


def rotated(request: Any, count: int) -> list[Any]:
    """That many variants of a call, each of another patient, with other ids of records, other texts and other dates.

    The dates lie up to a week apart, so that no statement says another thing because of them.
    """
    return [_variant(request, number) for number in range(count)]


def _variant(request: Any, number: int) -> Any:
    """Variant 0 is the call as it is."""
    if not number:
        return request
    ids = {resource["id"] for resource in _resources(request) if "id" in resource}
    return _renamed(moved(request, timedelta(days=-(number % DAYS))), ids | {request["context"]["patientId"]}, number)


def _resources(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        if "resourceType" in value:
            yield value
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from _resources(item)


def _renamed(value: Any, ids: Collection[str], number: int, name: str = "") -> Any:
    """A copy with another id in place of each of ``ids``, also where a reference names it, and with other texts."""
    if isinstance(value, dict):
        return {key: _renamed(item, ids, number, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, ids, number, name) for item in value]
    if not isinstance(value, str):
        return value
    kind, slash, identity = value.rpartition("/")
    if identity in ids and (slash or name in ("id", "patientId")):
        return f"{kind}{slash}{identity}-{number}"
    return f"{value}, {number}" if name == "text" else value


def resource_count(request: Any) -> int:
    """How many resources the prefetch of a call holds."""
    values = [value for value in request["prefetch"].values() if value is not None]
    return sum(len(value.get("entry", ())) if value["resourceType"] == "Bundle" else 1 for value in values)
