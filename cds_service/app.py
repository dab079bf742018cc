"""HTTP: the routes, one place for errors, and what every answer carries. No rule is decided here."""

import logging
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from time import perf_counter
from typing import Any

import orjson
from flask import Flask, Response, current_app, request
from flask_cors import CORS
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from cds_service import hooks, pages, service
from cds_service.card import Addresses
from cds_service.errors import RequestError, operation_outcome
from cds_service.library import Library
from cds_service.service import Guide
from cds_service.settings import Settings

log = logging.getLogger("cds_service")

JSON_TYPES = ("application/json", "application/fhir+json")
_ISSUES = {404: "not-found", 405: "not-supported", 413: "too-long", 415: "not-supported"}


def create_app(settings: Settings, library: Library, public_url: str, clock: Callable[[], date]) -> Flask:
    """The Flask application; ``clock`` gives the UTC day on which calls are evaluated, ``public_url`` our address."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    CORS(
        app,
        origins=settings.cors_origins,
        methods=["GET", "POST", "OPTIONS"],
        allow_headers=["Accept", "Authorization", "Content-Type"],
        # A page on the internet may call a service on this machine only where that says so.
        allow_private_network=True,
    )
    guide = Guide(library, Addresses(public_url, settings.canonical_base), settings.key())
    discovery = orjson.dumps(service.discovery(library))

    @app.get("/healthz")
    def healthz() -> Response:
        return _json(b'{"status":"ok"}')

    @app.get("/cds-services", strict_slashes=False)
    def discover() -> Response:
        return _json(discovery)

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        started = perf_counter()
        hooks.hook_of(service_id)
        data = _data()
        hook_request = hooks.parse(service_id, _parsed(data))
        today = clock()
        answers = service.answer(hook_request, guide, today)
        if service.echoes_decimals(answers):
            answers = service.answer(hooks.with_exact_numbers(hook_request, service_id, data), guide, today)
        for failed in service.failures(answers):
            log.error("policy %s could not be evaluated: %s", failed.policy.id, type(failed.error).__name__)
        body = orjson.dumps(service.response(answers), default=_decimal)
        log.info("%s: cards %d, %.1f ms", service_id, len(answers), (perf_counter() - started) * 1000)
        return _json(body)

    @app.get("/cds-services/<service_id>")
    def wrong_method(service_id: str) -> Response:
        hooks.hook_of(service_id)
        raise MethodNotAllowed(["POST", "OPTIONS"])

    pages.register(app, library, public_url, clock)
    _register_errors(app)

    @app.after_request
    def guard(answer: Response) -> Response:
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        answer.headers.setdefault("Referrer-Policy", "no-referrer")
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    return app


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, mimetype="application/json")


def _decimal(value: Any) -> orjson.Fragment:
    """A decimal as it was written; JSON has no other way to say 1.10."""
    if not isinstance(value, Decimal):
        raise TypeError
    return orjson.Fragment(str(value))


def _data() -> bytes:
    if request.mimetype not in JSON_TYPES:
        raise RequestError(
            415,
            "not-supported",
            f"The body is sent as '{request.mimetype[:60] or 'nothing'}'; send it with Content-Type: application/json.",
        )
    data = request.get_data(cache=False)
    # A body sent in chunks is cut off at the limit without a word.
    if request.content_length is None and len(data) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    return data


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise RequestError(
            400, "structure", f"The body is not JSON: line {error.lineno}, column {error.colno}: {error.msg}."
        ) from None


def _register_errors(app: Flask) -> None:
    """Maps every error to a status and an OperationOutcome; this is the only place that does."""

    @app.errorhandler(RequestError)
    def caller(error: RequestError) -> Response:
        return _outcome(error.status, error.code, error.sentence, error.expression)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or 500
        answer = _outcome(status, _ISSUES.get(status, "processing"), _sentence(status))
        answer.headers.extend((name, value) for name, value in error.get_headers() if name == "Allow")
        return answer

    @app.errorhandler(Exception)
    def bug(error: Exception) -> Response:
        # The message of an unexpected error may repeat what was sent, so that only its kind and place are logged.
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "unknown"
        log.error("unexpected %s at %s", type(error).__name__, place)
        return _outcome(500, "exception", _sentence(500))


def _sentence(status: int) -> str:
    return {
        404: f"There is nothing at {request.path[:80]}; the services are listed at /cds-services.",
        405: f"{request.method} is not allowed here; the Allow header lists what is.",
        413: f"The body is larger than the {current_app.config['MAX_CONTENT_LENGTH']} bytes that this service reads; "
        "send less, or let the operator raise CDS_SERVICE_MAX_BODY_BYTES.",
        500: "The service could not answer this call. Nothing was decided; the operator's log says where it failed.",
    }.get(status, "The request could not be answered.")


def _outcome(status: int, code: str, sentence: str, expression: str | None = None) -> Response:
    answer = _json(orjson.dumps(operation_outcome(code, sentence, expression)), status)
    answer.mimetype = "application/fhir+json"
    return answer
