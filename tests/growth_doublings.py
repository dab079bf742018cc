"""By how much work grows for twice the input: ``python -m tests.growth_doublings FAMILY`` measures in a new process.

A process in which thousands of tests ran has its memory in pieces, which may triple the cost of reading twice as many
small objects. So what grows too much there is measured once more where nothing ran before.
"""

import gc
import json
import math
import subprocess
import sys
from itertools import pairwise

from tests.growth import FAMILIES, Family, Read, seconds, sizes

MOST_FOR_A_DOUBLING = 2.3
# An input that costs less, in seconds, is read several times over: the clock is too coarse for once.
ENOUGH = 0.015
# Families whose work is to make many small objects, and what a doubling of them costs at most; of a square it is 4.
OBJECTS = {
    "feedback: items",
    "key set: members of a key",
    "orders of other things",
    "orders that go another way",
    "page: links",
    "workbench: members",
}
MOST_FOR_A_DOUBLING_OF_OBJECTS = 3.0
# The best of two tries; where that is too much, the best of six more careful ones, and all that again.
QUICK, CAREFUL, ANEW = 2, 6, 4
# New processes in which a family that grew too much is measured again, and the longest that one may take, in seconds.
PROCESSES, LONGEST = 3, 600


def most_for(name: str) -> float:
    """By how much the work of a family may grow for a doubling of its input."""
    return MOST_FOR_A_DOUBLING_OF_OBJECTS if name in OBJECTS else MOST_FOR_A_DOUBLING


def doublings(family: Family, size: int, most: float = MOST_FOR_A_DOUBLING) -> list[float]:
    """By how much the work grows from n to 2n and from 2n to 4n, which is ``size``; in the best of several tries.

    The tries end as soon as neither is more than ``most``. Luck makes no square pass: n would have to cost three times
    as much in every try.
    """
    inputs = [family.make(size // part) for part in (4, 2, 1)]
    assert len(inputs[-1]) <= family.most
    family.read(inputs[0])
    enough = math.ceil(ENOUGH / max(seconds(family.read, inputs[-1], 1), ENOUGH / 1000))
    grown: list[float] = []
    for _ in range(ANEW):
        # A longer reading is more often interrupted, and then finds the caches emptied: careful is equally long.
        for tries, times in ((QUICK, (1, 1, 1)), (CAREFUL, (4, 2, 1))):
            best = [math.inf] * len(inputs)
            for tried in range(tries):
                for place, data in enumerate(inputs):
                    took = seconds(repeated(family.read, enough * times[place]), data, 1) / times[place]
                    best[place] = min(best[place], took)
                grown = [larger / smaller for smaller, larger in pairwise(best)]
                if tried > 0 and max(grown) <= most:
                    return grown
    return grown


def repeated(read: Read, times: int) -> Read:
    """The same reading, several times over."""

    def several(data: bytes) -> None:
        for _ in range(times):
            read(data)

    return several


def of_family(name: str) -> list[float]:
    """The doublings of one of ``FAMILIES`` at the size that is kept for it, in this process."""
    return doublings(FAMILIES[name], sizes()["costly"].get(name) or sizes()["light"][name], most_for(name))


def in_a_new_process(name: str) -> list[float]:
    """The doublings of one of ``FAMILIES``, measured in a process of its own."""
    command = [sys.executable, "-m", "tests.growth_doublings", name]
    return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=LONGEST).stdout)


def measured(name: str) -> list[float]:
    """The doublings of one of ``FAMILIES``: here, and where they are too large in up to ``PROCESSES`` new processes."""
    grown = of_family(name)
    for _ in range(PROCESSES):
        if max(grown) <= most_for(name):
            break
        grown = in_a_new_process(name)
    return grown


if __name__ == "__main__":
    gc.disable()
    print(json.dumps(of_family(sys.argv[1])))
