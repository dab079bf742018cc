"""A hook call over HTTP: read, completed from the EHR's FHIR server, answered, told."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from math import ceil
from typing import Any

import orjson
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import MethodNotAllowed, RequestEntityTooLarge

from cds_service import bodies, hooks, service
from cds_service.dialect import spoken
from cds_service.errors import RequestError
from cds_service.fetching.call import complete_call
from cds_service.fetching.fetch import server_timing
from cds_service.operations import logs
from cds_service.operations.audit import Caller
from cds_service.operations.rate import RateLimiter
from cds_service.outgoing.deadline import Deadline
from cds_service.service import Guide
from cds_service.surroundings import Surroundings
from cds_service.trust.entries import Client
from cds_service.web import trusted
from cds_service.web.record import CallRecord, tell

# What evaluating and writing may take after the last record has come, in seconds.
RESERVE = 0.2


def register(app: Flask, guide: Guide, clock: Callable[[], date], around: Surroundings) -> None:
    """Adds the services to the application; ``clock`` gives the UTC day on which calls are evaluated."""
    limits = Limits(around)

    def caller(record: CallRecord, deadline: Deadline) -> Client | None:
        """Who calls; None where calls are open."""
        if around.verifier is None:
            record.caller = Caller()
            return None
        with record.timing.step("auth"):
            try:
                verified = trusted.who(around.verifier, guide.addresses.public_url, around, deadline)
            except RequestError as error:
                if error.status == 401:
                    limits.refused(request.remote_addr or "")
                raise
        client = verified.client
        record.caller = Caller(client.id, verified.issuer, verified.tenant, verified.token_id, verified.subject)
        return client

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        hooks.hook_of(service_id)
        record = g.record = CallRecord(service_id)
        deadline = Deadline(around.call_seconds - RESERVE)
        logs.begin_call(record.request_id)
        logs.describe_call(service=service_id)
        client = caller(record, deadline)
        own = replace(guide, client=client.id) if client else guide
        logs.describe_call(client=own.client)
        limits.count(own.client, (client.rate_limit if client else "") or around.rate_limit)
        with record.timing.step("read"):
            record.body = _data()
            record.parsed = bodies.read_json(record.body)
            record.request = hooks.parse(service_id, record.parsed)
        today = clock()
        allowance = client.fhir_allowance() if client else around.allowance
        may_fetch = client is None or bool(client.fhir_servers)
        if around.fetcher is not None and may_fetch and record.request.fhir_server is not None:
            with record.timing.step("fetch"):
                completed = complete_call(record.request, own, today, around.fetcher, allowance, deadline)
            record.request, record.report = completed.request, completed.report
        with record.timing.step("evaluate"):
            answers = service.answer(record.request, own, today)
            if service.echoes_decimals(answers):
                exact = hooks.with_exact_numbers(record.request, service_id, record.body)
                answers = service.answer(exact, own, today)
        record.answers = answers
        with record.timing.step("write"):
            body = orjson.dumps(spoken(service.response(answers), client), default=_decimal)
        return Response(body, mimetype="application/json")

    @app.get("/cds-services/<service_id>")
    def wrong_method(service_id: str) -> Response:
        hooks.hook_of(service_id)
        raise MethodNotAllowed(["POST", "OPTIONS"])

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


class Limits:
    """The limits of calls, counted in this process. Each raises RequestError 429 where there was one call too many."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._limiter: RateLimiter | None = None

    def count(self, client_id: str, limit: str) -> None:
        """Counts a call of a client; an empty limit is none."""
        wait = self._made().check(client_id, limit) if limit else None
        if wait is not None:
            if self._around.metrics is not None:
                self._around.metrics.rate_limited(client_id)
            raise _throttled(f"More calls than the limit of {limit}", wait)

    def refused(self, address: str) -> None:
        """Counts a call that was not trusted, by the address that it came from."""
        wait = self._made().refused(address)
        if wait is not None:
            raise _throttled("Too many calls that were not trusted", wait)

    def _made(self) -> RateLimiter:
        # Made at the first call: its thread would not live on in the workers.
        if self._limiter is None:
            self._limiter = RateLimiter()
        return self._limiter


def _throttled(what: str, wait: float) -> RequestError:
    seconds = max(1, ceil(wait))
    sentence = f"{what}; call again in {seconds} s."
    return RequestError(429, "throttled", sentence, headers={"Retry-After": str(seconds)})


def _data() -> bytes:
    charset, encoding = request.mimetype_params.get("charset"), request.headers.get("Content-Encoding")
    bodies.check_media_type(request.mimetype, charset, encoding)
    data = request.get_data(cache=False)
    # A body sent in chunks is cut off at the limit without a word.
    if request.content_length is None and len(data) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    return data


def _decimal(value: Any) -> orjson.Fragment:
    """A decimal as it was written; JSON has no other way to say 1.10."""
    if not isinstance(value, Decimal):
        raise TypeError
    return orjson.Fragment(str(value))
