"""What a token opens at a demo FHIR server (its scopes, patient, server and time), and what apps write there."""

from collections.abc import Iterator
from typing import Any

import pytest

from cds_service.workbench import session as sessions
from cds_service.workbench.fhir_routes import LateAnswers
from cds_service.workbench.patients import FIRST
from cds_service.workbench.refusals import LATE_SECONDS
from cds_service.workbench.words import REFUSALS
from tests.shipped import example
from tests.smart_client import PATIENT, Bench, SmartClient, bench, form_answers

OTHER = "all-met"
FORM = "QuestionnaireResponse"
ALL = "launch patient/*.cruds"


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("smart")) as made:
        yield made


@pytest.fixture
def smart(shared) -> SmartClient:
    """The app in a browser that has no session yet."""
    shared.browser = shared.flask.test_client()
    return SmartClient(shared)


@pytest.fixture
def token(smart) -> str:
    """A token that may read and write everything."""
    return str(smart.token(ALL)["access_token"])


def outcome(answer: Any) -> dict[str, Any]:
    """The first issue of an OperationOutcome."""
    body = answer.get_json(force=True)
    assert body["resourceType"] == "OperationOutcome"
    issue: dict[str, Any] = body["issue"][0]
    return issue


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        ("patient/Observation.rs", "GET", f"Observation?patient={PATIENT}", 200),
        ("patient/Observation.r", "GET", f"Observation?patient={PATIENT}", 403),
        ("patient/Observation.read", "GET", f"Observation?patient={PATIENT}", 200),
        ("patient/Observation.write", "GET", f"Observation?patient={PATIENT}", 403),
        ("patient/*.read", "GET", f"Condition?patient={PATIENT}", 200),
        ("patient/Observation.rs", "GET", f"Condition?patient={PATIENT}", 403),
        ("patient/Patient.r", "GET", f"Patient/{PATIENT}", 200),
        ("patient/Patient.s", "GET", f"Patient/{PATIENT}", 403),
        ("openid", "GET", f"Patient/{PATIENT}", 403),
        ("user/Patient.rs", "GET", f"Patient/{PATIENT}", 200),
        (f"patient/{FORM}.c", "POST", FORM, 201),
        (f"patient/{FORM}.write", "POST", FORM, 201),
        (f"patient/{FORM}.*", "POST", FORM, 201),
        (f"patient/{FORM}.rs", "POST", FORM, 403),
        (f"patient/{FORM}.read", "POST", FORM, 403),
        (f"patient/{FORM}.u", "POST", FORM, 403),
        ("patient/Observation.c", "POST", FORM, 403),
        (f"patient/{FORM}.c", "PUT", f"{FORM}/any", 403),
        (f"patient/{FORM}.u", "PUT", f"{FORM}/any", 405),
    ],
)
def test_a_token_opens_what_its_scope_covers(smart, scope, method, path, status):
    token = smart.token(f"launch {scope}")["access_token"]
    body = {"json": form_answers(id="any")} if method != "GET" else {}
    answer = smart.fhir(token, method, path, **body)
    assert answer.status_code == status
    if status == 403:
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
        assert outcome(answer)["code"] == "forbidden"


def test_a_batch_is_answered_as_far_as_the_scope_of_the_token_reaches(smart):
    token = smart.token("launch patient/Observation.rs patient/Patient.r")["access_token"]
    urls = [f"Patient/{PATIENT}", f"Observation?patient={PATIENT}", f"Condition?patient={PATIENT}", "Condition/any"]
    body = {"resourceType": "Bundle", "type": "batch"}
    body |= {"entry": [{"request": {"method": "GET", "url": url}} for url in urls]}
    entries = smart.fhir(token, "POST", json=body).get_json(force=True)["entry"]
    assert [entry["response"]["status"][:3] for entry in entries] == ["200", "200", "403", "403"]
    assert ["resource" in entry for entry in entries] == [True, True, False, False]
    assert smart.fhir("made-up", "POST", json=body).status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer made-up", "Bearer made.up", "Basic abc", "", "Bearer é"])
