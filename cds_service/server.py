"""The production server: gunicorn with threads, everything loaded once before the workers fork."""

import gc
import ipaddress
import socket
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from cds_service import suggestions
from cds_service.app import create_app
from cds_service.library import Library, load_library
from cds_service.settings import Settings

THREADS = 8
# Charts are parsed into many small objects that die with the call; the default threshold would scan each many times.
COLLECT_EVERY = 100_000


def utc_today() -> date:
    """The day it is now, in UTC."""
    return datetime.now(UTC).date()


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def authority(host: str, port: int) -> str:
    """Host and port as an address has them, an IPv6 host in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host.strip('[]')}]:{port}" if ":" in host else f"{host}:{port}"


def can_listen(host: str, port: int) -> bool:
    """Whether the address is free; asked before everything is loaded, for a clear answer at once."""
    bare = host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in bare else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bare, port))
        except OSError:
            return False
    return True


def build_app(settings: Settings, public_url: str, clock: Callable[[], date] = utc_today) -> Flask:
    """Loads the policies and all that a call needs, and returns the application. Raises PolicyError."""
    library = load_library(settings.cards, settings.canonical_base, settings.codes)
    warm_up(library)
    return create_app(settings, library, settings.public_url or public_url, clock)


def warm_up(library: Library) -> None:
    """Loads now what would otherwise make the first call slow, and before the fork, so that workers share it."""
    # The index and the templates are made when first asked for.
    _ = library.order_index, library.needs, library.opened_on_patient_view
    _ = library.prefetch_templates, library.resource_types
    for policy in library.policies:
        for act in policy.orders.acts:
            suggestions.warm_up(act)


class Server(BaseApplication):
    """gunicorn with our application, loaded before the fork so that workers share its memory."""

    def __init__(self, app: Flask, host: str, port: int, workers: int) -> None:
        self.app = app
        self.options = {
            "bind": authority(host, port),
            "workers": workers,
            "worker_class": "gthread",
            "threads": THREADS,
            "keepalive": 75,
            "graceful_timeout": 30,
            "timeout": 30,
            "preload_app": True,
            "accesslog": None,
            "control_socket_disable": True,
            "pre_fork": _freeze,
            "post_worker_init": _tame_collector,
        }
        super().__init__()

    def load_config(self) -> None:
        """Hands gunicorn its settings; no file and no GUNICORN_CMD_ARGS is read."""
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application, already built."""
        return self.app


def _freeze(arbiter: Any, worker: Any) -> None:
    gc.collect()
    gc.freeze()


def _tame_collector(worker: Any) -> None:
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 50, 50)
