"""Signing in for the form: what the EHR is asked, and every answer that must not be believed."""

import base64
import hashlib
from datetime import UTC, date, datetime

import pytest

from cds_service.clock import Deadline
from cds_service.documentation import scopes
from cds_service.documentation.form_flow import FormFlow
from cds_service.documentation.messages import LaunchError
from cds_service.documentation.sign_in_words import (
    BAD_IDENTITY,
    CANNOT_REACH,
    DENIED,
    NO_COOKIE,
    NO_PATIENT,
    NO_SMART,
    NO_TOKEN,
    OTHER_SERVER,
    UNKNOWN_SERVER,
)
from cds_service.ehr.fetch import Fetcher
from cds_service.ehr.received import OutgoingError
from cds_service.ehr.search import FetchLimits
from cds_service.installation import Forms
from cds_service.operations.sealing import Keys, key_id
from cds_service.service.guide import guide_of
from cds_service.settings.settings import Settings
from cds_service.store.form_sessions import IDLE_SECONDS, FormSessions
from cds_service.store.page_keys import GivenKeys
from tests.form_ehr import BASE, NOW, OTHER_BASE, REDIRECT, FormEhr, parameters, registration, signs_with_another_key
from tests.shipped import library

KEY = bytes(range(32))


class Clock:
    """The time of a test, in seconds since 1970."""

    def __init__(self) -> None:
        self.seconds = float(NOW)

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ehr() -> FormEhr:
    return FormEhr()


@pytest.fixture
def form_flow(store, ehr, clock) -> FormFlow:
    known = {BASE: registration(), OTHER_BASE: registration(OTHER_BASE)}
    sessions = FormSessions(store, GivenKeys(Keys({key_id(KEY): KEY})), clock)
    forms = Forms(sessions, ehr, Fetcher(ehr, FetchLimits(1_000_000, 5)))
    return FormFlow(guide_of(Settings(), library(), "https://cds.example"), known.get, forms, date.today)


def launched(form_flow: FormFlow, ehr: FormEhr, launch: str | None = "abc"):
    """A sign-in under way: its session, and what the EHR was asked."""
    address, begun = form_flow.launch(BASE, launch, Deadline(5))
    asked = parameters(address)
    ehr.nonce = asked["nonce"]
    return begun, asked


def finished(form_flow: FormFlow, begun, **given: str):
    return form_flow.begin(
        form_flow.signed_in(begun.name, begun.secret, {"code": "code-1", "state": begun.name, **given}, Deadline(5))
    )


def test_the_ehr_is_asked_for_a_code_under_the_rules_of_smart(form_flow, ehr):
    begun, asked = launched(form_flow, ehr)
    assert (asked["response_type"], asked["client_id"], asked["redirect_uri"]) == ("code", "form", REDIRECT)
    assert (asked["aud"], asked["launch"], asked["state"]) == (BASE, "abc", begun.name)
    assert (asked["code_challenge_method"], len(asked["nonce"])) == ("S256", 32)
    assert {"launch", "openid", "fhirUser", "patient/Patient.r"} <= set(asked["scope"].split())
    assert "offline_access" not in asked["scope"]


def test_a_launch_from_outside_the_ehr_asks_it_for_the_patient(form_flow, ehr):
    _, asked = launched(form_flow, ehr, None)
    assert "launch" not in asked
    assert "launch/patient" in asked["scope"].split()


def test_the_code_is_exchanged_with_the_verifier_of_its_challenge(form_flow, ehr):
    begun, asked = launched(form_flow, ehr)
    opened = form_flow.open(*finished(form_flow, begun))
    assert (opened.access.patient, opened.access.user) == ("patient-1", f"{BASE}/Practitioner/dr-1")
    _, address, headers, body = next(call for call in ehr.calls if call[0] == "POST")
    sent = parameters(f"?{body.decode()}")
    assert (address, sent["code"], sent["redirect_uri"]) == (f"{BASE}/token", "code-1", REDIRECT)
    digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"form:secret of the form").decode()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"state": "another"}, NO_COOKIE),
        ({"state": ""}, NO_COOKIE),
        ({"iss": OTHER_BASE}, OTHER_SERVER),
        ({"iss": f"{BASE}/"}, OTHER_SERVER),
        ({"code": ""}, NO_TOKEN),
        ({"code": "x" * 5000}, NO_TOKEN),
        ({"error": "access_denied"}, DENIED),
        ({"error": "server_error"}, NO_TOKEN),
    ],
)
def test_an_answer_that_is_not_the_one_that_was_asked_for_opens_nothing(form_flow, ehr, given, message):
    begun, _ = launched(form_flow, ehr)
    with pytest.raises(LaunchError) as told:
        finished(form_flow, begun, **given)
    assert told.value.message is message
    assert not any(method == "POST" for method, *_ in ehr.calls)


