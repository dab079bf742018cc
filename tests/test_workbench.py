"""The workbench's server side: patients as a FHIR server, Bundles that people bring, Markdown, and when it is off."""

import json
import re
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.fetch import Fetcher
from cds_service.ehr.search import FetchLimits
from cds_service.ehr.templates import resolve
from cds_service.examples import examples, request_as_of
from cds_service.fhir.terminology import canonical_system, is_standard
from cds_service.installation import Installation, installation_of
from cds_service.service.guide import guide_of
from cds_service.settings.settings import Settings, data_folder
from cds_service.trust.entries import anyone
from cds_service.workbench import facets
from cds_service.workbench.facets import FACETS, OTHER
from cds_service.workbench.patients import FIRST, Patients
from cds_service.workbench.rendering import render
from cds_service.workbench.routes import CONTENT_SECURITY_POLICY
from tests.browser import listening
from tests.shipped import PUBLIC_URL, TODAY, example, library

EXAMPLES = examples(data_folder("fhir_examples"))
SERVICE = "/cds-services/coverage-guidance-"


def client_of(today: date = TODAY, *, workbench: bool = True) -> FlaskClient:
    installation = Installation(workbench=workbench)
    return create_app(Settings(), library(), PUBLIC_URL, lambda: today, installation).test_client()


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return client_of()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, FlaskClient]]:
    """The workbench over real HTTP, with a fetcher that may call it; its address, and a client of the same app."""
    caller = OutgoingClient()
    fetcher = Fetcher(caller, FetchLimits(5_000_000, 20))
    installation = Installation(fetcher=fetcher, open_client=anyone(this_machine=True), workbench=True)
    app = create_app(Settings(), library(), PUBLIC_URL, lambda: TODAY, installation)
    with listening(app) as address:
        yield address, app.test_client()
    fetcher.close()
    caller.close()


def held(name: str, key: str) -> list[dict]:
    """What a FHIR server can hold of one prefetch value of an example, and would answer of this patient."""
    request = example(name)
    value = request["prefetch"][key]
    if value is None or value["resourceType"] != "Bundle":
        return [] if value is None else [value]
    found = [entry["resource"] for entry in value.get("entry", ()) if isinstance(entry, dict) and entry.get("resource")]
    mine = f"Patient/{request['context']['patientId']}"
    subjects = {"Coverage": "beneficiary", "Device": "patient"}
    return [
        item
        for item in found
        if item["resourceType"] == f"{key[0].upper()}{key[1:]}"
        and item.get(subjects.get(item["resourceType"], "subject"), {}).get("reference") == mine
    ]


def codes_of(resource: dict) -> set[str]:
    code = resource.get("code")
    given = code.get("coding", ()) if isinstance(code, dict) else ()
    codings = [item for item in given if isinstance(item, dict)]
    own = {"urn:oid:2.16.840.1.113883.6.1": "http://loinc.org"}
    return {f"{own.get(item.get('system'), item.get('system'))}|{item.get('code')}" for item in codings}


def following(client: FlaskClient, name: str, query: str, size: int) -> list[dict]:
    """The resources of a search, page by page."""
    address, found = f"{query}&_count={size}", []
    while address:
        page = client.get(f"/workbench/fhir/{name}/{address}").get_json(force=True)
        entries = page.get("entry", [])
        assert sum(entry["search"]["mode"] == "match" for entry in entries) <= size
        found += [entry["resource"] for entry in entries if entry["search"]["mode"] == "match"]
        address = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    return found


# --- the FHIR servers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_template_is_answered_with_what_the_example_holds(client, name):
    context = example(name)["context"]
    texts = {key: value for key, value in context.items() if isinstance(value, str)}
    for key, template in library().prefetch_templates.items():
        query = resolve(template, texts)
        answer = client.get(f"/workbench/fhir/{name}/{query.relative}")
        assert answer.status_code == 200
        assert answer.mimetype == "application/fhir+json"
        expected = held(name, key)
        if query.search is None:
            assert [answer.get_json(force=True)] == expected
            continue
        if "&code=" in template:
            asked = set(template.partition("&code=")[2].split(","))
            expected = [item for item in expected if codes_of(item) & asked]
        assert answer.get_json(force=True)["total"] == len(expected)
        for size in (200, 3):
            assert following(client, name, query.relative, size) == expected


