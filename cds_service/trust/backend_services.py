"""Access tokens for programs (SMART App Launch 2.2, Backend Services), in exchange for a signed assertion.

An assertion passes the same checks as any client token (``tokens``), and lives at most five minutes. The access token
is our own: signed with a key that never leaves the service, valid only for the FHIR routes, and stored nowhere.
"""

import hmac
import secrets
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import jwt

from cds_service.clock import Deadline
from cds_service.trust.checks import UntrustedError
from cds_service.trust.entries import Client
from cds_service.trust.token_text import parts_of, token_of
from cds_service.trust.tokens import Verified, Verifier

# SMART App Launch 2.2, "Backend Services": both live at most five minutes.
LONGEST_ASSERTION = 300
ACCESS_SECONDS = 300
ALGORITHM = "HS256"
# The type of an access token (RFC 9068, section 2.1), which distinguishes it from a client's own token.
TYPE = "at+jwt"
GRANT_TYPE = "client_credentials"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_READ = ("rs", "r", "s", "read", "*", "cruds")


class Granted(NamedTuple):
    """The grant of an access token: its client, and the resource types that it may read ("*": all)."""

    client: Client
    types: frozenset[str]
    token_id: str


class AccessTokens:
    """Issues and checks access tokens for the FHIR base ``audience``.

    ``key`` is the installation's; the signing key is derived from it. ``types`` are the resource types that scopes may
    name. The clock is the verifier's.
    """

    def __init__(
        self,
        verifier: Verifier,
        key: bytes,
        audience: str,
        types: Collection[str],
    ) -> None:
        self._verifier = verifier.with_longest_life(LONGEST_ASSERTION)
        self._key = hmac.digest(key, b"access tokens", "sha256")
        self._audience, self._types = audience, tuple(types)

    def client_of(self, assertion: str, urls: Sequence[str], deadline: Deadline) -> Verified:
        """The client that signed an assertion for the token endpoint; ``urls`` are the endpoint's accepted spellings.

        Raises UntrustedError, or TrustUnavailableError if the check is impossible now.
        """
        found = self._verifier.verify(f"Bearer {assertion}", urls, deadline)
        if found.subject != found.issuer:
            raise UntrustedError("issuer", "sub equal to iss, the client's id", "another sub, or none")
        return found

    def scopes_of(self, asked: str) -> list[str]:
        """The granted part of the requested scopes, in SMART 2 spelling: read access to the types of this server."""
        found: dict[str, None] = {}
        for scope in asked.split():
            context, _, rest = scope.partition("/")
            name, _, access = rest.partition(".")
            if context != "system" or access.partition("?")[0] not in _READ:
                continue
            known = next((kind for kind in ("*", *self._types) if kind.lower() == name.lower()), None)
            if known is not None:
                found.setdefault(f"system/{known}.rs")
        return list(found)

    def issue(self, client: Client, scopes: Sequence[str]) -> str:
        """A new access token for a client."""
        now = int(self._verifier.clock())
        claims = {
            "iss": self._audience,
            "aud": self._audience,
            "sub": client.id,
            "scope": " ".join(scopes),
            "iat": now,
            "exp": now + ACCESS_SECONDS,
            "jti": secrets.token_hex(16),
        }
        return jwt.encode(claims, self._key, ALGORITHM, headers={"typ": TYPE})

    @staticmethod
    def is_one(authorization: str | None) -> bool:
        """True if an Authorization header has an access token, whether valid or not."""
        try:
            header, _ = parts_of(token_of(authorization))
        except UntrustedError:
            return False
        return header.get("typ") == TYPE

    def granted(self, authorization: str | None) -> Granted:
        """The grant of an access token. Raises UntrustedError."""
        token = token_of(authorization)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                [ALGORITHM],
                audience=self._audience,
                issuer=self._audience,
                options={"require": ["exp", "sub", "scope", "jti"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            raise UntrustedError("signature", "an access token that this service issued", "another token") from None
        # Uses the service's clock, as for all tokens.
        if not self._verifier.clock() < claims["exp"]:
            raise UntrustedError("expired", "exp after the service's clock", "an access token that has expired")
        client = self._verifier.clients.named(claims["sub"])
        if client is None:
            raise UntrustedError("issuer", "a client in the clients file", "a client that was removed")
        types = {scope.removeprefix("system/").partition(".")[0] for scope in claims["scope"].split()}
        return Granted(client, frozenset(types), claims["jti"])
