"""The CapabilityStatement (FHIR R4): the supported interactions, searches and operations, and their limits."""

from cds_service import __version__
from cds_service.fhir.elements import Json
from cds_service.questionnaire.artifacts import TYPES
from cds_service.questionnaire.expansion import MOST_OF_A_PAGE

_DTR = "http://hl7.org/fhir/us/davinci-dtr"
SEARCHED = (("_id", "token"), ("url", "uri"), ("version", "token"))
# Name, definition, and what is special about this service.
_OPERATIONS = {
    "Questionnaire": (
        (
            "questionnaire-package",
            f"{_DTR}/OperationDefinition/questionnaire-package",
            "Send order or questionnaire; the chart comes in parameters data. This service issues no coverage "
            "assertions (Da Vinci CRD), so that every context id is unknown and answered with 400 (DTR, spec-130). A "
            "form that CRD promised elsewhere is not looked up.",
        ),
        (
            "log-questionnaire-errors",
            f"{_DTR}/OperationDefinition/log-questionnaire-errors",
            "Errors are counted by form. Their text is not kept.",
        ),
    ),
    "ValueSet": (
        (
            "expand",
            "http://hl7.org/fhir/OperationDefinition/ValueSet-expand",
            "By url; filter, offset and count are read. Families of codes are listed as the release has them that the "
            f"parameter version of the expansion names. More than {MOST_OF_A_PAGE} codes come in pages alone, and a "
            "family without such a list is 422 too-costly.",
        ),
    ),
}
_SAYS = (
    "Questionnaires derived from coverage statements. Da Vinci DTR 2.2 by default, with FHIRPath expressions; 2.0.1 on "
    "request (Accept: application/fhir+json; dtr=2.0.1), without expressions, because that version asks for CQL and "
    "ELM, which are not published yet. For the same reason there is no Library. Adaptive forms ($next-question) are "
    "not offered, and context ids of CRD are not known."
)


def capability_statement(base: str, day: str, *, authenticated: bool) -> Json:
    """The statement of this installation; ``base`` is its FHIR base URL, ``day`` the date of the statement."""
    security = {
        "service": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                        "code": "SMART-on-FHIR",
                    }
                ]
            }
        ],
        "description": "SMART Backend Services: see .well-known/smart-configuration. A CDS Hooks token counts as well.",
    }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": day,
        "kind": "instance",
        "instantiates": [f"{_DTR}/CapabilityStatement/dtr-payer-service"],
        "software": {"name": "cds-service", "version": __version__},
        "implementation": {"description": _SAYS, "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": _SAYS,
                **({"security": security} if authenticated else {}),
                "resource": [_resource(kind) for kind in TYPES],
            }
        ],
    }


def _resource(kind: str) -> Json:
    operations = [
        {"name": name, "definition": url, "documentation": says} for name, url, says in _OPERATIONS.get(kind, ())
    ]
    return {
        "type": kind,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [{"name": name, "type": of} for name, of in SEARCHED],
        **({"operation": operations} if operations else {}),
    }
