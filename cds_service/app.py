"""HTTP: builds the application from its parts, and adds the headers of every response. No rule is decided here."""

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from flask import Flask, Response
from werkzeug.middleware.proxy_fix import ProxyFix

from cds_service import __version__, web
from cds_service.installation import Installation
from cds_service.library import Library
from cds_service.operations.readiness import NOT_READY
from cds_service.questionnaire.artifacts import TYPES, Artifacts
from cds_service.service.guide import Guide, guide_of
from cds_service.settings.settings import Settings
from cds_service.trust.backend_services import AccessTokens
from cds_service.web import (
    backend_services,
    browsers,
    calls,
    compression,
    document,
    errors,
    evidence,
    feedback,
    feedback_page,
    fhir_artifacts,
    fhir_package,
    fhir_record,
    packet_routes,
    pages,
    well_known,
)
from cds_service.web.calls import CardLinks
from cds_service.web.discovery import discovery_document
from cds_service.web.evidence_links import EvidenceLinks, RuleSetParts
from cds_service.web.form_links import NO_FORM_LINKS, FormLinks, NoFormLinks
from cds_service.web.gate import Gate
from cds_service.web.packets import Packets
from cds_service.web.registered import Registered

if TYPE_CHECKING:
    from cds_service.workbench.own_app import OwnApp

# What every answer carries that does not say otherwise.
_GUARDS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


class _Making(NamedTuple):
    """What evidence pages need: their rule set parts, their packets, and the UTC day."""

    parts: RuleSetParts
    packets: Packets
    clock: Callable[[], date]


def create_app(
    settings: Settings,
    library: Library,
    public_url: str,
    clock: Callable[[], date],
    installation: Installation | None = None,
) -> Flask:
    """The Flask application; ``clock`` gives the UTC day on which calls are evaluated, ``public_url`` is our address.

    Without an ``installation``, nothing is fetched, counted or stored.
    """
    installation = installation or Installation()
    # The web package contains the templates and static files.
    app = Flask(web.__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    if installation.trusted_proxies:
        proxies = installation.trusted_proxies
        proxied = ProxyFix(app.wsgi_app, proxies, proxies, proxies, 0, proxies)
        app.wsgi_app = proxied  # type: ignore[method-assign]  # Flask asks that middleware be put in this way
    compression.register(app)
    open_calls = installation.verifier is None
    browsers.register(app, public_url, settings.cors_origins, settings.allowed_hosts, open_calls=open_calls)
    guide = guide_of(settings, library, public_url)
    lean = settings.prefetch == "lean"
    fetches = installation.fetcher.fetches
    discovered = discovery_document(library, lean=lean, fetches=fetches)
    discovery = orjson.dumps(discovered)

    @app.get("/healthz")
    def healthz() -> Response:
        return _json(b'{"status":"ok"}')

    @app.get("/readyz")
    def readyz() -> Response:
        status, failing = installation.readiness.status()
        told: dict[str, Any] = {"status": status, "failing": failing} if failing else {"status": status}
        if concerns := installation.readiness.concerns():
            told["concerns"] = [item.as_json() for item in concerns]
        return Response(orjson.dumps(told), 503 if status == NOT_READY else 200, mimetype="application/json")

    @app.get("/cds-services", strict_slashes=False)
    def discover() -> Response:
        return _json(discovery)

    if installation.metrics.kept:
        exposition = installation.metrics.exposition

        @app.get("/metrics")
        def metrics() -> Response:
            body, content_type = exposition()
            return Response(body, content_type=content_type)

    artifacts = _artifacts(library)
    access = None
    if installation.verifier is not None:
        access = AccessTokens(installation.verifier, settings.key(), f"{public_url}/fhir", TYPES)
    gate = Gate(installation, public_url, access)
    parts = RuleSetParts()
    own_app = _own_app(installation, public_url)
    registered = Registered(installation.clients(), own_app, public_url)
    packets = Packets(installation.page_keys)
    packet_routes.register(app, library, parts, packets, gate)
    forms = _with_forms(app, guide, registered, installation, gate, _Making(parts, packets, clock))
    links = CardLinks(EvidenceLinks(installation, parts, guide, registered.at), forms)
    calls.register(app, guide, clock, installation, gate, links)
    evidence.register(app, library, parts, installation, gate, packets, public_url=public_url)
    fhir_record.register(app, installation)
    backend_services.register(app, installation, gate, public_url)
    fhir_artifacts.register(app, artifacts, installation, gate, public_url, clock)
    fhir_package.register(app, artifacts, guide, installation, gate, clock)
    if installation.store is not None:
        feedback.register(app, frozenset(library.override_reasons), installation, installation.store, gate)
    pages.register(app, library, public_url, clock, discovered["services"], workbench=installation.workbench)
    if own_app is not None:
        # A service without the workbench must not load its modules.
        from cds_service.workbench import routes as workbench

        workbench.register(app, guide, own_app, clock, installation.workbench_sessions, fetches=fetches)
        if installation.store is not None:
            feedback_page.register(app, library, installation.store)
    well_known.register(app, settings.security_contact, settings.security_policy, public_url, clock)
    document.register(app, library, public_url, authenticated=not open_calls)
    errors.register(app, installation)

    app.after_request(_guarded)
    return app


def _guarded(answer: Response) -> Response:
    given = {name.lower() for name, _ in answer.headers}
    for name, value in _GUARDS.items():
        if name.lower() not in given:
            answer.headers.add(name, value)
    return answer


def _artifacts(library: Library) -> Artifacts:
    """The FHIR artifacts of the loaded rule sets, created on first use."""
    return Artifacts(library.policies, library.canonical_base, library.override_reasons, library.topics, __version__)


def _own_app(installation: Installation, public_url: str) -> "OwnApp | None":
    """Our own app as registered with the workbench's demo EHR; None if there is no workbench."""
    if not installation.workbench:
        return None
    from cds_service.workbench.own_app import OwnApp

    return OwnApp(public_url, installation.own_app_secret)


def _with_forms(
    app: Flask,
    guide: Guide,
    registered: Registered,
    installation: Installation,
    gate: Gate,
    making: _Making,
) -> NoFormLinks:
    """Adds what EHRs launch (the documentation form and the evidence page), and returns the links from cards to the
    form.

    If no EHR can launch anything, their modules are not loaded.
    """
    if installation.forms is None:
        return NO_FORM_LINKS
    from cds_service.documentation import routes as documentation
    from cds_service.documentation.evidence_routes import EvidenceAnswers
    from cds_service.documentation.form_flow import FormFlow
    from cds_service.documentation.recording import FormRecorder

    form_flow = FormFlow(guide, registered.at, installation.forms, making.clock)
    sessions = installation.forms.sessions
    evidence_pages = EvidenceAnswers(form_flow, guide, making.parts, installation, making.packets)
    evidence_pages.register(app, gate)
    documentation.register(
        app, form_flow, guide, gate, FormRecorder(installation, lambda: sessions.now), evidence=evidence_pages
    )
    return FormLinks(registered.at, guide.addresses.public_url)


def _json(body: bytes) -> Response:
    return Response(body, mimetype="application/json")
