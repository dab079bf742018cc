"""The documentation form as an application of its own over a made-up EHR, and what a browser does with it."""

from datetime import UTC, date, datetime
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from cds_service import web
from cds_service.documentation import routes
from cds_service.documentation.evidence_routes import EvidenceAnswers
from cds_service.documentation.form_flow import FormFlow
from cds_service.documentation.recording import FormRecorder
from cds_service.ehr.fetch import Fetcher
from cds_service.ehr.search import FetchLimits
from cds_service.installation import Forms, Installation
from cds_service.operations.sealing import Keys, key_id
from cds_service.service.guide import guide_of
from cds_service.settings.settings import Settings
from cds_service.store.database import open_store
from cds_service.store.form_sessions import FormSessions
from cds_service.store.page_keys import GivenKeys
from cds_service.trust.smart import AppRegistration
from cds_service.web import errors, packet_routes
from cds_service.web.evidence_links import RuleSetParts
from cds_service.web.gate import Gate
from cds_service.web.packets import Packets
from tests.form_ehr import BASE, NOW, FormEhr, parameters, registration
from tests.shipped import BASE as BASE_OF_FORMS
from tests.shipped import library

OURS = "https://cds.example"
KEY = bytes(range(32))
POLICY = "isass-restorative-neurostimulation-2023"
QUESTIONNAIRE = f"{BASE_OF_FORMS}/Questionnaire/{POLICY}|2023"
CONTEXT = f'{{"policy": "{POLICY}", "codes": ["64555"]}}'
HEADERS = {"Origin": OURS}
SIGNED = {"role": "207XS0117X", "statement": "yes"}


class Clock:
    """The time of a test, in seconds since 1970."""

    def __init__(self) -> None:
        self.seconds = float(NOW)

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


def form_app(
    folder: Path,
    ehr: FormEhr,
    clock: Clock,
    known: AppRegistration | None = None,
    ours: str = OURS,
    *,
    installation: Installation | None = None,
) -> Flask:
    """The routes of all that an EHR launches; ``known`` is the registration there, in place of the usual one, ``ours``
    the address of the service, and ``installation`` has the log and the metrics where a test reads them."""
    store = open_store("", folder)
    forms = Forms(
        FormSessions(store, GivenKeys(Keys({key_id(KEY): KEY})), clock), ehr, Fetcher(ehr, FetchLimits(1_000_000, 5))
    )
    guide = guide_of(Settings(), library(), ours)
    app = Flask(web.__name__)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    form_flow = FormFlow(guide, {BASE: known or registration()}.get, forms, lambda: date.fromtimestamp(NOW))
    installation = installation or Installation()
    gate, parts = Gate(installation, ours), RuleSetParts()
    packets = Packets(GivenKeys(Keys({key_id(KEY): KEY})), clock)
    packet_routes.register(app, library(), parts, packets, gate)
    pages = EvidenceAnswers(form_flow, guide, parts, installation, packets)
    pages.register(app, gate)
    routes.register(app, form_flow, guide, gate, FormRecorder(installation, clock), evidence=pages)
    errors.register(app, installation)
    return app


def signed_in(browser: FlaskClient, ehr: FormEhr, path: str):
    """What a launch at a path leads to: the answer to the callback of its sign-in, and what the EHR was asked."""
    sent = browser.get(f"{path}?iss={BASE}&launch=abc", base_url=OURS)
    asked = parameters(sent.location)
    ehr.nonce = asked["nonce"]
    return browser.get(f"/smart/callback?code=c&state={asked['state']}", base_url=OURS), asked


def opened(browser: FlaskClient, ehr: FormEhr) -> str:
    """Signs in; the path of the form."""
    sent = browser.get(f"/smart/launch?iss={BASE}&launch=abc", base_url=OURS)
    asked = parameters(sent.location)
    ehr.nonce = asked["nonce"]
    back = browser.get(f"/smart/callback?code=c&state={asked['state']}", base_url=OURS)
    assert back.status_code == 303
    return back.location.removeprefix(OURS)


def page_of(browser: FlaskClient, path: str) -> str:
    """The form as its page says it."""
    return browser.get(path, base_url=OURS).get_data(as_text=True)


def token_of(browser: FlaskClient, path: str) -> str:
    """What a post of the form must carry."""
    return page_of(browser, path).partition('name="token" value="')[2].partition('"')[0]


def posted(browser: FlaskClient, path: str, token: str, headers=HEADERS, **fields: str):
    """The answer to a post of the form."""
    return browser.post(path, base_url=OURS, headers=headers, data={"token": token, **fields})
