"""Attested answers: whose answers count, when, on what they rest, and how they are withdrawn."""

from typing import Any

import pytest

from cds_service.chart.chart import Chart
from cds_service.facts import gather
from cds_service.facts.attesters import DEFAULT_ACCEPTS, ORIGIN, Accepts
from cds_service.facts.evidence import Fact
from cds_service.facts.responses import ABSENT
from cds_service.facts.roles import DEGREES, NUCC, PLAN_NET, ROLES, TABLE, kind_of_role
from cds_service.fhir.terminology import LOINC, SNOMED
from tests import random_charts
from tests.charts import (
    BASE,
    FORMS,
    ME,
    QUESTIONNAIRE,
    TODAY,
    attested,
    chart,
    fact,
    minimal,
    named,
    observation,
    patient,
    quantity,
    truth,
)

Json = dict[str, Any]
YES, NO = {"valueBoolean": True}, {"valueBoolean": False}


def can_hum(*resources: Json, accepts: Accepts = DEFAULT_ACCEPTS) -> Fact:
    on_record: Chart = chart(*resources)
    return gather.gather(minimal(), on_record, FORMS, TODAY, accepts=accepts).whole["can-hum-attested"]


def by(author: Json | None, *contained: Json, answer: Json = YES, **more: Any) -> Json:
    """A form that says yes, by that author; None: by nobody."""
    return attested({"can-hum": answer}, author=author or ..., contained=list(contained) or ..., **more)


def role(*codes: tuple[str, str], text: str | None = None) -> Json:
    concept: Json = {"coding": [{"system": system, "code": code} for system, code in codes]}
    return concept | ({"text": text} if text else {})


def practitioner_role(*roles: Json) -> Json:
    return {
        "resourceType": "PractitionerRole",
        "id": "r",
        "practitioner": {"display": "Robin Example"},
        "code": list(roles),
    }


def practitioner(*degrees: Json) -> Json:
    return {
        "resourceType": "Practitioner",
        "id": "p",
        "name": [{"family": "Example", "given": ["Robin"], "suffix": ["MD"]}],
        "qualification": [{"code": degree} for degree in degrees],
    }


def origin(source: str, author: list[Json] | None = None) -> Json:
    inner = [{"url": "source", "valueCode": source}]
    inner += [{"url": "author", "extension": author}] if author is not None else []
    return {"extension": [{"url": ORIGIN, "extension": inner}]}


PRACTITIONER = {"reference": "Practitioner/p9", "display": "Dr. A. Example"}
IN_ROLE, PERSON = {"reference": "#r"}, {"reference": "#p"}


# --- who --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "who", "in_role"),
    named(
        ("a practitioner of no recorded role", by(PRACTITIONER), "Dr. A. Example", "role not recorded"),
        ("a practitioner without a name", by({"reference": "Practitioner/p9"}), "Practitioner/p9", "role not recorded"),
        ("a practitioner by type alone", by({"type": "Practitioner", "display": "R"}), "R", "role not recorded"),
        (
            "a physician by role",
            by(IN_ROLE, practitioner_role(role((NUCC, "207XS0117X"), text="Spine surgeon"))),
            "Robin Example",
            "Spine surgeon",
        ),
        (
            "a physician assistant by role",
            by(IN_ROLE, practitioner_role(role((NUCC, "363A00000X")))),
            "Robin Example",
            "physician assistant",
        ),
        (
            "a doctor by HL7's role",
            by(IN_ROLE, practitioner_role(role((ROLES, "doctor")))),
            "Robin Example",
            "physician",
        ),
        ("a physician by degree", by(PERSON, practitioner(role((DEGREES, "MD")))), "Robin Example MD", "physician"),
        (
            "a nurse by one degree and a physician by another",
            by(PERSON, practitioner(role((DEGREES, "BSN")), role((DEGREES, "MD")))),
            "Robin Example MD",
            "physician",
        ),
        (
            "a role in words",
            by(IN_ROLE, practitioner_role(role(text="Nurse practitioner"))),
            "Robin Example",
            "Nurse practitioner",
        ),
    ),
)
def test_an_answer_of_a_clinician_counts_and_says_who_and_in_which_role(form, who, in_role):
    found = can_hum(form)
    assert found.values == (True,)
    (evidence,) = found.evidence
    assert evidence.attested is not None
    assert (evidence.attested.by, evidence.attested.role, evidence.attested.kind) == (who, in_role, "clinician")


