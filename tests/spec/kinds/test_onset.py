"""The kind of fact `onset`."""

import pytest

from cds_service.facts.evidence import ANYTHING
from tests.charts import attested, condition, fact, finding, named, patient, quantity, truth
from tests.spec.pieces import KNEE_PAIN, answered, diagnosis
from tests.spec.tables import Row, Table, also, held

ONSET = Table(
    "onset",
    "Time since the earliest recorded onset of a Condition in `codes`, and since the date attested in `item`.",
    {"onset": KNEE_PAIN},
    {"fact": "onset", "at_least": 90},
    (
        Row("for 90 days", diagnosis(onset="2025-12-15"), "met"),
        Row("for 89 days", diagnosis(onset="2025-12-16"), "not-met"),
        Row("since an unknown day of that month", diagnosis(onset="2025-12"), "unknown"),
        Row("a diagnosis without onset", diagnosis(), "unknown"),
    ),
)
ATTESTED = also(
    {"onset": KNEE_PAIN | {"item": "pain-since", "answer_look_back_days": 180}},
    {"fact": "onset", "at_most": 0},
    Row("attested as begun today", answered("2026-03-15", pain_since="2026-03-15"), "met"),
    Row("attested as begun yesterday", answered("2026-03-15", pain_since="2026-03-14"), "not-met"),
    Row("attested as begun tomorrow, east of us", answered("2026-03-15", pain_since="2026-03-16"), "met"),
    Row("attested as begun the day after", answered("2026-03-15", pain_since="2026-03-17"), "unknown"),
)
TABLES = (ONSET, ATTESTED)

test_rows = held(*TABLES)


@pytest.mark.parametrize(
    ("onset", "elapsed", "long_enough"),
    named(
        ("a moment", {"onsetDateTime": "2025-12-15T23:59:00-05:00"}, (90, 90), "met"),
        ("a year that settles it", {"onsetDateTime": "2024"}, (439, 804), "met"),
        ("a year that does not", {"onsetDateTime": "2025"}, (74, 438), "unknown"),
        ("a month that does not", {"onsetDateTime": "2025-12"}, (74, 104), "unknown"),
        ("a month that settles it", {"onsetDateTime": "2025-11"}, (105, 134), "met"),
        ("this month", {"onsetDateTime": "2026-03"}, (0, 14), "not-met"),
        ("today", {"onsetDateTime": "2026-03-15"}, (0, 0), "not-met"),
        ("a period counts from its start", {"onsetPeriod": {"start": "2024", "end": "2026-03-01"}}, (439, 804), "met"),
        ("an age", {"onsetAge": quantity(50, code="a")}, (1900, 2265), "met"),
        (
            "a span of ages",
            {"onsetRange": {"low": quantity(50, code="a"), "high": quantity(50, code="a")}},
            (1900, 2265),
            "met",
        ),
        ("an age in years as text", {"onsetAge": quantity(50, unit="years")}, (1900, 2265), "met"),
        ("an age without a unit", {"onsetAge": quantity(50)}, (1900, 2265), "met"),
        ("the present age", {"onsetAge": quantity(56, code="a")}, (0, 73), "not-met"),
        ("a range of ages", {"onsetRange": {"low": quantity(50), "high": quantity(52)}}, (1170, 2265), "met"),
        (
            "a range to the present age",
            {"onsetRange": {"low": quantity(50), "high": quantity(56)}},
            (0, 2265),
            "unknown",
        ),
        ("tomorrow, which has begun east of us", {"onsetDateTime": "2026-03-16"}, (0, 0), "not-met"),
        ("a date written as a string", {"onsetString": "2024-06"}, (623, 652), "met"),
    ),
)
def test_onset(onset, elapsed, long_enough):
    diagnosis = condition(onsetDateTime=...) | onset
    assert fact("pain-onset", diagnosis).values == (elapsed,)
    assert truth("pain-duration", diagnosis) == long_enough


@pytest.mark.parametrize(
    ("changes", "note"),
    named(
        ("no onset", {}, "onset not recorded"),
        ("words", {"onsetString": "for many years"}, "onset not recorded"),
        ("a period without a start", {"onsetPeriod": {"end": "2026-01-01"}}, "onset not recorded"),
        ("an age in months", {"onsetAge": quantity(600, code="mo")}, "onset not recorded"),
        ("an age of a thousand years", {"onsetAge": quantity(1000, code="a")}, "onset not recorded"),
        ("an age below nought", {"onsetAge": quantity(-1, code="a")}, "onset not recorded"),
        ("an age not stated exactly", {"onsetAge": quantity(50, code="a", comparator=">")}, "onset not recorded"),
        ("the date of recording is not an onset", {"recordedDate": "2020-01-01"}, "onset not recorded"),
        ("a range of ages without its end", {"onsetRange": {"low": quantity(50)}}, "onset not recorded"),
        ("a range of ages turned round", {"onsetRange": {"low": quantity(50), "high": quantity(40)}}, "not recorded"),
        ("a range in months", {"onsetRange": {"low": quantity(50, code="mo"), "high": quantity(60)}}, "not recorded"),
        ("refuted", {"onsetDateTime": "2024", "verificationStatus": "refuted"}, "is refuted"),
        (
            "entered in error",
            {"onsetDateTime": "2024", "verificationStatus": "entered-in-error"},
            "is entered in error",
        ),
        (
            "provisional",
            {"onsetDateTime": "2024", "verificationStatus": "provisional"},
            "is provisional, not confirmed",
        ),
        ("resolved", {"onsetDateTime": "2024", "clinicalStatus": "resolved"}, "is resolved"),
    ),
)
def test_an_onset_that_is_not_known(changes, note):
    found = fact("pain-onset", condition(onsetDateTime=...) | changes)
    assert (found.values, found.evidence) == ((), ())
    assert len(found.notes) == 1
    assert found.notes[0].startswith("pain in right knee")
    assert found.notes[0].endswith(note)


