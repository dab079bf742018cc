"""Each kind of fact on the input that real charts hold: what it may be, what shows it, and what does not count."""

from math import inf, nextafter

import pytest

from cds_service.facts.evidence import ANYTHING, Evidence
from cds_service.fhir.elements import UCUM
from tests.charts import (
    BASE,
    CPT,
    ICD10CM,
    LOINC,
    ME,
    QUESTIONNAIRE,
    attested,
    concept,
    condition,
    fact,
    finding,
    medicine,
    named,
    observation,
    patient,
    procedure,
    quantity,
    truth,
    weight_ratio,
)

# Today is 15 March 2026; what is 90, 180 and 365 days before it, and one day beyond.
DAY_90, DAY_91 = "2025-12-15", "2025-12-14"
DAY_180, DAY_181 = "2025-09-16", "2025-09-15"
DAY_365, DAY_366 = "2025-03-15", "2025-03-14"

YES, NO = {"valueBoolean": True}, {"valueBoolean": False}


# --- age --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("born", "years", "shown", "adult"),
    named(
        ("a day", "1970-06-14", (55, 55), "55 years", "met"),
        ("eighteen today", "2008-03-15", (18, 18), "18 years", "met"),
        ("eighteen tomorrow", "2008-03-16", (17, 17), "17 years", "not-met"),
        ("a month that leaves the limit open", "2008-03", (17, 18), "17 or 18 years", "unknown"),
        ("a month that settles it", "2008-02", (18, 18), "18 years", "met"),
        ("a year that leaves the limit open", "2008", (17, 18), "17 or 18 years", "unknown"),
        ("a year that settles it", "2007", (18, 19), "18 or 19 years", "met"),
        ("a year too young", "2009", (16, 17), "16 or 17 years", "not-met"),
        ("a moment", "1970-06-14T08:00:00Z", (55, 55), "55 years", "met"),
        ("born today", "2026-03-15", (0, 0), "0 years", "not-met"),
        ("born this year", "2026", (0, 0), "0 years", "not-met"),
    ),
)
def test_age(born, years, shown, adult):
    found = fact("age", patient(birthDate=born))
    assert found.values == (years,)
    assert found.evidence == (Evidence("Patient/p1", "Age", shown, None),)
    assert truth("adult", patient(birthDate=born)) == adult


@pytest.mark.parametrize(
    ("person", "note"),
    named(
        ("no birth date", patient(birthDate=...), "the Patient has no birth date"),
        ("a birth date of words", patient(birthDate="in spring"), "the birth date is not a FHIR date"),
        ("a birth date that is a number", patient(birthDate=1970), "the birth date has a part that is not text"),
        ("a birth date to come", patient(birthDate="2026-03-16"), "the birth date lies in the future"),
        ("another patient", patient(id="p2"), "the EHR sent another patient than the one of the call"),
    ),
)
def test_age_is_unknown(person, note):
    found = fact("age", person)
    assert (found.values, found.evidence, found.notes) == ((), (), (note,))


@pytest.mark.parametrize(
    ("value", "note"),
    [(..., "Patient not sent (prefetch patient)"), (None, "no Patient was sent")],
    ids=["not sent", "sent as nothing"],
)
def test_age_without_a_patient(value, note):
    assert fact("age", patient=value).notes == (note,)


