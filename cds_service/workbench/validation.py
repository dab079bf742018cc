"""A call held against CDS Hooks 2.0: every fault at once, with its place, in words for the engineer.

The service itself is more liberal: it answers much of what is found here. A finding of level ``error`` breaks the
specification or is refused by the service, a ``warning`` costs something (criteria stay unknown), a ``note`` is for
knowledge. Findings are shown to whoever sent the call, and to nobody else.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cds_service.ehr import scopes, templates
from cds_service.ehr.templates import UnresolvedError
from cds_service.errors import RequestError
from cds_service.fhir.bundles import next_page, read_value, unwrapped
from cds_service.fhir.models import problems
from cds_service.fhir.types import subject_of
from cds_service.hooks import hook_request
from cds_service.hooks.draft_orders import is_of_another
from cds_service.hooks.hook_request import HookRequest

ERROR, WARNING, NOTE = "error", "warning", "note"
MOST_RESOURCES = 300
MOST_FINDINGS = 200

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_REFERENCE = re.compile(r"[A-Za-z]+/[A-Za-z0-9._~-]+")
_USERS = ("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
_KNOWN = ("hook", "hookInstance", "fhirServer", "fhirAuthorization", "context", "prefetch", "extension")
_CONTEXT = {
    hook_request.PATIENT_VIEW: {"userId", "patientId", "encounterId"},
    hook_request.ORDER_SELECT: {"userId", "patientId", "encounterId", "selections", "draftOrders"},
    hook_request.ORDER_SIGN: {"userId", "patientId", "encounterId", "draftOrders"},
}


class Remark(NamedTuple):
    """One thing found: ``path`` in the JSON (empty for the whole), ``level`` error, warning or note, ``text``."""

    path: str
    level: str
    text: str


class Published(NamedTuple):
    """What discovery says: prefetch key -> template, prefetch key -> resource type; ``fetches`` what is not sent."""

    templates: Mapping[str, str]
    types: Mapping[str, str]
    fetches: bool


def request_findings(service_id: str | None, body: Any, published: Published) -> list[Remark]:
    """All that is found in a request, errors first. ``service_id`` is the one called, or None for that of its hook."""
    found = islice(_request(service_id, body, published), MOST_FINDINGS)
    order = (ERROR, WARNING, NOTE)
    unique = dict.fromkeys(found)
    return sorted(unique, key=lambda finding: order.index(finding.level))


def _request(service_id: str | None, body: Any, published: Published) -> Iterator[Remark]:
    if not isinstance(body, dict):
        yield Remark("", ERROR, "The body must be a JSON object.")
        return
    service = service_id or hook_request.SERVICE_OF.get(str(body.get("hook")))
    request: HookRequest | None = None
    if service is None:
        names = ", ".join(hook_request.HOOKS)
        yield Remark("hook", ERROR, f"hook must be one of {names}; it decides which service is called.")
    else:
        try:
            request = hook_request.parse(service, body)
        except RequestError as error:
            yield Remark(error.expression or "", ERROR, f"The service answers {error.status}: {error.sentence}")
    yield from _members(body)
    yield from _unread(request)
    context = body.get("context")
    hook = hook_request.SERVICES.get(service or "", "")
    if isinstance(context, dict):
        yield from _context(context, hook)
    yield from _access(body, context if isinstance(context, dict) else {}, request, published)
    yield from _prefetch(body, request, published)


def _unread(request: HookRequest | None) -> Iterator[Remark]:
    """The drafts that the service cannot read as orders, and those for other patients."""
    for item in request.unread_drafts if request is not None else ():
        yield Remark(item.place, WARNING, f"Not read as an order: {item.sentence}")
    for place, _ in request.orders_of_others if request is not None else ():
        sentence = (
            "An order for another patient than context.patientId: 400 where a statement concerns it, else ignored."
        )
        yield Remark(f"{place}.resource.subject", ERROR, sentence)


def _members(body: Mapping[str, Any]) -> Iterator[Remark]:
    instance = body.get("hookInstance")
    if isinstance(instance, str) and instance and not _UUID.fullmatch(instance):
        yield Remark("hookInstance", ERROR, "hookInstance must be a UUID, a new one for each time the hook fires.")
    for name in body:
        if name not in _KNOWN:
            yield Remark(name[:60], NOTE, f"'{name[:60]}' is no member of a CDS Hooks request; the service ignores it.")


def _context(context: Mapping[str, Any], hook: str) -> Iterator[Remark]:
    user = context.get("userId")
    if user in (None, ""):
        yield Remark("context.userId", ERROR, f"context.userId is required by {hook or 'every hook'}; send Type/id.")
    elif not (isinstance(user, str) and _REFERENCE.fullmatch(user) and user.partition("/")[0] in _USERS):
        yield Remark("context.userId", ERROR, f"context.userId must be Type/id with one of {', '.join(_USERS)}.")
    patient = context.get("patientId")
    if isinstance(patient, str) and "/" in patient:
        yield Remark("context.patientId", ERROR, "context.patientId must be the id alone, without 'Patient/'.")
    encounter = context.get("encounterId")
    if encounter is not None and not isinstance(encounter, str):
        yield Remark("context.encounterId", ERROR, "context.encounterId must be text, or be left out.")
    elif isinstance(encounter, str) and "/" in encounter:
        yield Remark("context.encounterId", ERROR, "context.encounterId must be the id alone, without 'Encounter/'.")
    for name in context:
        if hook and name not in _CONTEXT[hook]:
            yield Remark(f"context.{name[:60]}", NOTE, f"{hook} has no context field '{name[:60]}'; it is ignored.")
    if hook in (hook_request.ORDER_SELECT, hook_request.ORDER_SIGN):
        yield from _drafts(context, hook)


def _drafts(context: Mapping[str, Any], hook: str) -> Iterator[Remark]:
    bundle = context.get("draftOrders")
    if not isinstance(bundle, dict):
        return
    place = "context.draftOrders"
    if bundle.get("resourceType") != "Bundle":
        yield Remark(f"{place}.resourceType", ERROR, "context.draftOrders must be a FHIR Bundle; say resourceType.")
    if not bundle.get("type"):
        yield Remark(f"{place}.type", WARNING, "A FHIR Bundle needs a type, such as collection.")
    entries = bundle.get("entry")
    references: set[str] = set()
    drafts: list[tuple[str, Any]] = []
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            continue
        if isinstance(entry.get("fullUrl"), str):
            references.add(entry["fullUrl"])
        where = f"{place}.entry[{index}].resource"
        kind, identity = resource.get("resourceType"), resource.get("id")
        if isinstance(identity, str) and identity:
            references.add(f"{kind}/{identity}")
        else:
            yield Remark(
                f"{where}.id",
                WARNING,
                "The draft has no id: only a fullUrl selects it, and no suggestion can change it.",
            )
        if hook == hook_request.ORDER_SELECT and resource.get("status") not in ("draft", None):
            yield Remark(f"{where}.status", WARNING, "Orders of order-select are drafts: status must be 'draft'.")
        drafts.append((where, resource))
    yield from some_models(place, drafts)
    selections = context.get("selections")
    if hook == hook_request.ORDER_SELECT and isinstance(selections, list):
        for index, item in enumerate(selections):
            if isinstance(item, str) and item not in references:
                yield Remark(
                    f"context.selections[{index}]", ERROR, "This selection names no order in context.draftOrders."
                )
        if not selections:
            yield Remark("context.selections", WARNING, "Nothing is selected, so that no card can come.")


def _access(
    body: Mapping[str, Any], context: Mapping[str, Any], request: HookRequest | None, published: Published
) -> Iterator[Remark]:
    """What is said of the FHIR server and the grant (CDS Hooks 2.0, "FHIR Resource Access")."""
    server, grant = body.get("fhirServer"), body.get("fhirAuthorization")
    if isinstance(server, str) and server:
        parts = split_address(server)
        if parts is None:
            yield Remark("fhirServer", ERROR, "fhirServer must be an absolute https address.")
        elif parts[0] == "http" and parts[1] not in _LOOPBACK:
            yield Remark("fhirServer", ERROR, "fhirServer must be https: what it sends is of a patient.")
    if not isinstance(grant, dict):
        return
    rules: tuple[tuple[str, type, str], ...] = (
        ("access_token", str, "the token"),
        ("token_type", str, "'Bearer'"),
        ("expires_in", int, "the token's lifetime in seconds, a whole number"),
        ("scope", str, "the scopes granted, separated by spaces"),
        ("subject", str, "the OAuth 2.0 client id of this service at the authorization server"),
    )
    for name, kind, what in rules:
        value = grant.get(name)
        if value in (None, "") or not isinstance(value, kind) or isinstance(value, bool):
            yield Remark(f"fhirAuthorization.{name}", ERROR, f"fhirAuthorization.{name} is required: {what}.")
    if grant.get("token_type") not in (None, "", "Bearer"):
        yield Remark("fhirAuthorization.token_type", ERROR, "fhirAuthorization.token_type must be 'Bearer'.")
    scope = grant.get("scope")
    if not isinstance(scope, str):
        return
    if "patient/" in scope and not grant.get("patient"):
        yield Remark(
            "fhirAuthorization.patient",
            WARNING,
            "The scopes are those of a patient: fhirAuthorization.patient should name the one.",
        )
    sent = body.get("prefetch")
    for key, template in published.templates.items():
        if isinstance(sent, dict) and key in sent:
            continue
        asked, mark, _ = template.partition("?")
        resource_type = asked.partition("/")[0]
        if not scopes.covers(scope, resource_type, "patient=1" if mark else None):
            yield Remark(
                "fhirAuthorization.scope",
                WARNING,
                f"The scopes do not cover {resource_type}, which prefetch does not hold either: its criteria "
                "stay unknown.",
            )


def _prefetch(body: Mapping[str, Any], request: HookRequest | None, published: Published) -> Iterator[Remark]:
    sent = body.get("prefetch")
    if sent is not None and not isinstance(sent, dict):
        return
    values: Mapping[str, Any] = sent or {}
    reachable = published.fetches and bool(body.get("fhirServer"))
    for key, template in published.templates.items():
        if key not in values:
            yield _not_sent(key, template, request, reachable)
    for key, value in values.items():
        place = f"prefetch.{key[:60]}"
        if key not in published.templates and key not in published.types:
            known = ", ".join(published.templates)
            yield Remark(place, NOTE, f"Discovery has no prefetch key '{key[:60]}'; the keys are {known}.")
        else:
            yield from _value(place, key, value, request, published, reachable)
    yield from _records(values, published)


def _not_sent(key: str, template: str, request: HookRequest | None, reachable: bool) -> Remark:
    place = f"prefetch.{key}"
    if request is not None:
        try:
            templates.resolve(template, request.context)
        except UnresolvedError as error:
            return Remark(place, WARNING, f"Not sent, and its template cannot be resolved: {error}.")
    if reachable:
        return Remark(place, NOTE, "Not sent: the service fetches it from fhirServer where an order needs it.")
    return Remark(
        place,
        WARNING,
        f"Not sent, and there is no FHIR server to ask: what rests on it stays unknown. Its template is {template}"
        if key != "patient"
        else "Not sent, and there is no FHIR server to ask: an order that is recognised is answered 412.",
    )


def _value(
    place: str, key: str, value: Any, request: HookRequest | None, published: Published, reachable: bool
) -> Iterator[Remark]:
    expected = published.types.get(key)
    template = published.templates.get(key, "")
    arrival = read_value(value)
    if unwrapped(value) is not value:
        yield Remark(place, ERROR, "Stands in {response, resource}, as before CDS Hooks 1.0: send the resource itself.")
        value = unwrapped(value)
    if arrival.failure is not None:
        yield Remark(place, WARNING, f"Counts as failed, so that what rests on it stays unknown: {arrival.failure}.")
    if value is not None and isinstance(value, dict) and value.get("resourceType") == "Bundle":
        if not template.partition("?")[1] and template:
            yield Remark(place, ERROR, f"The template is a read: send the {expected} itself, not a Bundle.")
        if next_page(value) is None and arrival.left_out is not None:
            left_out = arrival.left_out.format(expected or "resources")
            yield Remark(place, WARNING, f"Counts as failed, so that what rests on it stays unknown: {left_out}.")
        if next_page(value) is not None:
            yield Remark(
                f"{place}.link",
                NOTE if reachable else WARNING,
                "This is the first page of several: the service fetches the rest."
                if reachable
                else "This is the first page of several, and there is no FHIR server to ask for the rest.",
            )
    elif isinstance(value, dict) and template.partition("?")[1] and arrival.failure is None:
        yield Remark(place, ERROR, "The template is a search: send the whole searchset Bundle.")
    if isinstance(value, list):
        yield Remark(place, ERROR, "A prefetch value is one resource or one Bundle, not a list.")
    if expected and arrival.by_type and expected not in arrival.by_type and arrival.failure is None:
        others = ", ".join(sorted(arrival.by_type))
        yield Remark(place, WARNING, f"Holds no {expected}, which this key is for, but {others}.")
    if request is not None:
        yield from _strangers(place, arrival.by_type, request.patient_id)


def _records(values: Mapping[str, Any], published: Published) -> Iterator[Remark]:
    """What breaks the model of a record under a published key."""
    resources = [
        (f"prefetch.{key} {kind}/{_identity(resource)}", resource)
        for key, value in values.items()
        if key in published.templates or key in published.types
        for kind, found in read_value(value).by_type.items()
        for resource in found
    ]
    yield from some_models("prefetch", resources)


def _strangers(place: str, by_type: Mapping[str, list[Any]], patient_id: str) -> Iterator[Remark]:
    for kind, resources in by_type.items():
        if kind == "Patient":
            if any(resource.get("id") != patient_id for resource in resources):
                yield Remark(place, ERROR, "The Patient is another than context.patientId.")
            continue
        others = sum(is_of_another(resource.get(subject_of(kind)), patient_id) for resource in resources)
        if others:
            count = f"{others} {kind} is" if others == 1 else f"{others} {kind} are"
            yield Remark(place, ERROR, f"{count} of another patient than context.patientId; ignored as evidence.")


def some_models(place: str, resources: list[tuple[str, Any]]) -> Iterator[Remark]:
    """What breaks the models of resources, a part of ``place``; models are slow, so that there is a limit."""
    if len(resources) > MOST_RESOURCES:
        sentence = f"{len(resources)} resources: only the first {MOST_RESOURCES} are held against their FHIR models."
        yield Remark(place, NOTE, sentence)
    yield from _models(resources[:MOST_RESOURCES])


def _models(resources: Iterable[tuple[str, Any]]) -> Iterator[Remark]:
    """What breaks the FHIR R4 model of each resource; values are not repeated."""
    for place, resource in resources:
        if isinstance(resource.get("resourceType"), str):
            for problem in problems(resource):
                yield Remark(place, WARNING, f"Not as FHIR R4 has it: {problem}.".replace("..", "."))


def _identity(resource: Mapping[str, Any]) -> str:
    identity = resource.get("id")
    return identity[:64] if isinstance(identity, str) and identity else "?"


def split_address(address: str) -> tuple[str, str] | None:
    """Scheme and host of an absolute http or https address; None of any other text."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname or "") if parts.scheme in ("http", "https") and parts.hostname else None
