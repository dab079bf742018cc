"""Strict readers of FHIR R4 elements: the value, or UnreadableError if the JSON does not have FHIR's shape."""

import re
from collections.abc import Mapping
from math import inf, isfinite, nextafter
from typing import Any, NamedTuple

from cds_service.errors import UnreadableError
from cds_service.fhir.dates import Days, days
from cds_service.fhir.terminology import (
    canonical_code,
    canonical_system,
    is_standard,
    system_of_code,
    system_of_shape,
)

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
    """An element that may repeat: null gives an empty list, a single value a list of one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def text_of(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise UnreadableError("has a part that is not text")
    return value


def number_of(value: Any) -> float:
    """A finite number; booleans are not numbers."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value):
            return value
    except OverflowError:
        pass
    raise UnreadableError("has a value that is not a number")


def days_of(value: Any) -> Days:
    """A FHIR date, dateTime or instant as an interval of days."""
    return days(text_of(value))


def first_of(resource: Mapping[str, Any], *names: str) -> Any:
    """The first of several elements that is present, or None."""
    for name in names:
        found = resource.get(name)
        if found is not None:
            return found
    return None


def status_of(concept: Any) -> str | None:
    """The code of a status CodeableConcept; a bare string, which some servers send, counts as the code."""
    if concept is None or isinstance(concept, str):
        return concept
    for coding in codings(concept):
        code = coding.get("code")
        if isinstance(code, str):
            return code
    text = concept.get("text")
    return text.lower() if isinstance(text, str) else None


def coding_key(system: str | None, code: str) -> Key | None:
    """Canonical (system, code) of a coding in a standard system; without a system, the code's shape decides. None for
    others."""
    if system:
        system = canonical_system(system)
        if not is_standard(system):
            return None
        code = canonical_code(system, code)
        return system_of_code(system, code), code
    shaped = system_of_shape(canonical_code("", code))
    return (shaped, canonical_code(shaped, code)) if shaped else None


def relative(reference: str) -> str:
    """``Type/id`` of a literal reference without server address and version; other forms come back unchanged."""
    parts = reference.partition("/_history/")[0].rsplit("/", 2)
    return "/".join(parts[-2:]) if len(parts) > 1 else reference


def codings(concept: Any) -> list[Json]:
    """The codings of a CodeableConcept. Raises UnreadableError if the concept does not have FHIR's shape."""
    if concept is None:
        return []
    if not isinstance(concept, dict):
        raise UnreadableError("has a code that is not a CodeableConcept")
    found = concept.get("coding")
    if found is None:
        return []
    if isinstance(found, list):
        for coding in found:
            if not isinstance(coding, dict):
                break
        else:
            return found
    raise UnreadableError("has a coding that is not a list of Codings")


def concept_keys(concept: Any) -> list[tuple[Key, bool]]:
    """The (system, code) pairs of a concept in standard systems, each with whether its coding has no system.

    Raises UnreadableError if a coding does not have FHIR's shape.
    """
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
    """The (system, code) pairs of a concept; empty if the concept is unreadable, because its words still count."""
    try:
        return [key for key, _ in concept_keys(concept)]
    except UnreadableError:
        return []


def concept_texts(concept: Any) -> list[str]:
    """The readable words of a concept: its text, then the displays of its codings, each once."""
    if not isinstance(concept, dict):
        return []
    said, listed = concept.get("text"), concept.get("coding")
    found = [said] if isinstance(said, str) and said else []
    if not isinstance(listed, list):
        return found
    for coding in listed:
        display = coding.get("display") if isinstance(coding, dict) else None
        if isinstance(display, str) and display:
            found.append(display)
    return found if len(found) < 2 else list(dict.fromkeys(found))


def concept_text(concept: Any) -> str:
    """All words of a concept, as one text."""
    return " ".join(concept_texts(concept))


