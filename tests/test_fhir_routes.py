"""The FHIR routes: artifacts of the policies, packages with their drafts (Da Vinci DTR), and what they refuse."""

import json
import re
from contextlib import closing
from typing import Any

import pytest

from cds_service.app import create_app
from cds_service.fhir import models
from cds_service.installation import Installation, names_of
from cds_service.operations.audit import AuditLog
from cds_service.operations.metrics import Metrics
from cds_service.questionnaire.artifacts import TYPES
from cds_service.questionnaire.expansion import MOST_OF_A_PAGE, Contents, Page, TooCostlyError, expanded
from cds_service.questionnaire.versions import DTR, Version
from cds_service.settings.settings import Settings
from tests.canaries import MARK, Planted, found_below, found_in
from tests.questionnaire_answers import items
from tests.shipped import BASE, TODAY, example, library

OURS = "http://127.0.0.1:8080"
PACKAGE = "/fhir/Questionnaire/$questionnaire-package"
ERRORS = "/fhir/Questionnaire/$log-questionnaire-errors"
FORM = f"{BASE}/Questionnaire/isass-restorative-neurostimulation-2023"
JOINT = f"{BASE}/Questionnaire/isass-si-joint-fusion-2020"
OLDER = {"Accept": "application/fhir+json; dtr=2.0.1"}


@pytest.fixture
def installation(tmp_path):
    audit = AuditLog(tmp_path / "audit", b"a key of the tests", None)
    with closing(Installation(metrics=Metrics(names_of(library())), audit=audit)) as made:
        yield made


@pytest.fixture
def client(installation):
    return create_app(Settings(), library(), OURS, lambda: TODAY, installation).test_client()


def parameters(*listed: Any) -> dict:
    return {"resourceType": "Parameters", "parameter": list(listed)}


def package_of(request: Any, **more: Any) -> dict:
    """What a DTR client sends for the order of an example, with its chart as ``data``."""
    chart = request["prefetch"]
    coverage = chart["coverage"]["entry"][0]["resource"]
    data = [value for key, value in chart.items() if value and key != "coverage"]
    orders = [entry["resource"] for entry in request["context"]["draftOrders"]["entry"]]
    sent = {
        "coverage": [{"resource": coverage}],
        "order": [{"resource": order} for order in orders],
        "data": [{"resource": value} for value in data],
    } | more
    return parameters(*({"name": name, **item} for name, listed in sent.items() for item in listed))


def asked(client, body: Any, **headers: str) -> dict:
    answer = client.post(PACKAGE, json=body, headers=headers)
    assert answer.status_code == 200, answer.data
    return answer.get_json()


def refusal(answer) -> tuple[int, str, str]:
    told = answer.get_json()
    assert (told["resourceType"], answer.mimetype) == ("OperationOutcome", "application/fhir+json")
    (issue,) = told["issue"]
    return answer.status_code, issue["code"], issue["diagnostics"]


# --- artifacts --------------------------------------------------------------------------------------------------------


def test_the_capability_statement_says_what_is_there_and_that_there_is_no_cql(client):
    told = client.get("/fhir/metadata").get_json()
    assert list(models.problems(told)) == []
    (rest,) = told["rest"]
    assert [item["type"] for item in rest["resource"]] == list(TYPES)
    named = {operation["name"] for item in rest["resource"] for operation in item.get("operation", ())}
    assert named == {"questionnaire-package", "log-questionnaire-errors", "expand"}
    assert "CQL" in rest["documentation"]


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("kind", TYPES)
def test_every_artifact_is_valid_and_found_by_id_and_by_address(client, kind, version):
    headers = {"Accept": f"application/fhir+json; dtr={version}"}
    bundle = client.get(f"/fhir/{kind}", headers=headers).get_json()
    assert list(models.problems(bundle)) == []
    found = [entry["resource"] for entry in bundle.get("entry", ())]
    assert bundle["total"] == len(found) == len({item["url"] for item in found}) == len({item["id"] for item in found})
    assert bool(found) == (kind != "Library")
    for item in found:
        assert item["url"].rpartition("/")[2][:50] == item["id"][:50]
        assert client.get(f"/fhir/{kind}/{item['id']}", headers=headers).get_json() == item
        for query in ({"url": item["url"]}, {"url": f"{item['url']}|{item['version']}"}, {"_id": item["id"]}):
            (entry,) = client.get(f"/fhir/{kind}", query_string=query, headers=headers).get_json()["entry"]
            assert entry["resource"] == item