def test_a_token_that_is_none_is_refused_although_reading_is_open(smart, header):
    answer = smart.own.get(f"/workbench/fhir/{FIRST}/Patient/{PATIENT}", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_token_is_of_one_server_and_of_one_patient(smart, token):
    own = example(OTHER)["context"]["patientId"]
    for name in (OTHER, "no-such-patient"):
        assert smart.fhir(token, "GET", f"Patient/{own}", name=name).status_code in (401, 404)
        assert smart.fhir(token, "POST", FORM, name=name, json=form_answers(own)).status_code in (401, 404)
    assert smart.fhir(token, "GET", f"Patient/{own}").status_code == 404
    found = smart.fhir(token, "GET", f"Condition?patient={own}").get_json(force=True)
    assert found["total"] == 0
    assert smart.fhir(token, "POST", FORM, json=form_answers(own)).status_code == 422
    assert smart.bench.written() == []


def test_records_of_another_patient_in_a_chart_are_read_by_no_app(smart):
    """One example holds a record of somebody else, as charts do."""
    name = next(name for name in library_examples() if strangers(smart, name))
    found = SmartClient(smart.bench, name)
    token = found.token(ALL)["access_token"]
    for kind, identity in strangers(smart, name):
        assert found.fhir(token, "GET", f"{kind}/{identity}").status_code == 404


def library_examples() -> list[str]:
    from tests.test_workbench import EXAMPLES

    return list(EXAMPLES)


def strangers(smart: SmartClient, name: str) -> list[tuple[str, str]]:
    """What is in a chart and is of somebody else, as (type, id)."""
    body = example(name)
    mine = f"Patient/{body['context']['patientId']}"
    found = []
    for value in body["prefetch"].values():
        entries = value.get("entry", ()) if isinstance(value, dict) else ()
        for resource in (entry.get("resource") for entry in entries if isinstance(entry, dict)):
            subject = resource.get("subject") if isinstance(resource, dict) else None
            whose = subject.get("reference", "") if isinstance(subject, dict) else ""
            if whose.startswith("Patient/") and whose != mine and resource.get("id"):
                found.append((resource["resourceType"], resource["id"]))
    return found


def test_a_token_ends_when_it_said(smart):
    for choice, seconds in (("", 300), ("30", 30), ("5", 5)):
        smart.bench.refuse(lifetime=choice)
        granted = smart.token(ALL)
        assert granted["expires_in"] == seconds
        smart.bench.clock.pass_(seconds - 1)
        assert smart.fhir(granted["access_token"], "GET", f"Patient/{PATIENT}").status_code == 200
        smart.bench.clock.pass_(1)
        assert smart.fhir(granted["access_token"], "GET", f"Patient/{PATIENT}").status_code == 401
        assert smart.fhir(granted["access_token"], "POST", FORM, json=form_answers()).status_code == 401


# --- writing ---------------------------------------------------------------------------------------------------------


def test_what_is_written_has_an_id_a_version_and_an_address_and_is_read_back(smart, token):
    answer = smart.fhir(token, "POST", FORM, json=form_answers(id="mine", meta={"versionId": "7"}))
    assert answer.status_code == 201
    stored = answer.get_json(force=True)
    assert stored["id"] != "mine"
    assert stored["meta"]["versionId"] == "1"
    assert stored["meta"]["lastUpdated"].startswith("2026-11-23T12:")
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Last-Modified"].endswith("GMT")
    address = answer.headers["Location"]
    assert address == f"{smart.base}/{FORM}/{stored['id']}/_history/1"
    for path in (address.removeprefix(f"{smart.base}/"), f"{FORM}/{stored['id']}"):
        back = smart.fhir(token, "GET", path)
        assert back.get_json(force=True) == stored
        assert back.headers["ETag"] == 'W/"1"'
    assert smart.fhir(token, "GET", f"{FORM}/{stored['id']}/_history/2").status_code == 404


def test_a_retry_with_if_none_exist_makes_one(smart, token):
    body = form_answers()
    condition = {"If-None-Exist": f"identifier={body['identifier']['system']}|{body['identifier']['value']}"}
    first = smart.fhir(token, "POST", FORM, json=body, headers=condition)
    second = smart.fhir(token, "POST", FORM, json=body, headers=condition)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.headers["Location"] == second.headers["Location"]
    assert len(smart.bench.written()) == 1
    smart.fhir(token, "POST", FORM, json=body)
    assert smart.fhir(token, "POST", FORM, json=body, headers=condition).status_code == 412
    assert smart.fhir(token, "POST", FORM, json=body, headers={"If-None-Exist": "date=gt2020"}).status_code == 400


def test_an_update_is_the_next_version_and_if_match_guards_it(smart, token):
    made = smart.fhir(token, "POST", FORM, json=form_answers(status="in-progress")).get_json(force=True)
    path = f"{FORM}/{made['id']}"
    second = smart.fhir(token, "PUT", path, json=made | {"status": "completed"}, headers={"If-Match": 'W/"1"'})
    assert second.status_code == 200
    assert second.headers["ETag"] == 'W/"2"'
    late = smart.fhir(token, "PUT", path, json=made, headers={"If-Match": 'W/"1"'})
    assert late.status_code == 412
    assert smart.fhir(token, "GET", path).get_json(force=True)["status"] == "completed"
    assert smart.fhir(token, "PUT", path, json=made | {"id": "another"}).status_code == 400
    assert [item["meta"]["versionId"] for item in smart.bench.written()] == ["2"]


@pytest.mark.parametrize(
    ("kind", "body", "status", "words"),
    [
        ("Condition", {"resourceType": "Condition"}, 404, "cannot be written here"),
        ("Patient", {"resourceType": "Patient", "id": PATIENT}, 404, "cannot be written here"),
        (FORM, {"resourceType": "Observation"}, 400, "must be a resource of type"),
        (FORM, [], 400, "must be a resource of type"),
        (FORM, form_answers(status=7), 422, "not valid FHIR"),
        (FORM, form_answers(made_up=True), 422, "not valid FHIR"),
        (FORM, form_answers(subject=None), 422, "subject"),
        (FORM, form_answers("somebody-else"), 422, "subject must be the patient"),
        ("Provenance", {"resourceType": "Provenance"}, 422, "not valid FHIR"),
        (
            "Provenance",
            {
                "resourceType": "Provenance",
                "target": [{"reference": f"{FORM}/not-there"}],
                "recorded": "2026-11-23T12:00:00Z",
                "agent": [{"who": {"display": "x"}}],
            },
            422,
            "not in the chart",
        ),
    ],
)
def test_what_a_chart_does_not_take_is_refused_with_what_is_wrong(smart, token, kind, body, status, words):
    answer = smart.fhir(token, "POST", kind, json=body)
    assert answer.status_code == status
    assert words in outcome(answer)["diagnostics"]
    assert smart.bench.written() == []


def test_nobody_writes_without_a_token(smart):
    smart.launch()
    for method, path in (("POST", FORM), ("PUT", f"{FORM}/x"), ("POST", "")):
        at = f"/workbench/fhir/{FIRST}" + (f"/{path}" if path else "")
        assert smart.own.open(at, method=method, json=form_answers()).status_code == 401
    assert smart.own.delete(f"/workbench/fhir/{FIRST}/{FORM}/x").status_code == 405


# --- transactions ----------------------------------------------------------------------------------------------------


def entry(resource: dict[str, Any], full_url: str, method: str = "POST", **request: str) -> dict[str, Any]:
    url = resource["resourceType"] + (f"/{resource['id']}" if method == "PUT" else "")
    return {"fullUrl": full_url, "resource": resource, "request": {"method": method, "url": url, **request}}


def transaction(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


SCORE = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "97909-6"}]},
    "subject": {"reference": f"Patient/{PATIENT}"},
    "derivedFrom": [{"reference": "urn:uuid:form"}],
    "valueQuantity": {"value": 44, "unit": "%"},
}
ORIGIN = {
    "resourceType": "Provenance",
    "target": [{"reference": "urn:uuid:form"}, {"reference": "urn:uuid:score"}],
    "recorded": "2026-11-23T12:00:00Z",
    "agent": [{"who": {"display": "Dr. Alex Example"}}],
}