# --- onset ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("onset", "elapsed", "long_enough"),
    named(
        ("a day, exactly the limit", {"onsetDateTime": DAY_90}, (90, 90), "met"),
        ("a day, one short of the limit", {"onsetDateTime": "2025-12-16"}, (89, 89), "not-met"),
        ("a moment", {"onsetDateTime": "2025-12-15T23:59:00-05:00"}, (90, 90), "met"),
        ("a year that settles it", {"onsetDateTime": "2024"}, (439, 804), "met"),
        ("a year that does not", {"onsetDateTime": "2025"}, (74, 438), "unknown"),
        ("a month that does not", {"onsetDateTime": "2025-12"}, (74, 104), "unknown"),
        ("a month that settles it", {"onsetDateTime": "2025-11"}, (105, 134), "met"),
        ("this month", {"onsetDateTime": "2026-03"}, (0, 14), "not-met"),
        ("today", {"onsetDateTime": "2026-03-15"}, (0, 0), "not-met"),
        ("a period counts from its start", {"onsetPeriod": {"start": "2024", "end": "2026-03-01"}}, (439, 804), "met"),
        ("an age", {"onsetAge": quantity(50, code="a")}, (1900, 2265), "met"),
        ("an age in years as text", {"onsetAge": quantity(50, unit="years")}, (1900, 2265), "met"),
        ("an age without a unit", {"onsetAge": quantity(50)}, (1900, 2265), "met"),
        ("the present age", {"onsetAge": quantity(56, code="a")}, (0, 73), "not-met"),
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
        ("the date of recording is no onset", {"recordedDate": "2020-01-01"}, "onset not recorded"),
        ("an onset to come", {"onsetDateTime": "2026-03-16"}, "onset 2026-03-16 lies in the future"),
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
        ("a date that is no date", {"onsetDateTime": "in spring"}),
        ("a date that is a number", {"onsetDateTime": 2024}),
        ("a period that is text", {"onsetPeriod": "2024"}),
        ("an age that is a number", {"onsetAge": 50}),
        ("an age without a number", {"onsetAge": {"unit": "years"}}),
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


def test_the_last_day_of_the_calendar_is_only_another_future_date():
    forever = "9999-12-31T23:59:59-05:00"
    assert fact("pain-onset", condition(recordedDate=forever)).evidence == ()
    assert fact("weight-ratio", weight_ratio(effectiveDateTime=forever)).values == ()
    assert fact("can-hum-attested", attested({"can-hum": YES}, authored=forever)).values == ()


def test_a_diagnosis_recorded_in_the_future_is_on_record_with_a_wrong_date():
    found = fact("pain-onset", condition(onsetDateTime="2024", recordedDate="2027-01-01"))
    assert (found.evidence, found.open) == ((), True)
    assert found.notes[0].endswith("is dated in the future (2027-01-01)")


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


# --- measurement ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "found", "shown", "light_enough"),
    named(
        ("a UCUM code", {"valueQuantity": quantity(35, code="kg/m2")}, (35, 35), "35 kg/m2", "met"),
        (
            "one tenth above the limit",
            {"valueQuantity": quantity(35.1, code="kg/m2")},
            (35.1, 35.1),
            "35.1 kg/m2",
            "not-met",
        ),
        ("a unit as text", {"valueQuantity": quantity(29.4, unit="kg/m²")}, (29.4, 29.4), "29.4 kg/m2", "met"),
        (
            "odd capitals and blanks",
            {"valueQuantity": quantity(29.4, unit="KG / m2")},
            (29.4, 29.4),
            "29.4 kg/m2",
            "met",
        ),
        (
            "an unknown text beside a known code",
            {"valueQuantity": quantity(30, "BMI", "kg/m2")},
            (30, 30),
            "30 kg/m2",
            "met",
        ),
        (
            "an unknown code beside a known text",
            {"valueQuantity": quantity(30, "kg/m2", "bmi")},
            (30, 30),
            "30 kg/m2",
            "met",
        ),
        ("another accepted unit, converted", {"valueQuantity": quantity(3, code="g/cm2")}, (30, 30), "3 g/cm2", "met"),
        ("at most", {"valueQuantity": quantity(35, code="kg/m2", comparator="<=")}, (5, 35), "<=35 kg/m2", "met"),
        (
            "less than the limit",
            {"valueQuantity": quantity(35, code="kg/m2", comparator="<")},
            (5, nextafter(35, 0)),
            "<35 kg/m2",
            "met",
        ),
        (
            "more than the limit is above it",
            {"valueQuantity": quantity(35, code="kg/m2", comparator=">")},
            (nextafter(35, inf), 150),
            ">35 kg/m2",
            "not-met",
        ),
        (
            "at least the limit may be the limit",
            {"valueQuantity": quantity(35, code="kg/m2", comparator=">=")},
            (35, 150),
            ">=35 kg/m2",
            "unknown",
        ),
        (
            "more than less than the limit",
            {"valueQuantity": quantity(30, code="kg/m2", comparator=">")},
            (nextafter(30, inf), 150),
            ">30 kg/m2",
            "unknown",
        ),
        (
            "a range below the limit",
            {"valueRange": {"low": quantity(30, code="kg/m2"), "high": quantity(32, code="kg/m2")}},
            (30, 32),
            "30 to 32 kg/m2",
            "met",
        ),
        (
            "a range across the limit",
            {"valueRange": {"low": quantity(34, code="kg/m2"), "high": quantity(36, code="kg/m2")}},
            (34, 36),
            "34 to 36 kg/m2",
            "unknown",
        ),
    ),
)
def test_a_measurement(value, found, shown, light_enough):
    on_record = observation("39156-5", **value)
    known = fact("weight-ratio", on_record)
    assert known.values == (pytest.approx(found, rel=1e-12),)
    assert known.evidence[0][:4] == ("Observation/o1", "body mass index", shown, "2026-03-01")
    assert truth("weight-ratio", on_record) == light_enough


