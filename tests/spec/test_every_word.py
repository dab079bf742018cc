"""Every kind of fact and every word of tests has its file here, and nothing else has one."""

import json
from pathlib import Path

import pytest

import cds_service.facts
from cds_service.policy.loading.tests import LIMITS
from tests.loading import schema
from tests.spec.page import FILES, TITLES, module, printed, specified

# Words that stand only beside another one, and are said with it.
BESIDE = {"fact", "then", "test", "where"}
FACTS = Path(cds_service.facts.__file__).parent
PRINTED = {group: list(printed(group)) for group in TITLES}
SAID = {table.word for tables in PRINTED.values() for table in tables}
ALL = [table for tables in PRINTED.values() for table in tables]


@pytest.mark.parametrize("group", FILES)
def test_each_file_of_the_vocabulary_has_its_file_here_and_nothing_else_does(group):
    files = {path.stem for path in (FACTS / group).glob("*.py")} - {"__init__"}
    assert set(specified(group)) == set(FILES[group]) == files


@pytest.mark.parametrize(("group", "name"), [(group, name) for group, files in FILES.items() for name in files])
def test_a_file_shows_its_own_word(group, name):
    word = FILES[group][name]
    shown = f'"kind": "{word}"' if group == "kinds" else f'"{word}": '
    (first, *_) = module(group, name).TABLES
    assert shown in json.dumps([first.facts, first.test])


def test_every_word_of_the_schema_has_its_table_or_stands_in_one():
    words = set(schema("policy").schema["$defs"]["test"]["properties"])
    shown = json.dumps([table.test for table in ALL])
    assert {word for word in words if f'"{word}"' not in shown} == set()
    assert words - SAID - BESIDE - set(LIMITS) == set()


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.word)
def test_every_table_has_two_truths_at_least(table):
    assert len({row.truth for row in table.rows}) > 1


def test_every_member_of_a_criterion_that_decides_has_its_table():
    members = set(schema("policy").schema["properties"]["criteria"]["items"]["properties"])
    told_elsewhere = {
        *("id", "title", "fails_as", "test", "hints", "settled_by", "sources", "statement_text", "product_choice"),
        *("note", "next_review"),
    }
    assert members - told_elsewhere <= SAID


def test_every_part_of_the_policy_that_decides_has_its_table():
    parts = set(schema("policy").schema["properties"])
    told_elsewhere = {
        *("id", "statement", "edition", "title", "procedure", "effective", "review", "attributes", "sources", "orders"),
        *("patient_view", "facts", "criteria", "verdicts", "for_review", "information", "evidence"),
        *("status", "superseded_by"),
    }
    assert parts - told_elsewhere <= SAID
