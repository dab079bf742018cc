"""The clients file: what an entry says, and every fault of a file told at once with what is allowed."""

import json
from ipaddress import ip_network
from pathlib import Path

import pytest

from cds_service.ehr.addresses import ForbiddenAddressError, permitted
from cds_service.trust.clients import ClientsError, load_clients
from tests.tokens import jwk, key_set

GOOD = """
[[client]]
id = "general-hospital"
issuer = "https://ehr.general.example/fhir"
jwks_url = "https://ehr.general.example/.well-known/jwks.json"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "clients.toml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ClientsError) as error:
        load_clients(written(folder, text))
    assert str(error.value) == "\n".join(error.value.problems)
    return [problem.replace(f"{folder}/", "") for problem in error.value.problems]


def toml(jwk_: dict) -> str:
    return "{" + ", ".join(f"{name} = {json.dumps(value)}" for name, value in jwk_.items()) + "}"


def test_the_least_entry_and_what_it_means(tmp_path):
    (client,) = load_clients(written(tmp_path, GOOD)).entries
    assert client.jkus() == (client.jwks_url,)
    assert client.algorithms == ("RS384", "ES384")
    assert (client.keys, client.audiences, client.tenants, client.fhir_servers) == ((), (), (), ())
    assert (client.quirks, client.topic_aliases, client.rate_limit) == (frozenset(), {}, "")
    assert client.token_reuse is False
    assert client.fhir_allowance().bases == ()
    assert client.jwks_allowance().bases == (client.jwks_url,)


def test_the_fullest_entry(tmp_path):
    text = (
        GOOD
        + """
jku = ["https://ehr.general.example/jku"]
algorithms = ["RS384", "RS256"]
audiences = ["typed-by-hand", "https://old.example/"]
tenants = ["north"]
fhir_servers = ["https://fhir.general.example/R4", "http://127.0.0.1:9000/fhir"]
private_networks = ["10.20.0.0/16", "fd12:3456::/32"]
quirks = ["one-action-per-suggestion", "system-actions-in-extension"]
topic_aliases = {"some-topic" = "SomeTopic"}
rate_limit = "600/minute"
token_reuse = true
"""
    )
    client = load_clients(written(tmp_path, text)).named("general-hospital")
    assert client.jkus() == ("https://ehr.general.example/jku",)
    assert client.algorithms == ("RS384", "RS256")
    assert client.audiences == ("typed-by-hand", "https://old.example/")
    assert client.networks == (ip_network("10.20.0.0/16"), ip_network("fd12:3456::/32"))
    assert client.topic_aliases == {"some-topic": "SomeTopic"}
    assert client.rate_limit == "600/minute"
    assert client.token_reuse is True
    assert client.quirks == {"one-action-per-suggestion", "system-actions-in-extension"}
    assert client.fhir_allowance().bases == client.fhir_servers


def test_keys_stand_in_the_file_or_in_a_file_beside_it(tmp_path):
    (tmp_path / "general.jwks.json").write_text(json.dumps(key_set("rsa", "p384")))
    text = f"""
