"""The moment by which something must be over, whatever others do."""

import time
from collections.abc import Callable


class Deadline:
    """Ends ``seconds`` after it was made; ``clock`` counts seconds and never runs backwards."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """The seconds that are left, never below 0."""
        return max(0.0, self._end - self._clock())
