"""Strict readers of FHIR R4 elements: the value, or UnreadableError where the JSON does not have FHIR's shape."""

from collections.abc import Mapping
from math import inf, isfinite, nextafter
from typing import Any, NamedTuple

from cds_service.errors import UnreadableError
from cds_service.fhir.dates import Days, days
from cds_service.fhir.terminology import canonical_code, canonical_system, is_standard, own_system, system_of_shape

Json = dict[str, Any]
Key = tuple[str, str]
UCUM = "http://unitsofmeasure.org"
Interval = tuple[float, float]


def object_of(value: Any) -> Json:
    """A JSON object."""
    if not isinstance(value, dict):
        raise UnreadableError("has a part that is not a JSON object")
    return value


def list_of(value: Any) -> list[Any]:
    """An element that may repeat: nothing is an empty list, a single value a list of one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def text_of(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise UnreadableError("has a part that is not text")
    return value


def number_of(value: Any) -> float:
    """A finite number; true and false are none."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
            return value
    except OverflowError:
        pass
    raise UnreadableError("has a value that is not a number")


def days_of(value: Any) -> Days:
    """A FHIR date, dateTime or instant as an interval of days."""
    return days(text_of(value))


def first_of(resource: Mapping[str, Any], *names: str) -> Any:
    """The first of several elements that is present, or None."""
    return next((resource[name] for name in names if resource.get(name) is not None), None)


def status_of(concept: Any) -> str | None:
    """The code of a status CodeableConcept; a bare string, as some servers send, is taken as the code."""
    if concept is None or isinstance(concept, str):
        return concept
    for coding in codings(concept):
        code = coding.get("code")
        if isinstance(code, str):
            return code
    text = concept.get("text")
    return text.lower() if isinstance(text, str) else None


def coding_key(system: str | None, code: str) -> Key | None:
    """Canonical (system, code) of a coding in a standard system; a missing system is judged by the code's shape."""
    if system:
        system = canonical_system(system)
        return own_system(system, canonical_code(system, code)) if is_standard(system) else None
    shaped = system_of_shape(canonical_code("", code))
    return own_system(shaped, canonical_code(shaped, code)) if shaped else None


def relative(reference: str) -> str:
    """``Type/id`` of a literal reference without server address and version; other forms come back as they are."""
    parts = reference.partition("/_history/")[0].rsplit("/", 2)
    return "/".join(parts[-2:]) if len(parts) > 1 else reference


def codings(concept: Any) -> list[Json]:
    """The codings of a CodeableConcept. Raises UnreadableError where the shape is not FHIR's."""
    if concept is None:
        return []
    if not isinstance(concept, dict):
        raise UnreadableError("has a code that is not a CodeableConcept")
    found = concept.get("coding")
    if found is None:
        return []
    if not isinstance(found, list):
        raise UnreadableError("has a coding that is not a list of Codings")
    for coding in found:
        if not isinstance(coding, dict):
            raise UnreadableError("has a coding that is not a list of Codings")
    return found


def concept_keys(concept: Any) -> list[tuple[Key, bool]]:
    """The (system, code) pairs of a concept in standard systems, each with whether the system was left out."""
    keys = []
    for coding in codings(concept):
        code, system = coding.get("code"), coding.get("system")
        if isinstance(code, str) and (system is None or isinstance(system, str)):
            key = coding_key(system, code)
            if key:
                keys.append((key, not system))
        elif code is not None:
            raise UnreadableError("has a coding whose code or system is not text")
    return keys


def readable_keys(concept: Any) -> list[Key]:
    """The (system, code) pairs of a concept; one that cannot be read has none, and is still read by its words."""
    try:
        return [key for key, _ in concept_keys(concept)]
    except UnreadableError:
        return []


def concept_texts(concept: Any) -> list[str]:
    """What a concept says in words: its text, then the displays of its codings, each once, as far as they can be
    read."""
    if not isinstance(concept, dict):
        return []
    listed = concept.get("coding")
    displays = (
        [coding.get("display") for coding in listed if isinstance(coding, dict)] if isinstance(listed, list) else ()
    )
    return list(dict.fromkeys(text for text in (concept.get("text"), *displays) if isinstance(text, str) and text))


def concept_text(concept: Any) -> str:
    """All that a concept says in words, as one text."""
    return " ".join(concept_texts(concept))


class Quantity(NamedTuple):
    """A measured number as interval, the spellings of its unit (code, then text; "" for none), and the text to show."""

    interval: Interval
    units: tuple[str, ...]
    text: str


def quantity_of(part: Mapping[str, Any]) -> Quantity | None:
    """The number in value[x] of an Observation or component: Quantity (with comparator), Range, integer or plain text.

    None where there is no number.
    """
    if "valueQuantity" in part:
        return _from_quantity(object_of(part["valueQuantity"]))
    if "valueRange" in part:
        span = object_of(part["valueRange"])
        low, high = object_of(span.get("low") or {}), object_of(span.get("high") or {})
        first = number_of(low["value"]) if low.get("value") is not None else -inf
        last = number_of(high["value"]) if high.get("value") is not None else inf
        return Quantity((first, last), _spellings(low) or _spellings(high) or ("",), f"{first:g} to {last:g}")
    number: float | None = None
    if "valueInteger" in part:
        number = number_of(part["valueInteger"])
    elif "valueString" in part:
        number = _number_in(text_of(part["valueString"]))
    elif "valueCodeableConcept" in part:
        concept = object_of(part["valueCodeableConcept"])
        written = [concept.get("text"), *(coding.get("display") for coding in codings(concept))]
        number = next((n for text in written if isinstance(text, str) and (n := _number_in(text)) is not None), None)
    return None if number is None else Quantity((number, number), ("",), f"{number:g}")


def _from_quantity(quantity: Mapping[str, Any]) -> Quantity | None:
    if quantity.get("value") is None:
        return None
    number = number_of(quantity["value"])
    comparator = quantity.get("comparator")
    interval = {
        None: (number, number),
        "<": (-inf, nextafter(number, -inf)),
        "<=": (-inf, number),
        ">": (nextafter(number, inf), inf),
        ">=": (number, inf),
    }.get(comparator if comparator is None or isinstance(comparator, str) else "")
    if interval is None:
        raise UnreadableError("has a comparator that FHIR does not know")
    return Quantity(interval, _spellings(quantity) or ("",), f"{comparator or ''}{number:g}")


def _spellings(quantity: Mapping[str, Any]) -> tuple[str, ...]:
    """The unit's code, and its text where the code is not UCUM's and may be anything."""
    written = [quantity.get("code"), quantity.get("unit")]
    if written[0] is not None and quantity.get("system") == UCUM:
        del written[1]
    return tuple(bare for text in written if isinstance(text, str) and (bare := unit_spelling(text)))


def unit_spelling(text: str) -> str:
    """A unit without white space and capitals, so that "KG / M2" and "kg/m2" are one."""
    return "".join(text.lower().split())


def _number_in(text: str) -> float | None:
    try:
        return number_of(float(text))
    except (ValueError, UnreadableError):
        return None
