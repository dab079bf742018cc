"""SMART Backend Services at the FHIR routes: an assertion in, a short-lived token out, and nothing without one."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import jwt
import pytest

from cds_service.app import create_app
from cds_service.installation import Installation, names_of
from cds_service.operations.metrics import Metrics
from cds_service.settings.settings import Settings
from cds_service.trust.backend_services import ACCESS_SECONDS, ASSERTION_TYPE, AccessTokens
from cds_service.trust.checks import CHECKS, UntrustedError
from cds_service.trust.entries import Clients
from cds_service.trust.keys import KeyRing
from cds_service.trust.tokens import Verifier
from tests.shipped import TODAY, library
from tests.tokens import BASE, GONE, ISSUER, NOW, NoNetwork, Remembered, bearer, client

TOKEN = "/fhir/auth/token"
FORMS = "/fhir/Questionnaire"
SIGN = "/cds-services/coverage-guidance-order-sign"
ENTRY = client("general")


class Clock:
    """The service's clock, which a test may set forward."""

    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(names_of(library(), ["general"], CHECKS))


@pytest.fixture
def service(clock, metrics) -> Iterator[Any]:
    verifier = Verifier(Clients((ENTRY,)), KeyRing(NoNetwork()), Remembered(), clock)
    with closing(Installation(verifier=verifier, metrics=metrics)) as installation:
        yield create_app(Settings(), library(), BASE, lambda: TODAY, installation).test_client()


def assertion(**changes: Any) -> str:
    usual = {"aud": BASE + TOKEN, "sub": ISSUER, "jti": "assertion-1"}
    return bearer(**usual | changes).removeprefix("Bearer ")


def exchange(service, scope: str = "system/Questionnaire.rs", **changes: Any):
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(**changes),
    }
    return service.post(TOKEN, data=form)


def granted(service, scope: str = "system/Questionnaire.rs", **changes: Any) -> dict[str, str]:
    answer = exchange(service, scope, **changes)
    assert answer.status_code == 200, answer.data
    return {"Authorization": f"Bearer {answer.get_json()['access_token']}"}


def test_a_client_gets_a_token_and_reads_with_it(service):
    told = exchange(service).get_json()
    assert (told["token_type"], told["expires_in"], told["scope"]) == ("bearer", 300, "system/Questionnaire.rs")
    headers = {"Authorization": f"Bearer {told['access_token']}"}
    for _ in range(2):
        assert service.get(FORMS, headers=headers).status_code == 200


def test_the_configuration_names_the_endpoint(service):
    told = service.get("/fhir/.well-known/smart-configuration").get_json()
    assert told["token_endpoint"] == BASE + TOKEN
    assert told["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert "system/Questionnaire.rs" in told["scopes_supported"]


def test_a_cds_hooks_token_for_the_address_counts_as_well(service):
    headers = {"Authorization": bearer(aud=BASE + FORMS)}
    assert service.get(FORMS, headers=headers).status_code == 200


def test_without_a_token_only_the_capabilities_are_served(service):
    assert service.get("/fhir/metadata").status_code == 200
    for path in (FORMS, f"{FORMS}/x", "/fhir/Library", "/fhir/ValueSet/$expand"):
        answer = service.get(path)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    for operation in ("$questionnaire-package", "$log-questionnaire-errors"):
        assert service.post(f"{FORMS}/{operation}", json={}).status_code == 401


def test_where_calls_are_open_there_is_no_token_endpoint():
    opened = create_app(Settings(), library(), BASE, lambda: TODAY).test_client()
    assert opened.get(FORMS).status_code == 200
    assert opened.post(TOKEN).status_code == 404
    assert opened.get("/fhir/.well-known/smart-configuration").status_code == 404


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("system/Questionnaire.rs", "system/Questionnaire.rs"),
        ("system/questionnaire.rs system/ValueSet.read", "system/Questionnaire.rs system/ValueSet.rs"),
        ("system/*.rs openid", "system/*.rs"),
        ("system/Questionnaire.r system/Patient.rs", "system/Questionnaire.rs"),
    ],
)
def test_scopes_are_those_that_are_here(service, asked, given):
    assert exchange(service, asked).get_json()["scope"] == given


@pytest.mark.parametrize("scope", ["", "system/Patient.rs", "patient/Questionnaire.rs", "system/Questionnaire.cud"])
def test_no_scope_that_is_here_gives_no_token(service, scope):
    answer = exchange(service, scope)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_scope")


