"""A hook call over HTTP: read, completed from the EHR's FHIR server, answered, told."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import MethodNotAllowed, RequestEntityTooLarge

from cds_service import bodies, hooks, service
from cds_service.dialect import spoken
from cds_service.fetching.call import complete_call
from cds_service.fetching.fetch import server_timing
from cds_service.operations import logs
from cds_service.outgoing.deadline import Deadline
from cds_service.service import Guide
from cds_service.surroundings import Surroundings
from cds_service.web.gate import Gate
from cds_service.web.record import CallRecord, tell

# What evaluating and writing may take after the last record has come, in seconds.
RESERVE = 0.2


def register(app: Flask, guide: Guide, clock: Callable[[], date], around: Surroundings, gate: Gate) -> None:
    """Adds the services to the application; ``clock`` gives the UTC day on which calls are evaluated, ``gate`` lets
    callers in.
    """

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        hooks.hook_of(service_id)
        record = g.record = CallRecord(service_id)
        deadline = Deadline(around.call_seconds - RESERVE)
        logs.begin_call(record.request_id)
        logs.describe_call(service=service_id)
        client = gate.admit(record, deadline)
        own = replace(guide, client=client.id) if client else guide
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
            # How long a check took tells which one it was: not those who are not trusted.
            if record.caller is not None:
                parts = filter(None, (record.timing.header(), server_timing(record.report)))
                answer.headers["Server-Timing"] = ", ".join(parts)
            logs.end_call()
        return answer


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
