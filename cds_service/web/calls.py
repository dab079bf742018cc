"""A hook call over HTTP: read, completed from the EHR's FHIR server, answered, told."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from math import ceil
from typing import Any

import orjson
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from cds_service import bodies, hooks, service
from cds_service.errors import RequestError
from cds_service.fetching.call import complete_call
from cds_service.fetching.fetch import server_timing
from cds_service.operations import logs
from cds_service.operations.rate import RateLimiter
from cds_service.outgoing.deadline import Deadline
from cds_service.service import Guide
from cds_service.surroundings import Surroundings
from cds_service.web.record import CallRecord, tell

# What evaluating and writing may take after the last record has come, in seconds.
RESERVE = 0.2


def register(app: Flask, guide: Guide, clock: Callable[[], date], around: Surroundings) -> None:
    """Adds the services to the application; ``clock`` gives the UTC day on which calls are evaluated."""
    limiters: list[RateLimiter] = []

    def limited() -> None:
        # Made at the first call: its thread would not live on in the workers.
        limiter = limiters[0] if limiters else RateLimiter()
        limiters[:] = [limiter]
        wait = limiter.check(guide.client, around.rate_limit)
        if wait is not None:
            if around.metrics is not None:
                around.metrics.rate_limited(guide.client)
            seconds = max(1, ceil(wait))
            sentence = f"More calls than the limit of {around.rate_limit}; call again in {seconds} s."
            raise RequestError(429, "throttled", sentence, headers={"Retry-After": str(seconds)})

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        hooks.hook_of(service_id)
        record = g.record = CallRecord(service_id)
        deadline = Deadline(around.call_seconds - RESERVE)
        logs.begin_call(record.request_id)
        logs.describe_call(service=service_id, client=guide.client)
        if around.rate_limit:
            limited()
        with record.timing.step("read"):
            record.body = _data()
            record.parsed = bodies.read_json(record.body)
            record.request = hooks.parse(service_id, record.parsed)
        today = clock()
        if around.fetcher is not None and record.request.fhir_server is not None:
            with record.timing.step("fetch"):
                completed = complete_call(record.request, guide, today, around.fetcher, around.allowance, deadline)
            record.request, record.report = completed.request, completed.report
        with record.timing.step("evaluate"):
            answers = service.answer(record.request, guide, today)
            if service.echoes_decimals(answers):
                exact = hooks.with_exact_numbers(record.request, service_id, record.body)
                answers = service.answer(exact, guide, today)
        record.answers = answers
        with record.timing.step("write"):
            body = orjson.dumps(service.response(answers), default=_decimal)
        return Response(body, mimetype="application/json")

    # Whatever the method: of an unknown service none is allowed.
    @app.before_request
    def known_service() -> None:
        service_id = request.path.removeprefix("/cds-services").strip("/").partition("/")[0]
        if service_id and request.path.startswith("/cds-services/"):
            hooks.hook_of(service_id)

    @app.after_request
    def told(answer: Response) -> Response:
        record: CallRecord | None = g.get("record")
        if record is not None:
            tell(record, answer.status_code, answer.get_data(), around)
            answer.headers["Server-Timing"] = ", ".join(
                filter(None, (record.timing.header(), server_timing(record.report)))
            )
            logs.end_call()
        return answer


def _data() -> bytes:
    charset, encoding = request.mimetype_params.get("charset"), request.headers.get("Content-Encoding")
    bodies.check_media_type(request.mimetype, charset, encoding)
    try:
        data = request.get_data(cache=False)
    # The caller hung up, or took longer than it may; a server tells of it by one of these, or by a body cut off.
    except (ClientDisconnected, OSError):
        raise _cut_off() from None
    if len(data) < (request.content_length or 0):
        raise _cut_off()
    # A body sent in chunks is cut off at the limit without a word.
    if request.content_length is None and len(data) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    return data


def _cut_off() -> RequestError:
    sentence = "The body did not arrive whole in time; send all of it that its headers announce."
    return RequestError(408, "timeout", sentence, headers={"Connection": "close"})


def _decimal(value: Any) -> orjson.Fragment:
    """A decimal as it was written; JSON has no other way to say 1.10."""
    if not isinstance(value, Decimal):
        raise TypeError
    return orjson.Fragment(str(value))