def test_a_transaction_links_what_it_writes_and_a_retry_makes_no_second(smart, token):
    condition = "identifier=urn:ietf:rfc:3986|urn:uuid:6f2d2ea0-0000-4000-8000-000000000001"
    body = transaction(
        entry(form_answers(), "urn:uuid:form", ifNoneExist=condition),
        entry(SCORE, "urn:uuid:score"),
        entry(ORIGIN, "urn:uuid:origin"),
    )
    answer = smart.fhir(token, "POST", json=body)
    assert answer.status_code == 200
    bundle = answer.get_json(force=True)
    assert bundle["type"] == "transaction-response"
    form, score, origin = (item["resource"] for item in bundle["entry"])
    assert [item["response"]["status"] for item in bundle["entry"]] == ["201 Created"] * 3
    assert bundle["entry"][0]["response"]["location"] == f"{smart.base}/{FORM}/{form['id']}/_history/1"
    assert score["derivedFrom"] == [{"reference": f"{FORM}/{form['id']}"}]
    assert [item["reference"] for item in origin["target"]] == [f"{FORM}/{form['id']}", f"Observation/{score['id']}"]
    again = smart.fhir(token, "POST", json=transaction(entry(form_answers(), "urn:uuid:form", ifNoneExist=condition)))
    assert again.get_json(force=True)["entry"][0]["response"]["status"] == "200 OK"
    assert len(smart.bench.written()) == 3


