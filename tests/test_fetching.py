"""Fetching, part by part: templates, scopes, pages, the fetcher's limits, and what discovery says of it."""

import json
import threading
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.clock import Deadline
from cds_service.ehr import fetch
from cds_service.ehr.addresses import Allowance
from cds_service.ehr.fetch import Completed, Fetcher, KeyReport, server_timing
from cds_service.ehr.received import OutgoingError, Received
from cds_service.ehr.scopes import covers
from cds_service.ehr.search import FetchError, FetchLimits, read, search
from cds_service.ehr.templates import Query, UnresolvedError, resolve
from cds_service.errors import RequestError
from cds_service.fhir.types import TYPES
from cds_service.hooks import hook_request
from cds_service.policy import prefetch_templates
from cds_service.service.concerned import concerned_policies, wanted_templates
from cds_service.web.discovery import discovery_document
from tests.charts import named
from tests.fhir_server import bundle, outcome
from tests.shipped import TODAY, example, guide, library

BASE = "https://ehr.example/fhir"
ANYWHERE = Allowance((BASE,), ())
CONTEXT = {"patientId": "p1", "userId": "PractitionerRole/pr-1", "encounterId": "e1"}


# --- A2: templates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "address"),
    named(
        ("a read", "Patient/{{context.patientId}}", "Patient/p1"),
        ("a search", "Condition?patient={{context.patientId}}", "Condition?patient=p1"),
        ("two tokens", "X?a={{context.patientId}}&b={{context.encounterId}}", "X?a=p1&b=e1"),
        ("spaces in a token", "Patient/{{ context.patientId }}", "Patient/p1"),
        ("a role", "PractitionerRole/{{userPractitionerRoleId}}", "PractitionerRole/pr-1"),
        ("a reference in a query", "X?who={{context.userId}}", "X?who=PractitionerRole/pr-1"),
        (
            "codes",
            "O?patient={{context.patientId}}&code=http://l|1-1,http://l|2",
            "O?patient=p1&code=http://l%7C1-1,http://l%7C2",
        ),
    ),
)
def test_a2_tokens_of_cds_hooks_2_0_are_resolved(template, address):
    assert resolve(template, CONTEXT).relative == address


@pytest.mark.parametrize(
    ("template", "context", "says"),
    named(
        ("no such member", "E/{{context.other}}", CONTEXT, "the call has no context.other"),
        ("no token of ours", "E/{{today()}}", CONTEXT, "the call has no today()"),
        ("another kind of user", "P/{{userPractitionerId}}", CONTEXT, "is not a Practitioner"),
        ("no user", "P/{{userPatientId}}", {}, "is not a Patient"),
        ("a reference in a path", "X/{{context.userId}}", CONTEXT, "cannot be part of an address"),
        ("a step upwards", "P/{{context.patientId}}", {"patientId": "a/../b"}, "cannot be part of an address"),
        ("only dots", "P/{{context.patientId}}", {"patientId": ".."}, "cannot be part of an address"),
        (
            "another parameter",
            "C?patient={{context.patientId}}",
            {"patientId": "x&code=y"},
            "cannot be part of an address",
        ),
        ("two values", "C?patient={{context.patientId}}", {"patientId": "x,y"}, "cannot be part of an address"),
        ("encoded", "C?patient={{context.patientId}}", {"patientId": "x%2Cy"}, "cannot be part of an address"),
        ("a line's end", "C?patient={{context.patientId}}", {"patientId": "x\n"}, "cannot be part of an address"),
        ("far too long", "C?patient={{context.patientId}}", {"patientId": "x" * 513}, "cannot be part of an address"),
    ),
)
def test_a2_a_token_without_a_fit_value_is_said(template, context, says):
    with pytest.raises(UnresolvedError, match=says.replace("(", r"\(").replace(")", r"\)")):
        resolve(template, context)


@pytest.mark.parametrize("identity", ["e" * 90, "eCQqms3U-HvI.qQo6-Yxsk", "a_b~c", "12724066"])
def test_a3_9_long_ids_with_dots_and_dashes_are_ids(identity):
    query = resolve("Condition?patient={{context.patientId}}", {"patientId": identity})
    assert query.relative == f"Condition?patient={identity}"


