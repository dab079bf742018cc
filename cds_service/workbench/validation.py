"""Validation of a call against CDS Hooks 2.0: every problem at once, with its place, worded for the developer.

The service is more lenient, and answers many calls with findings. An ``error`` violates the specification or makes the
service refuse the call; a ``warning`` has a cost (criteria stay unknown); a ``note`` is for information. Only the
sender of the call sees the findings.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from cds_service.ehr import scopes
from cds_service.errors import RequestError
from cds_service.fhir.elements import Json
from cds_service.hooks import hook_request
from cds_service.hooks.hook_request import HookRequest
from cds_service.service.guide import Guide
from cds_service.workbench import check_words as words
from cds_service.workbench import prefetch_validation
from cds_service.workbench.prefetch_validation import Published
from cds_service.workbench.remarks import (
    ERROR,
    NOTE,
    WARNING,
    Check,
    Remark,
    models_check,
    report_of,
    split_address,
)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_REFERENCE = re.compile(r"[A-Za-z]+/[A-Za-z0-9._~-]+")
_USERS = ("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
_DRAFTS = "context.draftOrders"
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
_KNOWN = ("hook", "hookInstance", "fhirServer", "fhirAuthorization", "context", "prefetch", "extension")
_CONTEXT = {
    hook_request.PATIENT_VIEW: {"userId", "patientId", "encounterId"},
    hook_request.ORDER_SELECT: {"userId", "patientId", "encounterId", "selections", "draftOrders"},
    hook_request.ORDER_SIGN: {"userId", "patientId", "encounterId", "draftOrders"},
}


class RequestReport(NamedTuple):
    """The findings of a validation, the titles of the checks that passed, and the usable records of each type."""

    findings: list[Remark]
    passed: list[str]
    delivery: Mapping[str, Json]


def request_report(service_id: str | None, body: Any, published: Published, guide: Guide) -> RequestReport:
    """Validate a request. ``service_id`` is the called service, or None for the default service of its hook; ``guide``
    is the guide that the service would answer with."""
    if not isinstance(body, dict):
        return RequestReport([Remark("", ERROR, words.NOT_AN_OBJECT)], [], {})
    service = service_id or hook_request.SERVICE_OF.get(str(body.get("hook")))
    request, refused = _accepted(service, body)
    delivered, unread = prefetch_validation.delivery(request, guide)
    checks = [Check(words.ACCEPTED, refused), *_checks(service, body, request, published)]
    if request is not None:
        checks.append(Check(words.COUNTS, unread))
    report = report_of(checks)
    return RequestReport(report.findings, report.passed, delivered)


def _accepted(service: str | None, body: dict[str, Any]) -> tuple[HookRequest | None, list[Remark]]:
    """The request as the service parses it, or the reason for a refusal."""
    if service is None:
        return None, [Remark("hook", ERROR, words.hook(hook_request.HOOKS))]
    try:
        return hook_request.parse(service, body), []
    except RequestError as error:
        return None, [Remark(error.expression or "", ERROR, words.answered(error.status, error.sentence))]


def _checks(
    service: str | None, body: Mapping[str, Any], request: HookRequest | None, published: Published
) -> Iterator[Check]:
    """The checks that apply to a request, in the order of its members."""
    hook = hook_request.SERVICES.get(service or "", "")
    yield Check(words.MEMBERS, _members(body))
    context = body.get("context")
    if isinstance(context, dict):
        yield Check(words.CONTEXT, _context(context, hook))
        if hook in (hook_request.ORDER_SELECT, hook_request.ORDER_SIGN):
            drafts = _drafts_of(context)
            yield Check(words.DRAFTS, _drafts(context, hook, drafts))
            if hook == hook_request.ORDER_SELECT:
                yield Check(words.SELECTIONS, _selections(context, drafts))
            if request is not None:
                yield Check(words.READABLE, _unread(request))
            yield models_check(_DRAFTS, [(where, draft) for where, _, draft in drafts])
    if body.get("fhirServer") or body.get("fhirAuthorization"):
        yield Check(words.ACCESS, _access(body, published))
    yield from prefetch_validation.checks(body, request, published)


def _unread(request: HookRequest) -> Iterator[Remark]:
    """The drafts that the service cannot read as orders, and the drafts for other patients."""
    for item in request.unread_drafts:
        yield Remark(item.place, WARNING, words.not_an_order(item.sentence))
    for place, _ in request.orders_of_others:
        yield Remark(f"{place}.resource.subject", ERROR, words.ORDER_OF_ANOTHER)


def _members(body: Mapping[str, Any]) -> Iterator[Remark]:
    instance = body.get("hookInstance")
    if isinstance(instance, str) and instance and not _UUID.fullmatch(instance):
        yield Remark("hookInstance", ERROR, words.INSTANCE)
    for name in body:
        if name not in _KNOWN:
            yield Remark(name[:60], NOTE, words.no_member(name[:60]))


def _context(context: Mapping[str, Any], hook: str) -> Iterator[Remark]:
    user = context.get("userId")
    if user in (None, ""):
        yield Remark("context.userId", ERROR, words.user_missing(hook))
    elif not (isinstance(user, str) and _REFERENCE.fullmatch(user) and user.partition("/")[0] in _USERS):
        yield Remark("context.userId", ERROR, words.user(_USERS))
    patient = context.get("patientId")
    if isinstance(patient, str) and "/" in patient:
        yield Remark("context.patientId", ERROR, words.PATIENT_ID)
    encounter = context.get("encounterId")
    if encounter is not None and not isinstance(encounter, str):
        yield Remark("context.encounterId", ERROR, words.ENCOUNTER_TEXT)
    elif isinstance(encounter, str) and "/" in encounter:
        yield Remark("context.encounterId", ERROR, words.ENCOUNTER_ID)
    for name in context:
        if hook and name not in _CONTEXT[hook]:
            yield Remark(f"context.{name[:60]}", NOTE, words.no_field(hook, name[:60]))


def _drafts_of(context: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """(place of the resource, entry, resource) of each draft that is an object."""
    bundle = context.get("draftOrders")
    entries = bundle.get("entry") if isinstance(bundle, dict) else None
    return [
        (f"{_DRAFTS}.entry[{index}].resource", entry, entry["resource"])
        for index, entry in enumerate(entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict)
    ]


def _drafts(
    context: Mapping[str, Any], hook: str, drafts: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]]
) -> Iterator[Remark]:
    bundle = context.get("draftOrders")
    if not isinstance(bundle, dict):
        return
    if bundle.get("resourceType") != "Bundle":
        yield Remark(f"{_DRAFTS}.resourceType", ERROR, words.DRAFTS_TYPE)
    if not bundle.get("type"):
        yield Remark(f"{_DRAFTS}.type", WARNING, words.BUNDLE_TYPE)
    for where, _, resource in drafts:
        if not (isinstance(resource.get("id"), str) and resource["id"]):
            yield Remark(f"{where}.id", WARNING, words.DRAFT_ID)
        if hook == hook_request.ORDER_SELECT and resource.get("status") not in ("draft", None):
            yield Remark(f"{where}.status", WARNING, words.DRAFT_STATUS)


def _selections(
    context: Mapping[str, Any], drafts: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]]
) -> Iterator[Remark]:
    selections = context.get("selections")
    if not isinstance(selections, list):
        return
    references = {f"{resource.get('resourceType')}/{resource.get('id')}" for _, _, resource in drafts}
    references |= {entry["fullUrl"] for _, entry, _ in drafts if isinstance(entry.get("fullUrl"), str)}
    for index, item in enumerate(selections):
        if isinstance(item, str) and item not in references:
            yield Remark(f"context.selections[{index}]", ERROR, words.SELECTS_NOTHING)
    if not selections:
        yield Remark("context.selections", WARNING, words.NOTHING_SELECTED)


def _access(body: Mapping[str, Any], published: Published) -> Iterator[Remark]:
    """Problems of the FHIR server and the grant (CDS Hooks 2.0, "FHIR Resource Access")."""
    server, grant = body.get("fhirServer"), body.get("fhirAuthorization")
    if isinstance(server, str) and server:
        parts = split_address(server)
        if parts is None:
            yield Remark("fhirServer", ERROR, words.SERVER_ADDRESS)
        elif parts[0] == "http" and parts[1] not in _LOOPBACK:
            yield Remark("fhirServer", ERROR, words.SERVER_HTTPS)
    if not isinstance(grant, dict):
        return
    for name in words.GRANT:
        kind = int if name == "expires_in" else str
        value = grant.get(name)
        if value in (None, "") or not isinstance(value, kind) or isinstance(value, bool):
            yield Remark(f"fhirAuthorization.{name}", ERROR, words.grant(name))
    if grant.get("token_type") not in (None, "", "Bearer"):
        yield Remark("fhirAuthorization.token_type", ERROR, words.TOKEN_TYPE)
    scope = grant.get("scope")
    if not isinstance(scope, str):
        return
    if "patient/" in scope and not grant.get("patient"):
        yield Remark("fhirAuthorization.patient", WARNING, words.PATIENT_OF_SCOPES)
    sent = body.get("prefetch")
    for key, template in published.templates.items():
        if isinstance(sent, dict) and key in sent:
            continue
        asked, mark, _ = template.partition("?")
        resource_type = asked.partition("/")[0]
        if not scopes.covers(scope, resource_type, "patient=1" if mark else None):
            yield Remark("fhirAuthorization.scope", WARNING, words.not_covered(resource_type))