@pytest.mark.parametrize(
    "onset",
    named(
        ("a date that is not a date", {"onsetDateTime": "in spring"}),
        ("a date that is a number", {"onsetDateTime": 2024}),
        ("a period that is text", {"onsetPeriod": "2024"}),
        ("an age that is a number", {"onsetAge": 50}),
        ("an age without a number", {"onsetAge": {"unit": "years"}}),
        ("a range that is a list", {"onsetRange": [40, 50]}),
        ("a range of ages without a number", {"onsetRange": {"low": {"unit": "years"}, "high": quantity(50)}}),
        ("a day to come", {"onsetDateTime": "2026-03-17"}),
        ("a period to come", {"onsetPeriod": {"start": "2027"}}),
        ("an age to come", {"onsetAge": quantity(60)}),
    ),
)
def test_an_onset_that_cannot_be_read_may_be_anything(onset):
    found = fact("pain-onset", condition(onsetDateTime=...) | onset)
    assert found.values == (ANYTHING,)
    assert len(found.notes) == 1
    assert "Condition/c1" in found.notes[0]
    assert truth("pain-duration", condition(onsetDateTime=...) | onset) == "unknown"


def test_an_age_at_onset_of_one_whose_birth_date_lies_far_ahead_does_not_stop_the_evaluation():
    born = patient(birthDate="9990-01-01")
    assert fact("pain-onset", born, condition(onsetDateTime=..., onsetAge=quantity(30, code="a"))).evidence == ()


def test_of_several_onsets_the_earliest_counts():
    found = fact(
        "pain-onset",
        condition(id="late", onsetDateTime="2026-03-01"),
        condition(id="early", onsetDateTime="2025-06-01"),
    )
    assert found.values == ((287, 287),)
    assert [(item.reference, item.value) for item in found.evidence] == [("Condition/early", "since 2025-06-01")]


def test_an_early_onset_settles_what_a_coarse_one_leaves_open():
    assert (
        truth("pain-duration", condition(id="a", onsetDateTime="2025"), condition(id="b", onsetDateTime="2024"))
        == "met"
    )


def test_an_unreadable_onset_beside_a_long_one_changes_nothing():
    assert (
        truth("pain-duration", condition(id="a", onsetDateTime="?"), condition(id="b", onsetDateTime="2024")) == "met"
    )


def test_an_unreadable_onset_beside_a_short_one_leaves_it_open():
    broken = condition(id="a", onsetDateTime="?")
    assert truth("pain-duration", broken, condition(id="b", onsetDateTime="2026-03-01")) == "unknown"


@pytest.mark.parametrize(
    ("answer", "elapsed"),
    named(
        ("a day", {"valueDate": "2024-01-01"}, (804, 804)),
        ("a year", {"valueDate": "2024"}, (439, 804)),
    ),
)
def test_an_attested_onset(answer, elapsed):
    found = fact("pain-onset", attested({"pain-duration": answer}))
    assert found.values == (elapsed,)
    assert found.evidence[0][:4] == (
        "QuestionnaireResponse/q1",
        "attested",
        f"since {answer['valueDate']}",
        "2026-03-01",
    )


def test_a_record_and_an_attestation_of_onset_that_disagree_are_both_shown():
    both = (condition(onsetDateTime="2026-02-01"), attested({"pain-duration": {"valueDate": "2020-01-01"}}))
    found = finding("pain-duration", *both)
    assert found.truth.value == "unknown"
    assert [item.value for item in found.evidence] == ["since 2026-02-01", "since 2020-01-01"]
    assert "disagree" in found.reason


def test_a_record_and_an_attestation_of_onset_on_one_side_of_the_limit_settle_it():
    both = (condition(onsetDateTime="2023"), attested({"pain-duration": {"valueDate": "2020-01-01"}}))
    assert truth("pain-duration", *both) == "met"


def test_the_search_for_onsets_reads_confirmed_or_silent_diagnoses():
    assert truth("pain-duration", condition(verificationStatus=..., clinicalStatus=...)) == "met"


def test_a_diagnosis_recorded_in_the_future_is_on_record_with_a_wrong_date():
    found = fact("pain-onset", condition(onsetDateTime="2024", recordedDate="2027-01-01"))
    assert (found.evidence, found.open) == ((), True)
    assert found.notes[0].endswith("is dated in the future (2027-01-01)")