def test_of_a_transaction_with_a_fault_nothing_is_written(smart, token):
    faulty = SCORE | {"subject": {"reference": "Patient/somebody-else"}}
    answer = smart.fhir(token, "POST", json=transaction(entry(form_answers(), "urn:uuid:form"), entry(faulty, "urn:b")))
    assert answer.status_code == 422
    assert outcome(answer)["expression"] == ["Bundle.entry[1].resource"]
    assert smart.bench.written() == []


def test_a_transaction_updates_what_the_chart_holds(smart, token):
    made = smart.fhir(token, "POST", FORM, json=form_answers()).get_json(force=True)
    put = entry(made | {"status": "amended"}, f"{smart.base}/{FORM}/{made['id']}", "PUT", ifMatch='W/"1"')
    assert smart.fhir(token, "POST", json=transaction(put)).status_code == 200
    assert smart.fhir(token, "POST", json=transaction(put)).status_code == 412
    new = entry(form_answers(id="new"), "urn:x", "PUT")
    assert smart.fhir(token, "POST", json=transaction(new)).status_code == 405
    assert [item["status"] for item in smart.bench.written()] == ["amended"]


def test_a_transaction_needs_the_scope_of_each_of_its_entries(smart):
    token = smart.token(f"launch patient/{FORM}.c")["access_token"]
    both = transaction(entry(form_answers(), "urn:uuid:form"), entry(SCORE, "urn:uuid:score"))
    assert smart.fhir(token, "POST", json=both).status_code == 403
    assert smart.fhir(token, "POST", json=transaction(entry(form_answers(), "urn:uuid:form"))).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"resourceType": "Bundle", "type": "batch", "entry": []},
        transaction(),
        transaction({"resource": form_answers()}),
        transaction({"request": {"method": "POST", "url": FORM}}),
        transaction(entry(form_answers(), "urn:x", "DELETE")),
        transaction({"resource": form_answers(), "request": {"method": "POST", "url": f"{FORM}/x"}}),
        transaction({"resource": form_answers(), "request": {"method": 7, "url": FORM}}),
        transaction(*[entry(form_answers(), "urn:x")] * 51),
    ],
)
def test_a_bundle_that_is_no_transaction_is_refused(smart, token, body):
    assert smart.fhir(token, "POST", json=body).status_code == 400


# --- one browser's charts --------------------------------------------------------------------------------------------


def test_what_is_written_is_seen_by_its_own_browser_and_by_no_other(smart, token):
    smart.fhir(token, "POST", FORM, json=form_answers())
    query = f"/workbench/fhir/{FIRST}/{FORM}?patient={PATIENT}"
    own = smart.own.get(query).get_json(force=True)["total"]
    other = smart.bench.flask.test_client().get(query).get_json(force=True)["total"]
    assert own == other + 1
    assert smart.own.get(f"/workbench/charts/{OTHER}").get_json()["written"] == []


def test_an_update_of_a_shipped_record_is_seen_by_its_own_browser_and_reset_brings_it_back(smart, token):
    query = f"Observation?patient={PATIENT}"
    shipped = smart.fhir(token, "GET", query).get_json(force=True)["entry"][0]["resource"]
    path = f"Observation/{shipped['id']}"
    changed = smart.fhir(token, "PUT", path, json=shipped | {"status": "amended"})
    assert changed.status_code == 200
    assert smart.own.get(f"/workbench/fhir/{FIRST}/{path}").get_json(force=True)["status"] == "amended"
    stranger = smart.bench.flask.test_client()
    assert stranger.get(f"/workbench/fhir/{FIRST}/{path}").get_json(force=True) == shipped
    assert smart.own.post(f"/workbench/charts/{FIRST}/removal", json={}).status_code == 200
    assert smart.own.get(f"/workbench/fhir/{FIRST}/{path}").get_json(force=True) == shipped


