"""The chart of a call, as the policies that it concerns read it, and in which state each of its lists came."""

from collections.abc import Collection, Mapping

from cds_service.chart.arrivals import Arrivals, State, arrived
from cds_service.chart.chart import Chart
from cds_service.errors import RequestError
from cds_service.hooks.hook_request import HookRequest
from cds_service.library import Library
from cds_service.policy.model import Policy
from cds_service.service.guide import Guide


def arrivals(request: HookRequest, library: Library) -> Arrivals:
    """What came as the prefetch of a call, or was fetched in its place."""
    return arrived(request.prefetch, library.prefetch_keys, request.patient_id, request.unfetched)


def states(came: Arrivals, library: Library) -> Mapping[str, str]:
    """Published prefetch key -> the ``State`` of its list."""
    return {key: came.listings[kind].state.value for key, kind in library.prefetch_keys.items()}


def failed_lists(listed: Mapping[str, str]) -> list[str]:
    """The published keys whose list failed or is only a part of what is on record, out of ``states``."""
    return [key for key, state in listed.items() if state == State.FAILED.value]


def read_chart(request: HookRequest, candidates: Collection[Policy], guide: Guide, came: Arrivals) -> Chart:
    """The chart as these policies read it.

    What the others read stays unread: they cost nothing then, and cannot change what these policies see. Raises
    RequestError 400 for a prefetch that is nested too deeply.
    """
    types, lexicon = guide.library.policy_reads.of(candidates)
    try:
        return Chart.of(
            came.resources,
            came.listings,
            patient_id=request.patient_id,
            types=types,
            lexicon=lexicon,
            addresses=came.addresses,
            limits=guide.limits,
        )
    except RecursionError:
        raise RequestError(400, "too-costly", "prefetch is nested too deeply to be read.", "prefetch") from None
