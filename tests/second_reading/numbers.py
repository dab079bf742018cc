"""Numbers and their units: what a value may be, in the unit of a fact."""

import re
from math import inf, nextafter

from tests.second_reading.codes import UnreadableError
from tests.second_reading.page import KNOWN_UNITS, Json

TYPED = re.compile(
    r"(\d{1,4}(?:\.\d{1,4})?)(?:\s*(?:-|–|to)\s*(\d{1,4}(?:\.\d{1,4})?))?"
    r"\s*((?:/|out of|of)\s*\d{1,3}|[a-zA-Z%\[][^,;]{0,20})?"
)
ANY = (-inf, inf)
Value = bool | tuple[float, float]


def spell(unit: str) -> str:
    spelled = (
        "".join(unit.lower().split()).replace("²", "2").replace("**2", "2").replace("^2", "2").replace("(m2)", "m2")
    )
    scale = re.fullmatch(r"[{(]?(?:0-|0to|/|outof|of)(\d{1,3})(?:scale)?[)}]?", spelled)
    return f"/{scale[1]}" if scale else spelled


def quantity(part: Json) -> tuple[tuple[float, float], list[str]]:
    """The number of a value as an interval, and its unit as the code and the text say it."""
    if "valueQuantity" in part:
        value = part["valueQuantity"].get("value")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UnreadableError
        ends = {
            None: (value, value),
            "<": (-inf, nextafter(value, -inf)),
            "<=": (-inf, value),
            ">": (nextafter(value, inf), inf),
            ">=": (value, inf),
        }.get(part["valueQuantity"].get("comparator"))
        if ends is None:
            raise UnreadableError
        written = [part["valueQuantity"].get(name) for name in ("code", "unit")]
        return ends, list(dict.fromkeys(spell(unit) for unit in written if isinstance(unit, str) and spell(unit))) or [
            ""
        ]
    if "valueInteger" in part:
        return (part["valueInteger"],) * 2, [""]
    if "valueString" in part:
        found = TYPED.fullmatch(part["valueString"].strip())
        if found is None or float(found[2] or found[1]) < float(found[1]):
            raise UnreadableError
        return (float(found[1]), float(found[2] or found[1])), [spell(found[3] or "")]
    raise UnreadableError


def scaled(value: tuple[float, float], factors: list[float], bounds: tuple[float, float]) -> tuple[Value, ...]:
    possible: list[Value] = []
    for factor in factors:
        low, high = value[0] * factor, value[1] * factor
        if low == high:
            low = high = round(low, 9)
        low, high = (low, high) if low == high else (max(low, bounds[0]), min(high, bounds[1]))
        if low <= high and bounds[0] <= low and high <= bounds[1]:
            possible.append((low, high))
    return tuple(possible)


def in_unit(rule: Json, part: Json) -> tuple[Value, ...]:
    """The possible values of an Observation's number. Raises UnreadableError."""
    value, units = quantity(part)
    table = {spell(unit): factors for unit, factors in rule["units"].items()}
    accepted = {}
    for unit in units:
        annotation = unit.startswith("{") and unit.find("}") == len(unit) - 1
        factors = table.get(unit, table.get("{score}") if annotation else None)
        if factors is not None:
            accepted[unit] = factors
    others = [unit for unit in units if unit not in accepted]
    coded = part.get("valueQuantity", {}).get("system") == "http://unitsofmeasure.org" and units[0] in others
    if not accepted or coded or set(others) & KNOWN_UNITS:
        raise UnreadableError
    factors = min(accepted.values(), key=len)
    if not all(set(factors) <= set(more) for more in accepted.values()):
        raise UnreadableError
    possible = scaled(value, factors, tuple(rule["range"]))
    if not possible:
        raise UnreadableError
    return possible
