"""Whether a resource with the right code counts: its status, its site, its reason, and the words for why not."""

import pytest

from cds_service.chart.evidence_rules import (
    status_word,
    too_old_or_future,
)
from cds_service.chart.sites import points_at, reason_concepts
from tests.charts import (
    CPT,
    HCPCS,
    ICD10CM,
    ME,
    RXNORM,
    SNOMED,
    TODAY,
    attested,
    chart,
    concept,
    condition,
    fact,
    medicine,
    minimal,
    named,
    procedure,
    weight_ratio,
)

INFECTION = concept(ICD10CM, "M00.9")


def status(code):
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": code}]}


_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_VISIT = {"coding": [{"system": _CATEGORY, "code": "encounter-diagnosis"}]}
BOTH = [_VISIT, {"coding": [{"system": _CATEGORY, "code": "problem-list-item"}]}]
VISIT = {"clinicalStatus": ..., "category": [_VISIT]}
SAID_2019 = {
    "url": "http://hl7.org/fhir/StructureDefinition/condition-assertedDate",
    "valueDateTime": "2019-05-02",
}

# --- diagnoses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "active", "ever"),
    named(
        ("active and confirmed", {}, True, True),
        ("recurring", {"clinicalStatus": status("recurrence")}, True, True),
        ("relapsed", {"clinicalStatus": status("relapse")}, True, True),
        ("active as a bare string", {"clinicalStatus": "active", "verificationStatus": "confirmed"}, True, True),
        ("no status at all", {"clinicalStatus": ..., "verificationStatus": ...}, True, True),
        ("inactive", {"clinicalStatus": status("inactive")}, False, True),
        ("in remission", {"clinicalStatus": status("remission")}, False, True),
        ("resolved", {"clinicalStatus": status("resolved")}, False, True),
        ("resolved as a bare string", {"clinicalStatus": "resolved"}, False, True),
        ("resolved as text", {"clinicalStatus": {"text": "Resolved"}}, False, True),
        ("silent, but ended", {"clinicalStatus": ..., "abatementDateTime": "2026-01-01"}, False, True),
        ("silent, ended today", {"clinicalStatus": ..., "abatementDateTime": "2026-03-15"}, False, True),
        ("silent, to end in two days", {"clinicalStatus": ..., "abatementDateTime": "2026-03-17"}, True, True),
        ("silent, to end later", {"clinicalStatus": ..., "abatementDateTime": "2026-05-01"}, True, True),
        ("entered in error", {"verificationStatus": status("entered-in-error")}, False, False),
        ("entered in error as a bare string", {"verificationStatus": "entered-in-error"}, False, False),
        ("refuted", {"verificationStatus": status("refuted")}, False, False),
        ("provisional", {"verificationStatus": status("provisional")}, False, False),
        ("unconfirmed", {"verificationStatus": status("unconfirmed")}, False, False),
        ("differential", {"verificationStatus": status("differential")}, False, False),
        ("a verification that FHIR does not know", {"verificationStatus": status("maybe")}, False, False),
        ("recorded today", {"recordedDate": "2026-03-15"}, True, True),
        ("recorded tomorrow, which it is east of us", {"recordedDate": "2026-03-16"}, True, True),
        ("recorded the day after", {"recordedDate": "2026-03-17"}, False, False),
        ("begun the day after tomorrow", {"onsetDateTime": "2026-03-17"}, False, False),
        ("a status that cannot be read", {"clinicalStatus": ["active"]}, False, True),
        ("a verification that cannot be read", {"verificationStatus": 1}, False, False),
    ),
)
def test_a_diagnosis_counts(changes, active, ever):
    assert fact("infection", condition(code=INFECTION, **changes)).values == ((True,) if active else ())
    artificial = condition(code=concept(ICD10CM, "Z96.651"), **changes)
    assert fact("surgery", artificial).values == ((True,) if ever else ())


@pytest.mark.parametrize(
    ("changes", "note"),
    named(
        ("resolved", {"clinicalStatus": status("resolved")}, "is resolved"),
        ("entered in error", {"verificationStatus": status("entered-in-error")}, "is entered in error"),
        ("refuted", {"verificationStatus": status("refuted")}, "is refuted"),
        ("provisional", {"verificationStatus": status("provisional")}, "is provisional, not confirmed"),
        ("ended", {"clinicalStatus": ..., "abatementDateTime": "2026-01-01"}, "ended 2026-01-01"),
        ("recorded in the future", {"recordedDate": "2026-03-17"}, "is dated in the future (2026-03-17)"),
        ("begun in the future", {"onsetDateTime": "2026-03-17"}, "is dated in the future (2026-03-17)"),
    ),
)
def test_the_card_can_say_why_a_diagnosis_does_not_count(changes, note):
    notes = fact("infection", condition(code=INFECTION, **changes)).notes
    assert len(notes) == 1
    assert notes[0].endswith(note)


