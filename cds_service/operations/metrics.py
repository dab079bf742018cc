"""The metrics of the running service, right over all its workers. Label values come from closed lists alone."""

import os
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from cds_service import __version__
from cds_service.operations.metric_list import METRICS, OTHER, PREFIX, MetricSpec, allowed
from cds_service.operations.metrics_folder import VARIABLE
from cds_service.operations.names import Names

_Metric = Counter | Gauge | Histogram


class Metrics:
    """What the service counts, one method for each thing that can happen.

    Made once, before the workers fork, and after ``metrics_folder.prepare`` where there are several. A value that is
    not among ``names`` counts as ``other``, so that no caller can put a word into a label or make a series.
    """

    def __init__(self, names: Names, version: str = __version__) -> None:
        self._registry = CollectorRegistry()
        self._allowed = allowed(names, version)
        self._metrics = {spec.name: _made(spec, self._registry) for spec in METRICS}
        # Asking prometheus_client for a child anew costs more than counting.
        self._children: dict[tuple[str, ...], _Metric] = {}
        self._gauge("build_info", version).set(1)

    def call(self, service: str, outcome: str, seconds: float) -> None:
        """One hook call; ``outcome`` is one of CALL_OUTCOMES, or ``refused:400`` with the status."""
        self._counter("calls_total", service, outcome).inc()
        self._histogram("call_seconds", service).observe(seconds)

    def card(self, policy: str, outcome: str) -> None:
        """One card of a statement; ``outcome`` is one of CARD_OUTCOMES."""
        self._counter("cards_total", policy, outcome).inc()

    def policy_failed(self, policy: str) -> None:
        """A statement could not be evaluated."""
        self._counter("policy_failures_total", policy).inc()

    def unknowns(self, policy: str, criteria: Iterable[str]) -> None:
        """The criteria of one decision that came out unknown."""
        for criterion in criteria:
            self._counter("unknowns_total", policy, criterion).inc()

    def prefetch(self, key: str, state: str) -> None:
        """What became of one prefetch key; ``state`` is one of PREFETCH_STATES."""
        self._counter("prefetch_total", key, state).inc()

    def fetch_failed(self, kind: str) -> None:
        """A request to a FHIR server failed; ``kind`` is one of FETCH_FAILURES."""
        self._counter("fetch_failures_total", kind).inc()

    def fetched(self, seconds: float) -> None:
        """All fetching of one call took that long."""
        self._histogram("fetch_seconds").observe(seconds)

    def token_refused(self, check: str) -> None:
        """A caller was not trusted, by that check."""
        self._counter("tokens_refused_total", check).inc()

    def overloaded(self, count: int) -> None:
        """So many requests were refused because too many were waiting."""
        self._counter("overload_total").inc(count)

    def rate_limited(self, client: str) -> None:
        """A call beyond the client's limit; of a caller who is not known, ``other``."""
        self._counter("rate_limited_total", client).inc()

    def feedback(self, outcome: str, count: int = 1) -> None:
        """Items of feedback; ``outcome`` is one of FEEDBACK_OUTCOMES."""
        self._counter("feedback_total", outcome).inc(count)

    def store_failed(self) -> None:
        """The store could not be read or written."""
        self._counter("store_failures_total").inc()

    def audit_failed(self) -> None:
        """The audit log could not take a line."""
        self._counter("audit_failures_total").inc()

    def log_fields_dropped(self, count: int) -> None:
        """The log kept fields out; the ``on_drop`` of ``logs.configure``."""
        self._counter("log_fields_dropped_total").inc(count)

    def self_check(self, check: str, failing: bool) -> None:
        """The last result of one known-answer check."""
        self._gauge("self_check_failing", check).set(int(failing))

    def ready(self, part: str, ready: bool) -> None:
        """Whether a part of the service is ready."""
        self._gauge("ready", part).set(int(ready))

    def days_without_a_card(self, policy: str, days: int) -> None:
        """Days in a row with orders for a statement and without a card of it."""
        self._gauge("days_without_a_card", policy).set(days)

    def exposition(self) -> tuple[bytes, str]:
        """All metrics of all workers in Prometheus' text format, and its content type."""
        registry = self._registry
        if VARIABLE in os.environ:
            registry = CollectorRegistry()
            # prometheus_client types all but its part for several processes.
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4

    def _counter(self, name: str, *labels: str) -> Counter:
        child = self._child(name, labels)
        assert isinstance(child, Counter)
        return child

    def _gauge(self, name: str, *labels: str) -> Gauge:
        child = self._child(name, labels)
        assert isinstance(child, Gauge)
        return child

    def _histogram(self, name: str, *labels: str) -> Histogram:
        child = self._child(name, labels)
        assert isinstance(child, Histogram)
        return child

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


def _made(spec: MetricSpec, registry: CollectorRegistry) -> _Metric:
    if spec.kind == "counter":
        return Counter(spec.name, spec.help, spec.labels, registry=registry)
    if spec.kind == "gauge":
        return Gauge(spec.name, spec.help, spec.labels, registry=registry, multiprocess_mode=spec.merge)
    return Histogram(spec.name, spec.help, spec.labels, registry=registry, buckets=spec.buckets)
