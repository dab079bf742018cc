"""What was delivered: when a Bundle is whole, whose a record is, and the ledger that says so for each type."""

import json

import pytest

from cds_service.fhir.bundles import newest_copies, read_value
from tests.charts import ME, RXNORM, bundle, chart, concept, condition, fact, medicine, named, patient, truth

PAIN = condition()
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
NO_TEXT = "has a coding whose code or system is not text"


def entry(**changes):
    """One entry of a Bundle with the pain in it; ``...`` leaves a member out."""
    return {name: value for name, value in ({"resource": PAIN} | changes).items() if value is not ...}


def page(*entries, **changes):
    return {"resourceType": "Bundle", "type": "searchset", "entry": list(entries)} | changes


NEXT = {"link": [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]}
INCLUDED = {"resource": {"resourceType": "Patient", "id": "p1"}, "search": {"mode": "include"}}
REMARK = {
    "resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "information"}]},
    "search": {"mode": "outcome"},
}


@pytest.mark.parametrize(
    "value",
    named(
        ("a search that found it", page(entry(), total=1)),
        ("without a total", page(entry())),
        ("with what was included besides", page(entry(search={"mode": "match"}), INCLUDED, total=1)),
        ("with a remark", page(entry(), REMARK, total=1)),
        ("a total that is not a number", page(entry(), total="1")),
        ("a total of a history", page(entry(), type="history", total=9)),
        ("a batch that succeeded", page(entry(response={"status": "200 OK"}), type="batch-response")),
        ("a batch of searches", page({"resource": page(entry(), total=1)}, type="batch-response")),
        ("the resource in place of an entry", page(PAIN, total=1)),
    ),
)
def test_a_bundle_is_whole_where_nothing_says_otherwise(value):
    found = chart(condition=value)
    assert found.whole("Condition")
    assert found.delivery("Condition")[:4] == ("whole", 1, 1, ())


@pytest.mark.parametrize(
    ("value", "state", "why"),
    named(
        ("more pages", page(entry(), **NEXT), "in-part", "only the first page of Condition was sent"),
        (
            "more pages of a search inside a batch",
            page({"resource": page(entry(), **NEXT)}, type="batch-response"),
            "in-part",
            "only the first page of Condition was sent",
        ),
        ("a total above what came", page(entry(), total=3), "in-part", "only 1 of 3 Condition was sent"),
        ("a total without entries", page(total=3), "failed", "none of 3 Condition were sent"),
        ("a total, and what was included alone", page(INCLUDED, total=1), "failed", "none of 1 Condition were sent"),
        (
            "a batch whose only part failed",
            page({"response": {"status": "404", "outcome": OUTCOME}}, type="batch-response"),
            "failed",
            "the EHR could not answer a part of it (404)",
        ),
        (
            "a status that is none",
            page({"response": {"status": "gone"}}, type="batch-response"),
            "failed",
            "the EHR could not answer a part of it (unreadable)",
        ),
        ("an entry without a resource", page({"fullUrl": "urn:uuid:1"}), "failed", "an entry without a resource"),
        ("an entry that is none", page(7), "failed", "a Bundle that cannot be read"),
    ),
)
def test_a_bundle_that_says_that_it_is_not_whole(value, state, why):
    found = chart(condition=value)
    assert not found.whole("Condition")
    assert found.delivery("Condition").state == state
    assert why in found.why_missing["Condition"]
    assert fact("infection-or-none", condition=value).values == ()


def test_a_part_of_a_batch_that_failed_leaves_the_rest():
    failed = {"response": {"status": "500"}}
    found = chart(condition=page(entry(), failed, type="batch-response"))
    assert found.delivery("Condition").state == "in-part"
    assert [record.reference for record in found.records("Condition")] == ["Condition/c1"]
    assert found.unreadable[0].why == "in part: the EHR could not answer a part of it (500)"


@pytest.mark.parametrize(
    "subject",
    named(
        ("plain", ME),
        ("with an address", {"reference": "https://ehr.example/fhir/Patient/p1"}),
        ("with a slash behind it", {"reference": "Patient/p1/"}),
        ("by its UUID alone", {"reference": "urn:uuid:p1"}),
    ),
)
def test_a_reference_to_the_patient_however_it_is_written(subject):
    assert chart(condition(subject=subject)).delivery("Condition").counted == 1


def test_a_contained_patient_is_the_patient_of_the_call_where_the_identity_is():
    mine = {"resourceType": "Patient", "id": "me", "identifier": [{"system": "urn:mrn", "value": "7"}]}
    theirs = mine | {"identifier": [{"system": "urn:mrn", "value": "8"}]}
    own = patient(identifier=[{"system": "urn:mrn", "value": "7"}])
    counted = [
        chart(own, condition(subject={"reference": "#me"}, contained=[inside])).delivery("Condition").counted
        for inside in (mine, theirs, mine | {"id": "you"})
    ]
    assert counted == [1, 0, 0]


