"""What resources say in free text, the numbers that sentences state, and that reading them grows with their length."""

import base64
from time import thread_time

import pytest

from cds_service.chart.chart import Chart
from cds_service.chart.code_index import Lexicon
from cds_service.chart.narratives import narratives
from cds_service.fhir.bundles import ReadLimits
from cds_service.fhir.narratives import findings_in, narrative_of_parts, sentences
from cds_service.fhir.stated_numbers import stated_number
from cds_service.fhir.types import TYPES
from tests.charts import ME, named

REPORT, OBSERVATION = TYPES["DiagnosticReport"], TYPES["Observation"]
LONGEST = 10_000
LIMITS = ReadLimits(text_characters=LONGEST)
# So many characters that no text is too long.
UNLIMITED = ReadLimits(text_characters=10**9, all_text_characters=10**9)


def attached(text: str, kind: str = "text/plain"):
    return {"presentedForm": [{"contentType": kind, "data": base64.b64encode(text.encode()).decode()}]}


@pytest.mark.parametrize(
    ("resource", "row", "texts"),
    named(
        ("a conclusion", {"conclusion": "Fat."}, REPORT, ("Fat.",)),
        ("a coded conclusion in words", {"conclusionCode": [{"text": "Fat"}]}, REPORT, ("Fat",)),
        ("a text", attached("Fat."), REPORT, ("Fat.",)),
        (
            "HTML",
            attached("<html><style>p{}</style><p>Fat<br/>thin</p></html>", "text/html"),
            REPORT,
            ("\nFat\nthin\n",),
        ),
        ("base64 in lines", {"presentedForm": [{"data": "RmF0\nLg=="}]}, REPORT, ("Fat.",)),
        ("a value behind its name", {"code": {"text": "Lift"}, "valueString": "good"}, OBSERVATION, ("Lift: good",)),
        (
            "a component",
            {"component": [{"code": {"text": "Lift"}, "valueCodeableConcept": {"text": "good"}}]},
            OBSERVATION,
            ("Lift: good",),
        ),
        ("a number", {"code": {"text": "Lift"}, "valueQuantity": {"value": 3}}, OBSERVATION, ()),
        (
            "a document",
            {"content": [{"attachment": {"contentType": "text/plain", "data": "RmF0Lg=="}}]},
            TYPES["DocumentReference"],
            ("Fat.",),
        ),
    ),
)
def test_what_a_resource_says(resource, row, texts):
    assert narrative_of_parts(resource, row, LIMITS).texts == texts


@pytest.mark.parametrize(
    ("resource", "failed", "unread"),
    named(
        ("broken base64", {"presentedForm": [{"data": "?"}]}, "is not base64", ""),
        ("data that is not text", {"presentedForm": [{"data": 3}]}, "has data that is not text", ""),
        ("a conclusion of another form", {"conclusion": 3}, "is of a form that FHIR does not know", ""),
        (
            "a PDF",
            {"presentedForm": [{"contentType": "application/pdf", "data": "JVBERg=="}]},
            "",
            "application/pdf is not read",
        ),
        (
            "an address",
            {"presentedForm": [{"contentType": "text/plain", "url": "Binary/1"}]},
            "",
            "its text was not sent",
        ),
        ("too long", {"conclusion": "x" * (LONGEST + 1)}, "is longer than CDS_SERVICE_MAX_TEXT_CHARACTERS (10000)", ""),
        (
            "too long in base64",
            {"presentedForm": [{"data": "A" * 80_004}]},
            "is longer than CDS_SERVICE_MAX_TEXT_CHARACTERS (10000)",
            "",
        ),
    ),
)
def test_what_cannot_be_read_says_why(resource, failed, unread):
    assert narrative_of_parts(resource, REPORT, LIMITS) == ((), failed, unread)


@pytest.mark.parametrize(
    ("text", "found"),
    named(
        ("no heading", "Fat.", ["Fat."]),
        ("a question above the findings", "INDICATION: fracture?\nFINDINGS: none", ["none"]),
        ("headings in one line", "Seen. INDICATION: fracture? IMPRESSION: none", ["Seen.", "none"]),
        ("a heading alone on its line", "Technique\nSagittal\nImpression\nfat", ["fat"]),
        ("a paragraph behind a question", "HISTORY: fracture?\n\nFat.", ["Fat."]),
        ("a recommendation", "IMPRESSION: fat\nRECOMMENDATION: exclude fracture", ["fat"]),
        ("a numbered list", "1. fat\n2) thin\n- none", ["fat", "thin", "none"]),
        ("a broken line", "fat of the\nmultifidus\nNone", ["fat of the multifidus", "None"]),
    ),
)
def test_the_sentences_that_find_something(text, found):
    assert sentences(findings_in(text)) == found