@pytest.mark.parametrize("query", [{"url": FORM, "version": "1900"}, {"url": f"{FORM}|1900"}, {"url": "https://x"}])
def test_another_version_or_address_finds_nothing(client, query):
    found = client.get("/fhir/Questionnaire", query_string=query).get_json()
    assert (found["total"], "entry" in found) == (0, False)


def test_a_search_comes_in_pages(client):
    ids = []
    address = "/fhir/ValueSet?_count=40"
    while address:
        page = client.get(address).get_json()
        ids += [entry["resource"]["id"] for entry in page["entry"]]
        assert len(page["entry"]) <= 40
        following = [link["url"] for link in page["link"] if link["relation"] == "next"]
        address = following[0].removeprefix(OURS) if following else ""
    assert len(ids) == len(set(ids)) == page["total"] > 80


def test_what_cannot_be_searched_is_refused(client):
    assert refusal(client.get("/fhir/Questionnaire?title=x"))[:2] == (400, "not-supported")
    assert refusal(client.get("/fhir/Questionnaire?url=a&url=b"))[:2] == (400, "not-supported")
    assert refusal(client.get("/fhir/Questionnaire?_count=many"))[:2] == (400, "value")
    assert refusal(client.get("/fhir/Questionnaire/none"))[:2] == (404, "not-found")
    assert refusal(client.get("/fhir/Patient"))[0] == 404
    assert refusal(client.get("/fhir/Questionnaire", headers={"Accept": "application/fhir+json; dtr=1"}))[0] == 406


@pytest.mark.parametrize("path", [PACKAGE, ERRORS])
def test_an_operation_is_posted(client, path):
    answer = client.get(path)
    assert refusal(answer)[0] == 405
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_a_value_set_that_lists_its_codes_is_expanded(client):
    url = f"{BASE}/ValueSet/isass-restorative-neurostimulation-2023-pain-score"
    answered = client.get("/fhir/ValueSet/$expand", query_string={"url": url}).get_json()
    assert list(models.problems(answered)) == []
    every = answered["expansion"]["contains"]
    assert {"system": "http://loinc.org", "code": "72514-3", "display": "pain, 0-10 verbal rating"} in every
    sent = parameters(
        {"name": "url", "valueUri": url}, {"name": "count", "valueInteger": 2}, {"name": "offset", "valueInteger": 1}
    )
    page = client.post("/fhir/ValueSet/$expand", json=sent).get_json()["expansion"]
    assert (page["total"], page["contains"]) == (len(every), every[1:3])
    query = {"url": url, "filter": "FACES"}
    found = client.get("/fhir/ValueSet/$expand", query_string=query).get_json()["expansion"]
    assert [item["code"] for item in found["contains"]] == ["38221-8"]


def test_a_value_set_of_families_is_expanded_to_the_codes_that_a_release_has_under_them(client):
    url = f"{BASE}/ValueSet/isass-restorative-neurostimulation-2023-low-back-pain"
    answered = client.get("/fhir/ValueSet/$expand", query_string={"url": url}).get_json()
    assert list(models.problems(answered)) == []
    system, every = "http://hl7.org/fhir/sid/icd-10-cm", answered["expansion"]["contains"]
    assert {"system": system, "code": "M54.42"} in every
    assert len({(item["system"], item["code"]) for item in every}) == len(every) == answered["expansion"]["total"]
    (release,) = answered["expansion"]["parameter"]
    assert (release["name"], release["valueString"].partition("|")[0]) == ("version", system)
    # Whatever it is expanded to falls under its own compose.
    included = answered["compose"]["include"]
    patterns = [each["value"] for part in included for each in part.get("filter", ())]
    named = {concept["code"] for part in included for concept in part.get("concept", ())}
    assert all(
        item["code"] in named or any(re.fullmatch(pattern, item["code"]) for pattern in patterns) for item in every
    )
    pages = [{"url": url, "count": "2", "offset": str(start)} for start in range(0, len(every), 2)]
    answers = [client.get("/fhir/ValueSet/$expand", query_string=page).get_json()["expansion"] for page in pages]
    assert [item for answer in answers for item in answer["contains"]] == every
    nothing = client.get("/fhir/ValueSet/$expand", query_string={"url": url, "count": "0"}).get_json()["expansion"]
    assert (nothing["total"], "contains" in nothing) == (len(every), False)


