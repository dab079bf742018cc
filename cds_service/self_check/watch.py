"""The self-check of one worker: at its start, then every so many seconds, in a thread of its own."""

import time
from collections.abc import Callable

from cds_service.operations import logs
from cds_service.operations.background import Background
from cds_service.operations.readiness import STARTING, Readiness
from cds_service.self_check.checks import SelfCheck


class Watch:
    """Made before the workers fork; each starts its own. ``seconds`` pass from the start of one run to the next."""

    def __init__(
        self,
        check: SelfCheck,
        readiness: Readiness,
        seconds: float,
        beside: Callable[[Callable[[float], bool]], None] = lambda pause: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``beside`` is run after each self-check; the function it is given waits, and says when to break off."""
        self._check, self._readiness, self._seconds, self._monotonic = check, readiness, seconds, monotonic
        self._beside = beside
        # A worker that says nothing more is found by its silence, so that nobody else watches this thread.
        self.thread = Background("self-check", self._turn, self._tell, readiness.patience, seconds)

    def start(self) -> None:
        """Begins; the worker is not ready before its first run."""
        self._readiness.say([STARTING])
        self.thread.start()

    def close(self) -> None:
        """Ends it."""
        self.thread.close(self._seconds)

    def _turn(self) -> float:
        begun = self._monotonic()
        for task in (self._check.run, self._beside):
            try:
                task(self.thread.wait)
            # What fails must not keep the other from its turn; the next run may succeed.
            except Exception as error:
                self._tell(error)
        return max(0.0, self._seconds - (self._monotonic() - begun))

    def _tell(self, error: Exception) -> None:
        logs.logger().error("background-failed", exc_info=error)
