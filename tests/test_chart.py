"""Prefetch to chart: whose resources, how they arrived, which of them can be read, what their references mean."""

import pytest

from cds_service.chart.arrivals import Listing, State
from cds_service.chart.chart import Chart
from cds_service.chart.code_index import Lexicon
from cds_service.fhir.elements import coding_key
from tests.charts import (
    CPT,
    ICD10CM,
    LOINC,
    ME,
    RXNORM,
    SNOMED,
    TODAY,
    bundle,
    chart,
    concept,
    condition,
    fact,
    facts_of,
    keys,
    lexicon,
    medicine,
    minimal,
    named,
    patient,
    procedure,
    read,
    sent,
    truth,
    weight_ratio,
)
from tests.shipped import library

OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
WARNING = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "incomplete"}]}


def references(resource_type, *resources, **values):
    """The references of all records of a type that are the patient's."""
    return [record.reference for record in chart(*resources, **values).records(resource_type)]


# --- four states of a prefetch value ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "state"),
    named(
        ("a resource", condition(), State.FILLED),
        ("a Bundle with a resource", bundle(condition()), State.FILLED),
        ("a list of resources, as some EHRs send", [condition()], State.FILLED),
        ("a Bundle in a Bundle", bundle(bundle(condition())), State.FILLED),
        ("null", None, State.EMPTY),
        ("an empty Bundle", bundle(), State.EMPTY),
        ("a Bundle without entry", {"resourceType": "Bundle", "type": "searchset", "total": 0}, State.EMPTY),
        ("an empty list", [], State.EMPTY),
        ("a Bundle with nothing but a warning", bundle(WARNING), State.EMPTY),
        ("the key is absent", ..., State.MISSING),
        ("an OperationOutcome", OUTCOME, State.FAILED),
        ("an OperationOutcome that only warns, in place of the answer", WARNING, State.FAILED),
        ("a Bundle with nothing but an error", bundle(OUTCOME), State.FAILED),
        ("text", "Condition/c1", State.FAILED),
        ("a number", 7, State.FAILED),
        ("an empty object", {}, State.FAILED),
        ("an object without a type", {"id": "c1"}, State.FAILED),
        ("a Bundle whose entry is text", {"resourceType": "Bundle", "entry": "none"}, State.FAILED),
        ("a Bundle of nulls", {"resourceType": "Bundle", "entry": [None]}, State.FAILED),
    ),
)
def test_a_prefetch_value_arrives_in_one_of_four_states(value, state):
    found = chart(condition=value)
    assert found.listings["Condition"].state is state
    assert found.known("Condition") is (state in (State.FILLED, State.EMPTY))


@pytest.mark.parametrize(
    ("value", "known"),
    named(
        ("nothing on record", None, True),
        ("nothing found", bundle(), True),
        ("not sent", ..., False),
        ("reported as failed", OUTCOME, False),
        ("failed in part", bundle(condition(), OUTCOME), False),
        ("unreadable", 7, False),
    ),
)
def test_only_what_was_sent_can_be_absent(value, known):
    """The fact says that silence means no: it is no where the search was answered, unknown where it was not."""
    assert fact("infection-or-none", condition=value).values == ((False,) if known else ())


def test_a_failed_search_is_not_healed_by_a_resource_of_its_type_elsewhere():
    included = bundle(procedure(), condition())
    assert fact("infection-or-none", condition=OUTCOME, procedure=included).values == ()


def test_a_search_that_was_not_sent_is_not_replaced_by_a_resource_of_its_type_elsewhere():
    included = bundle(procedure(), condition())
    assert fact("infection-or-none", condition=..., procedure=included).values == ()


def test_a_resource_that_arrives_under_another_key_is_evidence_all_the_same():
    included = bundle(procedure(), condition())
    assert fact("knee-pain", condition=..., procedure=included).values == (True,)


def test_resources_of_other_types_are_no_answer_to_a_search():
    """An EHR that mixes its keys up has not said that there is no infection."""
    assert fact("infection-or-none", condition=bundle(procedure())).values == ()


@pytest.mark.parametrize(
    ("value", "reason"),
    named(
        ("missing", ..., "Condition not sent (prefetch condition)"),
        ("failed", OUTCOME, "the EHR reported that it could not be read"),
        ("no resource", 7, "the EHR sent something that is not a FHIR resource"),
        ("a broken Bundle", {"resourceType": "Bundle", "entry": 7}, "the EHR sent a Bundle that cannot be read"),
    ),
)
def test_the_reason_why_something_is_not_known(value, reason):
    assert chart(condition=value).why_missing["Condition"] == reason


