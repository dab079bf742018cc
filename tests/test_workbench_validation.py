"""The check of a call: for each way to break a request or an answer, the sentence that is read, and its place."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import deepcopy

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.fetch import Fetcher
from cds_service.ehr.search import FetchLimits
from cds_service.examples import examples
from cds_service.installation import Installation
from cds_service.service.guide import guide_of
from cds_service.settings.settings import Settings, data_folder
from cds_service.workbench import remarks, validation
from cds_service.workbench.prefetch_validation import Published
from cds_service.workbench.remarks import Remark
from tests.shipped import PUBLIC_URL, TODAY, example, library

EXAMPLES = examples(data_folder("fhir_examples"))
SIGN, SELECT = "coverage-guidance-order-sign", "coverage-guidance-order-select"
PUBLISHED = Published(library().prefetch_templates, library().prefetch_keys, True)
GUIDE = guide_of(Settings(), library(), PUBLIC_URL)
GRANT = {
    "access_token": "t0ken",
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/*.read",
    "subject": "cds-service",
    "patient": "rosalind-achterberg",
}


@pytest.fixture(scope="module")
def client() -> Iterator[FlaskClient]:
    """A client of a service that fetches what is not sent; nothing here makes it."""
    with closing(OutgoingClient()) as caller, closing(Fetcher(caller, FetchLimits(5_000_000, 20))) as fetcher:
        installation = Installation(fetcher=fetcher, workbench=True)
        yield create_app(Settings(), library(), PUBLIC_URL, lambda: TODAY, installation).test_client()


def put(*path_and_value: object) -> Callable[[dict], None]:
    """Sets a member, by its path."""
    *parents, name, value = path_and_value

    def edit(body: dict) -> None:
        inner = body
        for parent in parents:
            inner = inner[parent]
        inner[name] = value

    return edit


def drop(*path: object) -> Callable[[dict], None]:
    *parents, name = path

    def edit(body: dict) -> None:
        inner = body
        for parent in parents:
            inner = inner[parent]
        del inner[name]

    return edit


def both(*edits: Callable[[dict], None]) -> Callable[[dict], None]:
    def edit(body: dict) -> None:
        for one in edits:
            one(body)

    return edit


def served(**grant: object) -> Callable[[dict], None]:
    """With a FHIR server and a grant that differs in these members; None leaves one out."""
    given = {name: value for name, value in (GRANT | grant).items() if value is not None}
    return both(put("fhirServer", "https://ehr.example/fhir"), put("fhirAuthorization", given))


DRAFT = ("context", "draftOrders", "entry", 0, "resource")
PAGED = {"resourceType": "Bundle", "type": "searchset", "link": [{"relation": "next", "url": "Condition?page=2"}]}
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
STRANGER = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
STRANGER |= {"subject": {"reference": "Patient/somebody-else"}}

REQUESTS = [
    # what is broken, level, path, words
    (drop("hook"), "error", "hook", "hook must be one of patient-view, order-select, order-sign"),
    (put("hook", "order-select"), "error", "hook", "The service answers 400"),
    (drop("hookInstance"), "error", "hookInstance", "hookInstance is required but missing"),
    (put("hookInstance", "1234"), "error", "hookInstance", "must be a UUID"),
    (drop("context"), "error", "context", "context is required"),
    (put("context", []), "error", "context", "The service answers 400: context"),
    (put("extra", 1), "note", "extra", "not a member of a CDS Hooks request"),
    (drop("context", "userId"), "error", "context.userId", "order-sign requires context.userId"),
    (put("context", "userId", "somebody"), "error", "context.userId", "must be Type/id"),
    (put("context", "userId", "Device/1"), "error", "context.userId", "where Type is one of Practitioner"),
    (drop("context", "patientId"), "error", "context.patientId", "context.patientId is required"),
    (put("context", "patientId", "Patient/rosalind-achterberg"), "error", "context.patientId", "must be an id without"),
    (put("context", "encounterId", "Encounter/1"), "error", "context.encounterId", "must be an id without"),
    (put("context", "encounterId", 7), "error", "context.encounterId", "must be text"),
    (put("context", "selections", []), "note", "context.selections", "order-sign has no context field"),
    (drop("context", "draftOrders"), "error", "context.draftOrders", "context.draftOrders is required"),
    (drop("context", "draftOrders", "resourceType"), "error", "context.draftOrders.resourceType", "set resourceType"),
    (drop("context", "draftOrders", "type"), "warning", "context.draftOrders.type", "needs a type"),
    (drop(*DRAFT, "id"), "warning", "context.draftOrders.entry[0].resource.id", "no suggestion can change it"),
    (put(*DRAFT, "status", []), "warning", "context.draftOrders.entry[0].resource", "Not valid in FHIR R4B: status"),
    (
        put(*DRAFT, "subject", {"reference": "Patient/somebody-else"}),
        "error",
        "context.draftOrders.entry[0].resource.subject",
        "a patient other than",
    ),
    (
        put(*DRAFT, "code", "64555"),
        "warning",
        "context.draftOrders.entry[0].resource.code",
        "cannot read this draft as an order",
    ),
    (put(*DRAFT, "status", "completed"), "warning", "context.draftOrders.entry[0].resource", "status completed"),
    (
        put(*DRAFT, "resourceType", "ProcedureRequest"),
        "warning",
        "context.draftOrders.entry[0].resource",
        "send a ServiceRequest",
    ),
    (
        put("prefetch", "condition", {"response": {"status": "200 OK"}, "resource": {"resourceType": "Bundle"}}),
        "error",
        "prefetch.condition",
        "before CDS Hooks 1.0",
    ),
    (put("fhirServer", "ehr.example/fhir"), "error", "fhirServer", "an absolute https address"),
    (put("fhirServer", "http://ehr.example/fhir"), "error", "fhirServer", "must use https"),
    (put("fhirAuthorization", GRANT), "error", "fhirServer", "fhirServer is required"),
    (served(access_token=None), "error", "fhirAuthorization.access_token", "is required: the access token"),
    (served(token_type="MAC"), "error", "fhirAuthorization.token_type", "must be 'Bearer'"),
    (served(expires_in="300"), "error", "fhirAuthorization.expires_in", "in whole seconds"),
    (served(expires_in=True), "error", "fhirAuthorization.expires_in", "is required: the token's lifetime"),
    (served(scope=None), "error", "fhirAuthorization.scope", "the scopes granted"),
    (served(subject=None), "error", "fhirAuthorization.subject", "OAuth 2.0 client id"),
    (served(patient=None), "warning", "fhirAuthorization.patient", "should name that patient"),
    (served(patient="somebody-else"), "error", "fhirAuthorization.patient", "differs from context.patientId"),
    (
        both(served(scope="patient/Patient.read"), drop("prefetch", "condition")),
        "warning",
        "fhirAuthorization.scope",
        "do not cover Condition",
    ),
    (put("prefetch", []), "error", "prefetch", "must be an object that maps prefetch keys"),
    (put("prefetch", "extra", None), "note", "prefetch.extra", "Discovery has no prefetch key 'extra'"),
    (drop("prefetch", "condition"), "warning", "prefetch.condition", "the service cannot fetch it, so criteria"),
    (drop("prefetch", "patient"), "warning", "prefetch.patient", "The service answers 412"),
    (both(served(), drop("prefetch", "condition")), "note", "prefetch.condition", "fetches it from fhirServer"),
    (
        both(drop("prefetch", "condition"), put("context", "patientId", "a b"), put(*DRAFT, "subject", {})),
        "warning",
        "prefetch.condition",
        "cannot resolve its template",
    ),
    (put("prefetch", "condition", OUTCOME), "warning", "prefetch.condition", "cannot use this value"),
    (put("prefetch", "condition", "text"), "warning", "prefetch.condition", "not a FHIR resource"),
    (put("prefetch", "condition", []), "error", "prefetch.condition", "not a list"),
    (put("prefetch", "condition", PAGED), "warning", "prefetch.condition.link", "cannot fetch the rest"),
    (both(served(), put("prefetch", "condition", PAGED)), "note", "prefetch.condition.link", "fetches the rest"),
    (put("prefetch", "condition", STRANGER), "error", "prefetch.condition", "send the whole searchset Bundle"),
    (
        put("prefetch", "condition", STRANGER),
        "warning",
        "prefetch.condition",
        "is for Condition, but the value contains Observation",
    ),
    (
        put("prefetch", "observation", STRANGER),
        "error",
        "prefetch.observation",
        "1 Observation belongs to a patient other than",
    ),
    (put("prefetch", "patient", PAGED), "error", "prefetch.patient", "send the Patient itself"),
    (
        put("prefetch", "patient", "id", "somebody-else"),
        "error",
        "prefetch.patient",
        "This Patient is not the patient in",
    ),
    (
        put("prefetch", "patient", "birthDate", "in May"),
        "warning",
        "prefetch.patient Patient/rosalind-achterberg",
        "Not valid in FHIR R4B: birthDate",
    ),
]


def whole() -> dict:
    request: dict = example("typical-gaps")
    return request


def found_in(client: FlaskClient, body: object, service: str | None = SIGN) -> list[Remark]:
    answer = client.post(f"/workbench/validation{f'?service={service}' if service else ''}", json=body)
    assert answer.status_code == 200
    return [Remark(**item) for item in answer.get_json()["findings"]]


@pytest.mark.parametrize(("edit", "level", "path", "words"), REQUESTS)
def test_each_fault_of_a_request_is_reported_with_its_place_and_what_is_allowed(client, edit, level, path, words):
    body = whole()
    edit(body)
    service = None if words.startswith("hook must be one of") else SIGN
    found = found_in(client, body, service)
    assert any(item.level == level and item.path == path and words in item.text for item in found), found


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "broken-resources"])
def test_no_error_is_found_in_an_example_but_what_it_shows(client, name):
    """One example is a public sandbox's empty order, in a Bundle without type: that is reported, as a warning."""
    found = found_in(client, example(name), EXAMPLES[name].about["service"])
    levels = {item.level for item in found}
    assert levels <= ({"warning", "note"} if name == "sandbox-empty-order" else {"note"}), found


