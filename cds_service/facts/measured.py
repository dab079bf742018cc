"""Measured values: Observations (FHIR R4) as readings of a fact, in its canonical unit."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from cds_service.chart.chart import Chart
from cds_service.chart.evidence_rules import judge, may_be_too_old, too_old_or_future
from cds_service.chart.records import Match
from cds_service.chart.sites import points_at
from cds_service.errors import UnreadableError
from cds_service.facts.attested_values import clipped
from cds_service.facts.evidence import ANYTHING, Reading, evidence_of, note_on
from cds_service.fhir.dates import Days
from cds_service.fhir.elements import (
    UNITS,
    Interval,
    Json,
    Quantity,
    days_of,
    first_of,
    has_value,
    is_annotation,
    object_of,
    quantity_of,
    text_of,
)
from cds_service.fhir.types import TYPES
from cds_service.policy.codes import CodeSet
from cds_service.policy.model import FactRule

_ROW = TYPES["Observation"]


class Stale(NamedTuple):
    """A reading that is too old or in the future, and why."""

    when: Days
    why: str


class Unread(NamedTuple):
    """A measurement that was sent but cannot be determined: a reading of any value, and why."""

    reading: Reading
    why: str


class Measure(NamedTuple):
    """What to measure: the unit to show, the units to read (``FactRule.units``), the possible range, and the body
    site."""

    unit: str
    units: Mapping[str, tuple[float, ...]]
    range: Interval
    site: CodeSet | None = None


def observed(
    rule: FactRule, match: Match, chart: Chart, today: date, measure: Measure, found_by: CodeSet | None = None
) -> Reading | Stale | Unread | str:
    """A reading, possibly stale or with any value; or a sentence that says why the Observation is not evidence.

    ``found_by`` is the code set that found the record, if that is not the fact's ``codes``.
    """
    resource = match.record.resource
    when = None
    try:
        why_not, broken = _judged(rule, match, chart, today, found_by)
        if why_not is not None:
            return why_not
        written = _written_date(resource)
        doubt = None
        if written is not None:
            when = days_of(written)
            why_not = too_old_or_future(rule.look_back_days, text_of(written), today)
            if why_not:
                return Stale(when, why_not)
            doubt = may_be_too_old(rule.look_back_days, text_of(written), today)
        if broken:
            raise UnreadableError(broken)
        if measure.site and chart.told(points_at, resource, measure.site, chart) is False:
            return "is of another body site"
        if not has_value(match.element):
            return "has no value"
        quantity = quantity_of(match.element)
    except UnreadableError:
        return _unread(match, when or _any_day(today), "unreadable", f"{match.record.reference} cannot be read")
    when = when or _any_day(today)
    if quantity is None:
        return _unread(match, when, "unreadable", "has no numeric value")
    found = _in_unit(measure, quantity)
    if isinstance(found, str):
        return _unread(match, when, quantity.text, f"{quantity.text} {found}")
    unit, factors = found
    possible = tuple(span for factor in factors if (span := clipped(quantity.interval, factor, measure.range)))
    if not possible:
        outside = f"{quantity.text} is outside {measure.range[0]:g} to {measure.range[1]:g}"
        return _unread(match, when, quantity.text, outside)
    shown = f"{quantity.text} {measure.unit if factors == (1.0,) else unit}".strip()
    if written is None:
        return _unread(match, when, shown, "has no date")
    return Reading(when, possible, evidence_of(match, shown, when.text), note_on(match, doubt) if doubt else "")


def _any_day(today: date) -> Days:
    """The possible days of an undated Observation, which may be the newest of all."""
    return Days(date.min, today, "")


def _judged(
    rule: FactRule, match: Match, chart: Chart, today: date, found_by: CodeSet | None
) -> tuple[str | None, str]:
    """Why an Observation does not count, or why that cannot be known; one that is too old does not count either way."""
    try:
        return judge(rule, match, chart, today, wherever=True, found_by=found_by).why_not, ""
    except UnreadableError as error:
        return None, str(error)


def _written_date(resource: Json) -> Any:
    """The date of an Observation as written, or None if it has none."""
    written = first_of(resource, *_ROW.dates)
    if written is None and _ROW.period in resource:
        written = first_of(object_of(resource[_ROW.period]), "end", "start")
    return first_of(resource, *_ROW.recorded) if written is None else written


def _unread(match: Match, when: Days, shown: str, why: str) -> Unread:
    return Unread(Reading(when, (ANYTHING,), evidence_of(match, shown, when.text or None)), why)


def _in_unit(measure: Measure, quantity: Quantity) -> tuple[str, tuple[float, ...]] | str:
    """The accepted unit with its factors, or what is wrong with the unit."""
    accepted = {unit: factors for unit in quantity.units if (factors := _factors(measure, unit)) is not None}
    if not accepted:
        return "has no unit" if quantity.units == ("",) else "is in another unit"
    others = [unit for unit in quantity.units if unit not in accepted]
    # Text beside a code may be anything ("BMI"); if the text is a unit, it must agree with the code.
    misnamed = any(unit in UNITS for unit in others) or (quantity.coded and quantity.units[0] in others)
    # "{score}" leaves open what "%" settles.
    unit, factors = min(accepted.items(), key=lambda pair: len(pair[1]))
    if misnamed or not all(set(factors) <= set(more) for more in accepted.values()):
        return f"has two units, {' and '.join(quantity.units)}"
    return unit, factors


def _factors(measure: Measure, unit: str) -> tuple[float, ...] | None:
    found = measure.units.get(unit)
    return measure.units.get("{score}") if found is None and is_annotation(unit) else found
