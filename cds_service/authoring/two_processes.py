"""Work that two processes share: each takes every second piece, where the system can fork one."""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Piece = TypeVar("Piece")
Result = TypeVar("Result")
# Fewer pieces than this are done sooner than a process is made.
_WORTH_A_PROCESS = 50


def shared(work: Callable[[Piece], Result], pieces: Sequence[Piece], tell: Callable[[int], None]) -> list[Result]:
    """What ``work`` makes of each piece, in their order; ``tell`` hears how many are done.

    Results travel between processes, so that they must be picklable; ``work`` need not be.
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
        # The helper ended without a word, for want of memory perhaps: then its share is done here.
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
    """Sends the results of its share; Ctrl-C ends this process without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    answer.send([work(piece) for piece in pieces])
