"""The form that is derived from a policy: what it asks, and that the service reads every answer to it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.chart.arrivals import Listing, State
from cds_service.chart.chart import Chart
from cds_service.chart.code_index import Lexicon
from cds_service.facts import gather
from cds_service.facts.evidence import Known
from cds_service.fhir import models
from cds_service.fhir.elements import Json
from cds_service.policy.model import Policy
from cds_service.questionnaire import problems
from cds_service.questionnaire.questions import FormQuestion, groups, questions
from cds_service.questionnaire.rendering import questionnaire
from cds_service.questionnaire.versions import DTR, Version
from tests.charts import TODAY, minimal
from tests.loading import policy_of
from tests.paired import paired
from tests.questionnaire_answers import filled_in, items
from tests.shipped import BASE, library

PAIRED = policy_of(Path("/made-up/paired"), paired())
POLICIES = [*library().policies, minimal(), PAIRED]
CORE = "http://hl7.org/fhir/StructureDefinition"

policies = pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.id)
versions = pytest.mark.parametrize("version", Version)


def statement(name: str) -> Policy:
    return next(policy for policy in library().policies if policy.statement == name)


def item_of(policy: Policy, link: str, **more: Any) -> Json:
    return next(item for item in items(questionnaire(policy, BASE, **more)) if item["linkId"] == link)


def extensions(item: Json) -> dict[str, Any]:
    """Extensions by the end of their address, each with its value."""
    return {
        found["url"].rpartition("/")[2]: next(value for name, value in found.items() if name.startswith("value"))
        for found in item.get("extension", ())
        if "extension" not in found
    }


def chart_with(policy: Policy, response: Json) -> Chart:
    types = {"Patient", *policy.resource_types}
    listings = dict.fromkeys(types, Listing(State.EMPTY)) | {"QuestionnaireResponse": Listing(State.FILLED)}
    return Chart.of(
        {"QuestionnaireResponse": [response]},
        listings,
        patient_id="p1",
        types=types,
        lexicon=Lexicon([policy.code_sets.values()]),
    )


def known_from(policy: Policy, response: Json) -> Known:
    canonical = f"{BASE}/Questionnaire/{policy.id}|{policy.edition}"
    return gather.gather(policy, chart_with(policy, response), frozenset((canonical,)), TODAY)


def response_to(policy: Policy, answered: list[Json]) -> Json:
    return {
        "resourceType": "QuestionnaireResponse",
        "id": "q1",
        "subject": {"reference": "Patient/p1"},
        "questionnaire": f"{BASE}/Questionnaire/{policy.id}|{policy.edition}",
        "status": "completed",
        "authored": f"{TODAY}T10:00:00Z",
        "author": {"reference": "Practitioner/p9", "display": "Dr. A. Example"},
        "item": answered,
    }


def fact_of(question: FormQuestion, known: Known) -> Any:
    return (known.parts[question.part] if question.part else known.whole)[question.fact.name]


# --- what is asked ----------------------------------------------------------------------------------------------------


@policies
def test_every_fact_that_an_answer_settles_is_asked_for_once_and_nothing_else_is(policy):
    asked = [question for question in questions(policy) if not question.ends]
    parts = len(policy.scope.parts) if policy.scope else 1
    wanted = {name: parts if rule.per_part else 1 for name, rule in policy.facts.items() if rule.item}
    assert {name: sum(question.fact.name == name for question in asked) for name in wanted} == wanted
    assert len(asked) == sum(wanted.values())


@policies
def test_every_answer_of_a_filled_in_form_is_read_with_who_when_and_on_what(policy):
    form = questionnaire(policy, BASE)
    days = {question.link_id: {"valueDate": "2025-07-10"} for question in questions(policy) if question.ends}
    observed = {item["linkId"]: {"valueDate": "2026-02-20"} for item in items(form) if ".observed" in item["linkId"]}
    known = known_from(policy, response_to(policy, filled_in(form, days | observed)))
    for question in questions(policy):
        if question.ends:
            continue
        fact = fact_of(question, known)
        assert fact.values or fact.events, question.link_id
        for evidence in fact.evidence:
            assert evidence.attested.by == "Dr. A. Example"
            assert evidence.attested.role == "physician"
            if question.type != "group":
                assert evidence.attested.observed == "2026-02-20", question.link_id
                assert evidence.attested.basis == "Clinic note; In words"
        for event in fact.events:
            read = {name for name, inner in event.attributes.items() if inner.values}
            assert read == set(question.fact.attributes)


@policies
@given(data=st.data())
def test_a_form_with_any_answers_left_out_settles_the_others(policy, data):
    asked = [question for question in questions(policy) if question.type in ("boolean", "decimal")]
    kept = data.draw(st.sets(st.sampled_from([question.link_id for question in asked])))
    form = questionnaire(policy, BASE)
    answered = [item for item in items({"item": filled_in(form)}) if item["linkId"] in kept]
    bare = [{**item, "answer": [{k: v for k, v in item["answer"][0].items() if k != "item"}]} for item in answered]
    known = known_from(policy, response_to(policy, bare))
    settled = {question.link_id for question in asked if fact_of(question, known).values}
    computed = {question.link_id for question in asked if question.fact.start}
    assert settled - computed == kept - computed


def test_the_first_statement_asks_in_groups_by_verdict_the_label_first():
    found = [(group.verdict, [question.link_id for question in group.questions]) for group in groups(POLICIES[0])]
    assert found == [
        (
            "labelled-indication",
            [
                *("pain-duration", "multifidus-dysfunction", "physical-therapy", "pain-medication"),
                *("not-surgical-candidate", "can-operate-device", "fit-for-implant"),
            ],
        ),
        (
            "studied-population",
            [
                *("pain-frequency", "pain-severity", "disability", "medical-management", "bmi", "scoliosis"),
                *("structural-cause", "prior-lumbar-surgery"),
            ],
        ),
        ("", ["axial-pain", "leg-pain"]),
    ]


def test_the_joint_statement_asks_each_joint_apart_and_the_blocks_as_groups():
    joint = statement("isass-si-joint-fusion")
    by_link = {question.link_id: question for question in questions(joint)}
    assert {"pain-location.right", "pain-location.left", "conservative-care", "conservative-care-end"} <= set(by_link)
    assert "pain-location" not in by_link
    block = item_of(joint, "block.left")
    assert (block["type"], block["repeats"]) == ("group", True)
    assert [item["linkId"] for item in block["item"] if item["type"] != "display"] == [
        *("block.left.date", "block.left.guided", "block.left.intra-articular", "block.left.contrast"),
        *("block.left.as-expected", "block.left.before", "block.left.after", "block.left.relief"),
    ]


def test_an_item_has_its_children_its_codes_and_nothing_hidden():
    item = item_of(POLICIES[0], "physical-therapy")
    assert [child["linkId"].removeprefix("physical-therapy") for child in item["item"]] == [
        *(".found", ".help", ".observed", ".basis", ".basis-text", ".why-not"),
    ]
    assert item["code"] == [
        {"system": f"{BASE}/CodeSystem/isass-restorative-neurostimulation-2023-criteria", "code": "physical-therapy"}
    ]
    assert "note on the course of physical therapy" in item["item"][0]["text"]


@versions
@policies
def test_every_question_asks_when_on_what_and_why_not_once_it_is_answered(policy, version):
    by_link = {item["linkId"]: item for item in items(questionnaire(policy, BASE, version))}
    for question in questions(policy):
        item = by_link[question.link_id]
        assert item["type"] == question.type
        assert item["required"] is False
        # Nothing is answered before anybody was asked.
        assert not {"initial", "answerValueSet"} & item.keys()
        if question.type == "group":
            continue
        answered = {"question": question.link_id, "operator": "exists", "answerBoolean": True}
        for name, kind in ((".observed", "date"), (".basis", "reference"), (".basis-text", "string")):
            child = by_link[question.link_id + name]
            assert (child["type"], child["enableWhen"]) == (kind, [answered])
        assert by_link[f"{question.link_id}.basis-text"]["maxLength"] == 200
        assert (f"{question.link_id}.why-not" in by_link) == question.is_attestation
        if question.is_attestation:
            no = {"question": question.link_id, "operator": "=", "answerBoolean": False}
            assert by_link[f"{question.link_id}.why-not"]["enableWhen"] == [no]
            assert not any("initialExpression" in name for name in extensions(item))


@policies
def test_the_form_ends_with_who_signs_in_which_role_and_what(policy):
    attester = questionnaire(policy, BASE)["item"][-1]
    name, role, statement = attester["item"]
    assert [attester["linkId"], *(item["linkId"] for item in attester["item"])] == [
        *("attester", "attester.name", "attester.role", "attester.statement"),
    ]
    assert (name["type"], role["type"], statement["type"]) == ("reference", "open-choice", "boolean")
    assert all(item["required"] for item in attester["item"])
    assert {option["valueCoding"]["system"] for option in role["answerOption"]} == {"http://nucc.org/provider-taxonomy"}


@policies
def test_both_versions_ask_the_same_and_the_older_one_lacks_what_came_later(policy):
    newer, older = (questionnaire(policy, BASE, version) for version in (Version.V2_2, Version.V2_0_1))
    told = [[(item["linkId"], item["type"], item["text"]) for item in items(form)] for form in (newer, older)]
    assert told[0] == told[1]
    assert newer["effectivePeriod"] == older["effectivePeriod"]
    assert newer["effectivePeriod"]["start"] == policy.effective_from
    of_form = {found["url"].rpartition("/")[2] for found in newer["extension"]}
    assert of_form - {found["url"].rpartition("/")[2] for found in older["extension"]} == of_form - {
        "questionnaire-signatureRequired"
    }


def test_a_measured_number_has_its_code_its_ends_its_unit_and_its_expression():
    item = item_of(POLICIES[0], "disability")
    assert item["code"][0] == {"system": "http://loinc.org", "code": "97909-6"}
    found = extensions(item)
    assert (found["minValue"], found["maxValue"]) == (0, 100)
    assert found["questionnaire-unit"] == {"system": "http://unitsofmeasure.org", "code": "%", "display": "%"}
    assert found["sdc-questionnaire-initialExpression"]["language"] == "text/fhirpath"


def test_a_contrary_record_adds_the_items_to_answer_despite_it_to_that_criterion_alone():
    shared = {item["linkId"] for item in items(questionnaire(POLICIES[0], BASE))}
    with_record = {item["linkId"] for item in items(questionnaire(POLICIES[0], BASE, despite={"scoliosis"}))}
    assert with_record - shared == {"scoliosis.despite", "scoliosis.despite-why"}
    assert not any(".despite" in link for link in shared)


def test_scores_of_copyrighted_instruments_are_asked_for_and_their_items_are_not():
    said = json.dumps([questionnaire(policy, BASE) for policy in POLICIES]).lower()
    for words in ("personal care", "lifting", "sex life", "social life", "travelling", "usual activities", "anxiety"):
        assert words not in said
    assert {item_of(policy, "disability")["type"] for policy in library().policies} == {"decimal"}


# --- FHIR and DTR -----------------------------------------------------------------------------------------------------


@versions
@policies
def test_the_form_is_valid_fhir_with_unique_link_ids_and_a_text_on_every_item(policy, version):
    form = questionnaire(policy, BASE, version, despite={criterion.id for criterion in policy.criteria})
    assert list(models.problems(form)) == []
    links = [item["linkId"] for item in items(form)]
    assert len(links) == len(set(links))
    for item in items(form):
        assert item["text"].strip()
        assert not item.get("readOnly")
        assert not {"questionnaire-hidden"} & set(extensions(item))
        asked = {found["question"] for found in item.get("enableWhen", ())}
        assert asked <= set(links)


@versions
@policies
def test_the_form_obeys_the_rules_of_dtr(policy, version):
    form = questionnaire(policy, BASE, version)
    assert form["subjectType"] == ["Patient"]
    assert form["text"]["div"].startswith('<div xmlns="http://www.w3.org/1999/xhtml">')
    for item in items(form):
        found = extensions(item)
        if item["type"] in ("choice", "open-choice"):
            assert item["answerOption"]
        assert item["type"] != "quantity"
        if item["type"] == "reference":
            assert "questionnaire-referenceResource" in found
            assert ("sdc-questionnaire-candidateExpression" in found) == version.has_expressions
    of_form = {found["url"]: found for found in form["extension"]}
    if version is Version.V2_2:
        assert of_form[f"{DTR}/questionnaireAudience"]["valueCode"] == "clinical"
        times = {part["url"]: part["valueCode"] for part in of_form[f"{DTR}/estimated-completion-time"]["extension"]}
        assert times.keys() == {"clinicalTime", "totalTime"}
        assert of_form[f"{DTR}/request-specific"]["valueBoolean"] is False
    assert f"{CORE}/questionnaire-signatureRequired" in of_form


# --- what an author hears ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", library().policies, ids=lambda policy: policy.id)
def test_nothing_is_wrong_with_the_forms_that_ship(policy):
    assert list(problems.problems(policy)) == []


def faults_of(change: Any) -> list[tuple[str, str]]:
    policy = minimal()
    facts = {name: change(name, rule) for name, rule in policy.facts.items()}
    return list(problems.problems(replace(policy, facts=facts)))


def changed(name: str, **more: Any) -> Any:
    return lambda found, rule: replace(rule, **more) if found == name else rule


def test_an_author_hears_of_a_question_without_words():
    ((place, says),) = faults_of(changed("can-hum-attested", ask=None))
    assert place == "$.facts.can-hum-attested"
    assert says == "answers to the item 'can-hum' are read, and no 'ask' says how a form asks for them"


def test_an_author_hears_of_two_questions_with_one_link_id():
    ((_, says),) = faults_of(changed("can-hum-attested", item="no-infection"))
    assert says == "the form would have 2 items 'no-infection'; name the 'item' of one fact otherwise"


def test_an_author_hears_of_an_answer_that_nothing_reads():
    policy = minimal()
    extra = replace(policy.facts["can-hum-attested"], name="unread", item="unread")
    faults = list(problems.problems(replace(policy, facts={**policy.facts, "unread": extra})))
    assert faults == [("$.facts.unread", "no criterion, verdict, or rule reads the answers to the item 'unread'")]


def test_an_author_hears_of_an_end_that_no_question_asks_for():
    ((place, says),) = faults_of(changed("pain-onset", until="pain-end"))
    assert place == "$.facts.pain-onset"
    assert says == "answers to the item 'pain-end' are read, and 'ask' has no 'until' to ask for it"
