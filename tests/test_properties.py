"""What must hold for every chart, tried on charts that a machine makes up (hypothesis)."""

import copy
import json
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.errors import RequestError
from cds_service.service import hook_call
from tests.shipped import answers, example, guide, truths

# One piece of evidence for one criterion each; together they leave nothing open and nothing in conflict.
ANSWERED = {
    "pain-frequency": {"valueDecimal": 0.7},
    "multifidus-dysfunction": {"valueBoolean": True},
    "physical-therapy": {"valueBoolean": True},
    "pain-medication": {"valueBoolean": False},
    "medical-management": {"valueBoolean": True},
    "not-surgical-candidate": {"valueBoolean": True},
    "axial-pain": {"valueBoolean": False},
    "can-operate-device": {"valueBoolean": True},
    "fit-for-implant": {"valueBoolean": True},
    "scoliosis": {"valueBoolean": True},
    "structural-cause": {"valueBoolean": False},
    "prior-lumbar-surgery": {"valueBoolean": True},
    "leg-pain": {"valueBoolean": True},
}
MEASURED = {
    "pain-severity": ("72514-3", 7, None),
    "disability": ("97909-6", 70, "%"),
    "bmi": ("39156-5", 27.4, "kg/m2"),
}
SUBJECT = {"reference": "Patient/p"}


def piece(criterion: str) -> dict[str, Any]:
    """The one resource that settles a criterion."""
    if criterion in ANSWERED:
        return {
            "resourceType": "QuestionnaireResponse",
            "id": f"answer-{criterion}",
            "questionnaire": "https://cds-service.example/fhir/Questionnaire/isass-restorative-neurostimulation-2023|2023",
            "status": "completed",
            "authored": "2026-11-01",
            "author": {"reference": "Practitioner/surgeon", "display": "Dr. A. Example"},
            "subject": SUBJECT,
            "item": [{"linkId": criterion, "answer": [ANSWERED[criterion]]}],
        }
    if criterion in MEASURED:
        code, value, unit = MEASURED[criterion]
        return {
            "resourceType": "Observation",
            "id": f"value-{criterion}",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "subject": SUBJECT,
            "effectiveDateTime": "2026-11-02",
            "valueQuantity": {"value": value} | ({"unit": unit} if unit else {}),
        }
    return {
        "resourceType": "Condition",
        "id": "back-pain",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "M54.59"}]},
        "subject": SUBJECT,
        "onsetDateTime": "2024-03",
    }


CRITERIA = [*ANSWERED, *MEASURED, "pain-duration"]


def call(resources: list[dict[str, Any]], patient: dict[str, Any] | None = None) -> dict[str, Any]:
    """An order-sign call for the leads with these resources on record."""
    prefetch: dict[str, Any] = {"patient": patient or {"resourceType": "Patient", "id": "p"}}
    for key, kind in guide().library.prefetch_keys.items():
        if key != "patient":
            found = [{"resource": resource} for resource in resources if resource["resourceType"] == kind]
            prefetch[key] = {"resourceType": "Bundle", "type": "searchset", "entry": found}
    order = {
        "resourceType": "ServiceRequest",
        "id": "leads",
        "status": "draft",
        "intent": "order",
        "subject": SUBJECT,
        "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "64555"}]},
        "reasonCode": [{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "M62.85"}]}],
    }
    return {
        "hook": "order-sign",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {
            "userId": "Practitioner/1",
            "patientId": "p",
            "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": order}]},
        },
        "prefetch": prefetch,
    }


def answer_bytes(request: dict[str, Any]) -> bytes:
    return orjson.dumps(hook_call.response(answers(request)))


def test_every_piece_settles_its_own_criterion_and_no_other():
    for criterion in CRITERIA:
        settled = {name for name, truth in truths(call([piece(criterion)])).items() if truth != "unknown"}
        assert settled == {criterion}


def test_an_empty_chart_settles_nothing():
    assert set(truths(call([])).values()) == {"unknown"}


@given(known=st.sets(st.sampled_from(CRITERIA)), added=st.sampled_from(CRITERIA))
def test_learning_something_new_never_changes_what_was_settled(known, added):
    known = known - {added}
    before = truths(call([piece(name) for name in known]))
    after = truths(call([piece(name) for name in [*known, added]]))
    assert {name: truth for name, truth in after.items() if name != added} == {
        name: truth for name, truth in before.items() if name != added
    }
    assert after[added] != "unknown"


@given(known=st.sets(st.sampled_from(CRITERIA), min_size=1), data=st.data())
def test_removing_evidence_never_makes_anything_met(known, data):
    left = data.draw(st.sets(st.sampled_from(sorted(known))))
    before = truths(call([piece(name) for name in known]))
    after = truths(call([piece(name) for name in left]))
    assert all(before[name] == "met" for name, truth in after.items() if truth == "met")