def test_one_resource_is_removed_from_its_chart_and_from_no_other(smart, token):
    first, second = (smart.fhir(token, "POST", FORM, json=form_answers()).get_json(force=True)["id"] for _ in range(2))
    removal = {"resourceType": FORM, "id": first}
    stranger = smart.bench.flask.test_client()
    assert stranger.post(f"/workbench/charts/{FIRST}/removal", json=removal).status_code == 404
    assert smart.own.post(f"/workbench/charts/{OTHER}/removal", json=removal).status_code == 404
    assert smart.own.post(f"/workbench/charts/{FIRST}/removal", json=removal).status_code == 200
    assert [item["id"] for item in smart.bench.written()] == [second]
    assert smart.fhir(token, "GET", f"{FORM}/{first}").status_code == 404


def test_a_call_is_given_a_token_that_reads_what_was_written_and_writes_nothing(smart, token):
    asked = f"/workbench/charts/{FIRST}/access"
    assert smart.own.post(asked).get_json() == {"fhirAuthorization": None}
    smart.fhir(token, "POST", FORM, json=form_answers())
    granted = smart.own.post(asked).get_json()["fhirAuthorization"]
    assert granted["scope"] == "patient/*.rs"
    assert granted["patient"] == PATIENT
    found = smart.fhir(granted["access_token"], "GET", f"{FORM}?patient={PATIENT}").get_json(force=True)
    assert found["total"] >= 1
    assert smart.fhir(granted["access_token"], "POST", FORM, json=form_answers()).status_code == 403
    assert smart.bench.flask.test_client().post(asked).get_json() == {"fhirAuthorization": None}


@pytest.mark.parametrize("path", ["launch", "access", "removal"])
def test_a_page_of_another_origin_changes_nothing(smart, path):
    at = f"/workbench/charts/{FIRST}/{path}"
    assert smart.own.post(at, json={}, headers={"Origin": "https://evil.example"}).status_code == 403
    assert smart.own.post("/workbench/refusals", json={}, headers={"Origin": "null"}).status_code == 403


@pytest.mark.parametrize("cookie", ["", "made-up", "AAAAAAAAAAAAAAAAAAAAAA.x", "é" * 40])
def test_a_cookie_of_no_session_is_none(smart, cookie):
    smart.own.set_cookie("cds-workbench", cookie, path="/workbench")
    found = smart.own.get(f"/workbench/charts/{FIRST}").get_json()
    assert found["changes"] == 0
    assert smart.launch()


def test_the_name_of_a_session_is_no_cookie(smart, token):
    smart.fhir(token, "POST", FORM, json=form_answers())
    thief = smart.bench.flask.test_client()
    thief.set_cookie("cds-workbench", token, path="/workbench")
    assert thief.get(f"/workbench/charts/{FIRST}").get_json()["written"] == []


def test_nothing_that_was_written_and_no_token_can_be_read_in_the_store(smart, token, shared):
    answers = [{"linkId": "words", "answer": [{"valueString": "an-unmistakable-word"}]}]
    assert smart.fhir(token, "POST", FORM, json=form_answers(item=answers)).status_code == 201
    held = b"".join(path.read_bytes() for path in shared.store.address.file.parent.iterdir())
    assert b"workbench_sessions" in held
    cookie = smart.own.get_cookie("cds-workbench", path="/workbench").value
    for secret in ("an-unmistakable-word", PATIENT, token, cookie, token.partition(".")[2], cookie.partition(".")[2]):
        assert secret.encode() not in held


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_a_session_keeps_so_many_resources_and_no_more(smart, token, monkeypatch):
    monkeypatch.setattr(sessions, "MOST_WRITTEN", 3)
    answers = [smart.fhir(token, "POST", FORM, json=form_answers()).status_code for _ in range(4)]
    assert answers == [201, 201, 201, 413]
    assert len(smart.bench.written()) == 3
    smart.own.post(f"/workbench/charts/{FIRST}/removal", json={})
    assert smart.fhir(token, "POST", FORM, json=form_answers()).status_code == 201


def test_a_resource_or_a_session_that_is_too_large_is_refused(smart, token):
    large = form_answers(item=[{"linkId": "words", "answer": [{"valueString": "w" * 400_000}]}])
    assert smart.fhir(token, "POST", FORM, json=large).status_code == 201
    assert smart.fhir(token, "POST", FORM, json=large).status_code == 201
    assert smart.fhir(token, "POST", FORM, json=large).status_code == 413
    larger = form_answers(item=[{"linkId": "words", "answer": [{"valueString": "w" * 500_000}]}])
    assert smart.fhir(token, "POST", FORM, json=larger).status_code == 413
    assert len(smart.bench.written()) == 2


