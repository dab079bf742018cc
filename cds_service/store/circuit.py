"""Whether calls may wait for the store: otherwise all threads of the worker would follow one that waits in vain."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cds_service.store.failures import StoreError

# A failure that took longer kept a call waiting; others come at once, and hold nobody.
SECONDS_IN_VAIN = 0.5
SECONDS_OPEN = 2.0


class Circuit:
    """Open for ``SECONDS_OPEN`` after a wait in vain: then calls are refused at once, and after it one tries first.

    ``shown`` names the store; ``clock`` counts seconds and never runs backwards.
    """

    def __init__(self, shown: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._shown, self._clock = shown, clock
        self._open_until: float | None = None

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Work with the store for a call. Raises StoreError at once while the circuit is open."""
        started = self._clock()
        if self._open_until is not None:
            if started < self._open_until:
                raise StoreError(f"The store ({self._shown}) is not asked now: it did not answer in time just before.")
            # Others go on being refused while this one tries.
            self._open_until = started + SECONDS_OPEN
        try:
            yield
        except StoreError:
            if (now := self._clock()) - started >= SECONDS_IN_VAIN:
                self._open_until = now + SECONDS_OPEN
            raise
        self._open_until = None
