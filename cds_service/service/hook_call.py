"""The evaluation of one call: request in, decisions and cards out. Read this first."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from cds_service.card import suggestions
from cds_service.chart.arrivals import Arrivals
from cds_service.errors import RequestError
from cds_service.hooks.hook_request import HookRequest
from cds_service.library import Library
from cds_service.policy.model import Policy
from cds_service.service.call_chart import arrivals, read_chart
from cds_service.service.concerned import concerned_policies, orders_of
from cds_service.service.guide import Guide
from cds_service.service.statement import Answer, ReadCall, answer_of, late_answer

# After this time the cause of a late call may be over.
SECONDS_TO_WAIT = 5


def always() -> bool:
    """True: there is always time left."""
    return True


def answer(
    request: HookRequest,
    guide: Guide,
    today: date,
    profile: str | None = None,
    *,
    candidates: Sequence[Policy] | None = None,
    in_time: Callable[[], bool] = always,
    came: Arrivals | None = None,
) -> list[Answer]:
    """Evaluate one call against every rule set that it may concern.

    Returns at most one answer for each statement, by the edition in force on the date of service.

    ``candidates`` are ``concerned_policies`` of the call and ``came`` its ``arrivals``, if the caller has them.
    ``profile`` is the id of one source's rule, which also applies to the rule sets that have it. ``in_time`` says
    whether there is time for another rule set. A rule set that fails, or for which there is no time, answers with a
    card that says so; the others are unaffected.

    Raises RequestError 412 if an order is recognized but its patient was not sent, 422 for a profile that cannot be
    applied, and 503 if there is no time for any rule set.
    """
    if profile is not None:
        _refuse_profile(guide.library, profile)
    if candidates is None:
        candidates = concerned_policies(request, guide, today)
    if not candidates:
        return []
    if not in_time():
        raise late()
    if came is None:
        came = arrivals(request, guide.library)
    call = ReadCall(request, orders_of(request), read_chart(request, candidates, guide, came), guide, today, profile)
    if not in_time():
        raise late()
    statements = {policy.statement for policy in candidates}
    return [
        found
        for editions in guide.library.statements
        if editions[0].statement in statements
        and (found := answer_of(editions, call) if in_time() else late_answer(editions, call)) is not None
    ]


def _refuse_profile(library: Library, name: str) -> None:
    known = {key: profile for policy in library.policies for key, profile in policy.profiles.items()}
    if name not in known:
        allowed = ", ".join(known) or "none"
        raise RequestError(422, "not-found", f"There is no profile '{name[:60]}'; there are {allowed}.")
    if known[name].pending is not None:
        raise RequestError(422, "not-supported", f"The profile '{name}' is pending: {known[name].pending}")


def late() -> RequestError:
    """The error for a call that ran out of time before any evaluation."""
    sentence = f"The service ran out of time and did not evaluate the call. Send it again in {SECONDS_TO_WAIT} s."
    return RequestError(503, "timeout", sentence, headers={"Retry-After": str(SECONDS_TO_WAIT)})


def response(answers: Iterable[Answer]) -> dict[str, Any]:
    """The CDS Hooks response: the cards, most urgent first, in a fixed order."""
    cards = [item.card for item in answers if item.card is not None]
    return {"cards": sorted(cards, key=lambda item: item["indicator"] != "warning")}


def failures(answers: Iterable[Answer]) -> Iterator[Answer]:
    """The answers of rule sets that could not be evaluated, for reports."""
    return (item for item in answers if item.error is not None)


def warm_up(library: Library) -> None:
    """Load before the fork what would slow down the first call, so that workers share it."""
    # The library computes these on first access.
    _ = library.order_index, library.policy_reads, library.opened_on_patient_view
    _ = library.prefetch_templates, library.resource_types
    for policy in library.policies:
        library.silences(policy)
        for act in policy.orders.acts:
            suggestions.warm_up(act)
