"""A call before it is answered: what its policies read and it does not hold is fetched, stage by stage."""

from collections.abc import Sequence
from datetime import date

from cds_service import service
from cds_service.fetching.fetch import Completed, Fetcher, KeyReport
from cds_service.hooks import HookRequest
from cds_service.outgoing.addresses import Allowance
from cds_service.outgoing.deadline import Deadline
from cds_service.policy import Policy
from cds_service.service import Guide

# What tells whether there is something to say, then the rest.
MOST_STAGES = 2


def complete_call(
    request: HookRequest,
    guide: Guide,
    today: date,
    fetcher: Fetcher,
    allowance: Allowance,
    deadline: Deadline,
    candidates: Sequence[Policy] | None = None,
) -> Completed:
    """The call with all that could be had by the deadline, ready for ``service.answer``; nothing is fetched in vain.

    ``candidates`` are ``service.concerned`` of the call, where the caller has them. A call without ``fhir_server``, or
    that is nobody's business, comes back as it is. Raises RequestError 400 as ``service.answer`` does.
    """
    if request.fhir_server is None:
        return Completed(request)
    if candidates is None:
        candidates = service.concerned(request, guide, today)
    report: dict[str, KeyReport] = {}
    for _ in range(MOST_STAGES if candidates else 0):
        completed = fetcher.complete(request, service.wanted(request, candidates, guide, today), allowance, deadline)
        for item in completed.report:
            report.setdefault(item.key, item)
        if completed.request is request:
            break
        request = completed.request
    return Completed(request, tuple(report.values()))
