"""The contract over HTTP: discovery, calls, errors and CORS, as an EHR or a browser meets them."""

import json
from datetime import date
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from cds_service.app import create_app
from cds_service.examples import examples
from cds_service.fhir.types import TYPES
from cds_service.settings.settings import Settings, data_folder
from cds_service.verdicts import decisions
from tests.shipped import library

TODAY = date(2026, 11, 23)
SIGN = "/cds-services/coverage-guidance-order-sign"
SCHEMAS = Path(__file__).parent / "schemas"


def schema(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text()))


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return create_app(Settings(), library(), "http://127.0.0.1:8080", lambda: TODAY).test_client()


def request_of(name: str) -> dict:
    return json.loads((data_folder("fhir_examples") / name / "request.json").read_text())


def outcome_of(answer) -> dict:
    """Every error has one shape: an OperationOutcome with one issue that says what and, where it can, where."""
    body = answer.get_json(force=True)
    assert answer.mimetype == "application/fhir+json"
    assert body.keys() == {"resourceType", "issue"}
    assert body["resourceType"] == "OperationOutcome"
    (issue,) = body["issue"]
    assert issue.keys() <= {"severity", "code", "diagnostics", "expression"}
    assert issue["severity"] == "error"
    assert issue["diagnostics"].endswith(".")
    return issue


def test_discovery_is_what_the_specification_asks_for(client):
    answer = client.get("/cds-services")
    assert answer.status_code == 200
    assert [error.message for error in schema("discovery").iter_errors(answer.get_json())] == []
    services = {service["id"]: service["hook"] for service in answer.get_json()["services"]}
    assert services == {
        "coverage-guidance-patient-view": "patient-view",
        "coverage-guidance-order-select": "order-select",
        "coverage-guidance-order-sign": "order-sign",
    }


def test_discovery_answers_with_a_slash_at_the_end_and_to_head(client):
    assert client.get("/cds-services/").get_json() == client.get("/cds-services").get_json()
    assert client.head("/cds-services").status_code == 200


def test_prefetch_asks_for_just_what_the_policies_read(client):
    prefetch = client.get("/cds-services").get_json()["services"][0]["prefetch"]
    read = {name for policy in library().policies for name in policy.resource_types if not TYPES[name].unasked}
    assert {template.partition("?")[0].partition("/")[0] for template in prefetch.values()} == read | {"Patient"}


@pytest.mark.parametrize("name", sorted(examples(data_folder("fhir_examples"))))
def test_every_example_is_answered_as_frozen(client, name):
    example = examples(data_folder("fhir_examples"))[name]
    own_day = create_app(Settings(), library(), "http://127.0.0.1:8080", lambda: example.today).test_client()
    answer = own_day.post(f"/cds-services/{example.about['service']}", json=request_of(name))
    assert answer.status_code == 200
    assert answer.get_json() == json.loads((example.folder / "response.json").read_text())
    assert [error.message for error in schema("response").iter_errors(answer.get_json())] == []


def test_the_same_call_gives_the_same_bytes(client):
    body = request_of("typical-gaps")
    assert client.post(SIGN, json=body).data == client.post(SIGN, json=body).data


def test_unknown_members_are_ignored(client):
    body = request_of("typical-gaps")
    before = client.post(SIGN, json=body).data
    body |= {"extension": {"com.example": {"x": 1}}, "somethingNew": [1]}
    body["context"]["somethingNew"] = None
    assert client.post(SIGN, json=body).data == before


def without(body: dict, *path: str) -> dict:
    *parents, last = path
    inner = body
    for name in parents:
        inner = inner[name]
    del inner[last]
    return body


def with_value(body: dict, value: object, *path: str) -> dict:
    *parents, last = path
    inner = body
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return body