def test_every_value_set_is_expanded_or_names_the_families_of_which_there_is_no_list(client):
    refused = set()
    for item in client.get("/fhir/ValueSet?_count=200").get_json()["entry"]:
        answer = client.get("/fhir/ValueSet/$expand", query_string={"url": item["resource"]["url"]})
        if answer.status_code != 200:
            assert refusal(answer)[:2] == (422, "too-costly")
            assert "terminology server" in refusal(answer)[2]
            refused.add(item["resource"]["id"])
    # CPT numbers alone: there is no list of them that may be passed on.
    systems = {
        row.system
        for policy in library().policies
        for codes in policy.code_sets.values()
        if f"{policy.id}-{codes.name}" in refused
        for row in codes.families
    }
    assert systems >= {"http://www.ama-assn.org/go/cpt"}
    assert len(refused) == 4


def test_a_long_expansion_comes_in_pages_alone():
    codes = tuple({"system": "s", "code": f"{number:04}"} for number in range(MOST_OF_A_PAGE + 1))

    def listed(page: Page) -> list[Any]:
        answer = expanded({"id": "long"}, Contents(codes), page, "urn:x", "2026-11-23T10:00:00Z")
        return answer["expansion"]["contains"]

    with pytest.raises(TooCostlyError, match="count and offset"):
        listed(Page())
    assert listed(Page(offset=1)) == list(codes[1:])
    assert listed(Page(filter="000")) == [*codes[:10], codes[1000]]
    assert listed(Page(size=5000)) == list(codes[:MOST_OF_A_PAGE])


def test_an_expansion_is_of_a_value_set_that_is_here(client):
    assert refusal(client.get("/fhir/ValueSet/$expand"))[:2] == (400, "required")
    assert refusal(client.get("/fhir/ValueSet/$expand?url=https://x"))[:2] == (404, "not-found")


def test_no_descriptor_of_a_code_pack_is_passed_on(client):
    shown = [
        concept
        for entry in client.get("/fhir/ValueSet").get_json()["entry"]
        for part in entry["resource"]["compose"]["include"]
        for concept in part.get("concept", ())
        if part["system"].endswith("/cpt")
    ]
    ours = {row.label for policy in library().policies for codes in policy.code_sets.values() for row in codes.codes}
    assert shown
    assert {concept["display"] for concept in shown} <= ours


# --- packages ---------------------------------------------------------------------------------------------------------


def test_a_package_holds_the_form_and_a_draft_with_the_numbers_found_and_nothing_attested(client):
    answered = asked(client, package_of(example("typical-gaps")))
    assert list(models.problems(answered)) == []
    (found,) = answered["parameter"]
    assert found["name"] == "packagebundle"
    form, draft = (entry["resource"] for entry in found["resource"]["entry"])
    assert (form["resourceType"], draft["resourceType"]) == ("Questionnaire", "QuestionnaireResponse")
    assert draft["questionnaire"] == f"{FORM}|2023"
    assert draft["status"] == "in-progress"
    assert draft["subject"] == {"reference": "Patient/rosalind-achterberg"}
    assert (draft["author"]["type"], draft["author"]["identifier"]["value"]) == ("Device", "cds-service")
    answers = {
        item["linkId"]: [
            next(value for name, value in given.items() if name.startswith("value")) for given in item["answer"]
        ]
        for item in items(draft)
        if "answer" in item
    }
    assert answers == {
        "pain-duration": ["2023-02"],
        "pain-duration.basis": [{"reference": "Condition/low-back-pain"}],
        "pain-severity": [7],
        "pain-severity.basis": [{"reference": "Observation/pain"}],
        "disability": [44],
        "disability.basis": [{"reference": "Observation/odi"}],
        "bmi": [27.4],
        "bmi.basis": [{"reference": "Observation/bmi"}],
    }
    origins = {
        part["valueCode"]
        for item in items(draft)
        for given in item.get("answer", ())
        for extension in given["extension"]
        for part in extension["extension"]
    }
    assert origins == {"auto-server"}
    assert "therapy session (97110" in draft["text"]["div"]


