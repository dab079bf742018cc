"""The service with a clients file: how it starts or refuses to, whom it calls for a client, and in which dialect."""

import json
import time
from contextlib import closing
from dataclasses import replace

import pytest
from click.testing import CliRunner

from cds_service.app import create_app
from cds_service.commands.main import main
from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.fetch import Fetcher
from cds_service.ehr.search import FetchLimits
from cds_service.installation import NO_FETCHER, Installation, installation_of, names_of
from cds_service.operations import logs
from cds_service.settings.settings import Settings, load_settings
from cds_service.trust.checks import CHECKS
from cds_service.trust.entries import Clients, anyone
from cds_service.trust.keys import KeyRing
from cds_service.trust.tokens import Verifier
from tests.fhir_server import FhirServer
from tests.serving import free_port
from tests.shipped import TODAY, example, library
from tests.tokens import BASE, ISSUER, NOW, URL, KeyServer, NoNetwork, Remembered, bearer, client

PATH = URL.removeprefix(BASE)
REACHABLE = {"CDS_SERVICE_ID_KEY": "0123456789abcdef", "CDS_SERVICE_PUBLIC_URL": "https://cds.example"}


def serve(*arguments: str, **environment: str) -> str:
    result = CliRunner().invoke(main, ["serve", "--port", str(free_port()), *arguments], env=environment)
    assert result.exit_code == 1
    return result.output


@pytest.mark.parametrize("arguments", [("--host", "0.0.0.0"), ()], ids=["on all addresses", "behind a proxy"])
def test_beyond_this_machine_serve_asks_who_may_call(arguments):
    told = serve(*arguments, **REACHABLE)
    assert "nothing says who may call it. Set CDS_SERVICE_CLIENTS to a clients file (docs/clients-file.md)" in told
    assert "CDS_SERVICE_ACCEPT_UNAUTHENTICATED_CALLS=true" in told


def test_a_clients_file_with_faults_stops_the_start_with_all_of_them(clients_file):
    clients_file.write_text(clients_file.read_text() + 'algorithms = ["HS256"]\nquirk = []\n')
    told = serve(CDS_SERVICE_CLIENTS=str(clients_file))
    assert "client 'general', algorithms: 'HS256' is not allowed" in told
    assert "client 'general', quirk: is not a key of a client" in told


def test_a_token_works_once_whichever_process_it_reaches(tmp_path, clients_file):
    """Two installations that share a store, as two workers do."""
    settings = Settings(state=tmp_path, clients=clients_file, audit=False)
    now = int(time.time())
    authorization = bearer(iat=now, exp=now + 300)
    statuses = []
    for _ in range(2):
        with closing(installation_of(settings, library(), only_this_machine=True)) as installation:
            app = create_app(settings, library(), BASE, lambda: TODAY, installation).test_client()
            answer = app.post(PATH, json=example("unrelated-order"), headers={"Authorization": authorization})
            statuses.append(answer.status_code)
    assert statuses == [200, 401]


def test_a_store_that_fails_lets_no_token_in_and_calls_none_bad(tmp_path, clients_file):
    settings = Settings(state=tmp_path, clients=clients_file, audit=False)
    now = int(time.time())
    with closing(installation_of(settings, library(), only_this_machine=True)) as installation:
        app = create_app(settings, library(), BASE, lambda: TODAY, installation).test_client()
        for database in tmp_path.glob("*.sqlite*"):
            database.write_bytes(b"no database")
        answer = app.post(PATH, json={}, headers={"Authorization": bearer(iat=now, exp=now + 300)})
    assert answer.status_code == 503


def test_a_clients_file_and_open_calls_exclude_each_other(monkeypatch, clients_file):
    monkeypatch.setenv("CDS_SERVICE_CLIENTS", str(clients_file))
    monkeypatch.setenv("CDS_SERVICE_ACCEPT_UNAUTHENTICATED_CALLS", "true")
    with pytest.raises(ValueError, match=r"^CDS_SERVICE_CLIENTS says who may call"):
        load_settings()


@pytest.mark.parametrize(("servers", "fetches"), [("", False), ('fhir_servers = ["https://fhir.example"]\n', True)])
def test_with_clients_what_is_fetched_depends_on_their_entries_alone(tmp_path, clients_file, servers, fetches):
    clients_file.write_text(clients_file.read_text() + servers)
    settings = Settings(state=tmp_path, clients=clients_file)
    with closing(installation_of(settings, library(), only_this_machine=False)) as installation:
        pass
    assert installation.fetcher.fetches == fetches
    assert installation.verifier is not None
    assert {"general"} <= installation.names.clients
    assert installation.names.checks == frozenset(CHECKS)


def app_of(*entries, http=None, fetcher=NO_FETCHER, **more):
    verifier = Verifier(Clients(entries), KeyRing(http or NoNetwork()), Remembered(), lambda: NOW)
    # What open calls may do must not matter once it is known who calls.
    installation = Installation(fetcher=fetcher, open_client=anyone(this_machine=True), verifier=verifier, **more)
    return create_app(Settings(), library(), BASE, lambda: TODAY, installation).test_client()