def test_all_faults_are_reported_at_once_errors_first(client):
    body = whole()
    both(put("hookInstance", "x"), drop("context", "userId"), drop("prefetch", "device"), put("more", 1))(body)
    found = found_in(client, body)
    assert {"hookInstance", "context.userId", "prefetch.device", "more"} <= {item.path for item in found}
    ranks = [("error", "warning", "note").index(item.level) for item in found]
    assert ranks == sorted(ranks)


def test_the_broken_resources_of_an_example_are_reported_one_by_one(client):
    found = found_in(client, example("broken-resources"))
    assert sum(item.text.startswith("Not valid in FHIR R4B") for item in found) > 2
    assert any("to a patient other than context.patientId" in item.text for item in found)


def test_only_so_many_records_are_validated_against_their_models(client):
    body = whole()
    broken = {"resourceType": "Condition", "id": "x", "onsetDateTime": "in May"}
    body["prefetch"]["condition"] = {"resourceType": "Bundle", "entry": [{"resource": broken}] * 400}
    found = found_in(client, body)
    assert len(found) <= remarks.MOST_FINDINGS
    assert any("only the first 300" in item.text for item in found)


def test_a_selection_that_names_no_draft_is_reported(client):
    body = example("order-select-leads")
    body["context"]["selections"].append("ServiceRequest/elsewhere")
    found = found_in(client, body, SELECT)
    assert [item.path for item in found if item.level == "error"] == ["context.selections[1]"]
    body["context"]["selections"] = []
    assert any("No order is selected" in item.text for item in found_in(client, body, SELECT))


