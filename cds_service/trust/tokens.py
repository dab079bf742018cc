"""The token of a call: one check after the other, cheap ones first, and the caller's entry at the end.

CDS Hooks 2.0, "Trusting CDS Clients"; RFC 7519 (JWT), RFC 8725 (best current practice). Nothing that a token says is
believed before its signature was checked, but for the issuer (and its tenant), which only choose the entry whose keys
check it.
"""

import json
import re
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn

import jwt

from cds_service.clock import Deadline
from cds_service.json_bodies import is_deeper
from cds_service.spelling import nearest, shortened
from cds_service.trust.entries import Client, Clients
from cds_service.trust.jwk import ALGORITHMS, LONGEST_KID, Key, decoded
from cds_service.trust.keys import FAILED_SECONDS, KeyRing, KeysUnavailableError

# Every check, in the order in which they are made, and what it asks.
CHECKS: Mapping[str, str] = {
    "header": "the call has one Authorization header, 'Bearer' and the token",
    "form": "the token is a signed JWT in its one spelling",
    "critical": "the token asks for nothing that we do not know (crit)",
    "type": "typ is JWT, or is not there",
    "kid": "kid names a key",
    "issuer": "iss is the issuer of a client",
    "algorithm": "alg is one of the client's algorithms",
    "jku": "jku is one of the client's, or is not there",
    "key": "the client has the key that kid names, and it serves alg",
    "signature": "the signature is that of the key",
    "audience": "aud is the address that was called",
    "issued": "iat is there and not ahead of our clock",
    "not-yet": "nbf is not ahead of our clock",
    "expired": "exp is there and not past",
    "lifetime": "exp is not too long after iat",
    "jti": "jti names the token",
    "tenant": "tenant is one of the client's",
    "replay": "the token was not used before",
}
# Below what gunicorn reads of a header field (8190), which answers in its own way; tokens with a certificate fit in.
LONGEST_TOKEN = 8000
LONGEST_JTI = 512
# The specification names no limit; Epic's tokens live 15 minutes, and each must be remembered until it ends.
LONGEST_LIFE = 3600
DEEPEST = 10
REUSE_ALLOWED = "not checked: the entry has token_reuse"
YEAR_10000 = 253_402_300_800 - 86_400
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)
_SIGNED = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")

Remember = Callable[[str, str, datetime, Deadline], bool]


class UntrustedError(Exception):
    """A token that is refused: by which of CHECKS, what was expected, and what was got instead.

    ``got`` holds neither token nor signature, but what a caller wrote: it is for the screen of the operator alone, so
    that the text of the error has the name of the check and nothing else.
    """

    def __init__(self, check: str, expected: str, got: str) -> None:
        super().__init__(check)
        self.check, self.expected, self.got = check, expected, got


class TrustUnavailableError(Exception):
    """It cannot be said now whether the token is good: its keys, or the memory of used tokens, cannot be had.

    ``part`` is ``keys`` or ``replay``; ``kind`` says how the keys failed; a caller may try again after
    ``retry_seconds``.
    """

    def __init__(self, sentence: str, part: str, kind: str = "", retry_seconds: int = FAILED_SECONDS) -> None:
        super().__init__(sentence)
        self.sentence, self.part, self.kind, self.retry_seconds = sentence, part, kind, retry_seconds


@dataclass(frozen=True, slots=True)
class Verified:
    """Who called: the entry, and the claims that may be kept. They are the caller's, and never in the log."""

    client: Client
    issuer: str
    token_id: str
    tenant: str | None = None
    subject: str | None = None


class Passed(NamedTuple):
    """A check that the token passed, and what it found there, for the operator's screen."""

    check: str
    found: str


Examination = Generator[Passed, None, Verified]


