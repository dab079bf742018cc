"""A hook call as sent: JSON body in, HookRequest out, or a RequestError that says what is wrong and where."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cds_service.errors import RequestError
from cds_service.fhir.bundles import DEFAULT_LIMITS, ReadLimits, next_page, size_of
from cds_service.fhir.elements import Json, relative
from cds_service.hooks.draft_orders import DraftOrders, UnreadDraft, read_drafts
from cds_service.hooks.members import given, member, required, too_many

PATIENT_VIEW, ORDER_SELECT, ORDER_SIGN = "patient-view", "order-select", "order-sign"
HOOKS = (PATIENT_VIEW, ORDER_SELECT, ORDER_SIGN)
SERVICES = {f"coverage-guidance-{hook}": hook for hook in HOOKS}
SERVICE_OF = {hook: service_id for service_id, hook in SERVICES.items()}

# The characters that may follow "Bearer " (RFC 6750, section 2.1, and any other visible ASCII that is in use).
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class FhirAuthorization:
    """The EHR's grant for one call (CDS Hooks 2.0, "FHIR Resource Access"); ``expires_in`` in seconds.

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

    ``orders_of_others`` are (place, resource) of orders for another patient; ``unread_drafts`` are drafts that cannot
    be read as orders. ``context`` has the texts at the root of the context, which prefetch tokens name. ``unfetched``
    maps a published prefetch key to a sentence on why it is missing or incomplete; a call as sent has none.
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
    orders_of_others: tuple[tuple[str, Json], ...] = ()
    unread_drafts: tuple[UnreadDraft, ...] = ()

    def lacks(self, key: str) -> bool:
        """Whether a published prefetch key was neither sent in full nor already requested from the FHIR server.

        A key sent as ``null`` or as failed is not lacking: the EHR has answered (CDS Hooks 2.0, "Prefetch Template").
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
    """Parse a call of a service (CDS Hooks 2.0, "Calling a CDS Service"); unknown members are ignored.

    Raises RequestError: 404 for an unknown service, 400 for a body that lacks what the hook needs or mixes patients,
    413 for more than ``limits`` allow.
    """
    expected = hook_of(service_id)
    request = member(body, "The body", dict)
    hook = required(request, "hook", str, "hook")
    if hook != expected:
        # Any other text might be about the patient.
        said = f"'{hook}'" if hook in HOOKS else "another"
        sentence = f"The service {service_id} answers the hook {expected}, but the body names {said}."
        raise RequestError(400, "invalid", sentence, "hook")
    required(request, "hookInstance", str, "hookInstance")
    context = required(request, "context", dict, "context")
    patient_id = required(context, "patientId", str, "context.patientId").removeprefix("Patient/")
    prefetch = _prefetch(request.get("prefetch"), limits)
    fhir_server = given(request, "fhirServer")
    if request.get("fhirAuthorization") is not None and not fhir_server:
        raise RequestError(
            400, "required", "fhirServer is required because the call sends fhirAuthorization.", "fhirServer"
        )
    if fhir_server is not None:
        member(fhir_server, "fhirServer", str)
    orders = read_drafts(context, patient_id, limits) if hook != PATIENT_VIEW else DraftOrders()
    selections = _selections(context, orders.named) if hook == ORDER_SELECT else None
    return HookRequest(
        hook=hook,
        patient_id=patient_id,
        drafts=orders.drafts,
        selections=selections,
        prefetch=prefetch,
        fhir_server=fhir_server,
        authorization=_authorization(request.get("fhirAuthorization"), patient_id),
        context={name: value for name, value in context.items() if isinstance(value, str)} | {"patientId": patient_id},
        orders_of_others=orders.of_others,
        unread_drafts=orders.unread,
    )


def with_prefetch(request: HookRequest, sent: Any, limits: ReadLimits = DEFAULT_LIMITS) -> HookRequest:
    """The call with the ``prefetch`` of its body, for a body that ``parse`` got without it.

    Raises RequestError 400 if it is not an object, 413 for more than ``limits`` allow.
    """
    return replace(request, prefetch=_prefetch(sent, limits))


def _prefetch(sent: Any, limits: ReadLimits) -> Mapping[str, Any]:
    if sent is None:
        return {}
    if not isinstance(sent, dict):
        raise RequestError(
            400, "structure", "prefetch must be an object that maps prefetch keys to resources.", "prefetch"
        )
    resources = sum(map(size_of, sent.values()))
    if resources > limits.resources:
        raise too_many("prefetch", resources, "resources", limits.resources, "CDS_SERVICE_MAX_RESOURCES")
    return sent


def _authorization(sent: Any, patient_id: str) -> FhirAuthorization | None:
    """The EHR's grant; optional members of the wrong type are left out.

    A grant without a token is no error: some test clients name a server that requires none.
    """
    if sent is None:
        return None
    grant = member(sent, "fhirAuthorization", dict)
    token = given(grant, "access_token")
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
            "fhirAuthorization.patient differs from context.patientId; send the authorization for this patient.",
            "fhirAuthorization.patient",
        )
    expires = grant.get("expires_in")
    seconds = expires if isinstance(expires, int) and not isinstance(expires, bool) else None
    return FhirAuthorization(token, kind, seconds, _text(grant, "scope"), _text(grant, "subject"), patient)


def _text(parent: Mapping[str, Any], name: str) -> str | None:
    value = parent.get(name)
    return value if isinstance(value, str) and value else None


def _selections(context: Mapping[str, Any], named: Mapping[str, str]) -> frozenset[str]:
    """The selected references; a selection may name an entry's fullUrl, for a draft without an id."""
    selections = required(context, "selections", list, "context.selections")
    if not all(isinstance(item, str) for item in selections):
        raise RequestError(
            400, "structure", "context.selections must list references such as ServiceRequest/1.", "context.selections"
        )
    return frozenset(named.get(relative(item), relative(item)) for item in selections)
