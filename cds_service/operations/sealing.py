"""Content at rest: AES-256-GCM (NIST SP 800-38D) under keys that can be changed, and what must not be kept at all.

Content for one reader is closed under a key that is derived (HKDF, RFC 5869) from one of ours and from a secret that
only the reader has: neither opens it alone.
"""

import base64
import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES, NONCE_BYTES = 32, 12
REMOVED = "[removed]"
# Of fhirAuthorization (CDS Hooks 2.0, "FHIR Authorization") all but the token, and nothing that is not named there.
_AUTHORIZATION = ("token_type", "expires_in", "scope", "subject", "patient")
_TOKEN_NAMES = frozenset({"access_token", "refresh_token", "id_token", "client_assertion", "client_secret"})
_QUOTED_TOKEN_NAMES = tuple(f'"{name}"'.encode() for name in sorted(_TOKEN_NAMES))
# Shorter ones are not tokens, and taking them out would take out words.
SHORTEST_TOKEN = 8
_FOR_ONE_READER = b"cds-service content for one reader"


class SealError(Exception):
    """Content that cannot be opened: no key for it, or it was changed."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the content: the first one closes, all of them open. Their ids say nothing of them."""

    by_id: Mapping[str, bytes] = field(repr=False)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids, that of the closing key first."""
        return tuple(self.by_id)

    def seal(self, content: bytes, bound_to: str, random: Callable[[int], bytes] = os.urandom) -> dict[str, str]:
        """Closes ``content``, compressed; it opens only beside the same ``bound_to``. ``random`` gives the nonce."""
        key_id, key = next(iter(self.by_id.items()))
        nonce = random(NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, zlib.compress(content, 1), bound_to.encode())
        return {"key": key_id, "sealed": base64.b64encode(nonce + sealed).decode()}

    def with_secret(self, secret: bytes) -> "Keys":
        """The keys that only the holder of ``secret`` (32 random bytes) can use, one derived from each, same ids."""
        return Keys(
            {
                key_id: HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=key, info=_FOR_ONE_READER).derive(secret)
                for key_id, key in self.by_id.items()
            }
        )

    def open(self, closed: Mapping[str, Any], bound_to: str) -> bytes:
        """What ``seal`` closed. Raises SealError where there is no key for it, or a byte of it was changed."""
        key_id, text = closed.get("key"), closed.get("sealed")
        key = self.by_id.get(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise SealError(f"no key with the id {key_id} is given; CDS_SERVICE_AUDIT_KEY may list older keys too")
        try:
            sealed = base64.b64decode(text or "", validate=True)
            return zlib.decompress(AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to.encode()))
        except (InvalidTag, ValueError, TypeError, zlib.error):
            raise SealError("the content was changed after it was written, or belongs to another line") from None


def keys_of(text: str, setting: str = "CDS_SERVICE_AUDIT_KEY") -> Keys:
    """The keys in a setting: 32 bytes in base64 each, between commas, the newest first.

    Raises ValueError with a sentence that names the key by its place and shows nothing of it.
    """
    found: dict[str, bytes] = {}
    for place, part in enumerate(text.split(","), 1):
        try:
            key = base64.b64decode(part.strip(), validate=True)
        # Characters beyond ASCII are a ValueError of another kind than padding that is wrong.
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise ValueError(
                f"{setting}: key {place} is not {KEY_BYTES} bytes in base64; make one with: openssl rand -base64 32"
            )
        found[key_id(key)] = key
    return Keys(found)


def key_id(key: bytes) -> str:
    """A name for a key that says nothing of it: 8 hexadecimal digits."""
    return hashlib.sha256(b"cds-service audit key" + key).hexdigest()[:8]


def content_of(
    request: bytes,
    response: bytes,
    fetched: Mapping[str, Any],
    unfetched: Mapping[str, str],
    secrets: Iterable[str] = (),
) -> bytes | None:
    """What is kept of a call as one JSON object, without tokens; None where the request cannot be searched for them.

    ``request`` and ``response`` as they were sent, the latter without ``secrets``; ``fetched`` and ``unfetched``
    (prefetch key -> value, or the reason why there is none) only where the service asked the FHIR server: with them the
    call can be evaluated again.
    """
    asked = [(name, orjson.dumps(given)) for name, given in (("fetched", fetched), ("unfetched", unfetched)) if given]
    for secret in secrets:
        response = _without(response, secret)
    try:
        body, *others = without_tokens(orjson.loads(request), response or b"null", *(text for _, text in asked))
    except (RecursionError, TypeError, orjson.JSONDecodeError):
        return None
    members = zip(("request", "response", *(name for name, _ in asked)), (body, *others), strict=True)
    return b"{" + b",".join(b'"' + name.encode() + b'":' + text for name, text in members) + b"}"


def without_tokens(body: Any, *others: bytes) -> tuple[bytes, ...]:
    """A hook request as JSON text, and ``others`` beside it, without the access token, wherever it is in them.

    Of ``fhirAuthorization`` only the members that the specification names beside the token are left; members that are
    named as tokens are removed at any depth. Raises TypeError or RecursionError for what is nested too deeply.
    """
    token = None
    if isinstance(body, dict) and "fhirAuthorization" in body:
        granted = body["fhirAuthorization"]
        kept = {name: granted[name] for name in _AUTHORIZATION if name in granted} if isinstance(granted, dict) else {}
        token = granted.get("access_token") if isinstance(granted, dict) else granted
        body = {**body, "fhirAuthorization": kept}
    text = orjson.dumps(body)
    # The walk through a whole chart takes longer than all the rest, and is hardly ever needed.
    lowered = text.lower()
    if any(name in lowered for name in _QUOTED_TOKEN_NAMES):
        text = orjson.dumps(_stripped(body))
    return tuple(_without(one, token) for one in (text, *others))


def _without(text: bytes, token: Any) -> bytes:
    """JSON text in which a token is replaced, wherever a caller has put it."""
    if not isinstance(token, str) or len(token) < SHORTEST_TOKEN:
        return text
    return text.replace(orjson.dumps(token)[1:-1], REMOVED.encode())


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _stripped(item) for name, item in value.items() if name.lower() not in _TOKEN_NAMES}
    return [_stripped(item) for item in value] if isinstance(value, list) else value
