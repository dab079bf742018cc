"""What a finding says in words, on made-up statements of one criterion; no answer of the language may break it."""

import pytest

from cds_service import service
from cds_service.authoring import cases
from cds_service.card.guidance import Addresses
from cds_service.hooks.hook_request import parse
from cds_service.library import Library
from cds_service.service import Answer, Guide
from cds_service.verdicts.criteria import Finding
from tests.charts import BASE, MINIMAL
from tests.loading import policy_of
from tests.vocabulary import (
    BUZZ,
    CRITERION,
    EXERCISE,
    FIRST_DAY,
    HUM,
    SCORE,
    SESSIONS,
    Row,
    Word,
    answered,
    case_of,
    documents,
    exercise,
    is_yes,
    score,
    sessions,
    yes,
)

EXCUSED = yes("excused", "Humming not tolerated")
SINCE = EXERCISE | {"kind": "since", "in": "months"}
RELIEVED = {"fact": "relief", "at_least": 50}


def answer_to(facts: dict, test: dict, items: dict) -> Answer:
    made = policy_of(MINIMAL, documents(Word("made up", "tests", "", facts, test, ())))
    guide = Guide(Library((made,), BASE), Addresses("http://127.0.0.1:8080", BASE), b"a key for tests only")
    service_id, request = cases.request_of(made, case_of(Row("made up", items, "met")), guide)
    (found,) = service.answer(parse(service_id, request), guide, cases.today_of(made))
    assert found.error is None, repr(found.error)
    return found


def finding(facts: dict, test: dict, items: dict) -> Finding:
    decision = answer_to(facts, test, items).decision
    assert decision is not None
    return decision.findings[CRITERION]


@pytest.mark.parametrize(
    ("facts", "test", "items", "truth", "reason"),
    [
        pytest.param(
            {"function": SCORE},
            {"fact": "function", "more_than": 20, "less_than": 60},
            score(10) | score(70, name="second"),
            "not-met",
            "10 %, 70 %: outside 20 to 60",
            id="values on both sides of limits that do not count themselves",
        ),
        pytest.param(
            {"sessions": SESSIONS},
            {"count": "sessions", "where": {"of": [is_yes("guided"), RELIEVED], "at_least": 2}, "at_least": 1},
            sessions({"date": FIRST_DAY, "relief": 80}),
            "unknown",
            f"0 of 1 session; {FIRST_DAY}: guided not recorded",
            id="so many of a list, asked of an event",
        ),
        pytest.param(
            {"since": SINCE},
            {"fact": "since", "at_most": 6},
            exercise("2025-09-14"),
            "not-met",
            "6.1 months: above 6",
            id="a day beyond six months",
        ),
        pytest.param(
            {"since": SINCE},
            {"fact": "since", "more_than": 6},
            exercise("2024-01-01") | exercise(None, "second"),
            "unknown",
            "what is on record does not settle it; exercise: has no date",
            id="long ago, and one without a date",
        ),
        pytest.param(
            {"exercised": EXERCISE | {"when_absent": {"no": "Every session is billed here."}}},
            is_yes("exercised"),
            {},
            "not-met",
            "exercise: not on record",
            id="what silence denies is not said to be on record",
        ),
        pytest.param(
            {"hum": HUM, "buzz": BUZZ, "excused": EXCUSED},
            {"test": is_yes("hum"), "waived_by": {"any": [is_yes("excused"), is_yes("buzz")]}},
            answered(excused=True),
            "met",
            "waived: humming not tolerated",
            id="only what waives is named",
        ),
        pytest.param(
            {"care": yes("care-start") | {"kind": "onset", "until": "care-end", "aliases": ["care-from"]}},
            {"fact": "care", "at_least": 6},
            answered(care_from="2025-01-10"),
            "unknown",
            "end not recorded",
            id="begun under its other name, with no end",
        ),
    ],
)
def test_truth_and_reason(facts, test, items, truth, reason):
    found = finding(facts, test, items)
    assert (found.truth.value, found.reason) == (truth, reason)


def test_many_events_that_fail_do_not_fill_the_card():
    many = [{"date": f"2025-{month:02}-{day:02}", "relief": 20} for month in range(1, 13) for day in range(1, 28)]
    found = answer_to({"sessions": SESSIONS}, {"count": "sessions", "where": RELIEVED, "at_least": 2}, sessions(*many))
    assert "321 more sessions that do not count" in found.card["detail"]
    assert len(found.card["detail"]) < 1000
