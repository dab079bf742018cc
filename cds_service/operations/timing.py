"""The duration of each step of a call, for its ``Server-Timing`` header (W3C Server Timing, section 2)."""

from collections.abc import Callable

# In the order of a call; the header names no other step, so that it reveals nothing else.
STEPS = ("auth", "read", "fetch", "evaluate", "evidence", "write")


class Timing:
    """The durations of one call's steps; ``clock`` gives seconds and never goes back (``time.perf_counter``).

    A repeated step is summed. One object serves one call, in one thread.
    """

    __slots__ = ("_clock", "_seconds", "_started")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._seconds: dict[str, float] = {}

    def step(self, name: str) -> "_Step":
        """Time the ``with`` block, even if it raises. Raises ValueError for a name not in STEPS."""
        if name not in STEPS:
            raise ValueError(f"'{name}' is not a step of a call; the steps are {', '.join(STEPS)}")
        return _Step(name, self._clock, self._seconds)

    def seconds(self, name: str) -> float:
        """The seconds that a step has taken so far; 0 if it did not happen."""
        return self._seconds.get(name, 0.0)

    def total(self) -> float:
        """Seconds since the call began."""
        return self._clock() - self._started

    def header(self) -> str:
        """The header's value in milliseconds, such as ``auth;dur=0.4, evaluate;dur=1.2``, with the total last."""
        taken = [(name, self._seconds[name]) for name in STEPS if name in self._seconds]
        return ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in [*taken, ("total", self.total())])


class _Step:
    """A running step, which adds its duration to the ``seconds`` of its call."""

    __slots__ = ("_clock", "_name", "_seconds", "_started")

    def __init__(self, name: str, clock: Callable[[], float], seconds: dict[str, float]) -> None:
        self._name, self._clock, self._seconds = name, clock, seconds
        self._started = clock()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] = self._seconds.get(self._name, 0.0) + self._clock() - self._started
