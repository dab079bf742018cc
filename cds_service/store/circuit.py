"""A circuit breaker for the store: without it, all threads of a worker could wait for a store that does not answer."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cds_service.store.failures import StoreError

# Only failures slower than this kept a call waiting; faster ones hold up nobody.
SECONDS_IN_VAIN = 0.5
SECONDS_OPEN = 2.0


class Circuit:
    """Open for ``SECONDS_OPEN`` after a failed wait: it refuses calls at once, and then lets one call try first.

    ``shown`` names the store; ``clock`` is monotonic, in seconds.
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
                raise StoreError(
                    f"The store ({self._shown}) is being skipped for a moment: it just failed to answer in time."
                )
            # Refuse other calls while this one tries.
            self._open_until = started + SECONDS_OPEN
        try:
            yield
        except StoreError:
            if (now := self._clock()) - started >= SECONDS_IN_VAIN:
                self._open_until = now + SECONDS_OPEN
            raise
        self._open_until = None
