"""SMART Backend Services over HTTP: the configuration that names the token endpoint, and the endpoint itself.

SMART App Launch 2.2, "Backend Services" and ".well-known/smart-configuration"; errors as RFC 6749, section 5.2.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Flask, Response, request

from cds_service.errors import RequestError
from cds_service.installation import Installation
from cds_service.questionnaire.artifacts import TYPES
from cds_service.trust.backend_services import ACCESS_SECONDS, ASSERTION_TYPE, GRANT_TYPE
from cds_service.trust.jwk import ALGORITHMS
from cds_service.web.fhir_record import begin, deadline_of
from cds_service.web.gate import Gate

TOKEN_PATH = "/fhir/auth/token"  # noqa: S105 - an address, not a secret
LONGEST_FORM = 20_000
_FORM = "application/x-www-form-urlencoded"


def register(app: Flask, installation: Installation, gate: Gate, public_url: str) -> None:
    """Add both routes if callers are authenticated; ``public_url`` is our address, without a trailing slash."""
    access = gate.access
    if access is None:
        return
    configuration = orjson.dumps(_configuration(public_url))

    @app.get("/fhir/.well-known/smart-configuration")
    def smart_configuration() -> Response:
        return Response(configuration, mimetype="application/json")

    @app.post(TOKEN_PATH)
    def token() -> Response:
        record = begin("token")
        request.max_content_length = LONGEST_FORM
        if request.mimetype != _FORM:
            return _refused(400, "invalid_request", f"Send the parameters as {_FORM}.")
        sent = request.form.to_dict(flat=True)
        if sent.get("grant_type") != GRANT_TYPE:
            return _refused(400, "unsupported_grant_type", f"grant_type must be {GRANT_TYPE}.")
        if sent.get("client_assertion_type") != ASSERTION_TYPE:
            return _refused(400, "invalid_request", f"client_assertion_type must be {ASSERTION_TYPE}.")
        try:
            admitted = gate.client_of(
                access, sent.get("client_assertion", ""), record.timing, deadline_of(installation)
            )
        except RequestError as error:
            if error.status != 401:
                raise
            return _refused(401, "invalid_client", "The assertion is not that of a client that this service knows.")
        record.admitted(admitted)
        scopes = access.scopes_of(sent.get("scope", ""))
        if not scopes:
            return _refused(400, "invalid_scope", "Ask for system/Questionnaire.rs, or another type of /fhir/metadata.")
        return _json(
            200,
            {
                "access_token": access.issue(admitted.client, scopes),
                "token_type": "bearer",
                "expires_in": ACCESS_SECONDS,
                "scope": " ".join(scopes),
            },
        )


def _configuration(public_url: str) -> Mapping[str, Any]:
    return {
        "token_endpoint": public_url + TOKEN_PATH,
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "grant_types_supported": [GRANT_TYPE],
        "scopes_supported": [f"system/{kind}.rs" for kind in ("*", *TYPES)],
        "capabilities": ["client-confidential-asymmetric", "permission-v2"],
    }


def _refused(status: int, error: str, sentence: str) -> Response:
    return _json(status, {"error": error, "error_description": sentence})


def _json(status: int, body: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(body), status, mimetype="application/json")
