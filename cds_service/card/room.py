"""How much a card says: what it leaves out first where it would be too long to be read at once."""

from typing import NamedTuple


class Room(NamedTuple):
    """How much one says: items of a bullet, bullets, names of a line; ``heading``: over bullets that the summary
    counts already; ``joined``: met criteria and those of trials share a line; ``counts``: met criteria as numbers."""

    items: int = 3
    bullets: int = 5
    names: int = 6
    heading: bool = True
    joined: bool = False
    counts: bool = False

    @property
    def for_lead(self) -> tuple[int, int, int, bool]:
        """What of it the lead of a card depends on."""
        return self.items, self.bullets, self.names, self.heading

    @property
    def for_facts(self) -> tuple[int, bool]:
        """What of it the facts depend on that are known, which lines may then share."""
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
