"""A test in words, for a reader who wants the exact logic."""

from typing import NamedTuple


class Clause(NamedTuple):
    """A test in words; ``inner`` are the clauses that ``text`` speaks of (none for a single comparison).

    ``beside`` are the clauses that limit it: when it is asked at all, what waives it, what makes its no no answer.
    """

    text: str
    inner: tuple["Clause", ...] = ()
    beside: tuple["Clause", ...] = ()
