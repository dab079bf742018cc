"""A JSON Web Key as a key that can verify tokens, or the reason why it cannot (RFC 7517, RFC 7518 section 6)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurve, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey as EllipticKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from cds_service.spelling import shortened

# The algorithms of CDS Hooks 2.0, then others in use. No HMAC, because a verifier could then also sign.
RECOMMENDED = ("RS384", "ES384")
ALGORITHMS = (*RECOMMENDED, "RS256", "ES256")
LEAST_RSA_BITS, MOST_RSA_BITS = 2048, 8192
MOST_KEYS = 100
LONGEST_KID = 512
_CURVES: Mapping[str, tuple[EllipticCurve, int, str]] = {
    "P-384": (SECP384R1(), 48, "ES384"),
    "P-256": (SECP256R1(), 32, "ES256"),
}
# RFC 7518, sections 6.2.2, 6.3.2 and 6.4: members that only a key's owner may have.
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class UnusableKeyError(Exception):
    """A key that cannot verify tokens; its text has the reason and the requirement, but nothing of the key."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key: its name, its algorithms, its strength in words, and the key itself."""

    kid: str
    algorithms: tuple[str, ...]
    strength: str
    public: RSAPublicKey | EllipticKey


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of a JWK Set, and a sentence for each unusable key."""

    keys: tuple[Key, ...]
    problems: tuple[str, ...]


def read_key_set(document: Any) -> KeySet:
    """The keys of a JWK Set (RFC 7517, section 5): ``{"keys": [{…}, …]}``.

    Unusable keys are omitted with their reasons, since sets also contain keys for other purposes; if several keys share
    a kid, all of them are omitted. Raises UnusableKeyError if the document is not a JWK Set.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise UnusableKeyError("it is not a JWK Set: a JSON object with a list 'keys'")
    if len(listed) > MOST_KEYS:
        raise UnusableKeyError(f"it has {len(listed)} keys; at most {MOST_KEYS} are read")
    keys, problems = [], []
    for number, jwk in enumerate(listed, 1):
        try:
            keys.append(read_key(jwk))
        except UnusableKeyError as error:
            problems.append(f"{_named(jwk, number)}: {error}")
    for kid in [kid for kid, count in Counter(key.kid for key in keys).items() if count > 1]:
        problems.append(f"key '{shortened(kid)}': the kid occurs more than once; give each key its own kid")
        keys = [key for key in keys if key.kid != kid]
    return KeySet(tuple(keys), tuple(problems))


def read_key(jwk: Any) -> Key:
    """One JWK. Raises UnusableKeyError: private, symmetric, weak, for another use, or not a key at all."""
    if not isinstance(jwk, dict):
        raise UnusableKeyError("it is not a JWK, which is an object")
    if _PRIVATE & jwk.keys():
        raise UnusableKeyError(
            "it is a private or secret key; only the public key belongs here. Anyone who has seen this key can sign "
            "as its owner, so have its owner replace it"
        )
    kind = jwk.get("kty")
    if kind not in ("RSA", "EC"):
        raise UnusableKeyError("its kty must be RSA or EC")
    if jwk.get("use", "sig") != "sig":
        raise UnusableKeyError("its use is not 'sig'; it is not a key for signatures")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise UnusableKeyError("its key_ops do not include 'verify'")
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_KID:
        raise UnusableKeyError(f"it needs a kid of 1 to {LONGEST_KID} characters, which tokens name")
    key = _rsa(kid, jwk) if kind == "RSA" else _elliptic(kid, jwk)
    only = jwk.get("alg", key.algorithms[0])
    if only not in key.algorithms:
        raise UnusableKeyError(f"its alg is not {' or '.join(key.algorithms)}, which this kind of key serves")
    return Key(kid, (only,), key.strength, key.public) if "alg" in jwk else key


def _rsa(kid: str, jwk: Mapping[str, Any]) -> Key:
    modulus, exponent = _number(jwk, "n"), _number(jwk, "e")
    bits = modulus.bit_length()
    if bits < LEAST_RSA_BITS:
        raise UnusableKeyError(f"it is an RSA key of {bits} bits, which is too weak; use {LEAST_RSA_BITS} bits or more")
    if bits > MOST_RSA_BITS:
        raise UnusableKeyError(f"it is an RSA key of {bits} bits; use at most {MOST_RSA_BITS} bits")
    # A large exponent makes every check slow, and a small one is weak (NIST SP 800-56B, section 6.2.1).
    if exponent.bit_length() > 32 or exponent < 65537 or not exponent & 1:
        raise UnusableKeyError("its e must be an odd number from 65537 to 2^32")
    try:
        public = RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        raise UnusableKeyError("its n and e do not form an RSA key") from None
    return Key(kid, ("RS384", "RS256"), f"RSA {bits} bits", public)


def _elliptic(kid: str, jwk: Mapping[str, Any]) -> Key:
    curve = jwk.get("crv")
    if not isinstance(curve, str) or curve not in _CURVES:
        raise UnusableKeyError("its crv must be P-384 (for ES384) or P-256 (for ES256)")
    parameters, length, algorithm = _CURVES[curve]
    x, y = _number(jwk, "x", length), _number(jwk, "y", length)
    try:
        public = EllipticCurvePublicNumbers(x, y, parameters).public_key()
    except ValueError:
        raise UnusableKeyError(f"its x and y are not a point on {curve}") from None
    return Key(kid, (algorithm,), f"EC {curve}", public)


def _number(jwk: Mapping[str, Any], name: str, length: int | None = None) -> int:
    """A Base64urlUInt (RFC 7518, section 2); a coordinate of a point must have its full length."""
    text = jwk.get(name)
    data = decoded(text) if isinstance(text, str) else None
    if not data or (length is not None and len(data) != length):
        raise UnusableKeyError(f"its {name} is missing or is not a number in base64url as a JWK requires")
    return int.from_bytes(data, "big")


def decoded(text: str) -> bytes | None:
    """The bytes of canonical base64url without padding (RFC 7515, section 2), or None for anything else."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return data if urlsafe_b64encode(data).rstrip(b"=") == text.encode("utf-8", "replace") else None


def _named(jwk: Any, number: int) -> str:
    kid = jwk.get("kid") if isinstance(jwk, dict) else None
    return f"key '{shortened(kid)}'" if isinstance(kid, str) and kid else f"key number {number}"
