"""The demo EHR as a SMART server: what it says of itself, a whole launch, and the attacks that it refuses."""

from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from cds_service.workbench.own_app import OwnApp
from cds_service.workbench.patients import FIRST
from tests.shipped import PUBLIC_URL
from tests.smart_client import LEFT_OUT, PATIENT, ROOT, SCOPE, Bench, SmartClient, bench, s256, sent_back

OTHER = "all-met"


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("smart")) as made:
        yield made


@pytest.fixture
def smart(shared) -> SmartClient:
    """The app in a browser that has no session yet."""
    shared.browser = shared.flask.test_client()
    return SmartClient(shared)


# --- what it says of itself ------------------------------------------------------------------------------------------


def test_the_configuration_names_what_smart_app_launch_requires(smart):
    found = smart.own.get(f"/workbench/fhir/{FIRST}/.well-known/smart-configuration").get_json()
    assert found == smart.own.get(f"/workbench/fhir/{FIRST}/.well-known/openid-configuration").get_json()
    assert found["issuer"] == smart.base
    assert found["authorization_endpoint"] == f"{ROOT}/workbench/smart/{FIRST}/authorize"
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["authorization_response_iss_parameter_supported"] is True
    assert found["grant_types_supported"] == ["authorization_code"]
    assert {"launch-ehr", "launch-standalone", "sso-openid-connect", "permission-v1", "permission-v2"} <= set(
        found["capabilities"]
    )


def test_the_capability_statement_names_the_same_addresses_and_what_can_be_written(smart):
    (rest,) = smart.own.get(f"/workbench/fhir/{FIRST}/metadata").get_json(force=True)["rest"]
    uris = {item["url"]: item["valueUri"] for item in rest["security"]["extension"][0]["extension"]}
    found = smart.own.get(f"/workbench/fhir/{FIRST}/.well-known/smart-configuration").get_json()
    assert uris == {"authorize": found["authorization_endpoint"], "token": found["token_endpoint"]}
    writable = {item["type"] for item in rest["resource"] if {"code": "create"} in item["interaction"]}
    assert writable == {"DocumentReference", "Observation", "Provenance", "QuestionnaireResponse"}


@pytest.mark.parametrize("document", ["fhir/nobody/.well-known/smart-configuration", "smart/nobody/keys"])
def test_an_unknown_patient_has_no_server(smart, document):
    assert smart.own.get(f"/workbench/{document}").status_code == 404


def test_a_host_that_is_not_this_machine_is_not_repeated(smart):
    found = smart.own.get(f"/workbench/fhir/{FIRST}/.well-known/smart-configuration", headers={"Host": "evil.example"})
    assert "evil.example" not in found.text


# --- a launch --------------------------------------------------------------------------------------------------------