@given(
    template=st.sampled_from(
        [*library().prefetch_templates.values(), "X/{{context.encounterId}}?a={{context.userId}}"]
    ),
    values=st.lists(st.text() | st.from_regex(r"[\w./&?#%=|,;:@\\-]+", fullmatch=True), min_size=3, max_size=3),
)
def test_a2_whatever_the_ids_are_the_address_keeps_its_segments_and_parameters(template, values):
    context = dict(zip(("patientId", "userId", "encounterId"), values, strict=True))
    sound = dict.fromkeys(context, "x")
    try:
        found = urlsplit(f"{BASE}/{resolve(template, context).relative}")
    except UnresolvedError:
        return
    wanted = urlsplit(f"{BASE}/{resolve(template, sound).relative}")
    assert found.netloc == wanted.netloc
    assert found.fragment == ""
    assert len(found.path.split("/")) == len(wanted.path.split("/"))
    assert not {".", ".."} & set(found.path.split("/"))
    assert [name for name, _ in parse_qsl(found.query)] == [name for name, _ in parse_qsl(wanted.query)]


# --- A3.6: scopes -----------------------------------------------------------------------------------------------------

SEARCH, CODED = "patient=p1", "patient=p1&code=http://loinc.org%7C1-1,http://loinc.org%7C2-2"


@pytest.mark.parametrize(
    ("scope", "query", "allowed"),
    named(
        ("no scope", None, SEARCH, True),
        ("an empty scope", "", SEARCH, True),
        ("launch words alone", "launch openid fhirUser", SEARCH, True),
        ("an EHR's own words alone", "observation.read(vital signs) EPIC.CHART.R4", SEARCH, True),
        ("v1 of all", "patient/*.read", SEARCH, True),
        ("v1 of the type", "user/Observation.read", SEARCH, True),
        ("v1 all rights", "system/*.*", SEARCH, True),
        ("v1 of another type", "launch patient/Condition.read", SEARCH, False),
        ("v1 writing", "patient/Observation.write", SEARCH, False),
        ("v2", "patient/Observation.rs", SEARCH, True),
        ("v2 all rights", "patient/Observation.cruds", SEARCH, True),
        ("v2 search without read", "patient/Observation.s", SEARCH, True),
        ("v2 read without search", "patient/Observation.r", SEARCH, False),
        ("v2 reading one", "patient/Observation.r", None, True),
        ("v2 searching is not reading one", "patient/Observation.s", None, False),
        ("v2 small letters", "system/observation.rs", SEARCH, True),
        ("several", "patient/Patient.rs patient/Observation.rs", SEARCH, True),
        ("an EHR's own word beside SMART's", "epic.x patient/Patient.rs", SEARCH, False),
        ("a narrower grant", "patient/Observation.rs?category=laboratory", SEARCH, False),
        ("a narrower grant beside a whole one", "patient/Observation.rs?category=x patient/*.rs", SEARCH, True),
        (
            "a grant of these codes",
            "patient/Observation.rs?code=http://loinc.org|1-1,http://loinc.org|2-2,z",
            CODED,
            True,
        ),
        ("a grant of one code", "patient/Observation.rs?code=http://loinc.org|1-1", CODED, False),
        ("a constraint on a read", "patient/Observation.rs?category=laboratory", None, False),
    ),
)
def test_a3_6_only_what_is_granted_is_asked_for(scope, query, allowed):
    assert covers(scope, "Observation", query) is allowed


# --- pages ------------------------------------------------------------------------------------------------------------

QUERY = Query("Condition", "patient=p1")
FIRST = f"{BASE}/Condition?patient=p1"
MINE = {"reference": "Patient/p1"}


def condition(name: str, **more) -> dict:
    return {"resourceType": "Condition", "id": name, "subject": MINE} | more


def answering(pages: dict):
    """A ``get`` that answers from a table: address -> JSON, or (status, JSON), or an error to raise."""

    def get(url: str, max_bytes: int) -> Received:
        page = pages[url]
        if isinstance(page, FetchError):
            raise page
        status, body = page if isinstance(page, tuple) else (200, page)
        data = json.dumps(body).encode()
        if len(data) > max_bytes:
            raise FetchError("too-large", "the search found more than the service reads")
        return Received(status, "application/fhir+json", data, url)

    return get