def in_another_form(request: dict[str, Any], randomness: Any) -> dict[str, Any]:
    """The same chart told otherwise: other order, pages under other keys, references absolute or by urn, copies."""
    told = copy.deepcopy(request)
    patient = told["prefetch"]["patient"]
    absolute = f"https://ehr.example/fhir/Patient/{patient['id']}"
    urn = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
    written = randomness.choice([f"Patient/{patient['id']}", absolute, urn])
    told["prefetch"]["patient"] = {
        "resourceType": "Bundle",
        "entry": [{"fullUrl": urn if written == urn else absolute, "resource": patient}],
    }
    for key, bundle in list(told["prefetch"].items()):
        if key == "patient" or not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
            continue
        entries = bundle.get("entry", [])
        for entry in entries:
            for name in ("subject", "patient", "beneficiary"):
                reference = entry.get("resource", {}).get(name)
                if isinstance(reference, dict) and reference.get("reference") == f"Patient/{patient['id']}":
                    reference["reference"] = written
        randomness.shuffle(entries)
        cut = randomness.randint(0, len(entries))
        bundle["entry"] = entries[:cut]
        bundle.pop("total", None)
        told["prefetch"][f"{key}Page2"] = {"resourceType": "Bundle", "entry": entries[cut:] + entries[:1]}
    keys = list(told["prefetch"])
    randomness.shuffle(keys)
    told["prefetch"] = {key: told["prefetch"][key] for key in keys}
    return told


@settings(max_examples=40)
@given(
    name=st.sampled_from(
        ["all-met", "typical-gaps", "conflicting-data", "outside-studied-population", "infection-red-flag"]
    ),
    randomness=st.randoms(use_true_random=False),
)
def test_order_paging_and_references_never_matter(name, randomness):
    request = example(name)
    assert answer_bytes(in_another_form(request, randomness)) == answer_bytes(request)


US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition"
UNUSED = {
    "race": {"extension": [{"url": f"{US_CORE}/us-core-race", "extension": [{"url": "text", "valueString": "Asian"}]}]},
    "ethnicity": {
        "extension": [{"url": f"{US_CORE}/us-core-ethnicity", "extension": [{"url": "text", "valueString": "x"}]}]
    },
    "language": {"communication": [{"language": {"text": "Spanish"}, "preferred": True}]},
    "sexual orientation": {"extension": [{"url": f"{US_CORE}/us-core-sexual-orientation", "valueString": "x"}]},
    "gender identity": {"extension": [{"url": f"{US_CORE}/us-core-genderIdentity", "valueString": "x"}]},
    "sex": {"gender": "other", "extension": [{"url": f"{US_CORE}/us-core-birthsex", "valueCode": "UNK"}]},
    "social determinants": {"address": [{"postalCode": "00000"}], "maritalStatus": {"text": "single"}},
}


@given(used=st.sets(st.sampled_from(sorted(UNUSED)), min_size=1), name=st.sampled_from(["all-met", "typical-gaps"]))
def test_what_the_policy_says_it_does_not_use_changes_no_byte(used, name):
    request = example(name)
    changed = copy.deepcopy(request)
    for attribute in used:
        changed["prefetch"]["patient"] |= UNUSED[attribute]
    assert answer_bytes(changed) == answer_bytes(request)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
    | st.sampled_from(["Condition", "Patient/p", "2026-11", "M62.85", "completed", "http://loinc.org"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.text(max_size=6)
        | st.sampled_from(
            ["resourceType", "code", "coding", "system", "value", "subject", "reference", "item", "entry"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every node in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copied = copy.copy(value)
    copied[path[0]] = replaced(value[path[0]], path[1:], by)
    return copied


WHOLE = call([piece(criterion) for criterion in CRITERIA])
PLACES = [path for path in places(WHOLE) if path[:1] in (("prefetch",), ("context",))]


def outcome(request: dict[str, Any]) -> str | int:
    """The word "answered", the status of a refusal, or what broke inside."""
    try:
        found = answers(request)
    except RequestError as error:
        return error.status
    return next((repr(answer.error) for answer in found if answer.error), "answered")


@settings(max_examples=400)
@given(path=st.sampled_from(PLACES), junk=ANY_JSON)
def test_no_json_in_any_place_breaks_an_evaluation(path, junk):
    request = json.loads(json.dumps(replaced(WHOLE, path, junk)))
    assert outcome(request) in ("answered", 400, 412)


@settings(max_examples=200)
@given(prefetch=st.dictionaries(st.sampled_from([*guide().library.prefetch_keys, "other"]), ANY_JSON))
def test_no_prefetch_of_any_shape_breaks_an_evaluation(prefetch):
    assert outcome(WHOLE | {"prefetch": prefetch}) in ("answered", 412)


@settings(max_examples=100)
@given(data=st.data())
def test_one_broken_resource_leaves_every_other_criterion_as_it_was_or_open(data):
    """Open where nobody can tell what the resource says: with its code broken it may be anything, and so may a form."""
    criterion = data.draw(st.sampled_from(CRITERIA))
    broken = piece(criterion)
    path = data.draw(
        st.sampled_from([p for p in places(broken) if p and p[0] not in ("resourceType", "id", "subject")])
    )
    broken = replaced(broken, path, data.draw(st.sampled_from([[], {}, "?", 0, None, [None], {"x": [1]}])))
    before = truths(WHOLE)
    after = truths(call([*(piece(name) for name in CRITERIA if name != criterion), broken]))
    changed = {truth for name, truth in after.items() if name != criterion and truth != before[name]}
    may_be_anything = "code" in path or broken["resourceType"] == "QuestionnaireResponse"
    assert changed <= ({"unknown"} if may_be_anything else set())
