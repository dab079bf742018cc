"""The kind of fact `record`."""

import pytest

from cds_service.facts.evidence import Evidence
from tests.charts import CPT, ICD10CM, ME, concept, condition, fact, medicine, named, procedure, truth
from tests.spec.pieces import EXERCISE, exercise, is_yes
from tests.spec.tables import Row, Table, also, held

RECORD = Table(
    "record",
    "Yes if one of `resources` carries a code (or the words) of `codes` and counts as evidence. `state` is active or "
    "ever. Optional limits: a `site`, a `reason`, `look_back_days`.",
    {"exercised": EXERCISE},
    is_yes("exercised"),
    (
        Row("on record", exercise(), "met"),
        Row("entered in error", exercise(status="entered-in-error"), "unknown"),
        Row("nothing on record", {}, "unknown"),
    ),
)
# The date of service decides which codes order something; a record counts by its code whenever it was made.
VALIDITY = also(
    {
        "sick": {
            "kind": "record",
            "title": "Infection",
            "codes": "infection",
            "resources": ["Condition"],
            "state": "active",
            "when_absent": "unknown",
        }
    },
    is_yes("sick"),
    Row("made before its code was valid", {"found": {"condition": "ICD-10-CM|M00.9", "date": "2026-01-01"}}, "met"),
    sets={"infection": {"title": "Infection", "codes": [{"code": "ICD-10-CM|M00.9", "valid_from": "2027-01-01"}]}},
)
TABLES = (RECORD, VALIDITY)

test_rows = held(*TABLES)


# Today is 15 March 2026.
DAY_365, DAY_366 = "2025-03-15", "2025-03-14"


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
        ("a date that is not a date", {"performedDateTime": "winter"}, False),
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
