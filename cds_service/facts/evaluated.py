"""A test as it came out over the facts of one patient: its truth, and that of everything inside it.

Reasons, the manner in which a test is met, and what settles it are walks of this tree; nothing is evaluated twice.
"""

from collections.abc import Mapping
from typing import NamedTuple

from cds_service.facts.evidence import Event, Fact
from cds_service.facts.logic import Truth
from cds_service.fhir.elements import Interval
from cds_service.policy.model import Test

WAIVED, DOES_NOT_APPLY = "waived", "does not apply"

Facts = Mapping[str, Fact]
ALONE = {truth: frozenset((truth,)) for truth in Truth}


class Judged(NamedTuple):
    """An event, and how the test that is asked of each came out for it (None where nothing is asked)."""

    event: Event
    asked: "Evaluated | None"


class Tally(NamedTuple):
    """Events judged: the ``number`` of days that pass, at least and at most; the events that pass, that stand open,
    that fail, that came too early, and that fail but are not certain to belong here (``unplaced``)."""

    number: Interval
    passing: tuple[Judged, ...]
    doubtful: tuple[Judged, ...]
    failing: tuple[Judged, ...]
    before: tuple[Judged, ...]
    unplaced: tuple[Judged, ...] = ()


class Evaluated(NamedTuple):
    """A node of a test with all that it may come to; ``inner`` are those inside it, in the order of its tests.

    Unknown among ``possible`` stands for silence: where a fact is open, a source that was not read may say more than
    silence, so that another source behind it (``first``, ``agree``) settles nothing unless it does so whatever that
    source would say. ``fact`` is what a comparison compares or a count counts, ``after`` the fact after whose newest it
    counts, ``tally`` what it counted.
    """

    test: Test
    possible: frozenset[Truth]
    inner: tuple["Evaluated", ...] = ()
    fact: Fact | None = None
    after: Fact | None = None
    tally: Tally | None = None

    @property
    def truth(self) -> Truth:
        """Settled only where all that the facts may be gives the same truth."""
        return next(iter(self.possible)) if len(self.possible) == 1 else Truth.UNKNOWN