ENDED_AND_ACTIVE = "is active, and ended 2026-01-01"


@pytest.mark.parametrize(
    ("changes", "why"),
    named(
        ("by today", {"abatementDateTime": f"{TODAY}"}, f"ended {TODAY}"),
        ("by words", {"abatementString": "resolved 2020"}, "has ended"),
        ("by age", {"abatementAge": {"value": 40, "code": "a"}}, "has ended"),
        ("by a range of ages", {"abatementRange": {"low": {"value": 40}}}, "has ended"),
        ("by a period", {"abatementPeriod": {"start": "2025-02-03", "end": "2025-04"}}, "ended 2025-02-03"),
        ("by a period with an end alone", {"abatementPeriod": {"end": "2025-04"}}, "ended 2025-04"),
        ("as an older FHIR says it", {"abatementBoolean": True}, "has ended"),
        ("not at all, as an older FHIR says it", {"abatementBoolean": False}, None),
        ("by a period to come", {"abatementPeriod": {"start": "2026-05"}}, None),
    ),
)
def test_a_diagnosis_that_has_abated_is_not_present(changes, why):
    """FHIR R4 con-4."""
    found = fact("infection", condition(code=INFECTION, clinicalStatus=..., **changes))
    assert found.values == ((True,) if why is None else ())
    assert not found.open
    assert [note.partition(": ")[2] for note in found.notes] == ([why] if why else [])


@pytest.mark.parametrize(
    ("changes", "why"),
    named(
        ("active, and ended", {"abatementDateTime": "2026-01-01"}, ENDED_AND_ACTIVE),
        ("an end that may lie ahead", {"clinicalStatus": ..., "abatementDateTime": "2026"}, "may have ended (2026)"),
        ("recorded in the future", {"recordedDate": "2026-03-17"}, "is dated in the future (2026-03-17)"),
        ("a visit without a date", VISIT | {"onsetDateTime": ...}, "is the diagnosis of a visit without a date"),
        (
            "a visit that may be a year ago",
            VISIT | {"onsetDateTime": "2025"},
            "is the diagnosis of a visit that may be more than a year old (2025)",
        ),
        (
            "a modifier extension",
            {"modifierExtension": [{"url": "https://ehr.example/not", "valueBoolean": True}]},
            "carries a modifierExtension, which may change what it means",
        ),
        ("rules of its own", {"implicitRules": "https://ehr.example/rules"}, "follows implicitRules, which may change"),
    ),
)
def test_a_diagnosis_of_which_it_is_not_known_whether_it_counts(changes, why):
    found = fact("infection", condition(code=INFECTION, **changes))
    assert (found.values, found.open) == ((), True)
    assert why in found.notes[0]


@pytest.mark.parametrize(
    ("changes", "counts"),
    named(
        ("of this year", {"recordedDate": "2025-04-01"}, True),
        ("of a year ago, to the day", {"recordedDate": "2025-03-15"}, True),
        ("of longer ago", {"recordedDate": "2025-03-14"}, False),
        ("of longer ago, by its onset", {"onsetDateTime": "2024-01-01"}, False),
        ("of longer ago, by when it was asserted", {"onsetDateTime": ..., "extension": [SAID_2019]}, False),
        ("of longer ago, called active", {"recordedDate": "2019", "clinicalStatus": status("active")}, True),
        ("of longer ago, on the problem list too", {"recordedDate": "2019", "category": BOTH}, True),
    ),
)
def test_what_a_visit_was_for_is_present_for_a_year(changes, counts):
    """An encounter diagnosis has no clinical status in US Core: it says what was so then."""
    found = fact("infection", condition(code=INFECTION, **(VISIT | changes)))
    assert (found.values, found.open) == ((True,) if counts else (), False)


# --- other records ----------------------------------------------------------------------------------------------------

ORDERED = {
    "resourceType": "ServiceRequest",
    "id": "r1",
    "subject": ME,
    "intent": "order",
    "code": concept(CPT, "97110"),
    "authoredOn": "2026-02-01",
}
TAKEN = {
    "resourceType": "MedicationStatement",
    "id": "t1",
    "subject": ME,
    "medicationCodeableConcept": concept(RXNORM, "161"),
    "effectiveDateTime": "2026-02-01",
}
IMAGE = {
    "resourceType": "DiagnosticReport",
    "id": "d1",
    "subject": ME,
    "code": {"text": "Knee MRI"},
    "effectiveDateTime": "2026-02-01",
}
IMPLANT = {"resourceType": "Device", "id": "v1", "patient": ME, "type": concept(SNOMED, "25937001")}
IMPLANT_ORDER = {
    "resourceType": "DeviceRequest",
    "id": "v2",
    "subject": ME,
    "intent": "order",
    "codeCodeableConcept": concept(HCPCS, "C1767"),
}

