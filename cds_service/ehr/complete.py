"""The completion of a call before its answer: fetches missing data that statements need, in stages."""

from collections.abc import Callable, Mapping

from cds_service.clock import Deadline
from cds_service.ehr.addresses import Allowance
from cds_service.ehr.fetch import Completed, Fetcher, KeyReport, NoFetcher
from cds_service.ehr.references import unresolved
from cds_service.hooks.hook_request import HookRequest

# The first stage shows whether a statement has something to say; the second fetches the rest.
MOST_STAGES = 2


def complete_call(
    request: HookRequest,
    wanted: Callable[[HookRequest], Mapping[str, str]],
    fetcher: Fetcher | NoFetcher,
    allowance: Allowance,
    deadline: Deadline,
) -> Completed:
    """The call with all data that was available by the deadline, ready for ``hook_call.answer``; fetches only what it
    needs.

    ``wanted`` returns the templates, by prefetch key, that the answer needs next (``wanted_templates``). A call without
    ``fhir_server`` comes back unchanged. The last step reads the resources that the call only references by id, with
    the reference as key. Raises RequestError 400 as ``hook_call.answer`` does.
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
    # The keys of these reads are record ids, which may not be logged, so the report omits them.
    referred = fetcher.complete(request, unresolved(request), allowance, deadline, room)
    return Completed(referred.request, tuple(report.values()))
