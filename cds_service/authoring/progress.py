"""The progress of a long check: one updating line on a terminal, otherwise a plain line every few seconds."""

from collections.abc import Callable
from typing import TextIO

QUIET_SECONDS = 1.0
ON_A_TERMINAL, IN_A_LOG = 0.2, 5.0


class Progress:
    """Reports progress on a stream; prints nothing during the first second."""

    def __init__(self, stream: TextIO, clock: Callable[[], float], *, on_terminal: bool) -> None:
        self._stream = stream
        self._clock = clock
        self._on_terminal = on_terminal
        self._next = clock() + QUIET_SECONDS
        self._width = 0

    def tell(self, done: int, total: int, what: str) -> None:
        """Reports that ``done`` of ``total`` are done, unless the last line is too recent."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + (ON_A_TERMINAL if self._on_terminal else IN_A_LOG)
        line = f"{done} of {total} {what}"
        if self._on_terminal:
            self._stream.write(f"\r{line.ljust(self._width)}")
            self._width = max(self._width, len(line))
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()

    def end(self) -> None:
        """Clears the updating line, so results start on their own line."""
        if self._width:
            self._stream.write(f"\r{' ' * self._width}\r")
            self._stream.flush()
            self._width = 0
