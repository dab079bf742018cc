"""FHIR dates as intervals of days: a partial date (2024, 2024-03) covers every day that it may mean."""

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from cds_service.errors import UnreadableError

LONGEST_MONTH = 31


class Days(NamedTuple):
    """An interval of days, both ends included, and its text to show."""

    first: date
    last: date
    text: str


# No time of day is longer; without this bound, the cache below would keep longer texts.
_FHIR_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T.{0,40})?)?)?")


@lru_cache(maxsize=4096)
def days(text: str) -> Days:
    """Reads a FHIR date, dateTime or instant (FHIR R4 datatypes, section 2.24.0.1).

    Drops the time of day: the day is the one written at the place of care. Raises UnreadableError if the text is not a
    FHIR date.
    """
    if _FHIR_DATE.fullmatch(text):
        try:
            if len(text) == 4:
                year = int(text)
                return Days(date(year, 1, 1), date(year, 12, 31), text)
            if len(text) == 7:
                year, month = int(text[:4]), int(text[5:])
                return Days(date(year, month, 1), date(year, month, monthrange(year, month)[1]), text)
            day = date.fromisoformat(text[:10])
            return Days(day, day, text[:10])
        except ValueError:
            pass
    raise UnreadableError("is not a FHIR date")


def is_future(text: str, today: date) -> bool:
    """Whether a FHIR date is wholly after today (a UTC day).

    A time with an offset is compared in UTC; a day without a time as in ``is_future_day``.
    """
    first = days(text).first
    if first <= today:
        return False
    if len(text) > 10:
        try:
            moment = datetime.fromisoformat(text)
            return moment.tzinfo is None or moment.astimezone(UTC).date() > today
        except (ValueError, OverflowError):
            return True
    return is_future_day(first, today)


def is_future_day(day: date, today: date) -> bool:
    """Whether a day without a time is after today (a UTC day).

    The day is local to the place of care, and somewhere on earth tomorrow may have begun (UTC+14), so only a later day
    is in the future.
    """
    return (day - today).days > 1


def years_between(born: date, today: date) -> int:
    """Completed years of age; someone born on 29 February turns older on 1 March in common years."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def years_after(day: date, years: int) -> date:
    """The same calendar day ``years`` years later (29 February becomes 1 March), at most Python's last day."""
    if day.year + years > date.max.year:
        return date.max
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def months_between(start: date, end: date) -> float:
    """Calendar months from one day to a later one: the completed months, and the days of the started month as 31sts.

    A month is complete on the same day of a later month, or on the last day of a month that does not have that day, as
    in the date arithmetic of FHIRPath and CQL.
    """
    completed = (end.year - start.year) * 12 + end.month - start.month
    reached = _months_later(start, completed)
    if reached > end:
        completed -= 1
        reached = _months_later(start, completed)
    return completed + (end - reached).days / LONGEST_MONTH


def _months_later(start: date, months: int) -> date:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def day_before(day: date, count: int) -> date:
    """The day ``count`` days earlier, but not before Python's first day."""
    return date.fromordinal(max(1, day.toordinal() - count))


def shift(text: str, by: timedelta) -> str:
    """Moves a FHIR date by whole days and keeps its precision and its time of day.

    A partial date moves by its midpoint, so a year or a month stays about as long ago as before.
    """
    span = days(text)
    middle = span.first + (span.last - span.first) / 2
    moved = (middle if span.first != span.last else span.first) + by
    return moved.isoformat()[: min(len(text), 10)] + text[10:]
