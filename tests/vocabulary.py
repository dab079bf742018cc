"""The words of the policy language, each with what it means and a table of patients: a test, and the page for authors.

The table stands in cards/README.md; ``python -m tests.test_docs`` writes it anew. The patients are items of cases.json,
held by the real service against a made-up statement that has nothing but the word's own facts and test.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from cds_service.authoring import cases
from cds_service.card.guidance import Addresses
from cds_service.library import Library
from cds_service.policy.model import Policy
from cds_service.service import Guide
from tests.charts import BASE, MINIMAL
from tests.loading import policy_of, read_documents

Json = dict[str, Any]
CRITERION = "asked"
KNEE = "SNOMED CT|72696002"
RIGHT, LEFT, BOTH = "SNOMED CT|24028007", "SNOMED CT|7771000", "SNOMED CT|51440002"
SIDES = {
    "right-side": {"title": "Right", "text": ["right", "bilateral"], "codes": [RIGHT, BOTH]},
    "left-side": {"title": "Left", "text": ["left", "bilateral"], "codes": [LEFT, BOTH]},
}
SCOPE = {
    "name": "knee",
    "parts": [
        {"id": "right", "label": "right knee", "codes": "right-side"},
        {"id": "left", "label": "left knee", "codes": "left-side"},
    ],
}


@dataclass(frozen=True)
class Row:
    """One patient: what is on record, in words and as items, what is ordered, and the truth.

    ``expect`` is what comes out where that is no truth of the criterion; ``profile`` a rule to be held against.
    """

    says: str
    items: Json
    truth: str
    order: Json = field(default_factory=dict)
    part: str = ""
    expect: Json | None = None
    profile: str | None = None


@dataclass(frozen=True)
class Word:
    """A word: where it stands, what it means, the facts and the test that show it, and its patients."""

    name: str
    group: str
    meaning: str
    facts: Json
    test: Json
    rows: tuple[Row, ...]
    more: Json = field(default_factory=dict)
    sets: Json = field(default_factory=dict)
    shows: Json | None = None

    @property
    def example(self) -> Json:
        """What an author would write: the fact for a word of facts, the test for a word of tests."""
        return self.shows or (next(iter(self.facts.values())) if self.group == "facts" else self.test)


def born(day: str) -> Json:
    return {"person": {"born": day}}


def answered(date: str = "2026-03-01", **answers: Any) -> Json:
    """A form; an underscore in a name stands for the dash of the linkId, two for its dot."""
    return {
        "form": {
            "answers": {name.replace("__", ".").replace("_", "-"): value for name, value in answers.items()},
            "date": date,
        }
    }


def score(value: Any, unit: str = "%", date: str = "2026-03-01", name: str = "score") -> Json:
    return {name: {"observation": "LOINC|97909-6", "value": value, "unit": unit, "date": date}}


def exercise(date: str | None = "2026-02-01", name: str = "exercise", **more: Any) -> Json:
    item = {"procedure": "CPT|97110"} | more
    return {name: item | {"date": date} if date else item}


def diagnosis(code: str = "ICD-10-CM|M25.561", **more: Any) -> Json:
    return {"diagnosis": {"condition": code} | more}


def yes(item: str, title: str | None = None, **more: Any) -> Json:
    """A fact that is attested."""
    return {
        "kind": "answer",
        "title": title or f"Can {item}",
        "item": item,
        "look_back_days": 180,
        "when_absent": "unknown",
    } | more


def is_yes(fact: str) -> Json:
    return {"fact": fact, "is": True}


AGE = {"age": {"kind": "age", "title": "Age", "when_absent": "unknown"}}
SCORE = {
    "kind": "measurement",
    "title": "Function score",
    "codes": "function-score",
    "item": "function",
    "look_back_days": 180,
    "unit": "%",
    "units": {"%": [1], "{score}": [1, 2]},
    "range": [0, 100],
    "when_absent": "unknown",
}
EXERCISE = {
    "kind": "record",
    "title": "Exercise",
    "codes": "exercise",
    "resources": ["Procedure"],
    "state": "ever",
    "when_absent": "unknown",
}
ONSET = {"kind": "onset", "title": "Knee pain since", "codes": "knee-pain", "when_absent": "unknown"}
HUM, BUZZ, RING = yes("hum"), yes("buzz"), yes("ring")
THREE = {"hum": HUM, "buzz": BUZZ, "ring": RING}
SESSIONS = {
    "kind": "events",
    "title": "Humming session",
    "codes": "exercise",
    "resources": ["Procedure"],
    "state": "ever",
    "item": "session",
    "noun": ["session", "sessions"],
    "attributes": {
        "guided": {"kind": "answer", "title": "Guided", "item": "guided"},
        "before": {"kind": "measurement", "title": "Pain before", "item": "before", "unit": "", "range": [0, 10]},
        "after": {"kind": "measurement", "title": "Pain after", "item": "after", "unit": "", "range": [0, 10]},
        "relief": {"kind": "reduction", "title": "Relief", "from": "before", "to": "after", "item": "relief"},
    },
    "when_absent": "unknown",
}
FIRST_DAY, SECOND_DAY = "2026-01-10", "2026-02-10"


def sessions(*groups: Json) -> Json:
    return {"form": {"answers": {"session": list(groups)}, "date": "2026-03-01"}}


COUNT = {"count": "sessions", "where": {"fact": "relief", "at_least": 50}, "at_least": 2}
REDUCED = {
    "before": yes("before", "Pain before") | {"kind": "measurement", "unit": "", "range": [0, 10]},
    "after": yes("after", "Pain after") | {"kind": "measurement", "unit": "", "range": [0, 10]},
    "relief": {
        "kind": "reduction",
        "title": "Relief",
        "from": "before",
        "to": "after",
        "item": "relief",
        "when_absent": "unknown",
    },
}

PROFILES = {
    "bulletin": {
        "title": "As a bulletin asks",
        "source": "primer",
        "parameters": {"least": 50},
        "all": [CRITERION],
        "next_review": "2027-01-01",
    },
    "unseen": {
        "title": "As an unseen rule asks",
        "source": "primer",
        "pending": "Its text was not seen.",
        "next_review": "2027-01-01",
    },
}
PATHWAYS = [
    {
        "id": "replaced",
        "title": "Replacement",
        "orders": {"text": ["knee replacement"]},
        "when": is_yes("surgery"),
        "says": "replacement",
    }
]
AGAIN = {"order": "", "text": "Right knee replacement"}
DRIVER = {"order": "CPT|22222"}

WORDS: tuple[Word, ...] = (
    # --- facts -------------------------------------------------------------------------------------------------------
    Word(
        "age",
        "facts",
        "Years of age, from Patient.birthDate.",
        AGE,
        {"fact": "age", "at_least": 18},
        (
            Row("born 18 years ago today", born("2008-03-15"), "met"),
            Row("born a day later", born("2008-03-16"), "not-met"),
            Row("born in March of that year", born("2008-03"), "unknown"),
        ),
    ),
    Word(
        "onset",
        "facts",
        "Time since the earliest recorded onset of a Condition in `codes`, and since the date attested in `item`.",
        {"onset": ONSET},
        {"fact": "onset", "at_least": 90},
        (
            Row("since 90 days", diagnosis(onset="2025-12-15"), "met"),
            Row("since 89 days", diagnosis(onset="2025-12-16"), "not-met"),
            Row("since some day of that month", diagnosis(onset="2025-12"), "unknown"),
            Row("a diagnosis without onset", diagnosis(), "unknown"),
        ),
    ),
    Word(
        "since",
        "facts",
        "Time since the newest record in `codes`, or since the date attested in `item`.",
        {"since": EXERCISE | {"kind": "since", "in": "months"}},
        {"fact": "since", "at_most": 6},
        (
            Row("the newest 6 months ago", exercise("2024-01-01") | exercise("2025-09-15", "second"), "met"),
            Row("6 months and a day ago", exercise("2025-09-14"), "not-met"),
            Row("some day of that month", exercise("2025-09"), "unknown"),
            Row("a record without a date", exercise(None), "unknown"),
            Row("6 months ago, and one without a date", exercise("2025-09-15") | exercise(None, "second"), "met"),
        ),
    ),
    Word(
        "measurement",
        "facts",
        "The newest number within `look_back_days`: Observations in `codes`, answers to `item`. `units` maps each unit "
        "that is accepted to its possible factors, `range` is what is possible.",
        {"function": SCORE},
        {"fact": "function", "at_least": 30},
        (
            Row("30 %", score(30), "met"),
            Row("29 %", score(29), "not-met"),
            Row("20 points, of 50 or of 100", score(20, "{score}"), "unknown"),
            Row("no unit", {"score": {"observation": "LOINC|97909-6", "value": 40, "date": "2026-03-01"}}, "unknown"),
        ),
    ),
    Word(
        "reduction",
        "facts",
        "By how many percent a number fell `from` one measurement `to` another, or as stated in `item`; never rounded.",
        REDUCED,
        {"fact": "relief", "at_least": 75},
        (
            Row("from 8 to 2", answered(before=8, after=2), "met"),
            Row("from 10 to 2.51: 74.9 %", answered(before=10, after=2.51), "not-met"),
            Row("from 0: nothing to compute", answered(before=0, after=0), "unknown"),
            Row("stated as 70-80%", answered(relief="70-80%"), "unknown"),
            Row("stated as 80 %, but from 8 to 6", answered(before=8, after=6, relief=80), "unknown"),
        ),
        shows=REDUCED["relief"],
    ),
    Word(
        "answer",
        "facts",
        "Yes or no, attested in `item` within `look_back_days`.",
        {"hum": HUM},
        is_yes("hum"),
        (
            Row("yes", answered(hum=True), "met"),
            Row("no", answered(hum=False), "not-met"),
            Row("yes, 181 days ago", answered("2025-09-15", hum=True), "unknown"),
        ),
    ),
    Word(
        "record",
        "facts",
        "Yes where one of `resources` carries a code (or the words) of `codes` and counts as evidence; `state` is "
        "active or ever, optionally at a `site`, for a `reason`, within `look_back_days`.",
        {"exercised": EXERCISE},
        is_yes("exercised"),
        (
            Row("on record", exercise(), "met"),
            Row("entered in error", exercise(status="entered-in-error"), "unknown"),
            Row("nothing on record", {}, "unknown"),
        ),
    ),
    Word(
        "events",
        "facts",
        "Things that happened, to be counted: records in `codes`, and groups attested under `item`, each with "
        "`attributes`. What is recorded twice for one day is one event.",
        {"sessions": SESSIONS},
        {"count": "sessions", "at_least": 2},
        (
            Row(
                "two days",
                exercise(FIRST_DAY) | exercise(SECOND_DAY, "second"),
                "met",
            ),
            Row("one day, recorded twice", exercise(FIRST_DAY) | exercise(FIRST_DAY, "second"), "unknown"),
            Row(
                "one day as a record and in a form, another in the form",
                exercise(FIRST_DAY) | sessions({"date": FIRST_DAY}, {"date": SECOND_DAY}),
                "met",
            ),
            Row("two that may be of one day", exercise("2026-01") | exercise(FIRST_DAY, "second"), "unknown"),
        ),
    ),
    Word(
        "order",
        "facts",
        "Yes where a draft of the call carries a code of `codes` that is valid on the date of service, or its words; "
        "else no. With `reason` instead: yes where a draft is for a reason of that set, else unknown.",
        {"coil-ordered": {"kind": "order", "title": "Old coil", "codes": "old-coil", "when_absent": "unknown"}},
        is_yes("coil-ordered"),
        (
            Row("ordered for the last day of the old meaning", {}, "met", {"service": "2025-12-31"}),
            Row("ordered for the day after", {}, "not-met", {"service": "2026-01-01"}),
            Row(
                "ordered in the old year for the new one",
                {},
                "not-met",
                {"date": "2025-12-30", "service": "2026-01-05"},
            ),
        ),
        sets={
            "old-coil": {"title": "Coil, old meaning", "codes": [{"code": "CPT|11111", "valid_until": "2025-12-31"}]}
        },
    ),
    Word(
        "parts",
        "facts",
        "How many parts of the scope the order names.",
        {"knees": {"kind": "parts", "title": "Knees ordered", "when_absent": "unknown"}},
        {"fact": "knees", "at_most": 1},
        (
            Row("one side", {}, "met", {"side": [RIGHT]}),
            Row("both sides", {}, "not-met", {"side": [BOTH]}),
        ),
        more={"scope": SCOPE},
        sets=SIDES,
    ),
    # --- options of facts --------------------------------------------------------------------------------------------
    Word(
        "in",
        "options",
        "`onset` and `since` count days, or calendar months with the share of the month begun.",
        {"onset": ONSET | {"in": "months"}},
        {"fact": "onset", "at_least": 6},
        (
            Row("6 months ago to the day", diagnosis(onset="2025-09-15"), "met"),
            Row("a day less", diagnosis(onset="2025-09-16"), "not-met"),
            Row("some day of that month", diagnosis(onset="2025-09"), "unknown"),
        ),
        shows={"in": "months"},
    ),
    Word(
        "until",
        "options",
        "What began on the date in `item` ended on the date attested here; without it the time is unknown.",
        {
            "care": yes("care-start", "Months of care")
            | {"kind": "onset", "until": "care-end", "in": "months", "answer_look_back_days": 180}
        },
        {"fact": "care", "at_least": 6},
        (
            Row("6 months", answered(care_start="2025-01-10", care_end="2025-07-10"), "met"),
            Row("a day less", answered(care_start="2025-01-10", care_end="2025-07-09"), "not-met"),
            Row("no end", answered(care_start="2025-01-10"), "unknown"),
        ),
        shows={"item": "care-start", "until": "care-end"},
    ),
    Word(
        "aliases",
        "options",
        "Other linkIds of the same finding: however often and under whatever name, it counts once.",
        {"hum": HUM | {"aliases": ["murmur"]}, "buzz": BUZZ},
        {"of": [is_yes("hum"), is_yes("buzz")], "at_least": 2},
        (
            Row("one finding under both its names", answered(hum=True, murmur=True), "unknown"),
            Row("its other name, and a second finding", answered(murmur=True, buzz=True), "met"),
        ),
        shows={"item": "hum", "aliases": ["murmur"]},
    ),
    Word(
        "per",
        "options",
        "Read for each part of the scope apart: a record by its body site, code or words, an answer by its linkId "
        "(`hum.right`). A record that names no part does not count.",
        {"hum": HUM | {"per": "knee"}, "exercised": EXERCISE | {"per": "knee"}},
        {"any": [is_yes("hum"), is_yes("exercised")]},
        (
            Row("attested for that side", answered(hum__right=True), "met", {"side": [RIGHT]}, "right"),
            Row("attested for the other side", answered(hum__left=True), "unknown", {"side": [RIGHT]}, "right"),
            Row("recorded for the other side", exercise(side=LEFT), "unknown", {"side": [RIGHT]}, "right"),
            Row("recorded for both sides", exercise(side=BOTH), "met", {"side": [BOTH]}, "left"),
            Row("recorded without a side", exercise(), "unknown", {"side": [RIGHT]}, "right"),
        ),
        more={"scope": SCOPE},
        sets=SIDES,
        shows={"per": "knee"},
    ),
    Word(
        "look_back_days",
        "options",
        "How old a record or an answer may be; `answer_look_back_days` where the limit for answers is another.",
        {"function": SCORE | {"answer_look_back_days": 30}},
        {"fact": "function", "at_least": 30},
        (
            Row("measured 180 days ago", score(40, date="2025-09-16"), "met"),
            Row("measured 181 days ago", score(40, date="2025-09-15"), "unknown"),
            Row("attested 30 days ago", answered("2026-02-13", function=40), "met"),
            Row("attested 31 days ago", answered("2026-02-12", function=40), "unknown"),
        ),
        shows={"look_back_days": 180, "answer_look_back_days": 30},
    ),
    Word(
        "when_absent",
        "options",
        "What silence means: `unknown`, or `no` with the written reason why the record would hold it.",
        {"exercised": EXERCISE | {"when_absent": {"no": "Every session is billed here."}}, "hum": HUM},
        {"all": [{"fact": "exercised", "is": False}, is_yes("hum")]},
        (
            Row("nothing on record", answered(hum=True), "met"),
            Row("on record", exercise() | answered(hum=True), "not-met"),
        ),
        shows={"when_absent": {"no": "Every session is billed here."}},
    ),
    # --- tests -------------------------------------------------------------------------------------------------------
    Word(
        "is",
        "tests",
        "Compares yes or no.",
        {"hum": HUM},
        {"fact": "hum", "is": False},
        (Row("yes", answered(hum=True), "not-met"), Row("no", answered(hum=False), "met")),
    ),
    Word(
        "at_least",
        "tests",
        "Compares a number; so do `at_most`, and where the limit itself does not count, `more_than` and `less_than`. A "
        "number that may lie on both sides is unknown.",
        {"function": SCORE},
        {"fact": "function", "at_least": 21, "at_most": 60},
        (
            Row("21", score(21), "met"),
            Row("60", score(60), "met"),
            Row("20", score(20), "not-met"),
            Row("61", score(61), "not-met"),
        ),
    ),
    Word(
        "more_than",
        "tests",
        "As `at_least`, without the limit itself; `less_than` as `at_most`.",
        {"function": SCORE},
        {"fact": "function", "more_than": 20, "less_than": 60},
        (Row("20", score(20), "not-met"), Row("21", score(21), "met"), Row("60", score(60), "not-met")),
    ),
    Word(
        "all",
        "tests",
        "All of these: one that is not met settles it, one that is unknown keeps it open.",
        {"hum": HUM, "buzz": BUZZ},
        {"all": [is_yes("hum"), is_yes("buzz")]},
        (
            Row("yes, yes", answered(hum=True, buzz=True), "met"),
            Row("yes, nothing", answered(hum=True), "unknown"),
            Row("no, nothing", answered(hum=False), "not-met"),
        ),
    ),
    Word(
        "any",
        "tests",
        "At least one of these: one that is met settles it.",
        {"hum": HUM, "buzz": BUZZ},
        {"any": [is_yes("hum"), is_yes("buzz")]},
        (
            Row("yes, nothing", answered(hum=True), "met"),
            Row("no, nothing", answered(hum=False), "unknown"),
            Row("no, no", answered(hum=False, buzz=False), "not-met"),
        ),
    ),
    Word(
        "not",
        "tests",
        "The opposite; unknown stays unknown.",
        {"hum": HUM},
        {"not": is_yes("hum")},
        (Row("yes", answered(hum=True), "not-met"), Row("nothing", {}, "unknown")),
    ),
    Word(
        "agree",
        "tests",
        "Several sources of one truth: a silent one leaves it to the others, contradiction is unknown.",
        {"hum": HUM, "exercised": EXERCISE},
        {"agree": [is_yes("hum"), {"fact": "exercised", "is": False}]},
        (
            Row("attested yes, nothing recorded", answered(hum=True), "met"),
            Row("attested yes, but recorded", answered(hum=True) | exercise(), "unknown"),
        ),
    ),
    Word(
        "first",
        "tests",
        "The first source that says anything decides; the others stand behind it.",
        {"exercised": EXERCISE, "hum": HUM},
        {"first": [{"fact": "exercised", "is": False}, is_yes("hum")]},
        (
            Row("recorded, and attested yes", exercise() | answered(hum=True), "not-met"),
            Row("nothing recorded, attested yes", answered(hum=True), "met"),
        ),
    ),
    Word(
        "of",
        "tests",
        "How many of these are met, compared like a number: what is unknown may still be met.",
        THREE,
        {"of": [is_yes("hum"), is_yes("buzz"), is_yes("ring")], "at_least": 2},
        (
            Row("yes, yes, nothing", answered(hum=True, buzz=True), "met"),
            Row("yes, no, nothing", answered(hum=True, buzz=False), "unknown"),
            Row("yes, no, no", answered(hum=True, buzz=False, ring=False), "not-met"),
        ),
    ),
    Word(
        "count",
        "tests",
        "How many days have an event that passes `where`. More may have happened than is on record, so that too few "
        "are unknown; but where one on record fails in full, the record is taken for all there is.",
        {"sessions": SESSIONS},
        COUNT,
        (
            Row(
                "two with relief of 50 % and 80 %",
                sessions({"date": FIRST_DAY, "before": 8, "after": 4}, {"date": SECOND_DAY, "before": 5, "after": 1}),
                "met",
            ),
            Row("one", sessions({"date": FIRST_DAY, "before": 8, "after": 4}), "unknown"),
            Row(
                "one, and one with 49 %",
                sessions({"date": FIRST_DAY, "before": 8, "after": 4}, {"date": SECOND_DAY, "relief": 49}),
                "not-met",
            ),
            Row(
                "two, of one the relief is not recorded",
                sessions({"date": FIRST_DAY, "relief": 80}, {"date": SECOND_DAY}),
                "unknown",
            ),
        ),
    ),
    Word(
        "after",
        "tests",
        "Only events later than the newest of another fact count.",
        {"sessions": SESSIONS, "surgery": EXERCISE | {"title": "Knee replacement", "codes": "knee-surgery"}},
        {"count": "sessions", "after": "surgery", "at_least": 1},
        (
            Row("after it", exercise(SECOND_DAY) | exercise(FIRST_DAY, "surgery", procedure="CPT|27447"), "met"),
            Row("before it", exercise(FIRST_DAY) | exercise(SECOND_DAY, "surgery", procedure="CPT|27447"), "unknown"),
            Row(
                "surgery without a date",
                exercise(FIRST_DAY) | exercise(None, "surgery", procedure="CPT|27447"),
                "unknown",
            ),
            Row("no surgery on record", exercise(FIRST_DAY), "met"),
        ),
    ),
    Word(
        "if",
        "tests",
        "Where `if` is not met, `then` is not asked: the criterion does not apply, and is shown so. Where `if` is "
        "unknown only a `then` that is met settles it.",
        {"hum": HUM, "buzz": BUZZ},
        {"if": is_yes("hum"), "then": is_yes("buzz")},
        (
            Row("no, nothing", answered(hum=False), "does-not-apply"),
            Row("yes, no", answered(hum=True, buzz=False), "not-met"),
            Row("yes, nothing", answered(hum=True), "unknown"),
            Row("nothing, yes", answered(buzz=True), "met"),
            Row("nothing, no", answered(buzz=False), "unknown"),
        ),
    ),
    Word(
        "waived_by",
        "tests",
        "What waives the `test`: it then counts as met, and is recorded and shown as waived.",
        {"hum": HUM, "excused": yes("excused", "Humming not tolerated")},
        {"test": is_yes("hum"), "waived_by": is_yes("excused")},
        (
            Row("no, but excused", answered(hum=False, excused=True), "waived"),
            Row("nothing, but excused", answered(excused=True), "waived"),
            Row("yes, and excused", answered(hum=True, excused=True), "met"),
            Row("no, not excused", answered(hum=False, excused=False), "not-met"),
            Row("no, nothing said of excuses", answered(hum=False), "not-met"),
        ),
    ),
    Word(
        "voided_by",
        "tests",
        "What makes a no of the `test` no answer, because it could not be done: it is then unknown. A yes stays a yes.",
        {"hum": HUM, "hoarse": yes("hoarse", "Hoarse")},
        {"test": is_yes("hum"), "voided_by": is_yes("hoarse")},
        (
            Row("no, but hoarse", answered(hum=False, hoarse=True), "unknown"),
            Row("yes, though hoarse", answered(hum=True, hoarse=True), "met"),
            Row("no, nothing said", answered(hum=False), "not-met"),
        ),
    ),
    Word(
        "parameters",
        "tests",
        "A number under `parameters`, with its source, that tests name as `$name` and that a profile may change.",
        {"function": SCORE},
        {"fact": "function", "at_least": "$least"},
        (Row("30", score(30), "met"), Row("29", score(29), "not-met")),
        more={"parameters": {"least": {"title": "Least", "value": 30, "source": "primer", "place": "page 2"}}},
    ),
    # --- beside the criteria -----------------------------------------------------------------------------------------
    Word(
        "scope",
        "policy",
        "What is judged apart. The order names its parts by body site, code or words; if it names none, the card asks. "
        "A criterion that reads a fact with `per` has one finding for each part, a verdict is as its weakest part.",
        {"hum": HUM | {"per": "knee"}},
        is_yes("hum"),
        (
            Row("both ordered, one attested: that one", answered(hum__right=True), "met", {"side": [BOTH]}, "right"),
            Row("and the other", answered(hum__right=True), "unknown", {"side": [BOTH]}, "left"),
            Row(
                "the whole",
                answered(hum__right=True),
                "unknown",
                {"side": [BOTH]},
                "",
                {"verdicts": {"verdict": "unknown"}},
            ),
            Row("no side on the order", answered(hum__right=True), "the card asks", {}, "", {"summary": "Which one?"}),
        ),
        more={"scope": SCOPE},
        sets=SIDES,
        shows={"scope": SCOPE},
    ),
    Word(
        "profiles",
        "policy",
        "The rule of one other source: own `parameters`, tests that it `replaces`, and `all` the criteria that it has. "
        "One whose text was not seen is `pending`, and is refused or unknown with that reason.",
        {"function": SCORE},
        {"fact": "function", "at_least": "$least"},
        (
            Row("40, by the policy's own number", score(40), "met"),
            Row(
                "40, by the bulletin's",
                score(40),
                "not-met",
                {},
                "",
                {"criteria": {"asked@bulletin": "not-met"}},
                "bulletin",
            ),
            Row("a rule that is pending", score(40), "refused", {}, "", {"refused": "was not seen"}, "unseen"),
        ),
        more={
            "parameters": {"least": {"title": "Least", "value": 30, "source": "primer", "place": "page 2"}},
            "profiles": PROFILES,
        },
        shows={"profiles": PROFILES},
    ),
    Word(
        "pathways",
        "policy",
        "Orders and patients that go another way, known by codes or words of the order or by a test: they get one card "
        "that says so, and nothing is evaluated. The first row that matches counts.",
        {"hum": HUM, "surgery": EXERCISE | {"title": "Knee replacement", "codes": "knee-surgery"}},
        is_yes("hum"),
        (
            Row("nothing of the kind", answered(hum=True), "met"),
            Row(
                "replaced before",
                answered(hum=True) | exercise(FIRST_DAY, "surgery", procedure="CPT|27447"),
                "the pathway's card",
                {},
                "",
                {"pathway": "replaced"},
            ),
            Row("ordered by its words", {}, "the pathway's card", AGAIN, "", {"pathway": "replaced"}),
        ),
        more={"pathways": PATHWAYS},
        shows={"pathways": PATHWAYS},
    ),
    Word(
        "applies_unless",
        "policy",
        "A verdict that does not apply where this test is met, such as that of another device's label.",
        {"hum": HUM, "other": {"kind": "order", "title": "Driver", "codes": "driver", "when_absent": "unknown"}},
        is_yes("hum"),
        (
            Row("not ordered", answered(hum=True), "met", {}, "", {"verdicts": {"verdict": "met"}}),
            Row(
                "ordered", answered(hum=True), "not-applicable", DRIVER, "", {"verdicts": {"verdict": "not-applicable"}}
            ),
        ),
        more={
            "verdicts": [
                {"id": "verdict", "title": "Verdict", "all": [CRITERION], "applies_unless": is_yes("other")},
            ]
        },
        shows={"applies_unless": is_yes("other")},
    ),
)


def documents(word: Word) -> Json:
    """The made-up statement with the word's facts and its test as the only criterion."""
    made = deepcopy(read_documents(MINIMAL))
    policy = made["policy"]
    template = policy["criteria"][0]
    for name in ("patient_view",):
        policy.pop(name)
    policy |= {"facts": word.facts, "for_review": []}
    policy["criteria"] = [template | {"id": CRITERION, "title": "Asked", "test": word.test}]
    policy["verdicts"] = [{"id": "verdict", "title": "Verdict", "all": [CRITERION]}]
    policy |= word.more
    made["payers"] = {"payers": []}
    made["card"]["ask_scope"] = {"summary": "Which one?", "detail": "Name it."}
    made["card"]["pathways"] = {"replacement": {"summary": "Not evaluated", "detail": "A replacement."}}
    for part in ("summaries", "leads"):
        made["card"][part]["not_applicable"] = "The first does not apply."
    for name, entry in word.sets.items():
        made["codes"]["sets"][name] = {**entry, "codes": [_code(item) for item in entry["codes"]]}
    return made


