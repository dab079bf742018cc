"""A thread that does one piece of work again and again beside the calls, whatever goes wrong in it."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress


class Background:
    """Made before the workers fork; each worker starts its own thread.

    ``turn`` does the work once and returns the seconds to wait before the next turn. Where it raises, ``failed`` gets
    the exception, and the turn is taken again ``after_failure`` seconds later. ``only_when_woken``: after a turn that
    did not fail the thread also waits for ``wake``. ``patience`` is how many seconds a turn may take.
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
        """Starts the thread where it does not run: at first, and where it has ended although nobody closed it."""
        with self._starting:
            if self._over.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._begun = None
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """There is work to do."""
        self._awake.set()

    def wait(self, seconds: float) -> bool:
        """Waits within a turn; True where the thread is to end."""
        return self._over.wait(seconds)

    def problem(self) -> str:
        """A sentence where the thread has ended or is stuck in a turn; empty otherwise, and before its start."""
        begun = self._begun
        if self._thread is None or self._over.is_set():
            return ""
        if not self._thread.is_alive():
            return f"the thread {self.name} has ended"
        if begun is not None and (seconds := self._monotonic() - begun) > self._patience:
            return f"the thread {self.name} has been at one turn for {seconds:.0f} s"
        return ""

    def close(self, seconds: float) -> None:
        """Ends the thread after the turn at hand, and waits for that so many seconds at most."""
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
            # Whatever it is, the next turn may succeed.
            except Exception as error:
                self._awake.set()
                # Telling of it may fail too, and must not end the thread.
                with suppress(Exception):
                    self._failed(error)
                pause = self._after_failure
            self._begun = None
