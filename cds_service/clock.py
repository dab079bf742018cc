"""The current day, and deadlines; light enough for every command to import."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime


def utc_today() -> date:
    """Today's date, in UTC."""
    return datetime.now(UTC).date()


class Deadline:
    """Ends ``seconds`` after ``start``, or after now; ``clock`` counts seconds and never runs backwards."""

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic, *, start: float | None = None
    ) -> None:
        self._clock = clock
        self._end = (clock() if start is None else start) + seconds

    def left(self) -> float:
        """The seconds left, never below 0."""
        return max(0.0, self._end - self._clock())

    def earlier(self, seconds: float) -> "Deadline":
        """A deadline that ends ``seconds`` earlier, which leaves time for work after it."""
        return Deadline(-seconds, self._clock, start=self._end)
