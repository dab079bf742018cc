"""Whether the service is ready: each worker says of itself what fails, and whoever is asked reads what all say."""

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
# Readiness is read often, and one broken rule may fail every case.
MOST_CONCERNS = 20


class Concern(NamedTuple):
    """A statement that a check concerns, and the known-answer case where it is one."""

    check: str
    policy: str
    case: str | None = None

    def as_json(self) -> dict[str, str]:
        """Its members that are known."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Readiness:
    """Made before the workers fork. ``folder`` is where their words meet, None for a single process.

    ``patience``: seconds after which a worker that has said nothing more counts as failing. ``degrading``: parts
    whose failure leaves the service ready to answer calls.
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
        """What fails in this process now, and whom it concerns; nothing is good news."""
        name = str(pid or os.getpid())
        named = [[*item] for item in concerns[:MOST_CONCERNS]]
        text = orjson.dumps({"at": self._monotonic(), "failing": list(failing), "concerns": named})
        if self._folder is None:
            self._own[name] = text
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written aside and renamed, so that no reader meets half of it.
        aside = self._folder / f"{name}.new"
        aside.write_bytes(text)
        aside.replace(self._folder / name)

    def forget(self, pid: int) -> None:
        """A worker has ended; its word counts no more."""
        self._own.pop(str(pid), None)
        if self._folder is not None:
            # One that was killed while it spoke leaves its next word half written.
            for name in (str(pid), f"{pid}.new"):
                (self._folder / name).unlink(missing_ok=True)

    def failing(self) -> list[str]:
        """What fails in any worker, each once; empty if the service is ready."""
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
        """Whom the checks of any worker concern, each once; of very many the first ones."""
        said = (orjson.loads(text)["concerns"] for text in self._words().values())
        return list(dict.fromkeys(Concern(*item) for items in said for item in items))[:MOST_CONCERNS]

    def status(self) -> tuple[str, list[str]]:
        """``ready``, ``degraded`` or ``not-ready``, and what fails."""
        failing = self.failing()
        return self.status_of(failing), failing

    def status_of(self, failing: Sequence[str]) -> str:
        """What the service is while that fails."""
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