@pytest.mark.parametrize("sent", ["full", "lean", "none"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_card_is_that_of_the_example_whatever_the_record_sends(served, name, sent):
    """All prefetch, patient and coverage alone, or none: the service fetches from the workbench what is not sent."""
    address, client = served
    base = f"{address}/workbench/fhir/{name}"
    body = example(name)
    templates = library().prefetch_templates
    keys = {"full": tuple(templates), "lean": ("patient", "coverage"), "none": ()}[sent]
    texts = {key: value for key, value in body["context"].items() if isinstance(value, str)}
    body["prefetch"] = {}
    for key in keys:
        query = resolve(templates[key], texts)
        more = "&_count=200" if query.search is not None else ""
        body["prefetch"][key] = client.get(f"/workbench/fhir/{name}/{query.relative}{more}").get_json(force=True)
    answer = client.post(SERVICE + body["hook"], json=body | {"fhirServer": base})
    assert answer.status_code == 200
    came, expected = (answer.get_json(), json.loads((EXAMPLES[name].folder / "response.json").read_text()))
    if name == "broken-resources":
        # A server holds no resource that is none, and finds by code none whose code is broken.
        came = [card["summary"] for card in came["cards"]]
        expected = ["Restorative neurostimulation: 5 of 8 FDA label criteria need documentation"]
    assert came == expected


def test_a_search_for_what_is_not_known_is_refused_rather_than_answered_with_more(client):
    answer = client.get(f"/workbench/fhir/{FIRST}/Observation?patient=rosalind-achterberg&date=gt2020")
    assert answer.status_code == 400
    assert "'date' is not known" in answer.get_json(force=True)["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nobody/Patient/1", 404),
        (f"{FIRST}/Patient/somebody-else", 404),
        (f"{FIRST}/Condition?patient=rosalind-achterberg&_count=many", 400),
        (f"{FIRST}/Condition?patient=rosalind-achterberg&_count=-1", 400),
    ],
)
def test_every_error_of_the_fhir_server_is_an_operation_outcome(client, path, status):
    answer = client.get(f"/workbench/fhir/{path}")
    assert answer.status_code == status
    assert answer.get_json(force=True)["resourceType"] == "OperationOutcome"


def test_a_search_by_token_knows_the_three_ways_to_write_one(client):
    def found(code: str) -> int:
        query = f"Observation?patient=rosalind-achterberg&code={code}"
        return client.get(f"/workbench/fhir/{FIRST}/{query}").get_json(force=True)["total"]

    assert found("97909-6") == found("http://loinc.org|97909-6") == found("urn:oid:2.16.840.1.113883.6.1|97909-6") == 2
    assert found("|97909-6") == found("http://snomed.info/sct|97909-6") == 0
    assert found("http://loinc.org|97909-6,http://loinc.org|39156-5") > 2


def test_a_search_of_another_patient_finds_nothing(client):
    page = client.get(f"/workbench/fhir/{FIRST}/Condition?patient=somebody-else").get_json(force=True)
    assert page["total"] == 0
    assert "entry" not in page


def test_the_capability_statement_names_every_type_that_is_asked_for(client):
    statement = client.get(f"/workbench/fhir/{FIRST}/metadata").get_json(force=True)
    assert statement["fhirVersion"] == "4.0.1"
    types = {item["type"] for item in statement["rest"][0]["resource"]}
    assert set(library().prefetch_keys.values()) <= types


def batched(client: FlaskClient, *entries: object) -> Any:
    """What the FHIR server answers to a batch of these entries."""
    return client.post(f"/workbench/fhir/{FIRST}", json={"resourceType": "Bundle", "type": "batch", "entry": entries})


def get(url: object) -> dict:
    return {"request": {"method": "GET", "url": url}}


