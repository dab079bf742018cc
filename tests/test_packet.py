"""The packet of a prior authorization: its letter, its FHIR document, and its download."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cds_service.card.evidence_page import evidence_page, page_words
from cds_service.card.evidence_sources import rule_set_part
from cds_service.fhir.models import problems
from cds_service.operations.sealing import Keys, key_id
from cds_service.store.page_keys import GivenKeys
from cds_service.web import packet_routes
from cds_service.web.evidence_links import LAUNCH_PATH
from cds_service.web.letter import Letter, letter
from cds_service.web.packet import MOST_RECORDS, Packet, chosen, cited
from cds_service.web.packet_document import document
from cds_service.web.packet_words import DRAFT, GAPS, STUDIES, WITHOUT
from cds_service.web.packets import SECONDS, Packets
from tests.form_ehr import PATIENT, FormEhr
from tests.form_service import CONTEXT, HEADERS, KEY, OURS, SIGNED, Clock, form_app, opened, posted, signed_in, token_of
from tests.shipped import answers, example

STORIES = ("typical-gaps", "joint-typical-gaps")
ALL = (*STORIES, "all-met", "conflicting-data", "joint-both-sides", "off-label-age-20", "joint-all-documented")
ISSUER = "https://ehr.example/fhir"
IDENTITY = "0f0e0d0c-0b0a-4908-8706-050403020100"
MADE = datetime(2026, 11, 23, 14, tzinfo=UTC)


def story(name: str) -> tuple[dict, dict, Any]:
    """The page of an example's card, the part of its rule set, and its answer."""
    (answer,) = (item for item in answers(example(name)) if item.assessment is not None)
    part = rule_set_part(answer.policy)
    words = replace(page_words(answer.assessment, answer.card["summary"]), references=True)
    found = answer.assessment
    page = evidence_page(found.decision, found.chart, words, card="c", digest=part["digest"], made=MADE)
    return page, part, answer


def resources(name: str) -> list[dict]:
    """All records of an example's call."""
    found = []
    for value in example(name)["prefetch"].values():
        listed = value.get("entry", ()) if value and value["resourceType"] == "Bundle" else ()
        found += [entry["resource"] for entry in listed] or ([value] if value else [])
    return found


def packet(name: str, **changed: Any) -> Packet:
    page, _, _ = story(name)
    records = resources(name)
    (patient,) = (item for item in records if item["resourceType"] == "Patient")
    subject = f"Patient/{patient['id']}"
    coverages = [f"Coverage/{item['id']}" for item in records if item["resourceType"] == "Coverage"]
    found = chosen([subject, *coverages, *cited(page)], records)
    made = Packet(page=page, patient={"name": "Canary Name"}, issuer=ISSUER, subject=subject, records=found.records)
    return replace(made, **changed)


def written(name: str) -> Letter:
    page, part, answer = story(name)
    return letter(page, part, answer.policy.phrases)


def sentences(made: Letter) -> Iterator[str]:
    return (sentence.text for paragraph in made.paragraphs for sentence in paragraph.sentences)


@pytest.mark.parametrize("name", ALL)
def test_every_sentence_of_a_letter_is_tied_to_what_it_rests_on(name):
    made = written(name)
    for paragraph in made.paragraphs:
        for sentence in paragraph.sentences:
            assert sentence.ties, sentence.text
            assert all(1 <= number <= len(made.ties) for number in sentence.ties)
            assert "{" not in sentence.text
    used = {number for paragraph in made.paragraphs for sentence in paragraph.sentences for number in sentence.ties}
    assert used == set(range(1, len(made.ties) + 1))


@pytest.mark.parametrize("name", ALL)
def test_a_letter_claims_what_is_met_and_nothing_else(name):
    page, part, answer = story(name)
    made = written(name)
    claimed = {
        sentence.text.lower()
        for paragraph in made.paragraphs
        if ": " in paragraph.title and paragraph.title not in (GAPS, STUDIES)
        for sentence in paragraph.sentences
    }
    rows = [row for group in page["groups"] for row in group["rows"]]
    for row in rows:
        side = f"{row['part']}: " if row.get("part") else ""
        clause = re.escape(f"{side}{answer.policy.phrases.criteria[row['id']].letter}".lower())
        pattern = clause.replace(re.escape("{value}"), ".+?") + r"[,.]"
        is_claimed = any(re.match(pattern, text) for text in claimed)
        assert is_claimed == (row["result"] in ("met", "attested")), row["id"]
    open_rows = [row for row in rows if row["result"] in ("open", "not-met", "conflict", "not-read")]
    (gaps,) = [item.sentences for item in made.paragraphs if item.title == GAPS] or [()]
    assert len(gaps) >= len(open_rows)
    assert part["studies"]
    assert next(item for item in made.paragraphs if item.title == STUDIES).sentences


