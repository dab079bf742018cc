"""The source attributes of decision support: thirteen of 45 CFR 170.315(b)(11)(iv)(A), and FDA's (a) to (d).

What a policy is said not to use is taken at its word: the field is changed in every example, and the cards stay byte
for byte the same.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import pytest

from cds_service.examples import examples
from cds_service.fhir.types import TYPES
from cds_service.publish import source_attributes
from cds_service.settings.settings import data_folder
from tests.shipped import TODAY, answers, example, library
from tests.test_pages import client_of, page_of

POLICIES = library().policies
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition"
US_CORE_TERMS = "http://hl7.org/fhir/us/core/CodeSystem"
FHIR_EXTENSION = "http://hl7.org/fhir/StructureDefinition"
SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
CHART = sorted(examples(data_folder("fhir_examples")))


def test_the_thirteen_stand_in_the_order_of_the_regulation_and_behind_them_a_to_d():
    for policy in POLICIES:
        assert list(source_attributes.source_attributes(policy)) == [
            "bibliographicCitation",
            "developer",
            "fundingSource",
            "releaseAndRevisionDates",
            "useOfRace",
            "useOfEthnicity",
            "useOfLanguage",
            "useOfSexualOrientation",
            "useOfGenderIdentity",
            "useOfSex",
            "useOfDateOfBirth",
            "useOfSocialDeterminants",
            "useOfHealthStatusAssessments",
            "purposeAndUse",
            "inputs",
            "logicAndEvidence",
            "knownsAndUnknowns",
        ]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.id)
def test_funding_of_each_part_is_said_with_where_it_was_looked_for(policy):
    found = source_attributes.source_attributes(policy)["fundingSource"]
    assert found["implementation"]["says"]
    assert {item["source"] for item in (found["statement"], *found["studies"])} <= policy.sources.keys()
    studied = {item.source for item in policy.evidence} & {item["source"] for item in found["studies"]}
    assert studied


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.id)
def test_every_fact_is_an_input_with_its_place_its_age_and_the_criteria_that_need_it(policy):
    found = source_attributes.source_attributes(policy)["inputs"]
    assert [item["id"] for item in found["facts"]] == list(policy.facts)
    keys = {row["key"] for row in found["prefetch"]}
    for item in found["facts"]:
        assert set(item["prefetch"]) <= keys
        assert item["noOlderThan"]
        assert item["readFrom"]
    asked = {name for rule in (*policy.criteria, *policy.variants.values()) for name in rule.test.facts()}
    assert asked <= {item["id"] for item in found["facts"] if item["criteria"]}
    asked_for = {name for name in policy.resource_types if not TYPES[name].unasked}
    assert {row["resourceType"] for row in found["prefetch"]} == asked_for | {"Patient"}
    assert all(row["inputs"] for row in found["prefetch"] if row["resourceType"] in policy.resource_types)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.id)
def test_logic_and_evidence_hold_every_criterion_and_every_finding_for_and_against(policy):
    found = source_attributes.source_attributes(policy)["logicAndEvidence"]
    assert [item["id"] for item in found["criteria"]] == [rule.id for rule in policy.criteria]
    assert found["evidence"] == library().written[policy.id]["evidence"]
    assert "against" in {item["speaks"] for item in found["evidence"]}
    assert not any(item["comparedWithTheStatement"] for item in found["criteria"])


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.id)
def test_the_page_says_everything_one_click_from_the_card(policy):
    page = page_of(client_of(data_folder("cards")), f"/policies/{policy.id}")
    about = page.text.split(" About this decision support ")[-1]
    for number, name in enumerate(("Bibliographic citation", "Developer", "Funding source"), start=1):
        assert f" {number} {name} " in about
    assert " 4 Release and revision dates " in about
    for number, use in enumerate(source_attributes.uses(policy), start=5):
        assert f" {number} Use of {use.name} " in about
    for heading in ("(a) Purpose and use", "(b) Inputs", "(c) Logic and evidence", "(d) Knowns and unknowns"):
        assert heading in about
    for says in (
        *source_attributes.TRUTHS.values(),
        *source_attributes.FAULTS.values(),
        source_attributes.METHOD,
        source_attributes.TIME_CRITICAL,
    ):
        assert says in about
    for item in policy.evidence:
        assert item.speaks != "against" or item.finding in about
    for row in source_attributes.sent(policy):
        assert f" {row.key} " in about
    shown = [json.loads(card) for name in CHART for card in cards_before(name)[policy.id]]
    assert shown
    for card in shown:
        assert any(link["url"].endswith(f"/policies/{policy.id}") for link in card["links"])
    assert "#about" in page.attributes("href")


# --- what is not used changes nothing ---------------------------------------------------------------------------------


def extended(request: Any, url: str, value: Any) -> None:
    """Puts an extension on the Patient, in place of one of the same address."""
    patient = request["prefetch"]["patient"]
    others = [item for item in patient.get("extension", ()) if item.get("url") != url]
    patient["extension"] = [*others, {"url": url, **value}]


def observed(request: Any, name: str, code: str, value: Any) -> None:
    """Adds an Observation that is final and new to what was sent."""
    bundle = request["prefetch"].get("observation")
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        return
    resource = {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": f"Patient/{request['prefetch']['patient']['id']}"},
        "effectiveDateTime": "2026-11-01",
        "valueCodeableConcept": value,
    }
    bundle.setdefault("entry", []).append({"resource": resource})


def diagnosed(request: Any, name: str, code: str, text: str) -> None:
    """Adds an active Condition to what was sent."""
    bundle = request["prefetch"].get("condition")
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        return
    terms = "http://terminology.hl7.org/CodeSystem"
    resource = {
        "resourceType": "Condition",
        "id": name,
        "clinicalStatus": {"coding": [{"system": f"{terms}/condition-clinical", "code": "active"}]},
        "verificationStatus": {"coding": [{"system": f"{terms}/condition-ver-status", "code": "confirmed"}]},
        "category": [{"coding": [{"system": f"{US_CORE_TERMS}/us-core-category", "code": "sdoh"}]}],
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}], "text": text},
        "subject": {"reference": f"Patient/{request['prefetch']['patient']['id']}"},
        "recordedDate": "2026-11-01",
    }
    bundle.setdefault("entry", []).append({"resource": resource})


def category(code: str, display: str) -> Any:
    system = "urn:oid:2.16.840.1.113883.6.238"
    return {
        "extension": [
            {"url": "ombCategory", "valueCoding": {"system": system, "code": code, "display": display}},
            {"url": "text", "valueString": display},
        ]
    }


def race(request: Any) -> None:
    extended(request, f"{US_CORE}/us-core-race", category("2054-5", "Black or African American"))


def ethnicity(request: Any) -> None:
    extended(request, f"{US_CORE}/us-core-ethnicity", category("2135-2", "Hispanic or Latino"))


def language(request: Any) -> None:
    patient = request["prefetch"]["patient"]
    patient["communication"] = [
        {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "es"}]}, "preferred": True}
    ]
    patient["language"] = "es"


def sexual_orientation(request: Any) -> None:
    coded = {"coding": [{"system": SNOMED, "code": "38628009", "display": "Homosexual"}]}
    observed(request, "changed-orientation", "76690-7", coded)
    extended(request, f"{FHIR_EXTENSION}/patient-sexualOrientation", {"valueCodeableConcept": coded})


def gender_identity(request: Any) -> None:
    coded = {"coding": [{"system": SNOMED, "code": "407377005"}], "text": "Transgender female"}
    extended(request, f"{FHIR_EXTENSION}/patient-genderIdentity", {"valueCodeableConcept": coded})
    extended(request, f"{US_CORE}/us-core-genderIdentity", {"valueCodeableConcept": coded})
    observed(request, "changed-gender-identity", "76691-5", coded)


def sex(request: Any) -> None:
    patient = request["prefetch"]["patient"]
    patient["gender"] = "male" if patient.get("gender") == "female" else "female"
    extended(request, f"{US_CORE}/us-core-birthsex", {"valueCode": "UNK"})
    extended(request, f"{US_CORE}/us-core-sex", {"valueCode": "248152002"})


def social_determinants(request: Any) -> None:
    diagnosed(request, "changed-housing", "Z59.00", "Homelessness unspecified")
    diagnosed(request, "changed-work", "Z56.0", "Unemployment, unspecified")
    observed(
        request, "changed-food", "88122-7", {"coding": [{"system": LOINC, "code": "LA28397-0"}], "text": "Often true"}
    )


def date_of_birth(request: Any) -> None:
    request["prefetch"]["patient"].pop("birthDate", None)


def onsets_told_as_ages(request: Any) -> None:
    """An onset that is an age is dated by the birth date."""
    bundle = request["prefetch"].get("condition")
    for entry in bundle.get("entry", ()) if isinstance(bundle, dict) else ():
        if entry["resource"].pop("onsetDateTime", None):
            entry["resource"]["onsetAge"] = {"value": 30, "unit": "a", "system": UCUM, "code": "a"}


def health_status_assessments(request: Any) -> None:
    for key in ("observation", "questionnaireResponse"):
        if key in request["prefetch"]:
            request["prefetch"][key] = None


CHANGES: dict[str, Callable[[Any], None]] = {
    "useOfRace": race,
    "useOfEthnicity": ethnicity,
    "useOfLanguage": language,
    "useOfSexualOrientation": sexual_orientation,
    "useOfGenderIdentity": gender_identity,
    "useOfSex": sex,
    "useOfDateOfBirth": date_of_birth,
    "useOfSocialDeterminants": social_determinants,
    "useOfHealthStatusAssessments": health_status_assessments,
}


# What is done to an example before its one field is changed, where the field is read only of such a record.
PREPARED: dict[str, Callable[[Any], None]] = {"useOfDateOfBirth": onsets_told_as_ages}


def has_patient(name: str) -> bool:
    return isinstance(example(name).get("prefetch", {}).get("patient"), dict)


Cards = dict[str, list[str]]


def cards(request: Any) -> Cards:
    """Policy id -> its cards as they are written."""
    found: Cards = {policy.id: [] for policy in POLICIES}
    for answer in answers(request, TODAY):
        found[answer.policy.id].append(json.dumps(answer.card, ensure_ascii=False))
    return found


@cache
def cards_before(name: str, prepared: str = "") -> Cards:
    """The cards of an example, or of one that was prepared for a change."""
    request = deepcopy(example(name))
    if prepared:
        PREPARED[prepared](request)
    return cards(request)


def differing(key: str) -> dict[str, list[str]]:
    """Policy id -> the examples in which changing one kind of data makes a difference to what is answered for it."""
    prepared = key if key in PREPARED else ""
    found: dict[str, list[str]] = {policy.id: [] for policy in POLICIES}
    for name in filter(has_patient, CHART):
        changed = deepcopy(example(name))
        if prepared:
            PREPARED[prepared](changed)
        CHANGES[key](changed)
        after = cards(changed)
        for policy_id, before in cards_before(name, prepared).items():
            if after[policy_id] != before:
                found[policy_id].append(name)
    return found


@pytest.mark.parametrize("key", CHANGES)
def test_a_change_changes_what_is_sent_in_most_examples(key):
    changed = 0
    for name in filter(has_patient, CHART):
        request = deepcopy(example(name))
        CHANGES[key](request)
        changed += request != example(name)
    assert changed > len(CHART) / 2


def test_there_is_a_change_for_each_of_the_nine_and_examples_that_answer_for_each_policy():
    for policy in POLICIES:
        assert [use.key for use in source_attributes.uses(policy)] == list(CHANGES)
        assert sum(1 for name in CHART if has_patient(name) and cards_before(name)[policy.id]) >= 5


@pytest.mark.parametrize("key", CHANGES)
def test_what_is_not_used_changes_no_byte_of_any_card_and_what_is_used_changes_some(key):
    found = differing(key)
    for policy in POLICIES:
        use = next(use for use in source_attributes.uses(policy) if use.key == key)
        if use.used:
            assert found[policy.id], policy.id
        else:
            assert found[policy.id] == [], policy.id
