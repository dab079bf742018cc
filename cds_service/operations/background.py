"""A thread that repeats one task while calls are answered, even after failures."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress


class Background:
    """A repeated task, made before the workers fork; each worker starts its own thread.

    ``turn`` does the work once and returns the seconds to wait before the next turn. If it raises, ``failed`` gets the
    exception, and the next turn starts ``after_failure`` seconds later. With ``only_when_woken``, the thread also waits
    for ``wake`` after each successful turn. ``patience`` is the number of seconds that a turn may take.
    """

    def __init__(  # noqa: PLR0913 - all that one loop needs
        self,
        name: str,
        turn: Callable[[], float],
        failed: Callable[[Exception], None],
        patience: float,
        after_failure: float,
        *,
        first: float = 0.0,
        only_when_woken: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._turn, self._failed, self._patience = turn, failed, patience
        self._first, self._after_failure = first, after_failure
        self._only_when_woken, self._monotonic = only_when_woken, monotonic
        self._over, self._awake = threading.Event(), threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._begun: float | None = None

    def start(self) -> None:
        """Start the thread if it is not running: the first time, or after it ended without ``close``."""
        with self._starting:
            if self._over.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._begun = None
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Report that there is work to do."""
        self._awake.set()

    def wait(self, seconds: float) -> bool:
        """Wait within a turn; True if the thread must end."""
        return self._over.wait(seconds)

    def problem(self) -> str:
        """A sentence if the thread has ended or is stuck in a turn; empty otherwise, and before the start."""
        begun = self._begun
        if self._thread is None or self._over.is_set():
            return ""
        if not self._thread.is_alive():
            return f"the thread {self.name} has ended"
        if begun is not None and (seconds := self._monotonic() - begun) > self._patience:
            return f"the thread {self.name} has been at one turn for {seconds:.0f} s"
        return ""

    def close(self, seconds: float) -> None:
        """End the thread after the current turn, and wait at most ``seconds`` for that."""
        self._over.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        pause = self._first
        while not self._over.wait(pause):
            if self._only_when_woken:
                self._awake.wait()
                self._awake.clear()
                if self._over.is_set():
                    return
            self._begun = self._monotonic()
            try:
                pause = self._turn()
            # After any error, the next turn may succeed.
            except Exception as error:
                self._awake.set()
                # Reporting the error may fail too, but must not end the thread.
                with suppress(Exception):
                    self._failed(error)
                pause = self._after_failure
            self._begun = None
