"""The metrics of the running service, right over all its workers. Label values come from closed lists alone."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from cds_service import __version__
from cds_service.operations import logs, metrics_folder
from cds_service.operations.metric_list import METRICS, OTHER, PREFIX, MetricSpec, allowed
from cds_service.operations.metrics_folder import VARIABLE
from cds_service.operations.names import Names

_Metric = Counter | Gauge | Histogram


class Metrics:
    """What the service counts, one method for each thing that can happen.

    Made once, before the workers fork, and after ``metrics_folder.prepare`` where there are several. A value that is
    not among ``names`` counts as ``other``, so that no caller can put a word into a label or make a series. Where a
    number cannot be kept that is logged once, and whoever counts goes on.
    """

    def __init__(self, names: Names, version: str = __version__) -> None:
        self._registry = CollectorRegistry()
        self._allowed = allowed(names, version)
        self._metrics = {spec.name: _made(spec, self._registry) for spec in METRICS}
        # Asking prometheus_client for a child anew costs more than counting.
        self._children: dict[tuple[str, ...], _Metric] = {}
        self._told = False
        self._set(1, "build_info", version)

    def call(self, service: str, outcome: str, seconds: float) -> None:
        """One hook call; ``outcome`` is one of CALL_OUTCOMES, or ``refused:400`` with the status."""
        self._add(1, "calls_total", service, outcome)
        self._observe(seconds, "call_seconds", service)

    def card(self, policy: str, outcome: str) -> None:
        """One card of a statement; ``outcome`` is one of CARD_OUTCOMES."""
        self._add(1, "cards_total", policy, outcome)

    def policy_failed(self, policy: str) -> None:
        """A statement could not be evaluated."""
        self._add(1, "policy_failures_total", policy)

    def unknowns(self, policy: str, criteria: Iterable[str]) -> None:
        """The criteria of one decision that came out unknown."""
        for criterion in criteria:
            self._add(1, "unknowns_total", policy, criterion)

    def prefetch(self, key: str, state: str) -> None:
        """What became of one prefetch key; ``state`` is one of PREFETCH_STATES."""
        self._add(1, "prefetch_total", key, state)

    def fetch_failed(self, kind: str) -> None:
        """A request to a FHIR server failed; ``kind`` is one of FETCH_FAILURES."""
        self._add(1, "fetch_failures_total", kind)

    def fetched(self, seconds: float) -> None:
        """All fetching of one call took that long."""
        self._observe(seconds, "fetch_seconds")

    def token_refused(self, check: str) -> None:
        """A caller was not trusted, by that check."""
        self._add(1, "tokens_refused_total", check)

    def overloaded(self, count: int) -> None:
        """So many requests were refused because too many were waiting."""
        self._add(count, "overload_total")

    def rate_limited(self, client: str) -> None:
        """A call beyond the client's limit; of a caller who is not known, ``other``."""
        self._add(1, "rate_limited_total", client)

    def feedback(self, outcome: str, count: int = 1) -> None:
        """Items of feedback; ``outcome`` is one of FEEDBACK_OUTCOMES. Or a request, ``refused:400`` with the status."""
        self._add(count, "feedback_total", outcome)

    def storage(self, kind: str, share: float) -> None:
        """How much of its cap something kept has used, 0 to 1; ``kind`` is one of STORAGE_KINDS."""
        self._set(share, "storage_used_ratio", kind)

    def removed(self, kind: str, reason: str, count: int) -> None:
        """Something kept was removed; ``reason`` is one of REMOVAL_REASONS."""
        self._add(count, "storage_removed_total", kind, reason)

    def store_failed(self) -> None:
        """The store could not be read or written."""
        self._add(1, "store_failures_total")

    def audit_failed(self) -> None:
        """The audit log could not take a line."""
        self._add(1, "audit_failures_total")

    def log_fields_dropped(self, count: int) -> None:
        """The log kept fields out; the ``on_drop`` of ``logs.configure``."""
        self._add(count, "log_fields_dropped_total")

    def self_check(self, check: str, failing: bool) -> None:
        """The last result of one known-answer check."""
        self._set(int(failing), "self_check_failing", check)

    def ready(self, part: str, ready: bool) -> None:
        """Whether a part of the service is ready."""
        self._set(int(ready), "ready", part)

    def policy_left_out(self, policy: str) -> None:
        """A policy folder could not be loaded at the start."""
        self._set(1, "policy_left_out", policy)

    def degraded(self, part: str, failing: bool) -> None:
        """Whether a part fails without which calls are still answered."""
        self._set(int(failing), "degraded", part)

    def days_without_a_card(self, policy: str, days: int) -> None:
        """Days in a row with orders for a statement and without a card of it."""
        self._set(days, "days_without_a_card", policy)

    def exposition(self) -> tuple[bytes, str]:
        """All metrics of all workers in Prometheus' text format, and its content type."""
        registry = self._registry
        if VARIABLE not in os.environ:
            return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4
        registry = CollectorRegistry()
        # prometheus_client types all but its part for several processes.
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        with metrics_folder.reading(Path(os.environ[VARIABLE])):
            return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4

    def _add(self, number: float, name: str, *labels: str) -> None:
        with self._unless_it_fails():
            child = self._child(name, labels)
            assert isinstance(child, Counter)
            child.inc(number)

    def _set(self, value: float, name: str, *labels: str) -> None:
        with self._unless_it_fails():
            child = self._child(name, labels)
            assert isinstance(child, Gauge)
            child.set(value)

    def _observe(self, value: float, name: str, *labels: str) -> None:
        with self._unless_it_fails():
            child = self._child(name, labels)
            assert isinstance(child, Histogram)
            child.observe(value)

    @contextmanager
    def _unless_it_fails(self) -> Iterator[None]:
        """A number that cannot be kept (its folder is full, or gone) costs nobody anything but that number."""
        try:
            yield
        # Whatever it is: it has nothing to do with the call that is counted.
        except Exception as error:
            if not self._told:
                # Once for each process: each call touches many of them.
                self._told = True
                logs.logger().error("metrics-failed", exc_info=error)

    def _child(self, name: str, labels: tuple[str, ...]) -> _Metric:
        key = (name, *labels)
        if (child := self._children.get(key)) is not None:
            return child
        full = PREFIX + name
        metric, closed = self._metrics[full], self._allowed.get(full, {})
        given = zip(closed.items(), labels, strict=True)
        values = [value if value in known else OTHER for (_, known), value in given]
        child = metric.labels(*values) if values else metric
        # Only what is on the list is remembered: of words from outside there may be any number.
        if OTHER not in values:
            self._children[key] = child
        return child


def mark_dead(pid: int) -> None:
    """Forgets what a worker that ended said of its state; what it counted stays. gunicorn's ``child_exit``."""
    if VARIABLE in os.environ:
        # Of the part without types, as above.
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
        metrics_folder.fold(Path(os.environ[VARIABLE]), pid, _add_up)


def _add_up(one: Path, total: Path) -> None:
    # Of the part without types, as above.
    sums = MmapedDict(str(total))  # type: ignore[no-untyped-call]
    try:
        for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(str(one)):  # type: ignore[no-untyped-call]
            before, _ = sums.read_value(key)  # type: ignore[no-untyped-call]
            sums.write_value(key, before + value, timestamp)  # type: ignore[no-untyped-call]
    finally:
        sums.close()  # type: ignore[no-untyped-call]


def _made(spec: MetricSpec, registry: CollectorRegistry) -> _Metric:
    if spec.kind == "counter":
        return Counter(spec.name, spec.help, spec.labels, registry=registry)
    if spec.kind == "gauge":
        return Gauge(spec.name, spec.help, spec.labels, registry=registry, multiprocess_mode=spec.merge)
    return Histogram(spec.name, spec.help, spec.labels, registry=registry, buckets=spec.buckets)