@pytest.mark.parametrize(
    ("changes", "note"),
    named(
        ("no value", {"valueQuantity": ...}, "has no value"),
        ("preliminary", {"status": "preliminary"}, "status is preliminary"),
        ("cancelled", {"status": "cancelled"}, "status is cancelled"),
        ("entered in error", {"status": "entered-in-error"}, "status is entered-in-error"),
        ("a status that is no word", {"status": "<b>final</b>"}, "status is unreadable"),
        ("in the future", {"effectiveDateTime": "2026-03-17"}, "2026-03-17 lies in the future"),
        ("one day beyond the look-back", {"effectiveDateTime": DAY_366}, "2025-03-14 is more than 365 days ago"),
        ("a year beyond it", {"effectiveDateTime": "2024"}, "2024 is more than 365 days ago"),
        (
            "of the mother",
            {"code": concept(LOINC, "39156-5", text="Body mass index of the mother")},
            "speaks of a relative",
        ),
    ),
)
def test_a_measurement_that_is_not_evidence(changes, note):
    found = fact("weight-ratio", weight_ratio(**changes))
    assert (found.values, found.evidence) == ((), ())
    assert len(found.notes) == 1
    assert found.notes[0].startswith("body mass index")
    assert found.notes[0].endswith(note)


@pytest.mark.parametrize(
    ("changes", "note"),
    named(
        ("no unit where one is needed", {"valueQuantity": quantity(30)}, "30 has no unit"),
        ("an integer, which has no unit", {"valueQuantity": ..., "valueInteger": 30}, "30 has no unit"),
        ("another unit", {"valueQuantity": quantity(66, code="lb/ft2")}, "66 is in another unit"),
        (
            "a unit and a code that contradict",
            {"valueQuantity": quantity(30, "kg/m2", "[lb_av]", system=UCUM)},
            "30 has two units, [lb_av] and kg/m2",
        ),
        ("a unit beside the code", {"valueQuantity": quantity(30, "lb", "kg/m2")}, "30 has two units, kg/m2 and lb"),
        ("out of range, high", {"valueQuantity": quantity(150.1, code="kg/m2")}, "150.1 is outside 5 to 150"),
        ("out of range, low", {"valueQuantity": quantity(4.9, code="kg/m2")}, "4.9 is outside 5 to 150"),
        (
            "beyond the range by comparator",
            {"valueQuantity": quantity(150, code="kg/m2", comparator=">")},
            ">150 is outside 5 to 150",
        ),
        ("words", {"valueQuantity": ..., "valueString": "obese"}, "has no numeric value"),
        ("no date", {"effectiveDateTime": ...}, "has no date"),
    ),
)
def test_a_measurement_that_was_sent_and_cannot_be_told_may_be_any(changes, note):
    found = fact("weight-ratio", weight_ratio(**changes))
    assert found.values == (ANYTHING,)
    assert len(found.evidence) == 1
    assert len(found.notes) == 1
    assert found.notes[0].endswith(note)