def test_many_launches_end_no_access_token(smart, token):
    for _ in range(sessions.MOST_GRANTS + 2):
        smart.launch()
    assert smart.fhir(token, "GET", f"Patient/{PATIENT}").status_code == 200


def test_a_session_that_is_idle_for_a_working_day_is_gone(smart, token):
    smart.fhir(token, "POST", FORM, json=form_answers())
    smart.bench.clock.pass_(8 * 3600 + 1)
    assert smart.bench.written() == []


# --- refusals --------------------------------------------------------------------------------------------------------

REFUSED = [value for value in REFUSALS["write"][1] if value.isdecimal()]


@pytest.mark.parametrize("status", REFUSED)
def test_a_write_is_refused_as_it_was_chosen_and_nothing_is_stored(smart, token, status):
    smart.bench.refuse(write=status)
    single = smart.fhir(token, "POST", FORM, json=form_answers())
    bundle = smart.fhir(token, "POST", json=transaction(entry(form_answers(), "urn:uuid:form")))
    for answer in (single, bundle):
        assert answer.status_code == int(status)
        assert outcome(answer)["diagnostics"]
    assert ("WWW-Authenticate" in single.headers) == (status in ("401", "403"))
    assert ("Allow" in single.headers) == (status == "405")
    assert smart.bench.written() == []
    smart.bench.refuse()
    assert smart.fhir(token, "POST", FORM, json=form_answers()).status_code == 201


def test_forms_alone_can_be_refused(smart, token):
    smart.bench.refuse(write="404", of=FORM)
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "content": [{"attachment": {"contentType": "text/html", "data": "PHA+"}}],
    }
    assert smart.fhir(token, "POST", FORM, json=form_answers()).status_code == 404
    assert smart.fhir(token, "POST", "DocumentReference", json=document).status_code == 201


def test_a_write_that_is_answered_late_is_stored_and_a_retry_makes_no_second(smart, token, monkeypatch):
    held = []
    monkeypatch.setattr(LateAnswers, "hold", lambda self: held.append(LATE_SECONDS))
    smart.bench.refuse(write="timeout")
    body = form_answers()
    condition = {"If-None-Exist": f"identifier={body['identifier']['system']}|{body['identifier']['value']}"}
    for _ in range(2):
        smart.fhir(token, "POST", FORM, json=body, headers=condition)
    assert held == [LATE_SECONDS] * 2
    assert len(smart.bench.written()) == 1


def test_at_most_two_answers_are_held_at_a_time():
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) < 5:
            late.hold()

    late = LateAnswers(wait)
    late.hold()
    assert waited == [LATE_SECONDS] * 2


def test_reading_back_is_refused_for_what_was_written_and_for_nothing_else(smart, token):
    assert list(REFUSALS["read_back"][1]) == ["", "403"]
    made = smart.fhir(token, "POST", FORM, json=form_answers()).get_json(force=True)
    smart.bench.refuse(read_back="403")
    assert smart.fhir(token, "GET", f"{FORM}/{made['id']}").status_code == 403
    assert smart.fhir(token, "GET", f"Patient/{PATIENT}").status_code == 200
    smart.bench.refuse()
    assert smart.fhir(token, "GET", f"{FORM}/{made['id']}").status_code == 200


def test_refusals_are_those_of_one_browser(smart, token):
    stranger = SmartClient(smart.bench, browser=smart.bench.flask.test_client())
    others = stranger.token(ALL)["access_token"]
    smart.bench.refuse(write="500")
    assert smart.fhir(token, "POST", FORM, json=form_answers()).status_code == 500
    assert smart.fhir(others, "POST", FORM, json=form_answers()).status_code == 201


def test_a_page_is_shown_what_is_chosen(smart):
    assert set(smart.own.get("/workbench/refusals").get_json().values()) == {""}
    smart.bench.refuse(write="422", of=FORM)
    assert smart.own.get("/workbench/refusals").get_json() == {
        "authorization": "",
        "write": "422",
        "of": FORM,
        "read_back": "",
        "lifetime": "",
    }


@pytest.mark.parametrize("body", [{"write": "418"}, {"made-up": ""}, {"write": None}, {"write": []}, [], "x"])
def test_a_choice_that_there_is_not_is_refused(smart, body):
    assert smart.own.post("/workbench/refusals", json=body).status_code == 400
