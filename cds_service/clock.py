"""The day it is: the one place that asks the clock for it, and light enough for every command."""

from datetime import UTC, date, datetime


def utc_today() -> date:
    """The day it is now, in UTC."""
    return datetime.now(UTC).date()