@pytest.mark.parametrize(
    "changes",
    named(
        ("the last day of the look-back", {"effectiveDateTime": DAY_365}),
        ("today", {"effectiveDateTime": "2026-03-15"}),
        ("tomorrow in Sydney, which is today in UTC", {"effectiveDateTime": "2026-03-16T08:00:00+11:00"}),
        ("an instant", {"effectiveDateTime": ..., "effectiveInstant": "2026-03-01T10:00:00Z"}),
        ("a period, by its end", {"effectiveDateTime": ..., "effectivePeriod": {"start": "2020", "end": "2026-03-01"}}),
        ("a period without end, by its start", {"effectiveDateTime": ..., "effectivePeriod": {"start": "2026-03-01"}}),
        (
            "the date of issue, where nothing better is known",
            {"effectiveDateTime": ..., "issued": "2026-03-01T10:00:00Z"},
        ),
        ("amended", {"status": "amended"}),
        ("corrected", {"status": "corrected"}),
        ("a status left out", {"status": ...}),
    ),
)
def test_a_measurement_that_is_evidence(changes):
    assert fact("weight-ratio", weight_ratio(**changes)).values == ((30, 30),)


@pytest.mark.parametrize(
    "changes",
    named(
        ("a quantity that is a number", {"valueQuantity": 30}),
        ("a number that is text", {"valueQuantity": quantity("30", code="kg/m2")}),
        ("a comparator that FHIR does not know", {"valueQuantity": quantity(30, code="kg/m2", comparator="~")}),
        ("a date that is no date", {"effectiveDateTime": "yesterday"}),
        ("a date that is a number", {"effectiveDateTime": 2026}),
        ("a period that is text", {"effectiveDateTime": ..., "effectivePeriod": "2026"}),
    ),
)
def test_a_measurement_that_cannot_be_read_may_be_anything(changes):
    older = weight_ratio(id="older", effectiveDateTime="2026-02-01")
    assert fact("weight-ratio", weight_ratio(**changes)).values == (ANYTHING,)
    assert truth("weight-ratio", older, weight_ratio(**changes)) == "unknown"


def test_an_old_unreadable_measurement_is_overtaken_by_a_newer_one():
    older = weight_ratio(id="older", effectiveDateTime="2026-02-01", valueQuantity="30")
    assert truth("weight-ratio", older, weight_ratio(30)) == "met"


@pytest.mark.parametrize(
    ("value", "number"),
    named(
        ("an integer", {"valueInteger": 7}, 7),
        ("a quantity without a unit", {"valueQuantity": quantity(7)}, 7),
        ("a quantity of points", {"valueQuantity": quantity(7, code="{score}")}, 7),
        ("millimetres of a line", {"valueQuantity": quantity(65, unit="mm")}, 6.5),
        ("text that is a number", {"valueString": "7"}, 7),
        ("a concept whose text is a number", {"valueCodeableConcept": {"text": "7"}}, 7),
        (
            "a concept whose display is a number",
            {"valueCodeableConcept": {"coding": [{"system": LOINC, "code": "LA10139-6", "display": "7"}]}},
            7,
        ),
        ("the top of the scale", {"valueInteger": 10}, 10),
        ("nought", {"valueInteger": 0}, 0),
    ),
)
def test_a_score_needs_no_unit(value, number):
    assert fact("pain-score", observation("72514-3", **value)).values == ((number, number),)


@pytest.mark.parametrize("score", [11, -1])
def test_a_score_off_its_scale_settles_nothing(score):
    found = fact("pain-score", observation("72514-3", valueInteger=score))
    assert found.values == (ANYTHING,)
    assert found.notes[0].endswith(f"{score} is outside 0 to 10")


def test_a_code_with_a_remark_shows_it():
    assert fact("pain-score", observation("72514-3", valueInteger=7)).evidence[0].remark == "not specific to the knee"