def test_what_is_known_needs_no_reason():
    assert chart().why_missing == {}


def test_a_bundle_that_failed_in_part_keeps_what_it_holds_and_says_so():
    found = chart(condition=bundle(condition(), OUTCOME))
    assert [record.reference for record in found.records("Condition")] == ["Condition/c1"]
    assert [(item.type, item.why) for item in found.unreadable] == [
        ("Condition", "in part: the EHR reported that it could not be read")
    ]


# --- the Patient ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "state"),
    named(
        ("the patient of the call", patient(), State.FILLED),
        ("the patient in a Bundle", bundle(patient()), State.FILLED),
        ("another patient", patient(id="p2"), State.FAILED),
        ("a patient without an id", patient(id=...), State.FAILED),
        ("null", None, State.EMPTY),
        ("absent", ..., State.MISSING),
        ("failed", OUTCOME, State.FAILED),
    ),
)
def test_the_patient(value, state):
    found = chart(patient=value)
    assert found.listings["Patient"].state is state
    assert (found.patient is not None) is (state is State.FILLED)


def test_another_patient_beside_the_right_one_is_not_read():
    found = chart(patient=bundle(patient(id="p2", birthDate="2020-01-01"), patient()))
    assert found.patient == patient()
    assert facts_of(found)["age"].values == ((56, 56),)


def test_a_chart_is_made_of_plain_resources_and_the_state_of_each_list():
    """As a job that looks at many patients makes it: no hook, no prefetch key."""
    found = Chart.of(
        {"Patient": [patient()], "Procedure": [procedure()]},
        {"Procedure": Listing(State.FILLED), "Condition": Listing(State.EMPTY)},
        patient_id="p1",
        types=minimal().resource_types,
        lexicon=lexicon(),
    )
    assert facts_of(found)["exercise"].values == (True,)
    assert facts_of(found)["infection-or-none"].values == (False,)
    assert not found.known("Observation")


def test_the_reason_for_the_wrong_patient():
    assert chart(patient=patient(id="p2")).why_missing["Patient"] == ("the EHR sent a different patient")


# --- whose resource ---------------------------------------------------------------------------------------------------

MINE = [{"system": "urn:mrn", "value": "123"}]


@pytest.mark.parametrize(
    ("subject", "mine"),
    named(
        ("relative", {"reference": "Patient/p1"}, True),
        ("absolute", {"reference": "https://ehr.example/fhir/Patient/p1"}, True),
        ("with a version", {"reference": "Patient/p1/_history/4"}, True),
        ("the UUID of the entry", {"reference": "urn:uuid:aaaa"}, True),
        ("by identifier", {"identifier": {"system": "urn:mrn", "value": "123"}}, True),
        ("relative, another", {"reference": "Patient/p2"}, False),
        ("absolute, another", {"reference": "https://ehr.example/fhir/Patient/p2"}, False),
        ("with a version, another", {"reference": "Patient/p2/_history/1"}, False),
        ("an id that only ends alike", {"reference": "Patient/xp1"}, False),
        ("an id that only begins alike", {"reference": "Patient/p11"}, False),
        ("in other capitals, which is another id", {"reference": "Patient/P1"}, False),
        ("the UUID of another entry", {"reference": "urn:uuid:bbbb"}, False),
        ("a UUID that nothing has", {"reference": "urn:uuid:cccc"}, False),
        ("by identifier, another value", {"identifier": {"system": "urn:mrn", "value": "124"}}, False),
        ("by identifier, another system", {"identifier": {"system": "urn:other", "value": "123"}}, False),
        ("by identifier without a system", {"identifier": {"value": "123"}}, False),
        (
            "reference and identifier that disagree",
            {"reference": "Patient/p2", "identifier": {"system": "urn:mrn", "value": "123"}},
            False,
        ),
        ("another type with the same id", {"reference": "Group/p1"}, False),
        ("a contained patient", {"reference": "#p1"}, False),
        ("by name alone", {"display": "Pat One"}, False),
        ("an empty reference", {"reference": ""}, False),
        ("a reference that is text", "Patient/p1", False),
        ("a reference that is a number", {"reference": 1}, False),
        ("no subject at all", ..., False),
    ),
)
@pytest.mark.parametrize(
    ("resource_type", "element"),
    [
        ("Condition", "subject"),
        ("Device", "patient"),
        ("Coverage", "beneficiary"),
        ("QuestionnaireResponse", "subject"),
    ],
)
def test_only_the_patients_own_resources_count(resource_type, element, subject, mine):
    resource = {"resourceType": resource_type, "id": "r1", element: subject, "code": concept(ICD10CM, "M25.561")}
    if subject is ...:
        del resource[element]
    people = bundle(("urn:uuid:aaaa", patient(identifier=MINE)), ("urn:uuid:bbbb", patient(id="p2")))
    assert references(resource_type, resource, patient=people) == ([f"{resource_type}/r1"] if mine else [])