def test_a_batch_answers_each_entry_as_its_address_does(client):
    addresses = [
        "Patient/rosalind-achterberg",
        "Observation?patient=rosalind-achterberg&code=http://loinc.org|97909-6",
        "Condition?patient=rosalind-achterberg&_count=1",
        "Condition?patient=somebody-else",
        "Patient/somebody-else",
        "Condition?shade=red",
        "Condition?_count=many",
    ]
    answer = batched(client, *map(get, addresses))
    assert (answer.status_code, answer.mimetype) == (200, "application/fhir+json")
    bundle = answer.get_json(force=True)
    assert bundle["type"] == "batch-response"
    for address, entry in zip(addresses, bundle["entry"], strict=True):
        alone = client.get(f"/workbench/fhir/{FIRST}/{address}")
        assert entry.get("resource", entry["response"].get("outcome")) == alone.get_json(force=True), address
        assert entry["response"]["status"].partition(" ")[0] == str(alone.status_code), address
    statuses = [entry["response"]["status"] for entry in bundle["entry"]]
    assert statuses[-3:] == ["404 Not Found", "400 Bad Request", "400 Bad Request"]


@pytest.mark.parametrize(
    "entry",
    [
        None,
        7,
        {},
        {"request": None},
        {"request": {"method": "GET"}},
        get(7),
        {"request": {"method": "PUT", "url": "x"}},
    ],
)
def test_an_entry_that_is_no_read_is_refused_alone(client, entry):
    refused, answered = batched(client, entry, get("Patient/rosalind-achterberg")).get_json(force=True)["entry"]
    assert refused["response"]["status"] == "400 Bad Request"
    (issue,) = refused["response"]["outcome"]["issue"]
    assert issue["expression"] == ["Bundle.entry[0].request"]
    assert "resource" not in refused
    assert answered["resource"]["id"] == "rosalind-achterberg"


@pytest.mark.parametrize("count", [0, 51])
def test_a_batch_has_one_to_fifty_entries(client, count):
    answer = batched(client, *[get("Patient/rosalind-achterberg")] * count)
    assert answer.status_code == 400
    assert answer.get_json(force=True)["issue"][0]["diagnostics"] == "A batch has 1 to 50 entries."


def test_what_is_no_batch_needs_a_token(client):
    for body in ([], {"resourceType": "Bundle", "type": "transaction", "entry": [get("Patient/x")]}):
        assert client.post(f"/workbench/fhir/{FIRST}", json=body).status_code == 401


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_nothing_can_be_written(client, method):
    answer = getattr(client, method)(f"/workbench/fhir/{FIRST}/Patient/rosalind-achterberg", json={})
    assert answer.status_code == 405


# --- patients --------------------------------------------------------------------------------------------------------


def test_dates_are_those_of_the_day_and_ages_stay():
    later = date(2031, 6, 1)
    patients = patients_of()
    ages = {line.name: line.age for line in patients.listed(TODAY)}
    assert {line.name: line.age for line in patients.listed(later)} == ages
    opened = patients.opened(FIRST, later)
    moved = request_as_of(EXAMPLES[FIRST], later)
    assert opened.drafts[0] == moved["context"]["draftOrders"]["entry"][0]["resource"]
    assert moved["prefetch"]["patient"] in opened.resources


def patients_of() -> Patients:
    return Patients(data_folder("fhir_examples"), guide_of(Settings(), library(), PUBLIC_URL))


def test_every_example_is_listed_with_its_statement_and_its_outcome():
    lines = patients_of().listed(TODAY)
    assert {line.name for line in lines} == set(EXAMPLES)
    titles = {policy.title for policy in library().policies}
    for line in lines:
        assert line.title == EXAMPLES[line.name].about["title"]
        assert line.facet in FACETS
        cards = json.loads((EXAMPLES[line.name].folder / "response.json").read_text())["cards"]
        assert line.statement in (titles if cards else {""})
        assert (line.facet.title == "No card") == (not cards)
        told = re.match(r"An? (\d+)-year-old", line.title)
        assert told
        assert line.age == int(told.group(1))