[[client]]
id = "one"
issuer = "https://one.example"
jwks_file = "general.jwks.json"
[[client]]
id = "two"
issuer = "https://two.example"
keys = [{toml(jwk("p384"))}]
"""
    one, two = load_clients(written(tmp_path, text)).entries
    assert [key.kid for key in one.keys] == ["rsa", "p384"]
    assert [key.kid for key in two.keys] == ["p384"]
    assert one.jkus() is None
    assert one.jwks_allowance().bases == ()


def test_an_issuer_may_have_several_entries_that_tenants_tell_apart(tmp_path):
    text = GOOD + 'tenants = ["north"]\n' + GOOD.replace("general-h", "other-h") + 'tenants = ["south", "east"]\n'
    clients = load_clients(written(tmp_path, text))
    assert [client.id for client in clients.of_issuer("https://ehr.general.example/fhir")] == [
        "general-hospital",
        "other-hospital",
    ]
    assert clients.of_issuer("https://ehr.general.example/fhir/") == ()


def test_localhost_means_this_machine_and_private_networks_hold_for_both_kinds_of_servers(tmp_path):
    text = (
        GOOD.replace("https://ehr.general.example/.well", "http://localhost:9/.well")
        + 'private_networks = ["10.0.0.0/8"]'
    )
    (client,) = load_clients(written(tmp_path, text)).entries
    assert ip_network("127.0.0.0/8") in client.jwks_allowance().networks
    assert client.fhir_allowance().networks == (ip_network("10.0.0.0/8"),)
    assert permitted(client.jwks_url, client.jwks_allowance()) == client.jwks_url
    with pytest.raises(ForbiddenAddressError):
        permitted("http://127.0.0.1:9/", client.jwks_allowance())


SOURCES = "jwks_url, jwks_file, keys"
NAME = "client 'general-hospital'"

# A line that is put into the good entry (or takes the place of one of its keys), and the sentence.
LINES = (
    ('id = "General Hospital"', "client 'General Hospital', id: may hold a to z, 0 to 9 and single dashes"),
    ('id = "open"', "client 'open', id: 'open' is reserved in logs and metrics; choose another id"),
    ('id = "other"', "client 'other', id: 'other' is reserved in logs and metrics"),
    ('id = ""', "client 1, id: must be text of 1 to 1000 characters"),
    ("id = 7", "client 1, id: must be text"),
    (f'id = "{"a" * 65}"', "at most 64 characters"),
    ("issuer = 7", f"{NAME}, issuer: must be text"),
    ('isuer = "x"', f"{NAME}, isuer: is not a key of a client; did you mean 'issuer'?"),
    ('token = "x"', f"{NAME}, token: is not a key of a client; "),
    ("keys = []", f"{NAME}: jwks_url and keys are given; give exactly one of {SOURCES} for the client's keys"),
    ('jwks_file = "x.json"', f"{NAME}: jwks_url and jwks_file are given"),
    (
        'jwks_url = "http://ehr.example/jwks"',
        "jwks_url: 'http://ehr.example/jwks' must begin with https://; plain http",
    ),
    ('jwks_url = "ehr.example/jwks"', "jwks_url: 'ehr.example/jwks' is not a plain https address"),
    ('jwks_url = "file:///etc/passwd"', "jwks_url: 'file:///etc/passwd' is not a plain https address"),
    ('jwks_url = "https://u:p@ehr.example/jwks"', "is not a plain https address"),
    ('jwks_url = "https://ehr.example/../jwks"', "is not a plain https address"),
    ('jwks_url = ["https://ehr.example"]', f"{NAME}, jwks_url: must be text"),
    ('jku = "https://ehr.example"', f"{NAME}, jku: must be a list of texts"),
    ("jku = []", f"{NAME}, jku: is empty; list at least one item, or omit the key"),
    (
        'algorithms = ["RS348"]',
        "algorithms: 'RS348' is not allowed; did you mean 'RS384'? Allowed: RS384, ES384, RS256",
    ),
    (
        'algorithms = ["none"]',
        "'none' is not allowed; allowed: RS384, ES384, RS256, ES256; a token without a signature",
    ),
    ('algorithms = ["HS256"]', "with a shared secret, anyone who can check a token can also make one"),
    ('algorithms = ["RS384", "RS384"]', f"{NAME}, algorithms: 'RS384' is listed twice"),
    ("algorithms = []", f"{NAME}, algorithms: is empty"),
    ('audiences = [""]', f"{NAME}, audiences: each item must be text of 1 to 1000 characters"),
    ("tenants = [7]", f"{NAME}, tenants: each item must be text"),
    ('fhir_servers = ["http://fhir.example/R4"]', "fhir_servers: 'http://fhir.example/R4' must begin with https://"),
    ('fhir_servers = ["https://fhir.example/R4?x=1"]', "has a query; the base of a FHIR server has none"),
    ('fhir_servers = ["https://fhir.example/R4#x"]', "is not a plain https address"),
    ('fhir_servers = ["https://2130706433/"]', "is not a plain https address"),
    ('private_networks = ["10.20.0.0/8"]', "private_networks: '10.20.0.0/8' is not a network such as 10.20.0.0/16"),
    ('private_networks = ["hospital"]', "private_networks: 'hospital' is not a network such as 10.20.0.0/16"),
    (
        'private_networks = ["0.0.0.0/0"]',
        "private_networks: '0.0.0.0/0' does not lie within a private network (10.0.0.0/8",
    ),
    ('private_networks = ["8.8.8.0/24"]', "'8.8.8.0/24' does not lie within a private network"),
    ('private_networks = ["169.254.0.0/16"]', "'169.254.0.0/16' does not lie within a private network"),
    ('private_networks = ["fe80::/10"]', "'fe80::/10' does not lie within a private network"),
    ('private_networks = ["10.0.0.0/7"]', "private_networks: '10.0.0.0/7'"),
    ('quirks = ["one-action"]', "quirks: 'one-action' is not allowed; "),
    ('quirks = ["one-action-per-sugestion"]', "did you mean 'one-action-per-suggestion'? Allowed:"),
    ("topic_aliases = []", f"{NAME}, topic_aliases: must be a table of texts"),
    ("topic_aliases = {a = 1}", f"{NAME}, topic_aliases: must be a table of texts"),
    (
        'topic_aliases = {a = "two words"}',
        "topic_aliases: 'a' must have an alias of 1 to 100 ASCII characters without spaces",
    ),
    ('topic_aliases = {a = ""}', "topic_aliases: 'a' must have an alias"),
    ('topic_aliases = {a = "T", b = "T"}', "topic_aliases: 'T' is used for two topics; give each topic its own alias"),
    (
        'rate_limit = "often"',
        "rate_limit: 'often' is not a rate limit; write one number of calls and one time: 600/minute",
    ),
    ("rate_limit = 600", f"{NAME}, rate_limit: must be text"),
    ('token_reuse = "true"', f"{NAME}, token_reuse: must be true or false, without quotes"),
)


@pytest.mark.parametrize(("line", "words"), LINES, ids=[line[:60] for line, _ in LINES])
def test_a_fault_of_an_entry_is_reported_with_its_place(tmp_path, line, words):
    key = line.partition(" ")[0]
    kept = [old for old in GOOD.splitlines() if not old.startswith(f"{key} =")]
    found = problems(tmp_path, "\n".join([*kept, line]))
    assert len(found) == 1
    assert words in found[0]


def test_a_plain_http_address_is_for_this_machine_alone(tmp_path):
    for url in ("http://127.0.0.1:8443/jwks", "http://[::1]/jwks", "http://localhost/jwks"):
        assert load_clients(written(tmp_path, GOOD.replace("https://ehr.general.example/.well-known/jwks.json", url)))


FILES = (
    ("nothing", "", ["clients.toml has no client; begin each entry with [[client]]"]),
    ("no TOML", "[[client]\n", ["clients.toml is not TOML: Expected ']]' at the end of an array declaration"]),
    (
        "a table for a list",
        '[client]\nid = "x"\n',
        ["clients.toml: 'client' must be a list of tables; begin each with"],
    ),
    ("another table", f"{GOOD}\n[[clients]]\n", ["clients.toml: 'clients' is not a key here; did you mean 'client'?"]),
    (
        "an empty entry",
        "[[client]]\n",
        [
            "client 1, id: is missing",
            "client 1, issuer: is missing",
            f"client 1: no key is given; give exactly one of {SOURCES} for the client's keys",
        ],
    ),
    (
        "an id twice",
        GOOD + GOOD.replace("fhir", "r4"),
        [f"{NAME}: the id occurs more than once; each entry needs its own"],
    ),
    (
        "an issuer twice",
        GOOD + GOOD.replace("general-h", "other-h"),
        ["clients 'general-hospital' and 'other-hospital' have the same issuer 'https://ehr.general.example/fhir'"],
    ),
    (
        "an issuer twice, tenants in one entry",
        GOOD + GOOD.replace("general-h", "other-h") + 'tenants = ["north"]\n',
        ["clients 'general-hospital' and 'other-hospital' have the same issuer"],
    ),
    (
        "a tenant twice",
        GOOD + 'tenants = ["north"]\n' + GOOD.replace("general-h", "other-h") + 'tenants = ["south", "north"]\n',
        ["none of them twice, so that a token belongs to one entry"],
    ),
)


@pytest.mark.parametrize(("text", "words"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_a_fault_of_a_file_is_reported(tmp_path, text, words):
    found = sorted(problems(tmp_path, text))
    assert len(found) == len(words)
    assert all(part in sentence for part, sentence in zip(words, found, strict=True))


BAD_SETS = (
    (
        "a private key",
        {"keys": [jwk("rsa", d="AAAA")]},
        "key 'rsa': it is a private or secret key; only the public key",
    ),
    ("a symmetric key", {"keys": [{"kty": "oct", "k": "AAAA"}]}, "key number 1: it is a private or secret key"),
    (
        "a weak key",
        key_set("rsa1024"),
        "key 'rsa1024': it is an RSA key of 1024 bits, which is too weak; use 2048 bits or more",
    ),
    ("a key for encryption", {"keys": [jwk("rsa", use="enc")]}, "key 'rsa': its use is not 'sig'"),
    ("a kid twice", {"keys": [jwk("rsa"), jwk("p384", kid="rsa")]}, "the kid occurs more than once"),
    ("no key", {"keys": []}, "contains no key"),
    ("no set", [], "it is not a JWK Set"),
    ("a key that no algorithm uses", key_set("p256"), "key 'p256' serves ES256, which is not among 'algorithms'"),
)


@pytest.mark.parametrize(("document", "words"), [row[1:] for row in BAD_SETS], ids=[row[0] for row in BAD_SETS])
def test_a_key_in_a_file_that_cannot_be_used_is_a_mistake(tmp_path, document, words):
    (tmp_path / "keys.json").write_text(json.dumps(document))
    text = GOOD.replace("jwks_url", "jwks_file").replace("https://ehr.general.example/.well-known/jwks", "keys")
    (found,) = problems(tmp_path, text)
    assert found.startswith(f"{NAME}, jwks_file: ")
    assert words in found


def test_keys_that_are_no_list_are_reported(tmp_path):
    text = GOOD.replace("jwks_url", "keys")
    assert problems(tmp_path, text) == [f"{NAME}, keys: it is not a JWK Set: a JSON object with a list 'keys'"]


def test_a_key_file_that_is_missing_or_no_json_is_named(tmp_path):
    text = GOOD.replace("jwks_url", "jwks_file").replace("https://ehr.general.example/.well-known/jwks", "keys")
    assert problems(tmp_path, text) == [f"{NAME}, jwks_file: keys.json cannot be read: No such file or directory"]
    (tmp_path / "keys.json").write_text("{")
    assert "keys.json is not JSON: line 1" in problems(tmp_path, text)[0]


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ClientsError, match=r"nowhere\.toml cannot be read: No such file"):
        load_clients(tmp_path / "nowhere.toml")
    (tmp_path / "clients.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ClientsError, match="not UTF-8"):
        load_clients(tmp_path / "clients.toml")


def test_all_faults_of_all_entries_are_reported_at_once(tmp_path):
    text = GOOD + 'quirk = []\nalgorithms = ["HS256", "RS1"]\n' + '[[client]]\nid = "Two"\nissuer = ""\n'
    found = problems(tmp_path, text)
    assert len(found) == 6
    assert {sentence.partition(",")[0].partition(":")[0] for sentence in found} == {NAME, "client 'Two'"}
