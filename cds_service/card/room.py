"""How much a card shows, and what it leaves out first if it would be too long to read at a glance."""

from typing import NamedTuple


class Room(NamedTuple):
    """How much a card shows: items of a bullet, bullets, names of a line.

    ``heading``: show a heading above bullets that the summary already counts. ``joined``: met criteria and trial
    criteria share a line. ``counts``: show met criteria as numbers.
    """

    items: int = 3
    bullets: int = 5
    names: int = 6
    heading: bool = True
    joined: bool = False
    counts: bool = False

    @property
    def for_lead(self) -> tuple[int, int, int, bool]:
        """The values that the lead of a card depends on."""
        return self.items, self.bullets, self.names, self.heading

    @property
    def for_facts(self) -> tuple[int, bool]:
        """The values that the known facts depend on, before lines are joined."""
        return self.names, self.counts


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