def test_the_first_patients_of_the_list_show_every_outcome_that_occurs():
    lines = patients_of().listed(TODAY)
    found = {line.facet.id for line in lines}
    assert len(found) > 4
    assert lines[0].name == FIRST
    assert {line.facet.id for line in lines[: len(found)]} == found


def test_each_outcome_has_one_facet():
    outcomes = [outcome for facet in FACETS for outcome in facet.outcomes]
    assert len(set(outcomes)) == len(outcomes)
    assert facets.facet_of("not listed anywhere") == OTHER


def test_a_patient_is_opened_with_its_context_and_drafts(client):
    found = client.get("/workbench/patients/order-select-leads").get_json()
    request = example("order-select-leads")
    assert found["context"]["selections"] == request["context"]["selections"]
    assert found["drafts"] == [entry["resource"] for entry in request["context"]["draftOrders"]["entry"]]
    assert "draftOrders" not in found["context"]
    assert client.get("/workbench/patients/nobody").status_code == 404


# --- a Bundle that somebody brings -----------------------------------------------------------------------------------


def brought(name: str) -> dict:
    resources = [item for key in example(name)["prefetch"] for item in held(name, key)]
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": item} for item in resources]}


@pytest.mark.parametrize("name", [FIRST, "joint-all-documented"])
def test_a_bundle_becomes_prefetch_that_gives_the_card_of_its_chart(client, name):
    body = example(name)
    asked = {"bundle": brought(name), "templates": dict(library().prefetch_templates)}
    answer = client.post("/workbench/prefetch", json=asked).get_json()
    assert answer["patientId"] == body["context"]["patientId"]
    assert answer["prefetch"].keys() == library().prefetch_templates.keys()
    came = client.post(SERVICE + body["hook"], json=body | {"prefetch": answer["prefetch"]})
    assert came.get_json() == json.loads((EXAMPLES[name].folder / "response.json").read_text())


PATIENT = {"resource": {"resourceType": "Patient", "id": "p"}}


@pytest.mark.parametrize(
    ("bundle", "words", "place"),
    [
        (None, "must be a JSON object", None),
        ([], "must be a JSON object", None),
        ({"hook": "order-sign"}, "a CDS Hooks request, not a Bundle", "hook"),
        ({"resourceType": "Patient"}, "resourceType is 'Patient'", "resourceType"),
        ({"a": 1}, "it has no resourceType", "resourceType"),
        ({"resourceType": "Bundle"}, "The Bundle is empty", "entry"),
        ({"resourceType": "Bundle", "entry": [PATIENT, {}]}, "must be a FHIR resource", "entry[1].resource"),
        (
            {"resourceType": "Bundle", "entry": [PATIENT, {"resource": {"id": "x"}}]},
            "no resourceType",
            "entry[1].resource.resourceType",
        ),
        ({"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Device"}}]}, "no Patient", "entry"),
        (
            {
                "resourceType": "Bundle",
                "entry": [{"resource": {"resourceType": "Patient", "id": str(number)}} for number in range(201)],
            },
            "201 patients; at most 200",
            "entry",
        ),
        ({"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}]}, "no id", "Patient.id"),
    ],
)
def test_a_bundle_is_refused_with_what_and_where(client, bundle, words, place):
    answer = client.post("/workbench/prefetch", json={"bundle": bundle, "templates": {}})
    assert answer.status_code == 422
    issue = answer.get_json(force=True)["issue"][0]
    assert words in issue["diagnostics"]
    assert issue.get("expression", [None]) == [place]


TWO: list[dict] = [
    {"fullUrl": "urn:uuid:a", "resource": {"resourceType": "Patient", "id": "a", "name": [{"text": "Ann"}]}},
    {"fullUrl": "urn:uuid:b", "resource": {"resourceType": "Patient", "name": [{"given": ["Ben"], "family": "B"}]}},
    {"resource": {"resourceType": "Condition", "id": "of-a", "subject": {"reference": "Patient/a"}}},
    {"resource": {"resourceType": "Condition", "id": "of-b", "subject": {"reference": "urn:uuid:b"}}},
    {"resource": {"resourceType": "Coverage", "id": "v", "beneficiary": {"reference": "http://ehr.example/Patient/b"}}},
    {"resource": {"resourceType": "Medication", "id": "of-nobody"}},
    {
        "resource": {
            "resourceType": "ServiceRequest",
            "id": "s",
            "status": "draft",
            "subject": {"reference": "urn:uuid:b"},
        }
    },
]


