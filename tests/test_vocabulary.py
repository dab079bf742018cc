"""Every word of the policy language says what its table says, and every word has one."""

import json

import pytest

from cds_service.facts.vocabulary import VOCABULARY
from cds_service.policy.loading.tests import LIMITS
from tests.loading import schema
from tests.vocabulary import WORDS, differences, rows

SAID = {word.name for word in WORDS}
# Words that stand only beside another one, and are said with it.
BESIDE = {"fact", "then", "test", "where", "of", "kind", "title"}


@pytest.mark.parametrize(("word", "row"), [pytest.param(w, r, id=f"{w.name}: {r.says}") for w, r in rows()])
def test_a_word_says_what_its_table_says(word, row):
    assert differences(word, row) == ()


def test_every_kind_of_fact_has_its_table():
    kinds = schema("policy").schema["$defs"]["fact"]["properties"]["kind"]["enum"]
    assert set(kinds) <= SAID
    assert {name for name, kind in VOCABULARY.kinds.items() if kind.of_events is not None} <= SAID


def test_every_word_of_tests_has_its_table_or_stands_in_one():
    words = set(schema("policy").schema["$defs"]["test"]["properties"])
    shown = json.dumps([word.test for word in WORDS])
    assert {word for word in words if f'"{word}"' not in shown} == set()
    assert words - SAID - BESIDE - set(LIMITS) == set()


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.name)
def test_every_table_has_two_truths_at_least(word):
    assert len({row.truth for row in word.rows}) > 1


def test_every_part_of_the_policy_that_decides_has_its_table():
    parts = set(schema("policy").schema["properties"])
    told_elsewhere = {
        *("id", "statement", "edition", "title", "procedure", "effective", "review", "attributes", "sources", "orders"),
        *("patient_view", "facts", "criteria", "verdicts", "for_review", "information", "evidence"),
    }
    assert parts - told_elsewhere <= SAID
