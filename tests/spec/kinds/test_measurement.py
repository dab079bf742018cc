"""The kind of fact `measurement`."""

from math import inf, nextafter

import pytest

from cds_service.facts.evidence import ANYTHING
from cds_service.fhir.elements import UCUM
from tests.charts import (
    LOINC,
    attested,
    concept,
    fact,
    finding,
    named,
    observation,
    quantity,
    truth,
    weight_ratio,
)
from tests.spec.pieces import SCORE, score
from tests.spec.tables import Row, Table, held

MEASUREMENT = Table(
    "measurement",
    "The newest number within `look_back_days`, from Observations in `codes` and answers to `item`. `units` maps each "
    "accepted unit to its possible factors; `range` gives the possible values.",
    {"function": SCORE},
    {"fact": "function", "at_least": 30},
    (
        Row("30%", score(30), "met"),
        Row("29%", score(29), "not-met"),
        Row("20 points out of 50 or 100", score(20, "{score}"), "unknown"),
        Row("no unit", {"score": {"observation": "LOINC|97909-6", "value": 40, "date": "2026-03-01"}}, "unknown"),
    ),
)
TABLES = (MEASUREMENT,)

test_rows = held(*TABLES)


# Today is 15 March 2026.
DAY_90, DAY_91 = "2025-12-15", "2025-12-14"
DAY_365, DAY_366 = "2025-03-15", "2025-03-14"


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
            "is about a relative",
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
def test_a_measurement_that_was_sent_and_cannot_be_determined_may_be_any(changes, note):
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
        ("a date that is not a date", {"effectiveDateTime": "yesterday"}),
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
        ("millimeters of a line", {"valueQuantity": quantity(65, unit="mm")}, 6.5),
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


@pytest.mark.parametrize("day", ["2025", "2025-03"])
def test_a_measurement_that_may_be_beyond_the_look_back_is_not_known_to_count(day):
    known = fact("weight-ratio", weight_ratio(effectiveDateTime=day))
    assert (known.values, known.open) == (((30, 30),), True)
    assert known.notes == (f"body mass index: {day} may be more than 365 days ago",)


def test_beside_a_value_that_counts_one_that_may_be_too_old_settles_nothing_else():
    sure = weight_ratio(id="sure", valueQuantity=quantity(28, code="kg/m2"), effectiveDateTime="2025-06-01")
    partial = weight_ratio(id="partial", valueQuantity=quantity(40, code="kg/m2"), effectiveDateTime="2025")
    known = fact("weight-ratio", sure, partial)
    assert (set(known.values), known.open) == ({(28, 28), (40, 40)}, False)