class Verifier:
    """Checks tokens. ``clock`` gives seconds since 1970, UTC; ``skew_seconds`` is how far other clocks may be off.

    ``remember`` takes issuer, jti, the moment until which the token could be used, and the deadline of the call, and
    says whether the token is new; it must be shared by all processes that answer for one address.
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
        self._keys, self._remember, self._clock = keys, remember, clock
        self._skew, self._longest_life = skew_seconds, longest_life

    def verify(self, authorization: str | None, urls: Sequence[str], deadline: Deadline) -> Verified:
        """Who sent this Authorization header to the address of which ``urls`` are the accepted spellings.

        Raises UntrustedError, or TrustUnavailableError where it cannot be said. A token that is refused stays unused.
        """
        examination = self.examine(authorization, urls, deadline)
        while True:
            try:
                next(examination)
            except StopIteration as end:
                verified: Verified = end.value
                return verified

    def examine(self, authorization: str | None, urls: Sequence[str], deadline: Deadline) -> Examination:
        """The checks one by one, as ``verify`` makes them; it raises where one fails."""
        token = _token(authorization)
        yield Passed("header", "a Bearer token")
        header, claims = _parts(token)
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
        yield Passed("signature", f"good, by {algorithm}")
        yield Passed("audience", _audience(claims, client, tuple(urls)))
        expires = yield from self._times(claims)
        jti = _named_token(claims)
        yield Passed("jti", "there is one")
        tenant = _tenant(claims, client)
        yield Passed("tenant", shortened(tenant) if tenant else "none asked for")
        if client.token_reuse:
            yield Passed("replay", REUSE_ALLOWED)
        elif self._is_new(client.issuer, jti, expires, deadline):
            yield Passed("replay", "not used before")
        else:
            raise UntrustedError("replay", "a jti that was not used before", "a token that was used before")
        subject = claims.get("sub")
        return Verified(client, client.issuer, jti, tenant, subject if isinstance(subject, str) else None)

    def _client(self, claims: Mapping[str, Any]) -> Client:
        issuer = claims.get("iss")
        candidates = self.clients.of_issuer(issuer) if isinstance(issuer, str) else ()
        if not candidates:
            got = _shown(claims, "iss")
            known = (client.issuer for client in self.clients.entries)
            hint = nearest(issuer, known) if isinstance(issuer, str) else "there must be one"
            raise UntrustedError("issuer", f"the issuer of a client, character by character; {hint}", got)
        if len(candidates) == 1:
            return candidates[0]
        # Which entry's keys are used; that the token belongs to it shows in the signature.
        tenant = claims.get("tenant")
        for client in candidates:
            if isinstance(tenant, str) and tenant in client.tenants:
                return client
        tenants = [tenant for client in candidates for tenant in client.tenants]
        raise UntrustedError("tenant", f"one of {', '.join(map(shortened, tenants))}", _shown(claims, "tenant"))

    def _key(self, client: Client, kid: str, algorithm: str, deadline: Deadline) -> Key:
        try:
            named = self._keys.keys_of(client, kid, deadline)
        except KeysUnavailableError as error:
            sentence = f"The key set of client '{client.id}' cannot be had: {error.sentence}."
            raise TrustUnavailableError(sentence, "keys", error.kind) from None
        where = "at jwks_url" if client.jwks_url else "in the clients file"
        if not named:
            raise UntrustedError("key", f"a kid that the client has {where}", shortened(kid))
        for key in named:
            if algorithm in key.algorithms:
                return key
        serves = " or ".join(dict.fromkeys(name for key in named for name in key.algorithms))
        raise UntrustedError("key", f"{algorithm}'s kind of key under this kid", f"a key for {serves}")

    def _times(self, claims: Mapping[str, Any]) -> Generator[Passed, None, float]:
        now = self._clock()
        issued = _instant(claims, "iat", "issued")
        if issued > now + self._skew:
            raise UntrustedError("issued", f"iat at or before our clock, {_when(now)}", _when(issued))
        yield Passed("issued", _when(issued))
        if "nbf" in claims and (begins := _instant(claims, "nbf", "not-yet")) > now + self._skew:
            raise UntrustedError("not-yet", f"nbf at or before our clock, {_when(now)}", _when(begins))
        yield Passed("not-yet", "valid already")
        expires = _instant(claims, "exp", "expired")
        if expires <= now - self._skew:
            raise UntrustedError("expired", f"exp after our clock, {_when(now)}", _when(expires))
        yield Passed("expired", f"valid until {_when(expires)}")
        if not 0 <= expires - issued <= self._longest_life:
            raise UntrustedError(
                "lifetime", f"exp at most {self._longest_life:g} s after iat", f"{expires - issued:.0f} s after it"
            )
        yield Passed("lifetime", f"{expires - issued:.0f} s")
        return expires

    def _is_new(self, issuer: str, jti: str, expires: float, deadline: Deadline) -> bool:
        try:
            return self._remember(issuer, jti, datetime.fromtimestamp(expires + self._skew, UTC), deadline)
        # Whatever became of it: a token of which nobody knows whether it was used is not let in, nor called bad.
        except Exception as error:
            raise TrustUnavailableError("It cannot be said whether the token was used before.", "replay") from error


def _token(authorization: str | None) -> str:
    if authorization is None:
        raise UntrustedError("header", "Authorization: Bearer and a token", "no Authorization header")
    if len(authorization) > LONGEST_TOKEN:
        raise UntrustedError("header", f"at most {LONGEST_TOKEN} characters", f"{len(authorization)} characters")
    found = _BEARER.fullmatch(authorization)
    if found is None:
        raise UntrustedError("header", "'Bearer', a space, and one token", _kind_of(authorization))
    return found[1]


def _kind_of(authorization: str) -> str:
    scheme = re.match(r"(basic|digest|negotiate|bearer)\b", authorization, re.IGNORECASE)
    if scheme is None:
        return "another scheme, or the token alone"
    return "'Bearer' and not one token behind a space" if scheme[1].lower() == "bearer" else f"the scheme {scheme[1]}"


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token (RFC 7515, section 7.1)."""
    found = _SIGNED.fullmatch(token)
    if found is None:
        number = token.count(".") + 1
        got = "five parts, which is an encrypted token" if number == 5 else f"{number} part(s), or other characters"
        raise UntrustedError("form", "three parts in base64url with dots between, none of them empty", got)
    if decoded(found[3]) is None:
        raise UntrustedError("form", "a signature in base64url without padding", "something else")
    return _object("header", found[1]), _object("payload", found[2])


