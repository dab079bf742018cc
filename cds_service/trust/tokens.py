"""The token of a call: checks it step by step, cheap checks first, and returns the caller's entry.

CDS Hooks 2.0, "Trusting CDS Clients"; RFC 7519 (JWT), RFC 8725 (best current practice). Before the signature check, the
service trusts nothing in a token. It uses only the issuer (and its tenant), to choose the entry whose keys verify the
token.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt

from cds_service.clock import Deadline
from cds_service.spelling import nearest, shortened
from cds_service.trust.checks import Passed, TrustUnavailableError, UntrustedError
from cds_service.trust.claims import audience, shown, tenant_of, times, token_id
from cds_service.trust.entries import Client, Clients
from cds_service.trust.jwk import ALGORITHMS, LONGEST_KID, Key
from cds_service.trust.keys import KeyRing, KeysUnavailableError
from cds_service.trust.token_text import parts_of, token_of

# The specification sets no limit. Epic's tokens live 15 minutes, and the store must keep each until it expires.
LONGEST_LIFE = 3600
REUSE_ALLOWED = "not checked: the entry sets token_reuse"

Remember = Callable[[str, str, datetime, Deadline], bool]


@dataclass(frozen=True, slots=True)
class Verified:
    """The caller: its entry, and the claims that may be kept. The claims are the caller's, and never logged."""

    client: Client
    issuer: str
    token_id: str
    tenant: str | None = None
    subject: str | None = None


Examination = Generator[Passed, None, Verified]


class Verifier:
    """Checks tokens. ``clock`` returns seconds since 1970, UTC; ``skew_seconds`` is the allowed error of other clocks.

    ``remember`` takes issuer, jti, the last time at which the token is usable, and the deadline of the call. It returns
    True for a new token; all processes that answer for one address must share it.
    """

    def __init__(
        self,
        clients: Clients,
        keys: KeyRing,
        remember: Remember,
        clock: Callable[[], float] = time.time,
        skew_seconds: float = 60,
        longest_life: float = LONGEST_LIFE,
    ) -> None:
        self.clients = clients
        self._keys, self._remember, self.clock = keys, remember, clock
        self._skew, self._longest_life = skew_seconds, longest_life

    def with_longest_life(self, seconds: float) -> "Verifier":
        """The same checks for tokens with a shorter maximum lifetime; both share the memory of used tokens."""
        return Verifier(self.clients, self._keys, self._remember, self.clock, self._skew, seconds)

    def verify(self, authorization: str | None, urls: Sequence[str], deadline: Deadline) -> Verified:
        """The sender of this Authorization header to the address of which ``urls`` are the accepted spellings.

        Raises UntrustedError, or TrustUnavailableError if the check is impossible now. A refused token stays unused.
        """
        examination = self.examine(authorization, urls, deadline)
        while True:
            try:
                next(examination)
            except StopIteration as end:
                verified: Verified = end.value
                return verified

    def examine(self, authorization: str | None, urls: Sequence[str], deadline: Deadline) -> Examination:
        """Make the checks of ``verify`` one by one; raises as ``verify`` does if a check fails."""
        token = token_of(authorization)
        yield Passed("header", "a Bearer token")
        header, claims = parts_of(token)
        yield Passed("form", f"a JWT with the claims {', '.join(map(shortened, claims)) or 'none'}")
        algorithm, kid = yield from _header(header)
        client = self._client(claims)
        yield Passed("issuer", f"{shortened(client.issuer, 200)}: client '{client.id}'")
        if algorithm not in client.algorithms:
            raise UntrustedError("algorithm", f"one of {', '.join(client.algorithms)}", algorithm)
        yield Passed("algorithm", algorithm)
        yield Passed("jku", _jku(header, client))
        key = self._key(client, kid, algorithm, deadline)
        yield Passed("key", f"{shortened(key.kid)}, {key.strength}")
        _check_signature(token, key, algorithm)
        yield Passed("signature", f"valid, {algorithm}")
        yield Passed("audience", audience(claims, client, tuple(urls)))
        expires = yield from times(claims, self.clock(), self._skew, self._longest_life)
        jti = token_id(claims)
        yield Passed("jti", "present")
        tenant = tenant_of(claims, client)
        yield Passed("tenant", shortened(tenant) if tenant else "none required")
        if client.token_reuse:
            yield Passed("replay", REUSE_ALLOWED)
        elif self._is_new(client.issuer, jti, expires, deadline):
            yield Passed("replay", "not used before")
        else:
            raise UntrustedError("replay", "a jti that was not used before", "a jti that was already used")
        subject = claims.get("sub")
        return Verified(client, client.issuer, jti, tenant, subject if isinstance(subject, str) else None)

    def _client(self, claims: Mapping[str, Any]) -> Client:
        issuer = claims.get("iss")
        candidates = self.clients.of_issuer(issuer) if isinstance(issuer, str) else ()
        if not candidates:
            got = shown(claims, "iss")
            known = (client.issuer for client in self.clients.entries)
            hint = nearest(issuer, known) if isinstance(issuer, str) else "iss is required"
            raise UntrustedError("issuer", f"the issuer of a client, character by character; {hint}", got)
        if len(candidates) == 1:
            return candidates[0]
        # This only chooses the keys; the signature then proves that the token belongs to the entry.
        tenant = claims.get("tenant")
        for client in candidates:
            if isinstance(tenant, str) and tenant in client.tenants:
                return client
        tenants = [tenant for client in candidates for tenant in client.tenants]
        raise UntrustedError("tenant", f"one of {', '.join(map(shortened, tenants))}", shown(claims, "tenant"))

    def _key(self, client: Client, kid: str, algorithm: str, deadline: Deadline) -> Key:
        try:
            named = self._keys.keys_of(client, kid, deadline)
        except KeysUnavailableError as error:
            sentence = f"The service cannot read the key set of client '{client.id}': {error.sentence}."
            raise TrustUnavailableError(sentence, "keys", error.kind) from None
        where = "at jwks_url" if client.jwks_url else "in the clients file"
        if not named:
            raise UntrustedError("key", f"a kid that the client has {where}", shortened(kid))
        for key in named:
            if algorithm in key.algorithms:
                return key
        serves = " or ".join(dict.fromkeys(name for key in named for name in key.algorithms))
        raise UntrustedError("key", f"a key for {algorithm} with this kid", f"a key for {serves}")

    def _is_new(self, issuer: str, jti: str, expires: float, deadline: Deadline) -> bool:
        try:
            return self._remember(issuer, jti, datetime.fromtimestamp(expires + self._skew, UTC), deadline)
        # Whatever the error: if nobody knows whether a token was used, it is neither accepted nor called bad.
        except Exception as error:
            raise TrustUnavailableError(
                "The service cannot check whether the token was already used.", "replay"
            ) from error


