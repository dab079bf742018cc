"""How much a card says: what it leaves out first where it would be too long to be read at once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Room:
    """How much one says: items of a bullet, bullets, names of a line; ``heading``: over bullets that the summary
    counts already; ``joined``: met criteria and those of trials share a line; ``counts``: met criteria as numbers."""

    items: int = 3
    bullets: int = 5
    names: int = 6
    heading: bool = True
    joined: bool = False
    counts: bool = False


ROOMS = (
    Room(),
    Room(heading=False),
    Room(heading=False, joined=True),
    Room(heading=False, joined=True, names=3),
    Room(heading=False, joined=True, names=2, items=2),
    Room(heading=False, joined=True, names=2, items=1),
    Room(heading=False, joined=True, names=2, items=1, counts=True),
    Room(heading=False, joined=True, names=2, items=1, counts=True, bullets=4),
    Room(heading=False, joined=True, names=2, items=1, counts=True, bullets=3),
    Room(heading=False, joined=True, names=2, items=1, counts=True, bullets=2),
)
