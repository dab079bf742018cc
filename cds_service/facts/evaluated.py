"""The result of a test over the facts of one patient: its truth, and the truth of every test inside it.

Reasons, the manner in which a test is met, and the facts that settle it come from walks of this tree; no test is
evaluated twice.
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
    """An event, and the result of the inner test for it (None if there is no inner test)."""

    event: Event
    asked: "Evaluated | None"


class Tally(NamedTuple):
    """Counted events: the ``number`` of days that pass, at least and at most; the events that pass, that are open, that
    fail, that came too early, and that fail but may not belong here (``unplaced``)."""

    number: Interval
    passing: tuple[Judged, ...]
    doubtful: tuple[Judged, ...]
    failing: tuple[Judged, ...]
    before: tuple[Judged, ...]
    unplaced: tuple[Judged, ...] = ()


class Evaluated(NamedTuple):
    """A node of a test with all its possible truths; ``inner`` are the nodes inside it, in the order of its tests.

    Unknown among ``possible`` stands for silence: if a fact is open, an unread source may still give a result, so a
    later source (``first``, ``agree``) settles the test only if it does so whatever the unread source says. ``fact`` is
    the fact that a comparison compares or a count counts, ``after`` the fact after whose newest event it counts,
    ``tally`` the events that it counted.
    """

    test: Test
    possible: frozenset[Truth]
    inner: tuple["Evaluated", ...] = ()
    fact: Fact | None = None
    after: Fact | None = None
    tally: Tally | None = None

    @property
    def truth(self) -> Truth:
        """The one possible truth; unknown if there are several."""
        return next(iter(self.possible)) if len(self.possible) == 1 else Truth.UNKNOWN