def panel(**changes):
    """A panel whose components are a score of function and a score of pain."""
    components = [
        {"code": concept(LOINC, "97909-6"), "valueQuantity": quantity(44, code="%")},
        {"code": concept(LOINC, "72514-3"), "valueInteger": 7},
    ]
    return observation("00000-0", component=components, **changes)


def test_components_are_read_each_by_its_own_code():
    assert fact("function-score", panel()).values == ((44, 44),)
    assert fact("pain-score", panel()).values == ((7, 7),)


def test_components_share_the_status_and_date_of_their_observation():
    assert fact("pain-score", panel(status="entered-in-error")).values == ()
    assert fact("pain-score", panel(effectiveDateTime=DAY_91)).values == ()
    assert fact("pain-score", panel(effectiveDateTime=DAY_90)).values == ((7, 7),)


def test_a_component_that_cannot_be_read_spoils_its_own_fact_alone():
    broken = panel()
    broken["component"][0]["valueQuantity"] = "44 %"
    assert fact("function-score", broken).values == (ANYTHING,)
    assert fact("pain-score", broken).values == ((7, 7),)


@pytest.mark.parametrize(
    ("value", "values", "enough"),
    named(
        ("per cent", quantity(44, code="%"), ((44, 44),), "met"),
        ("points of fifty, said so", quantity(22, unit="/50"), ((44, 44),), "met"),
        ("points that may be per cent: both within", quantity(25, code="{score}"), ((25, 25), (50, 50)), "met"),
        ("points that may be per cent: both below", quantity(10, code="{score}"), ((10, 10), (20, 20)), "not-met"),
        (
            "points that may be per cent: the readings disagree",
            quantity(11, code="{score}"),
            ((11, 11), (22, 22)),
            "unknown",
        ),
        (
            "points that may be per cent: both sides of the upper limit",
            quantity(31, code="{score}"),
            ((31, 31), (62, 62)),
            "unknown",
        ),
        (
            "points that may be per cent: below one limit, above the other",
            quantity(20.9, code="{score}"),
            ((20.9, 20.9), (41.8, 41.8)),
            "unknown",
        ),
        ("the code stands above the unit", quantity(11, "{score}", "%"), ((11, 11),), "not-met"),
        ("the unit where the code is not known", quantity(22, "/50", "L"), ((44, 44),), "met"),
        ("too many for points of fifty", quantity(58, code="{score}"), ((58, 58),), "met"),
        ("too many for either", quantity(101, code="{score}"), (ANYTHING,), "unknown"),
        ("no unit", quantity(44), (ANYTHING,), "unknown"),
        ("an annotation that is not listed", quantity(11, code="{total}"), ((11, 11), (22, 22)), "unknown"),
        ("an annotation beside a unit", quantity(44, "%", "{score}"), ((44, 44),), "met"),
    ),
)
def test_a_score_that_may_be_read_in_two_ways(value, values, enough):
    on_record = observation("97909-6", valueQuantity=value)
    assert fact("function-score", on_record).values == values
    assert truth("function", on_record) == enough


def test_a_score_read_in_two_ways_is_shown_as_written():
    assert fact("function-score", observation("97909-6", valueQuantity=quantity(11, code="{score}"))).evidence[
        0
    ].value == ("11 {score}")


def at(day, value, identity="o2", **changes):
    return weight_ratio(value, id=identity, effectiveDateTime=day, **changes)