@pytest.mark.parametrize("body", [[], "text", 7])
def test_a_body_that_is_no_object_has_one_finding(client, body):
    (finding,) = found_in(client, body)
    assert finding == Remark("", "error", "The body must be a JSON object.")


def report_on(client: FlaskClient, body: object) -> dict:
    report: dict = client.post(f"/workbench/validation?service={SIGN}", json=body).get_json()
    return report


def test_a_call_without_a_fault_lists_the_checks_that_passed_and_what_the_service_can_read(client):
    report = report_on(client, whole())
    assert not [item for item in report["findings"] if item["level"] != "note"]
    assert "The service accepts the call" in report["passed"]
    assert "Every record sent counts for this patient" in report["passed"]
    assert any(re.fullmatch(r"\d+ resources are valid against FHIR R4B models", title) for title in report["passed"])
    rows = {row["type"]: row for row in report["delivery"]}
    assert rows["Condition"]["state"] == "whole"
    assert rows["Condition"]["received"] == rows["Condition"]["counted"] > 5
    assert rows["Condition"]["key"] == "condition"


def test_a_problem_list_of_which_nothing_counts_does_not_pass(client):
    """Each Condition is valid by itself, so that only the ledger of the chart can tell."""
    body = whole()
    received = len(body["prefetch"]["condition"]["entry"])
    for entry in body["prefetch"]["condition"]["entry"]:
        entry["resource"]["verificationStatus"] = {"coding": [{"code": "entered-in-error"}]}
        del entry["resource"]["subject"]
    report = report_on(client, body)
    said = [item for item in report["findings"] if item["text"].startswith("The service cannot use any of")]
    assert [(item["path"], item["level"]) for item in said] == [("prefetch.condition", "warning")]
    assert f"any of the {received} Condition" in said[0]["text"]
    assert "Every record sent counts for this patient" not in report["passed"]
    row = next(row for row in report["delivery"] if row["type"] == "Condition")
    assert (row["received"], row["counted"], len(row["dropped"])) == (received, 0, received)


def test_a_refused_call_passes_no_check_that_needs_it_to_be_read(client):
    body = whole()
    del body["hookInstance"]
    report = report_on(client, body)
    assert report["delivery"] == []
    assert "The service accepts the call" not in report["passed"]
    assert not [title for title in report["passed"] if "this patient" in title]