def searched(pages: dict, *, max_pages=5, max_bytes=10_000, sent=None):
    return search(answering(pages), BASE, QUERY, "p1", FetchLimits(max_bytes, max_pages, 5_000), sent)


def ids(found) -> list[str]:
    return [entry["resource"]["id"] for entry in found.value["entry"]]


def test_pages_are_put_together():
    found = searched(
        {FIRST: bundle(condition("a"), following=f"{BASE}?page=2"), f"{BASE}?page=2": bundle(condition("b"))}
    )
    assert ids(found) == ["a", "b"]
    assert (found.cause, found.sentence) == (None, None)


@pytest.mark.parametrize(
    ("second", "says"),
    named(
        ("a server that fails", (503, outcome()), "only 1 page of Condition came: the EHR's FHIR server failed (503)"),
        ("no FHIR", ["x"], "only 1 page of Condition came: the EHR's FHIR server sent something that cannot be read"),
        ("late", FetchError("timeout", "late"), "only 1 page of Condition came: late"),
    ),
)
def test_what_came_is_kept_and_the_rest_is_said_to_be_missing(second, says):
    found = searched({FIRST: bundle(condition("a"), following=f"{BASE}?page=2"), f"{BASE}?page=2": second})
    assert ids(found) == ["a"]
    assert found.sentence == says


def test_the_limits_of_pages_and_bytes_hold_for_all_pages_together():
    pages = {FIRST: bundle(condition("a"), following=f"{BASE}?page=2")}
    pages |= {f"{BASE}?page={n}": bundle(condition(f"c{n}"), following=f"{BASE}?page={n + 1}") for n in range(2, 9)}
    assert (
        searched(pages, max_pages=3).sentence
        == "only 3 pages of Condition came: the search found more than the service reads"
    )
    assert len(ids(searched(pages, max_pages=3))) == 3
    size = len(json.dumps(pages[f"{BASE}?page=2"]))
    assert searched(pages, max_bytes=2 * size + 100).cause == "too-large"


def test_a_first_page_that_was_sent_is_continued():
    sent = bundle({"resourceType": "Organization", "id": "o"}, condition("a"), following="?page=2")
    found = searched({f"{BASE}/?page=2": bundle(condition("b"))}, sent=sent)
    assert ids(found) == ["o", "a", "b"]
    assert "link" not in found.value


@pytest.mark.parametrize(
    ("page", "kept", "says"),
    named(
        ("another's record", bundle(condition("a"), condition("x", subject={"reference": "Patient/p2"})), ["a"],
         "Condition: the EHR's FHIR server sent records of another patient"),
        ("a type that was not asked for", bundle({"resourceType": "Observation", "id": "o"}), [],
         "Condition: the EHR's FHIR server sent records of other types"),
        ("another type beside it", bundle({"resourceType": "Provenance", "id": "p"}, condition("a")), ["a", "p"], None),
        ("another type where nothing was found", bundle({"resourceType": "Provenance", "id": "p"}) | {"total": 0}, [],
         None),
        ("an error among the entries", bundle(condition("a"), outcome()), ["a"],
         "Condition: the EHR's FHIR server reported an error"),
        ("a remark among the entries", bundle(condition("a"), outcome("warning")), ["a"], None),
        ("an entry that is none", bundle(condition("a"), 7), ["a"],
         "Condition: the EHR's FHIR server sent something that cannot be read"),
        ("what is included", {"resourceType": "Bundle", "entry": [
            {"resource": {"resourceType": "Encounter", "id": "e"}, "search": {"mode": "include"}}]}, ["e"], None),
        ("nothing", {"resourceType": "Bundle", "total": 0}, [], None),
    ),
)  # fmt: skip
def test_what_a_page_may_hold(page, kept, says):
    found = searched({FIRST: page})
    assert ids(found) == kept
    assert found.sentence == says


SECOND = f"{BASE}/Condition?page=2"
INNER = "http://hapi_fhir:8080/fhir/Condition?page=2"


