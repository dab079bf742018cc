"""Sign-in at the EHR: the authorization request, and validation of its answer (SMART App Launch 2.2; RFC 9207). Pure.

This module compares the state itself, because the library checks a state only if it gets one.
"""

import hmac
from collections.abc import Mapping
from typing import Any, NamedTuple

from cds_service.documentation import sign_in_words as words
from cds_service.documentation.messages import LaunchError
from cds_service.documentation.smart_server import SmartServer
from cds_service.trust.smart import AppRegistration

LONGEST_CODE = 4000
# The page that opens after the sign-in.
FORM, EVIDENCE = "form", "evidence"
# The errors of RFC 6749, section 4.1.2.1, that the user or the EHR chose.
_REFUSALS = ("access_denied", "consent_required", "interaction_required", "login_required")


class SignIn(NamedTuple):
    """A sign-in in progress, stored encrypted until the browser returns.

    ``state`` finds it again, ``verifier`` is the one of RFC 7636, ``nonce`` is in the id_token. ``shows`` selects the
    page to open then: FORM or EVIDENCE.
    """

    state: str
    verifier: str
    nonce: str
    issuer: str
    server: SmartServer
    shows: str = FORM

    def as_json(self) -> dict[str, Any]:
        """The sign-in as its session stores it."""
        return self._asdict() | {"server": self.server._asdict()}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> "SignIn":
        """The sign-in that ``as_json`` serialized."""
        return cls(**{**kept, "server": SmartServer(**kept["server"])})


def authorization_url(sign_in: SignIn, registration: AppRegistration, scopes: str, launch: str | None) -> str:
    """The address at which the browser signs in; ``launch`` is the EHR's parameter (None: a standalone launch)."""
    # Only a launch needs this library.
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    return str(
        prepare_grant_uri(
            sign_in.server.authorize,
            client_id=registration.app.client_id,
            response_type="code",
            redirect_uri=registration.redirect_uri,
            scope=scopes,
            state=sign_in.state,
            aud=registration.issuer,
            nonce=sign_in.nonce,
            code_challenge=create_s256_code_challenge(sign_in.verifier),
            code_challenge_method="S256",
            **({"launch": launch} if launch is not None else {}),
        )
    )


def code_of(sign_in: SignIn, registration: AppRegistration, given: Mapping[str, str]) -> str:
    """The code in the query ``given`` of the browser's return. Raises LaunchError.

    ``iss`` reveals a mix-up of two servers; a server that announces ``iss`` must send it (RFC 9207).
    """
    if not hmac.compare_digest(given.get("state", "").encode(), sign_in.state.encode()):
        raise LaunchError(words.NO_COOKIE)
    named = given.get("iss")
    if named is None and sign_in.server.names_itself:
        raise LaunchError(words.OTHER_SERVER, words.NO_ISSUER)
    if named is not None and named not in (sign_in.server.issuer, registration.issuer):
        raise LaunchError(words.OTHER_SERVER)
    if "error" in given:
        refused = given["error"] in _REFUSALS
        raise LaunchError(words.DENIED if refused else words.NO_TOKEN, "" if refused else words.ERROR)
    code = given.get("code", "")
    if not 0 < len(code) <= LONGEST_CODE:
        raise LaunchError(words.NO_TOKEN, words.NO_CODE)
    return code
