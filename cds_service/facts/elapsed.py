"""The time between two dates, each of which may be one of several days."""

from datetime import date

from cds_service.fhir.dates import Days, months_between
from cds_service.fhir.elements import Interval
from cds_service.policy.model import FactRule


def elapsed(rule: FactRule, start: Days, end: date, earliest_end: date | None = None) -> Interval:
    """The least and the most time from a start to an end, each of which may be one of several days, in the rule's
    unit."""
    least_end = earliest_end or end
    low_start, high_start = min(start.last, least_end), min(start.first, end)
    if rule.in_months:
        return months_between(low_start, least_end), months_between(high_start, end)
    return (least_end - low_start).days, (end - high_start).days
