"""Instants as the store keeps them: text in UTC to the microsecond, in the order of time."""

from datetime import UTC, date, datetime, time, timedelta


def text_of(instant: datetime) -> str:
    """Such as ``2026-11-25T10:00:00.000000Z``; ``instant`` has a time zone."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def instant_of(text: str) -> datetime:
    """The instant of a text of that form."""
    return datetime.fromisoformat(text)


def bounds(since: date | None, until: date | None) -> tuple[str, str]:
    """The first text and the first beyond the last of some UTC days, both days included; None is any."""
    last = datetime.combine(until, time(tzinfo=UTC)) + timedelta(days=1) if until and until < date.max else None
    return (text_of(datetime.combine(since, time(tzinfo=UTC))) if since else "", text_of(last) if last else "~")
