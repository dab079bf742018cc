"""The service as a process of its own: the one way in which tests start it."""

import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tests.waiting import answering, clean_environment

ROOT = Path(__file__).parent.parent
COMMAND = (sys.executable, "-m", "cds_service")


class Served(NamedTuple):
    """Where it answers, without a final slash, and its main process."""

    address: str
    pid: int


def free_port() -> int:
    """A port on loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(
    *options: str,
    command: Sequence[str] = COMMAND,
    cwd: Path = ROOT,
    settings: Mapping[str, str] = MappingProxyType({}),
    log: Path | None = None,
    probe: str = "/healthz",
) -> Iterator[Served]:
    """``command serve`` once ``probe`` answers, with these settings and no others, logging to ``log``.

    It is ended at the close. Its state is that of the tests where ``settings`` names none. Raises AssertionError with
    what it logged where it does not answer.
    """
    port = free_port()
    address, started = f"http://127.0.0.1:{port}", [*command, "serve", "--port", str(port), *options]
    kept = {} if "CDS_SERVICE_STATE" in settings else {"CDS_SERVICE_STATE": os.environ["CDS_SERVICE_STATE"]}
    environment = clean_environment(kept | dict(settings))
    with answering(started, address + probe, cwd=cwd, environment=environment, log=log) as process:
        yield Served(address, process.pid)
