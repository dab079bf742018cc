"""Each rule for cards can fail: a good card, broken in one way at a time."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest

from cds_service.authoring import lint
from cds_service.card.outcomes import Outcome
from cds_service.examples import examples
from cds_service.fhir.elements import Json
from cds_service.service.statement import Answer
from cds_service.settings.settings import data_folder
from tests.shipped import answers, example

FOOTER = "*Sham-controlled"


@pytest.fixture
def card() -> Json:
    return copied(answered("all-met")).card


def answered(name: str) -> Answer:
    (answer,) = answers(example(name))
    return answer


def copied(answer: Answer) -> Answer:
    return replace(answer, card=copy.deepcopy(answer.card))


def suggested(card: Json, index: int = -1) -> Json:
    return card["suggestions"][index]["actions"][0]


def said(more: str) -> Callable[[Json], None]:
    """Puts a line in front of the footer."""
    return lambda card: card.update(detail=card["detail"].replace(FOOTER, f"{more}\n\n{FOOTER}"))


def behind(more: str) -> Callable[[Json], None]:
    """Puts a line behind the footer, where what is not part of the card's own words belongs."""
    return lambda card: card.update(detail=f"{card['detail']}\n\n{more}")


BROKEN = [
    ("a summary too long", lambda c: c.update(summary="All met " + "x" * 100), "the summary has 108 characters"),
    ("a sentence as summary", lambda c: c.update(summary="All criteria met."), "ends with a period"),
    ("too many words", said("\n\n".join(["so many words of it"] * 30)), "words, at most 120"),
    ("too many lines", said("\n".join(["**Word:** said  "] * 8)), "lines, at most 8"),
    ("a line too long", said("again " * 31), "a line has 31 words"),
    ("a table", behind("| a | b |\n|---|---|\n| c | d |"), "a table, a heading, HTML or a link ('|')"),
    ("a heading", behind("# Met"), "a table, a heading, HTML or a link ('#')"),
    ("HTML", behind("<b>Met</b>"), "a table, a heading, HTML or a link ('<b')"),
    ("a link", behind("[here](https://example.org)"), "a table, a heading, HTML or a link"),
    ("no lead", lambda c: c.update(detail="and so on"), "does not begin with its lead"),
    (
        "a lead too long",
        lambda c: c.update(detail="**Attach:** " + "a note, " * 22 + "  \n" + "one more, " * 25 + c["detail"]),
        "summary and lead have",
    ),
    ("struck out where it is known", behind("~~Met~~"), "it reads otherwise in a client that knows no tables"),
    ("a mark left over", said("**Met in chart: *age 48"), "a * or | is left over"),
    ("a directive", said("You should order it."), "'should'"),
    ("another directive", said("It must be ordered."), "'must'"),
    ("a judgment", said("It is indicated."), "'indicated'"),
    ("a promise in the summary", lambda c: c.update(summary="FDA label met, approved"), "'approved'"),
    ("a word of the old cards", said("3 criteria undocumented."), "'undocumented' must not be used"),
    ("British spelling", said("Tumour of the spine."), "'Tumour'"),
    ("a word in a reason", lambda c: c["overrideReasons"][0].update(display="Not recommended"), "'recommended'"),
    ("an ISO date", said("Pain since 2023-02-01."), "a date is not in US order: '2023-02-01'"),
    ("a space before %", said("57 % of them."), "there is a space before %: '7 %'"),
    ("v without its s", said("57% v 47%."), "vs. has a period and an s"),
    ("a dash", said("Met \N{EN DASH} all of it."), "a dash is used as punctuation"),
    ("critical", lambda c: c.update(indicator="critical"), "the indicator is 'critical'"),
    ("no selectionBehavior", lambda c: c.pop("selectionBehavior"), "selectionBehavior goes with suggestions"),
    ("no suggestions for it", lambda c: c.pop("suggestions"), "selectionBehavior goes with suggestions"),
    ("another verb", lambda c: c["suggestions"][0].update(label="Bill CPT 64555"), "is not 'Add', object and code"),
    ("a long suggestion", lambda c: c["suggestions"][0].update(label="Add " + "x" * 57), "or too long"),
    ("no override reasons", lambda c: c.pop("overrideReasons"), "there are 0 override reasons"),
    ("too many links", lambda c: c.update(links=c["links"] * 3), "there are 3 links, at most 2"),
    ("a delete", lambda c: suggested(c).update(type="delete"), "create or an update"),
    ("an action without words", lambda c: suggested(c).pop("description"), "have a description"),
    ("a display on a code", lambda c: suggested(c)["resource"]["code"]["coding"][0].update(display="x"), "display"),
    ("an active companion", lambda c: suggested(c)["resource"].update(status="active"), "draft"),
    ("an empty member", lambda c: c["source"].update(icon=""), "card.source.icon is empty; leave it out"),
]  # fmt: skip


