"""Each rule for cards can fail: a good card, broken in one way at a time."""

import copy

import pytest

from cds_service.authoring import lint
from tests.shipped import answers, example


@pytest.fixture
def card() -> dict:
    (answer,) = answers(example("all-met"))
    return copy.deepcopy(answer.card)


def test_a_good_card_has_no_problem(card):
    assert list(lint.problems(card)) == []


def suggested(card: dict, index: int = -1) -> dict:
    return card["suggestions"][index]["actions"][0]


BROKEN = [
    ("summary too long", lambda c: c.update(summary="All met " + "x" * 100), "characters"),
    ("outcome comes late", lambda c: c.update(summary="About this order of Dr. Example there: met"), "first 6 words"),
    ("too many words first", lambda c: c.update(detail="word " * 41 + "\n\n" + c["detail"]), "before the first table"),
    ("a directive", lambda c: c.update(detail=c["detail"] + " You should order it."), "'should'"),
    ("a judgement", lambda c: c.update(detail=c["detail"] + " It is indicated."), "'indicated'"),
    ("a promise", lambda c: c.update(summary="Label met, approved"), "'approved'"),
    ("met rows first", lambda c: c.update(detail="x\n\n| a | b |\n|---|---|\n| Met: x | y |\n| **Not met:** z | y |"),
     "action first"),
    ("critical", lambda c: c.update(indicator="critical"), "indicator"),
    ("no selectionBehavior", lambda c: c.pop("selectionBehavior"), "selectionBehavior"),
    ("no override reasons", lambda c: c.pop("overrideReasons"), "override reasons"),
    ("a delete", lambda c: suggested(c).update(type="delete"), "create or an update"),
    ("a display on a code", lambda c: suggested(c)["resource"]["code"]["coding"][0].update(display="x"), "display"),
    ("an active companion", lambda c: suggested(c)["resource"].update(status="active"), "draft"),
    ("an empty member", lambda c: c["source"].update(icon=""), "leave it out"),
]  # fmt: skip


@pytest.mark.parametrize(("remark", "change", "words"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_broken_card_is_named(card, remark, change, words):
    change(card)
    assert any(words in problem for problem in lint.problems(card))