COUNTED = [
    (
        "exercise",
        procedure(),
        ("completed", "in-progress"),
        ("preparation", "not-done", "on-hold", "stopped", "entered-in-error", "unknown"),
    ),
    ("exercise", ORDERED, ("active", "completed", "on-hold"), ("draft", "revoked", "entered-in-error", "unknown")),
    (
        "medicine",
        medicine(),
        ("active", "completed", "stopped", "on-hold"),
        ("draft", "cancelled", "entered-in-error", "unknown"),
    ),
    (
        "medicine",
        TAKEN,
        ("active", "completed", "stopped", "on-hold"),
        ("intended", "not-taken", "entered-in-error", "unknown"),
    ),
    (
        "image",
        IMAGE,
        ("final", "amended", "corrected", "appended", "preliminary"),
        ("registered", "cancelled", "entered-in-error", "unknown"),
    ),
    ("stimulator", IMPLANT, ("active",), ("inactive", "entered-in-error", "unknown")),
    (
        "stimulator",
        IMPLANT_ORDER,
        ("active", "completed", "on-hold"),
        ("draft", "revoked", "entered-in-error", "unknown"),
    ),
]


IN_WORDS = {"preparation": "is planned", "not-done": "was not done", "not-taken": "was not taken"}


@pytest.mark.parametrize(
    ("name", "resource", "said", "counts"),
    [
        pytest.param(name, resource, said, said in good, id=f"{resource['resourceType']} {said}")
        for name, resource, good, bad in COUNTED
        for said in good + bad
    ],
)
def test_a_record_counts_by_its_status(name, resource, said, counts):
    found = fact(name, resource | {"status": said})
    assert found.values == ((True,) if counts else ())
    if not counts:
        assert found.notes[0].endswith(IN_WORDS.get(said, f"status is {said}"))


@pytest.mark.parametrize(
    ("name", "resource"), [pytest.param(row[0], row[1], id=row[1]["resourceType"]) for row in COUNTED]
)
def test_a_record_without_a_status_counts(name, resource):
    assert fact(name, {key: value for key, value in resource.items() if key != "status"}).values == (True,)


@pytest.mark.parametrize(
    "changes",
    named(
        ("not to be done", {"doNotPerform": True}),
        ("proposed", {"intent": "proposal"}),
        ("a status that is a list", {"status": ["active"]}),
        ("a status that is an object", {"status": {"code": "active"}}),
    ),
)
def test_an_order_that_is_none(changes):
    assert fact("exercise", ORDERED | {"status": "active"} | changes).values == ()
    assert fact("medicine", medicine(**changes)).values == ()


def test_a_plan_is_no_order_but_of_a_drug_a_report():
    """US Core Medication List: a MedicationRequest with the intent "plan" is a medication that was reported."""
    assert fact("exercise", ORDERED | {"status": "active", "intent": "plan"}).values == ()
    assert fact("medicine", medicine(intent="plan", reportedBoolean=True)).values == (True,)


# --- site and reason --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "here"),
    named(
        ("the site as a code", {"bodySite": [concept(SNOMED, "72696002")]}, True),
        ("the site in words", {"bodySite": [{"text": "Right knee"}]}, True),
        ("the site as a display", {"bodySite": [{"coding": [{"display": "Knee region"}]}]}, True),
        ("a local code with the right words", {"bodySite": [concept("urn:x", "1", text="Left knee")]}, True),
        ("one of two sites", {"bodySite": [{"text": "Shoulder"}, {"text": "Knee"}]}, True),
        ("a site that is not a list", {"bodySite": {"text": "Knee"}}, True),
        ("the words of the code", {"code": concept(CPT, "97110", text="Exercise for the knee")}, True),
        ("another site in words", {"bodySite": [{"text": "Shoulder"}]}, False),
        ("another site as a code", {"bodySite": [concept(SNOMED, "16982005")]}, False),
        (
            "another site, though the code speaks of this one",
            {"bodySite": [{"text": "Shoulder"}], "code": concept(CPT, "97110", text="Exercise for the knee")},
            False,
        ),
        ("not this site", {"bodySite": [{"text": "Not the knee"}]}, False),
        ("nothing", {}, None),
        ("an empty site", {"bodySite": [{}]}, None),
        ("no sites", {"bodySite": []}, None),
    ),
)
def test_where_a_record_points(changes, here):
    resource = procedure() | changes
    assert points_at(resource, minimal().code_sets["knee"], chart()) is here
    assert fact("exercise-of-the-knee", resource).values == ((True,) if here else ())


