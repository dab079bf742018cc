"""What a browser posts of a form: which answers it becomes, what is refused in words, and what is dropped."""

from datetime import date

import pytest

from cds_service.documentation import answers
from cds_service.documentation.answers import FormAnswer, ShownBeside
from cds_service.questionnaire.questions import FormQuestion, questions
from tests.shipped import library

TODAY = date(2026, 11, 29)
RULES = library().policy("isass-restorative-neurostimulation-2023")
JOINT = library().policy("isass-si-joint-fusion-2020")
assert RULES is not None
assert JOINT is not None
OPERATE = next(item for item in questions(RULES) if item.link_id == "can-operate-device")
DISABILITY = next(item for item in questions(RULES) if item.link_id == "disability")
INJECTION = next(item for item in questions(JOINT) if item.type == "group")


def answered(question: FormQuestion, posted: dict[str, list[str]], shown: ShownBeside | None = None):
    found, faults = answers.read([question], {question.link_id: shown or ShownBeside()}, posted, TODAY)
    return (found[0] if found else None), {fault.field: fault.sentence for fault in faults}


LINK = OPERATE.link_id


@pytest.mark.parametrize(("written", "value"), [("yes", True), ("no", False)])
def test_a_yes_or_no_is_an_answer(written, value):
    found, faults = answered(OPERATE, {LINK: [written]})
    assert (found.value, faults) == (value, {})
    assert isinstance(found, FormAnswer)


@pytest.mark.parametrize("written", [[""], [], ["  "]])
def test_what_is_left_for_later_is_no_answer(written):
    assert answered(OPERATE, {LINK: written} if written else {}) == (None, {})


@pytest.mark.parametrize("written", ["maybe", "true", "YES", "<script>"])
def test_anything_else_is_refused_in_words(written):
    assert answered(OPERATE, {LINK: [written]}) == (None, {LINK: "Answer yes or no, or leave the question blank."})


@pytest.mark.parametrize(
    ("written", "value"), [("44", "44"), ("44.0", "44"), ("27.4", "27.4"), ("0", "0"), ("100", "100")]
)
def test_a_number_in_its_range_is_an_answer(written, value):
    found, faults = answered(DISABILITY, {"disability": [written]})
    assert (found.value, faults) == (value, {})


@pytest.mark.parametrize("written", ["-1", "101", "1e9", "nan", "inf", "forty", "4" * 20, "44 %"])
def test_a_number_out_of_its_range_or_none_is_refused_in_words(written):
    found, faults = answered(DISABILITY, {"disability": [written]})
    assert found is None
    assert "Enter a number" in faults["disability"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2026-11-02", "2026-11-02"),
        ("11/02/2026", "2026-11-02"),
        ("11/2026", "2026-11"),
        ("2026-11", "2026-11"),
        ("2025", "2025"),
    ],
)
def test_dates_are_read_as_americans_and_as_fhir_write_them(written, value):
    found, faults = answered(OPERATE, {LINK: ["yes"], f"{LINK}.observed": [written]})
    assert (found.observed, faults) == (value, {})


@pytest.mark.parametrize("written", ["13/40/2026", "tomorrow", "2026-11-02T10:00:00Z", "02.11.2026"])
def test_a_date_that_is_none_is_refused_in_words(written):
    _, faults = answered(OPERATE, {LINK: ["yes"], f"{LINK}.observed": [written]})
    assert "Enter a date such as" in faults[f"{LINK}.observed"]


@pytest.mark.parametrize("written", ["12/02/2026", "2026-12", "2027"])
def test_a_date_in_the_future_is_refused_in_words(written):
    _, faults = answered(OPERATE, {LINK: ["yes"], f"{LINK}.observed": [written]})
    assert faults[f"{LINK}.observed"] == "Enter a date that is not in the future."


def test_a_reason_against_stands_on_a_no_alone():
    posted = {f"{LINK}.why-not": ["shoulder"]}
    assert answered(OPERATE, {LINK: ["no"], **posted})[0].why_not == "shoulder"
    assert answered(OPERATE, {LINK: ["yes"], **posted})[0].why_not == ""


def test_what_hangs_on_an_answer_that_is_not_there_is_dropped():
    posted = {f"{LINK}.observed": ["nonsense"], f"{LINK}.basis-text": ["clinic note"]}
    assert answered(OPERATE, posted) == (None, {})


def test_only_offered_records_are_chosen():
    shown = ShownBeside(bases=("DiagnosticReport/1",), contrary=("Condition/2",))
    posted = {LINK: ["yes"], f"{LINK}.basis": ["DiagnosticReport/1", "Patient/9"], f"{LINK}.despite": ["Condition/3"]}
    found, faults = answered(OPERATE, posted, shown)
    assert (found.bases, found.in_spite_of, faults) == (("DiagnosticReport/1",), (), {})
    assert found.has_basis


def test_an_answer_despite_a_record_says_why():
    shown = ShownBeside(contrary=("Condition/2",))
    posted = {LINK: ["yes"], f"{LINK}.despite": ["Condition/2"]}
    assert f"{LINK}.despite-why" in answered(OPERATE, posted, shown)[1]
    found, faults = answered(OPERATE, {**posted, f"{LINK}.despite-why": ["mild"]}, shown)
    assert (found.in_spite_of, found.in_spite_of_why, faults) == (("Condition/2",), "mild", {})
    assert answered(OPERATE, {**posted, LINK: ["no"]}, shown)[0].in_spite_of == ()


def test_a_number_of_the_chart_that_is_left_as_it_is_is_confirmed():
    shown = ShownBeside(value="44")
    assert answered(DISABILITY, {"disability": ["44"]}, shown)[0].is_found
    assert not answered(DISABILITY, {"disability": ["45"]}, shown)[0].is_found


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a\u202eb", "tab\there", "line\nbreak"])
def test_text_is_kept_as_one_line_of_visible_characters(text):
    found, faults = answered(OPERATE, {LINK: ["yes"], f"{LINK}.basis-text": [text]})
    assert faults == {}
    assert found.basis_text.isprintable()


def test_text_that_is_too_long_is_refused_in_words():
    _, faults = answered(OPERATE, {LINK: ["yes"], f"{LINK}.basis-text": ["x" * 201]})
    assert faults == {f"{LINK}.basis-text": "Use at most 200 characters."}


def test_events_are_read_by_their_numbers():
    link = INJECTION.link_id
    inner = INJECTION.inner[0].link_id.removeprefix(link)
    posted = {
        f"{link}[0].date": ["11/02/2026"],
        f"{link}[0]{inner}": ["75" if INJECTION.inner[0].type == "decimal" else "yes"],
    }
    found, faults = answered(INJECTION, posted)
    assert faults == {}
    assert found.events[0][f"{link}.date"] == "2026-11-02"
    assert len(found.events) == 1


def test_an_event_without_its_date_is_refused_in_words():
    link = INJECTION.link_id
    inner = INJECTION.inner[0].link_id.removeprefix(link)
    posted = {f"{link}[1]{inner}": ["75" if INJECTION.inner[0].type == "decimal" else "yes"]}
    assert answered(INJECTION, posted)[1] == {f"{link}[1].date": "Enter the date, or leave these fields blank."}


def test_only_fields_of_the_form_are_kept_and_none_is_long():
    listed = list(questions(RULES))
    posted = {LINK: ["yes"], "unknown": ["x"], f"{LINK}.basis-text": ["x" * 10_000]}
    kept = answers.kept_fields(listed, posted)
    assert set(kept) == {LINK, f"{LINK}.basis-text"}
    assert len(kept[f"{LINK}.basis-text"][0]) == 400