def test_an_older_fhir_calls_the_subject_the_patient():
    assert chart(condition(subject=..., patient=ME)).delivery("Condition").counted == 1


@pytest.mark.parametrize(
    ("resource", "why"),
    named(
        ("of another", condition(subject={"reference": "Patient/p2"}), "names another patient"),
        ("of nobody", condition(subject=...), "names no patient"),
        ("of a display alone", condition(subject={"display": "Jane"}), "names no patient"),
        ("an unreadable code", condition(code={"coding": [{"code": 5}]}), NO_TEXT),
    ),
)
def test_what_is_not_counted_stands_in_the_ledger(resource, why):
    delivery = chart(condition=bundle(resource | {"id": "x"}, PAIN)).delivery("Condition")
    assert (delivery.received, delivery.counted) == (2, 1)
    assert [(item.reference, item.why) for item in delivery.dropped] == [("Condition/x", why)]


def test_a_list_with_a_record_that_cannot_be_determined_is_not_whole():
    """It may be the same record that rules something out."""
    broken = condition(id="x", code={"coding": [{"code": 5}]})
    assert not chart(condition=bundle(broken, PAIN)).whole("Condition")
    assert fact("infection-or-none", condition=bundle(broken, PAIN)).values == ()


@pytest.mark.parametrize(
    ("medication", "counted"),
    named(
        ("that was sent", {"reference": "Medication/a"}, 1),
        ("with its words", {"reference": "Medication/b", "display": "Acetaminophen"}, 1),
        ("that was not sent", {"reference": "Medication/b"}, 0),
    ),
)
def test_a_drug_by_reference(medication, counted):
    drug = {"resourceType": "Medication", "id": "a", "code": concept(RXNORM, "161")}
    taken = medicine(medicationCodeableConcept=..., medicationReference=medication)
    found = chart(medicationRequest=bundle(taken, drug))
    assert found.delivery("MedicationRequest").counted == counted
    assert found.whole("MedicationRequest") is bool(counted)
    assert [item.why for item in found.unreadable] == ([] if counted else ["names a Medication that was not sent"])


# --- the Patient ------------------------------------------------------------------------------------------------------


def test_copies_of_the_patient_that_disagree_give_both_ages():
    older = patient(birthDate="1950-01-01")
    found = fact("age", patient(), condition=bundle(older, PAIN))
    assert found.values == ((56, 56), (76, 76))
    assert found.evidence[0].value == "56 years or 76 years"
    assert found.notes == ("copies of the Patient disagree on the birth date",)


def test_of_copies_of_the_patient_the_later_version_holds():
    older = patient(birthDate="1950-01-01", meta={"lastUpdated": "2020-01-01T00:00:00Z"})
    newer = patient(meta={"lastUpdated": "2025-01-01T00:00:00Z"})
    for one, other in ((older, newer), (newer, older)):
        assert fact("age", one, condition=bundle(other, PAIN)).values == ((56, 56),)


def test_copies_that_agree_are_one():
    assert fact("age", patient(), condition=bundle(patient(name=[{"text": "A"}]), PAIN)).values == ((56, 56),)


def test_only_so_many_copies_are_kept():
    assert len(newest_copies(patient(birthDate=f"19{year}-01-01") for year in range(10, 60))) == 10


@pytest.mark.parametrize(
    ("changes", "died", "age"),
    named(
        ("with a date", {"deceasedDateTime": "2020-03-04T10:00:00Z"}, "2020-03-04T10:00:00Z", (50, 50)),
        ("without a date", {"deceasedBoolean": True}, "", (56, 56)),
        ("not", {"deceasedBoolean": False}, None, (56, 56)),
        ("on a date that is none", {"deceasedDateTime": "spring"}, "spring", (56, 56)),
    ),
)
def test_a_patient_who_died_has_the_age_at_death(changes, died, age):
    assert chart(patient(**changes)).died == died
    assert fact("age", patient(**changes)).values == (age,)


def test_an_onset_by_age_needs_one_birth_date():
    by_age = condition(onsetDateTime=..., onsetAge={"value": 40, "code": "a"})
    older = patient(birthDate="1950-01-01")
    assert truth("pain-duration", patient(), by_age) == "met"
    assert fact("pain-onset", patient(), condition=bundle(older, by_age)).evidence == ()


def test_what_arrived_is_read_however_deep_it_stands_and_never_raises():
    for value in (None, [], {}, 7, "x", [[PAIN]], {"resourceType": 5}, page({"resource": page(entry())})):
        json.dumps(read_value(value).by_type)
