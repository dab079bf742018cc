"""The table ``smart`` of a client's entry: the registration of this service as an app at that client's EHR."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cds_service.spelling import nearest, shortened
from cds_service.trust.smart import AUTH_METHODS, WRITES, SmartApp

KEYS = ("client_id", "secret_file", "key_file", "key_id", "auth_method", "writes", "observations")
LONGEST = 1000
MOST_BYTES = 16_384
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

Note = Callable[[str, str], None]


def smart_app(table: Any, folder: Path, note: Note) -> SmartApp | None:
    """The registration in a table, or None if it is unusable; calls ``note`` with the key and text of every fault.

    ``secret_file`` and ``key_file`` are paths below ``folder``: the clients file itself contains no secret.
    """
    if not isinstance(table, Mapping):
        note("smart", "must be a table; begin it with [client.smart]")
        return None
    for key in table:
        if key not in KEYS:
            note(f"smart.{key}", f"is not a key of this table; {nearest(key, KEYS)}")
    client_id = table.get("client_id")
    if not isinstance(client_id, str) or not 0 < len(client_id) <= LONGEST:
        note("smart.client_id", "is missing; give the client id that the EHR assigned to this service")
        return None
    writes = _writes(table, note)
    observations = table.get("observations", True)
    if not isinstance(observations, bool):
        note("smart.observations", "must be true or false, without quotes")
    if ("secret_file" in table) == ("key_file" in table):
        note("smart", "give exactly one of secret_file and key_file, with which this service authenticates")
        return None
    if "key_file" in table:
        return _with_key(client_id, table, folder, writes, observations is True, note)
    method = table.get("auth_method", AUTH_METHODS[0])
    if method not in AUTH_METHODS[:2]:
        note("smart.auth_method", f"'{shortened(str(method))}' is not allowed; allowed: {', '.join(AUTH_METHODS[:2])}")
        return None
    text = _read(table.get("secret_file"), folder, "smart.secret_file", note).strip()
    if not text:
        return None
    return SmartApp(
        client_id=client_id, secret=text, auth_method=method, writes=writes, observations=observations is True
    )


def _with_key(
    client_id: str, table: Mapping[str, Any], folder: Path, writes: tuple[str, ...], observations: bool, note: Note
) -> SmartApp | None:
    if "auth_method" in table:
        note("smart.auth_method", "is only for secret_file; remove it, because key_file always uses private_key_jwt")
    text = _read(table.get("key_file"), folder, "smart.key_file", note)
    key_id = table.get("key_id", "")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= LONGEST:
        note("smart.key_id", "is missing; give the kid by which the EHR knows the key")
        return None
    if not text:
        return None
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        note("smart.key_file", "is not a private key in PEM without a password")
        return None
    if isinstance(key, RSAPrivateKey) and key.key_size >= 2048:
        algorithm = "RS384"
    elif isinstance(key, EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        algorithm = _CURVES[key.curve.name]
    else:
        note("smart.key_file", "must be an RSA key of 2048 bits or more, or an EC key of P-256, P-384 or P-521")
        return None
    return SmartApp(
        client_id=client_id,
        secret=text,
        auth_method="private_key_jwt",
        algorithm=algorithm,
        key_id=key_id,
        writes=writes,
        observations=observations,
    )


def public_key_of(app: SmartApp) -> dict[str, str]:
    """The public part of the service's authentication key, as a JWK (RFC 7518, section 6) for the EHR.

    Empty if the service authenticates with a secret.
    """
    if app.auth_method != "private_key_jwt":
        return {}
    key = load_pem_private_key(app.secret.encode(), password=None)
    said = {"kid": app.key_id, "alg": app.algorithm, "use": "sig"}
    if isinstance(key, RSAPrivateKey):
        rsa = key.public_key().public_numbers()
        return {"kty": "RSA", "n": _written(rsa.n), "e": _written(rsa.e), **said}
    assert isinstance(key, EllipticCurvePrivateKey)
    point, length = key.public_key().public_numbers(), (key.curve.key_size + 7) // 8
    curve = f"P-{key.curve.key_size}"
    return {"kty": "EC", "crv": curve, "x": _written(point.x, length), "y": _written(point.y, length), **said}


def _written(number: int, length: int = 0) -> str:
    """A number as a Base64urlUInt (RFC 7518, section 2) of at least ``length`` bytes."""
    data = number.to_bytes(max(length, (number.bit_length() + 7) // 8), "big")
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _writes(table: Mapping[str, Any], note: Note) -> tuple[str, ...]:
    listed = table.get("writes", list(WRITES))
    if not isinstance(listed, list) or any(item not in WRITES for item in listed) or len(set(listed)) < len(listed):
        note("smart.writes", f"must list what the EHR accepts, each once: {', '.join(WRITES)}; [] writes nothing")
        return WRITES
    return tuple(listed)


def _read(name: Any, folder: Path, place: str, note: Note) -> str:
    if not isinstance(name, str) or not name:
        note(place, "must be the name of a file")
        return ""
    path = folder / name
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
        if not text or len(text) > MOST_BYTES:
            note(place, f"{path} is empty, or larger than {MOST_BYTES} bytes")
            return ""
        return text.decode("ascii")
    except OSError as error:
        note(place, f"{path} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        note(place, f"{path} is not ASCII text")
    return ""