DEGREES = ("degrees", "degree", "deg", "\u00b0")


@pytest.mark.parametrize(
    ("sentence", "phrase", "units", "number"),
    named(
        ("behind", "Cobb angle 31 degrees", "cobb", DEGREES, 31),
        ("behind more words", "Cobb angle of approximately 28.5\u00b0", "cobb", DEGREES, 28.5),
        ("beside levels", "Cobb L1-L4 measures 25 deg", "cobb", DEGREES, 25),
        ("without its unit", "Cobb 31", "cobb", DEGREES, None),
        ("in another unit", "Cobb, 3 cm shift", "cobb", DEGREES, None),
        ("a grade", "Goutallier grade 2", "goutallier", (), 2),
        ("a Roman grade", "Goutallier III", "goutallier", (), 3),
        ("a grade before", "grade II infiltration (Goutallier)", "goutallier", (), 2),
        ("a level is not a grade", "Goutallier, L4 and L5", "goutallier", (), None),
        ("out of range", "Goutallier 7", "goutallier", (), None),
        ("of something else", "Grade 2", "goutallier", (), None),
    ),
)
def test_the_number_that_a_sentence_states(sentence, phrase, units, number):
    assert stated_number(sentence, (f" {phrase} ",), units, 0, 180 if units else 4) == number


@pytest.mark.parametrize("piece", ["<", "<p>", "a.\n", "INDICATION: ", "\n\n", " \n", "Cobb ", "&#", "(\n"])
def test_reading_a_text_grows_with_its_length(piece):
    def seconds(times: int) -> float:
        text = piece * times

        def once() -> float:
            started = thread_time()
            narrative = narrative_of_parts(attached(text, "text/html"), REPORT, UNLIMITED)
            for said in narrative.texts:
                sentences(findings_in(said))
            return thread_time() - started

        return min(once() for _ in range(3))

    short, long = seconds(4_000), seconds(32_000)
    assert long < max(short, 0.002) * 8 * 4


def test_a_long_name_before_many_notes_makes_no_more_of_them_than_is_read():
    notes = [{"text": f"note {number}"} for number in range(200)]
    measured = {"resourceType": "Observation", "code": {"text": "x" * 9_000}}
    whole = narrative_of_parts(measured | {"note": notes[:100]}, TYPES["Observation"], LIMITS)
    assert (len(whole.texts), whole.failed) == (100, "")
    too_much = narrative_of_parts(measured | {"note": notes}, TYPES["Observation"], LIMITS)
    assert (too_much.texts, "CDS_SERVICE_MAX_ALL_TEXT_CHARACTERS" in too_much.failed) == ((), True)
    parts = [{"code": measured["code"], "note": notes[:100]}] * 3
    spread = narrative_of_parts({"resourceType": "Observation", "component": parts}, TYPES["Observation"], LIMITS)
    assert sum(map(len, spread.texts)) <= LIMITS.all_text_characters
    assert "CDS_SERVICE_MAX_ALL_TEXT_CHARACTERS" in spread.failed


def test_a_report_whose_results_are_beyond_what_is_read_says_that_it_is_not_read():
    results = [
        {"resourceType": "Observation", "id": f"o{number}", "code": {"text": "Impression"}, "subject": ME}
        | {"valueString": "Nothing unusual. " * 5}
        for number in range(4)
    ]
    report = {"resourceType": "DiagnosticReport", "code": {"text": "MRI"}, "subject": ME}
    reports = [
        report | {"id": "r1", "result": [{"reference": "Observation/o3"}]},
        report | {"id": "r2", "result": [{"reference": f"Observation/o{number}"} for number in range(3)]},
    ]

    def failed(most: int) -> list[str]:
        on_record = Chart.of(
            {"Observation": results, "DiagnosticReport": reports},
            {},
            patient_id="p1",
            types=("Observation", "DiagnosticReport"),
            lexicon=Lexicon(()),
            limits=ReadLimits(all_text_characters=most),
        )
        return [item.record.reference for item in narratives(on_record, "DiagnosticReport").failed]

    assert failed(10_000) == []
    assert "DiagnosticReport/r1" in failed(200)
