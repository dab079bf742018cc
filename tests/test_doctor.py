"""The doctor: why a token is refused, check by check, and whether an entry works end to end."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from cds_service.commands.diagnosis import ADVICE, Line, authorization_of, diagnose_client, diagnose_token, find_client
from cds_service.commands.main import main
from cds_service.ehr.client import OutgoingClient
from cds_service.trust.checks import CHECKS
from cds_service.trust.entries import Client, Clients
from tests.shipped import library
from tests.test_trust_tokens import CLIENTS
from tests.token_attacks import ATTACKS
from tests.tokens import BASE, ISSUER, NOW, URL, KeyServer, NoNetwork, bearer, client, key_set, token

STATEMENT = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}


@pytest.fixture
def http():
    outgoing = OutgoingClient()
    yield outgoing
    outgoing.close()


def diagnosed(text: str, clients: Clients = CLIENTS, url: str = URL, http=None) -> list[Line]:
    return diagnose_token(text, url, clients, http or NoNetwork(), lambda: NOW)


def test_a_good_token_passes_every_check_offline_and_is_not_used_up():
    for _ in range(2):
        lines = diagnosed(token())
        assert all(line.passed for line in lines)
        assert [line.check for line in lines] == list(CHECKS)
        assert lines[-1].says == "not checked here; this command does not use up the token"
        assert any("client 'general'" in line.says for line in lines)


# A token without its scheme is what the doctor is mostly given, and no word alone is a scheme to it.
BARE = ("the token without its scheme", "the scheme without a token")
SEEN_HERE = [
    attack
    for attack in ATTACKS
    if attack.check != "replay" and attack.name not in BARE and (made := attack.make()) and "\n" not in made
]


@pytest.mark.parametrize("attack", SEEN_HERE, ids=[attack.name for attack in SEEN_HERE])
def test_a_refused_token_fails_at_its_check_with_what_to_do_and_all_later_ones_are_not_made(attack):
    lines = diagnosed(attack.make())
    (failed,) = (line for line in lines if line.passed is False)
    assert failed.check == attack.check
    assert failed.says.startswith("expected ")
    assert failed.says.endswith(ADVICE[attack.check])
    after = lines[lines.index(failed) + 1 :]
    assert all(line.passed is None and line.says.startswith("not checked: ") for line in after)
    assert {line.check for line in lines} == set(CHECKS)


def test_there_is_advice_for_every_check():
    assert ADVICE.keys() == CHECKS.keys()


SAID = (
    ("aud", bearer(aud=f"{URL}/"), f"expected exactly {URL}; got {URL}/. Have the client send the exact address"),
    (
        "exp",
        bearer(exp=int(NOW) - 600, iat=int(NOW) - 900),
        "expected exp after the service's clock, 2027-01-15 08:00:00 UTC; got 2027-",
    ),
    ("iss", bearer(iss=f"{ISSUER}/"), f"did you mean '{ISSUER}'?"),
    ("kid", bearer({"kid": "p348"}), "expected a kid that the client has in the clients file; got p348"),
    ("alg", bearer(key="p256"), "expected one of RS384, ES384; got ES256"),
    ("life", bearer(exp=int(NOW) + 7200), "expected exp at most 3600 s after iat; got 7200 s after iat"),
)


@pytest.mark.parametrize(("given", "words"), [row[1:] for row in SAID], ids=[row[0] for row in SAID])
def test_what_was_expected_and_what_was_got_are_reported(given, words):
    (failed,) = (line for line in diagnosed(given) if line.passed is False)
    assert words in failed.says


@pytest.mark.parametrize(
    "text",
    [
        "x.y.z",
        " x.y.z\n",
        "Bearer x.y.z",
        "Authorization: Bearer x.y.z\n",
        "authorization:Bearer x.y.z",
        "bearer x.y.z",
    ],
)
def test_a_file_holds_the_token_or_the_header(text):
    assert authorization_of(text).lower() == "bearer x.y.z"


def test_keys_that_are_not_in_the_file_are_fetched(http):
    with KeyServer(key_set("p384")) as server:
        clients = Clients((Client(id="general", issuer=ISSUER, jwks_url=server.url),))
        assert all(line.passed for line in diagnosed(bearer(key="p384"), clients, http=http))
    (failed,) = (line for line in diagnosed(bearer(key="p384"), clients, http=http) if line.passed is False)
    assert failed.check == "key"
    assert "The service answers such calls with 503" in failed.says


def entry(keys: KeyServer, fhir: KeyServer, **more: object) -> Client:
    base = fhir.url.replace("/jwks.json", "/fhir")
    return Client(id="general", issuer=ISSUER, jwks_url=keys.url, fhir_servers=(base,), **more)


def test_an_entry_that_works_is_shown_end_to_end(http):
    topic = f"{library().policies[0].phrases.topic}Gaps"
    with KeyServer(key_set("p384", "rsa")) as keys, KeyServer(STATEMENT) as fhir:
        general = entry(keys, fhir, audiences=("https://typed.example/",), topic_aliases={topic: "Topic"})
        lines = [*diagnose_client(general, http, library(), BASE)]
        assert fhir.calls == ["/fhir/metadata"]
    assert all(line.passed for line in lines)
    text = "\n".join(line.text() for line in lines)
    assert "ok      key           p384: ES384, EC P-384" in text
    assert "rsa: RS384 or RS256, RSA 2048 bits" in text
    assert "answers, FHIR 4.0.1" in text
    assert f"order-sign: {URL} (aud of its tokens); prefetch patient, " in text
    assert f"{topic} is reported as Topic" in text
    assert "https://typed.example/ is also accepted, with the service's paths below it" in text


def test_the_doctor_shows_where_tokens_may_be_reused(http):
    for reuse in (True, False):
        lines = [*diagnose_client(client(token_reuse=reuse), http, library(), BASE)]
        assert [line.check for line in lines if "token_reuse is on" in line.says] == ["replay"] * reuse
    (line,) = (line for line in diagnosed(token(), Clients((client(token_reuse=True),))) if line.check == "replay")
    assert line.says == "not checked: the entry sets token_reuse"


def failures(general: Client, http: OutgoingClient) -> list[str]:
    return [line.text() for line in diagnose_client(general, http, library(), BASE) if line.passed is False]


FHIR_FAULTS = (
    ("not found", {"resourceType": "OperationOutcome"}, 404, "answers with status 404"),
    ("HTML", b"<html>", 200, "is not a CapabilityStatement"),
    ("another resource", {"resourceType": "Patient"}, 200, "is not a CapabilityStatement"),
    ("R5", STATEMENT | {"fhirVersion": "5.0.0"}, 200, 'speaks FHIR "5.0.0"; the service reads R4'),
    ("no version", {"resourceType": "CapabilityStatement"}, 200, "speaks FHIR null"),
    ("a redirect", b"", 302, "redirect"),
)


@pytest.mark.parametrize(
    ("document", "status", "words"), [row[1:] for row in FHIR_FAULTS], ids=[row[0] for row in FHIR_FAULTS]
)
def test_a_fhir_server_that_is_none_fails(http, document, status, words):
    with KeyServer(key_set("p384")) as keys, KeyServer(document, status) as fhir:
        (failed,) = failures(entry(keys, fhir), http)
    assert words in failed


def test_keys_that_cannot_be_had_or_are_of_no_use_fail(http):
    with KeyServer(key_set("p256", "rsa1024")) as keys, KeyServer(STATEMENT) as fhir:
        lines = [line.text() for line in diagnose_client(entry(keys, fhir), http, library(), BASE)]
        assert "FAILED  keys          0 usable for RS384, ES384" in "\n".join(lines)
        assert any("not used: p256: ES256, EC P-256; not in 'algorithms'" in line for line in lines)
        assert any("1024 bits, which is too weak" in line for line in lines)
        general = entry(keys, fhir)
    (failed, _) = failures(general, http)
    assert "could not be reached" in failed


def test_an_alias_for_no_statements_topic_fails():
    general = replace(client(), topic_aliases={"no-topic": "T"})
    (failed,) = failures(general, NoNetwork())
    assert "'no-topic' is not the topic of a statement" in failed


def test_a_client_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"no client 'genral'; did you mean 'general'\?"):
        find_client(CLIENTS, "genral")


def run(*arguments: str, given: str | None = None, **environment: str):
    return CliRunner().invoke(main, [*arguments], input=given, env=environment)


@pytest.fixture
def clients_file(tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps(key_set("rsa")))
    path = tmp_path / "clients.toml"
    path.write_text(f'[[client]]\nid = "general"\nissuer = "{ISSUER}"\njwks_file = "keys.json"\n')
    return str(path)


def test_doctor_token_ends_with_1_where_a_check_fails(clients_file):
    """NOW of the tests lies elsewhere than the clock's now."""
    found = run("doctor", "token", "-", "--url", URL, given=bearer(), CDS_SERVICE_CLIENTS=clients_file)
    assert found.exit_code == 1
    assert "ok      signature" in found.output
    assert "FAILED  issued" in found.output or "FAILED  expired" in found.output
    assert token() not in found.output