def test_a_bundle_of_several_patients_is_answered_with_the_patients_to_choose_from(client):
    asked = {"bundle": {"resourceType": "Bundle", "entry": TWO}, "templates": {"condition": "Condition?patient=b"}}
    answer = client.post("/workbench/prefetch", json=asked).get_json()
    assert answer == {
        "patients": [{"id": "a", "name": "Ann", "records": 2}, {"id": "b", "name": "Ben B", "records": 4}]
    }
    chosen = client.post("/workbench/prefetch", json=asked | {"patientId": "b"}).get_json()
    assert [record["id"] for record in chosen["records"]] == ["b", "of-b", "v", "of-nobody"]
    assert [draft["subject"]["reference"] for draft in chosen["drafts"]] == ["Patient/b"]
    found = [entry["resource"]["id"] for entry in chosen["prefetch"]["condition"]["entry"]]
    assert found == ["of-b"]


@pytest.mark.parametrize("patient_id", ["c", 7, {}])
def test_a_patient_that_is_not_in_the_bundle_is_refused(client, patient_id):
    asked = {"bundle": {"resourceType": "Bundle", "entry": TWO}, "templates": {}, "patientId": patient_id}
    answer = client.post("/workbench/prefetch", json=asked)
    assert answer.status_code == 422
    assert answer.get_json(force=True)["issue"][0]["expression"] == ["patientId"]


@pytest.mark.parametrize(
    "templates",
    [None, [], {"patient": 1}, {"patient": "Patient/{{context.nothing}}"}, {"x": "Observation?date=gt2020"}],
)
def test_templates_that_cannot_be_answered_are_refused(client, templates):
    bundle = {"resourceType": "Bundle", "entry": [PATIENT]}
    answer = client.post("/workbench/prefetch", json={"bundle": bundle, "templates": templates})
    assert answer.status_code == 400
    assert answer.get_json(force=True)["resourceType"] == "OperationOutcome"


