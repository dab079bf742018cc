"""A hook call over HTTP: read, completed from the EHR's FHIR server, answered, told."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
from flask import Flask, Response, g, request
from werkzeug.exceptions import MethodNotAllowed

from cds_service import bodies, hooks, service
from cds_service.fetching.call import complete_call
from cds_service.fetching.fetch import server_timing
from cds_service.operations import logs
from cds_service.outgoing.deadline import Deadline
from cds_service.service import Guide
from cds_service.surroundings import Surroundings
from cds_service.web import probe, reading
from cds_service.web.reading import Gate
from cds_service.web.record import CallRecord, tell

# What evaluating and writing may take after the last record has come, in seconds.
RESERVE = 0.2


def register(app: Flask, guide: Guide, clock: Callable[[], date], around: Surroundings, gate: Gate) -> None:
    """Adds the services to the application; ``clock`` gives the UTC day on which calls are evaluated."""

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        hooks.hook_of(service_id)
        asked = probe.of(request.environ)
        record = CallRecord(service_id, asked.today if asked else clock(), guide.client)
        deadline = Deadline(around.call_seconds - RESERVE)
        if asked is None:
            g.record = record
            logs.begin_call(record.request_id)
            logs.describe_call(service=service_id, client=guide.client)
            gate.pass_through(guide.client)
        with record.timing.step("read"):
            record.body = reading.body()
            record.parsed = bodies.read_json(record.body)
            record.request = hooks.parse(service_id, record.parsed)
        today = record.today
        record.concerned = service.concerned(record.request, guide, today)
        if around.fetcher is not None and record.request.fhir_server is not None and record.concerned:
            with record.timing.step("fetch"):
                completed = complete_call(record.request, guide, today, around.fetcher, around.allowance, deadline)
            record.request, record.report = completed.request, completed.report
        with record.timing.step("evaluate"):
            answers = service.answer(record.request, guide, today, candidates=record.concerned)
            if service.echoes_decimals(answers):
                exact = hooks.with_exact_numbers(record.request, service_id, record.body)
                answers = service.answer(exact, guide, today, candidates=record.concerned)
        record.answers = answers
        if asked is not None:
            asked.answers = answers
        with record.timing.step("write"):
            body = orjson.dumps(service.response(answers), default=_decimal)
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


def _decimal(value: Any) -> orjson.Fragment:
    """A decimal as it was written; JSON has no other way to say 1.10."""
    if not isinstance(value, Decimal):
        raise TypeError
    return orjson.Fragment(str(value))