def _code(item: Any) -> Json:
    entry = {"code": item} if isinstance(item, str) else item
    system, _, code = entry["code"].partition("|")
    return {
        "system": system,
        "label": "made up",
        "seen": "unverified",
        "provenance": "made up",
        "valid_from": None,
        "valid_until": None,
        **entry,
        "code": code,
    }


def policy(word: Word) -> Policy:
    return policy_of(MINIMAL, documents(word))


def case_of(row: Row) -> Json:
    """The row as a case of cases.json."""
    name = f"{CRITERION} {row.part}" if row.part else CRITERION
    return {
        "name": row.says,
        "chart": "plain",
        "change": row.items,
        "change_orders": {"coil-order": {"order": "CPT|11111", "reason": "ICD-10-CM|M25.561", **row.order}},
        "expect": row.expect or {"criteria": {name: row.truth}},
        **({"profile": row.profile} if row.profile else {}),
    }


def differences(word: Word, row: Row) -> tuple[str, ...]:
    """What differs between the row and what the service says."""
    made = policy(word)
    guide = Guide(Library((made,), BASE), Addresses("http://127.0.0.1:8080", BASE), b"a key for tests only")
    case = case_of(row)
    return cases.run_case(case, cases.request_of(made, case, guide), guide, cases.today_of(made)).differences


# --- the page for authors ---------------------------------------------------------------------------------------------

TITLES = {
    "facts": "Facts: what is read. Each has a `kind`",
    "options": "Options of facts",
    "tests": "Tests: how facts are compared and combined",
    "policy": "Parts of policy.json that stand beside the criteria",
}


def table() -> str:
    """The vocabulary as Markdown: a table for each group, an example and the truth of every row for each word."""
    return "\n\n".join(_group(name, title) for name, title in TITLES.items())


def _group(group: str, title: str) -> str:
    lines = [f"**{title}**", "", "| word | means | for example | then |", "|---|---|---|---|"]
    return "\n".join([*lines, *(_line(word) for word in WORDS if word.group == group)])


def _line(word: Word) -> str:
    example = json.dumps(word.example, ensure_ascii=False).replace("|", "\\|")
    truths = "<br>".join(f"{row.says}: *{row.truth.replace('-', ' ')}*" for row in word.rows)
    return f"| `{word.name}` | {word.meaning} | `{example}` | {truths} |"


def rows() -> Iterator[tuple[Word, Row]]:
    """Every word with every one of its rows."""
    for word in WORDS:
        for row in word.rows:
            yield word, row
