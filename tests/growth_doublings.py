"""By how much work grows for twice the input: ``python -m tests.growth_doublings FAMILY`` measures in a new process.

A process in which thousands of tests ran has its memory in pieces, which may triple the cost of reading twice as many
small objects. So what grows too much there is measured once more where nothing ran before.
"""

import ctypes
import gc
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise

import orjson

from tests.growth import AIMED_AT, BEST_OF, FAMILIES, Family, Read, is_refused, rounded, seconds, sizes, timed

MOST_FOR_A_DOUBLING = 2.3
# An input that costs less, in seconds, is read several times over, so that a single interruption does not decide.
ENOUGH = 0.005
# How often the input of n, 2n and 4n is read in one try. A longer reading is more often interrupted, and then finds the
# caches emptied: where once each grew too much, all three are made equally long.
ONCE_EACH, EQUALLY_LONG = (1, 1, 1), (4, 2, 1)
# The 5 MB of the largest input come from memory where those of a smaller one lie in a cache: so many seconds more were
# measured, three times the work for twice the bytes of what costs a millisecond at most. A square pass is found all the
# same, and of what costs 50 ms this is nothing.
OUT_OF_CACHE = 0.0002
# In a try each input is read at least so often, and up to BEST_OF times where it grew too much: interruptions only ever
# add, so that what grew too much at first may be mended by reading again, and what did not needs no more.
AT_LEAST = 2
# So often all that is done again.
ANEW = 4
# New processes in which a family that grew too much is measured again, and the longest that one may take, in seconds.
PROCESSES, LONGEST = 3, 600
# glibc's malloc.h: what is given back to the system, and what is taken from it apart from the heap.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
KEEP_ALL, NONE_APART = 2**31 - 1, 0
TRIM_USUALLY, APART_USUALLY = 128 * 1024, 65_536
# Python's own memory for small objects: as much as the readers need, in objects of nearly the largest size. Each arena
# has more than so many of them, and is kept by one.
RESERVE, SMALL, OF_AN_ARENA = 192_000_000, 450, 1_000


@contextmanager
def kept_memory() -> Iterator[None]:
    """Meanwhile the process keeps the memory that it is done with, as one does that has read much before.

    New memory from the system costs more than reading what is put there, and from some size of the input on each
    reading would pay that: a step of the allocator (5 to 13 times for twice the bytes were measured), where the
    reader does twice the work.
    """
    _tell_malloc(KEEP_ALL, NONE_APART)
    reserve = [bytes(SMALL) for _ in range(RESERVE // SMALL)]
    kept = reserve[::OF_AN_ARENA]
    del reserve
    try:
        yield
    finally:
        del kept
        _tell_malloc(TRIM_USUALLY, APART_USUALLY)


def _tell_malloc(trim: int, apart: int) -> None:
    # Other libraries have no such choice; Python's own memory is kept there too.
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_TRIM_THRESHOLD, trim)
        library.mallopt(M_MMAP_MAX, apart)
        if trim != KEEP_ALL:
            library.malloc_trim(0)


def doublings(family: Family, size: int) -> list[float]:
    """By how much the work grows from n to 2n and from 2n to 4n, which is ``size``; in the best of two to five tries.

    On a machine half as fast as that on which the sizes were measured, half the size is work enough. The tries are made
    again while either is too much. Luck makes no square pass: n would have to cost nearly twice as much in every try.
    """
    inputs = _inputs(family, size)
    whole = timed(family.read, inputs[-1])
    if whole[0] > 2 * AIMED_AT:
        inputs = _inputs(family, rounded(size // 2))
        whole = timed(family.read, inputs[-1])
    begun = [*(timed(family.read, data) for data in inputs[:-1]), whole]
    # What is refused at 4n alone would hide how the reading grows.
    assert is_refused(begun[0][1]) == is_refused(begun[-1][1])
    first = [took for took, _ in begun]
    enough = math.ceil(ENOUGH / max(first[-1], ENOUGH / 1000))
    grown: list[float] = []
    for times in (ONCE_EACH, EQUALLY_LONG) * ANEW:
        # The reading that told how much is enough is one of the first try, if it was long enough itself.
        known = not grown and enough == 1
        best = first if known else [math.inf] * len(inputs)
        for turn in range(1 + known, BEST_OF + 1):
            for place, data in enumerate(inputs):
                took = seconds(repeated(family.read, enough * times[place]), data, 1) / times[place]
                best[place] = min(best[place], took)
            grown = [(larger - enough * OUT_OF_CACHE) / smaller for smaller, larger in pairwise(best)]
            if turn >= AT_LEAST and max(grown) <= MOST_FOR_A_DOUBLING:
                return grown
        added = _beside_the_parser(inputs, [took / enough for took in best])
        if added and max(added) <= MOST_FOR_A_DOUBLING:
            return added
    return grown


def _beside_the_parser(inputs: list[bytes], best: list[float]) -> list[float]:
    """By how much the work grows that a reader adds to the parser's own; nothing where the input is not JSON.

    A JSON object of 100,000 members outgrows a processor's caches as a hash table: for twice as many, the plain parser
    needs two and a half times the time on some machines, whatever is done with them.
    """
    try:
        parsed = [seconds(orjson.loads, data) for data in inputs]
    except orjson.JSONDecodeError:
        return []
    added = [took - plain for took, plain in zip(best, parsed, strict=True)]
    return [larger / smaller for smaller, larger in pairwise(added)] if min(added) > 0 else []


def _inputs(family: Family, size: int) -> list[bytes]:
    """The inputs of n, 2n and 4n, which is ``size``."""
    inputs = [family.make(size // part) for part in (4, 2, 1)]
    assert len(inputs[-1]) <= family.most
    return inputs


def repeated(read: Read, times: int) -> Read:
    """The same reading, several times over."""

    def several(data: bytes) -> None:
        for _ in range(times):
            read(data)

    return several


def of_family(name: str) -> list[float]:
    """The doublings of one of ``FAMILIES`` at the size that is kept for it, in this process."""
    return doublings(FAMILIES[name], sizes()[name])


def in_a_new_process(name: str) -> list[float]:
    """The doublings of one of ``FAMILIES``, measured in a process of its own."""
    command = [sys.executable, "-m", "tests.growth_doublings", name]
    return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=LONGEST).stdout)


def measured(name: str) -> list[float]:
    """The doublings of one of ``FAMILIES``: here, and where they are too large in up to ``PROCESSES`` new processes."""
    grown = of_family(name)
    for _ in range(PROCESSES):
        if max(grown) <= MOST_FOR_A_DOUBLING:
            break
        grown = in_a_new_process(name)
    return grown


if __name__ == "__main__":
    gc.disable()
    with kept_memory():
        print(json.dumps(of_family(sys.argv[1])))
