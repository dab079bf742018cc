"""Members of a request body with their required JSON types; a RequestError names the place of a fault."""

from collections.abc import Mapping
from typing import Any

from cds_service.errors import RequestError

_NAMES: dict[type, str] = {dict: "an object", list: "a list", str: "text"}


def required(parent: Mapping[str, Any], name: str, kind: type, place: str) -> Any:
    """A required member. Raises RequestError 400."""
    if parent.get(name) in (None, ""):
        raise RequestError(400, "required", f"{place} is required but missing.", place)
    return member(parent[name], place, kind)


def member(value: Any, place: str, kind: type) -> Any:
    """A member of a JSON type. Raises RequestError 400."""
    if not isinstance(value, kind):
        raise RequestError(400, "structure", f"{place} must be {_NAMES[kind]}.", None if place == "The body" else place)
    return value


def given(parent: Mapping[str, Any], name: str) -> Any:
    """A member; None if it is missing, null or empty text."""
    value = parent.get(name)
    return None if value == "" else value


def too_many(place: str, found: int, what: str, most: int, setting: str) -> RequestError:
    """The error for a part of the body with more items than the limit."""
    sentence = (
        f"{place} has {found} {what}; the service reads at most {most}. Send fewer, or ask the operator to raise "
        f"{setting}."
    )
    return RequestError(413, "too-costly", sentence, place)
