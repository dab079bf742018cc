"""The mutation test: makes every kind of mutation, which a case on each side notices, and reports the others."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cds_service.authoring.documents import Edit, edited
from cds_service.authoring.mutation_test import Trial, unnoticed
from cds_service.authoring.mutations import Mutation, mutations, steps_of
from cds_service.card.guidance import Addresses
from cds_service.errors import PolicyError
from cds_service.facts.vocabulary import VOCABULARY
from cds_service.library import Library
from cds_service.policy.loading.folder import Unchanged
from cds_service.service.guide import Guide
from tests.loading import policy_of
from tests.paired import paired

FOLDER = Path(__file__).parent / "policies" / "minimal"
BASE = "https://cds-service.example/fhir"
AGE = {"fact": "age", "at_least": 18}
HUMS = {"fact": "can-hum-attested", "is": True}
CLEAN = {"fact": "no-infection-attested", "is": True}
BLOCKS = {
    "kind": "events",
    "title": "Blocks",
    "item": "blocks",
    "noun": ["block", "blocks"],
    "when_absent": "unknown",
    "attributes": {"guided": {"kind": "answer", "title": "Guided", "item": "guided"}},
}
ADULT = {"title": "Adult", "value": 18, "source": "primer", "place": "page 1"}


def documents(*edits: Edit) -> dict[str, Any]:
    """The minimal policy with some of it replaced."""
    files = ("policy", "codes", "card", "payers", "cases")
    read = {name: json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in files}
    return edited(read, edits)


def with_test(test: Any, **more: Any) -> dict[str, Any]:
    """The minimal policy whose first criterion has that test; ``more`` are further members of policy.json."""
    members = {"parameters": {"adult": ADULT}, **more}
    return documents(
        Edit("policy", ("facts", "blocks"), BLOCKS),
        Edit("policy", ("criteria", 0, "test"), test),
        *(Edit("policy", (name,), value) for name, value in members.items()),
    )


def with_cases(given: dict[str, Any], *cases: dict[str, Any]) -> dict[str, Any]:
    listed = [
        {"name": f"case {number}", "chart": "plain", "orders": "coil", **case} for number, case in enumerate(cases)
    ]
    return {**given, "cases": {**given["cases"], "cases": listed}}


def mutations_of(given: dict[str, Any], *, phrases: bool = False) -> list[Mutation]:
    return mutations(given, policy_of(FOLDER, given), phrases=phrases)


def made(given: dict[str, Any], beginning: str) -> list[str]:
    """The mutations whose place begins so, as sentences."""
    return [str(mutation) for mutation in mutations_of(given) if str(mutation).startswith(beginning)]


def trial(given: dict[str, Any]) -> Trial:
    policy = policy_of(FOLDER, given)
    guide = Guide(Library((policy,), BASE), Addresses("http://127.0.0.1:8080", BASE), b"a key for tests only")
    return Trial(FOLDER, given, policy, guide, VOCABULARY)


def surviving(given: dict[str, Any], beginning: str) -> list[Mutation]:
    chosen = [mutation for mutation in mutations_of(given) if str(mutation).startswith(beginning)]
    return trial(given).survivors(chosen, lambda done: None)


@pytest.mark.parametrize(
    ("number", "moved"),
    [
        (6, (7, 5)),
        (0, (1, -1)),
        (0.5, (0.6, 0.4)),
        (0.25, (0.26, 0.24)),
        (6.0, (6.1, 5.9)),
        (1e21, (1e21 + 1, 1e21 - 1)),
    ],
)
def test_a_step_is_one_or_one_unit_of_the_last_digit(number, moved):
    assert steps_of(number) == moved


FIRST = "policy.json: $.criteria[0].test"
FLIPPED = ".is: true read as false"


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (AGE, [".at_least: 18 moved to 19", ".at_least: 18 moved to 17"]),
        ({"fact": "age", "more_than": 18}, [".more_than: 18 moved to 19", ".more_than: 18 moved to 17"]),
        (HUMS, [".is: true read as false"]),
        ({"not": {**HUMS, "is": False}}, [".not.is: false read as true"]),
        (
            {"all": [HUMS, CLEAN]},
            [": 'all' read as 'any'", ".all[0].is: true read as false", ".all[1].is: true read as false"],
        ),
        ({"any": [HUMS]}, [".any[0].is: true read as false"]),
        (
            {"agree": [HUMS, CLEAN]},
            [": 'agree' read as 'first'", ".agree[0].is: true read as false", ".agree[1].is: true read as false"],
        ),
        (
            {"of": [HUMS, CLEAN], "at_least": 1},
            [
                ".at_least: 1 moved to 2",
                ".at_least: 1 moved to 0",
                ".of[0].is: true read as false",
                ".of[1].is: true read as false",
            ],
        ),
        (
            {"test": HUMS, "waived_by": CLEAN},
            [".waived_by: removed", ".test.is: true read as false", ".waived_by.is: true read as false"],
        ),
        (
            {"test": HUMS, "voided_by": CLEAN},
            [".voided_by: removed", ".test.is: true read as false", ".voided_by.is: true read as false"],
        ),
        ({"if": HUMS, "then": CLEAN}, [".if: removed", ".if.is: true read as false", ".then.is: true read as false"]),
        (
            {"count": "blocks", "where": {"fact": "guided", "is": True}, "after": "surgery", "at_least": 2},
            [
                ".at_least: 2 moved to 3",
                ".at_least: 2 moved to 1",
                ".after: removed",
                ".where.is: true read as false",
            ],
        ),
        ({"fact": "age", "at_least": "$adult"}, []),
    ],
)
def test_each_word_of_a_test_has_its_mutations(test, expected):
    assert made(with_test(test), FIRST) == [FIRST + change for change in expected]


def test_what_is_removed_leaves_the_rest_of_the_test():
    for test, left in (
        ({"test": HUMS, "waived_by": CLEAN}, HUMS),
        ({"if": HUMS, "then": CLEAN}, CLEAN),
        ({"count": "blocks", "after": "surgery", "at_least": 2}, {"count": "blocks", "at_least": 2}),
    ):
        given = with_test(test)
        (removed,) = [
            mutation
            for mutation in mutations_of(given)
            if str(mutation).startswith(FIRST) and mutation.change == "removed"
        ]
        assert edited(given, removed.edits)["policy"]["criteria"][0]["test"] == left
        assert given["policy"]["criteria"][0]["test"] == test


def test_parameters_and_profiles_have_mutations_of_their_own():
    given = with_test(
        {"fact": "age", "at_least": "$adult"},
        profiles={
            "strict": {
                "title": "Strict",
                "source": "primer",
                "parameters": {"adult": 21},
                "replaces": {"pain": {"test": {"fact": "pain-score", "at_least": 7}}},
                "all": ["adult", "pain"],
                "next_review": "2027-01-01",
            }
        },
    )
    assert made(given, "policy.json: $.parameters") == [
        "policy.json: $.parameters.adult.value: 18 moved to 19",
        "policy.json: $.parameters.adult.value: 18 moved to 17",
    ]
    assert made(given, "policy.json: $.profiles") == [
        "policy.json: $.profiles.strict.replaces.pain.test.at_least: 7 moved to 8",
        "policy.json: $.profiles.strict.replaces.pain.test.at_least: 7 moved to 6",
        "policy.json: $.profiles.strict.parameters.adult: 21 moved to 22",
        "policy.json: $.profiles.strict.parameters.adult: 21 moved to 20",
        "policy.json: $.profiles.strict.all[0]: 'adult' dropped from the profile 'strict'",
        "policy.json: $.profiles.strict.all[1]: 'pain' dropped from the profile 'strict'",
    ]
    (up, _) = [mutation for mutation in mutations_of(given) if mutation.steps == ("parameters", "adult", "value")]
    assert up.advice == "no case has a value between 18 and 19: add one with 'age' 18 (born 2008-03-15), which passes"
    assert up.reach.criteria == {"adult"}


def test_tests_of_verdicts_pathways_scope_and_view_have_mutations():
    verdicts = [{"id": "labeled", "title": "Label", "all": ["adult"], "applies_unless": CLEAN}]
    given = with_test(
        AGE,
        verdicts=verdicts,
        pathways=[{"id": "open", "title": "Open", "when": HUMS, "says": "open"}],
        scope={"name": "joint", "parts": [{"id": "right", "label": "right", "codes": "knee", "when": HUMS}]},
    )
    said = {"summary": "Humming.", "lines": ["Humming."]}
    given["card"] = given["card"] | {"ask_scope": said, "pathways": {"open": said}, "no_label": "no label"}
    found = [str(mutation) for mutation in mutations_of(given)]
    for place in (
        "$.verdicts[0].applies_unless.is",
        "$.pathways[0].when.is",
        "$.scope.parts[0].when.is",
        "$.patient_view.unless.is",
    ):
        assert f"policy.json: {place}: true read as false" in found


def test_look_backs_have_mutations_and_ranges_and_units_have_none():
    assert made(documents(), "policy.json: $.facts.weight-ratio") == [
        "policy.json: $.facts.weight-ratio.look_back_days: 365 moved to 366",
        "policy.json: $.facts.weight-ratio.look_back_days: 365 moved to 364",
    ]
    assert made(documents(), "policy.json: $.facts.pain-onset") == [
        "policy.json: $.facts.pain-onset.answer_look_back_days: 180 moved to 181",
        "policy.json: $.facts.pain-onset.answer_look_back_days: 180 moved to 179",
    ]


def test_each_code_that_is_read_has_a_mutation_and_phrases_only_where_asked_for():
    given = documents(
        Edit("codes", ("sets", "related"), documents()["codes"]["sets"]["coil"] | {"title": "Decides nothing"})
    )
    found = made(given, "codes.json")
    assert "codes.json: $.sets.knee.codes[3]: ICD-10-CM|M17- dropped" in found
    assert "codes.json: $.sets.coil.codes[1]: HCPCS|C1111 dropped" in found
    assert not [mutation for mutation in found if "related" in mutation]
    phrase = "codes.json: $.sets.exercise.text[0]: 'knee exercise' dropped"
    assert phrase not in found
    assert phrase in [str(mutation) for mutation in mutations_of(given, phrases=True)]


def test_members_of_verdicts_and_payers_have_mutations():
    assert "policy.json: $.verdicts[1].all[2]: 'function' dropped from the verdict 'studied'" in made(documents(), "")
    dropped = "payers.json: $.payers[0].position.covered_when_all[1]: 'can-hum' dropped from the position of"
    assert made(documents(), dropped) == [f"{dropped} 'Example Mutual'"]


def test_an_alias_becomes_a_finding_of_its_own_that_is_counted_twice():
    fact = {"kind": "answer", "title": "Can hum", "item": "can-hum", "aliases": ["can-sing"], "when_absent": "unknown"}
    given = edited(
        with_test({"of": [HUMS, CLEAN], "at_least": 2}), (Edit("policy", ("facts", "can-hum-attested"), fact),)
    )
    (mutation,) = [mutation for mutation in mutations_of(given) if "aliases" in str(mutation)]
    assert str(mutation) == (
        "policy.json: $.facts.can-hum-attested.aliases[0]: 'can-sing' counted as a finding of its own"
    )
    policy = edited(given, mutation.edits)["policy"]
    assert policy["facts"]["can-hum-attested"]["aliases"] == []
    assert policy["facts"]["can-hum-attested-can-sing"]["item"] == "can-sing"
    assert policy["criteria"][0]["test"]["of"] == [HUMS, CLEAN, {"fact": "can-hum-attested-can-sing", "is": True}]
    alone = edited(with_test(HUMS), (Edit("policy", ("facts", "can-hum-attested"), fact),))
    assert made(alone, "policy.json: $.facts.can-hum-attested.aliases") == [
        "policy.json: $.facts.can-hum-attested.aliases[0]: 'can-sing' dropped"
    ]


def born(day: str, truth: str) -> dict[str, Any]:
    return {"change": {"person": {"born": day}}, "expect": {"criteria": {"adult": truth}}}


def test_a_limit_with_cases_on_both_sides_is_noticed():
    given = with_cases(documents(), born("2008-03-15", "met"), born("2009-03-14", "not-met"))
    assert surviving(given, FIRST) == []


def test_the_one_missing_case_is_reported_with_what_to_add():
    given = with_cases(documents(), born("2008-03-15", "met"), born("2010-01-01", "not-met"))
    survivors = surviving(given, FIRST)
    assert [str(mutation) for mutation in survivors] == ["policy.json: $.criteria[0].test.at_least: 18 moved to 17"]
    (problem,) = unnoticed(survivors, given)
    assert problem.place == "policy.json: $.criteria[0].test.at_least"
    assert problem.says == (
        "18 moved to 17, and no case notices: "
        "no case has a value between 17 and 18: add one with 'age' 17 (born 2009-03-15), which fails"
    )


def humming(truth: str, **answers: bool) -> dict[str, Any]:
    given = {name.replace("_", "-"): value for name, value in answers.items()}
    return {
        "change": {"form": {"answers": given, "date": "2026-03-01"}},
        "expect": {"criteria": {"adult": truth}},
    }


@pytest.mark.parametrize(
    ("test", "cases", "unseen"),
    [
        ({"all": [HUMS, CLEAN]}, [humming("met", can_hum=True, no_infection=True)], [": 'all' read as 'any'"]),
        ({"all": [HUMS, CLEAN]}, [humming("not-met", can_hum=True, no_infection=False)], [".all[0]" + FLIPPED]),
        (
            {"any": [HUMS, CLEAN]},
            [humming("met", can_hum=True, no_infection=True)],
            [": 'any' read as 'all'", ".any[0]" + FLIPPED, ".any[1]" + FLIPPED],
        ),
        ({"agree": [HUMS, CLEAN]}, [humming("met", can_hum=True, no_infection=True)], [": 'agree' read as 'first'"]),
        ({"agree": [HUMS, CLEAN]}, [humming("unknown", can_hum=True, no_infection=False)], []),
        (HUMS, [humming("met", can_hum=True)], []),
        (HUMS, [humming("unknown")], [FLIPPED]),
    ],
)
def test_a_mutation_is_noticed_where_a_case_turns_on_it(test, cases, unseen):
    found = [str(mutation).removeprefix(FIRST) for mutation in surviving(with_cases(with_test(test), *cases), FIRST)]
    assert found == unseen


def test_a_verdict_without_one_of_its_criteria_is_noticed_by_a_case_of_that_verdict():
    case = {
        "change": {"form": {"answers": {"can-hum": False}, "date": "2026-03-01"}},
        "expect": {"verdicts": {"labeled": "not-met"}},
    }
    left = [str(mutation) for mutation in surviving(with_cases(documents(), case), "policy.json: $.verdicts[0]")]
    assert "policy.json: $.verdicts[0].all[2]: 'can-hum' dropped from the verdict 'labeled'" not in left
    assert "policy.json: $.verdicts[0].all[0]: 'adult' dropped from the verdict 'labeled'" in left


def test_a_code_is_noticed_by_a_case_that_holds_it_however_it_is_written():
    infected = {"expect": {"criteria": {"no-infection": "not-met"}}}
    for code, left in (("M00.861", 1), ("M00861", 1), ("M01.X0", 1), ("M17.0", 2)):
        case = {**infected, "change": {"i": {"condition": f"ICD-10-CM|{code}"}}}
        if code == "M17.0":
            case["expect"] = {"criteria": {"no-infection": "unknown"}}
        assert len(surviving(with_cases(documents(), case), "codes.json: $.sets.infection")) == left


def test_codes_of_one_set_are_reported_together_with_the_table_to_add():
    case = {"expect": {"criteria": {"no-infection": "unknown"}}}
    given = with_cases(documents(), case)
    (problem,) = unnoticed(surviving(given, "codes.json: $.sets.infection"), given)
    assert problem.place == "codes.json: $.sets.infection.codes"
    assert '"for_each": ["ICD-10-CM|M00-", "ICD-10-CM|M01.X0"]' in problem.says
    assert "a code that begins so" in problem.says


def test_what_the_loader_refuses_is_noticed():
    given = with_cases(documents(), {"expect": {"cards": 1}})
    assert surviving(given, "codes.json: $.sets.coil.codes[0]") == []


def test_a_helping_process_finds_what_one_alone_finds():
    given = with_cases(documents(), born("2008-03-15", "met"))
    every = mutations_of(given)
    assert len(every) >= 50
    held = trial(given)
    told: list[int] = []
    together = held.survivors(every, told.append)
    assert together == [mutation for mutation in every if not held.notices(mutation)]
    assert told == sorted(told)


@pytest.mark.parametrize(
    "given",
    [documents(), edited(paired(), (Edit("policy", ("id",), FOLDER.name),))],
    ids=["minimal", "paired"],
)
def test_what_a_mutation_leaves_unchanged_need_not_be_read_again(given):
    tried, kept = trial(given), set()
    for mutation in mutations_of(given):
        mutated = edited(given, mutation.edits)
        unchanged = tried.unchanged(mutated)
        assert outcome(mutated, unchanged) == outcome(mutated, Unchanged())
        kept.add(len(unchanged.facts))
    assert min(kept) < max(kept) == len(tried.policy.facts)


def outcome(given: dict[str, Any], unchanged: Unchanged) -> str:
    """The policy in full, without addresses in memory, or why it is refused."""
    try:
        return re.sub("0x[0-9a-f]+", "", repr(policy_of(FOLDER, given, unchanged)))
    except PolicyError as refusal:
        return repr(refusal.problems)
