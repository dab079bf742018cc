"""A hook call as sent: JSON body in, HookRequest out, or a RequestError that says what, where and what is allowed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cds_service.errors import RequestError
from cds_service.fhir.bundles import DEFAULT_LIMITS, ReadLimits, next_page, size_of
from cds_service.fhir.elements import Json, list_of, relative
from cds_service.fhir.types import ORDERS, TYPES

PATIENT_VIEW, ORDER_SELECT, ORDER_SIGN = "patient-view", "order-select", "order-sign"
HOOKS = (PATIENT_VIEW, ORDER_SELECT, ORDER_SIGN)
SERVICES = {f"coverage-guidance-{hook}": hook for hook in HOOKS}
SERVICE_OF = {hook: service_id for service_id, hook in SERVICES.items()}
# FHIR resources nest about ten levels deep; what nests much deeper could not be written into an answer.
DEEPEST_ORDER = 100


# What may stand behind "Bearer " in a header (RFC 6750, section 2.1, and any other visible ASCII that is in use).
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class FhirAuthorization:
    """What the EHR grants for one call (CDS Hooks 2.0, "FHIR Resource Access"); ``expires_in`` in seconds.

    The token is for this call alone: it is never stored, logged or shared, and ``repr`` does not show it.
    """

    access_token: str | None = field(default=None, repr=False)
    token_type: str | None = None
    expires_in: int | None = None
    scope: str | None = None
    subject: str | None = field(default=None, repr=False)
    patient: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """One call: ``drafts`` are (reference, resource) of draftOrders, ``selections`` is None if the hook has none.

    ``context`` holds the texts at the root of the context, which prefetch tokens name. ``unfetched`` maps a published
    prefetch key to the sentence that says why it could not be had, or not all of it; a call as sent has none.
    """

    hook: str
    patient_id: str
    drafts: tuple[tuple[str, Json], ...]
    selections: frozenset[str] | None
    prefetch: Mapping[str, Any]
    fhir_server: str | None = None
    authorization: FhirAuthorization | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    unfetched: Mapping[str, str] = field(default_factory=dict)

    def lacks(self, key: str) -> bool:
        """Whether a published prefetch key was neither sent whole nor tried to be fetched.

        What was sent as ``null`` or failed is not lacking: the EHR has answered (CDS Hooks 2.0, "Prefetch Template").
        """
        if key in self.unfetched:
            return False
        return key not in self.prefetch or next_page(self.prefetch[key]) is not None


def hook_of(service_id: str) -> str:
    """The hook that a service answers. Raises RequestError 404 for an unknown service."""
    if service_id not in SERVICES:
        known = ", ".join(sorted(SERVICES))
        raise RequestError(404, "not-found", f"There is no service '{service_id[:60]}'. The services are {known}.")
    return SERVICES[service_id]


def parse(service_id: str, body: Any, limits: ReadLimits = DEFAULT_LIMITS) -> HookRequest:
    """Reads a call of a service (CDS Hooks 2.0, "Calling a CDS Service"); unknown members are ignored.

    Raises RequestError: 404 unknown service, 400 for a body that lacks what the hook needs or mixes patients, 413 for
    one with more than ``limits`` let through.
    """
    expected = hook_of(service_id)
    request = _member(body, "The body", dict)
    hook = _required(request, "hook", str, "hook")
    if hook != expected:
        # Any other text might be of the patient.
        said = f"'{hook}'" if hook in HOOKS else "another"
        sentence = f"The service {service_id} answers the hook {expected}, but the body says {said}."
        raise RequestError(400, "invalid", sentence, "hook")
    _required(request, "hookInstance", str, "hookInstance")
    context = _required(request, "context", dict, "context")
    patient_id = _required(context, "patientId", str, "context.patientId").removeprefix("Patient/")
    prefetch = _prefetch(request.get("prefetch"), limits)
    fhir_server = _given(request, "fhirServer")
    if request.get("fhirAuthorization") is not None and not fhir_server:
        raise RequestError(400, "required", "fhirServer is required where fhirAuthorization is sent.", "fhirServer")
    if fhir_server is not None:
        _member(fhir_server, "fhirServer", str)
    drafts = _drafts(context, patient_id, limits) if hook != PATIENT_VIEW else ()
    selections = _selections(context) if hook == ORDER_SELECT else None
    return HookRequest(
        hook=hook,
        patient_id=patient_id,
        drafts=drafts,
        selections=selections,
        prefetch=prefetch,
        fhir_server=fhir_server,
        authorization=_authorization(request.get("fhirAuthorization"), patient_id),
        context={name: value for name, value in context.items() if isinstance(value, str)} | {"patientId": patient_id},
    )


def with_prefetch(request: HookRequest, sent: Any, limits: ReadLimits = DEFAULT_LIMITS) -> HookRequest:
    """The call with the member ``prefetch`` of its body, which ``parse`` does without and reads where it is given.

    Raises RequestError 400 where it is no object, 413 for more than ``limits`` let through.
    """
    return replace(request, prefetch=_prefetch(sent, limits))


def _prefetch(sent: Any, limits: ReadLimits) -> Mapping[str, Any]:
    if sent is None:
        return {}
    if not isinstance(sent, dict):
        raise RequestError(400, "structure", "prefetch must be an object of prefetch keys.", "prefetch")
    resources = sum(map(size_of, sent.values()))
    if resources > limits.resources:
        raise _too_many("prefetch", resources, "resources", limits.resources, "CDS_SERVICE_MAX_RESOURCES")
    return sent


def _too_many(place: str, found: int, what: str, most: int, setting: str) -> RequestError:
    sentence = (
        f"{place} holds {found} {what}; at most {most} are read. Send fewer, or let the operator raise {setting}."
    )
    return RequestError(413, "too-costly", sentence, place)


def _authorization(sent: Any, patient_id: str) -> FhirAuthorization | None:
    """What the EHR grants; members that this service can do without are left out where they have another shape.

    A grant without a token is no error: some test clients name a server that asks for none.
    """
    if sent is None:
        return None
    grant = _member(sent, "fhirAuthorization", dict)
    token = _given(grant, "access_token")
    if token is not None and not (isinstance(token, str) and _TOKEN.fullmatch(token)):
        place = "fhirAuthorization.access_token"
        raise RequestError(400, "structure", f"{place} must be text of visible ASCII characters.", place)
    kind = grant.get("token_type")
    if kind is not None and not (isinstance(kind, str) and kind.lower() == "bearer"):
        place = "fhirAuthorization.token_type"
        raise RequestError(400, "invalid", f"{place} must be Bearer.", place)
    patient = _text(grant, "patient")
    if patient is not None and relative(patient).removeprefix("Patient/") != patient_id:
        raise RequestError(
            400,
            "business-rule",
            "fhirAuthorization.patient is another patient than context.patientId; send the grant of this patient.",
            "fhirAuthorization.patient",
        )
    expires = grant.get("expires_in")
    seconds = expires if isinstance(expires, int) and not isinstance(expires, bool) else None
    return FhirAuthorization(token, kind, seconds, _text(grant, "scope"), _text(grant, "subject"), patient)


def _given(parent: Mapping[str, Any], name: str) -> Any:
    """A member, or None where it is left out, null or empty text."""
    value = parent.get(name)
    return None if value == "" else value


def _text(parent: Mapping[str, Any], name: str) -> str | None:
    value = parent.get(name)
    return value if isinstance(value, str) and value else None


def _drafts(context: Mapping[str, Any], patient_id: str, limits: ReadLimits) -> tuple[tuple[str, Json], ...]:
    bundle = _required(context, "draftOrders", dict, "context.draftOrders")
    if bundle.get("resourceType") not in (None, "Bundle"):
        raise RequestError(400, "structure", "context.draftOrders must be a FHIR Bundle.", "context.draftOrders")
    entries = bundle.get("entry")
    if entries is None:
        return ()
    listed = _member(entries, "context.draftOrders.entry", list)
    if len(listed) > limits.drafts:
        raise _too_many("context.draftOrders.entry", len(listed), "orders", limits.drafts, "CDS_SERVICE_MAX_DRAFTS")
    drafts, said = [], 0
    for index, entry in enumerate(listed):
        place = f"context.draftOrders.entry[{index}]"
        resource = _member(_member(entry, place, dict).get("resource"), f"{place}.resource", dict)
        kind = resource.get("resourceType")
        if not isinstance(kind, str):
            raise RequestError(400, "structure", f"{place}.resource has no resourceType.", f"{place}.resource")
        if _is_too_deep(resource):
            raise RequestError(
                400,
                "too-costly",
                f"{place}.resource is nested more than {DEEPEST_ORDER} levels deep; send a FHIR order.",
                f"{place}.resource",
            )
        is_order = kind in ORDERS
        said += _characters(resource) if is_order else 0
        if is_order and is_of_another(resource.get(TYPES[kind].subject), patient_id):
            raise RequestError(
                400,
                "business-rule",
                f"{place}.resource is an order for another patient than context.patientId; send one patient's orders.",
                f"{place}.resource.subject",
            )
        identity = resource.get("id")
        drafts.append((f"{kind}/{identity}" if isinstance(identity, str) else f"{kind}#{index}", resource))
    if said > limits.all_text_characters:
        what, setting = "characters in codes, sites and reasons", "CDS_SERVICE_MAX_ALL_TEXT_CHARACTERS"
        raise _too_many("context.draftOrders", said, what, limits.all_text_characters, setting)
    return tuple(drafts)


def _characters(order: Json) -> int:
    """How much an order says of what it is, where and why: the characters of words, displays, codes and systems."""
    concepts = [order.get("code"), order.get("codeCodeableConcept")]
    for name in ("bodySite", "reasonCode"):
        concepts += list_of(order.get(name))
    return sum(
        len(text)
        for concept in concepts
        if isinstance(concept, dict)
        for text in (concept.get("text"), *_texts_of(concept.get("coding")))
        if isinstance(text, str)
    )


def _texts_of(codings: Any) -> Iterator[Any]:
    for coding in codings if isinstance(codings, list) else ():
        if isinstance(coding, dict):
            yield from (coding.get("system"), coding.get("code"), coding.get("display"))


def _is_too_deep(resource: Json) -> bool:
    level: list[Any] = [resource]
    for _ in range(DEEPEST_ORDER):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def is_of_another(subject: Any, patient_id: str) -> bool:
    """Whether a subject names another patient for certain; a urn, a contained or a logical reference does not tell."""
    reference = subject.get("reference") if isinstance(subject, dict) else None
    if not isinstance(reference, str):
        return False
    named = relative(reference)
    return named.startswith("Patient/") and named != f"Patient/{patient_id}"


def _selections(context: Mapping[str, Any]) -> frozenset[str]:
    selections = _required(context, "selections", list, "context.selections")
    if not all(isinstance(item, str) for item in selections):
        raise RequestError(
            400, "structure", "context.selections must list references such as ServiceRequest/1.", "context.selections"
        )
    return frozenset(relative(item) for item in selections)


_NAMES: dict[type, str] = {dict: "an object", list: "a list", str: "text"}


def _required(parent: Mapping[str, Any], name: str, kind: type, place: str) -> Any:
    if parent.get(name) in (None, ""):
        raise RequestError(400, "required", f"{place} is required and missing.", place)
    return _member(parent[name], place, kind)


def _member(value: Any, place: str, kind: type) -> Any:
    if not isinstance(value, kind):
        raise RequestError(400, "structure", f"{place} must be {_NAMES[kind]}.", None if place == "The body" else place)
    return value
