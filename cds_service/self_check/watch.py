"""The self-check of one worker: at its start, then every so many seconds, in a thread of its own."""

import threading
from collections.abc import Callable

from cds_service.operations import logs
from cds_service.self_check.checks import SelfCheck
from cds_service.self_check.readiness import STARTING, Readiness


class Watch:
    """Made before the workers fork; each starts its own."""

    def __init__(
        self,
        check: SelfCheck,
        readiness: Readiness,
        seconds: float,
        beside: Callable[[Callable[[float], bool]], None] = lambda pause: None,
    ) -> None:
        """``beside`` is run after each self-check; the function it is given waits, and says when to break off."""
        self._check, self._readiness, self._seconds, self._beside = check, readiness, seconds, beside
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins; the worker is not ready before its first run."""
        self._readiness.say([STARTING])
        self._thread = threading.Thread(target=self._run, name="self-check", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(self._seconds)

    def _run(self) -> None:
        self._once()
        while not self._over.wait(self._seconds):
            self._once()

    def _once(self) -> None:
        for task in (self._check.run, self._beside):
            try:
                task(self._over.wait)
            # Whatever it is, the next run may succeed; a worker that says nothing more is found by its silence.
            except Exception as error:
                logs.logger().error("background-failed", exc_info=error)
