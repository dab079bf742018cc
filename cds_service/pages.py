"""Pages for people: the start page and each statement as it is encoded, as HTML and as JSON."""

from flask import Flask, Response, abort, render_template
import orjson

from cds_service import hooks
from cds_service.library import Library

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def register(app: Flask, library: Library) -> None:
    """Adds the pages to the application."""

    def page(template: str, **values: object) -> Response:
        answer = Response(render_template(template, **values), mimetype="text/html")
        answer.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return answer

    @app.get("/")
    def start() -> Response:
        return page("start.html", policies=library.policies, services=hooks.SERVICES)

    @app.get("/policies")
    def policies() -> Response:
        return page("policies.html", policies=library.policies)

    @app.get("/policies/<policy_id>.json")
    def policy_json(policy_id: str) -> Response:
        policy = library.policy(policy_id) or abort(404)
        return Response(orjson.dumps(policy.raw), mimetype="application/json")

    @app.get("/policies/<policy_id>")
    def policy(policy_id: str) -> Response:
        found = library.policy(policy_id) or abort(404)
        return page("policy.html", policy=found)