@pytest.mark.parametrize("identity", [{}, [], 5, None])
def test_a_subject_whose_entry_has_no_readable_id_is_nobody(identity):
    entries = bundle(
        ("urn:uuid:aaaa", {"resourceType": "Group", "id": identity}),
        ("urn:uuid:cccc", condition(subject={"reference": "urn:uuid:aaaa"})),
    )
    assert list(chart(condition=entries).records("Condition")) == []


def test_another_patients_infection_is_neither_found_nor_missed():
    theirs = condition(code=concept(ICD10CM, "M00.9"), subject={"reference": "Patient/p2"})
    found = chart(theirs)
    assert facts_of(found)["infection-or-none"].values == (False,)
    assert [item.why for item in found.dropped["Condition"]] == ["names another patient"]


def test_the_patient_may_arrive_twice_under_two_addresses():
    """Once as its own prefetch and once among the entries of a search, where resources name it by its UUID there."""
    resource = condition(subject={"reference": "urn:uuid:aaaa"})
    entries = bundle(("urn:uuid:aaaa", patient()), ("urn:uuid:cccc", resource))
    assert [record.reference for record in chart(condition=entries).records("Condition")] == ["Condition/c1"]


# --- references -------------------------------------------------------------------------------------------------------

TABLET = {"resourceType": "Medication", "id": "t1", "code": concept(RXNORM, "161")}


@pytest.mark.parametrize(
    ("written", "others"),
    named(
        ("contained", medicine(medicationReference={"reference": "#t1"}, contained=[TABLET]), []),
        (
            "contained, its id with the sign of the reference",
            medicine(medicationReference={"reference": "#t1"}, contained=[TABLET | {"id": "#t1"}]),
            [],
        ),
        ("relative", medicine(medicationReference={"reference": "Medication/t1"}), [TABLET]),
        ("absolute", medicine(medicationReference={"reference": "https://ehr.example/fhir/Medication/t1"}), [TABLET]),
        ("with a version", medicine(medicationReference={"reference": "Medication/t1/_history/2"}), [TABLET]),
        (
            "a UUID without an id",
            medicine(medicationReference={"reference": "urn:uuid:dddd"}),
            [("urn:uuid:dddd", {name: TABLET[name] for name in ("resourceType", "code")})],
        ),
        ("words alone", medicine(medicationReference={"display": "Acetaminophen 500 mg"}), []),
        (
            "words of a reference that leads nowhere",
            medicine(medicationReference={"reference": "Medication/lost", "display": "Acetaminophen"}),
            [],
        ),
    ),
)
def test_a_medicine_is_found_however_it_is_referred_to(written, others):
    written = {name: value for name, value in written.items() if name != "medicationCodeableConcept"}
    assert fact("medicine", written, *others).values == (True,)


@pytest.mark.parametrize(
    "reference",
    named(
        ("contained, but not there", {"reference": "#t2"}),
        ("nowhere", {"reference": "Medication/t2"}),
        ("no text", {"reference": 7}),
        ("empty", {}),
        ("text", "Medication/t1"),
    ),
)
def test_a_reference_that_leads_nowhere_is_nothing_known(reference):
    written = medicine(medicationCodeableConcept=..., medicationReference=reference, contained=[TABLET])
    assert fact("medicine", written, TABLET).values == ()


def test_a_contained_resource_belongs_to_its_container_alone():
    holder = medicine(
        id="m1", medicationCodeableConcept=..., medicationReference={"reference": "#t1"}, contained=[TABLET]
    )
    other = medicine(id="m2", medicationCodeableConcept=..., medicationReference={"reference": "#t1"})
    assert [item.reference for item in fact("medicine", holder, other).evidence] == ["MedicationRequest/m1"]


# --- one resource, one time -------------------------------------------------------------------------------------------


def test_the_same_resource_under_two_keys_counts_once():
    twice = sent(procedure(), others=bundle(procedure()))
    assert [item.reference for item in facts_of(read(twice))["exercise"].evidence] == ["Procedure/x1"]


def test_the_same_resource_twice_in_one_bundle_counts_once():
    assert len(fact("exercise", procedure(), procedure()).evidence) == 1


