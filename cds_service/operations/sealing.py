"""Encryption of content at rest: AES-256-GCM (NIST SP 800-38D) with rotating keys, and removal of tokens.

Content for one reader is encrypted with a key derived (HKDF, RFC 5869) from one of our keys and a secret that only the
reader has: neither alone decrypts it.
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
# The members of fhirAuthorization to keep (CDS Hooks 2.0, "FHIR Authorization"): all but the token and unknown ones.
_AUTHORIZATION = ("token_type", "expires_in", "scope", "subject", "patient")
_TOKEN_NAMES = frozenset({"access_token", "refresh_token", "id_token", "client_assertion", "client_secret"})
_QUOTED_TOKEN_NAMES = tuple(f'"{name}"'.encode() for name in sorted(_TOKEN_NAMES))
# Shorter texts are not tokens, and removing them would remove ordinary words.
SHORTEST_TOKEN = 8
_FOR_ONE_READER = b"cds-service content for one reader"


class SealError(Exception):
    """Content that cannot be decrypted: its key is missing, or the content was changed."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the content: the first one encrypts, all of them decrypt. The ids reveal nothing of the keys."""

    by_id: Mapping[str, bytes] = field(repr=False)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys, the encrypting key first."""
        return tuple(self.by_id)

    def seal(self, content: bytes, bound_to: str, random: Callable[[int], bytes] = os.urandom) -> dict[str, str]:
        """Compress and encrypt ``content``; ``open`` needs the same ``bound_to``. ``random`` gives the nonce."""
        key_id, key = next(iter(self.by_id.items()))
        nonce = random(NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, zlib.compress(content, 1), bound_to.encode())
        return {"key": key_id, "sealed": base64.b64encode(nonce + sealed).decode()}

    def with_secret(self, secret: bytes) -> "Keys":
        """The keys that only the holder of ``secret`` (32 random bytes) can use: one derived from each, with its id."""
        return Keys(
            {
                key_id: HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=key, info=_FOR_ONE_READER).derive(secret)
                for key_id, key in self.by_id.items()
            }
        )

    def open(self, closed: Mapping[str, Any], bound_to: str) -> bytes:
        """Decrypt what ``seal`` encrypted. Raises SealError if its key is missing or any byte was changed."""
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
    """The keys in a setting: 32 bytes each in base64, separated by commas, newest first.

    Raises ValueError with a sentence that gives the position of the invalid key and reveals nothing of it.
    """
    found: dict[str, bytes] = {}
    for place, part in enumerate(text.split(","), 1):
        try:
            key = base64.b64decode(part.strip(), validate=True)
        # Non-ASCII characters raise another kind of ValueError than wrong padding.
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise ValueError(
                f"{setting}: key {place} is not {KEY_BYTES} bytes in base64; make one with: openssl rand -base64 32"
            )
        found[key_id(key)] = key
    return Keys(found)


def key_id(key: bytes) -> str:
    """A name for a key that reveals nothing of it: 8 hexadecimal digits."""
    return hashlib.sha256(b"cds-service audit key" + key).hexdigest()[:8]


def content_of(
    request: bytes,
    response: bytes,
    fetched: Mapping[str, Any],
    unfetched: Mapping[str, str],
    secrets: Iterable[str] = (),
) -> bytes | None:
    """The content of a call to keep, as one JSON object without tokens; None for a request too deep to search for them.

    ``request`` and ``response`` are as sent, the response without ``secrets``. ``fetched`` and ``unfetched`` (prefetch
    key -> value, or the reason why there is none) appear only if the service asked the FHIR server, and allow the call
    to be evaluated again.
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
    """A hook request as JSON text, and the ``others``, with the access token removed everywhere.

    ``fhirAuthorization`` keeps only the members that the specification names, except the token; members named as tokens
    are removed at any depth. Raises TypeError or RecursionError for JSON nested too deeply.
    """
    token = None
    if isinstance(body, dict) and "fhirAuthorization" in body:
        granted = body["fhirAuthorization"]
        kept = {name: granted[name] for name in _AUTHORIZATION if name in granted} if isinstance(granted, dict) else {}
        token = granted.get("access_token") if isinstance(granted, dict) else granted
        body = {**body, "fhirAuthorization": kept}
    text = orjson.dumps(body)
    # Walking a whole chart is the slowest step, and rarely needed.
    lowered = text.lower()
    if any(name in lowered for name in _QUOTED_TOKEN_NAMES):
        text = orjson.dumps(_stripped(body))
    return tuple(_without(one, token) for one in (text, *others))


def _without(text: bytes, token: Any) -> bytes:
    """JSON text with every copy of the token replaced."""
    if not isinstance(token, str) or len(token) < SHORTEST_TOKEN:
        return text
    return text.replace(orjson.dumps(token)[1:-1], REMOVED.encode())


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _stripped(item) for name, item in value.items() if name.lower() not in _TOKEN_NAMES}
    return [_stripped(item) for item in value] if isinstance(value, list) else value
