"""Programs of others read our forms as we mean them: fhirpath.js evaluates, LHC-Forms fills in and answers."""

from collections.abc import Iterator
from typing import Any

import pytest

from cds_service.fhir import models
from cds_service.fhir.elements import Json
from cds_service.policy.model import Policy
from cds_service.questionnaire.population import INITIAL
from cds_service.questionnaire.questions import questions
from cds_service.questionnaire.rendering import questionnaire
from tests.fhir_queries import searched
from tests.foreign_judges import LhcForms, fhirpath_js, lhc_forms
from tests.population_cases import USER, cases, computed, expressions, plain, searches
from tests.questionnaire_answers import filled_in, items
from tests.shipped import BASE, TODAY, library
from tests.test_questionnaire import fact_of, known_from, response_to


def value_of(answer: Json) -> Any:
    return next((value for name, value in answer.items() if name.startswith("value")), None)


def values(response: Json) -> dict[str, list[Any]]:
    """linkId -> the answers of all items of that linkId, in their order."""
    found: dict[str, list[Any]] = {}
    for item in items(response):
        if answers := [value_of(answer) for answer in item.get("answer", ())]:
            found.setdefault(item["linkId"], []).extend(answers)
    return found


def links_of(form: Json, kind: str) -> set[str]:
    return {item["linkId"] for item in items(form) if item["type"] == kind}


# --- fhirpath.js ------------------------------------------------------------------------------------------------------


def test_fhirpath_js_evaluates_the_expressions_of_every_example_to_what_the_service_reads():
    forms = {policy.id: questionnaire(policy, BASE) for policy in library().policies}
    asked = [
        {
            "known": searches(forms[case.policy.id], case, TODAY),
            "computed": computed(forms[case.policy.id]),
            "asked": {
                item["linkId"]: expression["expression"]
                for item in items(forms[case.policy.id])
                for expression in expressions(item, INITIAL)
            },
        }
        for case in cases()
    ]
    for case, given in zip(cases(), fhirpath_js(asked), strict=True):
        assert all(len(found) <= 1 for found in given.values())
        populated = {link: plain(found[0]) if found else None for link, found in given.items()}
        assert populated.pop("attester.name") == "Practitioner/dr-example"
        assert case.agrees(populated), f"{case}: {populated}"


# --- LHC-Forms --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lhc(chromium, tmp_path_factory) -> Iterator[LhcForms]:
    with lhc_forms(chromium, tmp_path_factory.mktemp("lhc-forms")) as opened:
        yield opened


@pytest.mark.parametrize("name", ["typical-gaps", "joint-typical-gaps"])
def test_lhc_forms_fills_a_form_in_from_the_chart_and_gives_back_what_a_user_adds(lhc, name):
    case = next(case for case in cases() if case.name == name)
    form = questionnaire(case.policy, BASE)
    lhc.search = lambda query: searched(query, case.resources)
    lhc.open(form, case.patient, USER)
    filled = values(lhc.response())
    assert filled.keys() == {link for link, value in case.read.items() if value is not None}
    for link, (value,) in filled.items():
        # Of a date that is known to the month LHC-Forms makes the first of that month.
        assert str(value).startswith(str(case.read[link])) if isinstance(value, str) else value == case.read[link]

    attested = next(question.link_id for question in questions(case.policy) if question.is_attestation)
    lhc.page.click(f'[id="{attested}/1/1|true"]')
    answered = values(lhc.response())
    assert answered == filled | {attested: [True]}


@pytest.mark.parametrize("policy", library().policies, ids=lambda policy: policy.id)
def test_the_answers_of_a_form_come_back_from_lhc_forms_and_are_read(lhc, policy: Policy):
    form = questionnaire(policy, BASE)
    days = {question.link_id: {"valueDate": "2025-07-10"} for question in questions(policy) if question.ends}
    sent = response_to(policy, filled_in(form, days))
    lhc.open(form, "p1", USER, sent)
    returned = lhc.response()
    assert list(models.problems(returned)) == []
    assert returned["questionnaire"] == f"{form['url']}|{policy.edition}"

    # LHC-Forms has no field for references; everything else comes back as it was answered.
    references = links_of(form, "reference")
    assert values(returned) == {link: found for link, found in values(sent).items() if link not in references}

    # Whose answers they are, and of which day, is for the program that shows the form to say.
    named = {name: sent[name] for name in ("id", "subject", "author", "authored")}
    known = known_from(policy, returned | named)
    for question in questions(policy):
        if not question.ends:
            fact = fact_of(question, known)
            assert fact.values or fact.events, question.link_id
            assert all(evidence.attested.by == "Dr. A. Example" for evidence in fact.evidence)