@pytest.mark.parametrize("name", ["all-met", "joint-all-documented"])
def test_what_was_attested_before_fills_nothing(client, name):
    (found,) = asked(client, package_of(example(name)))["parameter"]
    form, draft = (entry["resource"] for entry in found["resource"]["entry"])
    kinds = {item["linkId"]: item["type"] for item in items(form)}
    answered = {kinds[item["linkId"]] for item in items(draft) if "answer" in item}
    assert answered == {"decimal", "date", "reference"}


def test_the_two_versions_differ_in_names_origins_and_contexts(client):
    body = package_of(example("typical-gaps"))
    newer, older = asked(client, body), asked(client, body, **OLDER)
    assert [item["name"] for item in older["parameter"]] == ["PackageBundle"]
    drafts = [told["parameter"][0]["resource"]["entry"][1]["resource"] for told in (newer, older)]
    contexts = [[extension["url"].rpartition("/")[2] for extension in draft["extension"]] for draft in drafts]
    assert contexts == [["qr-coverage", "qr-context", "intendedUse"], ["qr-context", "qr-context", "intendedUse"]]
    assert '"auto"' in json.dumps(older)
    assert "auto-server" not in json.dumps(older)
    assert "expression" not in json.dumps(older["parameter"][0]["resource"]["entry"][0]).lower()
    assert older["parameter"][0]["resource"]["entry"][0]["resource"]["item"]


def test_a_package_holds_what_its_closed_slices_allow_and_the_form_first(client):
    body = package_of(example("joint-typical-gaps"), questionnaire=[{"valueCanonical": FORM}])
    bundles = [item["resource"] for item in asked(client, body)["parameter"]]
    assert len(bundles) == 2
    for bundle in bundles:
        assert bundle["type"] == "collection"
        kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
        assert kinds == ["Questionnaire", "QuestionnaireResponse"]
        assert f"{DTR}/DTR-QPackageBundle" in bundle["meta"]["profile"]
        form, draft = (entry["resource"] for entry in bundle["entry"])
        assert draft["questionnaire"] == f"{form['url']}|{form['version']}"


# Which answer an item of a type takes (FHIR R4, Questionnaire.item.type), of those that a draft has.
TAKES = {"decimal": "valueDecimal", "date": "valueDate", "reference": "valueReference"}
ORIGINS = {
    Version.V2_2: {"auto-client", "auto-server", "override", "manual"},
    Version.V2_0_1: {"auto", "override", "manual"},
}


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("name", ["typical-gaps", "conflicting-data", "joint-all-documented", "joint-both-sides"])
def test_every_package_obeys_the_rules_of_dtr(client, name, version):
    answered = asked(client, package_of(example(name)), **{"Accept": f"application/fhir+json; dtr={version}"})
    assert list(models.problems(answered)) == []
    bundles = [item["resource"] for item in answered["parameter"] if item["name"] == version.bundle_parameter]
    assert bundles
    for bundle in bundles:
        form, draft = (entry["resource"] for entry in bundle["entry"])
        # oper-12, oper-18: a collection, the form first, one draft of this form in this version.
        assert (bundle["type"], form["resourceType"]) == ("collection", "Questionnaire")
        assert (draft["resourceType"], draft["status"]) == ("QuestionnaireResponse", "in-progress")
        assert draft["questionnaire"] == f"{form['url']}|{form['version']}"
        assert draft["subject"]["reference"].startswith("Patient/")
        # 2.2: qr-coverage names the Coverage and qr-context orders alone; 2.0.1: qr-context names both.
        named: dict[str, list[str]] = {}
        for found in draft["extension"]:
            if "valueReference" in found:
                kind = found["valueReference"]["reference"].partition("/")[0]
                named.setdefault(found["url"].rpartition("/")[2], []).append(kind)
        orders = named["qr-context"]
        assert ("Coverage" in orders) == (version is Version.V2_0_1)
        assert named.get("qr-coverage", ["Coverage"] if version is Version.V2_0_1 else []) == ["Coverage"]
        by_link = {item["linkId"]: item for item in items(form)}
        for item in items(draft):
            for answer in item.get("answer", ()):
                # Nothing attested, each value of the type of its item, with its origin; dtrx-1: none has an author.
                assert TAKES[by_link[item["linkId"]]["type"]] in answer
                (origin,) = [one for one in answer["extension"] if one["url"] == f"{DTR}/information-origin"]
                (source,) = origin["extension"]
                assert source["url"] == "source"
                assert source["valueCode"] in ORIGINS[version]
                assert source["valueCode"].startswith("auto")