def test_the_same_resource_without_an_id_counts_once():
    assert len(fact("exercise", procedure(id=...), procedure(id=...)).evidence) == 1


def test_two_resources_without_an_id_count_twice():
    assert len(fact("exercise", procedure(id=...), procedure(id=..., performedDateTime="2026-02-08")).evidence) == 2


def test_the_same_id_of_two_types_is_two_resources():
    found = chart(procedure(id="same"), medicine(id="same"))
    assert found.records("Procedure")
    assert found.records("MedicationRequest")


@pytest.mark.parametrize("turn", [1, -1], ids=["older first", "newer first"])
def test_of_two_versions_the_later_counts(turn):
    older = weight_ratio(30, meta={"lastUpdated": "2026-03-02T10:00:00Z"})
    newer = weight_ratio(40, meta={"lastUpdated": "2026-03-03T10:00:00Z"})
    assert fact("weight-ratio", *[older, newer][::turn]).values == ((40, 40),)


@pytest.mark.parametrize("turn", [1, -1], ids=["older first", "newer first"])
def test_a_reference_leads_to_the_later_of_two_versions(turn):
    older = TABLET | {"meta": {"lastUpdated": "2026-03-02T10:00:00Z"}}
    newer = older | {"meta": {"lastUpdated": "2026-03-03T10:00:00Z"}, "code": concept(RXNORM, "5640")}
    written = medicine(medicationCodeableConcept=..., medicationReference={"reference": "Medication/t1"})
    assert fact("medicine", written, *[older, newer][::turn]).values == ()


# --- which code -------------------------------------------------------------------------------------------------------


def coded(code):
    return fact("knee-pain", condition(code=code))


@pytest.mark.parametrize(
    ("code", "remark"),
    named(
        ("the listed system", concept(ICD10CM, "M25.561"), None),
        ("the system as OID", concept("urn:oid:2.16.840.1.113883.6.90", "M25.561"), None),
        ("the code without its dot", concept(ICD10CM, "M25561"), None),
        (
            "the second of several codings",
            {"coding": [{"system": "urn:x", "code": "1"}, {"system": SNOMED, "code": "30989003"}]},
            None,
        ),
        ("an empty coding before it", {"coding": [{}, {"system": ICD10CM, "code": "M25.561"}]}, None),
        ("no system", concept(None, "M25.561"), "code system not stated"),
        ("text alone", {"text": "Knee pain, right"}, "by its text"),
        ("an empty coding and text", {"coding": [{}], "text": "Knee pain"}, "by its text"),
        ("a local code and text", concept("urn:x", "1", text="Knee pain"), "by its text"),
        ("a display alone", {"coding": [{"display": "Knee pain"}]}, "by its text"),
    ),
)
def test_a_diagnosis_is_recognized(code, remark):
    found = coded(code)
    assert found.values == (True,)
    assert found.evidence[0].remark == remark


@pytest.mark.parametrize(
    "code",
    named(
        ("another code", concept(ICD10CM, "M25.551")),
        ("another system of the WHO", concept("http://hl7.org/fhir/sid/icd-10", "M25.561")),
        ("a longer code", concept(ICD10CM, "M25.5611")),
        ("a shorter code", concept(ICD10CM, "M25.5")),
        ("the code of another system", concept(SNOMED, "M25.561")),
        ("digits without a system", concept(None, "30989003")),
        ("the words inside other words", {"text": "kneecap painting"}),
        ("an empty coding", {"coding": [{}]}),
        ("nothing", {}),
        ("no code", ...),
    ),
)
def test_a_diagnosis_is_not_recognized(code):
    found = coded(code)
    assert found.values == ()
    assert found.evidence == ()


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("M00.9", True),
        ("M00.061", True),
        ("M00", True),
        ("m00061", True),
        ("M01.X0", True),
        ("M01.X1", False),
        ("M0", False),
    ],
)
def test_a_prefix_stands_for_a_whole_category(code, found):
    assert fact("infection", condition(code=concept(ICD10CM, code))).values == ((True,) if found else ())


def test_a_resource_with_two_listed_codes_is_one_piece_of_evidence():
    both = {"coding": [{"system": SNOMED, "code": "30989003"}, {"system": ICD10CM, "code": "M25.561"}]}
    turned = {"coding": both["coding"][::-1]}
    assert len(coded(both).evidence) == 1
    assert coded(both).evidence == coded(turned).evidence


# --- what cannot be read ----------------------------------------------------------------------------------------------

