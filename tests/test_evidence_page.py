"""The evidence page as JSON: all that was decided on, no name of a patient, and small enough to keep for each call."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cds_service.card.evidence_page import evidence_page, page_words
from cds_service.card.evidence_rows import ORDER
from cds_service.card.evidence_sources import rule_set_part
from cds_service.card.patient_words import BIRTH_DATE, NAME, NUMBER, Nameless
from cds_service.examples import examples
from cds_service.settings.settings import data_folder
from cds_service.web.evidence_view import evidence_in_words, us_dates, view
from tests.canaries import Planted
from tests.shipped import answers, example, library

MADE = datetime(2026, 11, 23, 14, 41, tzinfo=UTC)
DECIDED = sorted(
    name
    for name in examples(data_folder("fhir_examples"))
    if any(answer.decision is not None for answer in answers(example(name)))
)


def pages(request) -> list[dict]:
    return [
        evidence_page(
            answer.decision,
            answer.assessment.chart,
            page_words(answer.assessment, answer.card["summary"]),
            card=answer.card["uuid"],
            digest=rule_set_part(answer.policy)["digest"],
            made=MADE,
            expires=MADE + timedelta(hours=8),
        )
        for answer in answers(request)
        if answer.decision is not None
    ]


def page_of(name: str) -> dict:
    (page,) = pages(example(name))
    return page


def rows_of(page: dict) -> dict[str, dict]:
    return {row["id"]: row for group in page["groups"] for row in group["rows"]}


def shown(page: dict) -> dict:
    policy = library().policy(page["policy"])
    return view(page, rule_set_part(policy))


@pytest.mark.parametrize("name", DECIDED)
def test_a_page_is_json_and_small(name):
    made = pages(example(name))
    assert made
    assert max(len(json.dumps(page)) for page in made) < 10_000


def concepts_in(value) -> Iterator[dict]:
    """Every concept with words of its own, at any depth."""
    if isinstance(value, dict):
        if isinstance(value.get("text"), str) and "div" not in value:
            yield value
        for inner in value.values():
            yield from concepts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from concepts_in(inner)


@pytest.mark.parametrize("name", DECIDED)
def test_a_page_names_no_patient_and_has_no_birth_date(name):
    planted = Planted(example(name)).request
    patient = planted["prefetch"]["patient"]
    named = [patient["id"], patient["birthDate"]]
    named += [text for human in patient["name"] for text in (human.get("family"), *human.get("given", ())) if text]
    named += [word for text in named for word in text.split()]
    named += [item["value"] for item in patient.get("identifier", ())]
    # The patient's own name in the words of a record is the case that matters.
    for concept in concepts_in(planted["prefetch"]):
        concept["text"] = f"{concept['text']} {' '.join(named)}"
    for page in pages(planted):
        text = json.dumps(page, ensure_ascii=False)
        assert [word for word in named if word in text] == []


def test_every_finding_of_the_verdicts_has_its_row_once():
    (answer,) = answers(example("typical-gaps"))
    listed = [row["id"] for group in page_of("typical-gaps")["groups"] for row in group["rows"]]
    counted = {item.criterion.key for verdict in answer.decision.verdicts for item in verdict.findings}
    assert sorted(listed) == sorted(counted)


@pytest.mark.parametrize("name", ["typical-gaps", "conflicting-data", "broken-resources", "joint-both-sides"])
def test_what_needs_action_comes_first_in_every_group(name):
    for group in page_of(name)["groups"]:
        results = [ORDER.index(row["result"]) for row in group["rows"]]
        assert results == sorted(results)


def test_a_row_holds_value_date_and_code_of_its_evidence():
    rows = rows_of(page_of("typical-gaps"))
    assert rows["disability"]["evidence"] == [{"is": "ODI", "code": "97909-6", "value": "44 %", "date": "2026-10-20"}]
    sessions = rows["physical-therapy"]["evidence"][0]
    assert (sessions["count"], sessions["first"], sessions["date"]) == (7, "2025-10-27", "2025-12-15")
    assert rows["multifidus-dysfunction"]["result"] == "open"


def test_conflicts_show_both_sides_and_ask_for_a_correction():
    page = page_of("conflicting-data")
    rows = rows_of(page)
    results = {name: rows[name]["result"] for name in ("pain-duration", "disability", "prior-lumbar-surgery")}
    assert set(results.values()) == {"conflict"}
    assert rows["prior-lumbar-surgery"]["against"][0]["code"] == "63030"
    assert rows["pain-duration"]["evidence"][1]["attested"]["by"] == "Ines Varga-Holt, MD"
    assert [(title, result) for title, result, _ in shown(page)["first"]] == [
        ("Chronic low back pain", "conflict"),
        ("ODI 21% to 60%", "conflict"),
        ("No prior lumbar surgery", "conflict"),
    ]
    shown_rows = [row for group in shown(page)["groups"] for row in group.rows if row.first]
    assert {row.lines[-1] for row in shown_rows} == {("Resolve", "correct the entry that is wrong")}


def test_titles_are_the_short_phrases_and_what_was_checked_says_the_whole():
    groups = shown(page_of("typical-gaps"))["groups"]
    assert [group.title for group in groups] == ["FDA label criteria", "Additional trial criteria"]
    rows = {row.title: row for group in groups for row in group.rows}
    assert {"Multifidus dysfunction", "Failed PT", "Chronic low back pain", "Pain most days"} < rows.keys()
    assert rows["Failed PT"].checked[0] == "Physical therapy failed"
    assert rows["Age 22 or older"].checked[0] != "Age 22 or older"


def test_the_checklist_names_each_document_once_and_marks_those_of_the_trials():
    checklist = page_of("typical-gaps")["checklist"]
    assert ["Pre-op note", "shoulder reach, cognition; fit for implant"] in checklist
    assert ["Surgical history", "any lumbar surgery (trial)"] in checklist
    trial = [says.endswith(" (trial)") for _, says in checklist]
    assert trial == sorted(trial)
    assert trial.count(False) == 5
    both = [(document, says.endswith(" (trial)")) for document, says in page_of("joint-both-sides")["checklist"]]
    assert len(set(both)) == len(both) > 0


def test_a_report_whose_text_is_not_read_stands_beside_what_was_received():
    request = example("typical-gaps")
    reports = [
        entry["resource"]
        for value in request["prefetch"].values()
        for entry in (value or {}).get("entry", ())
        if entry["resource"]["resourceType"] == "DiagnosticReport"
    ]
    for report in reports[:2]:
        report.pop("conclusion", None)
        report["presentedForm"] = [{"contentType": "application/pdf", "data": "JVBERg=="}]
    (page,) = pages(request)
    received = {row["type"]: row for row in page["received"]}
    assert received["reports"]["text_not_read"] == 2
    assert dict(shown(page)["received"])["Reports"] == f"{len(reports)} received, text not read of 2"
    assert "text not read" not in dict(shown(page_of("typical-gaps"))["received"])["Reports"]


def test_what_the_rule_set_says_to_readers_of_the_page_stands_there():
    page = shown(page_of("typical-gaps"))
    assert "upper limits, age 75 and pain 9 of 10" in page["note"]
    assert page["evidence"].startswith("The sham-controlled trial missed its primary endpoint")
    by_name = shown(page_of("all-met"))["codes"]["line"]
    assert by_name.startswith("Matched by order name; no procedure code on the order.")
    header = shown(page_of("header-diagnosis-code"))["codes"]["line"]
    assert "ICD-10-CM M54.5 is not billable. Use M54.50 (" in header


def test_records_that_do_not_count_are_reported_with_why():
    row = rows_of(page_of("typical-gaps"))["bmi"]
    assert ["body mass index", "2023-09-27 is more than 365 days ago"] in row["not_counted"]


def test_a_list_that_did_not_arrive_is_never_not_found():
    request = example("typical-gaps")
    for key, value in request["prefetch"].items():
        if any(entry["resource"]["resourceType"] == "Procedure" for entry in (value or {}).get("entry", ())):
            request["prefetch"][key] = {"resourceType": "OperationOutcome", "issue": []}
    (page,) = pages(request)
    received = {row["type"]: row for row in page["received"]}
    assert received["procedures"]["state"] == "failed"
    told = dict(shown(page)["received"])
    assert told["Procedures"].startswith("not received: the request failed. ")
    assert told["Care plans"] == "none found"


def test_the_same_decision_gives_the_same_page():
    assert page_of("all-met") == page_of("all-met")


def test_the_words_of_a_card_stand_where_they_are_given():
    (answer,) = answers(example("typical-gaps"))
    words = replace(
        page_words(answer.assessment, answer.card["summary"]),
        outcome="gaps",
        summary="A summary",
        checklist=(("PT notes", "outcome of 8 visits"),),
        needs={"physical-therapy": ("PT notes", "outcome of 8 visits")},
    )
    page = evidence_page(answer.decision, answer.assessment.chart, words, card="c", digest="d", made=MADE)
    assert (page["outcome"], page["summary"], page["expires"]) == ("gaps", "A summary", None)
    row = next(row for group in shown(page)["groups"] for row in group.rows if row.title == "Failed PT")
    assert row.lines[-1] == ("Needed", "PT notes: outcome of 8 visits")
    assert shown(page)["changed"]


def test_a_flood_of_records_does_not_make_a_long_page():
    request = example("typical-gaps")
    conditions = next(
        value
        for value in request["prefetch"].values()
        if any(entry["resource"]["resourceType"] == "Condition" for entry in (value or {}).get("entry", ()))
    )
    pattern = next(entry["resource"] for entry in conditions["entry"] if entry["resource"]["id"] == "low-back-pain")
    for number in range(2000):
        copy = pattern | {"id": f"pain-{number}", "onsetDateTime": f"20{number % 20:02}-02"}
        conditions["entry"].append({"resource": copy})
    (page,) = pages(request)
    assert len(json.dumps(page)) < 20_000


# --- words -----------------------------------------------------------------------------------------------------------

PATIENT = {
    "id": "mrn-778812",
    "birthDate": "1978-03-02",
    "identifier": [{"value": "A1234567"}],
    "name": [{"family": "Back", "given": ["Rosalind", "Li"]}],
}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Rosalind has low back pain", f"{NAME} has low back pain"),
        ("Mrs. Back, low back pain", f"Mrs. {NAME}, low back pain"),
        ("rosalind back called", f"{NAME} called"),
        ("BACK, ROSALIND", NAME),
        ("Li Back came", f"{NAME} came"),
        ("MRN A1234567.", f"MRN {NUMBER}."),
        ("Patient/MRN-778812", f"Patient/{NUMBER}"),
        ("born 03/02/1978 and 1978-03-02", f"born {BIRTH_DATE} and {BIRTH_DATE}"),
        ("born March 2, 1978", f"born {BIRTH_DATE}"),
        ("back pain since 2023, feedback", "back pain since 2023, feedback"),
    ],
)
def test_names_numbers_and_birth_date_are_left_out_of_the_words_of_a_chart(text, left):
    assert Nameless([PATIENT])(text) == left


def test_a_record_of_the_day_of_birth_shows_its_year_alone():
    nameless = Nameless([PATIENT])
    assert nameless.date("1978-03-02") == "1978"
    assert nameless.date("2020-03-02") == "2020-03-02"
    assert nameless.date(None) is None


@pytest.mark.parametrize(
    "patient", [{}, {"name": "x", "identifier": 3, "birthDate": 5}, {"name": [None, {"given": 4}]}]
)
def test_a_patient_of_any_shape_is_read(patient):
    assert Nameless([patient])("as it was") == "as it was"


@pytest.mark.parametrize(
    ("item", "line"),
    [
        ({"is": "ODI", "code": "97909-6", "value": "44 %", "date": "2026-10-20"}, "ODI (97909-6), 44%, 10/20/2026"),
        (
            {"is": "session", "count": 2, "noun": "sessions", "first": "2025-01-02", "date": "2025-02-03"},
            "Session, 2 sessions, 01/02/2025 to 02/03/2025",
        ),
        (
            {"value": "yes", "date": "2026-11-16", "attested": {"by": "Dr. X", "role": "surgeon"}},
            "Attested by Dr. X (surgeon), 11/16/2026",
        ),
        (
            {"value": "since 2026-10-05", "attested": {"by": "an unnamed author"}},
            "Attested: since 10/05/2026, by signer not recorded",
        ),
        ({"is": "MRI", "quote": "No change.", "remark": "by its words"}, "MRI, “No change.” (by its words)"),
        ({"more": 4}, "4 more in the chart, not listed here"),
    ],
)
def test_evidence_is_one_line(item, line):
    assert evidence_in_words(item) == line


def test_dates_are_us_dates_and_codes_stay():
    assert us_dates("2026-11-02 is more than 90 days after 2026-08, LOINC 72514-3") == (
        "11/02/2026 is more than 90 days after 08/2026, LOINC 72514-3"
    )
