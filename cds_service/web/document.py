"""The OpenAPI document of what this application serves, at /openapi.json."""

import re
from functools import cache

import orjson
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from cds_service.library import Library
from cds_service.web import openapi

_PARAMETER = re.compile(r"\{[a-z_]+\}")


def register(app: Flask, library: Library, public_url: str, *, authenticated: bool) -> None:
    """Adds the route; ``authenticated`` tells whether calls and feedback ask for a token."""

    def serves(path: str, method: str) -> bool:
        try:
            # In the place of a parameter anything that may stand there.
            app.url_map.bind("").match(_PARAMETER.sub("x", path), method)
        except HTTPException:
            return False
        return True

    # Made when first asked for: routes may be registered after this one.
    @cache
    def made() -> bytes:
        policy_ids = [policy.id for policy in library.policies]
        return orjson.dumps(openapi.document(policy_ids, public_url, authenticated, serves))

    @app.get("/openapi.json")
    def document() -> Response:
        return Response(made(), mimetype="application/json")
