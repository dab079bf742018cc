"""``context.draftOrders`` as sent (CDS Hooks 2.0, order-select and order-sign): the orders, and all other entries.

An unreadable entry affects only itself, and is reported: a lost order would look like an order without a statement.
"""

from collections.abc import Iterator, Mapping
from gc import get_referents
from typing import Any, NamedTuple

from cds_service.errors import RequestError, UnreadableError
from cds_service.fhir.bundles import ReadLimits
from cds_service.fhir.concepts import inline_concept, inner_concept
from cds_service.fhir.elements import Json, codings, concept_keys, concept_text, list_of, relative
from cds_service.fhir.types import ORDERS, TYPES, WITHDRAWN, Ordered
from cds_service.hooks.members import member, required, too_many

PLACE = "context.draftOrders"
# FHIR resources nest about ten levels deep; a much deeper order could not be written into an answer.
DEEPEST_ORDER = 100
# Order types of DSTU2 and STU3, with their names in FHIR R4.
OLDER_ORDERS = {
    "DiagnosticOrder": "ServiceRequest",
    "ProcedureRequest": "ServiceRequest",
    "ReferralRequest": "ServiceRequest",
    "DeviceUseRequest": "DeviceRequest",
    "MedicationOrder": "MedicationRequest",
}
# The reasons why a draft is not an order, as counted in the log.
CAUSES = ("no-resource", "older-version", "code", "local-code", "not-a-draft")


class UnreadDraft(NamedTuple):
    """A draft that is not an order: its ``place`` in the request, ``cause`` (of CAUSES), and a sentence."""

    place: str
    cause: str
    sentence: str


class DraftOrders(NamedTuple):
    """The entries of draftOrders.

    ``drafts`` are (reference, resource) in the order sent; ``of_others`` (place, resource) are orders for another
    patient; ``unread`` are drafts that cannot be read as orders, which stay drafts; ``named`` maps the fullUrl of an
    entry to the reference of its draft.
    """

    drafts: tuple[tuple[str, Json], ...] = ()
    of_others: tuple[tuple[str, Json], ...] = ()
    unread: tuple[UnreadDraft, ...] = ()
    named: Mapping[str, str] = {}


def read_drafts(context: Mapping[str, Any], patient_id: str, limits: ReadLimits) -> DraftOrders:
    """The draft orders of a context.

    Raises RequestError: 400 if draftOrders is not a Bundle, or none of its entries has a resource; 413 for more than
    ``limits`` allow.
    """
    listed = _entries(context)
    if len(listed) > limits.drafts:
        raise too_many(f"{PLACE}.entry", len(listed), "orders", limits.drafts, "CDS_SERVICE_MAX_DRAFTS")
    drafts: list[tuple[str, Json]] = []
    of_others: list[tuple[str, Json]] = []
    unread: list[UnreadDraft] = []
    named: dict[str, str] = {}
    said = 0
    for index, entry in enumerate(listed):
        place = f"{PLACE}.entry[{index}]"
        resource, why = _resource(entry, place)
        if resource is None:
            unread.append(
                UnreadDraft(place if not isinstance(entry, dict) else f"{place}.resource", "no-resource", why)
            )
            continue
        kind, identity = resource["resourceType"], resource.get("id")
        if _is_too_deep(resource):
            sentence = f"{place}.resource is nested more than {DEEPEST_ORDER} levels deep; send a FHIR order."
            raise RequestError(400, "too-costly", sentence, f"{place}.resource")
        if kind in ORDERS:
            said += _characters(resource)
            if is_of_another(resource.get(TYPES[kind].subject), patient_id):
                of_others.append((place, resource))
                continue
        unread += _unreadable(resource, f"{place}.resource")
        reference = f"{kind}/{identity}" if isinstance(identity, str) else f"{kind}#{index}"
        if isinstance(entry.get("fullUrl"), str):
            named.setdefault(relative(entry["fullUrl"]), reference)
        drafts.append((reference, resource))
    if unread and not drafts and not of_others and all(item.cause == "no-resource" for item in unread):
        raise RequestError(400, "structure", unread[0].sentence, unread[0].place)
    if said > limits.all_text_characters:
        what, setting = "characters in codes, sites and reasons", "CDS_SERVICE_MAX_ALL_TEXT_CHARACTERS"
        raise too_many(PLACE, said, what, limits.all_text_characters, setting)
    return DraftOrders(tuple(drafts), tuple(of_others), tuple(unread), named)


