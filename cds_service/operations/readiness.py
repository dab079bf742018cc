"""Readiness of the service: each worker reports its own failures, and every worker can read all reports."""

import math
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import orjson

STARTING, SILENT = "starting", "worker"
READY, DEGRADED, NOT_READY = "ready", "degraded", "not-ready"
# A cap, because probes read readiness often, and one broken rule may fail every case.
MOST_CONCERNS = 20


class Concern(NamedTuple):
    """A rule set that a check concerns, and the known-answer case if there is one."""

    check: str
    policy: str
    case: str | None = None

    def as_json(self) -> dict[str, str]:
        """The known members, by name."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Readiness:
    """The readiness reports, made before the workers fork; ``folder`` has one per worker, None for a single process.

    After ``patience`` seconds without a report a worker counts as failing. The service still answers calls if only
    ``degrading`` parts fail.
    """

    def __init__(
        self,
        folder: Path | None = None,
        patience: float = math.inf,
        monotonic: Callable[[], float] = time.monotonic,
        degrading: Collection[str] = (),
    ) -> None:
        self._folder, self.patience, self._monotonic = folder, patience, monotonic
        self.degrading = frozenset(degrading)
        self._own: dict[str, bytes] = {}

    def say(self, failing: Sequence[str], pid: int | None = None, concerns: Sequence[Concern] = ()) -> None:
        """Report what fails in this process, and which rule sets that concerns; empty ``failing`` means no failure."""
        name = str(pid or os.getpid())
        named = [[*item] for item in concerns[:MOST_CONCERNS]]
        text = orjson.dumps({"at": self._monotonic(), "failing": list(failing), "concerns": named})
        if self._folder is None:
            self._own[name] = text
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Write to another file and rename it, so that no reader sees a partial report.
        aside = self._folder / f"{name}.new"
        aside.write_bytes(text)
        aside.replace(self._folder / name)

    def forget(self, pid: int) -> None:
        """Delete the report of a worker that ended."""
        self._own.pop(str(pid), None)
        if self._folder is not None:
            # A worker killed during its report leaves a partial file.
            for name in (str(pid), f"{pid}.new"):
                (self._folder / name).unlink(missing_ok=True)

    def failing(self) -> list[str]:
        """The failures of all workers, each once; empty if the service is ready."""
        words = self._words()
        if not words:
            return [STARTING]
        found: dict[str, None] = {}
        for text in words.values():
            word = orjson.loads(text)
            found |= dict.fromkeys(word["failing"])
            if self._monotonic() - word["at"] > self.patience:
                found[SILENT] = None
        return list(found)

    def concerns(self) -> list[Concern]:
        """The concerns of all workers, each once, at most MOST_CONCERNS."""
        said = (orjson.loads(text)["concerns"] for text in self._words().values())
        return list(dict.fromkeys(Concern(*item) for items in said for item in items))[:MOST_CONCERNS]

    def status(self) -> tuple[str, list[str]]:
        """``ready``, ``degraded`` or ``not-ready``, and the failures."""
        failing = self.failing()
        return self.status_of(failing), failing

    def status_of(self, failing: Sequence[str]) -> str:
        """The status of the service with these failures."""
        if not failing:
            return READY
        return DEGRADED if self.degrading.issuperset(failing) else NOT_READY

    def _words(self) -> Mapping[str, bytes]:
        if self._folder is None:
            return self._own
        words = {}
        for path in self._folder.glob("*") if self._folder.is_dir() else ():
            if path.name.isdigit():
                # A worker may end between the listing and the reading.
                with suppress(FileNotFoundError):
                    words[path.name] = path.read_bytes()
        return words
