"""The self-check of the store: it can be written, is the file at its path, and has intact pages."""

from collections.abc import Callable

from cds_service.store.database import Store

SECONDS_BETWEEN_QUICK_CHECKS = 86_400.0


class StoreCheck:
    """The checks of one store by one process; ``monotonic`` gives seconds."""

    def __init__(self, store: Store, monotonic: Callable[[], float]) -> None:
        self._store, self._monotonic = store, monotonic
        self._reopened, self._checked_at = 0, -SECONDS_BETWEEN_QUICK_CHECKS
        self._is_damaged = False

    def problems(self) -> list[str]:
        """A sentence for each fault; a replaced store file is reported once. Raises StoreError."""
        self._store.ping()
        was_reopened = self._store.reopened != self._reopened
        self._reopened = self._store.reopened
        now = self._monotonic()
        if was_reopened or now - self._checked_at >= SECONDS_BETWEEN_QUICK_CHECKS:
            self._is_damaged = self._store.is_damaged()
            self._checked_at = now
        found = ["the store was removed, emptied or replaced, and was opened again"] if was_reopened else []
        return [*found, "the store has damaged pages"] if self._is_damaged else found