def test_a_good_card_has_no_problem(card):
    assert list(lint.problems(card)) == []


@pytest.mark.parametrize(("remark", "change", "words"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_broken_card_is_named(card, remark, change, words):
    change(card)
    found = list(lint.problems(card))
    assert any(words in problem for problem in found), found


def in_text(*pairs: tuple[str, str]) -> Callable[[Json], None]:
    """Replaces words wherever they are in summary and detail; they must be somewhere."""

    def change(card: Json) -> None:
        for old, new in pairs:
            assert old in card["summary"] + card["detail"]
            card.update(summary=card["summary"].replace(old, new), detail=card["detail"].replace(old, new))

    return change


DISHONEST = [
    ("all-met", "another topic", lambda c: c["source"]["topic"].update(code="restorativeNeurostimulationGaps"),
     "the topic 'restorativeNeurostimulationGaps' is not that of the outcome 'met'"),
    ("off-label-age-20", "codes where there are none", lambda c: c.update(suggestions=[], selectionBehavior="any") or
     c["suggestions"].append({"label": "Add CPT 64555", "actions": []}),
     "codes are suggested on the outcome 'off-label'"),
    ("typical-gaps", "no disclaimer", in_text((lint.DISCLAIMER, "")), "does not say 'Not a coverage decision.'"),
    ("all-met", "an attestation kept back", in_text(("attest", "record")), "is met by attestation alone"),
    ("infection-red-flag", "an urgent record kept back", in_text(("infection", "thing"), ("discitis", "thing")),
     "is not named"),
    ("off-label-age-20", "what fails kept back", in_text(("age 20", "a number")), "the criterion 'age' fails"),
    ("typical-gaps", "another number of gaps", in_text(("6 of 8", "5 of 8")), "counts 5 gaps, and there are 6"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "remark", "change", "words"), DISHONEST, ids=[row[1] for row in DISHONEST])
def test_a_dishonest_card_is_named(name, remark, change, words):
    answer = copied(answered(name))
    assert list(lint.of_answer(answer)) == []
    change(answer.card)
    found = list(lint.of_answer(answer))
    assert any(words in problem for problem in found), found


def test_what_was_not_received_must_be_said():
    request = copy.deepcopy(example("typical-gaps"))
    del request["prefetch"]["procedure"]
    (answer,) = map(copied, answers(request))
    assert answer.outcome is Outcome.NOT_READ
    assert list(lint.of_answer(answer)) == []
    in_text(("ot received", "ot here"), ("not checked", "open"))(answer.card)
    assert any("could not be checked" in problem for problem in lint.of_answer(answer))


def test_silence_has_no_problem():
    assert list(lint.of_answer(replace(answered("all-met"), card=None))) == []


@pytest.mark.parametrize("name", sorted(examples(data_folder("fhir_examples"))))
def test_every_card_of_every_example_is_sound(name):
    for answer in answers(example(name)):
        assert list(lint.of_answer(answer)) == []