def _object(part: str, text: str) -> dict[str, Any]:
    """A part as a JSON object (RFC 8725, section 2.4: exactly one reading)."""
    data = decoded(text)
    if data is None:
        raise UntrustedError("form", f"a {part} in base64url without padding", "something else")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
        # Half of a surrogate pair is no character, and could not be written down anywhere.
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError:
        raise UntrustedError("form", f"a {part} in UTF-8", "other bytes") from None
    except RecursionError:
        raise _too_deep(part) from None
    except ValueError:
        raise UntrustedError("form", f"a {part} that is JSON, each name in it once", "something else") from None
    if is_deeper(value, DEEPEST):
        raise _too_deep(part)
    if not isinstance(value, dict):
        raise UntrustedError("form", f"a {part} that is a JSON object", "another JSON value")
    return value


def _too_deep(part: str) -> UntrustedError:
    return UntrustedError("form", f"a {part} nested at most {DEEPEST} levels deep", "a deeper one")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError
    return members


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _header(header: Mapping[str, Any]) -> Generator[Passed, None, tuple[str, str]]:
    """alg and kid of a header that asks for nothing special. jwk, x5c and x5u in it are not looked at."""
    asked = [name for name in ("crit", "b64", "zip", "enc") if name in header]
    if asked:
        raise UntrustedError("critical", "none of crit, b64, zip and enc in the header", ", ".join(asked))
    yield Passed("critical", "nothing")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.upper() != "JWT" or "cty" in header:
        raise UntrustedError("type", "typ JWT, and no cty", f"typ {_shown(header, 'typ')}, cty {_shown(header, 'cty')}")
    yield Passed("type", "JWT")
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise UntrustedError("algorithm", f"one of {', '.join(ALGORITHMS)}", _shown(header, "alg"))
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_KID:
        raise UntrustedError("kid", f"text of 1 to {LONGEST_KID} characters", _shown(header, "kid"))
    yield Passed("kid", shortened(kid))
    return algorithm, kid


def _jku(header: Mapping[str, Any], client: Client) -> str:
    if "jku" not in header:
        return "none"
    allowed = client.jkus()
    if allowed is None:
        return "not looked at: the keys are in the clients file"
    if header["jku"] not in allowed:
        raise UntrustedError("jku", f"one of {', '.join(allowed)}", _shown(header, "jku"))
    return "the client's"


def _check_signature(token: str, key: Key, algorithm: str) -> None:
    # The claims are checked below, all in one place and by one clock.
    unchecked = dict.fromkeys(("exp", "nbf", "iat", "aud", "iss", "sub", "jti"), False)
    options: Any = {"verify_signature": True, "require": []} | {f"verify_{name}": no for name, no in unchecked.items()}
    try:
        jwt.decode(token, key=key.public, algorithms=[algorithm], options=options)
    except jwt.PyJWTError:
        raise UntrustedError("signature", "that of the key which kid names, over this very text", "another") from None


def _audience(claims: Mapping[str, Any], client: Client, urls: tuple[str, ...]) -> str:
    claimed = claims.get("aud")
    listed = claimed if isinstance(claimed, list) else [claimed]
    for item in listed:
        if isinstance(item, str) and client.is_audience(item, urls):
            return shortened(item, 200)
    # A hostile list could be long.
    got = ", ".join(shortened(item, 200) if isinstance(item, str) else "no text" for item in listed[:3])
    allowed = " or ".join((*urls, *client.audiences))
    raise UntrustedError("audience", f"exactly {allowed}", got if "aud" in claims else "no aud")


def _instant(claims: Mapping[str, Any], name: str, check: str) -> float:
    """A NumericDate (RFC 7519, section 2), which may have a fraction."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UntrustedError(check, f"{name}: a number of seconds since 1970, UTC", _shown(claims, name))
    # Further no calendar goes; what is no number or endless is refused with it.
    if not 0 <= value < YEAR_10000:
        raise UntrustedError(check, f"{name}: seconds since 1970, UTC, before the year 10000", "a number out of range")
    return float(value)


def _named_token(claims: Mapping[str, Any]) -> str:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
        got = f"{len(jti)} characters" if isinstance(jti, str) else _shown(claims, "jti")
        raise UntrustedError("jti", f"text of 1 to {LONGEST_JTI} characters", got)
    return jti


def _tenant(claims: Mapping[str, Any], client: Client) -> str | None:
    tenant = claims.get("tenant")
    if client.tenants and tenant not in client.tenants:
        expected = f"one of {', '.join(map(shortened, client.tenants))}"
        raise UntrustedError("tenant", expected, _shown(claims, "tenant"))
    return tenant if isinstance(tenant, str) else None


def _shown(members: Mapping[str, Any], name: str) -> str:
    """A member for the operator's screen: as JSON, shortened."""
    return shortened(json.dumps(members[name]), 200) if name in members else f"no {name}"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
