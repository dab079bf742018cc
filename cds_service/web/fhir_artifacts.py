"""The FHIR routes without patient data: capabilities, artifacts, expansions, and error reports.

FHIR R4, RESTful API: read, and search by url, version and _id; Da Vinci DTR, $log-questionnaire-errors.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from flask import Flask, Response, request
from werkzeug.routing import BaseConverter

from cds_service import json_bodies
from cds_service.errors import RequestError
from cds_service.fhir.elements import Json
from cds_service.installation import Installation
from cds_service.operations import logs
from cds_service.questionnaire.artifacts import TYPES, Artifacts
from cds_service.questionnaire.capabilities import SEARCHED, capability_statement
from cds_service.questionnaire.expansion import MOST_OF_A_PAGE, Page, TooCostlyError, expanded
from cds_service.questionnaire.versions import Version
from cds_service.web import fhir_parameters, reading
from cds_service.web.fhir_record import begin, deadline_of, fhir, version_of
from cds_service.web.gate import Gate

_NAMES = tuple(name for name, _ in SEARCHED)
_PAGING = ("_count", "_offset")
_IGNORED = ("_format", "_pretty")
LARGEST_PAGE = 200
# A request with more reports comes from a client in a loop.
MOST_REPORTS = 100
_EXPANDED_BY = ("url", "valueSetVersion", "filter", "offset", "count")


class _FhirId(BaseConverter):
    """An id of FHIR R4; it never matches an operation ("$expand")."""

    regex = r"[A-Za-z0-9\-.]{1,64}"


def register(  # noqa: C901 - the branches are those of its routes, which are functions within it
    app: Flask,
    artifacts: Artifacts,
    installation: Installation,
    gate: Gate,
    public_url: str,
    clock: Callable[[], date],
) -> None:
    """Add the routes; ``public_url`` is our address, ``clock`` gives the UTC day of the CapabilityStatement."""
    base = f"{public_url}/fhir"
    app.url_map.converters["fhir_id"] = _FhirId

    @app.get("/fhir/metadata")
    def metadata() -> Response:
        begin("metadata")
        return fhir(capability_statement(base, clock().isoformat(), authenticated=gate.access is not None))

    @app.get("/fhir/<any(CodeSystem, Library, PlanDefinition, Questionnaire, ValueSet):kind>")
    def search(kind: str) -> Response:
        version = _admitted("search", kind)
        parameters = _parameters((*_NAMES, *_PAGING))
        found = artifacts.search(kind, parameters, version)
        return fhir(_searchset(base, kind, parameters, found))

    @app.get("/fhir/<any(CodeSystem, Library, PlanDefinition, Questionnaire, ValueSet):kind>/<fhir_id:identity>")
    def read(kind: str, identity: str) -> Response:
        version = _admitted("read", kind)
        found = artifacts.read(kind, identity, version)
        if found is None:
            raise RequestError(404, "not-found", f"There is no {kind} with that id; search {base}/{kind} for what is.")
        return fhir(found)

    @app.route("/fhir/ValueSet/$expand", methods=["GET", "POST"])
    def expand() -> Response:
        version = _admitted("expand", "ValueSet")
        sent = _parameters(_EXPANDED_BY) if request.method == "GET" else _posted()
        if not sent.get("url"):
            raise RequestError(400, "required", "url, the canonical address of a ValueSet, is required.", "url")
        wanted = {"url": sent["url"], "version": sent.get("valueSetVersion", "")}
        found = artifacts.search("ValueSet", wanted, version)
        if not found:
            raise RequestError(404, "not-found", f"There is no such ValueSet; search {base}/ValueSet for what is.")
        size = _number(sent, "count", MOST_OF_A_PAGE) if "count" in sent else None
        page = Page(sent.get("filter", ""), _number(sent, "offset", 0), size)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            return fhir(expanded(found[0], artifacts.contents_of(found[0]["id"]), page, f"urn:uuid:{uuid4()}", now))
        except TooCostlyError as error:
            raise RequestError(422, "too-costly", error.sentence) from None

    @app.post("/fhir/Questionnaire/$log-questionnaire-errors")
    def errors() -> Response:
        record = begin("errors")
        deadline = deadline_of(installation)
        record.admitted(gate.admit_to("Questionnaire", record.timing, deadline))
        with record.timing.step("read"):
            sent = fhir_parameters.read(json_bodies.read_json(reading.body(deadline)))
        named = [fhir_parameters.text(item, "valueCanonical") for item in sent.get("questionnaire", ())]
        reported = sent.get("operationOutcome", ())
        for item in reported:
            fhir_parameters.resource(item, ("OperationOutcome",))
        if not named or not reported:
            sentence = "questionnaire (valueCanonical) and operationOutcome (an OperationOutcome) are both required."
            raise RequestError(400, "required", sentence, "parameter")
        if len(named) + len(reported) > MOST_REPORTS:
            raise RequestError(413, "too-long", f"A request may report {MOST_REPORTS} parameters at most.", "parameter")
        known = [policy for canonical in named if (policy := artifacts.policy_of(canonical)) is not None]
        record.forms = tuple(f"{policy.id}|{policy.edition}" for policy in known)
        for policy in known:
            installation.metrics.form_error(policy.id)
            # The report may contain patient data, so the log only notes that it came.
            logs.logger().warning("form-error", policy=policy.id)
        return Response(status=204)

    def _admitted(operation: str, kind: str) -> Version:
        """The version for the answer to the current request."""
        record = begin(operation)
        return version_of(record.admitted(gate.admit_to(kind, record.timing, deadline_of(installation))))

    def _posted() -> Mapping[str, str]:
        sent = fhir_parameters.read(json_bodies.read_json(reading.body(deadline_of(installation))))
        return {name: str(fhir_parameters.value(items[0])) for name, items in sent.items() if name in _EXPANDED_BY}


def _parameters(allowed: tuple[str, ...]) -> Mapping[str, str]:
    """The query parameters. Raises RequestError 400 for an unknown or repeated parameter."""
    found: dict[str, str] = {}
    for name, value in request.args.items(multi=True):
        if name in _IGNORED:
            continue
        if name not in allowed or name in found:
            known = ", ".join(allowed)
            raise RequestError(400, "not-supported", f"The parameters here are {known}, each once.", "http")
        found[name] = value
    return found


def _number(sent: Mapping[str, str], name: str, default: int) -> int:
    text = sent.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise RequestError(400, "value", f"{name} must be a whole number of 0 or more.", name)
    return int(text)


def _searchset(base: str, kind: str, parameters: Mapping[str, str], found: list[Json]) -> Json:
    """One page of results, with a link to the next page if there is one."""
    assert kind in TYPES
    start = _number(parameters, "_offset", 0)
    size = min(_number(parameters, "_count", LARGEST_PAGE), LARGEST_PAGE)
    asked = {name: value for name, value in parameters.items() if name not in _PAGING}

    def link(relation: str, given: Mapping[str, Any]) -> Json:
        return {"relation": relation, "url": f"{base}/{kind}{'?' if given else ''}{urlencode(given)}"}

    links = [link("self", parameters)]
    if size and start + size < len(found):
        links.append(link("next", {**asked, "_count": size, "_offset": start + size}))
    entries = [
        {"fullUrl": f"{base}/{kind}/{item['id']}", "resource": item, "search": {"mode": "match"}}
        for item in found[start : start + size]
    ]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "link": links}
    # FHIR allows no empty lists.
    return bundle | ({"entry": entries} if entries else {})
