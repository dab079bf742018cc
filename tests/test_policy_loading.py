"""A policy folder that cannot be used is refused, and the refusal names the file, the place and what is allowed."""

import json
import shutil

import pytest

from cds_service.errors import PolicyError
from cds_service.library import load_library
from cds_service.loader import load_policy
from tests.charts import BASE, CPT, ICD10CM, MINIMAL, minimal, named


@pytest.fixture
def folder(tmp_path):
    """A copy of the made-up statement that a test may break."""
    return shutil.copytree(MINIMAL, tmp_path / "minimal")


def read(folder, name):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def write(folder, name, document):
    (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def changed(folder, name, path, value):
    """Sets the member at a path such as "facts.age.kind" or "criteria.0.id"; ``...`` removes it."""
    document = read(folder, name)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = document
    for part in parents:
        place = place[part]
    if value is ...:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
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


UNKNOWN_FACT = {"fact": "height", "at_least": 1}
AGE = {"fact": "age", "at_least": 18}


@pytest.mark.parametrize(
    ("file", "path", "value", "place", "says"),
    named(
        ("an unknown key at the top", "policy", "surprise", 1, "$", "surprise"),
        ("an unknown key in a fact", "policy", "facts.age.unitt", "years", "$.facts.age", "unitt"),
        ("an unknown key in a criterion", "policy", "criteria.0.titel", "x", "$.criteria[0]", "titel"),
        ("an unknown key in a test", "policy", "criteria.0.test.at_lest", 18, "$.criteria[0].test", "at_lest"),
        ("an unknown key in a code", "codes", "sets.coil.codes.0.sytem", "CPT", "$.sets.coil.codes[0]", "sytem"),
        ("an unknown key in a payer", "payers", "payers.0.alias", "x", "$.payers[0]", "alias"),
        ("an unknown key in the wording", "card", "summaries.mett", "x", "$.summaries", "mett"),
        ("an unknown key in a case", "cases", "cases.0.expected", {}, "$.cases[0]", "expected"),
        ("a missing key", "policy", "procedure", ..., "$", "procedure"),
        ("a missing key in a fact", "policy", "facts.age.when_absent", ..., "$.facts.age", "when_absent"),
        ("a number as text", "policy", "criteria.0.test.at_least", "18", "$.criteria[0].test.at_least", "'18'"),
        ("a kind that does not exist", "policy", "facts.age.kind", "aeg", "$.facts.age.kind", "'aeg'"),
        (
            "a test of no fact",
            "policy",
            "criteria.0.test",
            UNKNOWN_FACT,
            "$.criteria[0].test.fact",
            "'height' is no fact; allowed are age, ",
        ),
        (
            "a test of no fact, deep down",
            "policy",
            "criteria.0.test",
            {"all": [AGE, {"not": UNKNOWN_FACT}]},
            "$.criteria[0].test.all[1].not.fact",
            "'height' is no fact",
        ),
        (
            "a hint of no fact",
            "policy",
            "criteria.0.hints",
            [{"fact": "height", "says": "x"}],
            "$.criteria[0].hints[0].fact",
            "'height' is no fact",
        ),
        (
            "a line for review of no fact",
            "policy",
            "for_review.0.fact",
            "height",
            "$.for_review[0].fact",
            "'height' is no fact",
        ),
        (
            "patient-view when of no fact",
            "policy",
            "patient_view.when.fact",
            "height",
            "$.patient_view.when.fact",
            "'height' is no fact",
        ),
        (
            "patient-view unless of no fact",
            "policy",
            "patient_view.unless.fact",
            "height",
            "$.patient_view.unless.fact",
            "'height' is no fact",
        ),
        (
            "a fact of no code set",
            "policy",
            "facts.weight-ratio.codes",
            "bmi",
            "$.facts.weight-ratio.codes",
            "'bmi' is no code set; allowed are coil, ",
        ),
        (
            "a site of no code set",
            "policy",
            "facts.exercise-of-the-knee.site",
            "hip",
            "$.facts.exercise-of-the-knee.site",
            "'hip' is no code set",
        ),
        (
            "a reason of no code set",
            "policy",
            "facts.exercise-for-pain.reason",
            "hip",
            "$.facts.exercise-for-pain.reason",
            "'hip' is no code set",
        ),
        (
            "an act of no code set",
            "policy",
            "orders.acts.0.codes",
            "coils",
            "$.orders.acts[0].codes",
            "'coils' is no code set",
        ),
        (
            "an order's site of no code set",
            "policy",
            "orders.site.here",
            "hip",
            "$.orders.site.here",
            "'hip' is no code set",
        ),
        (
            "an act whose code is not in its set",
            "policy",
            "orders.acts.0.code.code",
            "22222",
            "$.orders.acts[0].code",
            "22222 is not in the code set 'coil'",
        ),
        (
            "an act's code of no system",
            "policy",
            "orders.acts.0.code.system",
            "CTP",
            "$.orders.acts[0].code",
            "'CTP' is no system; allowed are CPT, ",
        ),
        (
            "a code of no system",
            "codes",
            "sets.coil.codes.0.system",
            "CTP",
            "$.sets.coil.codes[0].system",
            "'CTP' is no system; allowed are CPT, ",
        ),
        ("a code twice in its set", "codes", "sets.coil.codes.1", None, "$.sets.coil", "CPT 11111 stands twice"),
        (
            "a set that can match nothing",
            "codes",
            "sets.coil",
            {"title": "Empty", "codes": []},
            "$.sets.coil",
            "can match nothing",
        ),
        (
            "a verdict of no criterion",
            "policy",
            "verdicts.0.all.0",
            "height",
            "$.verdicts[0].all",
            "'height' is no criterion; allowed are adult, ",
        ),
        (
            "a payer's position of no criterion",
            "payers",
            "payers.0.position.covered_when_all.0",
            "height",
            "$.payers[0].position.covered_when_all",
            "'height' is no criterion",
        ),
        (
            "a criterion of no source",
            "policy",
            "criteria.0.sources.0.source",
            "rumour",
            "$.criteria[0].sources[0]",
            "'rumour' is no source; allowed are primer",
        ),
        (
            "evidence of no source",
            "policy",
            "evidence.0.source",
            "rumour",
            "$.evidence[0]",
            "'rumour' is no source; allowed are primer",
        ),
        ("a criterion's id twice", "policy", "criteria.1.id", "adult", "$.criteria", "'adult' stands twice"),
        ("an id unlike its folder", "policy", "id", "maximal", "$.id", "'maximal' but the folder is named 'minimal'"),
        (
            "a verdict of criteria and payer",
            "policy",
            "verdicts.0.payer",
            True,
            "$.verdicts[0]",
            "either 'all' (criteria) or 'payer'",
        ),
        (
            "a verdict of nothing",
            "policy",
            "verdicts.0.all",
            ...,
            "$.verdicts[0]",
            "either 'all' (criteria) or 'payer'",
        ),
        (
            "a fact that is compared with nothing",
            "policy",
            "criteria.0.test",
            {"fact": "age"},
            "$.criteria[0].test",
            "a comparison needs",
        ),
        (
            "a truth and a limit at once",
            "policy",
            "criteria.0.test.is",
            True,
            "$.criteria[0].test",
            "a comparison needs",
        ),
        (
            "two words at once",
            "policy",
            "criteria.0.test",
            {"all": [AGE], "any": [AGE]},
            "$.criteria[0].test",
            "one word at a time",
        ),
        (
            "a fact and a word at once",
            "policy",
            "criteria.0.test",
            {**AGE, "not": AGE},
            "$.criteria[0].test",
            "a comparison needs",
        ),
        ("a word over nothing", "policy", "criteria.0.test", {"all": []}, "$.criteria[0].test.all", "[]"),
        ("an agreement of one", "policy", "criteria.0.test", {"agree": [AGE]}, "$.criteria[0].test.agree", "too short"),
        (
            "a day that does not exist",
            "payers",
            "payers.0.seen_in_force",
            "2026-02-31",
            "$.payers[0].seen_in_force",
            "2026-02-31",
        ),
        (
            "a month that does not exist",
            "payers",
            "payers.0.in_force.from",
            "2026-13",
            "$.payers[0].in_force.from",
            "2026-13",
        ),
        ("a day of the cases that does not exist", "cases", "today", "2026-02-31", "$.today", "2026-02-31"),
        ("a range turned round", "policy", "facts.weight-ratio.range", [150, 5], "$.facts.weight-ratio.range", "150"),
        (
            "a number compared as yes or no",
            "policy",
            "criteria.0.test",
            {"fact": "age", "is": True},
            "$.criteria[0].test",
            "'at_least' and 'at_most'",
        ),
        (
            "yes or no compared as a number",
            "policy",
            "criteria.6.test.agree.1",
            {"fact": "infection", "at_most": 0},
            "$.criteria[6].test.agree[1]",
            "compared by 'is'",
        ),
        (
            "limits that nothing lies between",
            "policy",
            "criteria.3.test",
            {"fact": "function-score", "at_least": 60, "at_most": 21},
            "$.criteria[3].test",
            "nothing can ever meet it",
        ),
    ),
)
def test_a_fault_is_refused_with_file_and_place(folder, file, path, value, place, says):
    if value is None:
        value = read(folder, "codes")["sets"]["coil"]["codes"][0]
    changed(folder, file, path, value)
    problems = refusal(folder)
    assert any(problem.startswith(f"{folder / file}.json: {place}") and says in problem for problem in problems), (
        problems
    )


@pytest.mark.parametrize("file", ["policy", "codes", "card", "payers", "cases"])
def test_a_missing_file_is_named(folder, file):
    (folder / f"{file}.json").unlink()
    (problem,) = refusal(folder)
    assert problem.startswith(f"{folder / file}.json: the file is missing")


@pytest.mark.parametrize("file", ["policy", "codes", "card", "payers", "cases"])
def test_a_key_that_stands_twice_is_refused(folder, file):
    text = (folder / f"{file}.json").read_text(encoding="utf-8")
    (folder / f"{file}.json").write_text(text.replace("{", '{"twice": 1, "twice": 2, ', 1), encoding="utf-8")
    (problem,) = refusal(folder)
    assert problem.startswith(f"{folder / file}.json: ")
    assert "'twice' stands twice" in problem


def test_a_key_that_stands_twice_deep_down_is_refused(folder):
    text = (folder / "policy.json").read_text(encoding="utf-8")
    (folder / "policy.json").write_text(
        text.replace('"at_least": 18', '"at_least": 18, "at_least": 8', 1), encoding="utf-8"
    )
    (problem,) = refusal(folder)
    assert "'at_least' stands twice" in problem


def test_broken_json_is_named_with_line_and_column(folder):
    (folder / "card.json").write_text('{\n  "source": }', encoding="utf-8")
    (problem,) = refusal(folder)
    assert problem.startswith(f"{folder / 'card.json'}: line 2, column 13: ")


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe"])
def test_a_file_that_is_no_object_is_refused(folder, content):
    (folder / "payers.json").write_bytes(content)
    assert all(str(folder / "payers.json") in problem for problem in refusal(folder))


def test_all_faults_are_told_at_once(folder):
    changed(folder, "policy", "criteria.0.test.fact", "height")
    changed(folder, "policy", "verdicts.0.all.0", "tall")
    changed(folder, "codes", "sets.coil.codes.1.system", "HPC")
    assert len(refusal(folder)) == 3


# --- all policies together --------------------------------------------------------------------------------------------


def test_a_folder_of_policies_loads(folder):
    library = load_library(folder.parent, BASE)
    assert [policy.id for policy in library.policies] == ["minimal"]
    assert library.questionnaires(library.policies[0]) == {f"{BASE}/Questionnaire/minimal"}


def test_answers_to_another_edition_of_the_same_statement_count(folder):
    second = shutil.copytree(folder, folder.parent / "minimal-2")
    changed(second, "policy", "id", "minimal-2")
    changed(second, "policy", "edition", "2")
    changed(second, "policy", "effective.from", "2027")
    changed(folder, "policy", "effective.until", "2026")
    library = load_library(folder.parent, BASE)
    both = {f"{BASE}/Questionnaire/minimal", f"{BASE}/Questionnaire/minimal-2"}
    assert [library.questionnaires(policy) for policy in library.policies] == [both, both]


def test_answers_to_another_statement_do_not_count(folder):
    second = shutil.copytree(folder, folder.parent / "other")
    changed(second, "policy", "id", "other")
    changed(second, "policy", "statement", "elbow-humming")
    library = load_library(folder.parent, BASE)
    assert library.questionnaires(library.policy("minimal")) == {f"{BASE}/Questionnaire/minimal"}


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(PolicyError, match="no policy found"):
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
        ("silence that speaks against", {"fact": "surgery", "is": True}, False),
    ),
)
def test_a_policy_that_grants_anything_to_nobody_is_refused(folder, test, granted):
    changed(folder, "policy", "criteria.5.test", test)
    if granted:
        with pytest.raises(PolicyError, match="criterion 'can-hum' is met by an empty chart"):
            load_library(folder.parent, BASE)
    else:
        assert load_library(folder.parent, BASE).policies


def test_the_faults_of_all_policies_are_told_at_once(folder):
    second = shutil.copytree(folder, folder.parent / "other")
    changed(folder, "policy", "id", "wrong")
    (second / "card.json").unlink()
    with pytest.raises(PolicyError) as refused:
        load_library(folder.parent, BASE)
    assert len(refused.value.problems) == 2