@pytest.mark.parametrize(
    ("others", "values", "light_enough"),
    named(
        ("an older one is overtaken", [at("2026-02-28", 40)], ((30, 30),), "met"),
        ("a newer one overtakes", [at("2026-03-02", 40)], ((40, 40),), "not-met"),
        ("one of the same day that disagrees", [at("2026-03-01", 40)], ((30, 30), (40, 40)), "unknown"),
        ("one of the same day on the same side", [at("2026-03-01", 31)], ((30, 30), (31, 31)), "met"),
        ("one of the same day, the same value", [at("2026-03-01", 30)], ((30, 30), (30, 30)), "met"),
        ("one of that month, which may be newer", [at("2026-03", 40)], ((30, 30), (40, 40)), "unknown"),
        ("one of the month before is older", [at("2026-02", 40)], ((30, 30),), "met"),
        ("one of the same day at another hour", [at("2026-03-01T23:00:00Z", 40)], ((30, 30), (40, 40)), "unknown"),
        ("a newer one in error is not evidence", [at("2026-03-02", 40, status="entered-in-error")], ((30, 30),), "met"),
        (
            "a newer one without a unit may be any",
            [at("2026-03-02", 40, valueQuantity=quantity(40))],
            (ANYTHING,),
            "unknown",
        ),
        ("one without a date may be the newest", [at(..., 40)], ((30, 30), ANYTHING), "unknown"),
        ("an older one without a unit", [at("2026-02-27", 40, valueQuantity=quantity(40))], ((30, 30),), "met"),
        ("one to come is not evidence", [at("2026-04-01", 40)], ((30, 30),), "met"),
    ),
)
def test_the_newest_measurement_wins(others, values, light_enough):
    on_record = [weight_ratio(30), *others]
    assert fact("weight-ratio", *on_record).values == values
    assert fact("weight-ratio", *on_record[::-1]).values == values
    assert truth("weight-ratio", *on_record) == light_enough


def test_two_values_of_one_day_are_both_shown():
    found = finding("weight-ratio", weight_ratio(30), at("2026-03-01", 40))
    assert [item.value for item in found.evidence] == ["30 kg/m2", "40 kg/m2"]
    assert "disagree" in found.reason


@pytest.mark.parametrize(
    ("authored", "attested_value", "light_enough"),
    named(
        ("a newer attestation", "2026-03-02", 40, "not-met"),
        ("an older attestation", "2026-02-28", 40, "met"),
        ("one of the same day that disagrees", "2026-03-01", 40, "unknown"),
        ("one of the same day that agrees", "2026-03-01", 31, "met"),
    ),
)
def test_of_record_and_attestation_the_newer_measurement_wins(authored, attested_value, light_enough):
    answers = attested({"weight-ratio": {"valueDecimal": attested_value}}, authored=authored)
    assert truth("weight-ratio", weight_ratio(30), answers) == light_enough


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ({"valueDecimal": 44.5}, 44.5),
        ({"valueInteger": 44}, 44),
        ({"valueDecimal": 0}, 0),
        ({"valueDecimal": 100}, 100),
    ],
)
def test_an_attested_number(answer, number):
    found = fact("function-score", attested({"function": answer}))
    assert found.values == ((number, number),)
    assert found.evidence[0].value == f"{number:g} %"


@pytest.mark.parametrize(
    "answer",
    named(
        ("off the scale", {"valueDecimal": 101}),
        ("below the scale", {"valueDecimal": -1}),
        ("text", {"valueString": "44"}),
        ("a number as text", {"valueDecimal": "44"}),
        ("yes", {"valueBoolean": True}),
        ("true in place of a number", {"valueDecimal": True}),
        ("nothing", {}),
        ("null", None),
    ),
)
def test_an_attested_number_that_cannot_be_used_leaves_it_open(answer):
    assert truth("function", attested({"function": answer})) == "unknown"
    assert fact("function-score", attested({"function": answer})).notes


# --- answer -----------------------------------------------------------------------------------------------------------


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
        ("an answer that is no list", {"item": [{"linkId": "can-hum", "answer": YES}]}),
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
        ("a date that is no date", {"authored": "yesterday"}),
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
    ("found", "doubt"),
    named(
        (
            "a measurement of a month",
            lambda: fact("weight-ratio", weight_ratio(effectiveDateTime="2025-03")),
            "2025-03 may be more than 365 days ago",
        ),
        (
            "a measurement of a year",
            lambda: fact("weight-ratio", weight_ratio(effectiveDateTime="2025")),
            "2025 may be more than 365 days ago",
        ),
        (
            "an answer of a month",
            lambda: fact("can-hum-attested", attested({"can-hum": YES}, authored="2025-09")),
            "2025-09 may be more than 180 days ago",
        ),
    ),
)
def test_what_may_be_too_old_is_not_known_to_count(found, doubt):
    known = found()
    assert (len(known.values), known.open) == (1, True)
    assert known.notes[-1].endswith(doubt)


