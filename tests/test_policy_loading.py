"""A policy folder is loaded or refused, alone and beside others; single faults are in test_broken_policies."""

import json
import shutil

import pytest

from cds_service.errors import PolicyError
from cds_service.library import load_library
from cds_service.policy.model import FactRule
from tests.charts import BASE, CPT, ICD10CM, MINIMAL, minimal, named
from tests.loading import load_policy


@pytest.fixture
def folder(tmp_path):
    """A copy of the made-up statement that a test may break."""
    return shutil.copytree(MINIMAL, tmp_path / "minimal")


def read(folder, name):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def write(folder, name, document):
    (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def changed(folder, name, path, value):
    """Sets the member at a path such as "facts.age.kind" or "criteria.0.id"."""
    document = read(folder, name)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = document
    for part in parents:
        place = place[part]
    place[last] = value
    write(folder, name, document)


def refusal(folder):
    with pytest.raises(PolicyError) as refused:
        load_policy(folder)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return refused.value.problems


def test_the_made_up_statement_loads():
    policy = minimal()
    assert (policy.id, policy.statement, policy.edition) == ("minimal", "knee-humming", "1")
    assert [act.code.code for act in policy.orders.acts] == ["11111", "22222"]
    assert policy.code_sets["coil"].match((CPT, "11111")).label == "humming coil"
    assert policy.code_sets["infection"].match((ICD10CM, "M00.061")).label == "septic arthritis"


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe"])
def test_a_file_that_is_no_object_is_refused(folder, content):
    (folder / "payers.json").write_bytes(content)
    assert all(str(folder / "payers.json") in problem for problem in refusal(folder))


@pytest.mark.parametrize("fact", ["age", "exercise"])
def test_a_kind_that_reads_a_type_without_a_row_is_refused_at_load(folder, monkeypatch, fact):
    own = FactRule.types
    monkeypatch.setattr(FactRule, "types", lambda rule: own(rule) | ({"Immunization"} if rule.name == fact else set()))
    place = f"{folder / 'policy.json'}: $.facts.{fact}.kind"
    (problem,) = refusal(folder)
    assert problem.startswith(f"{place}: 'Immunization' is not a type of resource that is read; allowed: Condition, ")


def test_all_faults_are_reported_at_once(folder):
    changed(folder, "policy", "criteria.0.test.fact", "height")
    changed(folder, "policy", "verdicts.0.all.0", "tall")
    changed(folder, "codes", "sets.coil.codes.1.system", "HPC")
    assert len(refusal(folder)) == 3


# --- all policies together --------------------------------------------------------------------------------------------


def test_a_folder_of_policies_loads(folder):
    library = load_library(folder.parent, BASE)
    assert [policy.id for policy in library.policies] == ["minimal"]
    assert library.questionnaires(library.policies[0]) == {f"{BASE}/Questionnaire/minimal|1"}


def test_answers_to_another_edition_of_the_same_statement_count(folder):
    second = shutil.copytree(folder, folder.parent / "minimal-2")
    changed(second, "policy", "id", "minimal-2")
    changed(second, "policy", "edition", "2")
    changed(second, "policy", "effective.from", "2027")
    changed(folder, "policy", "effective.until", "2026")
    library = load_library(folder.parent, BASE)
    both = {f"{BASE}/Questionnaire/minimal|1", f"{BASE}/Questionnaire/minimal-2|2"}
    assert [library.questionnaires(policy) for policy in library.policies] == [both, both]


def test_answers_to_another_statement_do_not_count(folder):
    second = shutil.copytree(folder, folder.parent / "other")
    changed(second, "policy", "id", "other")
    changed(second, "policy", "statement", "elbow-humming")
    library = load_library(folder.parent, BASE)
    assert library.questionnaires(library.policy("minimal")) == {f"{BASE}/Questionnaire/minimal|1"}


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(PolicyError, match="no rule set found"):
        load_library(tmp_path, BASE)


@pytest.mark.parametrize(
    ("test", "granted"),
    named(
        ("silence taken for no", {"fact": "surgery", "is": False}, True),
        (
            "silence of one among sources",
            {"agree": [{"fact": "can-hum-attested", "is": True}, {"fact": "surgery", "is": False}]},
            True,
        ),
        (
            "silence beside something that must be known",
            {"all": [{"fact": "can-hum-attested", "is": True}, {"fact": "surgery", "is": False}]},
            False,
        ),
        ("silence that contradicts", {"fact": "surgery", "is": True}, False),
    ),
)
def test_a_policy_that_grants_anything_to_nobody_is_refused(folder, test, granted):
    changed(folder, "policy", "criteria.5.test", test)
    if granted:
        with pytest.raises(PolicyError, match="criterion 'can-hum' is met by an empty chart"):
            load_library(folder.parent, BASE)
    else:
        assert load_library(folder.parent, BASE).policies


def test_the_faults_of_all_policies_are_reported_at_once(folder):
    second = shutil.copytree(folder, folder.parent / "other")
    changed(folder, "policy", "id", "wrong")
    (second / "card.json").unlink()
    with pytest.raises(PolicyError) as refused:
        load_library(folder.parent, BASE)
    assert len(refused.value.problems) == 2
