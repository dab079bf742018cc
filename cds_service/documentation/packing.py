"""The packet of a prior authorization, from the chart that the service read and the signed form. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cds_service.documentation.context import drafts_of
from cds_service.documentation.open_form import banner_of
from cds_service.documentation.reading import ChartRead, Sitting
from cds_service.fhir.elements import Json, relative
from cds_service.hooks.hook_request import HookRequest
from cds_service.policy import prefetch_templates
from cds_service.service.call_chart import arrivals
from cds_service.service.guide import Guide
from cds_service.web.packet import Packet, chosen, cited

RESPONSE = "QuestionnaireResponse"
ORDER = "ServiceRequest/order"
MOST_COVERAGES = 5


def packet_of(page: Json, read: ChartRead, sitting: Sitting, guide: Guide) -> Packet:
    """The packet of a page: the patient, the coverages, the order, and the records that the page cites."""
    context, patient = sitting.context, sitting.access.patient
    resources = [item for listed in arrivals(read.request, guide.library).resources.values() for item in listed]
    coverages = [f"Coverage/{item['id']}" for item in resources if item["resourceType"] == "Coverage" and "id" in item]
    subject = f"Patient/{patient}"
    found = chosen([subject, *coverages[:MOST_COVERAGES], *cited(page)], resources)
    drafts = drafts_of(context, sitting.policy, patient) if context.codes else []
    order = context.order or ORDER
    own = {order: {name: value for name, value in drafts[0].items() if name != "id"}} if drafts else {}
    return Packet(
        page=page,
        patient=banner_of(read.patient) or {"name": ""},
        issuer=sitting.registration.issuer,
        subject=subject,
        records={**found.records, **own},
        own=tuple(own),
        order=order if drafts else "",
        left_out=found.left_out,
    )


def with_signer(packet: Packet, signer: Mapping[str, str], practitioner: Json | None) -> Packet:
    """The packet with its signer: ``signer`` has the "reference", "name", "role", and time ("signed").

    ``practitioner`` is the signer's record, if the EHR returned it; otherwise the packet has only the name.
    """
    name = relative(signer["reference"])
    kind = name.partition("/")[0]
    if kind not in ("Practitioner", "PractitionerRole"):
        return packet
    known = practitioner is not None and f"{practitioner.get('resourceType')}/{practitioner.get('id')}" == name
    record = practitioner if known and practitioner is not None else {"resourceType": kind}
    if not known and kind == "Practitioner":
        record |= {"name": [{"text": signer["name"] or name}]}
    own = packet.own if known else (*packet.own, name)
    records = {**packet.records, name: record}
    return replace(packet, records=records, own=own, author=name, role=signer["role"], signed=signer["signed"])


def with_response(request: HookRequest, response: Json) -> HookRequest:
    """The call plus the signed answers, unless the EHR already returned them as a record."""
    key = prefetch_templates.key_of(RESPONSE)
    held = request.prefetch.get(key)
    entries = list(held.get("entry", [])) if isinstance(held, dict) else []
    if any(_same(entry, response) for entry in entries):
        return request
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    bundle["entry"] = [*entries, {"resource": response}]
    unfetched = {name: why for name, why in request.unfetched.items() if name != key}
    return replace(request, prefetch={**request.prefetch, key: bundle}, unfetched=unfetched)


def _same(entry: Any, response: Json) -> bool:
    found = entry.get("resource") if isinstance(entry, dict) else None
    return isinstance(found, dict) and (
        found.get("id") == response["id"] or found.get("identifier") == response["identifier"]
    )
