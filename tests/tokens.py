"""Keys, tokens and a key set server of the tests' own: what an EHR has on its side."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import get_default_algorithms

from cds_service.trust.entries import Client
from cds_service.trust.jwk import read_key_set

NOW = 1_800_000_000.0
ISSUER = "https://ehr.example/fhir"
JKU = "https://ehr.example/.well-known/jwks.json"
BASE = "http://127.0.0.1:8080"
URL = f"{BASE}/cds-services/coverage-guidance-order-sign"
# Takes a member out of a header or the claims.
GONE = object()
_CURVES = {"p384": ec.SECP384R1, "p256": ec.SECP256R1, "p521": ec.SECP521R1}
_ALGORITHMS = {"rsa": "RS384", "p384": "ES384", "p256": "ES256"}


@cache
def private_key(name: str) -> Any:
    """A key of a kind (rsa, p384, p256, p521, or rsa and a number of bits); names such as ``rsa/other`` are others."""
    kind = name.partition("/")[0]
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa") or 2048))


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _integer(value: int, length: int | None = None) -> str:
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def jwk(name: str, kid: str | None = None, **more: Any) -> dict[str, Any]:
    """The public half of a key as a JWK; its kid is the key's name."""
    numbers = private_key(name).public_key().public_numbers()
    common = {"kid": kid or name, "use": "sig"} | more
    if isinstance(numbers, rsa.RSAPublicNumbers):
        return {"kty": "RSA", "n": _integer(numbers.n), "e": _integer(numbers.e), **common}
    size = (private_key(name).curve.key_size + 7) // 8
    curve = f"P-{private_key(name).curve.key_size}"
    return {"kty": "EC", "crv": curve, "x": _integer(numbers.x, size), "y": _integer(numbers.y, size), **common}


def key_set(*names: str) -> dict[str, Any]:
    return {"keys": [jwk(name) for name in names]}


def client(identifier: str = "general", *names: str, **more: Any) -> Client:
    """An entry whose keys are in the file: rsa and p384, if no other are named."""
    keys = read_key_set(key_set(*(names or ("rsa", "p384")))).keys
    return Client(id=identifier, **{"issuer": ISSUER, "keys": keys} | more)


def claims(**changes: Any) -> dict[str, Any]:
    usual = {"iss": ISSUER, "aud": URL, "exp": int(NOW) + 300, "iat": int(NOW), "jti": "token-1"}
    return _changed(usual, changes)


def header(**changes: Any) -> dict[str, Any]:
    return _changed({"alg": "RS384", "kid": "rsa", "typ": "JWT"}, changes)


def _changed(usual: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**usual, **changes}.items() if value is not GONE}


def signature(text: str, key: Any, algorithm: str) -> bytes:
    return get_default_algorithms()[algorithm].sign(text.encode(), key)


def assembled(head: bytes, payload: bytes, key: str = "rsa", algorithm: str | None = None) -> str:
    """A token of these very bytes, signed with a key."""
    text = f"{b64(head)}.{b64(payload)}"
    made = signature(text, private_key(key), algorithm or _ALGORITHMS[key.partition("/")[0]])
    return f"{text}.{b64(made)}"


def token(head: Mapping[str, Any] | None = None, key: str = "rsa", algorithm: str | None = None, **changes: Any) -> str:
    """A token as an EHR makes one; ``head`` and the claims in ``changes`` differ from the usual, GONE takes one out."""
    used = algorithm or _ALGORITHMS[key.partition("/")[0]]
    members = header(**{"alg": used, "kid": key, **(head or {})})
    return assembled(json.dumps(members).encode(), json.dumps(claims(**changes)).encode(), key, used)


def bearer(*arguments: Any, **named: Any) -> str:
    return f"Bearer {token(*arguments, **named)}"


class Remembered:
    """A memory of used tokens as the store has one, for one process."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()

    def __call__(self, issuer: str, jti: str, expires_at: Any, deadline: Any = None) -> bool:
        is_new = (issuer, jti) not in self.seen
        self.seen.add((issuer, jti))
        return is_new


class NoNetwork:
    """In place of an OutgoingClient: whoever calls it fails the test."""

    def get(self, url: str, **_: Any) -> Any:
        raise AssertionError(f"{url} was called")

    def close(self) -> None:
        """Nothing is open."""


class KeyServer:
    """Serves a key set on loopback; what it answers can be changed, and each path asked for is in ``calls``."""

    def __init__(self, document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.status, self.headers, self.calls = status, dict(headers or {}), list[str]()

    def __enter__(self) -> Self:
        serving = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                serving.calls.append(self.path)
                self.send_response(serving.status)
                for name, value in {"Content-Length": str(len(serving.body)), **serving.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(serving.body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/jwks.json"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
