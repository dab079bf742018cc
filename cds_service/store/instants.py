"""Instants in the store's format: text in UTC with microseconds, which sorts by time."""

from datetime import UTC, date, datetime, time, timedelta


def text_of(instant: datetime) -> str:
    """An instant as text, such as ``2026-11-25T10:00:00.000000Z``; ``instant`` has a time zone."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def instant_of(text: str) -> datetime:
    """The instant of a text in that format."""
    return datetime.fromisoformat(text)


def bounds(since: date | None, until: date | None) -> tuple[str, str]:
    """The first text of some UTC days and the first text after them, both days included; None for no limit."""
    last = datetime.combine(until, time(tzinfo=UTC)) + timedelta(days=1) if until and until < date.max else None
    return (text_of(datetime.combine(since, time(tzinfo=UTC))) if since else "", text_of(last) if last else "~")
