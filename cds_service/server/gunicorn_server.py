"""The production server: gunicorn with threads, which loads everything once before the workers fork."""

import ctypes
import gc
import ipaddress
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from cds_service.app import create_app
from cds_service.clock import utc_today
from cds_service.installation import Installation, installation_of
from cds_service.library import Library, load_library
from cds_service.operations import logs
from cds_service.operations.gunicorn_logs import ThroughTheRoot
from cds_service.self_check.checks import SelfCheck
from cds_service.self_check.watch import Watch
from cds_service.server.worker import BoundedWorker, WorkerLimits
from cds_service.service import hook_call
from cds_service.service.guide import guide_of
from cds_service.settings.settings import Settings

THREADS = 8
# For each worker. Most systems let a process open 1024 files, and a worker also has other files.
CONNECTIONS = 512
LIMITS = WorkerLimits()
# The main loop, which reads, refuses and writes, alternates with the one thread that computes; see ``computing``.
SWITCH_SECONDS = 0.00002
# Parsed charts are many small objects that die with the call; the default threshold would scan each many times. At ten
# times this value, the few cycles that a call leaves behind stay for hundreds of calls and keep pages from reuse.
COLLECT_EVERY = 10_000
# glibc's names for the maximum number of heaps, for how much unused memory to keep at the end of one, and for the size
# from which it takes memory from the system directly (malloc.h).
M_ARENA_MAX, M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -8, -1, -3
KEPT_BYTES, LARGE_BYTES = 131_072, 65_536


def is_loopback(host: str) -> bool:
    """True if a host name or address is reachable only from this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def authority(host: str, port: int) -> str:
    """Host and port as in an address, with brackets around an IPv6 host (RFC 3986, section 3.2.2)."""
    return f"[{host.strip('[]')}]:{port}" if ":" in host else f"{host}:{port}"


def can_listen(host: str, port: int) -> bool:
    """True if the address is free; checked before loading, to report a conflict at once."""
    bare = host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in bare else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bare, port))
        except OSError:
            return False
    return True


def load(settings: Settings) -> Library:
    """The rule sets, ready for their first call. Raises PolicyError."""
    with _collecting_nothing():
        library = load_library(settings.cards, settings.canonical_base, settings.codes, settings.value_sets)
        hook_call.warm_up(library)
    return library


@contextmanager
def _collecting_nothing() -> Iterator[None]:
    """Turns the garbage collector off while rule sets load: nearly all objects stay, so it would double the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(frozen=True, slots=True)
class ServedInstallation:
    """The application, and its background work in each process that answers calls."""

    app: Flask
    installation: Installation
    watch: Watch

    def begin(self) -> None:
        """Start the background work; called in a worker before its first call."""
        self.installation.traces.start()
        self.watch.start()

    def end(self) -> None:
        """End the background work; called in a worker after its last call."""
        self.watch.close()
        self.installation.close()

    def refused(self, count: int) -> None:
        """Report ``count`` requests that a worker had no room for; called in that worker."""
        logs.logger().warning("overloaded", count=count)
        self.installation.metrics.overloaded(count)

    def forget(self, pid: int) -> None:
        """Clean up after a worker that ended for any reason; called in the main process. Only logs failures."""
        for forget in (self.installation.readiness.forget, self.installation.metrics.worker_ended):
            try:
                forget(pid)
            # An error that leaves this hook would make gunicorn end the service with all its workers.
            except Exception as error:
                logs.logger().error("background-failed", exc_info=error)


def install(
    settings: Settings,
    library: Library,
    public_url: str,
    only_this_machine: bool,
    clock: Callable[[], date] = utc_today,
) -> ServedInstallation:
    """The application with everything that a call needs; starts logging to the target in the settings.

    ``only_this_machine``: other machines cannot call it. Raises ValueError for invalid settings.
    """
    installation = installation_of(settings, library, only_this_machine=only_this_machine)
    logs.configure(settings.log_format, settings.log_level, installation.names, installation.metrics.log_fields_dropped)
    for draft in (item for item in library.left_out if item.draft):
        logs.logger().warning("draft-skipped", policy=draft.name)
    address = settings.public_url or public_url
    app = create_app(settings, library, address, clock, installation)
    guide = guide_of(settings, library, address)
    check = SelfCheck(app, settings, guide, installation, clock)
    watch = Watch(check, installation.readiness, settings.self_check_seconds, partial(_retain, installation))
    return ServedInstallation(app, installation, watch)


def _retain(installation: Installation, pause: Callable[[float], bool]) -> None:
    installation.retention.run(datetime.now(UTC), pause)


class Server(BaseApplication):
    """gunicorn with our application, loaded before the fork so that workers share its memory."""

    def __init__(
        self,
        app: Flask,
        host: str,
        port: int,
        workers: int,
        *,
        beside: ServedInstallation | None = None,
        when_over: Callable[[], None] = lambda: None,
        limits: WorkerLimits = LIMITS,
    ) -> None:
        self.app, self.limits = app, limits
        # The worker calls this with the number of requests that it refused.
        self.tell_refused: Callable[[int], None] = beside.refused if beside else lambda count: None
        self.options = {
            "bind": authority(host, port),
            "workers": workers,
            "worker_class": BoundedWorker,
            "threads": THREADS,
            "worker_connections": CONNECTIONS,
            # The worker sends answers itself.
            "sendfile": False,
            "keepalive": 75,
            "graceful_timeout": 30,
            "timeout": 30,
            "preload_app": True,
            "accesslog": None,
            "logger_class": ThroughTheRoot,
            # A "finally" around run would also run in the workers when they exit.
            "on_exit": lambda arbiter: when_over(),
            "control_socket_disable": True,
            "pre_fork": _freeze,
            "post_worker_init": lambda worker: _begin(beside),
        }
        if beside is not None:
            self.options["worker_exit"] = lambda arbiter, worker: _end(beside, worker)
            self.options["child_exit"] = lambda arbiter, worker: beside.forget(worker.pid)
        super().__init__()

    def load_config(self) -> None:
        """Give gunicorn its settings; ignores files and GUNICORN_CMD_ARGS."""
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application, already built."""
        return self.app


def _freeze(arbiter: Any, worker: Any) -> None:
    gc.collect()
    gc.freeze()


def _small_heap() -> None:
    """Make glibc serve all threads from one small heap; does nothing with other C libraries.

    Each heap keeps the memory of its thread's largest call, and threads that alternate gain nothing from separate
    heaps. Large pieces, such as the body of a call, would leave holes in a heap; memory taken from the system goes
    back to it.
    """
    with suppress(OSError, AttributeError):
        glibc = ctypes.CDLL(None)
        for name, value in ((M_ARENA_MAX, 1), (M_TRIM_THRESHOLD, KEPT_BYTES), (M_MMAP_THRESHOLD, LARGE_BYTES)):
            glibc.mallopt(name, value)


def _end(beside: ServedInstallation, worker: Any) -> None:
    # gunicorn also calls this hook in the main process, for a worker that is gone.
    if worker.pid == os.getpid():
        beside.end()


def _begin(beside: ServedInstallation | None) -> None:
    _small_heap()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 50, 50)
    if beside is not None:
        beside.begin()