# --- Markdown --------------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """The tags and attributes of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<iframe srcdoc='<script>parent.document.title=1</script>'></iframe>",
    "<svg/onload=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "[x](file:///etc/passwd)",
    "[x](/policies/elsewhere)",
    "[x](//evil.example/)",
    "[x](&#106;avascript:alert(1))",
    "![x](https://evil.example/track.png)",
    "![x](javascript:alert(1))",
    "<style>body{display:none}</style>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<form action=https://evil.example><input name=a></form>",
    '[x](https://a.example "onmouseover=alert(1)")',
    "| a |\n|---|\n| <td onclick=alert(1)> |",
    "<!--><img src=x onerror=alert(1)>-->",
    "```<script>\nalert(1)\n```",
    "# heading\n\n<h1>heading</h1>",
    "[x]: javascript:alert(1)\n\n[x]",
    "<https://ok.example> <javascript:alert(1)>",
    "\u202e[x](https://ok.example)\u0000<b>",
    "*" * 3000,
    "[" * 3000,
]
ALLOWED = {"a", "blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "strong"}
ALLOWED |= {"table", "tbody", "td", "th", "thead", "tr", "ul"}


@pytest.mark.parametrize("markdown", HOSTILE)
def test_no_markdown_becomes_anything_that_runs_loads_or_leads_to_our_own_pages(client, markdown):
    answer = client.post("/workbench/markdown", json={"text": markdown})
    assert answer.status_code == 200
    for tag, attributes in Tags(answer.get_json()["html"]).found:
        assert tag in ALLOWED
        assert set(attributes) <= ({"href", "rel", "target"} if tag == "a" else set())
        if tag == "a" and "href" in attributes:
            assert urlsplit(attributes["href"] or "").scheme in ("http", "https", "mailto")
            assert attributes["rel"] == "noopener noreferrer"
            assert attributes["target"] == "_blank"


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_card_of_the_examples_is_rendered_with_its_bullets(client, name):
    for card in json.loads((EXAMPLES[name].folder / "response.json").read_text())["cards"]:
        detail = card.get("detail", "")
        html = render(detail)
        assert html.count("<li>") == len(re.findall(r"^- ", detail, re.MULTILINE))
        assert "*" not in html


@pytest.mark.parametrize("body", [{}, {"text": 1}, {"text": "x" * 200_001}, []])
def test_what_is_no_markdown_is_refused(client, body):
    assert client.post("/workbench/markdown", json=body).status_code == 400


# --- on and off ------------------------------------------------------------------------------------------------------

ROUTES = ["/workbench/patients/typical-gaps", "/workbench/fhir/typical-gaps/metadata", "/workbench/", "/workbench"]
POSTS = ["/workbench/prefetch", "/workbench/markdown", "/workbench/validation", "/workbench/validation/response"]


def test_switched_off_nothing_of_it_exists_and_the_start_page_is_the_plain_one():
    client = client_of(workbench=False)
    assert [client.get(path).status_code for path in ROUTES] == [404] * len(ROUTES)
    assert [client.post(path, json={}).status_code for path in POSTS] == [404] * len(POSTS)
    page = client.get("/")
    assert "workbench/main.js" not in page.text
    assert "Try it" in page.text
    assert "Patients" not in page.text


@pytest.mark.parametrize(
    ("setting", "only_this_machine", "on"),
    [("auto", True, True), ("auto", False, False), ("on", False, True), ("off", True, False)],
)
def test_auto_is_on_only_where_nobody_but_this_machine_can_call(tmp_path, setting, only_this_machine, on):
    settings = Settings(workbench=setting, state=tmp_path)
    installation = installation_of(settings, library(), only_this_machine=only_this_machine)
    installation.close()
    assert installation.workbench is on


def test_where_calls_need_a_token_it_is_off_and_on_is_refused_with_a_sentence(tmp_path):
    clients = tmp_path / "clients.json"
    with pytest.raises(ValueError, match="CDS_SERVICE_CLIENTS asks every call for one"):
        Settings(workbench="on", clients=clients)
    assert Settings(clients=clients).workbench == "auto"


@pytest.mark.parametrize("path", ["/", "/services", "/policies"])
def test_every_page_has_a_strict_content_security_policy_and_only_the_workbench_may_call(client, path):
    policy = client.get(path).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert ("connect-src 'self'" in policy) == (path == "/")
    if path == "/":
        assert policy == CONTENT_SECURITY_POLICY


def test_no_script_and_no_style_stands_in_the_page_itself(client):
    html = client.get("/").text
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", html) == []
    assert re.findall(r"<[^>]+\s(?:style|on\w+)=", html) == []
    assert re.findall(r"https?://(?!127\.0\.0\.1)", re.sub(r"data-system=\"[^\"]*\"", "", html)) == []


def test_only_one_function_reads_html_and_no_script_asks_another_host():
    folder = data_folder("fhir_examples").parent / "cds_service" / "web" / "static" / "workbench"
    scripts = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.js")}
    assert len(scripts) >= 7
    reading = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function|srcdoc"
    assert {name: len(re.findall(reading, text)) for name, text in scripts.items() if re.search(reading, text)} == {
        "dom.js": 1
    }
    # The names of code systems are the only addresses in them.
    named = {url for text in scripts.values() for url in re.findall(r"https?://[\w./-]+", text)}
    assert {canonical_system(url) for url in named} == named
    assert all(is_standard(url) for url in named)


def test_the_page_offers_every_act_of_every_statement(client):
    html = client.get("/").text
    for policy in library().policies:
        for act in policy.orders.acts:
            assert f'data-code="{act.code.code}"' in html


def test_the_services_page_explains_every_prefetch_key(client):
    html = client.get("/services").text
    for key in library().prefetch_templates:
        assert f"<code>{key}</code>" in html
    for word in ("hookInstance", "draftOrders", "selections", "fhirAuthorization", "overridden"):
        assert word in html
