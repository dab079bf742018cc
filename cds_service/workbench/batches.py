"""A batch of reads and searches at a FHIR server (FHIR R4, RESTful API, "batch/transaction"). Pure."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from cds_service.errors import RequestError, operation_outcome
from cds_service.fhir.elements import Json
from cds_service.workbench.fhir import Parameters

MOST_ENTRIES = 50


class Asked(NamedTuple):
    """What one entry asks for: a resource by its id or, if ``identity`` is empty, a search."""

    kind: str
    identity: str
    parameters: Parameters


def is_bundle(body: Any, kind: str) -> bool:
    """Whether a body says that it is a Bundle of a type, such as ``batch``."""
    return isinstance(body, dict) and body.get("resourceType") == "Bundle" and body.get("type") == kind


def entries_of(bundle: Json) -> list[Any]:
    """The entries of a batch or transaction. Raises RequestError 400 for none or for too many."""
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not 0 < len(entries) <= MOST_ENTRIES:
        raise RequestError(400, "structure", f"A {bundle['type']} has 1 to {MOST_ENTRIES} entries.", "Bundle.entry")
    return entries


def answered(bundle: Json, answer: Callable[[Asked], Json]) -> Json:
    """The batch-response: each entry has a status, and the resource or searchset, or the OperationOutcome of its error.

    ``answer`` raises RequestError for what it refuses; the other entries are answered all the same. Raises RequestError
    400 for a batch without entries or with too many.
    """
    return {
        "resourceType": "Bundle",
        "type": "batch-response",
        "entry": [_answered(entry, index, answer) for index, entry in enumerate(entries_of(bundle))],
    }


def _answered(entry: Any, index: int, answer: Callable[[Asked], Json]) -> Json:
    try:
        found = answer(_asked(entry, f"Bundle.entry[{index}].request"))
    except RequestError as error:
        outcome = operation_outcome(error.code, error.sentence, error.expression)
        status = f"{error.status} {HTTPStatus(error.status).phrase}"
        return {"response": {"status": status, "outcome": outcome}}
    return {"resource": found, "response": {"status": "200 OK"}}


def _asked(entry: Any, place: str) -> Asked:
    request = entry.get("request") if isinstance(entry, dict) else None
    method, url = (request.get("method"), request.get("url")) if isinstance(request, dict) else (None, None)
    if method != "GET" or not isinstance(url, str):
        raise RequestError(400, "not-supported", "An entry of a batch can GET Type/id or Type?parameters.", place)
    path, _, query = url.partition("?")
    kind, _, identity = path.partition("/")
    return Asked(kind, identity, parse_qsl(query, keep_blank_values=True))
