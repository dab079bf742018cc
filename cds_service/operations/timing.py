"""How long the steps of one call took, for its ``Server-Timing`` header (W3C Server Timing, section 2)."""

from collections.abc import Callable

# In the order in which a call goes through them; a header names no other, so that nothing else can be determined by it.
STEPS = ("auth", "read", "fetch", "evaluate", "evidence", "write")


class Timing:
    """The durations of one call's steps; ``clock`` gives seconds and never goes back (``time.perf_counter``).

    A step that happens more than once is summed. One object serves one call, in one thread.
    """

    __slots__ = ("_clock", "_seconds", "_started")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._seconds: dict[str, float] = {}

    def step(self, name: str) -> "_Step":
        """Times what happens inside, also where it ends in an error. Raises ValueError for a name not in STEPS."""
        if name not in STEPS:
            raise ValueError(f"'{name}' is not a step of a call; the steps are {', '.join(STEPS)}")
        return _Step(name, self._clock, self._seconds)

    def seconds(self, name: str) -> float:
        """What a step has taken so far, in seconds; 0 for one that did not happen."""
        return self._seconds.get(name, 0.0)

    def total(self) -> float:
        """Seconds since the call began."""
        return self._clock() - self._started

    def header(self) -> str:
        """The header's value, such as ``auth;dur=0.4, evaluate;dur=1.2``, in milliseconds; the whole call last."""
        taken = [(name, self._seconds[name]) for name in STEPS if name in self._seconds]
        return ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in [*taken, ("total", self.total())])


class _Step:
    """A step while it happens, to be added to the ``seconds`` of its call."""

    __slots__ = ("_clock", "_name", "_seconds", "_started")

    def __init__(self, name: str, clock: Callable[[], float], seconds: dict[str, float]) -> None:
        self._name, self._clock, self._seconds = name, clock, seconds
        self._started = clock()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] = self._seconds.get(self._name, 0.0) + self._clock() - self._started