PAIN = condition(id="pain")
HIP = condition(id="hip", code=concept(ICD10CM, "M25.551"))


@pytest.mark.parametrize(
    ("changes", "counts"),
    named(
        ("the reason as a code", {"reasonCode": [concept(ICD10CM, "M25.562")]}, True),
        ("the reason in words", {"reasonCode": [{"text": "knee pain"}]}, True),
        ("the second reason", {"reasonCode": [{"text": "fall"}, concept(SNOMED, "30989003")]}, True),
        ("a diagnosis of the chart", {"reasonReference": [{"reference": "Condition/pain"}]}, True),
        (
            "a contained diagnosis",
            {"reasonReference": [{"reference": "#inside"}], "contained": [{**PAIN, "id": "inside"}]},
            True,
        ),
        ("a diagnosis by its UUID", {"reasonReference": [{"reference": "urn:uuid:pain"}]}, True),
        ("a diagnosis by its words", {"reasonReference": [{"display": "Knee pain"}]}, True),
        ("another reason", {"reasonCode": [concept(ICD10CM, "M25.551")]}, False),
        ("another diagnosis", {"reasonReference": [{"reference": "Condition/hip"}]}, False),
        ("a diagnosis that is nowhere", {"reasonReference": [{"reference": "Condition/lost"}]}, False),
        ("a reason that is denied", {"reasonCode": [{"text": "no knee pain"}]}, False),
        ("a reason of the family", {"reasonCode": [{"text": "mother has knee pain"}]}, False),
        ("no reason", {}, False),
    ),
)
def test_why_a_record_was_made(changes, counts):
    found = fact("exercise-for-pain", procedure() | changes, ("urn:uuid:pain", PAIN), HIP)
    assert found.values == ((True,) if counts else ())


def test_a_reason_that_cannot_be_read_is_noted():
    found = fact("exercise-for-pain", procedure(reasonCode=[{"coding": "M25.561"}]))
    assert found.values == ()
    assert found.notes


def test_a_record_elsewhere_is_reported_and_one_that_names_no_site_is_not_worth_a_word():
    elsewhere = fact("exercise-of-the-knee", procedure(bodySite=[{"text": "Shoulder"}]))
    assert elsewhere.notes == ("exercise: is of another body site",)
    assert fact("exercise-of-the-knee", procedure()).notes == ()


def test_reasons_in_the_order_given():
    resource = procedure(
        reasonCode=[{"text": "one"}], reasonReference=[{"reference": "Condition/pain"}, {"display": "three"}, "four"]
    )
    assert reason_concepts(resource, chart(PAIN)) == [{"text": "one"}, PAIN["code"], {"text": "three"}]


# --- dates and words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("look_back", "text", "why"),
    named(
        ("the exact day", 90, "2025-12-15", None),
        ("one day beyond", 90, "2025-12-14", "2025-12-14 is more than 90 days ago"),
        ("a month that may be beyond", 90, "2025-12", None),
        ("a month within", 90, "2026-01", None),
        ("today", 90, "2026-03-15", None),
        ("tomorrow, which it is east of us", 90, "2026-03-16", None),
        ("the day after", 90, "2026-03-17", "2026-03-17 lies in the future"),
        ("tomorrow in Sydney, which is today in UTC", 90, "2026-03-16T08:00:00+11:00", None),
        ("long ago, without a limit", None, "1900", None),
        ("the day after, without a limit", None, "2026-03-17", "2026-03-17 lies in the future"),
        ("a limit before the calendar begins", 10_000_000, "0001-01-01", None),
    ),
)
def test_too_old_or_future(look_back, text, why):
    assert too_old_or_future(look_back, text, TODAY) == why


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("entered-in-error", "entered-in-error"),
        ("draft", "draft"),
        (None, "unreadable"),
        (7, "unreadable"),
        ("<script>", "unreadable"),
        ("![x](y)", "unreadable"),
        ("a" * 30, "unreadable"),
    ],
)
def test_a_status_is_repeated_only_where_it_looks_like_one(status, word):
    assert status_word(status) == word


@pytest.mark.parametrize("element", ["clinicalStatus", "verificationStatus"])
def test_the_status_of_a_diagnosis_is_repeated_only_where_it_looks_like_one(element):
    found = fact("infection", condition(code=INFECTION, **{element: "<img src=x>"}))
    assert found.values == ()
    assert "<" not in found.notes[0]


def test_the_last_day_of_the_calendar_is_only_another_future_date():
    forever = "9999-12-31T23:59:59-05:00"
    assert fact("pain-onset", condition(recordedDate=forever)).evidence == ()
    assert fact("weight-ratio", weight_ratio(effectiveDateTime=forever)).values == ()
    assert fact("can-hum-attested", attested({"can-hum": {"valueBoolean": True}}, authored=forever)).values == ()
