"""Retention: removes data past its days or beyond its caps from the store and the audit log, in batches.

It never removes acknowledged feedback early. At a cap it removes the oldest cards without feedback, the content of the
oldest audit lines, and the evidence pages that expire first; the service refuses new feedback.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

from cds_service.operations import audit_retention, logs
from cds_service.operations.audit import AuditError
from cds_service.store import activity, evidence_pages, feedback, files, form_sessions, shown, turns
from cds_service.store.database import Store
from cds_service.store.evidence_pages import Ended
from cds_service.store.failures import StoreError

AUDIT, CARDS, FEEDBACK, EVIDENCE = "audit", "cards", "feedback", "evidence"
SET_ASIDE = "set-aside"
# The number of removed, emptied or damaged SQLite files that are kept next to the one in use.
MOST_SET_ASIDE = 20
AGE, CAP = "age", "cap"
# Data beyond its cap shrinks to less than the cap, because otherwise every new card would trigger a removal.
TRIMMED_TO = 0.95
# The batches of one run: a large removal takes several runs, so none delays the self-check.
BATCHES = 20
PAUSE = 0.02
BETWEEN_TRIMS = timedelta(minutes=1)
BETWEEN_EVIDENCE = timedelta(minutes=5)


class RetentionLimits(NamedTuple):
    """The maximum ages in days, and the maximum amounts: bytes of the audit log, cards, pieces of feedback, evidence
    pages."""

    audit_days: int
    feedback_days: int
    audit_bytes: int
    cards: int
    feedback: int
    evidence: int


class Removed(NamedTuple):
    """One batch: its kind (one of ``operations.metric_list.STORAGE_KINDS``), the reason (AGE or CAP), the number."""

    kind: str
    reason: str
    number: int


class StorageMetrics(Protocol):
    """The metrics of retention."""

    def storage(self, kind: str, share: float) -> None: ...

    def removed(self, kind: str, reason: str, count: int) -> None: ...


def prune_audit(folder: Path, limits: RetentionLimits, today: date) -> Iterator[Removed]:
    """Remove data past its days or beyond its cap from the folder of the audit log on the UTC day ``today``.

    Yields each batch once it is removed. Raises AuditError; another run does the rest.
    """
    if deleted := audit_retention.remove_old(folder, _first(today, limits.audit_days)):
        yield Removed(AUDIT, AGE, deleted)
    if audit_retention.size(folder) > limits.audit_bytes:
        for kind, count in audit_retention.shrink(folder, int(limits.audit_bytes * TRIMMED_TO), today):
            yield Removed(kind, CAP, count)


def prune_store(store: Store, limits: RetentionLimits, today: date) -> Iterator[Removed]:
    """Remove data past its days or beyond its cap from the store on the UTC day ``today``.

    Yields each batch once it is removed. Raises StoreError; another run does the rest.
    """
    # Feedback first, because a card stays on record as long as its feedback does.
    for count in feedback.remove_old(store, _first(today, limits.feedback_days)):
        yield Removed(FEEDBACK, AGE, count)
    for count in shown.remove_old(store, _first(today, limits.audit_days)):
        yield Removed(CARDS, AGE, count)
    if count := activity.remove_old(store, _first(today, limits.audit_days)):
        yield Removed("activity", AGE, count)
    yield from _prune_aside(store, today - timedelta(days=min(limits.audit_days, limits.feedback_days)))
    cards = shown.number(store)
    if cards > limits.cards:
        for count in shown.remove_oldest(store, cards - int(limits.cards * TRIMMED_TO)):
            yield Removed(CARDS, CAP, count)


def _prune_aside(store: Store, first: date) -> Iterator[Removed]:
    """Remove files that the store set aside: they contain feedback and cards, and must not outlive either."""
    if store.address.file is None:
        return
    try:
        counts = files.remove_aside(store.address.file, datetime.combine(first, time(), UTC), MOST_SET_ASIDE)
    except OSError as error:
        raise StoreError(
            f"Files set aside in {store.address.file.parent} were not removed: {error.strerror}."
        ) from None
    for reason, count in zip((AGE, CAP), counts, strict=True):
        if count:
            yield Removed(SET_ASIDE, reason, count)


def prune_evidence(
    store: Store, most: int, now: datetime, clients: Collection[str], ended: Callable[[Ended], None]
) -> Iterator[Removed]:
    """Remove the evidence pages that have expired or belong to no client in ``clients``, and beyond ``most`` those that
    expire first; calls ``ended`` for each.

    Yields each batch once it is removed. Raises StoreError; another run does the rest.
    """
    for batch in evidence_pages.remove_ended(store, now, clients):
        for page in batch:
            ended(page)
        yield Removed(EVIDENCE, AGE, len(batch))
    beyond = evidence_pages.number(store) - most
    if beyond > 0:
        for batch in evidence_pages.remove_first(store, beyond + most - int(most * TRIMMED_TO)):
            for page in batch:
                ended(page)
            yield Removed(EVIDENCE, CAP, len(batch))


def _first(today: date, days: int) -> date:
    return today - timedelta(days=days)


def added_up(batches: Iterable[Removed]) -> Mapping[tuple[str, str], int]:
    """Run the removal, batch by batch: (kind, reason) -> number removed."""
    total: Counter[tuple[str, str]] = Counter()
    for kind, reason, count in batches:
        total[kind, reason] += count
    return total


class NoRetention:
    """Retention without stored data: removes nothing."""

    feedback_full = False

    def run(self, now: datetime, pause: Callable[[float], bool] = lambda seconds: False) -> None:
        """Do nothing."""


class Retention:
    """Keeps the limits while the service runs. Created before the workers fork; each calls ``run`` in its background.

    ``audit`` is the folder of the audit log; its old days go even if the log is off. Each machine prunes its own audit
    log. One of all workers and hosts prunes the store, once a day and whenever the cards exceed their cap. One of them
    prunes evidence pages and abandoned forms, every five minutes. ``clients`` are the ids of the clients whose pages
    may be opened; ``ended`` is called for each removed page. ``feedback_full``: there is no room for more feedback.
    """

    # One loop needs all of these.
    def __init__(
        self,
        store: Store,
        audit: Path,
        limits: RetentionLimits,
        metrics: StorageMetrics,
        clients: Collection[str] = (),
        ended: Callable[[Ended], None] = lambda page: None,
    ) -> None:
        self._store, self._audit, self._limits, self._metrics = store, audit, limits, metrics
        self._clients, self._ended = clients, ended
        self._work: Iterator[Removed] = iter(())
        self._broken_off = False
        self._full: frozenset[str] = frozenset()

    @property
    def feedback_full(self) -> bool:
        """True if the service must refuse new feedback, according to the last run."""
        return FEEDBACK in self._full

    def run(self, now: datetime, pause: Callable[[float], bool] = lambda seconds: False) -> None:
        """Run at most BATCHES batches of each part; ``now`` has a time zone.

        Calls ``pause`` between two batches, and ends if it returns True. Raises AuditError or StoreError; the next run
        continues.
        """
        removed: Counter[tuple[str, str]] = Counter()
        failed: list[Exception] = []
        for part in (self._run_audit, self._run_store, self._run_evidence):
            # One failing part must not block the others.
            try:
                part(now, removed, pause)
            except (AuditError, StoreError) as error:
                failed.append(error)
        for (kind, reason), count in removed.items():
            logs.logger().info("removed", kind=kind, reason=reason, count=count)
            self._metrics.removed(kind, reason, count)
        if failed:
            raise failed[0]

    def _run_audit(self, now: datetime, removed: Counter[tuple[str, str]], pause: Callable[[float], bool]) -> None:
        self._measured(AUDIT, audit_retention.size(self._audit) / self._limits.audit_bytes)
        self._remove(prune_audit(self._audit, self._limits, now.date()), removed, pause)

    def _run_store(self, now: datetime, removed: Counter[tuple[str, str]], pause: Callable[[float], bool]) -> None:
        self._measured(CARDS, shown.number(self._store) / self._limits.cards)
        self._measured(FEEDBACK, feedback.number(self._store) / self._limits.feedback)
        if self._broken_off or self._is_due(now):
            self._work = prune_store(self._store, self._limits, now.date())
        # A failed iterator cannot continue, so the next run needs a new one.
        self._broken_off = True
        self._remove(self._work, removed, pause)
        self._broken_off = False

    def _run_evidence(self, now: datetime, removed: Counter[tuple[str, str]], pause: Callable[[float], bool]) -> None:
        self._measured(EVIDENCE, evidence_pages.number(self._store) / self._limits.evidence)
        between = BETWEEN_TRIMS if EVIDENCE in self._full else BETWEEN_EVIDENCE
        if turns.take(self._store, EVIDENCE, now, now - between):
            work = prune_evidence(self._store, self._limits.evidence, now, self._clients, self._ended)
            self._remove(work, removed, pause)
            # An abandoned form holds an excerpt of a chart that nobody can open anymore.
            form_sessions.remove_ended(self._store, now)

    def _is_due(self, now: datetime) -> bool:
        midnight = datetime.combine(now.date(), time(), now.tzinfo)
        before = now - BETWEEN_TRIMS if CARDS in self._full else midnight
        return turns.take(self._store, "retention", now, max(before, midnight))

    def _remove(
        self, work: Iterator[Removed], removed: Counter[tuple[str, str]], pause: Callable[[float], bool]
    ) -> None:
        for kind, reason, count in islice(work, BATCHES):
            removed[kind, reason] += count
            if pause(PAUSE):
                return

    def _measured(self, kind: str, share: float) -> None:
        """Record the used share of a cap, and log when it is reached."""
        # A full cap stays full until it falls below the trim mark, so the log does not repeat it every minute.
        full = share >= 1 or (kind in self._full and share > TRIMMED_TO)
        if full and kind not in self._full:
            logs.logger().error("storage-full", kind=kind)
        self._full = self._full | {kind} if full else self._full - {kind}
        self._metrics.storage(kind, share)
