"""HTTP: the application, put together of its parts, and what every answer carries. No rule is decided here."""

import logging
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from time import perf_counter
from typing import Any

import orjson
from flask import Flask, Response, current_app, request
from flask_cors import CORS
from werkzeug.exceptions import MethodNotAllowed, RequestEntityTooLarge

from cds_service import bodies, hooks, pages, service
from cds_service.card import Addresses
from cds_service.library import Library
from cds_service.service import Guide
from cds_service.settings import Settings
from cds_service.web import errors

log = logging.getLogger("cds_service")


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
        hook_request = hooks.parse(service_id, bodies.read_json(data))
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
    errors.register(app)

    @app.after_request
    def guard(answer: Response) -> Response:
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        answer.headers.setdefault("Referrer-Policy", "no-referrer")
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    return app


def _json(body: bytes) -> Response:
    return Response(body, mimetype="application/json")


def _decimal(value: Any) -> orjson.Fragment:
    """A decimal as it was written; JSON has no other way to say 1.10."""
    if not isinstance(value, Decimal):
        raise TypeError
    return orjson.Fragment(str(value))


def _data() -> bytes:
    bodies.check_media_type(
        request.mimetype, request.mimetype_params.get("charset"), request.headers.get("Content-Encoding")
    )
    data = request.get_data(cache=False)
    # A body sent in chunks is cut off at the limit without a word.
    if request.content_length is None and len(data) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    return data
