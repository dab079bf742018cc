"""The kind of fact `age`."""

import pytest

from cds_service.facts.evidence import Evidence
from tests.charts import fact, named, patient, truth
from tests.spec.pieces import born
from tests.spec.tables import Row, Table, held

AGE = Table(
    "age",
    "Age in years, from Patient.birthDate.",
    {"age": {"kind": "age", "title": "Age", "when_absent": "unknown"}},
    {"fact": "age", "at_least": 18},
    (
        Row("born 18 years ago today", born("2008-03-15"), "met"),
        Row("born a day later", born("2008-03-16"), "not-met"),
        Row("born in March of that year", born("2008-03"), "unknown"),
    ),
)
TABLES = (AGE,)

test_rows = held(*TABLES)


@pytest.mark.parametrize(
    ("born", "years", "shown", "adult"),
    named(
        ("a day", "1970-06-14", (55, 55), "55 years", "met"),
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
        ("another patient", patient(id="p2"), "the EHR sent a different patient"),
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