@pytest.fixture
def http():
    outgoing = OutgoingClient()
    yield outgoing
    outgoing.close()


def test_for_a_client_its_own_fhir_servers_are_called_and_no_other(http):
    body = example("typical-gaps")
    with FhirServer(body["prefetch"]) as own, FhirServer(body["prefetch"]) as other:
        general = client(fhir_servers=(own.base,))
        app = app_of(general, fetcher=Fetcher(http, FetchLimits(5_000_000, 20)))
        sent = app.post(PATH, json=body, headers={"Authorization": bearer(jti="0")})
        for number, (server, status) in enumerate([(own, 200), (other, 412)], 1):
            lacking = body | {"prefetch": {}, "fhirServer": server.base}
            answer = app.post(PATH, json=lacking, headers={"Authorization": bearer(jti=str(number))})
            assert answer.status_code == status
            assert status != 200 or answer.data == sent.data
        assert own.calls
        assert other.calls == []


def test_for_a_client_without_fhir_servers_nothing_is_called(http):
    body = example("typical-gaps")
    with FhirServer(body["prefetch"]) as server:
        app = app_of(client(), fetcher=Fetcher(http, FetchLimits(5_000_000, 20)))
        lacking = body | {"prefetch": {}, "fhirServer": server.base}
        assert app.post(PATH, json=lacking, headers={"Authorization": bearer()}).status_code == 412
        assert server.calls == []


def test_a_client_is_answered_in_its_dialect():
    body = example("typical-gaps")
    topic = f"{library().policies[0].phrases.topic}Gaps"
    plain = app_of(client()).post(PATH, json=body, headers={"Authorization": bearer()}).get_json()
    spoken = app_of(
        replace(client(), topic_aliases={topic: "OneTopic"}, quirks=frozenset({"one-action-per-suggestion"}))
    )
    told = spoken.post(PATH, json=body, headers={"Authorization": bearer()}).get_json()
    assert told["cards"][0]["source"]["topic"]["code"] == "OneTopic"
    plain["cards"][0]["source"]["topic"]["code"] = "OneTopic"
    assert told == plain


def test_keys_that_cannot_be_fetched_are_503_and_the_reason_is_for_the_log(http, tmp_path):
    with KeyServer(b"", 500) as keys:
        general = replace(client(), keys=(), jwks_url=keys.url)
        before = logs.logging.getLogger().handlers[:]
        try:
            with (tmp_path / "log").open("wb") as stream:
                logs.configure("json", "debug", names_of(library(), ("general",), CHECKS), stream=stream)
                app = app_of(general, http=http)
                answer = app.post(PATH, json={}, headers={"Authorization": bearer()})
                refused = app.post(PATH, json={}, headers={"Authorization": bearer(iss="https://x.example")})
        finally:
            logs.logging.getLogger().handlers[:] = before
            logs.structlog.reset_defaults()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert refused.status_code == 401
    written = (tmp_path / "log").read_text()
    lines = [json.loads(line) for line in written.splitlines()]
    told = {line["event"]: line for line in lines}
    assert (told["keys-failed"]["client"], told["keys-failed"]["kind"]) == ("general", "status")
    assert told["token-refused"]["check"] == "issuer"
    assert "dropped" not in written
    for secret in ("token-1", ISSUER, "x.example", keys.url, "eyJ"):
        assert secret not in written
        assert secret not in answer.get_data(as_text=True)


def test_the_clock_of_a_running_service_is_the_clock():
    verifier = Verifier(Clients((client(),)), KeyRing(NoNetwork()), Remembered())
    installation = Installation(verifier=verifier)
    app = create_app(Settings(), library(), BASE, lambda: TODAY, installation).test_client()
    now = int(time.time())
    fresh = bearer(iat=now, exp=now + 300)
    answer = app.post(PATH, json=example("unrelated-order"), headers={"Authorization": fresh})
    assert (answer.status_code, answer.get_json()) == (200, {"cards": []})


def test_a6_feedback_asks_for_a_token_that_names_its_own_address(tmp_path, clients_file):
    """Checklist A.6: same authentication as a call; aud is the feedback URL."""
    settings = Settings(state=tmp_path, clients=clients_file, audit=False)
    now = int(time.time())
    feedback = {"feedback": [{"card": "5cbb9b1e-0000-4000-8000-000000000001", "outcome": "accepted"}]}
    feedback["feedback"][0] |= {"outcomeTimestamp": "2026-11-23T10:00:00Z", "acceptedSuggestions": [{"id": "x"}]}
    with closing(installation_of(settings, library(), only_this_machine=True)) as installation:
        app = create_app(settings, library(), BASE, lambda: TODAY, installation).test_client()
        statuses = [
            app.post(f"{PATH}/feedback", json=feedback, headers=headers).status_code
            for headers in (
                {},
                {"Authorization": bearer(iat=now, exp=now + 300, jti="a")},
                {"Authorization": bearer(iat=now, exp=now + 300, jti="b", aud=f"{URL}/feedback")},
            )
        ]
    assert statuses == [401, 401, 200]
