"""Pages for people: the start page, the services, and each rule set, as HTML and as JSON.

The first request for a page loads the modules that describe rule sets; a process that only answers calls never does.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import orjson
from flask import Flask, Response, abort, render_template

from cds_service import __version__
from cds_service.hooks import hook_request
from cds_service.library import Library
from cds_service.policy.model import Policy

# The only script of these pages sets the theme; it loads and sends nothing.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def rendered(
    template: str, root: str, status: int = 200, content_policy: str = CONTENT_SECURITY_POLICY, **values: object
) -> Response:
    """A page from its template, with the content security policy ``content_policy``.

    ``root`` leads from the page to our root, so that links work behind any proxy.
    """
    html = render_template(template, root=root, release=__version__, **values)
    answer = Response(html, status, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = content_policy
    return answer


def register(
    app: Flask,
    library: Library,
    address: str,
    clock: Callable[[], date],
    services: Sequence[Mapping[str, Any]],
    *,
    workbench: bool,
) -> None:
    """Add the pages to the application.

    ``address`` is ours, as clients reach it, without a trailing slash; ``clock`` gives the day for overdue reviews;
    ``services`` are those of the discovery document. With ``workbench``, the workbench adds the start page.
    """
    app.jinja_env.globals["workbench"] = workbench
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    def page(template: str, root: str, **values: Any) -> Response:
        """A page, with the text modules that rule set templates use."""
        from cds_service.web import policy_pages

        today = clock()
        return rendered(
            template,
            root,
            address=address,
            **policy_pages.TEXTS,
            overdue=lambda day: day < today.isoformat(),
            **values,
        )

    def found(policy_id: str) -> Policy:
        return library.policy(policy_id) or abort(404)

    if not workbench:

        @app.get("/")
        def start() -> Response:
            return page("start.html", "./", policies=library.policies, services=hook_request.SERVICES)

    @app.get("/services")
    def services_page() -> Response:
        from cds_service.web import policy_pages

        first = services[0]
        return page(
            "services.html",
            "./",
            services=hook_request.SERVICES,
            keys=policy_pages.asked_for(first["prefetch"], library.policies),
            usage=first["usageRequirements"],
        )

    @app.get("/policies")
    def policies() -> Response:
        return page("policies.html", "./", policies=library.policies, drafts=library.drafts)

    @app.get("/policies/<policy_id>.json")
    def policy_as_json(policy_id: str) -> Response:
        from cds_service.publish import as_json

        body = as_json.as_json(found(policy_id), library.written.get(policy_id, {}))
        return Response(orjson.dumps(body), mimetype="application/json")

    @app.get("/policies/<policy_id>")
    def policy(policy_id: str) -> Response:
        from cds_service.web import policy_pages

        rule = found(policy_id)
        return page("policy.html", "../", **policy_pages.values(rule, library.policies, library.drafts, clock()))
