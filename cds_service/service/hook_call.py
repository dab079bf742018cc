"""The story of one call: request in, decisions and cards out. Read this first."""

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

# After that long, whatever made a call late may be over.
SECONDS_TO_WAIT = 5


def always() -> bool:
    """There is always time."""
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
    """Checks one call against every statement that it may concern; at most one answer for each, by the edition of
    the date of service.

    ``candidates`` are ``concerned_policies`` of the call, and ``came`` its ``arrivals``, where the caller has them.
    ``profile`` is a rule of one source, by its id, that the policies which have it are also checked against. Raises
    RequestError 412 where an order is recognized but its patient was not sent, 422 for a profile that cannot be
    applied. A policy that fails answers with a card that says so; the others are unaffected. ``in_time`` says whether
    there is time for another statement: those for which there is none answer with a card that says so too. Raises
    RequestError 503 where there is time for none of them.
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
    """What is said of a call of which nothing could be done in time."""
    sentence = f"The call could not be answered in time; nothing was decided. Send it again in {SECONDS_TO_WAIT} s."
    return RequestError(503, "timeout", sentence, headers={"Retry-After": str(SECONDS_TO_WAIT)})


def response(answers: Iterable[Answer]) -> dict[str, Any]:
    """The CDS Hooks response: the cards, most urgent first, in a fixed order."""
    cards = [item.card for item in answers if item.card is not None]
    return {"cards": sorted(cards, key=lambda item: item["indicator"] != "warning")}


def failures(answers: Iterable[Answer]) -> Iterator[Answer]:
    """The answers of policies that could not be evaluated, for whoever must learn of them."""
    return (item for item in answers if item.error is not None)


def warm_up(library: Library) -> None:
    """Loads now what would otherwise make the first call slow, and before the fork, so that workers share it."""
    # The index and the templates are made when first asked for.
    _ = library.order_index, library.policy_reads, library.opened_on_patient_view
    _ = library.prefetch_templates, library.resource_types
    for policy in library.policies:
        library.silences(policy)
        for act in policy.orders.acts:
            suggestions.warm_up(act)
