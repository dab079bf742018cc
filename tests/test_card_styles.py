"""The detail of a card in each format and with each kind of date that a client may ask for."""

import re
from dataclasses import replace

import pytest

from cds_service.card.style import HTML, ISO, MARKDOWN, TEXT, US, Style
from cds_service.hooks import hook_request
from cds_service.service.hook_call import answer
from cds_service.service.statement import Answer
from cds_service.trust.entries import DATES, DETAIL_FORMATS
from tests.shipped import TODAY, example, guide

STORIES = ("typical-gaps", "all-met", "joint-both-sides", "infection-red-flag", "conflicting-data", "bare-code-asks")


def answered(name: str, style: Style) -> list[Answer]:
    request = example(name)
    called = hook_request.parse(f"coverage-guidance-{request['hook']}", request)
    return answer(called, replace(guide(), style=style), TODAY)


def detail(name: str, style: Style) -> str:
    (found,) = answered(name, style)
    assert found.card is not None
    return str(found.card["detail"])


def words(text: str) -> list[str]:
    """The words of a detail without the marks of its format."""
    plain = re.sub(r"<[^>]+>|\*\*|^- |(?<!\w)\*|\*(?!\w)|\\", " ", text, flags=re.MULTILINE)
    return plain.replace("&#x27;", "'").split()


def test_a_client_may_ask_for_what_cards_can_be_written_in():
    assert DETAIL_FORMATS == (MARKDOWN, TEXT, HTML)
    assert DATES == (US, ISO)


@pytest.mark.parametrize("name", STORIES)
def test_every_format_says_the_same_words(name):
    said = [words(detail(name, Style(detail_format=kind))) for kind in DETAIL_FORMATS]
    assert said[0] == said[1] == said[2]


@pytest.mark.parametrize("name", STORIES)
def test_text_has_no_marks(name):
    assert not set("*\\<>|#") & set(detail(name, Style(detail_format=TEXT)))


@pytest.mark.parametrize("name", STORIES)
def test_html_has_five_elements_alone_and_each_is_closed(name):
    html = detail(name, Style(detail_format=HTML))
    opened = re.findall(r"<(\w+)>", html)
    assert set(opened) <= {"p", "ul", "li", "strong", "em"}
    assert sorted(opened) == sorted(re.findall(r"</(\w+)>", html))
    assert html.count("<") == 2 * len(opened)


@pytest.mark.parametrize("name", ["typical-gaps", "all-met"])
def test_dates_are_in_us_order_unless_a_client_wants_them_as_fhir_writes_them(name):
    us, iso = detail(name, Style()), detail(name, Style(dates=ISO))
    assert re.search(r"\b\d\d/\d\d/\d{4}\b", us)
    assert not re.search(r"\b\d{4}-\d\d", us)
    assert re.search(r"\b\d{4}-\d\d-\d\d\b", iso)
    assert not re.search(r"\b\d\d/\d\d/\d{4}\b", iso)


def test_the_format_of_a_card_does_not_change_its_id():
    styles = [Style(kind, dates) for kind in DETAIL_FORMATS for dates in DATES]
    cards = [found.card for style in styles for found in answered("typical-gaps", style)]
    assert len({card["uuid"] for card in cards if card}) == 1
