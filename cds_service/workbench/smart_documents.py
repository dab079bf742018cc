"""The authorization metadata of a demo FHIR server (SMART App Launch 2.2, "Conformance", and OpenID Connect). Pure."""

from typing import Any

from cds_service.fhir.elements import Json
from cds_service.workbench.own_app import AUTH_METHODS
from cds_service.workbench.smart_scopes import PLAIN
from cds_service.workbench.writing import WRITABLE

SIGNED_BY = "RS256"
CAPABILITIES = (
    "launch-ehr",
    "launch-standalone",
    "client-confidential-symmetric",
    "sso-openid-connect",
    "context-banner",
    "context-ehr-patient",
    "context-standalone-patient",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
)
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY = "http://terminology.hl7.org/CodeSystem/restful-security-service"


class Endpoints:
    """The addresses of one demo FHIR server; ``root`` is the address of the service without a trailing slash."""

    def __init__(self, root: str, name: str) -> None:
        self.base = f"{root}/workbench/fhir/{name}"
        beside = f"{root}/workbench/smart/{name}"
        self.authorize, self.token, self.keys = f"{beside}/authorize", f"{beside}/token", f"{beside}/keys"


def configuration(endpoints: Endpoints) -> dict[str, Any]:
    """``.well-known/smart-configuration``, which also serves OpenID Connect."""
    return {
        "issuer": endpoints.base,
        "jwks_uri": endpoints.keys,
        "authorization_endpoint": endpoints.authorize,
        "token_endpoint": endpoints.token,
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "grant_types_supported": ["authorization_code"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [SIGNED_BY],
        "authorization_response_iss_parameter_supported": True,
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": [*PLAIN, "patient/*.rs", *(f"patient/{kind}.cru" for kind in sorted(WRITABLE))],
        "capabilities": list(CAPABILITIES),
    }


def security(endpoints: Endpoints) -> Json:
    """``rest.security`` of the CapabilityStatement, with the addresses that older apps look for there."""
    uris = [{"url": "authorize", "valueUri": endpoints.authorize}, {"url": "token", "valueUri": endpoints.token}]
    return {
        "extension": [{"url": _OAUTH_URIS, "extension": uris}],
        "service": [{"coding": [{"system": _SECURITY, "code": "SMART-on-FHIR"}], "text": "SMART App Launch"}],
        "description": "The workbench reads without a token; an app reads and writes with one.",
    }
