"""The workbench over HTTP: its page, a FHIR server for each synthetic patient, and three helpers that keep nothing."""

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from flask import Blueprint, Flask, Response, request

from cds_service import json_bodies
from cds_service.errors import RequestError
from cds_service.hooks import hook_request
from cds_service.hooks.prefetch import key_of
from cds_service.policy.model import Policy
from cds_service.service import Guide
from cds_service.settings.folders import data_folder
from cds_service.web import pages, reading
from cds_service.workbench import dropped, facets, rendering
from cds_service.workbench.fhir import FhirServer
from cds_service.workbench.patients import FIRST, Opened, Patients

if TYPE_CHECKING:
    from cds_service.workbench.remarks import Remark

# The one page whose scripts may call a server, and that is ours alone.
CONTENT_SECURITY_POLICY = f"{pages.CONTENT_SECURITY_POLICY}; connect-src 'self'"
_JSON, _FHIR = "application/json", "application/fhir+json"


class Offer(NamedTuple):
    """One procedure that can be ordered: what a statement calls it, and the code for it."""

    label: str
    system: str
    system_name: str
    code: str


def register(  # noqa: C901 - the branches are those of its routes, which are functions within it
    app: Flask, guide: Guide, address: str, clock: Callable[[], date], fetches: bool
) -> None:
    """Adds the workbench: its page at ``/``, all else under ``/workbench``.

    ``guide`` is what calls are answered with, ``address`` our own (without a final slash), ``clock`` gives the day to
    which examples are moved, ``fetches`` tells whether what a call does not bring is fetched.
    """
    library = guide.library
    patients = Patients(data_folder("fhir_examples"), guide)
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
        )

    def opened(name: str) -> Opened:
        found = patients.opened(name, clock())
        if found is None:
            raise RequestError(404, "not-found", f"There is no patient '{name[:60]}'; the start page lists them.")
        return found

    def server(name: str) -> FhirServer:
        found = opened(name)
        return FhirServer(f"{address}/workbench/fhir/{name}", found.resources, found.beside)

    @parts.get("/patients/<name>")
    def patient(name: str) -> Response:
        found = opened(name)
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

    @parts.get("/fhir/<name>/metadata")
    def metadata(name: str) -> Response:
        kinds = library.prefetch_keys.values()
        return _answer(server(name).capabilities(kinds, clock().isoformat()), _FHIR)

    @parts.get("/fhir/<name>/<kind>")
    def search(name: str, kind: str) -> Response:
        return _answer(server(name).search(kind, list(request.args.items(multi=True))), _FHIR)

    @parts.get("/fhir/<name>/<kind>/<identity>")
    def read(name: str, kind: str, identity: str) -> Response:
        return _answer(server(name).read(kind, identity), _FHIR)

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

    app.register_blueprint(parts)


def _body() -> Any:
    return json_bodies.read_json(reading.body())


def _as_json(findings: "list[Remark]") -> list[dict[str, Any]]:
    return [finding._asdict() for finding in findings]


def _answer(value: Any, media_type: str = _JSON) -> Response:
    return Response(orjson.dumps(value), mimetype=media_type)


def _offers(policy: Policy) -> list[Offer]:
    return [Offer(act.label, act.code.system, act.code.system_name, act.code.code) for act in policy.orders.acts]