@pytest.mark.parametrize(
    ("link", "asked"),
    named(
        ("the base", BASE, BASE),
        ("a page of the base", f"{BASE}?_getpages=1", f"{BASE}?_getpages=1"),
        ("a type", SECOND, SECOND),
        ("the port said", "https://EHR.example:443/fhir/Condition?page=2", SECOND),
        ("relative to the page", "Condition?page=2", SECOND),
        ("a query alone", "?page=2", SECOND),
        ("relative to the host", "/fhir/Condition?page=2", SECOND),
        ("the server's inner name", INNER, SECOND),
        ("an inner address", "http://10.0.0.7/fhir/Condition?page=2", SECOND),
        ("without TLS", "http://ehr.example/fhir/Condition?page=2", SECOND),
        ("another port", "https://ehr.example:8443/fhir/Condition?page=2", SECOND),
        ("a session in the path", f"{BASE}/Condition;jsessionid=1?page=2", f"{BASE}/Condition;jsessionid=1?page=2"),
        ("dots in the query", f"{BASE}/Condition?page=../2", f"{BASE}/Condition?page=../2"),
    ),
)
def test_a_next_link_is_followed_at_the_base(link, asked):
    """Whatever host a link names, the address that is called, with the token, is one of the base."""
    pages = {FIRST: bundle(condition("a"), following=link), asked: bundle(condition("b"))}
    found = searched(pages)
    assert (ids(found), found.sentence) == (["a", "b"], None)


@pytest.mark.parametrize(
    "link",
    named(
        ("beside the base", "https://ehr.example/fhir2/Condition"),
        ("above the base", "https://ehr.example/"),
        ("an inner name beside the base", "http://hapi:8080/admin/Condition"),
        ("an inner name above the base", "http://hapi:8080/"),
        ("a step upwards", f"{BASE}/../admin"),
        ("a step upwards and back", f"{BASE}/../fhir/Condition"),
        ("a relative step upwards and back", "../fhir/Condition"),
        ("a step in place", f"{BASE}/./Condition"),
        ("an encoded step upwards", f"{BASE}/%2e%2e/admin"),
        ("a half encoded step upwards", f"{BASE}/.%2E/admin"),
        ("a step encoded twice", f"{BASE}/%252e%252e%252fadmin"),
        ("a step before a semicolon", f"{BASE}/..;/admin"),
        ("a step before a parameter", f"{BASE}/..;x=1/admin"),
        ("a step before an encoded semicolon", f"{BASE}/..%3Bx/admin"),
        ("an encoded step before a semicolon", f"{BASE}/%2e%2e;/admin"),
        ("a relative step before a semicolon", "..;/admin"),
        ("an inner name and a step upwards", "http://hapi:8080/fhir/..;/admin"),
        ("an empty segment", f"{BASE}//evil.test/x"),
        ("a backslash", f"{BASE}/..\\admin"),
        ("a login", "https://ehr.example@other.example/fhir/x"),
        ("a login at the host", "https://a:b@ehr.example/fhir/x"),
        ("a fragment", f"{SECOND}#x"),
        ("another scheme", "ftp://ehr.example/fhir/Condition"),
    ),
)
def test_a_next_link_that_is_not_below_the_base_ends_the_search(link):
    found = searched({FIRST: bundle(condition("a"), following=link)})
    assert ids(found) == ["a"]
    assert found.sentence == "only 1 page of Condition came: the address of its next page is not allowed"


@pytest.mark.parametrize(
    "link",
    [
        "",
        "https://[::1",
        "https://ehr.example:99999/fhir",
        "https://ehr.example:0/fhir",
        f"{BASE}/a b",
        f"{BASE}/ü",
        "javascript:1",
    ],
)
def test_a_next_link_that_is_no_address_ends_the_search(link):
    found = searched({FIRST: bundle(condition("a"), following=link)})
    assert found.sentence == "only 1 page of Condition came: the address of its next page is not allowed"