BROKEN = named(
    ("a code that is text", {"code": "M25.561"}),
    ("a coding that is text", {"code": {"coding": "M25.561"}}),
    ("a code that is a number", {"code": {"coding": [{"system": LOINC, "code": 39156}]}}),
)


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_resource_is_listed_and_the_others_are_read(fault):
    found = chart(condition() | fault | {"id": "broken"}, condition(), weight_ratio())
    assert [(item.type, item.reference) for item in found.unreadable] == [("Condition", "Condition/broken")]
    assert facts_of(found)["knee-pain"].values == (True,)
    assert facts_of(found)["weight-ratio"].values == ((30, 30),)


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_resource_spoils_what_it_could_have_served_and_nothing_else(fault):
    known = facts_of(chart(condition() | fault | {"id": "broken"}))
    assert known["infection-or-none"].values == ()
    assert known["surgery"].values == ()  # reads diagnoses too
    assert facts_of(chart(weight_ratio() | fault))["infection-or-none"].values == (False,)


def test_broken_components_spoil_their_observation_alone():
    found = chart(weight_ratio(id="broken", component="none"), weight_ratio(31))
    assert [item.reference for item in found.unreadable] == ["Observation/broken"]
    assert facts_of(found)["weight-ratio"].values == ((31, 31),)


@pytest.mark.parametrize("kind", [["Condition"], {"a": 1}, 7, "MedicationRequest"])
def test_a_component_with_a_type_of_any_shape_never_stops_the_reading(kind):
    found = chart(weight_ratio(id="odd", component=[{"resourceType": kind}]), weight_ratio(31))
    assert facts_of(found)["weight-ratio"].values != ()


@pytest.mark.parametrize(
    "resource",
    named(
        ("a type that is a list", {"resourceType": ["Condition"], "id": "c1"}),
        ("an id that is a number", condition(id=1)),
        ("a subject that is a list", condition(subject=[ME])),
        ("a status that is a number", condition(clinicalStatus=1)),
        ("a contained list of nulls", condition(contained=[None])),
        ("an address that is a number", (1, condition())),
        ("meta that is text", condition(meta="x")),
    ),
)
def test_nothing_that_parses_stops_the_reading(resource):
    found = chart(resource, weight_ratio())
    assert facts_of(found)["weight-ratio"].values == ((30, 30),)


@pytest.mark.parametrize(
    "prefetched", [{}, {"patient": None}, {"unheard": 1, "of": [None, [], {}]}, {"patient": [[[]]]}]
)
def test_a_prefetch_of_nothing_leaves_everything_unknown(prefetched):
    known = facts_of(read(prefetched))
    assert {item.values for item in known.values()} == {()}


def test_bundles_nested_without_end_are_given_up():
    nested = bundle(condition())
    for _ in range(50):
        nested = bundle(nested)
    known = facts_of(chart(condition=nested))
    assert known["knee-pain"].values == ()
    assert known["infection-or-none"].values == ()


# --- the order of things ----------------------------------------------------------------------------------------------


def test_neither_order_nor_paging_nor_keys_matter():
    resources = [
        condition(),
        weight_ratio(),
        procedure(),
        procedure(id="x2", performedDateTime="2026-02-08"),
        medicine(),
    ]
    plain = facts_of(chart(*resources))
    turned = facts_of(chart(*resources[::-1]))
    paged = facts_of(read(sent() | {"others": [bundle(resource) for resource in resources]}))
    assert plain == turned == paged


def test_the_chart_reads_every_type_that_the_facts_read():
    assert set(keys().values()) == minimal().resource_types | {"Patient"}
    assert truth("adult", today=TODAY) == "met"
    assert fact("exercise", procedure(concept(CPT, "97110"))).values == (True,)


def test_the_index_of_codes_reads_each_code_as_its_sets_do():
    code_sets = [codes for policy in library().policies for codes in policy.code_sets.values()]
    lexicon = Lexicon([code_sets])
    families = {(row.system, row.code, row.through) for codes in code_sets for row in codes.families}
    spellings = {
        (system, written)
        for system, code, through in families
        for written in (code, through, f"{code}1", f"{code}99", code[:-1], f"{code[:-1]}5", f"{through}Z")
    }
    keys = {key for system, written in spellings if (key := coding_key(system, written))}
    keys |= {key for codes in code_sets for key in codes.exact}
    read = {key: {(codes, row) for codes, row, *_ in lexicon.read((key,)).rows} for key in keys}
    assert len([rows for rows in read.values() if rows]) > len(families)
    for key, rows in read.items():
        assert rows == {(codes, row) for codes in code_sets if (row := codes.match(key))}