def test_an_ehr_launch_gives_a_token_with_its_context_and_a_signed_user(smart):
    launch = smart.launch(appContext='{"policy": "p"}')
    back = sent_back(smart.decide(smart.authorize(launch=launch)))
    assert back.keys() == {"code", "state", "iss"}
    assert back["state"] == "the state"
    assert back["iss"] == smart.base
    answer = smart.exchange(back["code"])
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    token = answer.get_json()
    assert token["token_type"] == "Bearer"
    assert token["expires_in"] == 300
    assert token["patient"] == PATIENT
    assert token["need_patient_banner"] is True
    assert token["appContext"] == '{"policy": "p"}'
    assert token["scope"].split() == SCOPE.split()
    assert "refresh_token" not in token

    keys = smart.own.get(f"/workbench/smart/{FIRST}/keys").get_json()
    key = jwt.PyJWKSet.from_dict(keys).keys[0]
    now = smart.bench.clock().timestamp()
    claims = jwt.decode(
        token["id_token"],
        key,
        ["RS256"],
        audience=smart.bench.app.client_id,
        issuer=smart.base,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["nonce"] == "the nonce"
    assert claims["iat"] == now
    assert claims["exp"] == now + 300
    assert "d" not in keys["keys"][0]
    user = smart.fhir(token["access_token"], "GET", claims["fhirUser"].removeprefix(f"{smart.base}/"))
    assert user.get_json(force=True)["resourceType"] == "Practitioner"
    assert claims["sub"] == user.get_json(force=True)["id"]


def test_a_standalone_launch_begins_a_session_and_knows_the_patient(smart):
    token = smart.token("launch/patient patient/Patient.r")
    assert token["patient"] == PATIENT
    assert "id_token" not in token
    assert "appContext" not in token
    assert smart.fhir(token["access_token"], "GET", f"Patient/{PATIENT}").status_code == 200


@pytest.mark.parametrize("auth", ["basic", "post"])
def test_the_app_authenticates_by_its_secret_in_either_way(smart, auth):
    app = smart.bench.app
    sent: dict[str, Any] = {}
    if auth == "post":
        sent = {"auth": None, "client_id": app.client_id, "client_secret": app.client_secret}
    assert smart.exchange(smart.code(), **sent).status_code == 200


def test_a_user_refuses_scopes_one_by_one(smart):
    page = smart.authorize()
    assert 'value="patient/QuestionnaireResponse.cu"' in page.text
    back = sent_back(smart.decide(page, scope=["openid", "patient/*.rs", "patient/QuestionnaireResponse.r"]))
    token = smart.exchange(back["code"]).get_json()
    assert token["scope"] == "launch openid patient/*.rs patient/QuestionnaireResponse.r"
    assert "fhirUser" not in jwt.decode(token["id_token"], options={"verify_signature": False})


def test_a_user_cannot_grant_more_than_was_asked_for(smart):
    ticked = ["openid", "patient/Observation.cud", "system/*.cruds", "patient/*.cruds"]
    back = sent_back(smart.decide(smart.authorize(scope="launch openid patient/Patient.r"), scope=ticked))
    assert smart.exchange(back["code"]).get_json()["scope"] == "launch openid"


def test_a_user_refuses_everything(smart):
    back = sent_back(smart.decide(smart.authorize(), decision="deny"))
    assert back["error"] == "access_denied"
    assert back["state"] == "the state"
    assert back["iss"] == smart.base
    assert "code" not in back


def test_the_ehr_denies_or_cuts_where_it_is_set_to(smart):
    smart.bench.refuse(authorization="denied")
    assert sent_back(smart.authorize())["error"] == "access_denied"
    smart.bench.refuse(authorization="cut")
    token = smart.token("launch openid patient/QuestionnaireResponse.crus patient/Observation.write")
    assert token["scope"] == "launch openid patient/QuestionnaireResponse.rs"
    smart.bench.refuse()
    assert "crus" in smart.token("launch patient/QuestionnaireResponse.crus")["scope"]


@pytest.mark.parametrize("scope", ["launch patient/*.rs offline_access", "launch online_access patient/*.read"])
def test_nobody_gets_a_refresh_token(smart, scope):
    token = smart.token(scope)
    assert "refresh_token" not in token
    assert "_access" not in token["scope"]
    answer = smart.exchange("", grant_type="refresh_token", refresh_token=token["access_token"])
    assert answer.status_code == 400
    assert answer.get_json()["error"] == "unsupported_grant_type"


# --- attacks: where authorization begins -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://evil.example/smart/callback"},
        {"redirect_uri": f"{PUBLIC_URL}/smart/callback/"},
        {"redirect_uri": f"{PUBLIC_URL}/smart/callback?a=b"},
        {"redirect_uri": f"{PUBLIC_URL}/smart"},
        {"redirect_uri": "javascript:alert(1)//\"'<é"},
        {"redirect_uri": LEFT_OUT},
        {"redirect_uri": [f"{PUBLIC_URL}/smart/callback", "https://evil.example/"]},
        {"client_id": "somebody"},
        {"client_id": '"é'},
        {"client_id": LEFT_OUT},
    ],
    ids=str,
)
def test_a_user_is_sent_nowhere_for_a_foreign_client_or_address(smart, changes):
    answer = smart.authorize(**changes)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "was not authorized" in answer.text
    assert "evil.example" not in answer.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": LEFT_OUT, "code_challenge_method": LEFT_OUT}, "invalid_request"),
        ({"code_challenge": LEFT_OUT}, "invalid_request"),
        ({"code_challenge_method": LEFT_OUT}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": [s256("a" * 43), s256("b" * 43)]}, "invalid_request"),
        ({"code_challenge_method": ["S256", "plain"]}, "invalid_request"),
        ({"aud": LEFT_OUT}, "invalid_request"),
        ({"aud": "https://other.example/fhir"}, "invalid_request"),
        ({"aud": f"{ROOT}/workbench/fhir/{OTHER}"}, "invalid_request"),
        ({"aud": [f"{ROOT}/workbench/fhir/{FIRST}", "https://other.example/fhir"]}, "invalid_request"),
        ({"launch": LEFT_OUT}, "invalid_request"),
        ({"launch": "made-up.launch"}, "invalid_request"),
        ({"scope": "openid patient/*.rs", "launch": "made-up.launch"}, "invalid_scope"),
        ({"scope": "system/*.rs offline_access"}, "invalid_scope"),
        ({"scope": LEFT_OUT, "launch": LEFT_OUT}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"prompt": "none"}, "consent_required"),
    ],
    ids=str,
)
def test_a_wrong_request_sends_the_user_back_with_an_error_and_no_code(smart, changes, error):
    back = sent_back(smart.authorize(**changes))
    assert back["error"] == error
    assert back["state"] == "the state"
    assert back["iss"] == smart.base
    assert "code" not in back


