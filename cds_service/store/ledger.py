"""Data that calls leave in the store without waiting: the cards shown, and each statement's orders and cards.

No caller depends on it, so a background thread writes it in batches, one transaction for many calls. A process that is
killed loses the notes of the last moment.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date

from cds_service.operations.background import Background
from cds_service.store import activity, shown
from cds_service.store.activity import Activity
from cds_service.store.database import Store
from cds_service.store.shown import Shown

SECONDS = 0.25
SECONDS_AFTER_A_FAILURE = 5.0
# The maximum that waits while the store cannot be written; beyond it, the oldest notes are dropped.
MOST_CARDS = 20_000
MOST_COUNTS = 20_000
# A write that takes longer is stuck, because every wait for the store is shorter.
PATIENCE = 60.0
SECONDS_TO_END = 10.0


class NoLedger:
    """A ledger without a store: it notes nothing."""

    def note(self, cards: Iterable[Shown], day: date, orders: Iterable[str], answered: Iterable[str]) -> None:
        """Do nothing."""

    def revive(self) -> str:
        """Return "": there is no thread that could have ended."""
        return ""

    def close(self) -> None:
        """Do nothing."""


class Ledger:
    """Notes of this process, written by its own thread. Created before the workers fork; each has its own notes.

    ``failed`` gets every error of a write, which is tried again, with the number of cards dropped for good since the
    last error.
    """

    def __init__(self, store: Store, failed: Callable[[Exception, int], None]) -> None:
        self._store, self._failed = store, failed
        self._cards: dict[str, Shown] = {}
        self._activity: Counter[tuple[date, str, bool]] = Counter()
        # The number of cards in the current write; if it fails, they become notes again.
        self._in_hand = self._forgotten = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        # Not started with the process, because a thread of the main process does not run in the workers.
        self.thread = Background(
            *("ledger", self._turn, self._tell, PATIENCE, SECONDS_AFTER_A_FAILURE), first=SECONDS, only_when_woken=True
        )

    def note(self, cards: Iterable[Shown], day: date, orders: Iterable[str], answered: Iterable[str]) -> None:
        """Note one call: its cards, the statements that its orders concerned, and the statements that gave a card."""
        with self._lock:
            for card in cards:
                self._cards.setdefault(card.card, card)
            self._activity.update((day, policy, False) for policy in orders)
            self._activity.update((day, policy, True) for policy in answered)
            self._keep_the_bound()
            if not (self._cards or self._activity):
                return
        self.thread.start()
        self.thread.wake()

    def flush(self) -> None:
        """Write the notes. Raises the store's errors; then the notes stay."""
        with self._writing:
            with self._lock:
                cards, counts = self._cards, self._activity
                self._cards, self._activity = {}, Counter()
                self._in_hand = len(cards)
            try:
                shown.record(self._store, cards.values())
                cards = {}
                activity.record(self._store, _added_up(counts))
                counts = Counter()
            finally:
                with self._lock:
                    self._in_hand = 0
                    self._cards = {**cards, **self._cards}
                    self._activity = counts + self._activity
                    self._keep_the_bound()

    def revive(self) -> str:
        """Restart the thread if it ended without ``close``; returns a sentence about that, or ""."""
        problem = self.thread.problem()
        if problem:
            self.thread.start()
        return problem

    def close(self) -> None:
        """Write the notes and end the thread."""
        self.thread.close(SECONDS_TO_END)
        try:
            self.flush()
        except Exception as error:
            self._tell(error)

    def _turn(self) -> float:
        self.flush()
        return SECONDS

    def _tell(self, error: Exception) -> None:
        with self._lock:
            forgotten, self._forgotten = self._forgotten, 0
        self._failed(error, forgotten)

    def _keep_the_bound(self) -> None:
        while self._cards and len(self._cards) + self._in_hand > MOST_CARDS:
            del self._cards[next(iter(self._cards))]
            self._forgotten += 1
        while len(self._activity) > MOST_COUNTS:
            del self._activity[next(iter(self._activity))]


def _added_up(counts: Counter[tuple[date, str, bool]]) -> list[Activity]:
    days = dict.fromkeys((day, policy) for day, policy, _ in counts)
    return [Activity(day, policy, counts[day, policy, False], counts[day, policy, True]) for day, policy in days]
