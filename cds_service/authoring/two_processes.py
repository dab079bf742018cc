"""Splits work between two processes, every second piece each, if the system can fork."""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Piece = TypeVar("Piece")
Result = TypeVar("Result")
# Forking a process takes longer than this many pieces.
_WORTH_A_PROCESS = 50


def shared(work: Callable[[Piece], Result], pieces: Sequence[Piece], tell: Callable[[int], None]) -> list[Result]:
    """The result of ``work`` for each piece, in order; ``tell`` receives the number done.

    Results must be picklable, because they cross processes; ``work`` need not be.
    """
    if len(pieces) < _WORTH_A_PROCESS or "fork" not in multiprocessing.get_all_start_methods():
        return _done(work, pieces, tell, 1)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    helper = context.Process(target=_help, args=(work, pieces[1::2], theirs), daemon=True)
    helper.start()
    theirs.close()
    even = _done(work, pieces[::2], tell, 2)
    try:
        odd = ours.recv()
    except EOFError:
        # The helper died, perhaps out of memory, so do its share here.
        odd = [work(piece) for piece in pieces[1::2]]
    helper.join()
    results = [*even, *odd]
    results[::2], results[1::2] = even, odd
    return results


def _done(
    work: Callable[[Piece], Result], pieces: Sequence[Piece], tell: Callable[[int], None], each_counts: int
) -> list[Result]:
    results = []
    for number, piece in enumerate(pieces, 1):
        results.append(work(piece))
        tell(number * each_counts)
    return results


def _help(work: Callable[[Piece], Result], pieces: Sequence[Piece], answer: "Connection[list[Result], None]") -> None:
    """Sends the results of its share. Ctrl-C ends this process silently."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    answer.send([work(piece) for piece in pieces])
