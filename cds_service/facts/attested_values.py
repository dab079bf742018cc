"""Possible values of attested answers, and facts from readings: the newest ones, or the reduction between two
numbers."""

import re
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

from cds_service.errors import UnreadableError
from cds_service.facts.evidence import ANYTHING, Fact, Reading, Value, newest
from cds_service.fhir.elements import (
    Interval,
    first_of,
    number_of,
    object_of,
    quantity_of,
    text_of,
    unit_spelling,
)
from cds_service.fhir.terminology import LOINC, SNOMED, canonical_system
from cds_service.policy.model import FactRule

# Reads an answer of a form as its possible values and the text to show; raises UnreadableError.
AnswerReader = Callable[[Mapping[str, Any]], tuple[tuple[Value, ...], str]]
# "75", "75%", "70-80%", "70 to 80%"; longer text is not a percentage and is not searched.
_PERCENTAGE = re.compile(r"\s*(\d{1,3}(?:\.\d+)?)\s*%?\s*(?:(?:-|\u2013|to)\s*(\d{1,3}(?:\.\d+)?)\s*%?\s*)?")
LONGEST_PERCENTAGE = 60
_YES_NO_TABLE = "http://terminology.hl7.org/CodeSystem/v2-0136"
# Codings that mean yes and no: HL7 table 0136, SNOMED CT's qualifiers, and LOINC's answers.
YES_OR_NO = {
    (_YES_NO_TABLE, "Y"): True,
    (_YES_NO_TABLE, "N"): False,
    ("http://hl7.org/fhir/v2/0136", "Y"): True,
    ("http://hl7.org/fhir/v2/0136", "N"): False,
    (SNOMED, "373066001"): True,
    (SNOMED, "373067005"): False,
    (LOINC, "LA33-6"): True,
    (LOINC, "LA32-8"): False,
}
# A reduction compares at most this many different values of each of its two numbers.
MOST_VALUES = 10


def from_newest(rule: FactRule, readings: list[Reading], notes: list[str]) -> Fact:
    """A fact from its newest readings; open if each reading may be too old to count."""
    latest = newest(readings)
    values = tuple(value for reading in latest for value in reading.values)
    is_open = bool(readings) and all(reading.doubt for reading in readings)
    notes = [*notes, *(reading.doubt for reading in latest)] if is_open else notes
    return Fact(rule, values, tuple(reading.evidence for reading in latest), tuple(notes), open=is_open)


def attested_yes_or_no(answer: Mapping[str, Any]) -> tuple[tuple[Value, ...], str]:
    """The value of a yes/no answer, as a boolean or as a coding. Raises UnreadableError."""
    value = answer.get("valueBoolean")
    if value is None and "valueCoding" in answer:
        coding = object_of(answer["valueCoding"])
        system, code = text_of(coding.get("system")), text_of(coding.get("code"))
        value = YES_OR_NO.get((canonical_system(system.partition("|")[0]), code.strip().upper()))
    if not isinstance(value, bool):
        raise UnreadableError("is not yes or no")
    return (value,), "yes" if value else "no"


def attested_number(rule: FactRule, answer: Mapping[str, Any]) -> tuple[tuple[Value, ...], str]:
    """The value of an answer that is a number, or a Quantity in a unit of the rule.

    Raises UnreadableError if it is not a number, is in another unit, or is outside the rule's range.
    """
    if "valueQuantity" in answer:
        return _quantity(rule, answer)
    number = number_of(first_of(answer, "valueDecimal", "valueInteger"))
    if not rule.range[0] <= number <= rule.range[1]:
        raise UnreadableError(f"is outside {rule.range[0]:g} to {rule.range[1]:g}")
    return ((number, number),), f"{number:g} {rule.unit}".strip()


def _quantity(rule: FactRule, answer: Mapping[str, Any]) -> tuple[tuple[Value, ...], str]:
    quantity = quantity_of(answer)
    if quantity is None:
        raise UnreadableError("has no number")
    # A Quantity without a unit is in the unit of the item, like an answer that is a plain number.
    units = {**rule.units, unit_spelling(rule.unit): (1.0,), "": (1.0,)}
    unit = next((spelling for spelling in quantity.units if spelling in units), None)
    if unit is None:
        raise UnreadableError(f"{quantity.text} is in another unit")
    possible = tuple(found for factor in units[unit] if (found := clipped(quantity.interval, factor, rule.range)))
    if not possible:
        raise UnreadableError(f"is outside {rule.range[0]:g} to {rule.range[1]:g}")
    return possible, f"{quantity.text} {rule.unit if units[unit] == (1.0,) else unit}".strip()


def clipped(interval: Interval, factor: float, bounds: Interval) -> Interval | None:
    """A number converted to another unit and clipped to its bounds; None if it is outside."""
    low, high = interval[0] * factor, interval[1] * factor
    if low == high:
        low = high = round(low, 9)
        return (low, high) if bounds[0] <= low <= bounds[1] else None
    low, high = max(low, bounds[0]), min(high, bounds[1])
    return (low, high) if low <= high else None


def attested_percentage(rule: FactRule, answer: Mapping[str, Any]) -> tuple[tuple[Value, ...], str]:
    """The value of an answer that is a percentage: a number, or text such as "70-80%". Raises UnreadableError."""
    if "valueString" not in answer:
        return attested_number(rule, answer)
    text = text_of(answer["valueString"])
    found = _PERCENTAGE.fullmatch(text) if len(text) <= LONGEST_PERCENTAGE else None
    if found is None:
        raise UnreadableError("is not a percentage")
    low = float(found[1])
    high = float(found[2] or found[1])
    if low > high or high > 100:
        raise UnreadableError("is not a percentage")
    return ((low, high),), f"{low:g} %" if low == high else f"{low:g} to {high:g} %"


def reduction(rule: FactRule, known: Mapping[str, Fact], stated: list[Reading], notes: list[str]) -> Fact:
    """The reduction of a number in percent, from two facts and from attested answers; never rounded.

    A number with several possible values gives an interval. From zero, or from an unreadable number, no reduction can
    be computed: it may have any value, so neither another value of that day nor an answer settles it.
    """
    before, after = known[rule.start], known[rule.end]
    shares = [_share(first, second) for first, second in product(_few(before.values), _few(after.values))]
    if None in shares:
        notes = [*notes, f"{before.rule.title} leaves no percentage to compute"]
    said = from_newest(rule, stated, notes)
    computed = tuple(ANYTHING if share is None else share for share in shares)
    evidence = (before.evidence + after.evidence) if any(share is not None for share in shares) else ()
    return Fact(rule, computed + said.values, evidence + said.evidence, tuple(dict.fromkeys(notes)))


def _few(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Each different value once; if there are too many, the one interval that covers all of them."""
    different = tuple(dict.fromkeys(values))
    if len(different) <= MOST_VALUES:
        return different
    numbers = [value for value in different if isinstance(value, tuple)]
    return ((min(low for low, _ in numbers), max(high for _, high in numbers)),)


def _share(first: Value, second: Value) -> Interval | None:
    if isinstance(first, bool) or isinstance(second, bool) or ANYTHING in (first, second) or first[0] <= 0:
        return None
    low, high = 1 - second[1] / first[0], 1 - second[0] / first[1]
    # Nine digits are far finer than any score, and binary fractions are not exact.
    return round(low * 100, 9), round(high * 100, 9)
