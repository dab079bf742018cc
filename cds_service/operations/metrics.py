"""The metrics of the running service, summed over all workers. Label values come only from closed lists."""

import os
import struct
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from cds_service import __version__
from cds_service.operations import logs, metrics_folder
from cds_service.operations.counting import NoMetrics
from cds_service.operations.metric_list import METRICS, OTHER, PREFIX, MetricSpec, allowed
from cds_service.operations.metrics_folder import VARIABLE
from cds_service.operations.names import Names

# The first parts of the names of a process's files (prometheus_client's values).
_KINDS = ("counter", "histogram", *sorted({f"gauge_{spec.merge}" for spec in METRICS if spec.kind == "gauge"}))
_Metric = Counter | Gauge | Histogram


class _UnlessItFails:
    """A context that loses only the number that cannot be stored, for example because its folder is full or gone.

    Such an error has nothing to do with the call being counted.
    """

    # Entered for every number of every call; a generator's context would cost more than counting.
    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told = False

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, Exception):
            return False
        if not self._told:
            # Log once per process: each call updates many metrics.
            self._told = True
            logs.logger().error("metrics-failed", exc_info=error)
        return True


class Metrics(NoMetrics):
    """The metrics, stored.

    Made once, before the workers fork; with several workers, after ``metrics_folder.prepare``. A label value that is
    not among ``names`` becomes ``other``, so that no caller can add text or a time series. If a number cannot be
    stored, the log says so once and the call goes on.
    """

    kept = True

    def __init__(self, names: Names, version: str = __version__) -> None:
        self._unless_it_fails = _UnlessItFails()
        self._counts_in = 0
        # prometheus_client creates the files of metrics without labels immediately.
        with self._unless_it_fails:
            self._reserve()
        self._registry = CollectorRegistry()
        self._allowed = allowed(names, version)
        self._metrics = {spec.name: _made(spec, self._registry) for spec in METRICS}
        # Looking up a child in prometheus_client costs more than counting.
        self._children: dict[tuple[str, ...], _Metric] = {}
        self._set(1, "build_info", version)

    def exposition(self) -> tuple[bytes, str]:
        """The metrics of all workers in Prometheus' text format, and its content type."""
        registry = self._registry
        if VARIABLE not in os.environ:
            return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        with metrics_folder.reading(Path(os.environ[VARIABLE])):
            return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4

    def worker_ended(self, pid: int) -> None:
        """Drop the state of a worker that ended; keep its counts if they can be read and stored."""
        with self._unless_it_fails:
            mark_dead(pid)

    def _add(self, number: float, name: str, *labels: str) -> None:
        with self._unless_it_fails:
            child = self._child(name, labels)
            assert isinstance(child, Counter)
            child.inc(number)

    def _set(self, value: float, name: str, *labels: str) -> None:
        with self._unless_it_fails:
            child = self._child(name, labels)
            assert isinstance(child, Gauge)
            child.set(value)

    def _observe(self, value: float, name: str, *labels: str) -> None:
        with self._unless_it_fails:
            child = self._child(name, labels)
            assert isinstance(child, Histogram)
            child.observe(value)

    def _reserve(self) -> None:
        """Reserve disk space for this process's files, once per process. Raises OSError if the disk is full.

        Without it, a memory-mapped page that a full disk cannot provide would end the process (SIGBUS), and all its
        calls.
        """
        if self._counts_in != (pid := os.getpid()):
            if VARIABLE in os.environ:
                metrics_folder.reserve(Path(os.environ[VARIABLE]), pid, _KINDS)
            self._counts_in = pid

    def _child(self, name: str, labels: tuple[str, ...]) -> _Metric:
        self._reserve()
        key = (name, *labels)
        if (child := self._children.get(key)) is not None:
            return child
        full = PREFIX + name
        metric, closed = self._metrics[full], self._allowed.get(full, {})
        given = zip(closed.items(), labels, strict=True)
        values = [value if value in known else OTHER for (_, known), value in given]
        child = metric.labels(*values) if values else metric
        # Cache only listed values: callers can send any number of others.
        if OTHER not in values:
            self._children[key] = child
        return child


def mark_dead(pid: int) -> None:
    """Drop the state of a process that ended, and keep its counts. Raises OSError on a full disk."""
    if VARIABLE in os.environ:
        mark_process_dead(pid)
        metrics_folder.fold(Path(os.environ[VARIABLE]), pid, _add_up)


def _add_up(one: Path, total: Path) -> None:
    try:
        values = list(MmapedDict.read_all_values_from_file(str(one)))
    # A worker killed while it creates its file leaves the file empty.
    except (struct.error, RuntimeError, ValueError) as error:
        logs.logger().error("metrics-failed", exc_info=error)
        return
    metrics_folder.make_room(total, one.stat().st_size)
    sums = MmapedDict(str(total))
    try:
        for key, value, timestamp, _ in values:
            before, _ = sums.read_value(key)
            sums.write_value(key, before + value, timestamp)
    finally:
        sums.close()


def _made(spec: MetricSpec, registry: CollectorRegistry) -> _Metric:
    if spec.kind == "counter":
        return Counter(spec.name, spec.help, spec.labels, registry=registry)
    if spec.kind == "gauge":
        return Gauge(spec.name, spec.help, spec.labels, registry=registry, multiprocess_mode=spec.merge)
    return Histogram(spec.name, spec.help, spec.labels, registry=registry, buckets=spec.buckets)
