"""Who calls: good tokens are let in, every attack is refused by the check it runs into, and nobody learns by which."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cds_service.app import create_app
from cds_service.clock import Deadline
from cds_service.installation import Installation, names_of
from cds_service.operations.audit import AuditLog
from cds_service.operations.audit_lines import Wanted, read
from cds_service.operations.metrics import Metrics
from cds_service.settings.settings import Settings
from cds_service.trust.checks import CHECKS, TrustUnavailableError, UntrustedError
from cds_service.trust.entries import Clients
from cds_service.trust.keys import KeyRing
from cds_service.trust.tokens import Verifier
from tests.shipped import TODAY, example, library
from tests.token_attacks import ATTACKS, CLOUD, OTHER
from tests.tokens import BASE, GONE, ISSUER, JKU, NOW, URL, NoNetwork, Remembered, bearer, client, token

PATH = URL.removeprefix(BASE)
CLIENTS = Clients(
    (
        client(jku=(JKU,), rate_limit=""),
        replace(
            client("other", "rsa/other", issuer=OTHER), keys=(replace(client("x", "rsa/other").keys[0], kid="other"),)
        ),
        client("cloud", issuer=CLOUD, tenants=("north",)),
        client("east", "p384", issuer=f"{CLOUD}/two", tenants=("east",)),
        client("west", "rsa", issuer=f"{CLOUD}/two", tenants=("west",)),
    )
)


def verifier(clients: Clients = CLIENTS, remember=None, now: float = NOW) -> Verifier:
    return Verifier(clients, KeyRing(NoNetwork()), remember or Remembered(), lambda: now)


def verified(authorization, *, urls=(URL,), **made):
    return verifier(**made).verify(authorization, urls, Deadline(5))


def used() -> Remembered:
    remembered = Remembered()
    remembered.seen |= {(ISSUER, "used")}
    return remembered


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_a7_an_attack_is_refused_by_its_check_without_a_connection_and_without_using_up_the_token(attack):
    remembered = used()
    with pytest.raises(UntrustedError) as refused:
        verified(attack.make(), remember=remembered)
    assert refused.value.check == attack.check
    assert remembered.seen == used().seen
    assert str(refused.value) == attack.check


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_what_is_reported_of_an_attack_holds_neither_token_nor_signature(attack):
    authorization = attack.make() or ""
    with pytest.raises(UntrustedError) as refused:
        verified(authorization, remember=used())
    told = f"{refused.value.expected} {refused.value.got}"
    assert len(told) < 1200
    parts = [part for part in authorization.replace(" ", ".").split(".") if len(part) > 12]
    assert [part for part in parts if part in told] == []


def test_there_are_many_attacks_and_every_check_refuses_one():
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 150
    assert {attack.check for attack in ATTACKS} == set(CHECKS)


def app_of(installation: Installation):
    return create_app(Settings(), library(), BASE, lambda: TODAY, installation).test_client()


def test_a7_over_http_every_attack_gets_one_and_the_same_401(tmp_path):
    log = AuditLog(tmp_path, b"a key of the tests", None)
    metrics = Metrics(names_of(library(), ("general",), CHECKS))
    app = app_of(Installation(metrics=metrics, audit=log, verifier=verifier(remember=used())))
    body = example("typical-gaps")
    seen = set()
    for number, attack in enumerate(ATTACKS):
        authorization = attack.make()
        # No HTTP server hands on a header with a line break.
        if authorization is not None and "\n" in authorization:
            continue
        headers = {} if authorization is None else {"Authorization": authorization}
        # Each from an address of its own, for one that is refused too often is asked to wait.
        answer = app.post(PATH, json=body, headers=headers, environ_base={"REMOTE_ADDR": f"192.0.2.{number}"})
        kept = {name: value for name, value in answer.headers.items() if name != "Date"}
        seen.add((answer.status_code, answer.data, json.dumps(kept)))
    assert len(seen) == 1
    ((status, data, kept),) = seen
    assert status == 401
    assert json.loads(kept)["WWW-Authenticate"] == "Bearer"
    assert json.loads(data)["issue"][0]["code"] == "login"
    assert list(read(tmp_path, Wanted(), None, print)) == []
    text = app.get("/metrics").get_data(as_text=True)
    for check in CHECKS:
        assert f'cds_service_tokens_refused_total{{check="{check}"}}' in text


def test_two_authorization_headers_are_refused():
    answer = app_of(Installation(verifier=verifier())).post(
        PATH, json={}, headers=[("Authorization", bearer()), ("Authorization", bearer())]
    )
    assert answer.status_code == 401


ALL_FOUR = Clients(
    (client("all", "rsa", "p384", "p256", issuer=ISSUER, algorithms=("RS384", "ES384", "RS256", "ES256")),)
)


@pytest.mark.parametrize(
    ("key", "algorithm"), [("rsa", "RS384"), ("p384", "ES384"), ("rsa", "RS256"), ("p256", "ES256")]
)
def test_a7_each_algorithm_of_an_entry_is_accepted(key, algorithm):
    assert verified(bearer(key=key, algorithm=algorithm), clients=ALL_FOUR).client.id == "all"


GOOD = (
    ("the usual token", bearer),
    ("the scheme in lower case (RFC 9110, section 11.1)", lambda: f"bearer {token()}"),
    ("the scheme in upper case", lambda: f"BEARER {token()}"),
    ("several spaces after the scheme", lambda: f"Bearer   {token()}"),
    ("no typ", lambda: bearer({"typ": GONE})),
    ("typ in lower case", lambda: bearer({"typ": "jwt"})),
    ("the client's jku", lambda: bearer({"jku": JKU})),
    ("aud a list with ours and others", lambda: bearer(aud=["https://other.example", URL])),
    ("nbf five minutes back and a life of fifteen", lambda: bearer(nbf=int(NOW) - 300, exp=int(NOW) + 900)),
    ("times with a fraction", lambda: bearer(iat=NOW - 0.5, exp=NOW + 299.5)),
    ("a clock that is a little ahead", lambda: bearer(iat=int(NOW) + 59, exp=int(NOW) + 359)),
    ("a clock that is a little behind", lambda: bearer(iat=int(NOW) - 359, exp=int(NOW) - 59)),
    ("a life of an hour", lambda: bearer(exp=int(NOW) + 3600)),
    ("a tenant that no entry asks for", lambda: bearer(tenant="anything")),
    ("claims that we do not know", lambda: bearer(sub="client-7", scope="x", extension={"a": [1]})),
    ("headers that we do not look at", lambda: bearer({"x5t": "AAAA", "jwk": {}})),
    ("a tenant of the entry", lambda: bearer(iss=CLOUD, tenant="north")),
    ("an issuer of two entries, the tenant of one", lambda: bearer(iss=f"{CLOUD}/two", tenant="west")),
    ("the longest jti", lambda: bearer(jti="j" * 512)),
)


@pytest.mark.parametrize("make", [make for _, make in GOOD], ids=[name for name, _ in GOOD])
def test_a_good_token_is_let_in_once(make):
    remembered = Remembered()
    authorization = make()
    verified(authorization, remember=remembered)
    with pytest.raises(UntrustedError, match=r"^replay$"):
        verified(authorization, remember=remembered)


def test_the_tenant_chooses_the_entry_and_its_keys():
    assert verified(bearer(key="p384", iss=f"{CLOUD}/two", tenant="east")).client.id == "east"


def test_what_may_be_kept_of_a_token_is_reported():
    caller = verified(bearer(sub="client-7", tenant="north"))
    assert (caller.client.id, caller.issuer, caller.token_id) == ("general", ISSUER, "token-1")
    assert (caller.tenant, caller.subject) == ("north", "client-7")


def test_the_memory_is_asked_last_and_until_no_clock_lets_the_token_in():
    asked = []
    verified(bearer(), remember=lambda *given: asked.append(given) or True)
    ((*token, deadline),) = asked
    assert token == [ISSUER, "token-1", datetime.fromtimestamp(NOW + 360, UTC)]
    assert 0 < deadline.left() <= 5


REUSED = Clients((replace(CLIENTS.entries[0], token_reuse=True), *CLIENTS.entries[1:]))


def test_token_reuse_lets_a_token_of_this_client_in_again_and_is_off_by_default():
    remembered, authorization = Remembered(), bearer()
    for _ in range(3):
        assert verified(authorization, clients=REUSED, remember=remembered).client.id == "general"
    assert not remembered.seen
    assert verified(authorization, remember=remembered).client.id == "general"
    with pytest.raises(UntrustedError, match=r"^replay$"):
        verified(authorization, remember=remembered)


def test_token_reuse_of_one_client_says_nothing_of_another():
    remembered, other = Remembered(), bearer(key="p384", iss=f"{CLOUD}/two", tenant="east")
    verified(other, clients=REUSED, remember=remembered)
    with pytest.raises(UntrustedError, match=r"^replay$"):
        verified(other, clients=REUSED, remember=remembered)


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_with_token_reuse_every_other_check_is_made(attack):
    if attack.check == "replay":
        assert verified(attack.make(), clients=REUSED, remember=used()).client.id == "general"
        return
    with pytest.raises(UntrustedError, match=f"^{attack.check}$"):
        verified(attack.make(), clients=REUSED, remember=used())


def test_keys_in_the_file_leave_jku_unread_unless_the_entry_lists_some():
    anything = Clients((client(),))
    assert verified(bearer({"jku": "https://anywhere.example"}), clients=anything).client.id == "general"


ALIASES = (
    ("an address", ("https://typed.example/svc",), "https://typed.example/svc", True),
    ("a name", ("our-cds",), "our-cds", True),
    ("a name is not a prefix", ("our-cds",), "our-cds/x", False),
    ("a base", ("https://typed.example/cds/",), f"https://typed.example/cds{PATH}", True),
    ("a base with another service", ("https://typed.example/",), f"https://typed.example{PATH}x", False),
    ("a base itself, as it stands", ("https://typed.example/",), "https://typed.example/", True),
    ("no base without its slash", ("https://typed.example",), f"https://typed.example{PATH}", False),
)


@pytest.mark.parametrize(
    ("audiences", "aud", "accepted"), [row[1:] for row in ALIASES], ids=[row[0] for row in ALIASES]
)
def test_a7_audiences_of_the_entry_are_also_accepted(audiences, aud, accepted):
    clients = Clients((client(audiences=audiences),))
    if accepted:
        assert verified(bearer(aud=aud), clients=clients)
    else:
        with pytest.raises(UntrustedError, match=r"^audience$"):
            verified(bearer(aud=aud), clients=clients)


def test_a_memory_that_fails_neither_lets_in_nor_refuses():
    def broken(*_):
        raise OSError("the disk is full")

    with pytest.raises(TrustUnavailableError) as unknown:
        verified(bearer(), remember=broken)
    assert unknown.value.part == "replay"
    answer = app_of(Installation(verifier=live(remember=broken))).post(PATH, json={}, headers=now_headers())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert answer.get_json(force=True)["issue"][0]["code"] == "transient"


def live(clients: Clients = CLIENTS, remember=None) -> Verifier:
    return verifier(clients, remember)


def now_headers(**changes):
    return {"Authorization": bearer(**changes)}


def test_a_trusted_call_is_answered_limited_kept_and_given_ids_by_client(tmp_path):
    log = AuditLog(tmp_path, b"a key of the tests", None)
    metrics = Metrics(names_of(library(), ("general",), CHECKS))
    clients = Clients((client(rate_limit="2/minute"),))
    app = app_of(Installation(metrics=metrics, audit=log, rate_limit="9/minute", verifier=live(clients)))
    body = example("typical-gaps")
    answers = [app.post(PATH, json=body, headers=now_headers(jti=f"{i}", sub="x")) for i in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "auth;dur=" in answers[0].headers["Server-Timing"]
    kept = list(read(tmp_path, Wanted(), None, print))
    assert [line["client"] for line in kept] == ["general"] * 3
    assert 'rate_limited_total{client="general"} 1.0' in app.get("/metrics").get_data(as_text=True)
    opened = app_of(Installation()).post(PATH, json=body).get_json()["cards"]
    mine = answers[0].get_json()["cards"]
    assert [card["summary"] for card in mine] == [card["summary"] for card in opened]
    assert {card["uuid"] for card in mine}.isdisjoint(card["uuid"] for card in opened)


def test_a1_9_discovery_health_and_metrics_ask_for_no_token():
    app = app_of(Installation(metrics=Metrics(names_of(library())), verifier=verifier()))
    for path in ("/cds-services", "/healthz", "/metrics", "/"):
        assert app.get(path).status_code == 200


def test_a7_a_browser_may_ask_before_it_calls_without_a_token():
    app = app_of(Installation(verifier=verifier()))
    headers = {"Origin": "https://sandbox.cds-hooks.org", "Access-Control-Request-Method": "POST"}
    headers["Access-Control-Request-Headers"] = "authorization, content-type"
    answer = app.options(PATH, headers=headers)
    assert answer.status_code == 200
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"].lower()


def test_who_is_refused_too_often_is_asked_to_wait_and_keeps_nobody_else_out():
    app = app_of(Installation(verifier=live()))
    body = example("unrelated-order")
    answers = [app.post(PATH, json=body, headers={"Authorization": "Bearer x.y.z"}).status_code for _ in range(31)]
    assert answers == [401] * 30 + [429]
    assert app.post(PATH, json=body, headers=now_headers()).status_code == 200


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cds.hospital.example", "X-Forwarded-Prefix": "/cds"}
PUBLIC = f"https://cds.hospital.example/cds{PATH}"
HOSTS = (
    ("our own address", 0, URL, {}, 200),
    ("our own address with a slash at its end", 0, f"{URL}/", {}, 401),
    (
        "the Host header is not believed",
        0,
        URL.replace(BASE, "http://attacker.example"),
        {"Host": "attacker.example"},
        401,
    ),
    ("forwarded headers without a trusted proxy", 0, PUBLIC, FORWARDED, 401),
    ("forwarded headers of a trusted proxy", 1, PUBLIC, FORWARDED, 200),
    ("our own address behind a proxy", 1, URL, FORWARDED, 200),
    ("a proxy that does not say the host", 1, f"http://attacker.example{PATH}", {"Host": "attacker.example"}, 401),
    (
        "a host that the caller put before the proxy's",
        1,
        PUBLIC.replace("cds.hospital", "attacker"),
        FORWARDED | {"X-Forwarded-Host": "attacker.example, cds.hospital.example"},
        401,
    ),
    ("fewer hosts than proxies", 2, f"http://attacker.example{PATH}", {"Host": "attacker.example"} | FORWARDED, 401),
)


@pytest.mark.parametrize("end", ["", "/"])
def test_a7_an_address_called_with_a_slash_at_its_end_is_the_same(end):
    answer = app_of(Installation(verifier=live())).post(
        f"{PATH}/", json=example("unrelated-order"), headers=now_headers(aud=f"{URL}{end}")
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("proxies", "aud", "headers", "status"), [row[1:] for row in HOSTS], ids=[row[0] for row in HOSTS]
)
def test_a7_the_audience_is_the_address_that_was_called(proxies, aud, headers, status):
    app = app_of(Installation(verifier=live(), trusted_proxies=proxies))
    body = example("unrelated-order")
    answer = app.post(PATH, json=body, headers=now_headers(aud=aud) | headers)
    assert answer.status_code == status
