"""The marks themselves: a marked call still means what it meant, and every text of it carries a mark."""

import json

import pytest

from cds_service.examples import examples
from cds_service.settings.settings import data_folder
from cds_service.web import outcomes
from tests.canaries import DATED, IDENTITIES, MARK, Planted, feedback, found_below, found_in, is_kept
from tests.shipped import answers, example

EXAMPLES = sorted(examples(data_folder("fhir_examples")))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_marked_call_comes_out_as_it_did(name):
    request = example(name)
    plain, marked = answers(request), answers(Planted(request).request)
    assert [outcomes.of_answer(answer) for answer in marked] == [outcomes.of_answer(answer) for answer in plain]
    assert [outcomes.unknowns(answer) for answer in marked] == [outcomes.unknowns(answer) for answer in plain]


def unmarked(value, name="", within=""):
    if isinstance(value, dict):
        return {text for key, item in value.items() for text in unmarked(item, key, name)}
    if isinstance(value, list):
        return {text for item in value for text in unmarked(item, name, within)}
    if isinstance(value, str) and not (is_kept(name, within) or MARK in value or DATED.fullmatch(value)):
        return {(within, name, value)}
    return set()


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_text_that_a_call_can_do_without_carries_a_mark(name):
    assert unmarked(Planted(example(name)).request) == set()
    assert unmarked(example(name)) != set()


def test_no_mark_is_used_for_two_texts_that_are_not_one_identity():
    planted = Planted(example("typical-gaps"))
    text = json.dumps(planted.request)
    assert found_in(text) == set(planted.marks)
    assert len(planted.marks) > 50
    assert {"id", "reference"} <= IDENTITIES


def test_the_search_finds_a_mark_in_a_file_a_name_and_whatever_its_case(tmp_path):
    planted = Planted({"hook": "order-sign"})
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(b"\x00" + planted.marks[0].upper().encode() + b"\xff")
    (tmp_path / planted.marks[1]).write_bytes(b"")
    (tmp_path / "clean").write_bytes(b"nothing")
    found = found_below([tmp_path])
    assert sorted(path.rsplit("/", 1)[1] for path in found) == [planted.marks[1], "a"]
    assert found_in(json.dumps(feedback(planted)))
