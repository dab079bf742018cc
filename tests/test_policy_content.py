"""What ships under cards/: every code pinned, every criterion sourced, every case and every card as it must be."""

import json
from datetime import date
from pathlib import Path

import pytest

from cds_service.authoring import check, lint, reviews
from cds_service.authoring.code_check import code_problems
from cds_service.authoring.problems import Severity
from cds_service.examples import examples
from cds_service.settings.settings import data_folder
from tests.loading import read_documents
from tests.shipped import BASE, TODAY, answers, example, library

PINNED = json.loads((Path(__file__).parent / "pinned_codes.json").read_text(encoding="utf-8"))
POLICIES = library().policies


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.id)
def test_every_code_is_the_one_that_was_reviewed(policy):
    """A changed code, label or provenance is a change of guidance: review it, then change the pin."""
    shipped = {
        f"{name} {row.system_name} {row.spelling}": [row.label, row.seen, row.provenance, *row.exceptions]
        for name, codes in policy.code_sets.items()
        for row in codes.codes
    }
    assert shipped == PINNED[policy.id]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.id)
def test_no_official_cpt_descriptor_ships(policy):
    for codes in policy.code_sets.values():
        for row in codes.codes:
            assert row.system_name != "CPT" or len(row.label) <= 50, row


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.id)
def test_check_finds_no_error_and_every_mutation_is_noticed(policy):
    """That every card of every case keeps the rules of cards is among what is checked."""
    assert len(policy.cases.document["cases"]) >= 100
    report = check.check_folder(data_folder("cards") / policy.id, BASE, check.Wishes(TODAY))
    assert report.of(Severity.ERROR) == []
    assert report.mutation_count is not None
    assert report.mutation_count >= 300
    assert report.survivor_count == 0


def test_check_finds_nothing_wrong_between_what_ships():
    assert check.across_folders(check.CheckReport(Path(policy.id), (), policy) for policy in POLICIES) == []


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.id)
def test_what_is_past_its_review_only_warns(policy):
    folder, day = data_folder("cards") / policy.id, date(2040, 1, 1)
    found = [*reviews.overdue(policy, day), *code_problems(folder, read_documents(folder), day)]
    assert found
    assert {problem.severity for problem in found} == {Severity.WARNING}


FIRST = "isass-restorative-neurostimulation-2023"


def test_the_criteria_and_verdicts_of_the_first_policy_are_those_of_its_contract():
    policy = library().policy(FIRST)
    assert [criterion.id for criterion in policy.criteria] == [
        "age", "pain-duration", "pain-frequency", "pain-severity", "disability", "multifidus-dysfunction",
        "physical-therapy", "pain-medication", "medical-management", "not-surgical-candidate", "axial-pain",
        "can-operate-device", "fit-for-implant", "bmi", "scoliosis", "structural-cause",
        "prior-lumbar-surgery", "leg-pain",
    ]  # fmt: skip
    assert {verdict.id: list(verdict.criteria) for verdict in policy.verdicts} == {
        "labelled-indication": [
            "age", "pain-duration", "multifidus-dysfunction", "physical-therapy", "pain-medication",
            "not-surgical-candidate", "can-operate-device", "fit-for-implant",
        ],
        "studied-population": [
            "age", "pain-duration", "pain-frequency", "pain-severity", "disability", "multifidus-dysfunction",
            "medical-management", "bmi", "scoliosis", "structural-cause", "prior-lumbar-surgery",
        ],
        "payer-position": [],
    }  # fmt: skip


def test_nothing_is_attributed_to_a_statement_that_was_not_read():
    policy = library().policy(FIRST)
    for criterion in policy.criteria:
        assert criterion.statement_text == "pending-verification"
        quoted = [citation for citation in criterion.citations if citation.source.startswith("isass")]
        assert all(citation.place == "title" for citation in quoted)
    assert policy.review.checked_by is None
    (answer,) = answers(example("all-met"))
    assert answer.card["detail"].endswith(" Not a coverage decision. ISASS text not yet compared.*")


@pytest.mark.parametrize("name", sorted(examples(data_folder("fhir_examples"))))
def test_every_card_of_every_example_keeps_the_rules_of_cards(name):
    for answer in answers(example(name)):
        assert [*lint.of_answer(answer), *check.order_problems(answer.card)] == []
