"""The exchange of a sign-in's code for an access token, and the user named in the id_token (OpenID Connect Core)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

import jwt
import orjson

from cds_service.clock import Deadline
from cds_service.documentation import sign_in_words as words
from cds_service.documentation.messages import LaunchError
from cds_service.documentation.sign_in import SignIn
from cds_service.documentation.smart_server import MOST_BYTES, allowance_of
from cds_service.ehr.addresses import Allowance
from cds_service.ehr.fetch import Getter
from cds_service.ehr.received import OutgoingError, Received
from cds_service.trust.smart import AppRegistration

# Only asymmetric algorithms, so a secret that the EHR and this service share signs no token.
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")
LEEWAY_SECONDS = 30
_LONGEST = 8000
_LONGEST_CONTEXT = 256


class PostingClient(Getter, Protocol):
    """The part of ``OutgoingClient`` that a sign-in needs."""

    def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str],
        allowance: Allowance,
        deadline: Deadline,
        max_bytes: int,
    ) -> Received:
        """The answer of a server. Raises OutgoingError."""


class Access(NamedTuple):
    """The access from a sign-in: the token and its lifetime in seconds, its scopes, and the patient.

    ``user`` is the reference of the user ("Practitioner/1", "" if the EHR does not say), ``context`` the card's context
    (``appContext``).
    """

    token: str
    seconds: int
    scopes: str
    patient: str
    user: str
    context: str


def exchange(
    http: PostingClient, sign_in: SignIn, registration: AppRegistration, code: str, now: datetime, deadline: Deadline
) -> Access:
    """Exchange a code for access. Raises LaunchError; then nothing is read or written."""
    answer = _answered(http, sign_in, registration, code, deadline)
    token, scopes = answer.get("access_token"), answer.get("scope", "")
    if not isinstance(token, str) or not 0 < len(token) <= _LONGEST or not isinstance(scopes, str):
        raise LaunchError(words.NO_TOKEN, words.NO_ACCESS_TOKEN)
    if str(answer.get("token_type", "")).lower() != "bearer":
        raise LaunchError(words.NO_TOKEN, words.NOT_BEARER)
    patient = answer.get("patient")
    if not isinstance(patient, str) or not 0 < len(patient) <= 64:
        raise LaunchError(words.NO_PATIENT)
    seconds = answer.get("expires_in", 300)
    context = answer.get("appContext", "")
    return Access(
        token,
        seconds if isinstance(seconds, int) and seconds > 0 else 300,
        scopes,
        patient,
        _user(http, sign_in, registration, answer.get("id_token"), now, deadline),
        context if isinstance(context, str) and len(context) <= _LONGEST_CONTEXT else "",
    )


def _answered(
    http: PostingClient, sign_in: SignIn, registration: AppRegistration, code: str, deadline: Deadline
) -> dict[str, Any]:
    asked = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": registration.redirect_uri,
        "code_verifier": sign_in.verifier,
    }
    uri, headers, body = _authenticated(sign_in.server.token, registration, urlencode(asked))
    try:
        received = http.post(
            uri,
            body.encode(),
            headers=headers,
            allowance=allowance_of(registration, sign_in.server.token),
            deadline=deadline,
            max_bytes=MOST_BYTES,
        )
    except OutgoingError as error:
        raise LaunchError(words.NO_TOKEN, error.sentence) from None
    try:
        answer = orjson.loads(received.body)
    except orjson.JSONDecodeError:
        answer = None
    if received.status != 200 or not isinstance(answer, dict):
        raise LaunchError(words.NO_TOKEN, words.status(received.status))
    return answer


def _authenticated(endpoint: str, registration: AppRegistration, body: str) -> tuple[str, dict[str, str], str]:
    """The address, headers and body of the token request, with the service's client authentication."""
    # Only a launch needs this library.
    from authlib.oauth2.auth import ClientAuth
    from authlib.oauth2.rfc7523 import PrivateKeyJWT

    method: Any = registration.app.auth_method
    if registration.app.auth_method == "private_key_jwt":
        method = PrivateKeyJWT(endpoint, headers={"kid": registration.app.key_id}, alg=registration.app.algorithm)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    auth = ClientAuth(registration.app.client_id, registration.app.secret, method)
    uri, headers, body = auth.prepare("POST", endpoint, headers, body)
    return uri, {name: str(value) for name, value in headers.items() if name != "Content-Length"}, body


def _user(
    http: PostingClient, sign_in: SignIn, registration: AppRegistration, written: Any, now: datetime, deadline: Deadline
) -> str:
    """The signed-in user by the id_token; "" without one. Raises LaunchError for an untrustworthy id_token."""
    if written is None:
        return ""
    if not isinstance(written, str) or len(written) > _LONGEST or not sign_in.server.keys:
        raise LaunchError(words.BAD_IDENTITY, words.ID_TOKEN_UNREADABLE)
    try:
        received = http.get(
            sign_in.server.keys,
            accept="application/jwk-set+json, application/json",
            allowance=allowance_of(registration, sign_in.server.keys),
            deadline=deadline,
            max_bytes=MOST_BYTES,
        )
        key = _key(received, written)
        claims = jwt.decode(
            written,
            key,
            algorithms=list(ALGORITHMS),
            audience=registration.app.client_id,
            issuer=[sign_in.server.issuer or registration.issuer],
            # Checked below by our own clock, which the caller passes in.
            options={
                "require": ["exp", "iat", "iss", "aud", "sub"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except OutgoingError as error:
        raise LaunchError(words.BAD_IDENTITY, error.sentence) from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise LaunchError(words.BAD_IDENTITY, words.ID_TOKEN_INVALID) from None
    expires = claims["exp"]
    if not isinstance(expires, int | float) or expires <= now.timestamp() - LEEWAY_SECONDS:
        raise LaunchError(words.BAD_IDENTITY, words.ID_TOKEN_EXPIRED)
    if claims.get("nonce") != sign_in.nonce:
        raise LaunchError(words.BAD_IDENTITY, words.ID_TOKEN_OF_ANOTHER)
    user = claims.get("fhirUser", "")
    return user if isinstance(user, str) and len(user) <= _LONGEST else ""


def key_set(body: bytes) -> jwt.PyJWKSet:
    """The keys of a JSON Web Key Set (RFC 7517). Raises ValueError if it is invalid, or has no usable key."""
    told = orjson.loads(body)
    if not isinstance(told, dict):
        raise ValueError("a key set is an object")
    try:
        return jwt.PyJWKSet.from_dict(told)
    except (jwt.PyJWTError, TypeError, AttributeError):
        raise ValueError("no key of use") from None


def _key(received: Received, written: str) -> jwt.PyJWK:
    """The key that an id_token names, or the only key. Raises ValueError if there is no such key."""
    keys = key_set(received.body).keys
    name = jwt.get_unverified_header(written).get("kid")
    found = [key for key in keys if key.key_id == name] if name is not None else keys
    if len(found) != 1:
        raise ValueError("no key of that name")
    return found[0]