def is_of_another(subject: Any, patient_id: str) -> bool:
    """Whether a subject certainly names another patient; a urn, a contained or a logical reference is never certain."""
    reference = subject.get("reference") if isinstance(subject, dict) else None
    if not isinstance(reference, str):
        return False
    named = relative(reference)
    return named.startswith("Patient/") and named != f"Patient/{patient_id}"


def _entries(context: Mapping[str, Any]) -> list[Any]:
    if isinstance(context.get("draftOrders"), list):
        sentence = f"{PLACE} must be a FHIR Bundle with one entry for each order, not a list of resources."
        raise RequestError(400, "structure", sentence, PLACE)
    bundle = required(context, "draftOrders", dict, PLACE)
    if bundle.get("resourceType") not in (None, "Bundle"):
        raise RequestError(400, "structure", f"{PLACE} must be a FHIR Bundle.", PLACE)
    entries = bundle.get("entry")
    return [] if entries is None else list(member(entries, f"{PLACE}.entry", list))


def _resource(entry: Any, place: str) -> tuple[Json | None, str]:
    """The resource of an entry and ""; or None and the reason."""
    if not isinstance(entry, dict):
        return None, f"{place} must be an object."
    resource = entry.get("resource")
    if not isinstance(resource, dict):
        return None, f"{place}.resource must be an object."
    if not isinstance(resource.get("resourceType"), str):
        return None, f"{place}.resource has no resourceType."
    return resource, ""


def _unreadable(resource: Json, place: str) -> Iterator[UnreadDraft]:
    """The reasons why it is unknown what a draft orders; none for a readable order or a drug, which is no procedure."""
    kind = resource["resourceType"]
    if kind in OLDER_ORDERS:
        sentence = f"{place} is a {kind}, which FHIR R4 does not have; send a {OLDER_ORDERS[kind]}."
        yield UnreadDraft(place, "older-version", sentence)
    if ORDERS.get(kind) not in (Ordered.ACT, Ordered.DEVICE):
        return
    if resource.get("status") in WITHDRAWN:
        sentence = f"{place} has the status {resource['status']}; the service does not check orders with this status."
        yield UnreadDraft(place, "not-a-draft", sentence)
        return
    if resource.get(TYPES[kind].concept_at) is not None:
        return
    concept = inline_concept(resource)
    element = f"{place}.{TYPES[kind].concept}"
    try:
        has_code = bool(codings(concept))
        is_known = bool(concept_keys(concept)) or bool(concept_text(concept).strip())
    except UnreadableError as error:
        yield UnreadDraft(element, "code", f"{element} cannot be read because it {error}.")
        return
    if not is_known and has_code:
        sentence = f"{element} has only local codes and no text; add a CPT code, or name the procedure in text."
        yield UnreadDraft(element, "local-code", sentence)
    elif not is_known:
        yield UnreadDraft(
            element,
            "code",
            f"{element} has neither a code nor text, so the service cannot tell what is ordered; add a code or text.",
        )


def _characters(order: Json) -> int:
    """The size of an order's what, where and why: the characters of its texts, displays, codes and systems."""
    concepts = [inline_concept(order)]
    for name in ("bodySite", "reasonCode", "reason", "orderDetail"):
        concepts += map(inner_concept, list_of(order.get(name)))
    texts = [text for concept in concepts if isinstance(concept, dict) for text in _texts_of(concept)]
    return sum(map(len, [text for text in texts if isinstance(text, str)]))


def _texts_of(concept: Json) -> list[Any]:
    texts, listed = [concept.get("text")], concept.get("coding")
    for coding in listed if isinstance(listed, list) else ():
        if isinstance(coding, dict):
            texts += (coding.get("system"), coding.get("code"), coding.get("display"))
    return texts


def _is_too_deep(resource: Json) -> bool:
    # The contents of objects and lists, level by level (``json_bodies.is_deeper``).
    level: list[Any] = [resource]
    for _ in range(DEEPEST_ORDER):
        level = get_referents(*level)
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)