def _header(header: Mapping[str, Any]) -> Generator[Passed, None, tuple[str, str]]:
    """alg and kid of a header that requires no extensions. Ignores jwk, x5c and x5u."""
    asked = [name for name in ("crit", "b64", "zip", "enc") if name in header]
    if asked:
        raise UntrustedError("critical", "none of crit, b64, zip and enc in the header", ", ".join(asked))
    yield Passed("critical", "nothing")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.upper() != "JWT" or "cty" in header:
        raise UntrustedError("type", "typ JWT, and no cty", f"typ {shown(header, 'typ')}, cty {shown(header, 'cty')}")
    yield Passed("type", "JWT")
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise UntrustedError("algorithm", f"one of {', '.join(ALGORITHMS)}", shown(header, "alg"))
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_KID:
        raise UntrustedError("kid", f"text of 1 to {LONGEST_KID} characters", shown(header, "kid"))
    yield Passed("kid", shortened(kid))
    return algorithm, kid


def _jku(header: Mapping[str, Any], client: Client) -> str:
    if "jku" not in header:
        return "none"
    allowed = client.jkus()
    if allowed is None:
        return "not checked: the keys are in the clients file"
    if header["jku"] not in allowed:
        raise UntrustedError("jku", f"one of {', '.join(allowed)}", shown(header, "jku"))
    return "the client's"


def _check_signature(token: str, key: Key, algorithm: str) -> None:
    # The other checks of claims are in one place and use one clock.
    unchecked = dict.fromkeys(("exp", "nbf", "iat", "aud", "iss", "sub", "jti"), False)
    options: Any = {"verify_signature": True, "require": []} | {f"verify_{name}": no for name, no in unchecked.items()}
    try:
        jwt.decode(token, key=key.public, algorithms=[algorithm], options=options)
    except jwt.PyJWTError:
        asked = "a signature of this token by the key that kid names"
        raise UntrustedError("signature", asked, "another signature") from None