def test_what_is_attested_without_a_document_is_counted_apart():
    made = written("all-met")
    assert made.without_document == 11
    assert [item.title.endswith(WITHOUT) for item in made.paragraphs].count(True) == 2
    assert "6 attested without a document" in " ".join(sentences(made))
    assert any("as Tobias Ankersen, MD attested on 11/16/2026." in text for text in sentences(made))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("typical-gaps", "Not documented yet: PT outcome (PT notes: outcome of 8 sessions, last 12/15/2025)."),
        ("typical-gaps", "The patient has had low back pain since 02/2023."),
        ("conflicting-data", "Records conflict on pain onset."),
        ("off-label-age-20", "Not met: age 20 (FDA: adults; read as 22 or older)."),
        ("joint-both-sides", "Left joint: Not documented yet: anatomy (Imaging report: anatomy allows implants)."),
    ],
)
def test_gaps_and_findings_are_said_plainly(name, says):
    assert says in list(sentences(written(name)))


def test_a_tie_names_the_record():
    assert any(re.search(r"\[QuestionnaireResponse/\S+\]$", tie) for tie in written("all-met").ties)
    assert any(re.search(r"\[Observation/\S+\]$", tie) for tie in written("all-met").ties)


def references(value: Any) -> Iterator[str]:
    """Every reference in a resource, but those into itself."""
    if isinstance(value, dict):
        target = value.get("reference")
        if isinstance(target, str) and not target.startswith("#"):
            yield target
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def made_document(found: Packet, name: str) -> dict:
    return document(found, story(name)[1], IDENTITY, "1.0")


@pytest.mark.parametrize("name", ALL)
def test_a_document_is_fhir_and_every_reference_resolves_inside(name):
    made = made_document(packet(name), name)
    assert list(problems(made)) == []
    assert (made["type"], made["entry"][0]["resource"]["resourceType"]) == ("document", "Composition")
    assert made["identifier"]["system"]
    assert made["identifier"]["value"]
    assert made["timestamp"]
    urls = [entry["fullUrl"] for entry in made["entry"]]
    assert len(set(urls)) == len(urls)
    inside = set(references(made))
    assert inside
    assert inside <= set(urls)


@pytest.mark.parametrize("name", ALL)
def test_each_record_that_the_page_rests_on_is_in_the_document_once(name):
    found = packet(name)
    made = made_document(found, name)
    held = [f"{entry['resource']['resourceType']}/{entry['resource'].get('id')}" for entry in made["entry"]]
    sent = {f"{item['resourceType']}/{item.get('id')}" for item in resources(name)}
    for reference in cited(found.page):
        if reference in sent:
            assert held.count(reference) == 1, reference


def test_without_a_signer_a_document_is_preliminary_and_nobody_attests_it():
    composition = made_document(packet("all-met"), "all-met")["entry"][0]["resource"]
    assert composition["status"] == "preliminary"
    assert "attester" not in composition
    assert composition["author"]
    titles = [section["title"] for section in composition["section"]]
    assert titles[0] == "Summary"
    assert {"FDA label criteria", "Attested answers", "Rule set and sources"} <= set(titles)


def test_a_reference_to_what_is_not_inside_becomes_an_identifier():
    found = packet("typical-gaps")
    name, record = next(item for item in found.records.items() if item[0].startswith("Observation/"))
    records = {**found.records, name: record | {"encounter": {"reference": "Encounter/far"}}}
    made = made_document(replace(found, records=records), "typical-gaps")
    (held,) = (entry["resource"] for entry in made["entry"] if entry["fullUrl"] == f"{ISSUER}/{name}")
    assert held["encounter"]["identifier"] == {"system": ISSUER, "value": "Encounter/far"}
    assert "reference" not in held["encounter"]


def test_a_packet_has_room_for_so_many_records():
    many = [{"resourceType": "Observation", "id": str(number)} for number in range(MOST_RECORDS + 7)]
    found = chosen([f"Observation/{item['id']}" for item in many], many)
    assert (len(found.records), found.left_out) == (MOST_RECORDS, 7)


def test_what_a_record_is_known_by_comes_with_it():
    order = {"resourceType": "MedicationRequest", "id": "m", "medicationReference": {"reference": "Medication/d"}}
    drug = {"resourceType": "Medication", "id": "d"}
    assert list(chosen(["MedicationRequest/m"], [order, drug]).records) == ["MedicationRequest/m", "Medication/d"]


def test_a_closed_packet_opens_for_half_an_hour_and_no_other_text_does():
    clock = Clock()
    packets = Packets(GivenKeys(Keys({key_id(KEY): KEY})), clock)
    found = packet("typical-gaps")
    closed = packets.closed(found)
    assert packets.opened(closed) == found
    assert packets.opened(closed[:-4] + "AAAA") is None
    assert packets.opened("") is None
    clock.seconds += SECONDS
    assert packets.opened(closed) is None
    assert Packets(None).closed(found) == ""


