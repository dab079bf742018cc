"""The kind of fact `answer`."""

import pytest

from tests.charts import BASE, QUESTIONNAIRE, attested, fact, named, truth
from tests.spec.pieces import HUM, answered, is_yes
from tests.spec.tables import Row, Table, held

ANSWER = Table(
    "answer",
    "Yes or no, attested in `item` within `look_back_days`.",
    {"hum": HUM},
    is_yes("hum"),
    (
        Row("yes", answered(hum=True), "met"),
        Row("no", answered(hum=False), "not-met"),
        Row("yes, 181 days ago", answered("2025-09-15", hum=True), "unknown"),
    ),
)
TABLES = (ANSWER,)

test_rows = held(*TABLES)


# Today is 15 March 2026.
DAY_180, DAY_181 = "2025-09-16", "2025-09-15"


YES, NO = {"valueBoolean": True}, {"valueBoolean": False}


@pytest.mark.parametrize(("answer", "value", "met"), [(YES, True, "met"), (NO, False, "not-met")], ids=["yes", "no"])
def test_an_answer(answer, value, met):
    found = fact("can-hum-attested", attested({"can-hum": answer}))
    assert found.values == (value,)
    assert found.evidence[0][:4] == ("QuestionnaireResponse/q1", "attested", "yes" if value else "no", "2026-03-01")
    assert truth("can-hum", attested({"can-hum": answer})) == met


@pytest.mark.parametrize(
    "changes",
    named(
        ("amended", {"status": "amended"}),
        ("the last day of the look-back", {"authored": DAY_180}),
        ("today", {"authored": "2026-03-15"}),
        ("today, with a time", {"authored": "2026-03-15T23:59:59Z"}),
        ("tomorrow in Sydney, which is today in UTC", {"authored": "2026-03-16T08:00:00+11:00"}),
        ("another edition of the same statement", {"questionnaire": f"{QUESTIONNAIRE}|0"}),
        ("in a group", {"item": [{"linkId": "group", "item": [{"linkId": "can-hum", "answer": [YES]}]}]}),
        (
            "in a group of groups",
            {"item": [{"linkId": "g", "item": [{"linkId": "h", "item": [{"linkId": "can-hum", "answer": [YES]}]}]}]},
        ),
        (
            "below another answer",
            {"item": [{"linkId": "other", "answer": [{**NO, "item": [{"linkId": "can-hum", "answer": [YES]}]}]}]},
        ),
        ("an answer that is not a list", {"item": [{"linkId": "can-hum", "answer": YES}]}),
        ("beside an item that cannot be read", {"item": [7, {"linkId": "can-hum", "answer": [YES]}]}),
    ),
)
def test_an_answer_that_counts(changes):
    assert fact("can-hum-attested", attested({"can-hum": YES}, **changes)).values == (True,)


@pytest.mark.parametrize(
    "changes",
    named(
        ("in progress", {"status": "in-progress"}),
        ("stopped", {"status": "stopped"}),
        ("entered in error", {"status": "entered-in-error"}),
        ("no status", {"status": ...}),
        ("no date", {"authored": ...}),
        ("a date that is not a date", {"authored": "yesterday"}),
        ("one day beyond the look-back", {"authored": DAY_181}),
        ("in the future", {"authored": "2026-03-17"}),
        ("another statement", {"questionnaire": f"{BASE}/Questionnaire/another|1"}),
        ("another publisher", {"questionnaire": "https://evil.example/Questionnaire/minimal|1"}),
        ("no edition", {"questionnaire": QUESTIONNAIRE}),
        ("no questionnaire", {"questionnaire": ...}),
        ("a questionnaire that is an object", {"questionnaire": {"reference": f"{QUESTIONNAIRE}|1"}}),
        ("another patient", {"subject": {"reference": "Patient/p2"}}),
        ("nobody", {"subject": ...}),
        ("another question", {"item": [{"linkId": "can-sing", "answer": [YES]}]}),
        ("no answer", {"item": [{"linkId": "can-hum"}]}),
        ("an empty list of answers", {"item": [{"linkId": "can-hum", "answer": []}]}),
        ("no items", {"item": ...}),
        ("items that are text", {"item": "can-hum"}),
    ),
)
def test_an_answer_that_does_not_count(changes):
    found = fact("can-hum-attested", attested({"can-hum": YES}, **changes))
    assert (found.values, found.evidence) == ((), ())


@pytest.mark.parametrize(
    ("changes", "note"),
    named(
        ("in progress", {"status": "in-progress"}, "answers are in-progress, not completed"),
        ("no date", {"authored": ...}, "no readable date of answering"),
        ("too old", {"authored": DAY_181}, f"{DAY_181} is more than 180 days ago"),
        ("in the future", {"authored": "2026-03-17"}, "in the future"),
        ("not yes or no", {"item": [{"linkId": "can-hum", "answer": [{"valueString": "yes"}]}]}, "is not yes or no"),
    ),
)
def test_the_reason_why_an_answer_does_not_count(changes, note):
    notes = fact("can-hum-attested", attested({"can-hum": YES}, **changes)).notes
    assert len(notes) == 1
    assert notes[0].endswith(note)


@pytest.mark.parametrize(
    "answer",
    named(
        ("text", {"valueString": "true"}),
        ("a number", {"valueInteger": 1}),
        ("a coding", {"valueCoding": {"code": "Y"}}),
        ("text in the place of a truth", {"valueBoolean": "true"}),
        ("nothing", {}),
        ("null", None),
    ),
)
def test_an_answer_of_the_wrong_type_is_no_answer(answer):
    assert truth("can-hum", attested({"can-hum": answer})) == "unknown"


@pytest.mark.parametrize(
    ("first", "second", "met"),
    named(
        ("a newer answer overtakes", ("2026-02-01", YES), ("2026-03-01", NO), "not-met"),
        ("an older answer is overtaken", ("2026-03-01", YES), ("2026-02-01", NO), "met"),
        ("two of one day that disagree", ("2026-03-01", YES), ("2026-03-01", NO), "unknown"),
        ("two of one day that agree", ("2026-03-01", YES), ("2026-03-01", YES), "met"),
        (
            "a newer one that is not an answer leaves it open",
            ("2026-02-01", YES),
            ("2026-03-01", {"valueString": "?"}),
            "unknown",
        ),
    ),
)
def test_the_newest_answer_wins(first, second, met):
    forms = [
        attested({"can-hum": answer}, id=f"q{number}", authored=authored)
        for number, (authored, answer) in enumerate((first, second))
    ]
    assert truth("can-hum", *forms) == met
    assert truth("can-hum", *forms[::-1]) == met


def test_a_question_answered_both_ways_in_one_form_is_open():
    assert truth("can-hum", attested(item=[{"linkId": "can-hum", "answer": [YES, NO]}])) == "unknown"


def test_an_answer_of_a_month_that_may_be_beyond_the_look_back_is_not_known_to_count():
    known = fact("can-hum-attested", attested({"can-hum": YES}, authored="2025-09"))
    assert (known.values, known.open) == ((True,), True)
    assert known.notes == ("attested: 2025-09 may be more than 180 days ago",)