@pytest.mark.parametrize(
    ("form", "why"),
    named(
        ("nobody", by(None), "not attested by a person: no author"),
        ("a device", by({"reference": "Device/d1"}), "not attested by a person: device"),
        ("an organization", by({"reference": "Organization/o1"}), "not attested by a person: organization"),
        ("a name of no type", by({"display": "A. Example"}), "not attested by a person"),
        ("the patient", by(ME), "only clinician may attest it"),
        ("another patient", by({"reference": "Patient/p2"}), "attested by another patient"),
        ("a relative", by({"reference": "RelatedPerson/x"}), "only clinician may attest it"),
        ("a nurse by role", by(IN_ROLE, practitioner_role(role((NUCC, "163W00000X")))), "registered nurse"),
        ("a medical assistant by degree", by(PERSON, practitioner(role((DEGREES, "CMA")))), "medical assistant"),
        (
            "a role that is not in the table",
            by(IN_ROLE, practitioner_role(role(text="Surgeon's scheduler"))),
            "Surgeon's scheduler",
        ),
        ("a local code without words", by(IN_ROLE, practitioner_role(role(("urn:local", "77")))), "role without words"),
        (
            "an answer filled in automatically",
            by(PRACTITIONER, answer=YES | origin("auto-server")),
            "filled in automatically",
        ),
    ),
)
def test_an_answer_by_nobody_whom_the_criterion_accepts_does_not_count(form, why):
    found = can_hum(form)
    assert found.values == ()
    assert [note for note in found.notes if why in note]


def test_the_role_that_a_form_states_stands_before_the_degrees():
    form = by(PERSON, practitioner(role((DEGREES, "CMA"))))
    stated = {"linkId": "attester.role", "answer": [{"valueCoding": {"system": NUCC, "code": "363L00000X"}}]}
    form["item"].append({"linkId": "attester", "item": [stated]})
    assert can_hum(form).values == (True,)
    nurse = by(IN_ROLE, practitioner_role(role((PLAN_NET, "rn"))))
    nurse["item"] += form["item"][1:]
    assert can_hum(nurse).values == ()


def test_the_author_of_a_single_answer_outweighs_that_of_the_form():
    named_so = {"reference": "Practitioner/s", "display": "Dr. S"}
    surgeon = [
        {"url": "role", "valueCodeableConcept": role((ROLES, "doctor"))},
        {"url": "practitioner", "valueReference": named_so},
    ]
    nurse = [{"url": "role", "valueCodeableConcept": role((ROLES, "nurse"))}]
    found = can_hum(by({"reference": "Device/d1"}, answer=YES | origin("manual", surgeon)))
    assert found.values == (True,)
    assert found.evidence[0].attested is not None
    assert found.evidence[0].attested.by == "Dr. S"
    assert can_hum(by(PRACTITIONER, answer=YES | origin("override", nurse))).values == ()
    assert can_hum(by(PRACTITIONER, answer=YES | origin("manual"))).values == (True,)


def test_answers_without_an_author_count_where_the_deployment_says_so():
    found = can_hum(by(None), accepts=Accepts(unsigned=True))
    assert found.values == (True,)
    assert found.evidence[0].attested is not None
    assert found.evidence[0].attested.by == "an unnamed author"
    assert can_hum(by({"reference": "Device/d1"}), accepts=Accepts(unsigned=True)).values == ()


def test_practitioners_without_a_role_do_not_count_where_the_deployment_says_so():
    strict = Accepts(without_role=False)
    assert can_hum(by(PRACTITIONER), accepts=strict).values == ()
    assert can_hum(by(PERSON, practitioner(role((DEGREES, "MD")))), accepts=strict).values == (True,)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.system} {row.code}")
def test_each_row_of_the_table_of_roles_is_read(row):
    code = row.code.removesuffix("-") + ("00000X" if row.code.endswith("-") else "")
    assert kind_of_role(role((row.system, code.lower()))) == row.kind
    assert kind_of_role(role((row.system, f"{code}ZZ"))) == (row.kind if row.code.endswith("-") else "")
    assert row.seen


