"""Keys: which JWKs can be used, and when a key set is fetched, kept, renewed, or done without."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cds_service.clock import Deadline
from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.received import OutgoingError, Received
from cds_service.trust.checks import TrustUnavailableError, UntrustedError
from cds_service.trust.entries import Client, Clients
from cds_service.trust.jwk import UnusableKeyError, read_key, read_key_set
from cds_service.trust.keys import MAX_BYTES, KeyRing, KeysUnavailableError, kept_for
from cds_service.trust.tokens import Verifier
from tests.tokens import NOW, URL, KeyServer, Remembered, bearer, jwk, key_set

JWKS = "https://ehr.example/jwks.json"


def fetched_client(url: str = JWKS, identifier: str = "general") -> Client:
    return Client(id=identifier, issuer="https://ehr.example/fhir", jwks_url=url)


class Scripted:
    """In place of an OutgoingClient: answers what ``answer`` is now, and counts."""

    def __init__(self, *names: str) -> None:
        self.calls: list[str] = []
        self.answer: Received | OutgoingError = self.of(*names)

    def of(self, *names: str, status: int = 200, cache: str = "", body: bytes | None = None) -> Received:
        self.answer = Received(status, "application/json", body or json.dumps(key_set(*names)).encode(), JWKS, cache)
        return self.answer

    def get(self, url: str, *, max_bytes: int, **_: object) -> Received:
        self.calls.append(url)
        if isinstance(self.answer, OutgoingError):
            raise self.answer
        assert max_bytes == MAX_BYTES
        return self.answer


class Ring:
    """A key ring over a scripted server, with a clock that is set by hand."""

    def __init__(self, *names: str) -> None:
        self.http, self.now = Scripted(*names), 1000.0
        self.ring = KeyRing(self.http, lambda: self.now)

    def ask(self, kid: str = "p384") -> list[str]:
        return [key.kid for key in self.ring.keys_of(fetched_client(), kid, Deadline(5))]

    @property
    def fetches(self) -> int:
        return len(self.http.calls)


def test_nothing_is_fetched_before_a_token_needs_it_and_then_once_an_hour():
    ring = Ring("p384")
    assert ring.fetches == 0
    for seconds in (0, 1, 3598):
        ring.now += seconds
        assert ring.ask() == ["p384"]
    assert ring.fetches == 1
    ring.now += 2
    assert ring.ask() == ["p384"]
    assert ring.http.calls == [JWKS, JWKS]


def test_keys_of_the_file_are_never_fetched():
    ring = Ring("p384")
    own = Client(id="own", issuer="https://ehr.example/fhir", jwks_url=None, keys=read_key_set(key_set("rsa")).keys)
    assert [key.kid for key in ring.ring.keys_of(own, "rsa", Deadline(5))] == ["rsa"]
    assert ring.ring.keys_of(own, "p384", Deadline(5)) == ()
    assert ring.fetches == 0


def test_a_new_key_is_found_at_once_and_unknown_kids_lead_to_a_fetch_every_30_seconds_at_most():
    ring = Ring("p384")
    ring.ask()
    ring.now += 30
    ring.http.of("p384", "rsa")
    assert ring.ask("rsa") == ["rsa"]
    assert ring.fetches == 2
    for number in range(29):
        ring.now += 1
        assert ring.ask(f"guess-{number}") == []
    assert ring.fetches == 2
    ring.now += 1
    assert ring.ask("guess") == []
    assert ring.fetches == 3


def test_a_key_that_was_withdrawn_is_gone_with_the_next_fetch():
    ring = Ring("p384", "rsa")
    assert ring.ask("rsa") == ["rsa"]
    ring.http.of("p384")
    ring.now += 3600
    assert ring.ask("rsa") == []


def test_old_keys_count_for_a_day_while_the_server_fails_and_it_is_asked_every_10_seconds():
    ring = Ring("p384")
    ring.ask()
    ring.http.answer = OutgoingError("unreachable")
    ring.now += 3600
    for _ in range(10):
        assert ring.ask() == ["p384"]
        ring.now += 1
    assert ring.fetches == 2
    assert ring.ask() == ["p384"]
    assert ring.fetches == 3
    ring.now = 1000 + 86_400
    assert ring.ask() == ["p384"]
    ring.now += 1
    with pytest.raises(KeysUnavailableError):
        ring.ask()
    ring.http.of("p384")
    ring.now += 10
    assert ring.ask() == ["p384"]


def test_a_kid_that_old_keys_lack_is_neither_known_nor_unknown_while_the_server_fails():
    ring = Ring("p384")
    ring.ask()
    ring.http.answer = OutgoingError("timeout")
    ring.now += 30
    with pytest.raises(KeysUnavailableError):
        ring.ask("rsa")
    # The failure costs those nothing whose key is there.
    for _ in range(3):
        ring.now += 20
        assert ring.ask() == ["p384"]
    assert ring.fetches == 2


BAD_ANSWERS = (
    ("refused", OutgoingError("unreachable"), "unreachable"),
    ("a redirect", OutgoingError("redirected"), "redirected"),
    ("too large", OutgoingError("too-large"), "too-large"),
    ("status 404", Received(404, "text/html", b"no", JWKS), "status"),
    ("status 201", Received(201, "application/json", json.dumps(key_set("p384")).encode(), JWKS), "status"),
    ("HTML", Received(200, "text/html", b"<html>", JWKS), "unreadable"),
    ("nothing", Received(200, "application/json", b"", JWKS), "unreadable"),
    ("a list", Received(200, "application/json", b"[]", JWKS), "unreadable"),
    ("keys that are not a list", Received(200, "application/json", b'{"keys": {}}', JWKS), "unreadable"),
    ("deep", Received(200, "application/json", b'{"keys": [' + b"[" * 30 + b"]" * 30 + b"]}", JWKS), "unreadable"),
    ("101 keys", Received(200, "application/json", json.dumps({"keys": [{}] * 101}).encode(), JWKS), "unreadable"),
)


@pytest.mark.parametrize(("answer", "kind"), [row[1:] for row in BAD_ANSWERS], ids=[row[0] for row in BAD_ANSWERS])
def test_a_server_that_gives_no_key_set_is_asked_again_after_10_seconds(answer, kind):
    ring = Ring()
    ring.http.answer = answer
    for _ in range(3):
        with pytest.raises(KeysUnavailableError) as error:
            ring.ask()
        assert error.value.kind == kind
    assert ring.fetches == 1
    ring.now += 10
    ring.http.of("p384")
    assert ring.ask() == ["p384"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 3600),
        ("public", 3600),
        ("max-age=600", 600),
        ("public, max-age=7200, must-revalidate", 7200),
        ('Max-Age="600"', 600),
        ("max-age=0", 60),
        ("max-age=59", 60),
        ("max-age=9999999", 86_400),
        ("max-age=-5", 3600),
        ("max-age=x", 3600),
        ("s-maxage=600", 3600),
        ("max-age=600, max-age=300", 300),
        ("no-store", 60),
        ("no-cache, max-age=600", 60),
    ],
)
def test_cache_control_is_honoured_between_a_minute_and_a_day(header, seconds):
    assert kept_for(header) == seconds
    ring = Ring()
    ring.http.of("p384", cache=header)
    ring.ask()
    ring.now += seconds - 1
    ring.ask()
    assert ring.fetches == 1
    ring.now += 1
    ring.ask()
    assert ring.fetches == 2


def test_two_clients_with_other_addresses_have_sets_of_their_own():
    ring = Ring("p384")
    ring.ask()
    other = Client(id="other", issuer="https://o.example", jwks_url="https://o.example/jwks.json")
    assert ring.ring.keys_of(other, "p384", Deadline(5))
    assert ring.http.calls == [JWKS, "https://o.example/jwks.json"]


class Slow(Scripted):
    """Answers when the test lets it, so that threads meet."""

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.asked, self.go = threading.Event(), threading.Event()

    def get(self, url: str, **more: object) -> Received:
        self.asked.set()
        assert self.go.wait(10)
        return super().get(url, **more)


def test_threads_that_need_one_key_set_fetch_it_once():
    http = Slow("p384")
    ring = KeyRing(http)
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(ring.keys_of, fetched_client(), "p384", Deadline(10)) for _ in range(16)]
        assert http.asked.wait(10)
        http.go.set()
        assert all([key.kid for key in each.result(10)] == ["p384"] for each in waiting)
    assert http.calls == [JWKS]


def test_while_one_thread_renews_the_set_the_others_go_on_with_what_they_have():
    http = Slow("p384")
    http.go.set()
    now = [0.0]
    ring = KeyRing(http, lambda: now[0])
    ring.keys_of(fetched_client(), "p384", Deadline(10))
    http.go.clear()
    http.asked.clear()
    now[0] = 4000.0
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(ring.keys_of, fetched_client(), "p384", Deadline(10))
        assert http.asked.wait(10)
        assert len(ring.keys_of(fetched_client(), "p384", Deadline(10))) == 1
        http.go.set()
        assert renewing.result(10)
    assert len(http.calls) == 2


def test_who_waits_for_another_threads_fetch_waits_until_the_deadline_and_no_longer():
    http = Slow("p384")
    ring = KeyRing(http)
    with ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(ring.keys_of, fetched_client(), "p384", Deadline(10))
        assert http.asked.wait(10)
        with pytest.raises(KeysUnavailableError, match="in time"):
            ring.keys_of(fetched_client(), "p384", Deadline(0.05))
        http.go.set()
        assert fetching.result(10)


def verify(url: str, http: OutgoingClient, authorization: str) -> str:
    verifier = Verifier(Clients((fetched_client(url),)), KeyRing(http), Remembered(), lambda: NOW)
    return verifier.verify(authorization, (URL,), Deadline(5)).client.id


@pytest.fixture
def http():
    client = OutgoingClient()
    yield client
    client.close()


def test_a_token_is_checked_with_keys_that_were_fetched(http):
    with KeyServer(key_set("p384")) as server:
        assert verify(server.url, http, bearer(key="p384")) == "general"
        assert server.calls == ["/jwks.json"]


def test_a7_a_token_that_names_another_jku_leads_nowhere(http):
    """Checklist A.7: iss and jku are allowed as a pair; the address that the token names is not called."""
    with KeyServer(key_set("p384")) as ours, KeyServer(key_set("p384/bad")) as theirs:
        for jku in (theirs.url, ours.url.replace("127.0.0.1", "127.0.0.1.nip.example"), f"{ours.url}?x"):
            with pytest.raises(UntrustedError, match=r"^jku$"):
                verify(ours.url, http, bearer({"jku": jku, "kid": "p384"}, key="p384/bad"))
        assert (ours.calls, theirs.calls) == ([], [])


def test_a_key_set_that_moved_by_a_redirect_is_not_followed(http):
    with KeyServer(key_set("p384")) as new, KeyServer(b"", 302, {"Location": new.url}) as old:
        with pytest.raises(TrustUnavailableError) as error:
            verify(old.url, http, bearer(key="p384"))
        assert (error.value.part, error.value.kind, new.calls) == ("keys", "redirected", [])


def test_a_key_set_that_cannot_be_reached_is_no_fault_of_the_token(http):
    with KeyServer(key_set("p384")) as server:
        url = server.url
    with pytest.raises(TrustUnavailableError) as error:
        verify(url, http, bearer(key="p384"))
    assert url not in error.value.sentence


def test_a_key_set_larger_than_256_kib_is_not_read(http):
    with KeyServer(key_set("p384") | {"x": "y" * MAX_BYTES}) as server:
        with pytest.raises(TrustUnavailableError) as error:
            verify(server.url, http, bearer(key="p384"))
        assert error.value.kind == "too-large"


def without(document: dict, name: str) -> dict:
    return {key: value for key, value in document.items() if key != name}


BAD_KEYS = (
    ("no object", "key", "not a JWK"),
    ("no kty", without(jwk("rsa"), "kty"), "kty must be RSA or EC"),
    ("symmetric", {"kty": "oct", "kid": "s", "k": "AAAA"}, "private or secret"),
    ("an Edwards curve", {"kty": "OKP", "kid": "e", "crv": "Ed25519", "x": "AAAA"}, "kty must be RSA or EC"),
    ("a private RSA key", jwk("rsa", d="AAAA"), "have its owner replace it"),
    ("a prime of a private RSA key", jwk("rsa", p="AAAA"), "have its owner replace it"),
    ("a private EC key", jwk("p384", d="AAAA"), "have its owner replace it"),
    ("for encryption", jwk("rsa", use="enc"), "use is not 'sig'"),
    ("for signing only", jwk("rsa", key_ops=["sign"]), "key_ops do not include 'verify'"),
    ("key_ops a text", jwk("rsa", key_ops="verify"), "key_ops do not include 'verify'"),
    ("no kid", without(jwk("rsa"), "kid"), "needs a kid"),
    ("kid a number", jwk("rsa", kid=7) | {"kid": 7}, "needs a kid"),
    ("kid very long", jwk("rsa", kid="k" * 513), "needs a kid"),
    ("1024 bits", jwk("rsa1024"), "RSA key of 1024 bits, which is too weak"),
    ("2040 bits", jwk("rsa2040"), "RSA key of 2040 bits, which is too weak"),
    ("too many bits", jwk("rsa", n="_" * 1400), "at most 8192"),
    ("exponent 3", jwk("rsa", e="Aw"), "e must be an odd number from 65537"),
    ("exponent 1", jwk("rsa", e="AQ"), "e must be an odd number from 65537"),
    ("an even exponent", jwk("rsa", e="AQAC"), "e must be an odd number from 65537"),
    ("an enormous exponent", jwk("rsa", e="AQAAAAAAAAAB"), "e must be an odd number from 65537"),
    ("n missing", without(jwk("rsa"), "n"), "n is missing"),
    ("n no base64url", jwk("rsa", n="+/=="), "n is missing"),
    ("n a number", jwk("rsa", n=7), "n is missing"),
    ("P-521", jwk("p521"), "crv must be P-384"),
    ("secp256k1", jwk("p256", crv="secp256k1"), "crv must be P-384"),
    ("crv a list", jwk("p256", crv=["P-256"]), "crv must be P-384"),
    ("not on the curve", jwk("p384", y=jwk("p384")["x"]), "not a point on P-384"),
    ("a point of the other curve", jwk("p256", crv="P-384"), "x is missing or is not"),
    ("alg of another kind", jwk("p384", alg="RS384"), "alg is not ES384"),
    ("alg HMAC", jwk("rsa", alg="HS256"), "alg is not RS384 or RS256"),
    ("alg a list", jwk("rsa", alg=["RS384"]), "alg is not RS384 or RS256"),
)


@pytest.mark.parametrize(("document", "words"), [row[1:] for row in BAD_KEYS], ids=[row[0] for row in BAD_KEYS])
def test_a_key_that_cannot_be_used_says_why_and_shows_nothing_of_itself(document, words):
    with pytest.raises(UnusableKeyError) as error:
        read_key(document)
    assert words in str(error.value)
    assert not isinstance(document, dict) or str(document.get("n", document.get("x")))[:8] not in str(error.value)


@pytest.mark.parametrize(
    ("document", "algorithms", "strength"),
    [
        (jwk("rsa"), ("RS384", "RS256"), "RSA 2048 bits"),
        (jwk("rsa", alg="RS256"), ("RS256",), "RSA 2048 bits"),
        (without(jwk("rsa"), "use"), ("RS384", "RS256"), "RSA 2048 bits"),
        (jwk("rsa", key_ops=["verify"], x5t="AAAA"), ("RS384", "RS256"), "RSA 2048 bits"),
        (jwk("p384", alg="ES384"), ("ES384",), "EC P-384"),
        (jwk("p256"), ("ES256",), "EC P-256"),
    ],
)
def test_a_key_says_what_it_serves_and_how_strong_it_is(document, algorithms, strength):
    key = read_key(document)
    assert (key.algorithms, key.strength) == (algorithms, strength)


def test_of_a_set_what_can_be_used_is_used_and_the_rest_is_reported():
    found = read_key_set({"keys": [jwk("rsa", use="enc"), jwk("p384"), jwk("rsa1024"), "x"]})
    assert [key.kid for key in found.keys] == ["p384"]
    assert [problem.partition(":")[0] for problem in found.problems] == ["key 'rsa'", "key 'rsa1024'", "key number 4"]


def test_keys_that_share_a_kid_are_none_of_them_used():
    found = read_key_set({"keys": [jwk("rsa", kid="1"), jwk("rsa/other", kid="1"), jwk("p384")]})
    assert [key.kid for key in found.keys] == ["p384"]
    assert found.problems == ("key '1': the kid occurs more than once; give each key its own kid",)
