"""SMART App Launch at the demo EHR over HTTP: authorization, the consent page, tokens, and keys."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import orjson
from flask import Blueprint, Response, redirect, request

from cds_service.errors import RequestError
from cds_service.web import pages
from cds_service.workbench import browser, refusals, smart_documents, smart_scopes, words
from cds_service.workbench.demo_ehr import DemoEhr
from cds_service.workbench.patients import name_of
from cds_service.workbench.session import CONSENT, Session, begun
from cds_service.workbench.session import name_of as session_of
from cds_service.workbench.smart_documents import Endpoints

if TYPE_CHECKING:
    from cds_service.workbench.authorization import AuthorizationContext
    from cds_service.workbench.oauth_messages import OAuthAnswer, Parameters

CONSENT_SECONDS = 600
LONGEST_FORM = 20_000
_ROOT = "../../../"
_JSON = "application/json"


def register(  # noqa: C901 - the branches are those of its routes, which are functions within it
    parts: Blueprint, ehr: DemoEhr, address: str
) -> None:
    """Add authorization for the FHIR server of each patient; ``address`` is ours, without a trailing slash."""

    def endpoints(name: str) -> Endpoints:
        ehr.opened(name)
        return Endpoints(browser.root_of(address), name)

    def signing_key() -> bytes:
        from cds_service.workbench.authorization import new_signing_key

        return ehr.signing_key(new_signing_key)

    def context(name: str, session: Session, signed_by: bytes = b"") -> "AuthorizationContext":
        from cds_service.workbench.authorization import AuthorizationContext

        return AuthorizationContext(
            session=session,
            app=ehr.app,
            endpoints=endpoints(name),
            patient=name,
            patient_id=ehr.opened(name).patient_id,
            user=ehr.user(name, browser.root_of(address)),
            signing_key=signed_by,
            now=ehr.now,
            random=ehr.random,
        )

    @parts.get("/fhir/<name>/.well-known/smart-configuration")
    @parts.get("/fhir/<name>/.well-known/openid-configuration", endpoint="openid_configuration")
    def configuration(name: str) -> Response:
        return _json(smart_documents.configuration(endpoints(name)))

    @parts.get("/smart/<name>/keys")
    def keys(name: str) -> Response:
        ehr.opened(name)
        from cds_service.workbench.authorization import key_set

        return _json(key_set(signing_key()))

    @parts.get("/smart/<name>/authorize")
    def authorize(name: str) -> Response:
        from cds_service.workbench.authorization import NotAuthorizedError
        from cds_service.workbench.oauth_messages import OAuthAnswer

        asked = list(request.args.items(multi=True))
        held = ehr.of_browser(browser.cookie())
        session = held if held is not None else begun(ehr.random)[0]
        try:
            scope = context(name, session).check_request(asked)
            if isinstance(scope, OAuthAnswer):
                return _sent(scope)
            if session.refusals.authorization == refusals.DENIED:
                return _sent(context(name, session).answer_request(asked, None))
        except NotAuthorizedError as error:
            return _refused(str(error))
        cookie = browser.cookie() if held is not None else ehr.begin()
        until = ehr.now + CONSENT_SECONDS
        ticket = ehr.change(
            cookie, lambda own: own.grant(CONSENT, until, ehr.now, ehr.random, patient=name, asked=asked, scope=scope)
        )
        if ticket is None:
            return _refused(words.SESSION_OVER)
        answer = _consent_page(name, ticket, scope, session.refusals.authorization == refusals.CUT)
        browser.set_cookie(answer, cookie)
        return answer

    def _consent_page(name: str, ticket: str, scope: str, is_cut: bool) -> Response:
        # A browser also applies this policy to the redirects that follow a form's answer.
        parts_of_app = urlsplit(ehr.app.redirect_uri)
        policy = pages.CONTENT_SECURITY_POLICY.replace(
            "form-action 'none'", f"form-action 'self' {parts_of_app.scheme}://{parts_of_app.netloc}"
        )
        found = ehr.opened(name)
        patient = next(item for item in found.resources if item["resourceType"] == "Patient")
        answer = pages.rendered(
            "consent.html",
            _ROOT,
            content_policy=policy,
            app_name=ehr.app.name,
            app_origin=parts_of_app.netloc,
            patient=name_of(patient),
            ticket=ticket,
            choices=smart_scopes.choices(scope),
            is_cut=is_cut,
        )
        # Without a referrer, a browser would send the form with the origin null.
        answer.headers["Referrer-Policy"] = "same-origin"
        return answer

    @parts.post("/smart/<name>/consent")
    def consent(name: str) -> Response:
        request.max_content_length = LONGEST_FORM
        from cds_service.workbench.authorization import NotAuthorizedError

        browser.check_origin(address)
        cookie, ticket = browser.cookie(), request.form.get("ticket", "")
        if ehr.of_browser(cookie) is None or session_of(ticket) != session_of(cookie):
            return _refused(words.OTHER_SESSION, 403)
        allowed = request.form.get("decision") == "allow"

        def decided(session: Session) -> "OAuthAnswer | None":
            page = session.take(CONSENT, ticket, ehr.now)
            if page is None or page["patient"] != name:
                return None
            asked: Parameters = [(key, value) for key, value in page["asked"]]
            scope = smart_scopes.chosen(page["scope"], request.form.getlist("scope"))
            if session.refusals.authorization == refusals.CUT:
                scope = smart_scopes.read_only(scope)
            return context(name, session).answer_request(asked, (scope or None) if allowed else None)

        try:
            answer = ehr.change(cookie, decided)
        except NotAuthorizedError as error:
            return _refused(str(error))
        if answer is None:
            return _refused(words.ANSWERED_BEFORE, 403)
        return _sent(answer)

    @parts.post("/smart/<name>/token")
    def token(name: str) -> Response:
        request.max_content_length = LONGEST_FORM
        form = list(request.form.items(multi=True))
        code = request.form.get("code", "")
        signed_by = signing_key()
        answer = ehr.change(
            code, lambda session: context(name, session, signed_by).exchange_code(form, dict(request.headers))
        )
        if answer is None:
            # Answer as for any other unknown code.
            answer = context(name, begun(ehr.random)[0], signed_by).exchange_code(form, dict(request.headers))
        told = _json(answer.body, answer.status)
        told.headers.extend((key, value) for key, value in answer.headers.items() if key != "Content-Type")
        return told


def _sent(answer: "OAuthAnswer") -> Response:
    """A redirect that sends the user back to the app."""
    if answer.location is None:
        raise RequestError(400, "invalid", words.NOT_ANSWERED)
    told = redirect(answer.location, 303)
    assert isinstance(told, Response)
    return told


def _refused(sentence: str, status: int = 400) -> Response:
    return pages.rendered("error.html", _ROOT, status, title=words.NOT_AUTHORIZED, sentence=sentence)


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, mimetype=_JSON)