# --- when -------------------------------------------------------------------------------------------------------------


def at(moment: str, answer: Json, number: int = 1, **more: Any) -> Json:
    return attested({"can-hum": answer}, id=f"q{number}", authored=moment, **more)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    named(
        ("two instants of one day", "2026-03-01T09:00:00Z", "2026-03-01T10:00:00Z", "not-met"),
        ("two instants in different zones", "2026-03-01T23:00:00-05:00", "2026-03-02T03:00:00Z", "met"),
        ("a day and an instant of it", "2026-03-01", "2026-03-01T10:00:00Z", "unknown"),
        ("one day twice", "2026-03-01", "2026-03-01", "unknown"),
        ("a day and the next", "2026-03-01T23:00:00Z", "2026-03-02", "not-met"),
        ("a month and a day of it", "2026-03", "2026-03-02", "unknown"),
        ("one instant twice", "2026-03-01T09:00:00Z", "2026-03-01T10:00:00+01:00", "unknown"),
    ),
)
def test_the_newer_of_two_answers_counts_by_its_instant_where_both_have_one(first, second, expected):
    forms = at(first, YES, 1), at(second, NO, 2)
    assert truth("can-hum", *forms) == truth("can-hum", *reversed(forms)) == expected


def test_of_dates_that_follow_each_other_in_a_circle_the_latest_day_counts():
    circle = at("2026-03-03T00:00:00+14:00", NO, 1), at("2026-03-02", YES, 2), at("2026-03-01T23:59:00-12:00", YES, 3)
    assert truth("can-hum", *circle) == "not-met"


def with_items(form: Json, **beside: Json) -> Json:
    """A form with items below the answer: observed, basis, basis_text."""
    items = [{"linkId": f"can-hum.{name.replace('_', '-')}", "answer": [answer]} for name, answer in beside.items()]
    form["item"][0]["answer"][0] = form["item"][0]["answer"][0] | {"item": items}
    return form


@pytest.mark.parametrize(
    ("day", "expected"),
    named(
        ("before", "2026-02-20", "met"),
        ("the same day", "2026-03-01", "met"),
        ("the same month", "2026-03", "met"),
        ("the day after", "2026-03-02", "unknown"),
        ("the next year", "2027", "unknown"),
        ("no date at all", "last week", "unknown"),
    ),
)
def test_what_was_observed_after_it_was_attested_is_no_evidence(day, expected):
    assert truth("can-hum", with_items(attested({"can-hum": YES}), observed={"valueDate": day})) == expected


def test_when_it_was_observed_and_on_what_it_rests_stand_on_the_evidence():
    form = with_items(
        attested({"can-hum": YES}),
        observed={"valueDateTime": "2026-02-20T10:00:00Z"},
        basis={"valueReference": {"reference": "DocumentReference/n", "display": "clinic note"}},
        basis_text={"valueString": "page 2"},
    )
    by_whom = can_hum(form).evidence[0].attested
    assert by_whom is not None
    assert (by_whom.observed, by_whom.basis) == ("2026-02-20", "clinic note; page 2")


# --- withdrawn, amended, copied ---------------------------------------------------------------------------------------

_DECLINED = [{"url": ABSENT, "valueCode": "asked-declined"}]


def without_answer(**more: Any) -> Json:
    return attested(authored="2026-03-05", id="q2", item=[{"linkId": "can-hum", **more}])


@pytest.mark.parametrize(
    ("newer", "expected"),
    named(
        ("the item with a reason and no answer", without_answer(extension=_DECLINED), "unknown"),
        ("an answer that is absent, with a reason", without_answer(answer=[{"extension": _DECLINED}]), "unknown"),
        ("a value that is absent", without_answer(answer=[{"_valueBoolean": {"extension": _DECLINED}}]), "unknown"),
        ("the item without anything", without_answer(), "met"),
        ("another item", attested({"pain": {"valueDecimal": 3}}, id="q2", authored="2026-03-05"), "met"),
        ("the opposite", at("2026-03-05", NO, 2, status="amended"), "not-met"),
        ("the opposite, entered in error", at("2026-03-05", NO, 2, status="entered-in-error"), "met"),
        ("the opposite by a device", at("2026-03-05", NO, 2, author={"reference": "Device/d"}), "met"),
        ("a withdrawal of the same day", without_answer(extension=_DECLINED) | {"authored": "2026-03-01"}, "unknown"),
    ),
)
def test_of_several_forms_the_newest_that_holds_the_item_counts(newer, expected):
    assert truth("can-hum", attested({"can-hum": YES}), newer) == expected


