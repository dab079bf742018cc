"""The route /openapi.json: the OpenAPI document of this application."""

import re
from functools import cache

import orjson
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from cds_service.library import Library
from cds_service.web import openapi

_PARAMETER = re.compile(r"\{[a-z_]+\}")


def register(app: Flask, library: Library, public_url: str, *, authenticated: bool) -> None:
    """Add the route; ``authenticated`` says whether calls and feedback require a token."""

    def serves(path: str, method: str) -> bool:
        try:
            # Any text that a parameter accepts will do.
            app.url_map.bind("").match(_PARAMETER.sub("x", path), method)
        except HTTPException:
            return False
        return True

    # Made on the first request, because routes may be registered after this one.
    @cache
    def made() -> bytes:
        policy_ids = [policy.id for policy in library.policies]
        return orjson.dumps(openapi.document(policy_ids, public_url, authenticated, serves))

    @app.get("/openapi.json")
    def document() -> Response:
        return Response(made(), mimetype="application/json")
