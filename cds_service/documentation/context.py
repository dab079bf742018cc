"""The order of a card, rebuilt from the context that the card passed to the form. Pure."""

from cds_service.card.form_context import FormContext, keys_of
from cds_service.fhir.elements import Json
from cds_service.fhir.terminology import SNOMED
from cds_service.policy.model import Policy


def drafts_of(context: FormContext, policy: Policy, patient: str) -> list[Json]:
    """The order of a card, as a draft with all the details in the context.

    Without a known code, the draft orders the first act, because the form still asks about that therapy.
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