MALFORMED = [
    # remark, what is wrong, place in the OperationOutcome, words in the sentence
    ("no hook", lambda b: without(b, "hook"), "hook", "required"),
    ("hook of another service", lambda b: with_value(b, "patient-view", "hook"), "hook", "order-sign"),
    ("hook is a number", lambda b: with_value(b, 1, "hook"), "hook", "text"),
    ("no hookInstance", lambda b: without(b, "hookInstance"), "hookInstance", "required"),
    ("no context", lambda b: without(b, "context"), "context", "required"),
    ("context is a list", lambda b: with_value(b, [], "context"), "context", "object"),
    ("no patient", lambda b: without(b, "context", "patientId"), "context.patientId", "required"),
    ("empty patient", lambda b: with_value(b, "", "context", "patientId"), "context.patientId", "required"),
    ("no draft orders", lambda b: without(b, "context", "draftOrders"), "context.draftOrders", "required"),
    ("drafts no Bundle", lambda b: with_value(b, {"resourceType": "List"}, "context", "draftOrders"),
     "context.draftOrders", "Bundle"),
    ("entry is text", lambda b: with_value(b, ["x"], "context", "draftOrders", "entry"),
     "context.draftOrders.entry[0]", "object"),
    ("entry without resource", lambda b: with_value(b, [{}], "context", "draftOrders", "entry"),
     "context.draftOrders.entry[0].resource", "object"),
    ("prefetch is a list", lambda b: with_value(b, [], "prefetch"), "prefetch", "object"),
    ("token without server", lambda b: with_value(b, {"access_token": "x"}, "fhirAuthorization"),
     "fhirServer", "required"),
]  # fmt: skip


@pytest.mark.parametrize(("remark", "change", "place", "words"), MALFORMED, ids=[row[0] for row in MALFORMED])
def test_malformed_calls_get_an_answer_that_says_what_and_where(client, remark, change, place, words):
    answer = client.post(SIGN, json=change(request_of("typical-gaps")))
    assert answer.status_code == 400
    issue = outcome_of(answer)
    assert issue["expression"] == [place]
    assert words in issue["diagnostics"]


@pytest.mark.parametrize(
    ("remark", "data", "status"),
    [
        ("nothing", b"", 400),
        ("half a body", b'{"hook": "order-sign"', 400),
        ("not a number that JSON knows", b'{"hook": NaN}', 400),
        ("invalid UTF-8", b'{"hook": "\xff"}', 400),
        ("a list", b"[]", 400),
        ("a bare word", b'"order-sign"', 400),
        ("nested without end", b"[" * 100_000, 400),
    ],
)
def test_bodies_that_are_no_call(client, remark, data, status):
    answer = client.post(SIGN, data=data, content_type="application/json")
    assert answer.status_code == status
    outcome_of(answer)


UNREAD = [
    # remark, a value of prefetch that is refused where it is read
    ("invalid UTF-8", b'{"a":"\xff"}'),
    ("a number beyond a double", b'{"a":1e400}'),
    ("nested without sense", b'{"a":' + b"[" * 300 + b"]" * 300 + b"}"),
    ("too many resources", b'{"a":[' + b"{}," * 5000 + b"{}]}"),
]


@pytest.mark.parametrize(("remark", "prefetch"), UNREAD, ids=[row[0] for row in UNREAD])
def test_prefetch_is_judged_where_it_is_read(client, remark, prefetch):
    for name, status in (("typical-gaps", {400, 413}), ("unrelated-order", {200})):
        body = json.dumps(request_of(name) | {"prefetch": None}).encode().replace(b"null", prefetch)
        answer = client.post(SIGN, data=body, content_type="application/json")
        assert answer.status_code in status, (name, answer.get_data())


@pytest.mark.parametrize("prefetch", [b"[]", b"7", b'"x"', b"true", b"[{}]"])
def test_prefetch_that_is_no_object_is_refused_though_nobody_reads_it(client, prefetch):
    body = json.dumps(request_of("unrelated-order") | {"prefetch": None}).encode()
    answer = client.post(SIGN, data=body.replace(b"null", prefetch), content_type="application/json")
    assert answer.status_code == 400
    assert outcome_of(answer)["expression"] == ["prefetch"]
    assert client.post(SIGN, data=body, content_type="application/json").status_code == 200