def test_beside_a_value_that_counts_one_that_may_be_too_old_settles_nothing_else():
    sure = weight_ratio(id="sure", valueQuantity=quantity(28, code="kg/m2"), effectiveDateTime="2025-06-01")
    partial = weight_ratio(id="partial", valueQuantity=quantity(40, code="kg/m2"), effectiveDateTime="2025")
    known = fact("weight-ratio", sure, partial)
    assert (set(known.values), known.open) == ({(28, 28), (40, 40)}, False)


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
            "a newer one that is no answer leaves it open",
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


@pytest.mark.parametrize(
    ("answer", "infected", "met"),
    named(
        ("attested absent, nothing on record", YES, False, "met"),
        ("attested absent, present on record", YES, True, "unknown"),
        ("attested present, present on record", NO, True, "not-met"),
        ("attested present, nothing on record", NO, False, "not-met"),
        ("nothing attested, present on record", None, True, "not-met"),
        ("nothing attested, nothing on record", None, False, "unknown"),
    ),
)
def test_a_record_and_an_attestation(answer, infected, met):
    on_record = [condition(code=concept(ICD10CM, "M00.9"))] if infected else []
    answers = [attested({"no-infection": answer})] if answer else []
    assert truth("no-infection", *on_record, *answers) == met


def test_a_record_and_an_attestation_that_disagree_are_both_shown():
    found = finding("no-infection", condition(code=concept(ICD10CM, "M00.9")), attested({"no-infection": YES}))
    assert {item.reference for item in found.evidence} == {"Condition/c1", "QuestionnaireResponse/q1"}
    assert "disagree" in found.reason


# --- record -----------------------------------------------------------------------------------------------------------


def test_a_record():
    found = fact("exercise", procedure())
    assert found.values == (True,)
    assert found.evidence == (
        Evidence("Procedure/x1", "exercise", None, "2026-02-01", None, "97110", ("session", "sessions")),
    )


@pytest.mark.parametrize(
    ("performed", "counts"),
    named(
        ("the last day of the look-back", {"performedDateTime": DAY_365}, True),
        ("one day beyond", {"performedDateTime": DAY_366}, False),
        ("a month within", {"performedDateTime": "2025-04"}, True),
        ("a month that may be beyond", {"performedDateTime": "2025-03"}, False),
        ("a year that may be beyond", {"performedDateTime": "2025"}, False),
        ("this year", {"performedDateTime": "2026"}, True),
        ("a period, by its end", {"performedPeriod": {"start": "2020-01-01", "end": "2026-02-01"}}, True),
        ("a period without end, by its start", {"performedPeriod": {"start": "2026-02-01"}}, True),
        ("an old period", {"performedPeriod": {"start": "2020-01-01", "end": "2020-06-01"}}, False),
        ("an empty period", {"performedPeriod": {}}, False),
        ("a date as a string", {"performedString": "2026-02"}, True),
        ("words", {"performedString": "last winter"}, False),
        ("no date", {}, False),
        ("in the future", {"performedDateTime": "2026-03-17"}, False),
        ("tomorrow in Sydney, which is today in UTC", {"performedDateTime": "2026-03-16T08:00:00+11:00"}, True),
        ("a date that is no date", {"performedDateTime": "winter"}, False),
    ),
)
def test_the_date_of_a_record(performed, counts):
    found = fact("exercise", procedure(performedDateTime=...) | performed)
    assert found.values == ((True,) if counts else ())
    assert bool(found.notes) is not counts


def test_a_record_without_a_date_counts_where_no_look_back_is_set():
    found = fact("surgery", procedure(concept(CPT, "27447"), performedDateTime=...))
    assert found.values == (True,)
    assert found.evidence[0].date is None


def test_a_medicine_to_be_taken_until_a_later_day_is_being_taken():
    statement = medicine(
        resourceType="MedicationStatement",
        intent=...,
        authoredOn=...,
        effectivePeriod={"start": "2026-01-01", "end": "2026-12-31"},
    )
    assert fact("medicine", statement).values == (True,)


