"""The order of a card, made again from what the card handed over to the form. Pure."""

from cds_service.card.form_context import FormContext, keys_of
from cds_service.fhir.elements import Json
from cds_service.fhir.terminology import SNOMED
from cds_service.policy.model import Policy


def drafts_of(context: FormContext, policy: Policy, patient: str) -> list[Json]:
    """The order that a card was about, as a draft that says as much as the context does.

    Without a code it is an order of the first act: the form asks for what is to be documented of the therapy.
    """
    systems = {code: system for act in policy.orders.acts for system, code in keys_of(act)}
    first = policy.orders.acts[0].code
    codes = [(systems[code], code) for code in context.codes if code in systems] or [(first.system, first.code)]
    sites = [{"coding": [{"system": SNOMED, "code": code}]} for code in context.sites]
    return [
        {
            "resourceType": "ServiceRequest",
            "id": f"draft-{number}",
            "status": "draft",
            "intent": "order",
            "subject": {"reference": f"Patient/{patient}"},
            "code": {"coding": [{"system": system, "code": code}]},
            **({"bodySite": sites} if sites else {}),
        }
        for number, (system, code) in enumerate(codes, 1)
    ]