def test_prefetch_whose_structure_is_no_json_is_refused_though_nobody_reads_it(client):
    body = json.dumps(request_of("unrelated-order") | {"prefetch": None}).encode()
    for prefetch in (b"{", b'{"a"}', b'{"a":[}', b'{"a":"'):
        answer = client.post(SIGN, data=body.replace(b"null", prefetch), content_type="application/json")
        assert answer.status_code == 400
        assert "is not JSON" in outcome_of(answer)["diagnostics"]


def test_deep_nesting_inside_prefetch_is_refused_or_answered_but_never_breaks(client):
    deep: object = "x"
    for _ in range(900):
        deep = [deep]
    body = request_of("typical-gaps")
    body["prefetch"]["condition"] = {
        "resourceType": "Bundle",
        "entry": [{"resource": {"resourceType": "Condition", "id": "c", "code": deep, "n": n}} for n in (1, 2)],
    }
    answer = client.post(SIGN, data=json.dumps(body), content_type="application/json")
    assert answer.status_code in (200, 400)


@pytest.mark.parametrize("leaf", ["x", 1.5])
@pytest.mark.parametrize(
    ("depth", "place"), [(150, {"expression": ["context.draftOrders.entry[0].resource"]}), (900, {})]
)
def test_an_order_nested_without_sense_is_refused(client, depth, place, leaf):
    deep: object = leaf
    for _ in range(depth):
        deep = [deep]
    body = request_of("typical-gaps")
    body["context"]["draftOrders"]["entry"][0]["resource"]["extension"] = deep
    answer = client.post(SIGN, data=json.dumps(body), content_type="application/json")
    assert answer.status_code == 400
    assert (outcome_of(answer)["code"], outcome_of(answer).items() >= place.items()) == ("too-costly", True)


def test_json_is_read_with_charset_and_as_fhir_json(client):
    data = json.dumps(request_of("typical-gaps"))
    for content_type in ("application/json; charset=utf-8", "application/fhir+json"):
        assert client.post(SIGN, data=data, content_type=content_type).status_code == 200


@pytest.mark.parametrize("path", [SIGN, f"{SIGN}/feedback"])
def test_a_slash_at_the_end_makes_no_difference(client, path):
    body = request_of("typical-gaps")
    plain, with_slash = (client.post(path + end, json=body) for end in ("", "/"))
    assert (with_slash.status_code, with_slash.mimetype) == (plain.status_code, plain.mimetype)
    assert path != SIGN or with_slash.data == plain.data


def test_no_address_is_redirected(client):
    """A redirect would be made of the Host header."""
    rules = [rule.rule.replace("<", "").replace(">", "") for rule in client.application.url_map.iter_rules()]
    for path in rules:
        for asked in ("", f"{path}/", f"/{path}", path.replace("/", "//"), f"{path}//", f"{path}/."):
            for method in ("GET", "POST"):
                answer = client.open("/", method=method, environ_overrides={"PATH_INFO": asked})
                assert not 300 <= answer.status_code < 400, asked


def test_an_unknown_service_is_404_and_names_those_there_are(client):
    answer = client.post("/cds-services/nonsense", json=request_of("typical-gaps"))
    assert answer.status_code == 404
    assert "coverage-guidance-order-sign" in outcome_of(answer)["diagnostics"]


def test_an_order_for_another_patient_is_refused(client):
    body = request_of("typical-gaps")
    body["context"]["draftOrders"]["entry"][0]["resource"]["subject"] = {"reference": "Patient/somebody-else"}
    answer = client.post(SIGN, json=body)
    assert answer.status_code == 400
    assert "another patient" in outcome_of(answer)["diagnostics"]


def test_an_order_for_another_patient_that_concerns_no_statement_refuses_nothing(client):
    body = request_of("typical-gaps")
    alone = client.post(SIGN, json=body)
    stray = {"resourceType": "ServiceRequest", "id": "stray", "status": "draft", "intent": "order"}
    stray |= {"subject": {"reference": "Patient/somebody-else"}, "code": {"text": "Lipid panel"}}
    body["context"]["draftOrders"]["entry"].append({"resource": stray})
    assert client.post(SIGN, json=body).get_json() == alone.get_json()


