"""A call before it is answered: what its policies read and it does not hold is fetched, stage by stage."""

from collections.abc import Callable, Mapping

from cds_service.clock import Deadline
from cds_service.ehr.addresses import Allowance
from cds_service.ehr.fetch import Completed, Fetcher, KeyReport, NoFetcher
from cds_service.ehr.references import unresolved
from cds_service.hooks.hook_request import HookRequest

# What tells whether there is something to say, then the rest.
MOST_STAGES = 2


def complete_call(
    request: HookRequest,
    wanted: Callable[[HookRequest], Mapping[str, str]],
    fetcher: Fetcher | NoFetcher,
    allowance: Allowance,
    deadline: Deadline,
) -> Completed:
    """The call with all that could be had by the deadline, ready for ``hook_call.answer``; nothing is fetched in vain.

    ``wanted`` says which templates, by prefetch key, must be known next to answer the call (``wanted_templates``). A
    call without ``fhir_server`` comes back as it is. At last what it refers to by id alone is read, under the reference
    as its key. Raises RequestError 400 as ``hook_call.answer`` does.
    """
    if request.fhir_server is None:
        return Completed(request)
    report: dict[str, KeyReport] = {}
    room = fetcher.room()
    for _ in range(MOST_STAGES):
        completed = fetcher.complete(request, wanted(request), allowance, deadline, room)
        for item in completed.report:
            report.setdefault(item.key, item)
        if completed.request is request:
            break
        request = completed.request
    # Ids of records are nobody's to log: of these reads nothing is reported.
    referred = fetcher.complete(request, unresolved(request), allowance, deadline, room)
    return Completed(referred.request, tuple(report.values()))
