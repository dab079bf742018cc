"""The workbench over HTTP: its page, and stateless helpers; the demo EHR behind it has its own routes."""

import threading
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from flask import Blueprint, Flask, Response, request

from cds_service import json_bodies
from cds_service.errors import RequestError
from cds_service.hooks import hook_request
from cds_service.policy.model import Policy
from cds_service.policy.prefetch_templates import key_of
from cds_service.service.guide import Guide
from cds_service.settings.folders import data_folder
from cds_service.web import pages, reading
from cds_service.workbench import (
    demo_ehr,
    dropped,
    facets,
    fhir_routes,
    rendering,
    session_routes,
    smart_routes,
    words,
)
from cds_service.workbench.demo_ehr import DemoEhr
from cds_service.workbench.own_app import OwnApp
from cds_service.workbench.patients import FIRST, Patients

if TYPE_CHECKING:
    from cds_service.store.workbench_sessions import WorkbenchSessions
    from cds_service.workbench.remarks import Remark

# Only this page has scripts that may call a server, and only ours.
CONTENT_SECURITY_POLICY = f"{pages.CONTENT_SECURITY_POLICY}; connect-src 'self'"
_JSON = "application/json"


class Offer(NamedTuple):
    """One procedure that a user can order: the statement's name for it, and its code."""

    label: str
    system: str
    system_name: str
    code: str


def register(
    app: Flask,
    guide: Guide,
    own_app: OwnApp,
    clock: Callable[[], date],
    sessions: "WorkbenchSessions | None",
    *,
    fetches: bool,
) -> None:
    """Add the workbench: its page at ``/``, everything else under ``/workbench``.

    ``guide`` answers calls, ``own_app`` is our SMART app with our address, ``clock`` gives the day to which examples
    are moved, and ``fetches`` is true if the service fetches data that a call lacks. Without ``sessions``, nobody can
    write into charts or launch an app.
    """
    library, address = guide.library, own_app.address
    patients = Patients(data_folder("fhir_examples"), guide)
    ehr = DemoEhr(patients, clock, sessions, own_app) if sessions is not None else None
    kinds = set(library.prefetch_keys.values())
    parts = Blueprint("workbench", __name__, url_prefix="/workbench")

    @app.get("/")
    def workbench() -> Response:
        listed = patients.listed(clock())
        return pages.rendered(
            "workbench.html",
            "./",
            content_policy=CONTENT_SECURITY_POLICY,
            first=next((line for line in listed if line.name == FIRST), listed[0]),
            patients=listed,
            facets=facets.counted(line.facet for line in listed),
            offers=[(policy.title, _offers(policy)) for policy in library.policies],
            services=hook_request.SERVICES,
            refusals=words.REFUSALS if ehr is not None else {},
        )

    @parts.get("/patients/<name>")
    def patient(name: str) -> Response:
        found = demo_ehr.opened(patients, name, clock())
        return _answer(
            {
                "name": name,
                "title": found.about["title"],
                "shows": found.about["shows"],
                "hook": found.about["hook"],
                "context": found.context,
                "drafts": found.drafts,
            }
        )

    @parts.post("/prefetch")
    def prefetch() -> Response:
        body = _body()
        if not isinstance(body, dict):
            raise RequestError(400, "structure", "The body must be an object with bundle and templates.")
        brought = dropped.read(body.get("bundle"))
        chosen = body.get("patientId")
        if chosen is None and len(brought.patients) > 1:
            return _answer({"patients": dropped.choices(brought)})
        found = dropped.chart_of(brought, chosen)
        given = body.get("context")
        texts = (
            {name: value for name, value in given.items() if isinstance(value, str)} if isinstance(given, dict) else {}
        )
        context = texts | {"patientId": found.patient_id}
        return _answer(
            {
                "patientId": found.patient_id,
                "drafts": found.drafts,
                "records": found.records,
                "prefetch": dropped.prefetch(found, body.get("templates"), context),
            }
        )

    @parts.post("/markdown")
    def markdown() -> Response:
        body = _body()
        text = body.get("text") if isinstance(body, dict) else None
        if not isinstance(text, str) or len(text) > rendering.LONGEST:
            raise RequestError(
                400, "value", f"text must be Markdown of at most {rendering.LONGEST} characters.", "text"
            )
        return _answer({"html": rendering.render(text)})

    @parts.post("/validation")
    def validate() -> Response:
        named = request.args.get("service") or None
        if named is not None:
            hook_request.hook_of(named)
        from cds_service.workbench import prefetch_validation, validation

        published = prefetch_validation.Published(library.prefetch_templates, library.prefetch_keys, fetches)
        found = validation.request_report(named, _body(), published, guide)
        ledger = [{"type": kind, "key": key_of(kind), **delivered} for kind, delivered in found.delivery.items()]
        return _answer({"findings": _as_json(found.findings), "passed": found.passed, "delivery": ledger})

    @parts.post("/validation/response")
    def validate_response() -> Response:
        from cds_service.workbench import answer_validation

        report = answer_validation.response_report(_body())
        return _answer({"findings": _as_json(report.findings), "passed": report.passed})

    transaction = None
    if ehr is not None:
        transaction = fhir_routes.register_writes(parts, ehr, address, fhir_routes.LateAnswers(threading.Event().wait))
        smart_routes.register(parts, ehr, address)
        session_routes.register(parts, ehr, address)
    fhir_routes.register_reads(parts, fhir_routes.ChartReader(patients, clock, address, ehr), kinds, transaction)
    app.register_blueprint(parts)


def _body() -> Any:
    return json_bodies.read_json(reading.body())


def _as_json(findings: "list[Remark]") -> list[dict[str, Any]]:
    return [finding._asdict() for finding in findings]


def _answer(value: Any) -> Response:
    return Response(orjson.dumps(value), mimetype=_JSON)


def _offers(policy: Policy) -> list[Offer]:
    return [Offer(act.label, act.code.system, act.code.system_name, act.code.code) for act in policy.orders.acts]