def test_prefetch_values_in_the_shape_before_1_0_are_read(client):
    body = request_of("typical-gaps")
    alone = client.post(SIGN, json=body).get_json()
    values = body["prefetch"].items()
    body["prefetch"] = {key: {"response": {"status": "200 OK"}, "resource": value} for key, value in values}
    assert client.post(SIGN, json=body).get_json() == alone


def test_a_prefetch_value_that_was_refused_in_the_shape_before_1_0_counts_as_failed(client):
    body = request_of("typical-gaps")
    body["prefetch"]["condition"] = {"response": {"status": "403 Forbidden"}}
    (card,) = client.post(SIGN, json=body).get_json()["cards"]
    assert "**Problem list:** the EHR reported that it could not be read" in card["detail"]


@pytest.mark.parametrize(
    ("remark", "patient"),
    [
        ("key absent", ...),
        ("null", None),
        ("the EHR failed", {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}),
        ("somebody else", {"resourceType": "Patient", "id": "somebody-else", "birthDate": "1970-01-01"}),
        ("garbage", "Patient"),
    ],
)
def test_a_recognized_order_without_its_patient_is_412(client, remark, patient):
    body = request_of("typical-gaps")
    if patient is ...:
        del body["prefetch"]["patient"]
    else:
        body["prefetch"]["patient"] = patient
    answer = client.post(SIGN, json=body)
    assert answer.status_code == 412
    issue = outcome_of(answer)
    assert issue["expression"] == ["prefetch.patient"]


def test_an_unrelated_order_without_its_patient_is_silence(client):
    body = request_of("unrelated-order")
    body["prefetch"] = {}
    answer = client.post(SIGN, json=body)
    assert (answer.status_code, answer.get_json()) == (200, {"cards": []})


def test_a_list_that_was_sent_in_part_is_reported_in_the_log_though_no_card_comes(client, capsys):
    """When a chart is opened, silence must not look as if nothing concerned the patient."""
    request = request_of("patient-view-multifidus")
    request["prefetch"]["condition"] = {"resourceType": "Bundle", "type": "searchset", "total": 4}
    response = client.post("/cds-services/coverage-guidance-patient-view", json=request)
    assert response.get_json() == {"cards": []}
    assert capsys.readouterr().err.count("list-failed") == 1


def test_a_policy_that_breaks_says_so_on_one_card_and_in_the_log_without_the_patient(client, monkeypatch, capsys):
    def broken(*arguments: object, **more: object) -> None:
        raise ValueError("Marisol Quintero, born 1978")

    monkeypatch.setattr(decisions, "decide", broken)
    answer = client.post(SIGN, json=request_of("typical-gaps"))
    (card,) = answer.get_json()["cards"]
    assert card["summary"] == "Restorative neurostimulation: coverage criteria could not be checked; order unchanged"
    assert "suggestions" not in card
    logged = capsys.readouterr().err
    assert "policy-failed" in logged
    assert "ValueError" in logged
    assert "Marisol" not in logged


ORIGIN = {"Origin": "https://sandbox.cds-hooks.org"}


@pytest.mark.parametrize("path", ["/cds-services", SIGN])
def test_browsers_may_ask_first(client, path):
    asked = ORIGIN | {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    answer = client.options(path, headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
    allowed = answer.headers["Access-Control-Allow-Headers"].lower()
    assert "authorization" in allowed
    assert "content-type" in allowed


def test_origins_can_be_limited(monkeypatch):
    monkeypatch.setenv("CDS_SERVICE_CORS_ORIGINS", '["https://ehr.example"]')
    settings = Settings()
    limited = create_app(settings, library(), "http://127.0.0.1:8080", lambda: TODAY).test_client()
    assert "Access-Control-Allow-Origin" not in limited.get("/cds-services", headers=ORIGIN).headers
    allowed = limited.get("/cds-services", headers={"Origin": "https://ehr.example"})
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://ehr.example"


def test_the_process_says_that_it_lives(client):
    assert client.get("/healthz").get_json() == {"status": "ok"}


def test_own_addresses_never_come_from_the_host_header(client):
    answer = client.post(SIGN, json=request_of("typical-gaps"), headers={"Host": "localhost:9"})
    assert answer.status_code == 200
    assert b"localhost:9" not in answer.data
