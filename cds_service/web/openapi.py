"""The HTTP interface as an OpenAPI 3.1 document, limited to the routes that this installation serves."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from cds_service import __version__
from cds_service.hooks import hook_request

_COMPONENTS = Path(__file__).parents[1] / "policy" / "schemas" / "openapi-components.json"
_OPENED = "What the page shows, to the first browser that has the secret of its link"
_JSON, _FHIR, _HTML, _TEXT = "application/json", "application/fhir+json", "text/html", "text/plain"
# The meaning of each refusal, for readers of the document; the service's own messages explain the case at hand.
_REFUSALS = {
    400: "The body cannot be read, lacks what the hook needs, or mixes patients.",
    401: "The caller is not trusted; no reason is given.",
    403: "The call comes from a page of a web origin that may not call, or its access token does not cover the type.",
    404: "There is nothing at this address.",
    406: "The version of Da Vinci DTR in Accept is not spoken here.",
    405: "The method is not allowed; Allow says which are.",
    408: "The body did not arrive whole in time.",
    412: "The Patient was neither sent nor could be fetched.",
    413: "The body is too large.",
    415: "The body is sent as another media type.",
    421: "The call names a host that is none of the service's.",
    422: "The call can be read, but what it asks for cannot be applied.",
    429: "Too many calls; Retry-After says when to call again.",
    500: "A fault of the service; nothing was decided.",
    503: "The service cannot check or keep what was sent; Retry-After says when to call again.",
}


def document(
    policy_ids: Iterable[str], public_url: str, authenticated: bool, serves: Callable[[str, str], bool]
) -> dict[str, Any]:
    """The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1.html) of this installation.

    ``policy_ids`` are the loaded rule sets, ``public_url`` is our address; ``authenticated`` says whether hook calls
    and feedback require a token. ``serves`` takes a path, with its parameters filled in, and a method, and says whether
    the route exists; the document leaves out other routes.
    """
    known = sorted(policy_ids)
    paths = _paths(known, authenticated).items()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cds-service",
            "version": __version__,
            "summary": "CDS Hooks service for medical societies' coverage statements",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "paths": {path: item for path, item in paths if serves(_filled(path, known), _method(item))},
        "components": {
            "schemas": orjson.loads(_COMPONENTS.read_bytes())
            | {f"{hook}-request": _call(hook) for hook in hook_request.HOOKS},
            "securitySchemes": {
                "cds-hooks-token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "CDS Hooks 2.0, Trusting CDS Clients; aud is the exact address that is called.",
                },
                "access-token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "SMART Backend Services: an access token of /fhir/auth/token.",
                },
            },
        },
    }


def _filled(path: str, policy_ids: Iterable[str]) -> str:
    return path.replace("{policy}", next(iter(policy_ids), "none"))


def _method(item: Mapping[str, Any]) -> str:
    return "POST" if "post" in item else "GET"


def _paths(policy_ids: list[str], authenticated: bool) -> dict[str, Any]:
    policy = {
        "name": "policy",
        "in": "path",
        "required": True,
        "description": "The id of a loaded rule set.",
        "schema": {"type": "string", "enum": policy_ids},
    }
    paths: dict[str, Any] = {
        "/cds-services": {"get": _get("discovery", "The services, with their prefetch", {_JSON: "Discovery"})}
    }
    for service_id, hook in hook_request.SERVICES.items():
        paths[f"/cds-services/{service_id}"] = {
            "post": _post(
                f"call-{hook}",
                f"Answer a {hook} call with cards",
                f"{hook}-request",
                "HookResponse",
                authenticated,
                (400, 408, 412, 413, 415, 422, 429, 500, 503),
            )
        }
        paths[f"/cds-services/{service_id}/feedback"] = {
            "post": _post(
                f"feedback-{hook}",
                f"Keep what became of cards of {hook}",
                "Feedback",
                "Empty",
                authenticated,
                (400, 408, 413, 415, 429, 500, 503),
            )
        }
    return paths | {
        "/": {"get": _get("start", "The start page", {_HTML: None})},
        "/services": {"get": _get("services", "What an EHR must know and send, for people", {_HTML: None})},
        "/policies": {"get": _get("policies", "The statements, for people", {_HTML: None})},
        "/policies/{policy}": {
            "get": _get("policy", "One statement, for people", {_HTML: None}, (404,)),
            "parameters": [policy],
        },
        "/policies/{policy}.json": {
            "get": _get("policy-json", "One statement, for programs", {_JSON: "Policy"}, (404,)),
            "parameters": [policy],
        },
        "/evidence/{id}": {
            "get": _html(_get("evidence", "The page that a card's link leads to", {_HTML: None}), (404, 429, 503)),
            "post": _html(
                _post("open-evidence", _OPENED, "EvidenceSecret", None, False, (400, 408, 413, 415)),
                (200, 403, 404, 429, 503),
            ),
            "parameters": [
                {
                    "name": "id",
                    "in": "path",
                    "required": True,
                    "description": "The id in the link, up to the #.",
                    "schema": {"type": "string"},
                }
            ],
        },
        **_fhir_paths(authenticated),
        "/healthz": {"get": _get("healthz", "Whether the process lives", {_JSON: "Health"})},
        "/readyz": {
            "get": _get("readyz", "Whether calls are answered as they should be", {_JSON: "Readiness"}) | _red()
        },
        "/metrics": {"get": _get("metrics", "Figures for Prometheus", {_TEXT: None})},
        "/openapi.json": {"get": _get("openapi", "This document", {_JSON: None})},
        "/.well-known/security.txt": {
            "get": _get("security-txt", "Where weaknesses are reported (RFC 9116)", {_TEXT: None}, (404,))
        },
    }


def _fhir_paths(authenticated: bool) -> dict[str, Any]:
    """The FHIR routes, without schemas, which FHIR defines; the token routes only if calls require a token."""
    secured: dict[str, Any] = {"security": [{"access-token": []}, {"cds-hooks-token": []}]} if authenticated else {}
    refusals = (401, 403) if authenticated else ()
    paths: dict[str, Any] = {
        "/fhir/metadata": {"get": _fhir_get("capabilities", "The CapabilityStatement", ())},
        "/fhir/ValueSet/$expand": {
            "get": _fhir_get("expand", "Expand a ValueSet", (400, 404, 406, 422, 429, *refusals))
            | secured
            | {"parameters": [_query(name) for name in ("url", "valueSetVersion", "filter", "offset", "count")]},
            "post": _fhir_post("post-expand", "Expand a ValueSet", "Parameters", (404, 406, 422), authenticated),
        },
        "/fhir/Questionnaire/$questionnaire-package": {
            "post": _fhir_post("questionnaire-package", "The forms for an order", "PackageInput", (406,), authenticated)
        },
        "/fhir/Questionnaire/$log-questionnaire-errors": {
            "post": _post(
                "log-questionnaire-errors",
                "Report an error in a form",
                "ErrorsInput",
                None,
                authenticated,
                (400, 408, 413, 415, 429, 500, 503),
            )
        },
    }
    for kind in ("CodeSystem", "Library", "PlanDefinition", "Questionnaire", "ValueSet"):
        parameters = [_query(name) for name in ("url", "version", "_id", "_count", "_offset")]
        search = _fhir_get(f"search-{kind}", f"Search {kind}", (400, 406, 429, *refusals))
        read = _fhir_get(f"read-{kind}", f"Read a {kind}", (404, 406, 429, *refusals))
        schema = {"type": "string", "pattern": "^[A-Za-z0-9.-]{1,64}$"}
        identity = {"name": "id", "in": "path", "required": True, "schema": schema}
        paths[f"/fhir/{kind}"] = {"get": search | secured | {"parameters": parameters}}
        paths[f"/fhir/{kind}/{{id}}"] = {"get": read | secured, "parameters": [identity]}
    errors = paths["/fhir/Questionnaire/$log-questionnaire-errors"]["post"]
    errors["responses"]["204"] = errors["responses"].pop("200")
    if authenticated:
        errors |= secured
        paths |= {
            "/fhir/.well-known/smart-configuration": {
                "get": _get("smart-configuration", "Where programs get access tokens", {_JSON: None})
            },
            "/fhir/auth/token": {"post": _token()},
        }
    return paths


def _query(name: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "string"}}


def _fhir_get(name: str, summary: str, refusals: Iterable[int]) -> dict[str, Any]:
    return _get(name, summary, {_FHIR: None}, refusals)


def _fhir_post(name: str, summary: str, asked: str, refusals: Iterable[int], authenticated: bool) -> dict[str, Any]:
    usual = (400, 408, 413, 415, 429, 500, 503)
    operation = _post(
        name, summary, asked, None, authenticated, (*usual, *refusals, *((403,) if authenticated else ()))
    )
    operation["responses"]["200"] = {"description": summary, "content": {_FHIR: {}}}
    return operation | ({"security": [{"access-token": []}, {"cds-hooks-token": []}]} if authenticated else {})


def _token() -> dict[str, Any]:
    """SMART App Launch 2.2, "Backend Services"."""
    names = ("grant_type", "scope", "client_assertion_type", "client_assertion")
    form = {"type": "object", "required": list(names), "properties": {name: {"type": "string"} for name in names}}
    error: dict[str, Any] = {"content": {_JSON: {}}}
    return {
        "operationId": "access-token",
        "summary": "An access token for a signed assertion",
        "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": form}}},
        "responses": {"200": {"description": "An access token", "content": {_JSON: {}}}}
        | {"400": {"description": "invalid_request, invalid_scope, unsupported_grant_type"} | error}
        | {"401": {"description": "invalid_client"} | error}
        | _refused((413, 429, 503)),
    }


def _html(operation: dict[str, Any], statuses: Iterable[int]) -> dict[str, Any]:
    """The operation, with pages for people as the answers of these statuses."""
    pages = {
        str(status): {"description": _REFUSALS.get(status, operation["summary"]), "content": {_HTML: {}}}
        for status in statuses
    }
    return operation | {"responses": operation["responses"] | pages}


def _red() -> dict[str, Any]:
    good = _get("readyz", "Whether calls are answered as they should be", {_JSON: "Readiness"})
    red = {
        "description": "Something is wrong; failing names the checks that say so.",
        "content": good["responses"]["200"]["content"],
    }
    return {"responses": good["responses"] | {"503": red}}


def _get(name: str, summary: str, content: Mapping[str, str | None], refusals: Iterable[int] = ()) -> dict[str, Any]:
    answers = {media: {"schema": _reference(schema)} if schema else {} for media, schema in content.items()}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": summary, "content": answers}} | _refused(refusals),
    }


def _post(
    name: str, summary: str, asked: str, answered: str | None, authenticated: bool, refusals: Iterable[int]
) -> dict[str, Any]:
    content = {"content": {_JSON: {"schema": _reference(answered)}}} if answered else {}
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": {_JSON: {"schema": _reference(asked)}}},
        "responses": {"200": {"description": summary} | content}
        | _refused([*refusals, 401] if authenticated else [*refusals, 403, 421]),
    } | ({"security": [{"cds-hooks-token": []}]} if authenticated else {})


def _refused(statuses: Iterable[int]) -> dict[str, Any]:
    shape = {_FHIR: {"schema": _reference("OperationOutcome")}}
    return {str(status): {"description": _REFUSALS[status], "content": shape} for status in sorted(statuses)}


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _call(hook: str) -> dict[str, Any]:
    """The schema of a hook's request (CDS Hooks 2.0, "Calling a CDS Service"), as lenient as the service.

    The service ignores members that the schema does not name, and drops those with another shape than in the
    specification.
    """
    context: dict[str, Any] = {"patientId": _reference("PatientId")}
    example: dict[str, Any] = {"userId": "Practitioner/1", "patientId": "p1"}
    required = ["patientId"]
    if hook != hook_request.PATIENT_VIEW:
        order = {
            "resourceType": "ServiceRequest",
            "id": "sr-1",
            "status": "draft",
            "intent": "order",
            "subject": {"reference": "Patient/p1"},
            "code": {"text": "What is ordered"},
        }
        context["draftOrders"] = _reference("DraftOrders")
        example["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]}
        required.append("draftOrders")
    if hook == hook_request.ORDER_SELECT:
        context["selections"] = {
            "type": "array",
            "items": {"type": "string"},
            "description": "References of the drafts that were selected, such as ServiceRequest/sr-1.",
        }
        example["selections"] = ["ServiceRequest/sr-1"]
        required.append("selections")
    return {
        "type": "object",
        "required": ["hook", "hookInstance", "context"],
        "properties": {
            "hook": {"const": hook},
            "hookInstance": _reference("Text"),
            "fhirServer": {"type": ["string", "null"], "description": "The base of the EHR's FHIR R4 server."},
            "fhirAuthorization": _reference("FhirAuthorization"),
            "context": {"type": "object", "required": required, "properties": context},
            "prefetch": _reference("Prefetch"),
        },
        "if": {"required": ["fhirAuthorization"], "properties": {"fhirAuthorization": {"type": "object"}}},
        "then": {"required": ["fhirServer"], "properties": {"fhirServer": _reference("Text")}},
        "examples": [
            {
                "hook": hook,
                "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
                "context": example,
                "prefetch": {"patient": {"resourceType": "Patient", "id": "p1", "birthDate": "1970-01-01"}},
            }
        ],
    }