@pytest.fixture
def ehr() -> FormEhr:
    return FormEhr(token={"appContext": CONTEXT})


@pytest.fixture
def browser(tmp_path, ehr):
    return form_app(tmp_path, ehr, Clock()).test_client()


def content_of(page: str) -> str:
    return page.partition('name="content" value="')[2].partition('"')[0]


def saved(browser, ehr) -> str:
    """The last page of a form that was signed, as the EHR of the test takes it."""
    path = opened(browser, ehr)
    token = token_of(browser, path)
    posted(browser, path, token, **SIGNED, **{"can-operate-device": "yes", "fit-for-implant": "yes"})
    done = posted(browser, path, token, action="sign")
    assert done.status_code == 200
    return done.get_data(as_text=True)


def part_of(browser, content: str, part: str):
    return browser.post("/packet", base_url=OURS, headers=HEADERS, data={"content": content, "part": part})


def files_of(answer) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(answer.get_data())) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_a_signed_form_gives_a_packet_that_its_signer_attests(browser, ehr):
    content = content_of(saved(browser, ehr))
    files = files_of(part_of(browser, content, packet_routes.DOWNLOAD))
    assert list(files) == [packet_routes.SUMMARY_FILE, packet_routes.LETTER_FILE, packet_routes.DOCUMENT_FILE]
    made = json.loads(files[packet_routes.DOCUMENT_FILE])
    assert list(problems(made)) == []
    composition = made["entry"][0]["resource"]
    kinds = [entry["resource"]["resourceType"] for entry in made["entry"]]
    assert {"Patient", "Practitioner", "QuestionnaireResponse", "ServiceRequest"} <= set(kinds)
    assert composition["status"] == "final"
    (attester,) = composition["attester"]
    signer = next(entry for entry in made["entry"] if entry["fullUrl"] == attester["party"]["reference"])
    assert signer["resource"]["resourceType"] == "Practitioner"
    assert set(references(made)) <= {entry["fullUrl"] for entry in made["entry"]}
    for name in (packet_routes.SUMMARY_FILE, packet_routes.LETTER_FILE):
        assert "Canary-Given Canary-Family" in files[name]
        assert "<script" not in files[name]
        assert "Attested without a document" in files[name]


def test_answers_that_the_ehr_does_not_give_back_are_in_the_packet(browser, ehr):
    ehr.answers["GET", "/QuestionnaireResponse/new-1"] = (403, {})
    made = json.loads(
        files_of(part_of(browser, content_of(saved(browser, ehr)), packet_routes.DOWNLOAD))[packet_routes.DOCUMENT_FILE]
    )
    assert "QuestionnaireResponse" in [entry["resource"]["resourceType"] for entry in made["entry"]]


def test_the_letter_is_a_draft_to_edit_with_the_name_of_the_patient(browser, ehr):
    page = part_of(browser, content_of(saved(browser, ehr)), "letter").get_data(as_text=True)
    for words in (DRAFT, 'contenteditable="true"', "Canary-Given Canary-Family", "Signature:"):
        assert words in page
    assert "the patient is able to operate the device" in page.lower()


def test_the_launched_page_gives_its_packet(browser, ehr):
    answer, _ = signed_in(browser, ehr, LAUNCH_PATH)
    files = files_of(part_of(browser, content_of(answer.get_data(as_text=True)), packet_routes.DOWNLOAD))
    composition = json.loads(files[packet_routes.DOCUMENT_FILE])["entry"][0]["resource"]
    assert (composition["status"], composition["subject"]["reference"]) == (
        "preliminary",
        f"{ISSUER}/Patient/{PATIENT}",
    )


def test_what_is_no_packet_gives_nothing(browser):
    for content in ("", "x.y", "a" * 100):
        answer = part_of(browser, content, packet_routes.DOWNLOAD)
        assert answer.status_code == 404
        assert "This packet is not available" in answer.get_data(as_text=True)


def test_no_page_of_a_packet_is_framed_or_loads_anything_elsewhere(browser, ehr):
    answer = part_of(browser, content_of(saved(browser, ehr)), "letter")
    policy = answer.headers["Content-Security-Policy"]
    for words in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'none'"):
        assert words in policy


def test_words_of_a_chart_are_text_in_every_file(browser, ehr):
    ehr.answers["GET", f"/Patient/{PATIENT}"] = (
        200,
        {"resourceType": "Patient", "id": PATIENT, "birthDate": "1978-05-28", "name": [{"text": "<img src=x>"}]},
    )
    files = files_of(part_of(browser, content_of(saved(browser, ehr)), packet_routes.DOWNLOAD))
    for name in (packet_routes.SUMMARY_FILE, packet_routes.LETTER_FILE):
        assert "<img src=x>" not in files[name]
        assert "&lt;img src=x&gt;" in files[name]