def test_a_token_covers_its_types_alone(service):
    headers = granted(service, "system/ValueSet.rs")
    assert service.get("/fhir/ValueSet", headers=headers).status_code == 200
    answer = service.get(FORMS, headers=headers)
    assert (answer.status_code, answer.get_json()["issue"][0]["code"]) == (403, "forbidden")
    everything = granted(service, "system/*.rs", jti="assertion-2")
    assert service.get(FORMS, headers=everything).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": BASE + FORMS},
        {"sub": "another"},
        {"sub": GONE},
        {"iss": "https://stranger.example"},
        {"exp": int(NOW) - 100},
        {"exp": int(NOW) + 301},
        {"jti": GONE},
    ],
    ids=["address", "sub", "no sub", "issuer", "expired", "lives too long", "no jti"],
)
def test_an_assertion_that_is_not_good_gets_no_token_and_no_reason(service, changes):
    answer = exchange(service, **changes)
    told = {
        "error": "invalid_client",
        "error_description": "The assertion is not that of a client that this service knows.",
    }
    assert (answer.status_code, answer.get_json()) == (401, told)


def test_an_assertion_works_once(service):
    assert [exchange(service).status_code for _ in range(2)] == [200, 401]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "unsupported_grant_type"),
        ({"client_assertion_type": "x"}, "invalid_request"),
    ],
)
def test_another_kind_of_grant_is_refused(service, change, error):
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "scope": "x"} | change
    answer = service.post(TOKEN, data=form)
    assert (answer.status_code, answer.get_json()["error"]) == (400, error)


def test_a_form_of_another_media_type_or_size_is_refused(service):
    assert service.post(TOKEN, json={}).get_json()["error"] == "invalid_request"
    assert service.post(TOKEN, data={"client_assertion": "x" * 30_000}).status_code == 413


def test_an_access_token_ends(service, clock):
    headers = granted(service)
    clock.now += ACCESS_SECONDS - 1
    assert service.get(FORMS, headers=headers).status_code == 200
    clock.now += 1
    assert service.get(FORMS, headers=headers).status_code == 401


def test_an_access_token_opens_no_hook(service):
    answer = service.post(SIGN, json={}, headers=granted(service))
    assert answer.status_code == 401


@pytest.mark.parametrize("key", ["another key", ""])
def test_an_access_token_of_anybody_else_is_refused(service, key):
    claims = {"iss": f"{BASE}/fhir", "aud": f"{BASE}/fhir", "sub": "general", "scope": "system/*.rs", "jti": "1"}
    claims |= {"exp": int(NOW) + 100}
    algorithm = "HS256" if key else "none"
    token = jwt.encode(claims, key.ljust(32) if key else None, algorithm, headers={"typ": "at+jwt"})
    assert service.get(FORMS, headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_token_of_a_client_that_was_removed_is_refused(service, clock):
    headers = granted(service)
    verifier = Verifier(
        Clients((client("other", issuer="https://other.example"),)), KeyRing(NoNetwork()), Remembered(), clock
    )
    with closing(Installation(verifier=verifier)) as installation:
        later = create_app(Settings(), library(), BASE, lambda: TODAY, installation).test_client()
        assert later.get(FORMS, headers=headers).status_code == 401


def test_a_token_for_another_address_is_refused(clock):
    verifier = Verifier(Clients((ENTRY,)), KeyRing(NoNetwork()), Remembered(), clock)
    here, there = (AccessTokens(verifier, b"key", f"https://{name}.example/fhir", []) for name in "ab")
    assert here.is_one(f"Bearer {here.issue(ENTRY, ['system/*.rs'])}")
    with pytest.raises(UntrustedError, match="signature"):
        there.granted(f"Bearer {here.issue(ENTRY, ['system/*.rs'])}")


def test_refusals_are_counted_by_their_check(service, metrics):
    exchange(service, aud="elsewhere")
    service.get(FORMS)
    told = metrics.exposition()[0].decode()
    assert 'cds_service_tokens_refused_total{check="audience"} 1.0' in told
    assert 'cds_service_tokens_refused_total{check="header"} 1.0' in told
    assert 'cds_service_fhir_requests_total{operation="token",outcome="refused:401"} 1.0' in told


def test_the_version_of_a_client_is_that_of_its_entry(clock):
    entry = client("general", dtr="2.0.1")
    verifier = Verifier(Clients((entry,)), KeyRing(NoNetwork()), Remembered(), clock)
    with closing(Installation(verifier=verifier)) as installation:
        app = create_app(Settings(), library(), BASE, lambda: TODAY, installation).test_client()
        older = app.get(FORMS, headers={"Authorization": bearer(aud=BASE + FORMS)})
        asked = {"Authorization": bearer(aud=BASE + FORMS, jti="2"), "Accept": "application/fhir+json; dtr=2.2"}
        newer = app.get(FORMS, headers=asked)
    assert "fhirpath" not in older.get_data(as_text=True)
    assert "fhirpath" in newer.get_data(as_text=True)
