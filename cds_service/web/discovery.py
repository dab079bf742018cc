"""The discovery document: the services, and the prefetch that they ask for."""

from typing import Any

from cds_service import __version__
from cds_service.hooks import hook_request
from cds_service.library import Library
from cds_service.policy import prefetch_templates


def discovery_document(library: Library, *, lean: bool = False, fetches: bool = False) -> dict[str, Any]:
    """The discovery document (CDS Hooks 2.0, "Discovery"), with ``version`` as 3.0 adds it.

    ``lean``: ask only for patient and coverage. ``fetches``: the service fetches what a call does not send.
    """
    titles = {
        hook_request.PATIENT_VIEW: "Coverage guidance when a chart is opened",
        hook_request.ORDER_SELECT: "Coverage guidance for the selected order",
        hook_request.ORDER_SIGN: "Coverage guidance before orders are signed",
    }
    templates = prefetch_templates.lean(library.prefetch_templates) if lean else library.prefetch_templates
    covered = "; ".join(dict.fromkeys(policy.title for policy in library.policies))
    return {
        "services": [
            {
                "id": service_id,
                "hook": hook,
                "title": titles[hook],
                "description": f"Checks the chart against coverage statements and lists the criteria that are "
                f"met, that are not met, and that need documentation, with their evidence. Statements: {covered}.",
                "usageRequirements": _usage(lean, fetches),
                "version": "2.0.0",
                "prefetch": dict(templates),
                "extension": {"org.cds-service.release": __version__},
            }
            for service_id, hook in hook_request.SERVICES.items()
        ]
    }


def _usage(lean: bool, fetches: bool) -> str:
    if not fetches:
        return "Works from prefetch alone. Data that is not sent counts as unknown, never as absent."
    asked = "Prefetch asks for little. " if lean else ""
    return (
        f"{asked}The service fetches what an order needs and prefetch does not hold from fhirServer, if the call names "
        "one and fhirAuthorization covers it. Data that cannot be fetched counts as unknown, never as absent."
    )