@pytest.mark.parametrize(
    ("newer", "expected"),
    named(
        ("no date", {"authored": ...}, "unknown"),
        ("a date that is none", {"authored": "in spring"}, "unknown"),
        (
            "an element that may change its meaning",
            {"modifierExtension": [{"url": "https://ehr.example/not"}]},
            "unknown",
        ),
        ("rules that may change its meaning", {"implicitRules": "https://ehr.example/rules"}, "unknown"),
        ("an item that is none", {"item": ["can-hum"]}, "unknown"),
        ("no date, in another item", {"authored": ..., "item": [{"linkId": "pain", "answer": []}]}, "met"),
        ("no date, and not completed", {"authored": ..., "status": "in-progress"}, "met"),
        ("no date, and of no edition that there is", {"authored": ..., "questionnaire": f"{QUESTIONNAIRE}|9"}, "met"),
    ),
)
def test_a_form_that_cannot_be_read_may_say_anything(newer, expected):
    assert (
        truth(
            "can-hum",
            attested({"can-hum": YES}),
            attested({"can-hum": NO}, **({"id": "q2", "authored": "2026-03-05"} | newer)),
        )
        == expected
    )


def block_attested(*more: Json) -> str:
    """The truth of the joint's block by a form of today: guided, into the joint, with 75% relief as stated."""
    policy, begin = "isass-si-joint-fusion-2020", "block.right"
    said = {"guided": {"valueBoolean": True}, "intra-articular": {"valueBoolean": True}, "relief": {"valueInteger": 75}}
    items = [{"linkId": f"{begin}.{name}", "answer": [answer]} for name, answer in said.items()]
    items.append({"linkId": f"{begin}.date", "answer": [{"valueDate": "2026-08-03"}]})
    form = attested({}, authored="2026-11-20", questionnaire=f"{BASE}/Questionnaire/{policy}|2020")
    whole = form | {"item": [{"linkId": begin, "item": [*items, *more]}]}
    return random_charts.truths_of(random_charts.prefetch([patient(), whole]), policy)["block right"]


@pytest.mark.parametrize(
    ("before", "expected"),
    named(
        ("nothing said of it", [], "met"),
        ("withdrawn", [{"linkId": "block.right.before", "extension": _DECLINED}], "met"),
        ("withdrawn in the answer", [{"linkId": "block.right.before", "answer": [{"extension": _DECLINED}]}], "met"),
        ("said in words", [{"linkId": "block.right.before", "answer": [{"valueString": "bad"}]}], "unknown"),
    ),
)
def test_a_withdrawn_answer_about_an_event_says_nothing(before, expected):
    pain_after = {"linkId": "block.right.after", "answer": [{"valueDecimal": 2}]}
    assert block_attested(pain_after, *before) == expected


def copy_of(reference: str, value: float = 7, **more: Any) -> Json:
    score = {"valueQuantity": quantity(value), "derivedFrom": [{"reference": reference}]}
    return observation("72514-3", **(score | more))


def test_an_observation_derived_from_a_form_is_the_form_and_not_a_second_source():
    form = attested({"pain": {"valueDecimal": 5}}, status="amended")
    assert fact("pain-score", form, copy_of("QuestionnaireResponse/q1")).values == ((5, 5),)
    later = copy_of("https://ehr.example/fhir/QuestionnaireResponse/q1/_history/2", effectiveDateTime="2026-03-03")
    assert fact("pain-score", form, later).values == ((5, 5),)
    wrong = attested({"pain": {"valueDecimal": 5}}, status="entered-in-error")
    assert fact("pain-score", wrong, copy_of("QuestionnaireResponse/q1")).values == ()


