"""The chart of a call, limited to what the concerned rule sets read, and the state of each prefetch list."""

from collections.abc import Collection, Mapping

from cds_service.chart.arrivals import Arrivals, State, arrived
from cds_service.chart.chart import Chart
from cds_service.errors import RequestError
from cds_service.hooks.hook_request import HookRequest
from cds_service.library import Library
from cds_service.policy.model import Policy
from cds_service.service.guide import Guide


def arrivals(request: HookRequest, library: Library) -> Arrivals:
    """The records of a call's prefetch, sent or fetched."""
    return arrived(request.prefetch, library.prefetch_keys, request.patient_id, request.unfetched)


def states(came: Arrivals, library: Library) -> Mapping[str, str]:
    """Published prefetch key -> the ``State`` of its list."""
    return {key: came.listings[kind].state.value for key, kind in library.prefetch_keys.items()}


def failed_lists(listed: Mapping[str, str]) -> list[str]:
    """The published keys whose list failed or is incomplete, from ``states``."""
    return [key for key, state in listed.items() if state == State.FAILED.value]


def read_chart(request: HookRequest, candidates: Collection[Policy], guide: Guide, came: Arrivals) -> Chart:
    """The chart, limited to what these rule sets read.

    The records of other rule sets stay unread: they cost nothing, and cannot change what these rule sets see. Raises
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
