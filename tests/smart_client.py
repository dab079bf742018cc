"""A SMART app as tests act it at the demo EHR of the workbench: every parameter can be replaced or left out."""

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.app import create_app
from cds_service.installation import Installation
from cds_service.settings.settings import Settings
from cds_service.store.database import Store, open_store
from cds_service.store.workbench_sessions import WorkbenchSessions
from cds_service.workbench.own_app import OwnApp
from cds_service.workbench.patients import FIRST
from tests.shipped import PUBLIC_URL, TODAY, library

ROOT = "http://localhost"
VERIFIER = "v" * 43
SCOPE = "launch openid fhirUser patient/*.rs patient/QuestionnaireResponse.cru"
PATIENT = "rosalind-achterberg"
# Its name is the same in every process, so that names of tests are too.
LEFT_OUT = Enum("LeftOut", "LEFT_OUT").LEFT_OUT


def s256(verifier: str) -> str:
    """The challenge for a verifier (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Clock:
    """A clock that tests move."""

    now: datetime = field(default_factory=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Bench:
    """The service with its workbench, on a clock of its own; ``browser`` is a browser that opens its pages."""

    installation: Installation
    clock: Clock
    store: Store

    def __post_init__(self) -> None:
        self.flask = create_app(Settings(), library(), PUBLIC_URL, lambda: TODAY, self.installation)
        self.browser = self.flask.test_client()

    @property
    def app(self) -> OwnApp:
        return OwnApp(PUBLIC_URL, self.installation.own_app_secret)

    def refuse(self, **choices: str) -> None:
        answer = self.browser.post("/workbench/refusals", json=choices)
        assert answer.status_code == 200, answer.text

    def written(self, name: str = FIRST) -> list[dict[str, Any]]:
        """What the browser's page shows as written into a chart."""
        found: list[dict[str, Any]] = self.browser.get(f"/workbench/charts/{name}").get_json()["written"]
        return found


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """A bench whose store is in a folder."""
    store, clock = open_store(None, folder), Clock()
    try:
        sessions = WorkbenchSessions(store, b"k" * 32, clock)
        yield Bench(Installation(store=store, workbench=True, workbench_sessions=sessions), clock, store)
    finally:
        store.close()


@dataclass
class SmartClient:
    """The app, launched for one patient from one browser."""

    bench: Bench
    name: str = FIRST
    browser: FlaskClient | None = None

    @property
    def own(self) -> FlaskClient:
        return self.browser or self.bench.browser

    @property
    def base(self) -> str:
        return f"{ROOT}/workbench/fhir/{self.name}"

    def launch(self, **body: Any) -> str:
        """The ``launch`` of a pressed link."""
        answer = self.own.post(f"/workbench/charts/{self.name}/launch", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.get_json()["iss"] == self.base
        return str(answer.get_json()["launch"])

    def authorize(self, **changes: Any) -> TestResponse:
        """What the browser gets for an authorization request; a list sends a parameter more than once."""
        asked = {
            "response_type": "code",
            "client_id": self.bench.app.client_id,
            "redirect_uri": self.bench.app.redirect_uri,
            "scope": SCOPE,
            "state": "the state",
            "aud": self.base,
            "code_challenge": s256(VERIFIER),
            "code_challenge_method": "S256",
            "nonce": "the nonce",
        } | changes
        if "launch" not in asked and "launch" in str(asked["scope"]).split():
            asked["launch"] = self.launch()
        sent = {name: value for name, value in asked.items() if value is not LEFT_OUT}
        return self.own.get(f"/workbench/smart/{self.name}/authorize", query_string=sent)

    def decide(self, page: TestResponse, decision: str = "allow", **changes: Any) -> TestResponse:
        """The consent page answered: with all boxes ticked, or with ``scope`` alone."""
        assert page.status_code == 200, page.text
        form = {
            "ticket": re.findall(r'name="ticket" value="([^"]+)"', page.text)[0],
            "scope": re.findall(r'name="scope" value="([^"]+)"', page.text),
            "decision": decision,
        } | changes
        form = {name: value for name, value in form.items() if value is not LEFT_OUT}
        return self.own.post(f"/workbench/smart/{self.name}/consent", data=form)

    def code(self, **changes: Any) -> str:
        """A code, after everything was allowed."""
        return sent_back(self.decide(self.authorize(**changes)))["code"]

    def exchange(self, code: str, **changes: Any) -> TestResponse:
        """The answer of the token endpoint, which the app asks without a browser."""
        auth = changes.pop("auth", (self.bench.app.client_id, self.bench.app.client_secret))
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.bench.app.redirect_uri,
            "code_verifier": VERIFIER,
        } | changes
        form = {name: value for name, value in form.items() if value is not LEFT_OUT}
        app = self.bench.flask.test_client(use_cookies=False)
        return app.post(f"/workbench/smart/{self.name}/token", data=form, auth=auth)

    def token(self, scope: str = SCOPE, **changes: Any) -> dict[str, Any]:
        """The whole launch; what the token endpoint answers."""
        answer = self.exchange(self.code(scope=scope, **changes))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found

    def fhir(self, token: str, method: str, path: str = "", name: str = "", **more: Any) -> TestResponse:
        """A call of the FHIR server with a token, without a browser."""
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        app = self.bench.flask.test_client(use_cookies=False)
        at = f"/workbench/fhir/{name or self.name}" + (f"/{path}" if path else "")
        return app.open(at, method=method, headers=headers, **more)


def sent_back(answer: TestResponse) -> dict[str, str]:
    """What a browser that is sent back to the app brings along."""
    assert answer.status_code == 303, answer.text
    address = urlsplit(answer.headers["Location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{PUBLIC_URL}/smart/callback"
    return dict(parse_qsl(address.query, keep_blank_values=True, strict_parsing=True))


def form_answers(patient: str = PATIENT, **changes: Any) -> dict[str, Any]:
    """A QuestionnaireResponse as the app writes one."""
    return {
        "resourceType": "QuestionnaireResponse",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:6f2d2ea0-0000-4000-8000-000000000001"},
        "status": "completed",
        "questionnaire": "https://cds-service.example/fhir/Questionnaire/form",
        "subject": {"reference": f"Patient/{patient}"},
        "authored": "2026-11-23T12:00:00Z",
        "item": [{"linkId": "disability", "answer": [{"valueDecimal": 44}]}],
    } | changes