def test_an_observation_derived_from_another_form_counts():
    other = attested({"pain": {"valueDecimal": 5}}, questionnaire="https://forms.example/pain|1")
    assert fact("pain-score", other, copy_of("QuestionnaireResponse/q1")).values == ((7, 7),)
    assert fact("pain-score", copy_of("QuestionnaireResponse/q1")).values == ((7, 7),)


@pytest.mark.parametrize(
    ("canonical", "why"),
    named(
        ("an edition that never was", f"{QUESTIONNAIRE}|1999", "answers to edition 1999, which does not exist"),
        ("no edition", QUESTIONNAIRE, "answers to a questionnaire without its edition"),
    ),
)
def test_answers_to_an_edition_that_never_existed_do_not_count(canonical, why):
    found = can_hum(attested({"can-hum": YES}, questionnaire=canonical))
    assert found.values == ()
    assert found.notes == (f"QuestionnaireResponse/q1: {why}",)
    assert fact("pain-score", attested({"can-hum": YES}, questionnaire=canonical)).notes == ()


@pytest.mark.parametrize(
    ("changes", "why"),
    named(
        ("a modifier", {"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}, "carries a modifierExtension"),
        ("rules", {"implicitRules": "urn:x"}, "follows implicitRules"),
    ),
)
def test_a_form_that_may_not_mean_what_it_says_does_not_count(changes, why):
    found = can_hum(attested({"can-hum": YES}, **changes))
    assert found.values == ()
    assert why in found.notes[0]


# --- in which shape ---------------------------------------------------------------------------------------------------


def coding(system: str, code: str) -> Json:
    return {"valueCoding": {"system": system, "code": code}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    named(
        ("Y of table 0136", coding("http://terminology.hl7.org/CodeSystem/v2-0136", "Y"), "met"),
        ("N of table 0136", coding("http://terminology.hl7.org/CodeSystem/v2-0136", "N"), "not-met"),
        ("SNOMED's yes", coding(SNOMED, "373066001"), "met"),
        ("SNOMED's no", coding(SNOMED, "373067005"), "not-met"),
        ("LOINC's yes", coding(LOINC, "LA33-6"), "met"),
        ("LOINC's no", coding(LOINC, "LA32-8"), "not-met"),
        ("SNOMED's unknown", coding(SNOMED, "261665006"), "unknown"),
        ("Y of another system", coding("urn:x", "Y"), "unknown"),
        ("a coding without a system", {"valueCoding": {"code": "Y"}}, "unknown"),
        ("a coding that is text", {"valueCoding": "Y"}, "unknown"),
    ),
)
def test_codings_that_mean_yes_or_no_are_read(answer, expected):
    assert truth("can-hum", attested({"can-hum": answer})) == expected


@pytest.mark.parametrize(
    ("answer", "values"),
    named(
        ("a decimal", {"valueDecimal": 44}, ((44, 44),)),
        ("an integer", {"valueInteger": 44}, ((44, 44),)),
        ("a quantity in percent", {"valueQuantity": quantity(44, "%")}, ((44, 44),)),
        ("a quantity without a unit", {"valueQuantity": quantity(44)}, ((44, 44),)),
        ("a quantity of 50", {"valueQuantity": quantity(22, "/50")}, ((44, 44),)),
        ("a score of 50 or of 100", {"valueQuantity": quantity(22, "{score}")}, ((22, 22), (44, 44))),
        ("a quantity in another unit", {"valueQuantity": quantity(44, "kg")}, ((float("-inf"), float("inf")),)),
        ("a quantity outside the range", {"valueQuantity": quantity(101, "%")}, ((float("-inf"), float("inf")),)),
    ),
)
def test_numbers_are_read_as_quantities_in_the_units_of_the_item(answer, values):
    assert fact("function-score", attested({"function": answer})).values == values


@pytest.mark.parametrize("member", ["valueDate", "valueDateTime"])
def test_a_date_is_read_as_a_date_and_as_a_date_with_a_time(member):
    written = "2025-01-01T08:00:00Z" if member == "valueDateTime" else "2025-01-01"
    assert truth("pain-duration", attested({"pain-duration": {member: written}})) == "met"
    assert truth("pain-duration", attested({"pain-duration": {member: "2026-03-01"}})) == "not-met"
