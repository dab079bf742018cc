"""What calls leave in the store without waiting for it: the cards they were shown, and what each statement had to say.

No caller is promised any of it, so that it is written in batches beside the calls: one transaction for many of them. A
process that is killed loses what it noted in the last moment.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date

from cds_service.store import activity, shown
from cds_service.store.activity import Activity
from cds_service.store.database import Store
from cds_service.store.failures import StoreError
from cds_service.store.shown import Shown

SECONDS = 0.25
SECONDS_AFTER_A_FAILURE = 5.0
# What waits while the store cannot be written; beyond that the oldest cards are forgotten.
MOST_CARDS = 20_000


class Ledger:
    """Notes of this process, written by a thread of its own. Made before the workers fork; each has its own notes.

    ``failed`` is told of every write that failed (it is tried again), with the number of cards forgotten for good.
    """

    def __init__(self, store: Store, failed: Callable[[StoreError, int], None]) -> None:
        self._store, self._failed = store, failed
        self._cards: dict[str, Shown] = {}
        self._activity: Counter[tuple[date, str, bool]] = Counter()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._closed = threading.Event()
        self._noted = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, cards: Iterable[Shown], day: date, orders: Iterable[str], answered: Iterable[str]) -> None:
        """One call: the cards it was given, the statements whose business its orders were, those that gave a card."""
        with self._lock:
            for card in cards:
                self._cards.setdefault(card.card, card)
            self._activity.update((day, policy, False) for policy in orders)
            self._activity.update((day, policy, True) for policy in answered)
            if not (self._cards or self._activity):
                return
            if self._thread is None:
                # Not at the start: a thread of the main process would not live on in the workers.
                self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
                self._thread.start()
        self._noted.set()

    def flush(self) -> None:
        """Writes what is noted. Raises StoreError; then it stays noted."""
        with self._writing:
            with self._lock:
                cards, counts = self._cards, self._activity
                self._cards, self._activity = {}, Counter()
            try:
                shown.record(self._store, cards.values())
                cards = {}
                activity.record(self._store, _added_up(counts))
            except StoreError:
                with self._lock:
                    self._cards = {**cards, **self._cards}
                    self._activity.update(counts)
                raise

    def close(self) -> None:
        """Writes what is noted and ends the thread."""
        self._closed.set()
        self._noted.set()
        if self._thread is not None:
            self._thread.join()
        self._try()

    def _run(self) -> None:
        pause = SECONDS
        while not self._closed.wait(pause):
            self._noted.wait()
            self._noted.clear()
            pause = SECONDS if self._try() else SECONDS_AFTER_A_FAILURE
            if pause > SECONDS:
                self._noted.set()

    def _try(self) -> bool:
        try:
            self.flush()
        except StoreError as error:
            self._failed(error, self._forget())
            return False
        return True

    def _forget(self) -> int:
        with self._lock:
            too_many = list(self._cards)[:-MOST_CARDS]
            for card in too_many:
                del self._cards[card]
            return len(too_many)


def _added_up(counts: Counter[tuple[date, str, bool]]) -> list[Activity]:
    days = dict.fromkeys((day, policy) for day, policy, _ in counts)
    return [Activity(day, policy, counts[day, policy, False], counts[day, policy, True]) for day, policy in days]