def test_a_contrary_record_brings_the_items_to_answer_despite_it(client):
    request = example("typical-gaps")
    scoliosis = {
        "resourceType": "Condition",
        "id": "scoliosis",
        "subject": {"reference": "Patient/rosalind-achterberg"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "M41.26"}]},
    }
    request["prefetch"]["condition"]["entry"].append({"resource": scoliosis})
    (found,) = asked(client, package_of(request))["parameter"]
    form, draft = (entry["resource"] for entry in found["resource"]["entry"])
    links = {item["linkId"] for item in items(form)}
    assert {link for link in links if ".despite" in link} >= {"scoliosis.despite", "scoliosis.despite-why"}
    assert "Conflicting in the chart" in draft["text"]["div"]
    shared = client.get("/fhir/Questionnaire", query_string={"url": FORM}).get_json()
    assert ".despite" not in json.dumps(shared)


def test_without_a_chart_the_draft_is_empty(client):
    body = package_of(example("typical-gaps"), data=[])
    (found,) = asked(client, body)["parameter"]
    assert not [item for item in items(found["resource"]["entry"][1]["resource"]) if "answer" in item]


def outcome_of(answered: dict, name: str = "outcome") -> list[tuple[str, str]]:
    (found,) = (item["resource"] for item in answered["parameter"] if item["name"] == name)
    return [(issue["severity"], issue["code"]) for issue in found["issue"]]


def test_an_unknown_form_is_a_warning_and_the_others_come(client):
    body = package_of(example("typical-gaps"), questionnaire=[{"valueCanonical": f"{FORM}|1900"}])
    answered = asked(client, body)
    assert [item["name"] for item in answered["parameter"]] == ["packagebundle", "outcome"]
    assert outcome_of(answered) == [("warning", "not-found")]
    assert outcome_of(asked(client, body, **OLDER), "operationOutcome") == [("warning", "not-found")]


def test_an_order_that_no_statement_knows_gets_no_form_but_a_notice(client):
    assert outcome_of(asked(client, package_of(example("unrelated-order")))) == [("information", "informational")]


@pytest.mark.parametrize(("since", "number"), [("2026-11-22T00:00:00Z", 1), ("2027-01-01T00:00:00Z", 0)])
def test_a_form_that_did_not_change_is_left_out(client, since, number):
    body = package_of(example("typical-gaps"), changedsince=[{"valueInstant": since}])
    named = [item["name"] for item in asked(client, body)["parameter"]]
    assert named.count("packagebundle") == number
    assert ("outcome" in named) == (number == 0)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"coverage": []}, (400, "required")),
        ({"order": []}, (400, "required")),
        ({"changedsince": [{"valueInstant": "yesterday"}]}, (400, "value")),
        ({"changedsince": [{"valueInstant": "2026-11-22"}]}, (400, "value")),
        ({"changedsince": [{"valueInstant": "9999-12-31T23:59:59-05:00"}]}, (400, "value")),
        ({"order": [{"resource": {"resourceType": "Patient", "id": "x"}}]}, (400, "structure")),
        ({"order": [{"valueString": "none"}]}, (400, "structure")),
        ({"questionnaire": [{"valueCanonical": 1}]}, (400, "structure")),
        ({"data": [{"resource": "text"}]}, (400, "structure")),
    ],
)
def test_what_cannot_be_asked_for_is_refused(client, change, told):
    assert refusal(client.post(PACKAGE, json=package_of(example("typical-gaps"), **change)))[:2] == told


@pytest.mark.parametrize("version", [{}, OLDER])
def test_no_context_is_known_whatever_else_is_asked_for_and_the_capabilities_say_so(client, version):
    body = package_of(example("typical-gaps"), context=[{"valueString": "assertion-1"}])
    status, code, says = refusal(client.post(PACKAGE, json=body, headers=version))
    assert (status, code) == (400, "not-found")
    assert "issues no coverage assertions" in says
    assert "assertion-1" not in says
    (rest,) = client.get("/fhir/metadata").get_json()["rest"]
    offered = [operation for item in rest["resource"] for operation in item.get("operation", ())]
    (package,) = [item for item in offered if item["name"] == "questionnaire-package"]
    assert "context" in package["documentation"]
    assert "400" in package["documentation"]


