"""The workbench over HTTP: its page, a FHIR server for each synthetic patient, and three helpers that keep nothing."""

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from flask import Blueprint, Flask, Response, request

from cds_service import json_bodies
from cds_service.errors import RequestError
from cds_service.hooks import hook_request
from cds_service.library import Library
from cds_service.policy.model import Policy
from cds_service.settings.folders import data_folder
from cds_service.web import reading
from cds_service.web.pages import rendered
from cds_service.workbench import dropped, rendering
from cds_service.workbench.fhir import FhirServer
from cds_service.workbench.patients import FIRST, Listed, Opened, Patients

if TYPE_CHECKING:
    from cds_service.workbench.validation import Remark

# The one page on which scripts run: our own files, that talk to us alone.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_JSON, _FHIR = "application/json", "application/fhir+json"


class PatientGroup(NamedTuple):
    """Patients under one heading."""

    title: str
    says: str
    patients: tuple[Listed, ...]


class Offer(NamedTuple):
    """One act that can be ordered: what a statement calls it, and the code for it."""

    label: str
    system: str
    system_name: str
    code: str


# The branches are those of its routes, which are functions within it.
def register(  # noqa: C901
    app: Flask, library: Library, address: str, clock: Callable[[], date], fetches: bool
) -> None:
    """Adds the workbench: its page at ``/``, all else under ``/workbench``.

    ``address`` is our own (without a final slash), ``clock`` gives the day to which examples are moved, ``fetches``
    tells whether what a call does not bring is fetched.
    """
    patients = Patients(data_folder("fhir_examples"))
    parts = Blueprint("workbench", __name__, url_prefix="/workbench")

    @app.get("/")
    def workbench() -> Response:
        listed = patients.listed(clock())
        return rendered(
            "workbench.html",
            "./",
            content_policy=CONTENT_SECURITY_POLICY,
            first=next((line for line in listed if line.name == FIRST), listed[0]),
            groups=_groups(listed, library),
            offers=[(policy.title, _offers(policy)) for policy in library.policies],
            services=hook_request.SERVICES,
            statements=library.policies,
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
        found = dropped.read(body.get("bundle"))
        given = body.get("context")
        texts = (
            {name: value for name, value in given.items() if isinstance(value, str)} if isinstance(given, dict) else {}
        )
        context = texts | {"patientId": found.patient["id"]}
        return _answer(
            {
                "patientId": found.patient["id"],
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
        from cds_service.workbench import validation

        published = validation.Published(library.prefetch_templates, library.prefetch_keys, fetches)
        return _findings(validation.request_findings(named, _body(), published))

    @parts.post("/validation/response")
    def validate_response() -> Response:
        from cds_service.workbench import answer_validation

        return _findings(answer_validation.response_findings(_body()))

    app.register_blueprint(parts)


def _body() -> Any:
    return json_bodies.read_json(reading.body())


def _findings(found: "list[Remark]") -> Response:
    return _answer({"findings": [finding._asdict() for finding in found]})


def _answer(value: Any, media_type: str = _JSON) -> Response:
    return Response(orjson.dumps(value), mimetype=media_type)


def _groups(listed: tuple[Listed, ...], library: Library) -> list[PatientGroup]:
    """The patients by the statement whose card they get, in the order in which statements are loaded."""
    titles = {policy.id: policy.title for policy in library.policies}
    groups = [
        PatientGroup(title, "", tuple(line for line in listed if line.policies and line.policies[0] == name))
        for name, title in titles.items()
    ]
    silent = tuple(line for line in listed if not line.policies)
    others = tuple(line for line in listed if line.policies and line.policies[0] not in titles)
    groups.append(
        PatientGroup("No card", "Most orders are nobody’s business, and then the service stays silent.", silent)
    )
    groups.append(PatientGroup("Statements that are not loaded", "", others))
    return [group for group in groups if group.patients]


def _offers(policy: Policy) -> list[Offer]:
    return [Offer(act.label, act.code.system, act.code.system_name, act.code.code) for act in policy.orders.acts]
