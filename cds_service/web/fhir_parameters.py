"""A FHIR Parameters resource (R4) of an operation: its parameters by name, and their values."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from cds_service.errors import RequestError
from cds_service.fhir.elements import Json

Parameters = Mapping[str, Sequence[Json]]


def read(body: Any) -> Parameters:
    """The parameters of a body by name. Raises RequestError 400 if it is not a Parameters resource."""
    if not isinstance(body, dict) or body.get("resourceType") != "Parameters":
        raise RequestError(400, "structure", "The body must be a FHIR Parameters resource.")
    listed = body.get("parameter", [])
    if not isinstance(listed, list):
        raise RequestError(400, "structure", "parameter must be a list.", "parameter")
    found: dict[str, list[Json]] = {}
    for number, item in enumerate(listed):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            place = f"parameter[{number}]"
            raise RequestError(400, "structure", f"{place} must be an object with a name.", place)
        found.setdefault(name, []).append(item)
    return found


def resource(parameter: Json, types: Collection[str] = ()) -> Json:
    """The resource of a parameter. Raises RequestError 400 if there is none, or none of the ``types``."""
    found, name = parameter.get("resource"), _name(parameter)
    kind = found.get("resourceType") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(kind, str) or (types and kind not in types):
        wanted = " or ".join(types) or "FHIR"
        raise RequestError(400, "structure", f"The parameter {name} must hold a {wanted} resource.", name)
    return found


def text(parameter: Json, member: str) -> str:
    """The text of a parameter under ``member`` (such as "valueCanonical"). Raises RequestError 400."""
    found = parameter.get(member)
    if not isinstance(found, str) or not found:
        name = _name(parameter)
        raise RequestError(400, "structure", f"The parameter {name} must have {member}, a text.", name)
    return found


def value(parameter: Json) -> str | int:
    """The value of a parameter, of any type. Raises RequestError 400 if it is neither text nor a whole number."""
    found = next((item for name, item in parameter.items() if name.startswith("value")), None)
    if isinstance(found, bool) or not isinstance(found, str | int):
        name = _name(parameter)
        raise RequestError(400, "structure", f"The parameter {name} must have a value that is text or a number.", name)
    return found


def _name(parameter: Json) -> str:
    """The name for an error message: a known name, or "parameter", so that no text of the caller is repeated."""
    known = ("coverage", "order", "questionnaire", "context", "changedsince", "data", "operationOutcome", "url")
    name = parameter["name"]
    return name if name in (*known, "valueSetVersion", "filter", "offset", "count") else "parameter"
