"""FHIR dates as intervals of days, ages, and the shifting of examples."""

from datetime import date, timedelta

import pytest

from cds_service.errors import UnreadableError
from cds_service.fhir.dates import day_before, days, is_future, shift, years_after, years_between
from tests.charts import named

TODAY = date(2026, 3, 15)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    named(
        ("a year is all its days", "2024", date(2024, 1, 1), date(2024, 12, 31)),
        ("a month is all its days", "2024-03", date(2024, 3, 1), date(2024, 3, 31)),
        ("February of a leap year", "2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("February of a common year", "2025-02", date(2025, 2, 1), date(2025, 2, 28)),
        ("a day", "2024-03-09", date(2024, 3, 9), date(2024, 3, 9)),
        ("a moment in UTC", "2024-03-09T23:59:59Z", date(2024, 3, 9), date(2024, 3, 9)),
        ("the day of a moment is the local one", "2024-03-09T23:30:00-05:00", date(2024, 3, 9), date(2024, 3, 9)),
        ("a moment with fractions", "2024-03-09T10:00:00.123+11:00", date(2024, 3, 9), date(2024, 3, 9)),
    ),
)
def test_a_date_is_every_day_that_it_may_mean(text, first, last):
    assert days(text)[:2] == (first, last)


@pytest.mark.parametrize("text", ["2024", "2024-03", "2024-03-09"])
def test_a_date_is_shown_as_written(text):
    assert days(text).text == text


def test_a_moment_is_shown_as_its_day():
    assert days("2024-03-09T10:00:00Z").text == "2024-03-09"


@pytest.mark.parametrize(
    "text",
    named(
        ("nothing", ""),
        ("words", "last spring"),
        ("a month that does not exist", "2024-13"),
        ("a day that does not exist", "2023-02-29"),
        ("year nought", "0000"),
        ("American order", "03/09/2024"),
        ("without dashes", "20240309"),
        ("a space for the T", "2024-03-09 10:00"),
        ("a week of ISO 8601, which FHIR does not have", "2024-W01-1"),
        ("an ordinal day of ISO 8601, which FHIR does not have", "2024-123"),
        ("a signed year", "+202"),
        ("a signed month", "2024-+3"),
        ("digits with an underscore", "2_24"),
        ("digits of another script", "\u0662\u0660\u0662\u0664"),
    ),
)
def test_what_is_no_fhir_date_is_refused(text):
    with pytest.raises(UnreadableError):
        days(text)


@pytest.mark.parametrize(
    ("text", "future"),
    named(
        ("yesterday", "2026-03-14", False),
        ("today", "2026-03-15", False),
        ("tomorrow, which has begun at UTC+14", "2026-03-16", False),
        ("the day after tomorrow", "2026-03-17", True),
        ("this month has begun", "2026-03", False),
        ("next month", "2026-04", True),
        ("this year has begun", "2026", False),
        ("next year", "2027", True),
        ("tomorrow in Sydney is still today in UTC", "2026-03-16T08:00:00+11:00", False),
        ("tomorrow in Sydney, later than midnight in UTC", "2026-03-16T12:00:00+11:00", True),
        ("tomorrow without an offset", "2026-03-16T08:00:00", True),
        ("tomorrow at an hour that does not exist", "2026-03-16T99:00:00Z", True),
        ("the last moment that a calendar knows", "9999-12-31T23:59:59-05:00", True),
    ),
)
def test_the_future_begins_after_today(text, future):
    assert is_future(text, TODAY) is future


@pytest.mark.parametrize(
    ("born", "today", "years"),
    named(
        ("the day before the birthday", date(2000, 3, 16), TODAY, 25),
        ("on the birthday", date(2000, 3, 15), TODAY, 26),
        ("born on 29 February, on 28 February", date(2004, 2, 29), date(2026, 2, 28), 21),
        ("born on 29 February, on 1 March", date(2004, 2, 29), date(2026, 3, 1), 22),
        ("born on 29 February, in a leap year", date(2004, 2, 29), date(2028, 2, 29), 24),
        ("born today", TODAY, TODAY, 0),
    ),
)
def test_age_in_completed_years(born, today, years):
    assert years_between(born, today) == years


def test_years_after_a_leap_day():
    assert years_after(date(2004, 2, 29), 4) == date(2008, 2, 29)
    assert years_after(date(2004, 2, 29), 1) == date(2005, 3, 1)


def test_days_before():
    assert day_before(date(2026, 3, 1), 1) == date(2026, 2, 28)
    assert day_before(date(2026, 3, 15), 365) == date(2025, 3, 15)


def test_days_before_the_first_day_of_the_calendar():
    assert day_before(date(2026, 3, 15), 10_000_000) == date(1, 1, 1)


@pytest.mark.parametrize(
    ("text", "by", "moved"),
    named(
        ("a day", "2026-02-28", 1, "2026-03-01"),
        ("backwards", "2026-03-01", -1, "2026-02-28"),
        ("a moment keeps its time and offset", "2026-02-28T10:15:00-05:00", 1, "2026-03-01T10:15:00-05:00"),
        ("a month moves by its middle", "2026-01", 31, "2026-02"),
        ("a month stays where its middle stays", "2026-01", 10, "2026-01"),
        ("a year moves by its middle", "2025", 365, "2026"),
        ("a year stays where its middle stays", "2025", 30, "2025"),
    ),
)
def test_shifting_keeps_the_precision(text, by, moved):
    assert shift(text, timedelta(days=by)) == moved
