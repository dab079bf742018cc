"""An EHR of the tests that forms are launched from: it signs in, and answers as each test has it answer."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from cds_service.ehr.addresses import Allowance
from cds_service.ehr.received import OutgoingError, Received
from cds_service.trust.smart import AppRegistration, SmartApp

BASE = "https://ehr.example/fhir"
OTHER_BASE = "https://other.example/fhir"
REDIRECT = "https://cds.example/smart/callback"
PATIENT, USER = "patient-1", f"{BASE}/Practitioner/dr-1"
NOW = 1_790_000_000
SCOPES = "launch openid fhirUser patient/*.rs patient/QuestionnaireResponse.crus patient/DocumentReference.crs"
_PATIENT = {
    "resourceType": "Patient",
    "id": PATIENT,
    "name": [{"family": "Canary-Family", "given": ["Canary-Given"]}],
    "birthDate": "1978-05-28",
    "gender": "female",
}
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def registration(base: str = BASE, **app: Any) -> AppRegistration:
    """The registration of the form at an EHR."""
    known = SmartApp(client_id="form", secret="secret of the form", **app)
    allowed = Allowance((base,))
    return AppRegistration(client="general", issuer=base, redirect_uri=REDIRECT, app=known, allowance=allowed)


def key_set(key: Any = _KEY) -> dict[str, Any]:
    """The keys with which the EHR signs."""
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {"keys": [public | {"kid": "one", "alg": "RS256", "use": "sig"}]}


@dataclass
class FormEhr:
    """Answers calls of ``OutgoingClient``; ``calls`` are those that came: (method, url, headers, body).

    ``token``, ``claims`` and ``configuration`` replace members of what it would answer; None takes one away. ``wrote``
    are the resources that it took; ``answers`` maps (method, path below the base) to a status and a body.
    """

    base: str = BASE
    token: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    signed_with: Any = _KEY
    algorithm: str = "RS256"
    nonce: str = ""
    calls: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    wrote: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)

    def get(self, url: str, **options: Any) -> Received:
        self.calls.append(("GET", url, {"Authorization": f"Bearer {options.get('token')}"}, b""))
        path = url.removeprefix(self.base)
        if (given := self.answers.get(("GET", path))) is not None:
            return _received(given, url)
        if path == "/.well-known/smart-configuration":
            return _received((200, self._configuration()), url)
        if path == "/keys":
            return _received((200, key_set()), url)
        if path == f"/Patient/{PATIENT}":
            return _received((200, _PATIENT), url)
        if "?" in path:
            kind = path[1:].partition("?")[0]
            found = [{"resource": item} for item in self.wrote if item["resourceType"] == kind]
            bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
            return _received((200, bundle | ({"entry": found} if found else {})), url)
        for resource in self.wrote:
            if path == f"/{resource['resourceType']}/{resource['id']}":
                return _received((200, resource), url)
        return _received((404, {"resourceType": "OperationOutcome"}), url)

    def post(self, url: str, body: bytes, *, headers: Any, **options: Any) -> Received:
        self.calls.append(("POST", url, dict(headers), body))
        path = url.removeprefix(self.base)
        if (given := self.answers.get(("POST", path))) is not None:
            return _received(given, url)
        if path == "/token":
            return _received((200, self._token()), url)
        resource = json.loads(body)
        wanted = parse_qs(headers.get("If-None-Exist", "")).get("identifier")
        if wanted and (known := next((item for item in self.wrote if _identified(item) == wanted[0]), None)):
            return _received((200, known), url)
        resource["id"] = f"new-{len(self.wrote) + 1}"
        resource["meta"] = {"versionId": "1"}
        self.wrote.append(resource)
        location = f"{self.base}/{resource['resourceType']}/{resource['id']}/_history/1"
        return Received(201, "application/fhir+json", b"", url, location=location)

    def put(self, url: str, body: bytes, *, headers: Any, **options: Any) -> Received:
        self.calls.append(("PUT", url, dict(headers), body))
        path = url.removeprefix(self.base)
        if (given := self.answers.get(("PUT", path))) is not None:
            return _received(given, url)
        resource = json.loads(body)
        index = next(place for place, item in enumerate(self.wrote) if path == f"/{item['resourceType']}/{item['id']}")
        version = int(self.wrote[index]["meta"]["versionId"])
        if headers.get("If-Match", f'W/"{version}"') != f'W/"{version}"':
            return _received((412, {"resourceType": "OperationOutcome"}), url)
        self.wrote[index] = resource | {"meta": {"versionId": str(version + 1)}}
        return _received((200, self.wrote[index]), url)

    def _configuration(self) -> dict[str, Any]:
        told = {
            "issuer": self.base,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "jwks_uri": f"{self.base}/keys",
            "capabilities": ["permission-v2", "permission-v1"],
        }
        return _changed(told, self.configuration)

    def _token(self) -> dict[str, Any]:
        claims = _changed(
            {
                "iss": self.base,
                "aud": "form",
                "sub": "dr-1",
                "iat": NOW,
                "exp": NOW + 300,
                "nonce": self.nonce,
                "fhirUser": USER,
            },
            self.claims,
        )
        signing = self.signed_with if self.algorithm != "none" else None
        headers = {"kid": "one"}
        told = {
            "access_token": "token-of-the-ehr",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": SCOPES,
            "patient": PATIENT,
            "id_token": jwt.encode(claims, signing, self.algorithm, headers),
        }
        return _changed(told, self.token)


def signs_with_another_key(ehr: FormEhr) -> None:
    """Has the EHR sign with a key that it does not publish."""
    ehr.signed_with = _OTHER_KEY


def parameters(url: str) -> dict[str, str]:
    """The query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def _identified(resource: dict[str, Any]) -> str:
    listed = resource.get("identifier", {})
    one = listed[0] if isinstance(listed, list) else listed
    return f"{one.get('system')}|{one.get('value')}"


def _changed(told: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**told, **change}.items() if value is not None}


def _received(given: Any, url: str) -> Received:
    if isinstance(given, OutgoingError):
        raise given
    status, body = given
    return Received(status, "application/json", json.dumps(body).encode(), url)