def test_a_body_that_is_no_json_and_a_service_that_is_none_are_refused(client):
    address = "/workbench/validation"
    assert client.post(address, data="{", content_type="application/json").status_code == 400
    assert client.post(f"{address}?service=nothing", json={}).status_code == 404


def test_no_finding_of_a_hostile_request_fails_the_check(client):
    """Every member replaced by every kind of value: always a list of findings."""
    small = whole()
    # One record of each list: what is replaced lies above them.
    for listed in small["prefetch"].values():
        del (listed or {}).get("entry", [])[1:]
    for value in (None, [], {}, "", 7, True, [None], {"a": None}):
        for path in ((), ("context",), ("prefetch",), ("context", "draftOrders"), DRAFT):
            names = small
            for step in path:
                names = names[step]
            for name in list(names):
                body = deepcopy(small)
                put(*path, name, value)(body)
                assert isinstance(validation.request_report(SIGN, body, PUBLISHED, GUIDE).findings, list)


CARD = {"summary": "s", "indicator": "info", "source": {"label": "l"}, "uuid": "u"}
ACTION = {"type": "delete", "description": "d", "resourceId": "ServiceRequest/1"}
OFFER = {"label": "l", "uuid": "u", "actions": [ACTION]}
OFFERING = CARD | {"suggestions": [OFFER], "selectionBehavior": "any"}


def offering(**action: object) -> dict:
    return {"cards": [OFFERING | {"suggestions": [OFFER | {"actions": [ACTION | action]}]}]}


RESPONSES = [
    ({}, "cards", "a list 'cards'"),
    ({"cards": [1]}, "cards[0]", "must be an object"),
    ({"cards": [CARD | {"summary": ""}]}, "cards[0].summary", "needs a summary"),
    ({"cards": [CARD | {"summary": "x" * 140}]}, "cards[0].summary", "fewer than 140"),
    ({"cards": [CARD | {"indicator": "hard-stop"}]}, "cards[0].indicator", "info, warning, critical"),
    ({"cards": [CARD | {"source": {}}]}, "cards[0].source.label", "source with a label"),
    ({"cards": [CARD | {"source": {"label": "l", "url": "/x"}}]}, "cards[0].source.url", "absolute"),
    ({"cards": [CARD | {"uuid": None}]}, "cards[0].uuid", "feedback can refer to the card"),
    ({"cards": [OFFERING | {"selectionBehavior": None}]}, "cards[0].selectionBehavior", "at-most-one, any"),
    ({"cards": [OFFERING | {"suggestions": [{}]}]}, "cards[0].suggestions[0].label", "needs a label"),
    (
        {"cards": [OFFERING | {"suggestions": [OFFER | {"uuid": ""}]}]},
        "cards[0].suggestions[0].uuid",
        "feedback can refer to the suggestion",
    ),
    (offering(type="replace"), "cards[0].suggestions[0].actions[0].type", "create, update, delete"),
    (offering(description=""), "cards[0].suggestions[0].actions[0].description", "needs a description"),
    (offering(resourceId=None), "cards[0].suggestions[0].actions[0].resourceId", "needs a resourceId"),
    (offering(type="update"), "cards[0].suggestions[0].actions[0].resource", "needs the whole resource"),
    ({"cards": [CARD | {"links": [{"label": "l"}]}]}, "cards[0].links[0]", "a label, a url, and a type"),
    (
        {"cards": [CARD | {"links": [{"label": "l", "url": "x", "type": "absolute"}]}]},
        "cards[0].links[0].url",
        "must be absolute",
    ),
    (
        {"cards": [CARD | {"links": [{"label": "l", "url": "https://a.b", "type": "absolute", "appContext": "x"}]}]},
        "cards[0].links[0].appContext",
        "Only a link of type smart",
    ),
    (
        {"cards": [CARD | {"overrideReasons": [{"code": "a"}]}]},
        "cards[0].overrideReasons[0]",
        "a code, a system, and a display",
    ),
    ({"cards": [], "systemActions": []}, "systemActions", "omit it if there are none"),
    ({"cards": [], "systemActions": [{}]}, "systemActions[0].type", "create, update, delete"),
]


@pytest.mark.parametrize(("body", "path", "words"), RESPONSES)
def test_each_fault_of_an_answer_is_reported_with_its_place(client, body, path, words):
    answer = client.post("/workbench/validation/response", json=body)
    assert [(item["path"], words in item["text"]) for item in answer.get_json()["findings"]] == [(path, True)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_is_found_in_the_answers_of_this_service(client, name):
    body = json.loads((EXAMPLES[name].folder / "response.json").read_text())
    answer = client.post("/workbench/validation/response", json=body)
    assert answer.get_json()["findings"] == []
    assert bool(answer.get_json()["passed"]) == bool(body["cards"])
