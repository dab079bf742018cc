"""Every error as a status and an OperationOutcome: the only place that maps one to the other.

A person who asks for a page with a browser gets a page that says the same.
"""

import re
from http import HTTPStatus

import orjson
from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import RequestRedirect

from cds_service.errors import RequestError, operation_outcome
from cds_service.installation import Installation
from cds_service.operations import logs
from cds_service.store.failures import StoreError
from cds_service.web.pages import rendered

# After that long a store that was busy or restarted is likely to work again.
SECONDS_TO_WAIT = "5"
# Of FHIR servers, ours and that of the workbench, an error is an OperationOutcome, whoever asks (FHIR R4, RESTful API).
_OF_FHIR = re.compile(r"(?:/workbench)?/fhir(?:/|$)")
_ISSUES = {404: "not-found", 405: "not-supported", 413: "too-long", 415: "not-supported"}


def register(app: Flask, installation: Installation) -> None:
    """Adds the error handlers to the application."""

    # Flask would send chart and token on to an address made of the Host header, and asks no error handler about it.
    @app.before_request
    def not_redirected() -> None:
        if isinstance(request.routing_exception, RequestRedirect):
            raise NotFound

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

    @app.errorhandler(StoreError)
    def store(error: StoreError) -> Response:
        logs.logger().error("store-failed", exc_info=error)
        installation.metrics.store_failed()
        answer = _outcome(503, "transient", _sentence(503))
        answer.headers["Retry-After"] = SECONDS_TO_WAIT
        return answer

    @app.errorhandler(Exception)
    def bug(error: Exception) -> Response:
        logs.logger().error("unexpected", exc_info=error)
        return _outcome(500, "exception", _sentence(500))


def _sentence(status: int) -> str:
    return {
        404: f"There is nothing at {request.path[:80]}; the services are listed at /cds-services.",
        405: f"{request.method} is not allowed here; the Allow header lists what is.",
        413: f"The body is larger than the {current_app.config['MAX_CONTENT_LENGTH']} bytes that this service reads; "
        "send less, or let the operator raise CDS_SERVICE_MAX_BODY_BYTES.",
        503: "The service cannot keep anything at the moment, and nothing of this request was kept. Send it again in "
        f"{SECONDS_TO_WAIT} s.",
        500: "The service could not answer this call. Nothing was decided; the operator's log says where it failed.",
    }.get(status, "The request could not be answered.")


def _outcome(status: int, code: str, sentence: str, expression: str | None = None) -> Response:
    # Whatever fails inside may be the pages themselves.
    if status < 500 and request.method in ("GET", "HEAD") and _asks_for_a_page():
        # Relative, as all links of pages are: they hold behind any proxy.
        root = "../" * (request.path.count("/") - 1) or "./"
        return rendered("error.html", root, status, title=HTTPStatus(status).phrase, sentence=sentence)
    body = orjson.dumps(operation_outcome(code, sentence, expression))
    return Response(body, status, mimetype="application/fhir+json")


def _asks_for_a_page() -> bool:
    if _OF_FHIR.match(request.path):
        return False
    offered = ("application/fhir+json", "application/json", "text/html")
    return request.accept_mimetypes.best_match(offered) == "text/html"