def test_a_server_that_names_itself_must_do_so(form_flow, ehr):
    ehr.configuration = {"authorization_response_iss_parameter_supported": True}
    begun, _ = launched(form_flow, ehr)
    with pytest.raises(LaunchError) as told:
        finished(form_flow, begun)
    assert told.value.message is OTHER_SERVER
    begun, _ = launched(form_flow, ehr)
    assert form_flow.open(*finished(form_flow, begun, iss=BASE)) is not None


def test_a_sign_in_is_used_once(form_flow, ehr):
    begun, _ = launched(form_flow, ehr)
    finished(form_flow, begun)
    with pytest.raises(LaunchError) as told:
        finished(form_flow, begun)
    assert told.value.message is NO_COOKIE


def test_a_sign_in_is_of_the_browser_that_began_it(form_flow, ehr):
    begun, _ = launched(form_flow, ehr)
    other, _ = launched(form_flow, ehr)
    for secret in ("", other.secret):
        with pytest.raises(LaunchError) as told:
            finished(form_flow, begun._replace(secret=secret))
        assert told.value.message is NO_COOKIE


def test_a_sign_in_that_took_too_long_is_over(form_flow, ehr, clock):
    begun, _ = launched(form_flow, ehr)
    clock.seconds += IDLE_SECONDS
    with pytest.raises(LaunchError) as told:
        finished(form_flow, begun)
    assert told.value.message is NO_COOKIE


def test_the_form_has_another_session_than_the_sign_in(form_flow, ehr):
    begun, _ = launched(form_flow, ehr)
    opened = finished(form_flow, begun)
    assert begun.name != opened.name
    assert begun.secret != opened.secret
    assert form_flow.open(begun.name, begun.secret) is None


def test_a_sign_in_under_way_is_no_form(form_flow, ehr):
    begun, _ = launched(form_flow, ehr)
    assert form_flow.open(begun.name, begun.secret) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another-app"},
        {"iss": OTHER_BASE},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": NOW - 31},
        {"exp": "never"},
        {"exp": None},
        {"sub": None},
    ],
)
def test_an_id_token_that_does_not_hold_opens_nothing(form_flow, ehr, claims):
    begun, _ = launched(form_flow, ehr)
    ehr.claims = claims
    with pytest.raises(LaunchError) as told:
        finished(form_flow, begun)
    assert told.value.message is BAD_IDENTITY


@pytest.mark.parametrize("keys", [[], {}, {"keys": []}, {"keys": "none"}, "none"], ids=str)
def test_a_key_set_that_is_none_opens_nothing(form_flow, ehr, keys):
    begun, _ = launched(form_flow, ehr)
    ehr.answers["GET", "/keys"] = 200, keys
    with pytest.raises(LaunchError) as told:
        finished(form_flow, begun)
    assert told.value.message is BAD_IDENTITY


def test_an_id_token_without_a_signature_opens_nothing(form_flow, ehr):
    begun, _ = launched(form_flow, ehr)
    ehr.algorithm = "none"
    with pytest.raises(LaunchError) as told:
        finished(form_flow, begun)
    assert told.value.message is BAD_IDENTITY


def test_an_id_token_that_another_signed_opens_nothing(form_flow, ehr):
    begun, _ = launched(form_flow, ehr)
    signs_with_another_key(ehr)
    with pytest.raises(LaunchError) as told:
        finished(form_flow, begun)
    assert told.value.message is BAD_IDENTITY


def test_an_id_token_signed_with_the_shared_secret_opens_nothing(form_flow, ehr):
    begun, _ = launched(form_flow, ehr)
    ehr.algorithm, ehr.signed_with = "HS256", "secret of the form, which is long enough"
    with pytest.raises(LaunchError) as told:
        finished(form_flow, begun)
    assert told.value.message is BAD_IDENTITY


