"""The self-check of one worker: at its start and then at a fixed interval, in its own thread."""

import time
from collections.abc import Callable

from cds_service.operations import logs
from cds_service.operations.background import Background
from cds_service.operations.readiness import STARTING, Readiness
from cds_service.self_check.checks import SelfCheck


class Watch:
    """The self-check thread, made before the workers fork; ``seconds`` is the time between the starts of two runs."""

    def __init__(
        self,
        check: SelfCheck,
        readiness: Readiness,
        seconds: float,
        beside: Callable[[Callable[[float], bool]], None] = lambda pause: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``beside`` runs after each self-check; its argument waits a number of seconds, and returns True to stop."""
        self._check, self._readiness, self._seconds, self._monotonic = check, readiness, seconds, monotonic
        self._beside = beside
        # A worker that stops reporting counts as failing, so nothing else needs to watch this thread.
        self.thread = Background("self-check", self._turn, self._tell, readiness.patience, seconds)

    def start(self) -> None:
        """Start the thread; the worker is not ready before its first run."""
        self._readiness.say([STARTING])
        self.thread.start()

    def close(self) -> None:
        """End the thread."""
        self.thread.close(self._seconds)

    def _turn(self) -> float:
        begun = self._monotonic()
        for task in (self._check.run, self._beside):
            try:
                task(self.thread.wait)
            # One failing task must not block the other; its next run may succeed.
            except Exception as error:
                self._tell(error)
        return max(0.0, self._seconds - (self._monotonic() - begun))

    def _tell(self, error: Exception) -> None:
        logs.logger().error("background-failed", exc_info=error)
