"""Every error as a status and an OperationOutcome: the only place that maps one to the other."""

import logging

import orjson
from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from cds_service.errors import RequestError, operation_outcome

log = logging.getLogger("cds_service")

_ISSUES = {404: "not-found", 405: "not-supported", 413: "too-long", 415: "not-supported"}


def register(app: Flask) -> None:
    """Adds the error handlers to the application."""

    @app.errorhandler(RequestError)
    def caller(error: RequestError) -> Response:
        answer = _outcome(error.status, error.code, error.sentence, error.expression)
        answer.headers.extend(error.headers)
        return answer

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or 500
        answer = _outcome(status, _ISSUES.get(status, "processing"), _sentence(status))
        answer.headers.extend((name, value) for name, value in error.get_headers() if name == "Allow")
        return answer

    @app.errorhandler(Exception)
    def bug(error: Exception) -> Response:
        # The message of an unexpected error may repeat what was sent, so that only its kind and place are logged.
        log.error("unexpected %s at %s", type(error).__name__, place_of(error))
        return _outcome(500, "exception", _sentence(500))


def place_of(error: BaseException) -> str:
    """Where an error arose: function and line of the innermost frame."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "unknown"


def _sentence(status: int) -> str:
    return {
        404: f"There is nothing at {request.path[:80]}; the services are listed at /cds-services.",
        405: f"{request.method} is not allowed here; the Allow header lists what is.",
        413: f"The body is larger than the {current_app.config['MAX_CONTENT_LENGTH']} bytes that this service reads; "
        "send less, or let the operator raise CDS_SERVICE_MAX_BODY_BYTES.",
        500: "The service could not answer this call. Nothing was decided; the operator's log says where it failed.",
    }.get(status, "The request could not be answered.")


def _outcome(status: int, code: str, sentence: str, expression: str | None = None) -> Response:
    body = orjson.dumps(operation_outcome(code, sentence, expression))
    return Response(body, status, mimetype="application/fhir+json")
