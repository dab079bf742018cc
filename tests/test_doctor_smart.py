"""The doctor and the documentation form: whether an entry's registration works at its EHR, check by check."""

from pathlib import Path
from typing import Any

import jwt
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cds_service.commands.diagnosis import Line
from cds_service.commands.main import main
from cds_service.commands.smart_diagnosis import diagnose_smart
from cds_service.ehr.received import OutgoingError
from cds_service.trust.entries import Client
from cds_service.trust.smart import SmartApp
from cds_service.trust.smart_entries import public_key_of
from tests.form_ehr import BASE, FormEhr
from tests.shipped import library
from tests.tokens import ISSUER

OURS = "https://cds.example"
CAPABLE: dict[str, Any] = {
    "capabilities": ["launch-ehr", "context-ehr-patient", "sso-openid-connect", "permission-v2"],
    "code_challenge_methods_supported": ["S256"],
    "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
    "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
    "scopes_supported": ["openid", "fhirUser", "launch", "patient/*.cruds"],
}
KEY = (
    ec.generate_private_key(ec.SECP384R1())
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode("ascii")
)
WITH_KEY = {"secret": KEY, "auth_method": "private_key_jwt", "algorithm": "ES384", "key_id": "2026"}


def statement(**interactions: list[str]) -> tuple[int, dict[str, Any]]:
    resources = [
        {"type": kind, "interaction": [{"code": code} for code in codes]} for kind, codes in interactions.items()
    ]
    return 200, {"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "resource": resources}]}


WRITABLE = statement(QuestionnaireResponse=["create", "read"], DocumentReference=["create", "read"])


def entry(**more: Any) -> Client:
    app = {"client_id": "form", "secret": "the secret of the form"} | more.pop("app", {})
    return Client(id="general", issuer=ISSUER, fhir_servers=(BASE,), smart=SmartApp(**app), **more)


def diagnosed(
    configuration: dict[str, Any] | None = None,
    metadata: Any = WRITABLE,
    url: str = OURS,
    answers: dict[tuple[str, str], Any] | None = None,
    **more: Any,
) -> dict[str, Line]:
    """The lines by their checks, of an EHR that can everything but what is changed (None takes a member away)."""
    ehr = FormEhr(configuration=CAPABLE | (configuration or {}))
    ehr.answers = {("GET", "/metadata"): metadata, **(answers or {})}
    lines = [*diagnose_smart(entry(**more), ehr, library(), url)]
    found = {line.check: line for line in lines}
    assert len(found) == len(lines)
    return found


def test_an_ehr_that_can_everything_passes_every_check():
    found = diagnosed(frame_ancestors=("https://ehr.example",))
    assert [*found] == [
        *(
            "redirect",
            "smart",
            "discovery",
            "issuer",
            "pkce",
            "proof",
            "id-token",
            "launch",
            "scopes",
            "writes",
            "frames",
        ),
    ]
    assert all(line.passed for line in found.values()), found
    assert f"launch {OURS}/smart/launch and redirect {OURS}/smart/callback" in found["redirect"].says
    assert "first QuestionnaireResponse" in found["writes"].says
    assert "https://ehr.example" in found["frames"].says


def test_every_check_stands_in_the_guide():
    guide = (Path(__file__).parent.parent / "docs" / "register-the-form.md").read_text(encoding="utf-8")
    named = {*diagnosed(app=WITH_KEY), *diagnosed({"token_endpoint": None})}
    assert [check for check in sorted(named) if f"`{check}`" not in guide] == []


def test_nothing_secret_is_shown_and_the_public_key_to_register_is():
    for app in ({}, WITH_KEY):
        text = "\n".join(line.text() for line in diagnosed(app=app).values())
        assert "the secret of the form" not in text
        assert "PRIVATE" not in text
        assert '"d":' not in text
    assert '"crv":"P-384"' in text
    assert '"kid":"2026"' in text


@pytest.mark.parametrize(
    ("configuration", "check", "passed", "words"),
    [
        ({"issuer": "https://sign-in.example"}, "issuer", None, "which is allowed"),
        ({"issuer": None}, "issuer", False, "'issuer' is missing"),
        ({"code_challenge_methods_supported": None}, "pkce", None, "sends S256 anyway"),
        ({"code_challenge_methods_supported": ["plain"]}, "pkce", False, "lists plain; the form needs S256"),
        ({"code_challenge_methods_supported": ["S256", "plain"]}, "pkce", None, "which SMART forbids"),
        (
            {"token_endpoint_auth_methods_supported": None},
            "proof",
            None,
            "ask the vendor whether the EHR accepts client_secret_basic",
        ),
        (
            {"token_endpoint_auth_methods_supported": ["client_secret_post"]},
            "proof",
            False,
            "accepts client_secret_post, but the entry uses",
        ),
        ({"jwks_uri": None}, "id-token", False, "nobody can sign a form"),
        ({"capabilities": ["launch-standalone"]}, "launch", False, "lacks launch-ehr, context-ehr-patient"),
        ({"scopes_supported": None}, "scopes", None, "asks for openid fhirUser launch patient/Patient.r"),
        (
            {"scopes_supported": ["openid", "patient/*.rs"]},
            "scopes",
            None,
            "fhirUser launch patient/DocumentReference.crs",
        ),
        ({"token_endpoint": None}, "discovery", False, "the settings do not include token_endpoint"),
        ({"authorization_endpoint": "http://ehr.example"}, "discovery", False, "is not an https address"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_an_ehr_says_of_itself_is_checked(configuration, check, passed, words):
    line = diagnosed(configuration)[check]
    assert line.passed is passed
    assert words in line.says


@pytest.mark.parametrize(
    ("metadata", "app", "passed", "words"),
    [
        (
            statement(DocumentReference=["create", "read"]),
            {},
            True,
            "first DocumentReference; QuestionnaireResponse ca",
        ),
        (statement(QuestionnaireResponse=["create"]), {"writes": ("QuestionnaireResponse",)}, True, "be read back"),
        (
            statement(QuestionnaireResponse=["read"]),
            {},
            False,
            "does not allow creating QuestionnaireResponse, Document",
        ),
        (WRITABLE, {"writes": ()}, None, "the form writes nothing"),
        ((404, {}), {}, None, "does not say whether the EHR accepts these"),
        (OutgoingError("timeout"), {}, None, "does not say whether the EHR accepts these"),
    ],
    ids=["a document", "unread", "no write", "writes is empty", "no statement", "no answer"],
)
def test_the_write_ladder_is_compared_with_the_capability_statement(metadata, app, passed, words):
    line = diagnosed(metadata=metadata, app=app)["writes"]
    assert line.passed is passed
    assert words in line.says


@pytest.mark.parametrize(
    ("answer", "words"),
    [((404, {}), "status 404"), ((200, []), "not a JSON object")],
    ids=["no configuration", "no object"],
)
def test_an_ehr_without_a_configuration_fails_and_nothing_else_is_asked_of_it(answer, words):
    found = diagnosed(answers={("GET", "/.well-known/smart-configuration"): answer})
    assert [*found] == ["redirect", "smart", "discovery", "frames"]
    assert found["discovery"].passed is False
    assert words in found["discovery"].says


@pytest.mark.parametrize("keys", [(200, {"keys": []}), (200, {}), (200, [])], ids=["empty", "none", "a list"])
def test_keys_that_are_of_no_use_fail(keys):
    assert diagnosed(answers={("GET", "/keys"): keys})["id-token"].passed is False


def test_a_key_that_the_token_endpoint_does_not_take_fails():
    line = diagnosed({"token_endpoint_auth_signing_alg_values_supported": ["RS384"]}, app=WITH_KEY)["proof"]
    assert line.passed is False
    assert "accepts signatures by RS384, but the key of the entry signs ES384" in line.says


@pytest.mark.parametrize(
    ("url", "passed", "words"),
    [
        ("http://127.0.0.1:8080", None, "set CDS_SERVICE_PUBLIC_URL"),
        ("http://cds.example", False, "is not https"),
    ],
)
def test_the_addresses_to_register_are_https(url, passed, words):
    line = diagnosed(url=url)["redirect"]
    assert line.passed is passed
    assert words in line.says


def test_an_entry_without_the_table_says_so(clients_file):
    ran = CliRunner().invoke(main, ["doctor", "client", "general"], env={"CDS_SERVICE_CLIENTS": str(clients_file)})
    assert "no table 'smart'" in ran.output
    assert ran.exit_code == 0


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS384"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ec.generate_private_key(ec.SECP521R1()), "ES512"),
    ],
    ids=["RSA", "P-256", "P-521"],
)
def test_the_public_key_checks_what_the_private_one_signs(key, algorithm):
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    app = SmartApp(client_id="form", secret=pem, auth_method="private_key_jwt", algorithm=algorithm, key_id="one")
    public = public_key_of(app)
    signed = jwt.encode({"sub": "form"}, pem, algorithm)
    assert jwt.decode(signed, jwt.PyJWK(public), [algorithm]) == {"sub": "form"}
    assert public_key_of(SmartApp(client_id="form", secret="a secret")) == {}
