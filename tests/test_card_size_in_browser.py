"""A card in the narrow panel of an EHR: 380 px wide, at most 600 px high, without overflow, in every format."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from cds_service.service.statement import Answer
from tests.case_cards import case_cards
from tests.panels import HEIGHT, RENDERED, WIDTH
from tests.panels import panel as page_of
from tests.shipped import library

# Of each outcome the card with the most text is looked at, in each statement.
MEASURED = "() => [document.querySelector('main').getBoundingClientRect().height, document.documentElement.scrollWidth]"


def longest() -> dict[str, Answer]:
    """Statement and outcome -> the answer with the longest card of its cases."""
    found: dict[str, Answer] = {}
    for policy in library().policies:
        for _, answer in case_cards(policy.id):
            name = f"{policy.phrases.topic} {answer.outcome.value}"
            if _length(answer) > (_length(found[name]) if name in found else 0):
                found[name] = answer
    return found


def _length(answer: Answer) -> int:
    return len((answer.card or {}).get("detail", ""))


@pytest.fixture(scope="module")
def cards() -> dict[str, Answer]:
    return longest()


@pytest.fixture
def panel(chromium: Browser) -> Iterator[Page]:
    opened = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    yield opened
    opened.close()


@pytest.mark.parametrize("render", RENDERED)
def test_no_card_is_higher_than_600_px_or_wider_than_its_panel(panel, cards, render):
    assert len(cards) >= 15
    for name, answer in cards.items():
        card = answer.card or {}
        detail = card.get("detail", "")
        shown = RENDERED[render](detail)
        panel.set_content(page_of(card["summary"], shown))
        height, width = panel.evaluate(MEASURED)
        assert height <= HEIGHT, (name, height, card["summary"], detail)
        assert width <= WIDTH, (name, width)