def concept_label(concept: Any) -> str:
    """The name of a concept in the chart's own words: its text, or else the first display of its codings."""
    if not isinstance(concept, dict):
        return ""
    listed = concept.get("coding")
    displays = [item.get("display") for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return next((said for said in (concept.get("text"), *displays) if isinstance(said, str) and said.strip()), "")


class Quantity(NamedTuple):
    """A measured number as interval, its unit as written (code, then text; "" for none), and the text to show.

    ``coded``: the code is UCUM's, so text beside it must agree with the code.
    """

    interval: Interval
    units: tuple[str, ...]
    text: str
    coded: bool = False


# A number as people type it: "7", "7/10", "6-7 out of 10", "44%", "28.4 kg/m2"; longer text is not searched.
_TYPED = re.compile(
    r"(?P<low>\d{1,4}(?:\.\d{1,4})?)(?:\s*(?:-|\u2013|to)\s*(?P<high>\d{1,4}(?:\.\d{1,4})?))?"
    r"\s*(?P<unit>(?:(?:/|out of|of)\s*\d{1,3})|[a-z%\[][a-z0-9%/^()\[\]_. \u00b2]{0,20})?",
    re.IGNORECASE,
)
LONGEST_TYPED = 40


def quantity_of(part: Mapping[str, Any]) -> Quantity | None:
    """The number in value[x] of an Observation or component: Quantity (with comparator), Range, integer or typed text.

    None if there is no number.
    """
    if "valueQuantity" in part:
        return _from_quantity(object_of(part["valueQuantity"]))
    if "valueRange" in part:
        span = object_of(part["valueRange"])
        low, high = object_of(span.get("low") or {}), object_of(span.get("high") or {})
        first = number_of(low["value"]) if low.get("value") is not None else -inf
        last = number_of(high["value"]) if high.get("value") is not None else inf
        return Quantity((first, last), _spellings(low) or _spellings(high) or ("",), f"{first:g} to {last:g}")
    if "valueInteger" in part:
        number = number_of(part["valueInteger"])
        return Quantity((number, number), ("",), f"{number:g}")
    if "valueString" in part:
        return typed_quantity(text_of(part["valueString"]))
    if "valueCodeableConcept" in part:
        concept = object_of(part["valueCodeableConcept"])
        written = [concept.get("text"), *(coding.get("display") for coding in codings(concept))]
        typed = (typed_quantity(text) for text in written if isinstance(text, str))
        return next((quantity for quantity in typed if quantity is not None), None)
    return None


def has_value(part: Mapping[str, Any]) -> bool:
    """Whether an Observation or component has any value[x]."""
    return any(part[name] is not None for name in part if name.startswith("value"))


def typed_quantity(text: str) -> Quantity | None:
    """A number that somebody typed as text, with the rest of the text as its unit ("7/10"); None if it is not a
    number."""
    found = _TYPED.fullmatch(text.strip()) if len(text) <= LONGEST_TYPED else None
    if found is None:
        number = _number_in(text)
        return None if number is None else Quantity((number, number), ("",), f"{number:g}")
    low = float(found["low"])
    high = float(found["high"] or low)
    if high < low:
        return None
    shown = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return Quantity((low, high), (unit_spelling(found["unit"] or ""),), shown)


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
    shown = f"{comparator or ''}{number:g}"
    coded = quantity.get("system") == UCUM and isinstance(quantity.get("code"), str)
    return Quantity(interval, _spellings(quantity) or ("",), shown, coded)


def _spellings(quantity: Mapping[str, Any]) -> tuple[str, ...]:
    """The unit's code and its text, if present."""
    written = [quantity.get("code"), quantity.get("unit")]
    return tuple(dict.fromkeys(bare for text in written if isinstance(text, str) and (bare := unit_spelling(text))))


_POWERS = (("\u00b2", "2"), ("**2", "2"), ("^2", "2"), ("(m2)", "m2"))
# A scale given by its ends or its upper end: "{0-10}", "(0-10)", "out of 10", "/ 10".
_SCALE = re.compile(r"[{(]?(?:0-|0to|/|outof|of)(\d{1,3})(?:scale)?[)}]?")


def unit_spelling(text: str) -> str:
    """A unit in lower case, without white space, in one spelling: for "KG / M2" and "kg/(m^2)", or "{0-10}" and
    "/10"."""
    spelled = "".join(text.lower().split())
    for written, usual in _POWERS:
        spelled = spelled.replace(written, usual)
    scale = _SCALE.fullmatch(spelled)
    return f"/{scale[1]}" if scale else spelled


# Units that a number may have by mistake, in the spelling of ``unit_spelling``.
UNITS = frozenset(
    (
        *("kg", "g", "mg", "lb", "lbs", "[lb_av]", "oz", "[oz_av]", "m", "cm", "mm", "in", "[in_i]", "ft", "[ft_i]"),
        *("%", "kg/m2", "mm[hg]", "mmhg", "cel", "[degf]", "/min", "h", "d", "wk", "mo", "a"),
    )
)


def is_annotation(unit: str) -> bool:
    """Whether a unit is only an annotation ("{score}"), which is not a unit (UCUM, section 6.3)."""
    return unit.startswith("{") and unit.find("}") == len(unit) - 1


def _number_in(text: str) -> float | None:
    try:
        return number_of(float(text))
    except (ValueError, UnreadableError):
        return None
