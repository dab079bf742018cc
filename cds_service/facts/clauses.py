"""A test in words, for a reader who wants the exact logic."""

from typing import NamedTuple


class Clause(NamedTuple):
    """A test in words; ``inner`` are the clauses that ``text`` introduces (none for a single comparison).

    ``beside`` are the clauses that limit it: when it applies, what waives it, and what makes a negative result unknown.
    """

    text: str
    inner: tuple["Clause", ...] = ()
    beside: tuple["Clause", ...] = ()