def test_patients_are_not_mixed(client):
    request = example("typical-gaps")
    request["context"]["draftOrders"]["entry"][0]["resource"]["subject"] = {"reference": "Patient/another"}
    assert refusal(client.post(PACKAGE, json=package_of(request)))[:2] == (400, "business-rule")
    twice = package_of(example("typical-gaps"))
    twice["parameter"].append(twice["parameter"][0])
    assert refusal(client.post(PACKAGE, json=twice))[:2] == (400, "required")
    assert client.post(PACKAGE, json=twice, headers=OLDER).status_code == 200


@pytest.mark.parametrize("body", [[], {}, {"resourceType": "Bundle"}, parameters(1), parameters({"name": ""})])
def test_a_body_that_is_no_parameters_resource_is_refused(client, body):
    assert refusal(client.post(PACKAGE, json=body))[:2] == (400, "structure")


def test_a_body_of_another_media_type_or_size_is_refused(client):
    assert refusal(client.post(PACKAGE, data="x", content_type="text/plain"))[0] == 415
    small = create_app(Settings(max_body_bytes=1000), library(), OURS, lambda: TODAY).test_client()
    assert refusal(small.post(PACKAGE, json=package_of(example("typical-gaps"))))[0] == 413


# --- errors, and what is logged ---------------------------------------------------------------------------------------


def report(*forms: str, text: str = "") -> dict:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "diagnostics": text}]}
    named = ({"name": "questionnaire", "valueCanonical": form} for form in forms)
    return parameters(*named, {"name": "operationOutcome", "resource": outcome})


def test_reported_errors_are_counted_by_statement(client):
    answer = client.post(ERRORS, json=report(f"{FORM}|2023", JOINT, "https://elsewhere.example/Questionnaire/x"))
    assert (answer.status_code, answer.data) == (204, b"")
    exposed = client.get("/metrics").get_data(as_text=True)
    for policy in library().policies:
        assert f'cds_service_form_errors_total{{policy="{policy.id}"}} 1.0' in exposed
    assert 'cds_service_fhir_requests_total{operation="errors",outcome="answered"} 1.0' in exposed


def test_a_report_without_form_or_outcome_is_refused(client):
    assert refusal(client.post(ERRORS, json=report()))[:2] == (400, "required")
    assert refusal(client.post(ERRORS, json=parameters({"name": "questionnaire", "valueCanonical": FORM})))[0] == 400
    assert refusal(client.post(ERRORS, json=report(*[FORM] * 100)))[0] == 413


def test_the_audit_log_has_a_line_for_each_package_and_report(client, tmp_path):
    asked(client, package_of(example("typical-gaps")))
    client.post(ERRORS, json=report(JOINT))
    client.post(PACKAGE, json={})
    client.get("/fhir/Questionnaire")
    lines = [json.loads(line) for path in (tmp_path / "audit").iterdir() for line in path.read_text().splitlines()]
    told = [(line["kind"], line["event"], line["status"], line["forms"]) for line in lines]
    first = ["isass-restorative-neurostimulation-2023|2023"]
    assert told == [
        ("form", "package", 200, first),
        ("form", "errors", 204, ["isass-si-joint-fusion-2020|2020"]),
        ("form", "package", 400, []),
    ]
    assert [bool(line["patient"]) for line in lines] == [True, False, False]


def test_nothing_of_a_patient_reaches_log_metrics_or_audit(client, tmp_path, capfd):
    planted = Planted(example("typical-gaps"))
    body = package_of(planted.request)
    assert client.post(PACKAGE, json=body).status_code == 200
    body["parameter"][1]["resource"]["subject"] = {"reference": f"Patient/{MARK}9001"}
    assert client.post(PACKAGE, json=body).status_code == 400
    assert client.post(ERRORS, json=report(FORM, f"https://x/{MARK}9002", text=f"{MARK}9003")).status_code == 204
    printed = capfd.readouterr()
    assert "fhir" in printed.out + printed.err
    assert found_in(printed.out + printed.err) == set()
    assert found_in(client.get("/metrics").data) == set()
    assert found_below([tmp_path]) == {}