def test_a_read_is_of_the_patient_of_the_call():
    def found(answer):
        get = answering({f"{BASE}/Patient/p1": answer})
        return read(get, BASE, Query("Patient/p1", None), "p1", FetchLimits(10_000, 5, 5_000))

    assert found({"resourceType": "Patient", "id": "p1"}).value == {"resourceType": "Patient", "id": "p1"}
    assert (
        found({"resourceType": "Patient", "id": "p2"}).sentence == "Patient: the EHR's FHIR server sent another patient"
    )
    assert (
        found({"resourceType": "Group", "id": "p1"}).sentence
        == "Patient: the EHR's FHIR server sent records of other types"
    )
    assert found((404, outcome())).sentence == "Patient: the EHR's FHIR server has no such record (404)"
    assert found((410, outcome())).value is None


# --- the fetcher ------------------------------------------------------------------------------------------------------


class FakeClient:
    """Answers from ``answers`` (type -> JSON or an error), after ``gate`` is open."""

    def __init__(self, answers=None, gate: threading.Event | None = None):
        self.answers, self.gate, self.asked, self.tokens = answers or {}, gate, [], set()
        self.answered = 0

    def get(self, url, *, accept, allowance, deadline, max_bytes, token=None, room=None):
        self.asked.append(url)
        self.tokens.add(token)
        if self.gate is not None:
            self.gate.wait(60)
        kind = urlsplit(url).path.removeprefix("/fhir/").partition("/")[0]
        answer = self.answers.get(kind, bundle())
        self.answered += 1
        if isinstance(answer, Exception):
            raise answer
        return Received(200, accept, json.dumps(answer).encode(), url)


WANTED = {"condition": "Condition?patient={{context.patientId}}", "device": "Device?patient={{context.patientId}}"}


def call(scope: str | None = None, token: str | None = "t", server: str = BASE, **changes) -> hook_request.HookRequest:
    body = example("all-met") | {"prefetch": {}, "fhirServer": server}
    body["context"] = body["context"] | {"patientId": "p1", "draftOrders": {}}
    if token is not None or scope is not None:
        body["fhirAuthorization"] = {"access_token": token, "scope": scope}
    return replace(hook_request.parse("coverage-guidance-order-sign", body), **changes)


def completed(client, request=None, seconds=2.0, wanted=WANTED, allowance=ANYWHERE, **sizes) -> Completed:
    fetcher = Fetcher(client, FetchLimits(10_000, 5), **sizes)
    try:
        return fetcher.complete(request or call(), wanted, allowance, Deadline(seconds))
    finally:
        fetcher.close()


def states(result: Completed) -> dict[str, tuple[str, str]]:
    return {item.key: (item.state, item.cause) for item in result.report}


def test_what_came_and_what_did_not_stand_side_by_side():
    client = FakeClient({"Device": OutgoingError("tls", "not for people")})
    result = completed(client)
    assert result.request.prefetch == {"condition": {"resourceType": "Bundle", "type": "searchset", "entry": []}}
    assert result.request.unfetched == {"device": "Device: the certificate of the EHR's FHIR server is not trusted"}
    assert states(result) == {"condition": ("fetched", ""), "device": ("failed", "tls")}
    assert client.tokens == {"t"}


def test_a_key_that_was_tried_is_not_tried_again():
    client = FakeClient()
    result = completed(client, call(unfetched={"condition": "Condition: late"}))
    assert client.asked == [f"{BASE}/Device?patient=p1"]
    assert result.request.unfetched == {"condition": "Condition: late"}


def test_g_a_call_without_a_token_is_fetched_without_one():
    client = FakeClient()
    assert completed(client, call(token=None)).request.unfetched == {}
    assert client.tokens == {None}


def test_a3_6_a_key_that_the_scope_does_not_cover_is_not_asked_for():
    client = FakeClient()
    result = completed(client, call(scope="patient/Device.rs"))
    assert client.asked == [f"{BASE}/Device?patient=p1"]
    assert result.request.unfetched == {"condition": "Condition: the EHR's authorization does not cover it"}
    assert states(result) == {"condition": ("not-asked", "scope"), "device": ("fetched", "")}


