"""The service with its demo EHR as a browser meets it, and beside it a small SMART app with real redirects."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests
from flask import Flask, Response, redirect, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from cds_service.app import create_app
from cds_service.clock import utc_today
from cds_service.installation import installation_of
from cds_service.settings.settings import Settings
from cds_service.workbench.own_app import OwnApp
from tests.browser import LOOPBACK, listening
from tests.serving import free_port
from tests.shipped import library
from tests.smart_client import form_answers, s256

SCOPE = "launch openid fhirUser patient/*.rs patient/QuestionnaireResponse.cru"
SECONDS = 20.0


def smart_app(own: OwnApp, answers: dict[str, Any]) -> Flask:
    """An app at our own redirect address: it is launched, gets a token, and on a press writes ``answers``.

    Its page shows what came of each step as JSON, in an element for each.
    """
    app = Flask("smart_app")
    launches: dict[str, dict[str, str]] = {}

    def page(**shown: Any) -> Response:
        parts = "".join(f'<pre id="{name}">{json.dumps(value)}</pre>' for name, value in shown.items())
        state = request.args.get("state", "")
        form = f'<form method="post" action="/smart/write?state={state}"><button>Save</button></form>'
        head = '<!doctype html><html lang="en"><title>App</title><link rel="icon" href="data:,">'
        html = f"{head}<main><h1>App</h1>{parts}{form}</main></html>"
        return Response(html, mimetype="text/html")

    @app.get("/launch")
    def launch() -> Response:
        registration = own.registration(request.args["iss"])
        assert registration is not None
        found = requests.get(f"{registration.issuer}/.well-known/smart-configuration", timeout=SECONDS).json()
        state, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(40)
        launches[state] = {"verifier": verifier, "iss": found["issuer"], "token": found["token_endpoint"]}
        asked = {
            "response_type": "code",
            "client_id": registration.client_id,
            "redirect_uri": registration.redirect_uri,
            "launch": request.args["launch"],
            "scope": SCOPE,
            "state": state,
            "aud": registration.issuer,
            "code_challenge": s256(verifier),
            "code_challenge_method": "S256",
        }
        return _redirected(f"{found['authorization_endpoint']}?{urlencode(asked)}")

    @app.get("/callback")
    def callback() -> Response:
        held = launches[request.args["state"]]
        assert request.args["iss"] == held["iss"]
        if "error" in request.args:
            return page(error=request.args["error"])
        form = {
            "grant_type": "authorization_code",
            "code": request.args["code"],
            "redirect_uri": own.redirect_uri,
            "code_verifier": held["verifier"],
        }
        auth = (own.client_id, own.client_secret)
        token = requests.post(held["token"], data=form, auth=auth, timeout=SECONDS).json()
        held["access"], held["patient"] = token["access_token"], token["patient"]
        shown = {name: token.get(name) for name in ("patient", "scope", "appContext")}
        return page(token=shown)

    @app.post("/write")
    def write() -> Response:
        held = launches[request.args["state"]]
        headers = {"Authorization": f"Bearer {held['access']}"}
        body = answers | {"subject": {"reference": f"Patient/{held['patient']}"}}
        try:
            answer = requests.post(f"{held['iss']}/QuestionnaireResponse", json=body, headers=headers, timeout=SECONDS)
        except requests.ConnectionError:
            return page(written="reset")
        except requests.Timeout:
            return page(written="timeout")
        return page(written=answer.status_code)

    return app


def _redirected(address: str) -> Response:
    answer = redirect(address)
    assert isinstance(answer, Response)
    return answer


@contextmanager
def served_with_app(state: Path, answers: dict[str, Any] | None = None) -> Iterator[str]:
    """The service in its ordinary state with nothing configured, and the small app in the place of its own; the
    address of both."""
    port = free_port()
    settings, address = Settings(state=state), f"http://{LOOPBACK}:{port}"
    installation = installation_of(settings, library(), only_this_machine=True)
    app = create_app(settings, library(), address, utc_today, installation)
    beside = smart_app(OwnApp(address, installation.own_app_secret), answers or form_answers())
    try:
        with listening(DispatcherMiddleware(app, {"/smart": beside}), port) as served:
            yield served
    finally:
        installation.fetcher.close()
        installation.close()