def test_doctor_client_ends_with_0_where_all_is_well(clients_file):
    found = run("doctor", "client", "general", CDS_SERVICE_CLIENTS=clients_file)
    assert (found.exit_code, "FAILED" in found.output) == (0, False)
    assert "1 usable for RS384, ES384 in the clients file" in found.output


@pytest.mark.parametrize(
    ("arguments", "clients", "words"),
    [
        (("client", "general"), "", "Set CDS_SERVICE_CLIENTS to the clients file"),
        (("client", "genral"), "file", "There is no client 'genral'; did you mean 'general'?"),
        (("client", "general"), "nowhere.toml", "nowhere.toml cannot be read"),
    ],
)
def test_doctor_says_what_it_lacks(clients_file, arguments, clients, words):
    path = clients_file if clients == "file" else clients
    found = run("doctor", *arguments, CDS_SERVICE_CLIENTS=path)
    assert found.exit_code == 1
    assert words in found.output


@pytest.mark.parametrize(
    ("more", "default", "words"),
    [
        ({}, "off", "off by the settings: cards have no link"),
        ({}, "sealed", "sealed by the settings: the card's link opens the evidence page, in no frame"),
        ({"evidence": "off"}, "sealed", "off by its entry"),
        (
            {"evidence": "sealed", "frame_ancestors": ("https://ehr.example",)},
            "off",
            "sealed by its entry: the card's link opens the evidence page, in a frame of https://ehr.example also",
        ),
    ],
)
def test_where_the_evidence_pages_of_a_client_are_is_shown(http, more, default, words):
    with KeyServer(key_set("p384")) as keys, KeyServer(STATEMENT) as fhir:
        lines = [*diagnose_client(entry(keys, fhir, **more), http, library(), BASE, default)]
    (line,) = (line for line in lines if line.check == "evidence")
    assert line.passed
    assert line.says.startswith(words)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "detail_format markdown, dates us"),
        (
            {"detail_format": "html", "dates": "iso", "quirks": frozenset({"one-action-per-suggestion"})},
            "detail_format html, dates iso; quirks: one-action-per-suggestion",
        ),
    ],
)
def test_how_the_cards_of_a_client_are_written_is_shown(http, more, words):
    with KeyServer(key_set("p384")) as keys, KeyServer(STATEMENT) as fhir:
        lines = [*diagnose_client(entry(keys, fhir, **more), http, library(), BASE, "off")]
    (line,) = (line for line in lines if line.check == "cards")
    assert (line.passed, line.says) == (True, words)
