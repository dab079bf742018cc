"""Signing in at the EHR: the authorization request, and what its answer must be (SMART App Launch 2.2; RFC 9207). Pure.

The state is compared here, and not by the library: a state that is not given to it is not looked at by it.
"""

import hmac
from collections.abc import Mapping
from typing import Any, NamedTuple

from cds_service.documentation import sign_in_words as words
from cds_service.documentation.messages import LaunchError
from cds_service.documentation.smart_server import SmartServer
from cds_service.trust.smart import AppRegistration

LONGEST_CODE = 4000
# What opens once the user has signed in.
FORM, EVIDENCE = "form", "evidence"
# Of the errors of RFC 6749, section 4.1.2.1, those that the user or the EHR chose.
_REFUSALS = ("access_denied", "consent_required", "interaction_required", "login_required")


class SignIn(NamedTuple):
    """A sign-in under way, as it is kept closed until the browser comes back.

    ``state`` finds it again, ``verifier`` is that of RFC 7636, ``nonce`` is in the id_token. ``shows`` is what
    opens then: FORM or EVIDENCE.
    """

    state: str
    verifier: str
    nonce: str
    issuer: str
    server: SmartServer
    shows: str = FORM

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        return self._asdict() | {"server": self.server._asdict()}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> "SignIn":
        """What ``as_json`` wrote."""
        return cls(**{**kept, "server": SmartServer(**kept["server"])})


def authorization_url(sign_in: SignIn, registration: AppRegistration, scopes: str, launch: str | None) -> str:
    """Where the browser is sent to sign in; ``launch`` is what the EHR sent (none: a launch from outside of it)."""
    # Loaded with the first launch.
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
    """The code in the query ``given`` with which the browser came back. Raises LaunchError.

    Whoever mixes up two servers names another one in ``iss``; a server that says that it names itself must (RFC 9207).
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