def test_a_launch_of_another_browser_patient_or_day_counts_for_nothing(smart):
    launch = smart.launch()
    stranger = SmartClient(smart.bench, browser=smart.bench.flask.test_client())
    stranger.launch()
    assert sent_back(stranger.authorize(launch=launch))["error"] == "invalid_request"
    nobody = SmartClient(smart.bench, browser=smart.bench.flask.test_client())
    assert sent_back(nobody.authorize(launch=launch))["error"] == "invalid_request"
    elsewhere = SmartClient(smart.bench, OTHER)
    assert sent_back(elsewhere.authorize(launch=launch))["error"] == "invalid_request"
    smart.bench.clock.pass_(301)
    assert sent_back(smart.authorize(launch=launch))["error"] == "invalid_request"


def test_a_launch_gives_one_code(smart):
    launch = smart.launch()
    page = smart.authorize(launch=launch)
    smart.decide(smart.authorize(launch=launch))
    assert sent_back(smart.decide(page))["error"] == "invalid_request"


# --- attacks: the consent page ---------------------------------------------------------------------------------------


def test_a_consent_that_its_own_page_did_not_send_counts_for_nothing(smart):
    page = smart.authorize()
    for changes in ({"ticket": LEFT_OUT}, {"ticket": "made.up"}, {"ticket": ""}):
        answer = smart.decide(page, **changes)
        assert answer.status_code == 403
        assert "Location" not in answer.headers
    # A launch is a token of the same session, and opens no consent.
    assert smart.decide(page, ticket=smart.launch()).status_code == 403
    stranger = SmartClient(smart.bench, browser=smart.bench.flask.test_client())
    assert stranger.decide(page).status_code == 403
    stranger.launch()
    assert stranger.decide(page).status_code == 403
    assert SmartClient(smart.bench, OTHER).decide(page).status_code == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:81", "http://localhost.evil.example"]
)
def test_a_page_of_another_origin_cannot_consent(smart, origin):
    page = smart.authorize()
    form = {"ticket": page.text.partition('name="ticket" value="')[2].partition('"')[0], "decision": "allow"}
    answer = smart.own.post(f"/workbench/smart/{FIRST}/consent", data=form, headers={"Origin": origin})
    assert answer.status_code == 403
    own = smart.own.post(f"/workbench/smart/{FIRST}/consent", data=form, headers={"Origin": ROOT})
    assert own.status_code == 303


def test_a_consent_counts_once_and_for_ten_minutes(smart):
    page = smart.authorize()
    assert "code" in sent_back(smart.decide(page))
    assert smart.decide(page).status_code == 403
    late = smart.authorize()
    smart.bench.clock.pass_(601)
    assert smart.decide(late).status_code == 403


def test_the_consent_page_runs_nothing_of_others_and_sends_its_form_to_us_and_the_app_alone(smart):
    page = smart.authorize()
    policy = page.headers["Content-Security-Policy"]
    assert f"form-action 'self' {PUBLIC_URL};" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["Referrer-Policy"] == "same-origin"
    cookie = page.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/workbench" in cookie