def test_without_an_id_token_nobody_can_sign_and_the_form_opens(form_flow, ehr):
    begun, _ = launched(form_flow, ehr)
    ehr.token = {"id_token": None}
    opened = form_flow.open(*finished(form_flow, begun))
    assert opened.access.user == ""


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ({"access_token": None}, NO_TOKEN),
        ({"access_token": ""}, NO_TOKEN),
        ({"token_type": "mac"}, NO_TOKEN),
        ({"patient": None}, NO_PATIENT),
        ({"patient": 7}, NO_PATIENT),
    ],
)
def test_a_token_that_cannot_be_used_opens_nothing(form_flow, ehr, token, message):
    begun, _ = launched(form_flow, ehr)
    ehr.token = token
    with pytest.raises(LaunchError) as told:
        finished(form_flow, begun)
    assert told.value.message is message


@pytest.mark.parametrize("answer", [(400, {"error": "invalid_grant"}), (200, []), OutgoingError("timeout")])
def test_a_token_endpoint_that_refuses_opens_nothing(form_flow, ehr, answer):
    begun, _ = launched(form_flow, ehr)
    ehr.answers["POST", "/token"] = answer
    with pytest.raises(LaunchError) as told:
        finished(form_flow, begun)
    assert told.value.message is NO_TOKEN


@pytest.mark.parametrize("issuer", ["", "https://evil.example/fhir", f"{BASE}/../other", "http://ehr.example/fhir"])
def test_no_server_is_asked_that_is_not_registered(form_flow, ehr, issuer):
    with pytest.raises(LaunchError) as told:
        form_flow.launch(issuer, "abc", Deadline(5))
    assert told.value.message is UNKNOWN_SERVER
    assert ehr.calls == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"token_endpoint": None}, NO_SMART),
        ({"authorization_endpoint": "http://ehr.example/authorize"}, NO_SMART),
        ({"authorization_endpoint": "javascript:alert(1)"}, NO_SMART),
        ({"token_endpoint": "https://user@ehr.example/token"}, NO_SMART),
        ({"token_endpoint": 7}, NO_SMART),
    ],
)
def test_a_server_that_does_not_say_how_to_sign_in_is_reported(form_flow, ehr, change, message):
    ehr.configuration = change
    with pytest.raises(LaunchError) as told:
        form_flow.launch(BASE, "abc", Deadline(5))
    assert told.value.message is message


@pytest.mark.parametrize(
    ("answer", "message"), [(OutgoingError("unreachable"), CANNOT_REACH), ((404, {}), NO_SMART), ((200, []), NO_SMART)]
)
def test_a_server_that_cannot_be_asked_is_reported(form_flow, ehr, answer, message):
    ehr.answers["GET", "/.well-known/smart-configuration"] = answer
    with pytest.raises(LaunchError) as told:
        form_flow.launch(BASE, "abc", Deadline(5))
    assert told.value.message is message


def test_a_server_of_smart_1_is_asked_for_its_scopes(form_flow, ehr):
    ehr.configuration = {"capabilities": ["permission-v1"]}
    _, asked = launched(form_flow, ehr)
    granted = asked["scope"].split()
    assert "patient/Condition.read" in granted
    assert {"patient/QuestionnaireResponse.read", "patient/QuestionnaireResponse.write"} <= set(granted)
    assert not any(scope.endswith((".rs", ".r", ".crus")) for scope in granted)


@pytest.mark.parametrize(
    ("granted", "kind", "verb", "allowed"),
    [
        ("patient/QuestionnaireResponse.crus", "QuestionnaireResponse", "c", True),
        ("patient/QuestionnaireResponse.rs", "QuestionnaireResponse", "c", False),
        ("patient/*.cruds", "Observation", "c", True),
        ("patient/*.read", "Observation", "c", False),
        ("patient/Observation.write", "Observation", "c", True),
        ("user/Observation.write", "Observation", "c", True),
        ("system/Observation.write", "Observation", "c", False),
        ("patient/Observation.rs?category=laboratory", "Observation", "r", True),
        ("openid", "Observation", "r", False),
        ("patient/ObservationX.c", "Observation", "c", False),
    ],
)
def test_what_granted_scopes_allow(granted, kind, verb, allowed):
    assert scopes.may(granted, kind, verb) is allowed


def test_nothing_of_a_session_can_be_read_in_the_store(form_flow, ehr, store, tmp_path):
    begun, _ = launched(form_flow, ehr)
    opened = finished(form_flow, begun)
    store.close()
    held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in ("token-of-the-ehr", "patient-1", "dr-1", opened.secret, opened.name):
        assert secret.encode() not in held
