"""Routes of the demo EHR for the workbench's page: app launches, written resources, and refusals."""

from typing import Any

import orjson
from flask import Blueprint, Response, request

from cds_service import json_bodies
from cds_service.errors import RequestError
from cds_service.web import reading
from cds_service.workbench import browser
from cds_service.workbench.demo_ehr import DemoEhr
from cds_service.workbench.refusals import Refusals
from cds_service.workbench.session import LAUNCH, Session
from cds_service.workbench.smart_documents import Endpoints

LAUNCH_SECONDS = 300
LONGEST_CONTEXT = 2000
LONGEST_BODY = 10_000
_NO_SESSION = Session("", "")


def register(  # noqa: C901 - the branches are those of its routes, which are functions within it
    parts: Blueprint, ehr: DemoEhr, address: str
) -> None:
    """Add the routes for the page; ``address`` is ours, without a trailing slash."""

    def held() -> Session:
        """The session of the browser, for reading only."""
        return ehr.of_browser(browser.cookie()) or _NO_SESSION

    def own() -> str:
        """The cookie of the browser's session; begins a session if there is none."""
        browser.check_origin(address)
        cookie = browser.cookie()
        return cookie if ehr.of_browser(cookie) is not None else ehr.begin()

    def answered(value: Any, cookie: str) -> Response:
        answer = Response(orjson.dumps(value), mimetype="application/json")
        browser.set_cookie(answer, cookie)
        return answer

    @parts.get("/charts/<name>")
    def chart(name: str) -> Response:
        ehr.opened(name)
        session = held()
        value = {"changes": session.changes, "written": session.written.get(name, [])}
        return Response(orjson.dumps(value), mimetype="application/json")

    @parts.post("/charts/<name>/launch")
    def launch(name: str) -> Response:
        ehr.opened(name)
        context = _body().get("appContext")
        if context is not None and not (isinstance(context, str) and len(context) <= LONGEST_CONTEXT):
            raise RequestError(
                400, "value", f"appContext must be text of at most {LONGEST_CONTEXT} characters.", "appContext"
            )
        cookie = own()
        until = ehr.now + LAUNCH_SECONDS
        token = ehr.change(
            cookie,
            lambda session: session.grant(LAUNCH, until, ehr.now, ehr.random, patient=name, app_context=context),
        )
        return answered({"iss": Endpoints(browser.root_of(address), name).base, "launch": token}, cookie)

    @parts.post("/charts/<name>/access")
    def access(name: str) -> Response:
        ehr.opened(name)
        browser.check_origin(address)
        cookie = browser.cookie()
        if not held().written.get(name):
            # Without written resources, a caller without a token sees the same data.
            return Response(orjson.dumps({"fhirAuthorization": None}), mimetype="application/json")
        granted = ehr.change(cookie, lambda session: ehr.grant_to_service(session, name))
        return answered({"fhirAuthorization": granted}, cookie)

    @parts.post("/charts/<name>/removal")
    def remove(name: str) -> Response:
        ehr.opened(name)
        body = _body()
        kind, identity = body.get("resourceType"), body.get("id")
        cookie = own()

        def work(session: Session) -> int:
            if kind is None and identity is None:
                session.reset(name)
            elif not session.remove(name, str(kind), str(identity)):
                raise RequestError(404, "not-found", "Nothing of that type and id was written into this chart.")
            return session.changes

        return answered({"changes": ehr.change(cookie, work)}, cookie)

    @parts.get("/refusals")
    def refused() -> Response:
        return Response(orjson.dumps(held().refusals.as_json()), mimetype="application/json")

    @parts.post("/refusals")
    def refuse() -> Response:
        chosen = Refusals.of_json(_body())
        cookie = own()

        def work(session: Session) -> dict[str, str]:
            session.refusals = chosen
            return chosen.as_json()

        return answered(ehr.change(cookie, work), cookie)


def _body() -> dict[str, Any]:
    request.max_content_length = LONGEST_BODY
    body = json_bodies.read_json(reading.body())
    if not isinstance(body, dict):
        raise RequestError(400, "structure", "The body must be an object.")
    return body
