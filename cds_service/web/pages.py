"""Pages for people: the start page, the services, and each statement as it is encoded, as HTML and as JSON."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import orjson
from flask import Flask, Response, abort, render_template

from cds_service import __version__
from cds_service.card.guidance import last_line
from cds_service.facts import word
from cds_service.hooks import hook_request
from cds_service.library import Library
from cds_service.policy import editions
from cds_service.policy.model import Policy
from cds_service.publish import as_json, codes, criteria, rules, source_attributes
from cds_service.publish.changes import changes

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ABOUT_HOOKS = {
    hook_request.PATIENT_VIEW: "a chart is opened",
    hook_request.ORDER_SELECT: "an order is chosen",
    hook_request.ORDER_SIGN: "orders are about to be signed",
}


class EditionsText(NamedTuple):
    """The editions of one statement as the page of one of them sees them, by the day from which each counts.

    ``others`` are all but this one; ``changes`` are sentences on what is different in this one from ``before``, the
    edition that came before it.
    """

    others: tuple[Policy, ...]
    before: Policy | None
    changes: tuple[str, ...]


class AskedFor(NamedTuple):
    """One prefetch key of discovery: its template, its resource type, and what each statement reads from it."""

    key: str
    template: str
    read: tuple[tuple[Policy, tuple[str, ...]], ...]


def asked_for(templates: Mapping[str, str], policies: Iterable[Policy]) -> list[AskedFor]:
    """What each prefetch key is for; ``templates`` are those that discovery publishes."""
    by_key: dict[str, list[tuple[Policy, tuple[str, ...]]]] = {}
    for policy in policies:
        for row in source_attributes.sent(policy):
            if row.inputs:
                by_key.setdefault(row.key, []).append((policy, row.inputs))
    return [AskedFor(key, template, tuple(by_key.get(key, ()))) for key, template in templates.items()]


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


def rendered(
    template: str, root: str, status: int = 200, content_policy: str = CONTENT_SECURITY_POLICY, **values: object
) -> Response:
    """A page from its template, under the content security policy ``content_policy``.

    ``root`` leads from the page to our root, so that links hold behind any proxy.
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
    """Adds the pages to the application.

    ``address`` is our own, as clients reach it (without a final slash); ``clock`` tells which reviews are overdue;
    ``services`` are those of the discovery document. With the ``workbench`` the start page is left to that.
    """
    app.jinja_env.globals["workbench"] = workbench
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    def page(template: str, root: str, **values: Any) -> Response:
        """A page, with what every page of a statement asks of its text."""
        today = clock()
        return rendered(
            template,
            root,
            address=address,
            text=criteria,
            tests_text=word,
            codes_text=codes,
            rules=rules,
            about=source_attributes,
            overdue=lambda day: day < today.isoformat(),
            **values,
        )

    def found(policy_id: str) -> Policy:
        return library.policy(policy_id) or abort(404)

    moments = [(name, hook, ABOUT_HOOKS[hook]) for name, hook in hook_request.SERVICES.items()]

    if not workbench:

        @app.get("/")
        def start() -> Response:
            return page("start.html", "./", policies=library.policies, services=moments)

    @app.get("/services")
    def services_page() -> Response:
        first = services[0]
        return page(
            "services.html",
            "./",
            services=moments,
            keys=asked_for(first["prefetch"], library.policies),
            usage=first["usageRequirements"],
        )

    @app.get("/policies")
    def policies() -> Response:
        return page("policies.html", "./", policies=library.policies, drafts=library.drafts)

    @app.get("/policies/<policy_id>.json")
    def policy_as_json(policy_id: str) -> Response:
        body = orjson.dumps(as_json.as_json(found(policy_id)))
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
            groups=criteria.groups(rule),
            payers=[rules.payer(rule, item, today) for item in rule.payers],
            code_sets=codes.code_sets(rule),
            footer=footer,
            editions=editions_of(rule, library.policies),
            drafts=[item for item in library.drafts if item.statement == rule.statement],
        )