@pytest.mark.parametrize(
    "server",
    ["https://other.example/fhir", "https://ehr.example/", "no address", "https://[::1"]
    + [f"{BASE}{end}" for end in ("?x=1", "?", "#", "#x", "/?", "?#", "/..;/fhir", "/%2e%2e/fhir")],
)
def test_9_a_server_that_is_not_allowed_is_never_asked(server):
    """Decision 9: a fhirServer that is not allow-listed is not followed."""
    client = FakeClient()
    result = completed(client, call(server=server))
    assert client.asked == []
    assert set(result.request.unfetched.values()) == {
        "Condition: the EHR's FHIR server is not one that this service may call",
        "Device: the EHR's FHIR server is not one that this service may call",
    }


def test_6_nobody_waits_beyond_the_deadline_and_what_comes_later_is_dropped():
    """Decision 6: a hard internal deadline, never an unbounded fetch."""
    gate = threading.Event()
    client = FakeClient(gate=gate)
    result = completed(client, seconds=0.5)
    assert (len(client.asked), client.answered) == (2, 0)
    before = result.request.unfetched
    gate.set()
    assert before == {
        "condition": "Condition: the EHR's FHIR server did not answer in time",
        "device": "Device: the EHR's FHIR server did not answer in time",
    }
    assert result.request.prefetch == {}


def test_threads_do_not_pile_up_and_the_card_says_why():
    gate = threading.Event()
    client = FakeClient(gate=gate)
    fetcher = Fetcher(client, FetchLimits(10_000, 5), threads=1, most_outstanding=2)
    three = WANTED | {"coverage": "Coverage?patient={{context.patientId}}"}
    result = fetcher.complete(call(), three, ANYWHERE, Deadline(0.1))
    assert result.request.unfetched == {
        "condition": "Condition: the EHR's FHIR server did not answer in time",
        "device": "Device: this service was too busy to ask for it",
        "coverage": "Coverage: this service was too busy to ask for it",
    }
    gate.set()
    # The one that hung makes room when it ends, so that the next call is served.
    result = fetcher.complete(call(), {"condition": WANTED["condition"]}, ANYWHERE, Deadline(5))
    fetcher.close()
    assert result.request.unfetched == {}


def test_a_call_whose_time_is_up_asks_nobody():
    client = FakeClient()
    assert set(completed(client, seconds=0).request.unfetched.values()) == {
        "Condition: no time was left to ask for it",
        "Device: no time was left to ask for it",
    }
    assert client.asked == []


def test_a_fault_of_our_own_is_unknown_and_never_an_empty_chart(capsys):
    result = completed(FakeClient({"Device": RuntimeError("holds a secret")}))
    assert result.request.unfetched == {"device": "Device: this service failed while asking for it"}
    logged = capsys.readouterr().err
    assert "RuntimeError" in logged
    assert "secret" not in logged


def test_the_threads_of_a_parent_process_are_not_waited_for_in_its_child(monkeypatch):
    fetcher = Fetcher(FakeClient(), FetchLimits(10_000, 5))
    fetcher.complete(call(), WANTED, ANYWHERE, Deadline(2))
    parents = fetcher._pool()
    monkeypatch.setattr(fetch.os, "getpid", lambda: parents.process + 1)
    assert fetcher._pool() is not parents
    fetcher.close()
    parents.executor.shutdown()


def test_the_first_page_alone_is_said_to_be_all_that_came():
    first = bundle(condition("a"), following=f"{BASE}?page=2")
    request = call(scope="patient/Device.rs", prefetch={"condition": first})
    result = completed(FakeClient(), request)
    assert result.request.prefetch["condition"] is first
    assert result.request.unfetched["condition"] == (
        "only 1 page of Condition came: the EHR's authorization does not cover it"
    )


def test_server_timing_names_what_was_asked_for():
    report = (
        KeyReport("patient", "sent", "", 0.0),
        KeyReport("condition", "fetched", "", 12.34),
        KeyReport("device", "failed", "timeout", 400.0),
        KeyReport("coverage", "not-asked", "scope", 0.0),
    )
    assert server_timing(report) == ('fetch-condition;desc="fetched";dur=12.3, fetch-device;desc="failed";dur=400.0')


# --- what a call says of its server -----------------------------------------------------------------------------------


