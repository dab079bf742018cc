"""Tokens that must not be believed: what each tries, the Authorization header, and the check that must refuse it."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.tokens import (
    BASE,
    GONE,
    ISSUER,
    JKU,
    NOW,
    URL,
    assembled,
    b64,
    bearer,
    claims,
    header,
    jwk,
    private_key,
    token,
)

CLOUD = "https://cloud.example"
OTHER = "https://other.example/fhir"
ELSEWHERE = "https://attacker.example/jwks.json"
FEEDBACK = f"{URL}/feedback"
LARGE = 10**400


class Attack(NamedTuple):
    name: str
    check: str
    make: Callable[[], str | None]


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _unsigned(algorithm: object, end: str = "") -> str:
    return f"Bearer {b64(_json(header(alg=algorithm)))}.{b64(_json(claims()))}.{end}"


def _with_public_key_as_secret(algorithm: str, digest: str) -> str:
    """The confusion of a public key with an HMAC secret."""
    secret = (
        private_key("rsa")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    text = f"{b64(_json(header(alg=algorithm)))}.{b64(_json(claims()))}"
    return f"Bearer {text}.{b64(hmac.digest(secret, text.encode(), getattr(hashlib, digest)))}"


def _ended(change: Callable[[str], str], key: str = "rsa") -> str:
    """A good token whose signature was changed."""
    head, payload, end = token(key=key).split(".")
    return f"Bearer {head}.{payload}.{change(end)}"


def _flipped(end: str) -> str:
    return ("B" if end[0] == "A" else "A") + end[1:]


def _der() -> str:
    text = ".".join(token(key="p384").split(".")[:2])
    made = private_key("p384").sign(text.encode(), ec.ECDSA(hashes.SHA384()))
    return f"Bearer {text}.{b64(made)}"


def _repayloaded() -> str:
    head, _, end = token().split(".")
    return f"Bearer {head}.{b64(_json(claims(aud=URL, sub='somebody else')))}.{end}"


def _reheaded() -> str:
    _, payload, end = token().split(".")
    return f"Bearer {b64(_json(header(kid='rsa', x=1)))}.{payload}.{end}"


def _other_spelling() -> str:
    """The same bytes of the signature, by other characters: spare bits of the last one set."""
    text = token(key="rsa")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return f"Bearer {text[:-1]}{last[last.index(text[-1]) + 1]}"


def _payload(raw: bytes) -> str:
    return f"Bearer {assembled(_json(header()), raw)}"


def _head(raw: bytes) -> str:
    return f"Bearer {assembled(raw, _json(claims()))}"


def _twice(name: str) -> str:
    return _payload(_json(claims())[:-1] + f', "{name}": "{ISSUER}"}}'.encode())


ATTACKS = (
    # the header field
    Attack("no Authorization header", "header", lambda: None),
    Attack("an empty header", "header", lambda: ""),
    Attack("Basic credentials", "header", lambda: "Basic dXNlcjpwYXNzd29yZA=="),
    Attack("the token without its scheme", "header", token),
    Attack("the scheme without a token", "header", lambda: "Bearer"),
    Attack("another scheme before a good token", "header", lambda: f"JWT {token()}"),
    Attack("a tab after the scheme", "header", lambda: f"Bearer\t{token()}"),
    Attack("the token twice", "header", lambda: f"Bearer {token()} {token()}"),
    Attack("two headers joined by a comma", "header", lambda: f"Bearer {token()}, Bearer {token()}"),
    Attack("the scheme twice", "header", lambda: f"Bearer Bearer {token()}"),
    Attack("a token that is too long", "header", lambda: bearer(padding="x" * 8000)),
    Attack("one character more than is read", "header", lambda: f"Bearer {'x' * 7994}"),
    # the form
    Attack("a comma behind the token", "form", lambda: f"{bearer()},"),
    Attack("no dots", "form", lambda: "Bearer abcdef"),
    Attack("two parts", "form", lambda: f"Bearer {token().rpartition('.')[0]}"),
    Attack("four parts", "form", lambda: f"{bearer()}.AAAA"),
    Attack("an encrypted token", "form", lambda: "Bearer eyJhbGciOiJSU0EtT0FFUCJ9.AAAA.AAAA.AAAA.AAAA"),
    Attack("the signature stripped", "form", lambda: _ended(lambda end: "")),
    Attack("no claims at all", "form", lambda: f"Bearer {b64(_json(header()))}..AAAA"),
    Attack("padding", "form", lambda: _ended(lambda end: f"{end}==")),
    Attack("the other base64", "form", lambda: _ended(lambda end: f"+/{end[2:]}")),
    Attack("another spelling of the same signature", "form", _other_spelling),
    Attack("a line break in the token", "header", lambda: f"Bearer {token()[:40]}\n{token()[40:]}"),
    Attack("a header that is not JSON", "form", lambda: _head(b"{")),
    Attack("a header that is a list", "form", lambda: _head(b"[]")),
    Attack("a header with alg twice", "form", lambda: _head(b'{"alg": "none", "alg": "RS384", "kid": "rsa"}')),
    Attack("a header with a byte order mark", "form", lambda: _head(b"\xef\xbb\xbf" + _json(header()))),
    Attack("a payload that is a text", "form", lambda: _payload(b'"payload"')),
    Attack("a payload that is null", "form", lambda: _payload(b"null")),
    Attack("a payload that is not UTF-8", "form", lambda: _payload(_json(claims())[:-1] + b', "x": "\xff"}')),
    Attack("half a surrogate pair", "form", lambda: _payload(_json(claims())[:-1] + b', "x": "\\ud800"}')),
    Attack("a payload in UTF-16", "form", lambda: _payload(json.dumps(claims()).encode("utf-16"))),
    Attack("a payload that is nested deeply", "form", lambda: _payload(b'{"x": ' + b"[" * 900 + b"]" * 900 + b"}")),
    Attack("iss twice", "form", lambda: _twice("iss")),
    Attack("aud twice", "form", lambda: _twice("aud")),
    Attack("an inner name twice", "form", lambda: _payload(_json(claims())[:-1] + b', "x": {"a": 1, "a": 2}}')),
    Attack("exp that is NaN", "form", lambda: _payload(_json(claims(exp=float("nan"))))),
    Attack("exp that is Infinity", "form", lambda: _payload(_json(claims(exp=float("inf"))))),
    # what the header asks for
    Attack("crit", "critical", lambda: bearer({"crit": ["exp"]})),
    Attack("an empty crit", "critical", lambda: bearer({"crit": []})),
    Attack("b64=false", "critical", lambda: bearer({"b64": False})),
    Attack("b64=false with its crit", "critical", lambda: bearer({"b64": False, "crit": ["b64"]})),
    Attack("a compressed payload", "critical", lambda: bearer({"zip": "DEF"})),
    Attack("an access token", "type", lambda: bearer({"typ": "at+jwt"})),
    Attack("a nested token", "type", lambda: bearer({"cty": "JWT"})),
    Attack("typ that is a number", "type", lambda: bearer({"typ": 1})),
    # the algorithm
    Attack("alg none", "form", lambda: _unsigned("none")),
    Attack("alg none with a signature", "algorithm", lambda: _unsigned("none", "AAAA")),
    Attack("alg None", "algorithm", lambda: _unsigned("None", "AAAA")),
    Attack("alg nOnE", "algorithm", lambda: _unsigned("nOnE", "AAAA")),
    Attack("alg empty", "algorithm", lambda: _unsigned("", "AAAA")),
    Attack("alg missing", "algorithm", lambda: bearer({"alg": GONE})),
    Attack("alg null", "algorithm", lambda: bearer({"alg": None})),
    Attack("alg a list", "algorithm", lambda: bearer({"alg": ["RS384"]})),
    Attack("alg in lower case", "algorithm", lambda: bearer({"alg": "rs384"})),
    Attack("HS256 with the public key as secret", "algorithm", lambda: _with_public_key_as_secret("HS256", "sha256")),
    Attack("HS384 with the public key as secret", "algorithm", lambda: _with_public_key_as_secret("HS384", "sha384")),
    Attack("HS512 with the public key as secret", "algorithm", lambda: _with_public_key_as_secret("HS512", "sha512")),
    Attack("PS384, of the same key", "algorithm", lambda: bearer(algorithm="PS384")),
    Attack("RS256 under an entry of RS384", "algorithm", lambda: bearer(algorithm="RS256")),
    Attack("ES256 under an entry of ES384", "algorithm", lambda: bearer(key="p256")),
    Attack("ES384 over an RSA key's kid", "key", lambda: bearer({"kid": "rsa"}, key="p384")),
    Attack("RS384 over an EC key's kid", "key", lambda: bearer({"kid": "p384"})),
    # which key
    Attack("kid missing", "kid", lambda: bearer({"kid": GONE})),
    Attack("kid empty", "kid", lambda: bearer({"kid": ""})),
    Attack("kid a number", "kid", lambda: bearer({"kid": 1})),
    Attack("kid an object", "kid", lambda: bearer({"kid": {"x": "rsa"}})),
    Attack("kid very long", "kid", lambda: bearer({"kid": "k" * 513})),
    Attack("kid that is a path", "key", lambda: bearer({"kid": "../../../../dev/null"})),
    Attack("kid that is a file", "key", lambda: bearer({"kid": "/proc/self/environ"})),
    Attack("kid that is SQL", "key", lambda: bearer({"kid": "x' UNION SELECT 'key"})),
    Attack("kid that is an address", "key", lambda: bearer({"kid": ELSEWHERE})),
    Attack("kid in another case", "key", lambda: bearer({"kid": "RSA"})),
    Attack("kid with a zero byte", "key", lambda: bearer({"kid": "rsa\0"})),
    Attack("a key in the header", "signature", lambda: bearer({"kid": "rsa", "jwk": jwk("rsa/bad")}, key="rsa/bad")),
    Attack("a key in the header under its own kid", "key", lambda: bearer({"jwk": jwk("rsa/bad")}, key="rsa/bad")),
    Attack("a certificate in the header", "signature", lambda: bearer({"kid": "rsa", "x5c": ["AAAA"]}, key="rsa/bad")),
    Attack("x5u elsewhere", "signature", lambda: bearer({"kid": "rsa", "x5u": ELSEWHERE}, key="rsa/bad")),
    Attack("jku elsewhere", "jku", lambda: bearer({"kid": "rsa", "jku": ELSEWHERE}, key="rsa/bad")),
    Attack("jku elsewhere, well signed", "jku", lambda: bearer({"jku": ELSEWHERE})),
    Attack("jku with a user", "jku", lambda: bearer({"jku": JKU.replace("//", "//ehr.example@attacker.example/")})),
    Attack(
        "jku with the host as a user", "jku", lambda: bearer({"jku": JKU.replace("//ehr.example", "//ehr.example@x")})
    ),
    Attack("jku on another port", "jku", lambda: bearer({"jku": JKU.replace(".example", ".example:8443")})),
    Attack("jku on its own port", "jku", lambda: bearer({"jku": JKU.replace(".example", ".example:443")})),
    Attack("jku in another case", "jku", lambda: bearer({"jku": JKU.replace("ehr", "EHR")})),
    Attack("jku by http", "jku", lambda: bearer({"jku": JKU.replace("https", "http")})),
    Attack("jku below", "jku", lambda: bearer({"jku": f"{JKU}/../jwks.json"})),
    Attack("jku with a fragment", "jku", lambda: bearer({"jku": f"{JKU}#"})),
    Attack("jku by a redirect", "jku", lambda: bearer({"jku": f"https://ehr.example/go?to={ELSEWHERE}"})),
    Attack("jku on this machine", "jku", lambda: bearer({"jku": "http://127.0.0.1:1/jwks.json"})),
    Attack("jku that is a file", "jku", lambda: bearer({"jku": "file:///etc/passwd"})),
    Attack("jku a list", "jku", lambda: bearer({"jku": [JKU]})),
    Attack("jku null", "jku", lambda: bearer({"jku": None})),
    # the issuer
    Attack("iss missing", "issuer", lambda: bearer(iss=GONE)),
    Attack("iss null", "issuer", lambda: bearer(iss=None)),
    Attack("iss a list", "issuer", lambda: bearer(iss=[ISSUER])),
    Attack("iss unknown", "issuer", lambda: bearer(iss="https://attacker.example")),
    Attack("iss in another case", "issuer", lambda: bearer(iss=ISSUER.replace("ehr", "EHR"))),
    Attack("iss with a slash", "issuer", lambda: bearer(iss=f"{ISSUER}/")),
    Attack("iss with a space", "issuer", lambda: bearer(iss=f"{ISSUER} ")),
    Attack("iss by http", "issuer", lambda: bearer(iss=ISSUER.replace("https", "http"))),
    Attack("iss of another client, this one's key and kid", "key", lambda: bearer(iss=OTHER)),
    Attack("iss of another client, its kid, this one's key", "signature", lambda: bearer({"kid": "other"}, iss=OTHER)),
    # the signature
    Attack("a flipped bit", "signature", lambda: _ended(_flipped)),
    Attack("a signature cut short", "signature", lambda: _ended(lambda end: end[:-4], "p384")),
    Attack("a signature of four bytes", "signature", lambda: _ended(lambda end: "AAAA")),
    Attack("a signature of another key", "signature", lambda: bearer({"kid": "rsa"}, key="rsa/bad")),
    Attack("a signature of another EC key", "signature", lambda: bearer({"kid": "p384"}, key="p384/bad")),
    Attack("the signature of another token", "signature", lambda: _ended(lambda end: token(jti="2").split(".")[2])),
    Attack("zeros for r and s", "signature", lambda: _ended(lambda end: b64(bytes(96)), "p384")),
    Attack("the order of the curve for r and s", "signature", lambda: _ended(lambda end: b64(b"\xff" * 96), "p384")),
    Attack("r and s in DER", "signature", _der),
    Attack("zeros for an RSA signature", "signature", lambda: _ended(lambda end: b64(bytes(256)))),
    Attack("one for an RSA signature", "signature", lambda: _ended(lambda end: b64(bytes(255) + b"\x01"))),
    Attack("the payload changed", "signature", _repayloaded),
    Attack("the header changed", "signature", _reheaded),
    # for whom
    Attack("aud missing", "audience", lambda: bearer(aud=GONE)),
    Attack("aud null", "audience", lambda: bearer(aud=None)),
    Attack("aud empty", "audience", lambda: bearer(aud="")),
    Attack("aud an empty list", "audience", lambda: bearer(aud=[])),
    Attack("aud a list of others", "audience", lambda: bearer(aud=[f"{BASE}/cds-services", FEEDBACK])),
    Attack("aud a list of no texts", "audience", lambda: bearer(aud=[1, None, [URL]])),
    Attack("aud an object", "audience", lambda: bearer(aud={URL: URL})),
    Attack("aud of discovery", "audience", lambda: bearer(aud=f"{BASE}/cds-services")),
    Attack("aud of another service", "audience", lambda: bearer(aud=URL.replace("sign", "select"))),
    Attack("aud of feedback", "audience", lambda: bearer(aud=FEEDBACK)),
    Attack("aud a prefix", "audience", lambda: bearer(aud=BASE)),
    Attack("aud with more behind", "audience", lambda: bearer(aud=f"{URL}x")),
    Attack("aud with the host in another case", "audience", lambda: bearer(aud=URL.replace("http://", "HTTP://"))),
    Attack("aud with a slash", "audience", lambda: bearer(aud=f"{URL}/")),
    Attack("aud with a query", "audience", lambda: bearer(aud=f"{URL}?x=1")),
    Attack("aud by https", "audience", lambda: bearer(aud=URL.replace("http:", "https:"))),
    Attack("aud with a user", "audience", lambda: bearer(aud=URL.replace("//", "//user@"))),
    Attack("aud of another host", "audience", lambda: bearer(aud=URL.replace("127.0.0.1:8080", "attacker.example"))),
    Attack("aud with a name of the host", "audience", lambda: bearer(aud=URL.replace("127.0.0.1", "localhost"))),
    # when
    Attack("iat missing", "issued", lambda: bearer(iat=GONE)),
    Attack("iat a text", "issued", lambda: bearer(iat=str(int(NOW)))),
    Attack("iat ahead", "issued", lambda: bearer(iat=int(NOW) + 120)),
    Attack("iat true", "issued", lambda: bearer(iat=True)),
    Attack("iat negative", "issued", lambda: bearer(iat=-1)),
    Attack("nbf ahead", "not-yet", lambda: bearer(nbf=int(NOW) + 120)),
    Attack("nbf a text", "not-yet", lambda: bearer(nbf="soon")),
    Attack("nbf null", "not-yet", lambda: bearer(nbf=None)),
    Attack("exp missing", "expired", lambda: bearer(exp=GONE)),
    Attack("exp past", "expired", lambda: bearer(exp=int(NOW) - 61, iat=int(NOW) - 300)),
    Attack("exp a text", "expired", lambda: bearer(exp=str(int(NOW) + 300))),
    Attack("exp true", "expired", lambda: bearer(exp=True)),
    Attack("exp null", "expired", lambda: bearer(exp=None)),
    Attack("exp negative", "expired", lambda: bearer(exp=-1)),
    Attack("exp too large for a double", "expired", lambda: bearer(exp=LARGE)),
    Attack("exp that overflows", "expired", lambda: _payload(_json(claims(exp="@")).replace(b'"@"', b"1e999"))),
    Attack("exp in milliseconds", "expired", lambda: bearer(exp=(int(NOW) + 300) * 1000)),
    Attack("exp of thousands of digits", "form", lambda: _payload(_json(claims(exp="@")).replace(b'"@"', b"9" * 5000))),
    Attack("a life of two hours", "lifetime", lambda: bearer(exp=int(NOW) + 7200)),
    Attack("a life of ten years", "lifetime", lambda: bearer(exp=int(NOW) + 315_000_000)),
    Attack("an old token that lives long", "lifetime", lambda: bearer(iat=int(NOW) - 86_400)),
    Attack("exp before iat", "lifetime", lambda: bearer(exp=int(NOW) - 10)),
    # once
    Attack("jti missing", "jti", lambda: bearer(jti=GONE)),
    Attack("jti empty", "jti", lambda: bearer(jti="")),
    Attack("jti a number", "jti", lambda: bearer(jti=7)),
    Attack("jti a list", "jti", lambda: bearer(jti=["token-1"])),
    Attack("jti very long", "jti", lambda: bearer(jti="j" * 513)),
    Attack("jti that was used", "replay", lambda: bearer(jti="used")),
    Attack("jti that was used, in another token", "replay", lambda: bearer(key="p384", jti="used")),
    # for which organization
    Attack("tenant missing", "tenant", lambda: bearer(iss=CLOUD)),
    Attack("tenant unknown", "tenant", lambda: bearer(iss=CLOUD, tenant="south")),
    Attack("tenant in another case", "tenant", lambda: bearer(iss=CLOUD, tenant="North")),
    Attack("tenant a list", "tenant", lambda: bearer(iss=CLOUD, tenant=["north"])),
    Attack("tenant of two entries' issuer unknown", "tenant", lambda: bearer(iss=f"{CLOUD}/two", tenant="south")),
    Attack("tenant of another entry, this one's key", "key", lambda: bearer(iss=f"{CLOUD}/two", tenant="east")),
)