def test_records_are_listed_newest_first():
    found = fact("exercise", procedure(), procedure(id="x2", performedDateTime="2026-02-08"), procedure(id="x0"))
    assert [item.reference for item in found.evidence] == ["Procedure/x2", "Procedure/x0", "Procedure/x1"]


@pytest.mark.parametrize(
    ("resources", "values"),
    named(
        ("nothing on record", [], (False,)),
        ("on record", [procedure(concept(CPT, "27447"))], (True,)),
        ("as a diagnosis", [condition(code=concept(ICD10CM, "Z96.651"))], (True,)),
        ("as words", [procedure({"text": "Total knee replacement, right"})], (True,)),
        ("something else on record", [procedure()], (False,)),
        ("one that cannot be read", [procedure({"coding": "27447"})], ()),
        ("one of doubtful standing", [procedure(concept(CPT, "27447"), status="unknown")], ()),
    ),
)
def test_silence_means_no_only_where_a_reason_says_so(resources, values):
    assert fact("surgery", *resources).values == values


@pytest.mark.parametrize("key", ["condition", "procedure"])
def test_silence_means_no_only_where_every_type_was_sent(key):
    assert fact("surgery", **{key: ...}).values == ()


def test_silence_without_a_reason_is_unknown():
    assert fact("infection").values == ()


FAMILY = {
    "resourceType": "FamilyMemberHistory",
    "id": "f1",
    "patient": ME,
    "status": "completed",
    "relationship": {"text": "mother"},
    "condition": [{"code": concept(ICD10CM, "M00.9")}],
}


@pytest.mark.parametrize(
    "resource",
    named(
        ("a relative's history", FAMILY),
        ("a relative's history among the diagnoses", condition(code={"text": "Family history of septic arthritis"})),
        ("a mother's", condition(code={"text": "Mother: septic arthritis"})),
        ("denied", condition(code={"text": "No septic arthritis"})),
        ("denied behind", condition(code={"text": "Septic arthritis: denied"})),
        ("absent", condition(code={"text": "Septic arthritis absent"})),
        ("ruled out", condition(code={"text": "Septic arthritis ruled out"})),
        ("to rule out", condition(code={"text": "R/O septic arthritis"})),
        ("suspected", condition(code={"text": "Suspected septic arthritis"})),
        ("coded, but the words deny it", condition(code=concept(ICD10CM, "M00.9", text="No septic arthritis"))),
        ("coded, but the words name the father", condition(code=concept(ICD10CM, "M00.9", text="Father had it"))),
    ),
)
def test_what_is_not_the_patients_own_is_never_counted(resource):
    assert fact("infection", resource).values == ()
    assert truth("no-infection", resource) == "unknown"


@pytest.mark.parametrize(
    "code",
    named(
        (
            "not elsewhere classified, as the display",
            {
                "coding": [
                    {"system": ICD10CM, "code": "M01.X0", "display": "Arthritis in diseases not elsewhere classified"}
                ]
            },
        ),
        (
            "not elsewhere classified, as the text",
            concept(ICD10CM, "M01.X0", text="Arthritis in infectious diseases, not elsewhere classified"),
        ),
        (
            "without something, as the display",
            {"coding": [{"system": ICD10CM, "code": "M00.9", "display": "Septic arthritis without sepsis"}]},
        ),
        ("without something, as the text", concept(ICD10CM, "M00.9", text="Septic arthritis without sepsis")),
        ("without something, in words alone", {"text": "Septic arthritis without sepsis"}),
    ),
)
def test_a_diagnosis_whose_official_name_holds_a_small_no_is_a_diagnosis(code):
    assert fact("infection", condition(code=code)).values == (True,)


def test_an_image_without_contrast_is_an_image():
    report = {
        "resourceType": "DiagnosticReport",
        "id": "d1",
        "subject": ME,
        "status": "final",
        "code": {"coding": [{"system": CPT, "code": "73721", "display": "MRI knee without contrast"}]},
    }
    assert fact("image", report).values == (True,)