def parsed(**members):
    body = example("all-met") | {"fhirServer": BASE} | members
    return hook_request.parse("coverage-guidance-order-sign", body)


@pytest.mark.parametrize(
    ("members", "place", "code"),
    named(
        ("a server that is not text", {"fhirServer": 7}, "fhirServer", "structure"),
        ("a grant without a server", {"fhirServer": None, "fhirAuthorization": {}}, "fhirServer", "required"),
        ("a grant that is not an object", {"fhirAuthorization": "t"}, "fhirAuthorization", "structure"),
        ("a token that is not text", {"fhirAuthorization": {"access_token": 7}},
         "fhirAuthorization.access_token", "structure"),
        ("a token with a line's end", {"fhirAuthorization": {"access_token": "a\r\nX: y"}},
         "fhirAuthorization.access_token", "structure"),
        ("another kind of token", {"fhirAuthorization": {"access_token": "t", "token_type": "Basic"}},
         "fhirAuthorization.token_type", "invalid"),
        ("another patient's grant", {"fhirAuthorization": {"access_token": "t", "patient": "someone"}},
         "fhirAuthorization.patient", "business-rule"),
    ),
)  # fmt: skip
def test_a3_1_a3_2_a_grant_that_cannot_be_used_is_refused(members, place, code):
    with pytest.raises(RequestError) as refusal:
        parsed(**members)
    assert (refusal.value.status, refusal.value.expression, refusal.value.code) == (400, place, code)


@pytest.mark.parametrize(
    "grant",
    [
        {"access_token": "t", "token_type": "bearer", "expires_in": 300, "scope": "patient/*.rs", "subject": "app"},
        {"access_token": "t", "patient": "marisol-quintero"},
        {"access_token": "t", "patient": "Patient/marisol-quintero"},
        {"access_token": "t", "expires_in": "300", "scope": ["x"], "subject": 7, "patient": None},
        {"scope": "patient/*.rs"},
        {"access_token": ""},
    ],
)
def test_a3_2_whatever_else_a_grant_holds_is_taken(grant):
    assert parsed(fhirAuthorization=grant).authorization.access_token == (grant.get("access_token") or None)


def test_a7_the_token_is_not_shown():
    assert "a-secret" not in repr(parsed(fhirAuthorization={"access_token": "a-secret", "subject": "app"}))


def test_the_texts_of_the_context_are_what_tokens_may_name():
    assert set(parsed().context) == {"userId", "patientId", "encounterId"}
    assert parsed().fhir_server == BASE
    assert parsed(fhirServer="").fhir_server is None


# --- discovery --------------------------------------------------------------------------------------------------------


def test_lean_prefetch_asks_for_patient_and_coverage():
    assert set(prefetch_templates.lean(library().prefetch_templates)) == {"patient", "coverage"}
    for entry in discovery_document(library(), lean=True, fetches=True)["services"]:
        assert set(entry["prefetch"]) == {"patient", "coverage"}


@pytest.mark.parametrize(
    ("lean", "fetches", "says"),
    named(
        ("prefetch alone", False, False, "prefetch alone"),
        ("fetching", False, True, "The service fetches"),
        ("lean", True, True, "asks for little"),
    ),
)
def test_discovery_says_what_happens_to_what_is_not_sent(lean, fetches, says):
    for entry in discovery_document(library(), lean=lean, fetches=fetches)["services"]:
        assert says in entry["usageRequirements"]
        assert "unknown, never as absent" in entry["usageRequirements"]


def test_all_templates_can_be_resolved():
    for template in library().prefetch_templates.values():
        assert resolve(template, {"patientId": "p1"}).relative


def test_what_is_wanted_of_an_order_is_what_its_policies_read():
    request = hook_request.parse("coverage-guidance-order-sign", example("all-met"))
    candidates = concerned_policies(request, guide(), TODAY)
    wanted = wanted_templates(request, candidates, guide(), TODAY)
    asked_for = {name for name in candidates[0].resource_types if not TYPES[name].unasked}
    assert {library().prefetch_keys[key] for key in wanted} == asked_for | {"Patient"}
    assert wanted_templates(request, (), guide(), TODAY) == {}
