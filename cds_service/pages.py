"""Pages for people: the start page and each statement as it is encoded, as HTML and as JSON."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import NamedTuple

import orjson
from flask import Flask, Response, abort, render_template

from cds_service import (
    __version__,
    clause_text,
    code_text,
    editions,
    hooks,
    policy_json,
    policy_text,
    rule_text,
    source_attributes,
)
from cds_service.card import last_line
from cds_service.changes import changes
from cds_service.library import Library
from cds_service.policy import Policy

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ABOUT_HOOKS = {
    hooks.PATIENT_VIEW: "a chart is opened",
    hooks.ORDER_SELECT: "an order is chosen",
    hooks.ORDER_SIGN: "orders are about to be signed",
}


class EditionsText(NamedTuple):
    """The editions of one statement as the page of one of them sees them, by the day from which each counts.

    ``others`` are all but this one; ``changes`` are sentences on what is different in this one from ``before``, the
    edition that came before it.
    """

    others: tuple[Policy, ...]
    before: Policy | None
    changes: tuple[str, ...]


def editions_of(policy: Policy, policies: Iterable[Policy]) -> EditionsText:
    """What else is on file of the statement of a policy, among the policies that are loaded."""
    same = sorted((item for item in policies if item.statement == policy.statement), key=editions.effective)
    place = next(index for index, item in enumerate(same) if item.id == policy.id)
    before = same[place - 1] if place else None
    return EditionsText(
        tuple(item for item in same if item.id != policy.id),
        before,
        tuple(changes(before, policy)) if before else (),
    )


def register(app: Flask, library: Library, address: str, clock: Callable[[], date]) -> None:
    """Adds the pages to the application.

    ``address`` is our own, as clients reach it (without a final slash); ``clock`` tells which reviews are overdue.
    """
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    def page(template: str, root: str, **values: object) -> Response:
        """Renders a template; ``root`` leads from the page to our root, so that links hold behind any proxy."""
        today = clock()
        html = render_template(
            template,
            root=root,
            address=address,
            release=__version__,
            text=policy_text,
            clauses_text=clause_text,
            codes_text=code_text,
            rules=rule_text,
            about=source_attributes,
            overdue=lambda day: day < today.isoformat(),
            **values,
        )
        answer = Response(html, mimetype="text/html")
        answer.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return answer

    def found(policy_id: str) -> Policy:
        return library.policy(policy_id) or abort(404)

    @app.get("/")
    def start() -> Response:
        services = [(name, hook, ABOUT_HOOKS[hook]) for name, hook in hooks.SERVICES.items()]
        return page("start.html", "./", policies=library.policies, services=services)

    @app.get("/policies")
    def policies() -> Response:
        return page("policies.html", "./", policies=library.policies)

    @app.get("/policies/<policy_id>.json")
    def policy_as_json(policy_id: str) -> Response:
        body = orjson.dumps(policy_json.as_json(found(policy_id)))
        return Response(body, mimetype="application/json")

    @app.get("/policies/<policy_id>")
    def policy(policy_id: str) -> Response:
        rule = found(policy_id)
        today = clock()
        footer = last_line(rule, today)
        return page(
            "policy.html",
            "../",
            policy=rule,
            groups=policy_text.groups(rule),
            payers=[rule_text.payer(rule, item, today) for item in rule.payers],
            code_sets=code_text.code_sets(rule),
            footer=footer,
            editions=editions_of(rule, library.policies),
        )
