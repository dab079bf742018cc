"""The only place that maps errors to a status and an OperationOutcome.

A browser that asks for a page gets a page with the same content.
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

# After this time a busy or restarted store probably works again.
SECONDS_TO_WAIT = "5"
# On FHIR servers, ours and the workbench's, every error is an OperationOutcome (FHIR R4, RESTful API).
_OF_FHIR = re.compile(r"(?:/workbench)?/fhir(?:/|$)")
_ISSUES = {404: "not-found", 405: "not-supported", 413: "too-long", 415: "not-supported"}


def register(app: Flask, installation: Installation) -> None:
    """Add the error handlers to the application."""

    # Flask would redirect chart and token to an address made from the Host header, without calling an error handler.
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
        404: f"There is nothing at {request.path[:80]}. Find the services at /cds-services.",
        405: f"{request.method} is not allowed here; use a method in the Allow header.",
        413: f"The body is larger than the {current_app.config['MAX_CONTENT_LENGTH']} bytes that the service reads. "
        "Send less, or ask the operator to raise CDS_SERVICE_MAX_BODY_BYTES.",
        503: "The service cannot store data now and stored nothing from this request. Send the request again in "
        f"{SECONDS_TO_WAIT} s.",
        500: "The service failed and did not evaluate this call. The operator's log says where it failed.",
    }.get(status, "The service could not answer the request.")


def _outcome(status: int, code: str, sentence: str, expression: str | None = None) -> Response:
    # For a 5xx the failing part may be the pages themselves.
    if status < 500 and request.method in ("GET", "HEAD") and _asks_for_a_page():
        # Relative, like all links of pages, so that the page works behind any proxy.
        root = "../" * (request.path.count("/") - 1) or "./"
        return rendered("error.html", root, status, title=HTTPStatus(status).phrase, sentence=sentence)
    body = orjson.dumps(operation_outcome(code, sentence, expression))
    return Response(body, status, mimetype="application/fhir+json")


def _asks_for_a_page() -> bool:
    if _OF_FHIR.match(request.path):
        return False
    offered = ("application/fhir+json", "application/json", "text/html")
    return request.accept_mimetypes.best_match(offered) == "text/html"
