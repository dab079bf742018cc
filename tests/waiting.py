"""Waiting for conditions: a process that answers, a state that is reached. Only a deadline looks at the clock."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import requests

Found = TypeVar("Found")
# A deadline only ends what hangs, so that it may be long: a machine that is busy is slow.
SECONDS = 120.0


# What somebody who runs the tests may have set for programs of their own: for a service, its metrics and traces (by how
# the names begin), for PostgreSQL's clients, for make; a proxy, which would be asked for the servers of the tests; the
# width and colors of a terminal; the day of builds.
_OTHERS_BEGIN = ("CDS_SERVICE_", "PROMETHEUS_", "OTEL_", "PG")
_OTHERS = {
    *("ARGS", "AUDIT", "DIR", "KEEP", "PORT", "PYTHON", "UPGRADE", "UV"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
    *("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES"),
    "SOURCE_DATE_EPOCH",
}


def leave_out_what_others_set() -> None:
    """Takes out of the environment what decides no test, and nothing that tests write or measure."""
    for name in [*os.environ]:
        if name.upper().startswith(_OTHERS_BEGIN) or name.upper() in _OTHERS:
            del os.environ[name]


def wait_for(condition: Callable[[], Found], what: str, seconds: float = SECONDS) -> Found:
    """What ``condition`` gives once that is true. Raises AssertionError that names ``what`` after ``seconds``."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)
    return found


def answers(url: str) -> bool:
    """Whether the address answers with a status below 400."""
    try:
        return requests.get(url, timeout=20).ok
    except requests.RequestException:
        return False


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process of the service: that of the tests with these settings and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CDS_SERVICE_", "PYTHON"))}
    return inherited | dict(settings)


@contextmanager
def answering(
    command: Sequence[str],
    probe: str,
    *,
    cwd: Path,
    environment: Mapping[str, str],
    log: Path | None = None,
    seconds: float = SECONDS,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is waited for until ``probe`` answers, and ended at the close. What it prints goes to ``log``.

    Raises AssertionError with what it printed where it ends before, or does not answer within ``seconds``.
    """
    with tempfile.TemporaryDirectory() as folder:
        printed = log or Path(folder) / "log"
        with printed.open("wb") as written:
            process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=written, stderr=written)
        try:
            wait_for(lambda: process.poll() is not None or answers(probe), f"{probe} answers", seconds)
            if process.poll() is not None:
                raise AssertionError(f"ended with status {process.returncode} and never answered")
            yield process
        except AssertionError as error:
            error.add_note(f"{' '.join(command)} printed:\n{printed.read_text(errors='replace')[-4000:]}")
            raise
        finally:
            process.terminate()
            process.wait(SECONDS)
