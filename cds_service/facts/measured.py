"""Measured values: Observations (FHIR R4) as readings of a fact, in its canonical unit."""

from datetime import date
from typing import NamedTuple

from cds_service.chart.chart import Chart, Match
from cds_service.chart.evidence_rules import judge, may_be_too_old, too_old_or_future
from cds_service.errors import UnreadableError
from cds_service.facts.attested_values import clipped
from cds_service.facts.evidence import ANYTHING, Reading, evidence_of, note_on
from cds_service.fhir.dates import Days
from cds_service.fhir.elements import days_of, first_of, object_of, quantity_of, text_of
from cds_service.fhir.types import TYPES
from cds_service.policy.model import FactRule

_ROW = TYPES["Observation"]


class Stale(NamedTuple):
    """A reading that is too old, too new, or whose date does not say."""

    when: Days
    why: str


def observed(rule: FactRule, match: Match, chart: Chart, today: date) -> Reading | Stale | str:
    """A reading, or the sentence why it is not evidence; an unreadable Observation is a reading of any value."""
    resource = match.record.resource
    when = Days(today, today, "")
    try:
        why_not, broken = _judged(rule, match, chart, today)
        if why_not is not None:
            return why_not
        written = first_of(resource, *_ROW.dates)
        if written is None and _ROW.period in resource:
            written = first_of(object_of(resource[_ROW.period]), "end", "start")
        if written is None and (written := first_of(resource, *_ROW.recorded)) is None:
            return "has no date"
        when = days_of(written)
        why_not = too_old_or_future(rule.look_back_days, text_of(written), today)
        if why_not:
            return Stale(when, why_not)
        doubt = may_be_too_old(rule.look_back_days, text_of(written), today)
        if broken:
            raise UnreadableError(broken)
        quantity = quantity_of(match.part)
    except UnreadableError:
        return Reading(when, (ANYTHING,), evidence_of(match, "unreadable", when.text or None))
    if quantity is None:
        return "has no numeric value"
    unit = next((spelling for spelling in quantity.units if spelling in rule.units), None)
    if unit is None:
        return f"{quantity.text} has no unit" if quantity.units == ("",) else f"{quantity.text} is in another unit"
    factors = rule.units[unit]
    possible = tuple(found for factor in factors if (found := clipped(quantity.interval, factor, rule.range)))
    if not possible:
        return f"{quantity.text} is outside {rule.range[0]:g} to {rule.range[1]:g}"
    shown = f"{quantity.text} {rule.unit if factors == (1.0,) else unit}".strip()
    return Reading(when, possible, evidence_of(match, shown, when.text), note_on(match, doubt) if doubt else "")


def _judged(rule: FactRule, match: Match, chart: Chart, today: date) -> tuple[str | None, str]:
    """Why an Observation does not count, or why that cannot be known: one of long ago does not count either way."""
    try:
        return judge(rule, match, chart, today).why_not, ""
    except UnreadableError as error:
        return None, str(error)