# --- attacks: the token endpoint -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": s256("v" * 43)}, "invalid_grant"),
        ({"code_verifier": LEFT_OUT}, "invalid_request"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/smart/callback"}, "invalid_grant"),
        ({"redirect_uri": LEFT_OUT}, "invalid_grant"),
        ({"auth": ("cds-service-app", "wrong")}, "invalid_client"),
        ({"auth": ("somebody", "wrong")}, "invalid_client"),
        ({"auth": None}, "invalid_client"),
        ({"auth": None, "client_id": "cds-service-app"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    ],
    ids=str,
)
def test_a_code_is_gone_after_its_first_use_whatever_came_of_it(smart, changes, error):
    code = smart.code()
    answer = smart.exchange(code, **changes)
    assert answer.status_code in (400, 401)
    assert answer.get_json()["error"] == error
    assert "access_token" not in answer.get_json()
    right = smart.exchange(code)
    assert right.status_code == 400
    assert right.get_json()["error"] == "invalid_grant"


def test_a_code_that_is_used_again_ends_the_token_that_it_gave(smart):
    code = smart.code()
    token = smart.exchange(code).get_json()["access_token"]
    assert smart.fhir(token, "GET", f"Patient/{PATIENT}").status_code == 200
    assert smart.exchange(code).get_json()["error"] == "invalid_grant"
    assert smart.fhir(token, "GET", f"Patient/{PATIENT}").status_code == 401


def test_a_code_ends_after_a_minute(smart):
    early, late = smart.code(), smart.code()
    smart.bench.clock.pass_(59)
    assert smart.exchange(early).status_code == 200
    smart.bench.clock.pass_(1)
    assert smart.exchange(late).get_json()["error"] == "invalid_grant"


def test_a_code_of_one_server_is_nothing_at_another(smart):
    code = smart.code()
    assert SmartClient(smart.bench, OTHER).exchange(code).get_json()["error"] == "invalid_grant"
    assert smart.exchange(code).get_json()["error"] == "invalid_grant"


@pytest.mark.parametrize("code", ["", "made-up", "made.up", "é", "." * 3000, "AAAAAAAAAAAAAAAAAAAAAA.x"])
def test_a_code_that_was_never_given_is_refused_as_any_other(smart, code):
    answer = smart.exchange(code)
    assert answer.status_code == 400
    assert answer.get_json()["error"] == "invalid_grant"


def test_no_other_token_of_a_session_is_a_code(smart):
    token = smart.token()["access_token"]
    for other in (token, smart.launch()):
        assert smart.exchange(other).get_json()["error"] == "invalid_grant"


# --- the registration of our own app ---------------------------------------------------------------------------------

OWN = OwnApp("http://127.0.0.1:8080/behind", "a secret")


@pytest.mark.parametrize(
    ("iss", "known"),
    [
        ("http://127.0.0.1:8080/behind/workbench/fhir/typical-gaps", True),
        ("http://127.0.0.1:8080/behind/workbench/fhir/typical-gaps/", True),
        ("http://localhost:8080/behind/workbench/fhir/typical-gaps", True),
        ("http://[::1]:8080/workbench/fhir/typical-gaps", True),
        ("https://127.0.0.1:8080/behind/workbench/fhir/typical-gaps", False),
        ("http://127.0.0.1:8081/behind/workbench/fhir/typical-gaps", False),
        ("http://127.0.0.1/behind/workbench/fhir/typical-gaps", False),
        ("http://evil.example:8080/workbench/fhir/typical-gaps", False),
        ("http://127.0.0.1:8080@evil.example/workbench/fhir/typical-gaps", False),
        ("http://user@127.0.0.1:8080/workbench/fhir/typical-gaps", False),
        ("http://127.0.0.1:8080/workbench/fhir/../patients/x", False),
        ("http://127.0.0.1:8080/workbench/fhir/typical-gaps?a=b", False),
        ("http://127.0.0.1:8080/workbench/fhir/", False),
        ("http://127.0.0.1:8080", False),
        ("http://127.0.0.1:port/workbench/fhir/typical-gaps", False),
        ("typical-gaps", False),
        ("", False),
    ],
)
def test_our_own_app_knows_the_demo_ehr_and_nothing_else_without_a_clients_file(iss, known):
    found = OWN.registration(iss)
    assert (found is not None) == known
    if found is not None:
        assert found.issuer == iss.rstrip("/")
        assert found.redirect_uri == "http://127.0.0.1:8080/behind/smart/callback"
        assert found.client_secret == "a secret"
