"""A card in the narrow panel of an EHR: 380 px wide, at most 600 px high, without overflow, in every format."""

from collections.abc import Callable, Iterator, Mapping
from html import escape

import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Page

from cds_service.authoring import cases, lint
from cds_service.service import Answer
from tests.shipped import guide, library

WIDTH, HEIGHT = 380, 600
# Of each outcome the card with the most text is looked at, in each statement.
GFM, COMMONMARK = MarkdownIt("gfm-like", {"linkify": False}), MarkdownIt("commonmark")
RENDERED: Mapping[str, Callable[[str], str]] = {
    "gfm": GFM.render,
    "commonmark": COMMONMARK.render,
    "text": lambda detail: f"<pre>{escape(lint.plain(detail))}</pre>",
}
MEASURED = "() => [document.querySelector('main').getBoundingClientRect().height, document.documentElement.scrollWidth]"
PANEL = """<!doctype html><meta charset="utf-8"><style>
 body {{ margin: 0; width: {width}px; font: 14px/1.4 "DejaVu Sans", sans-serif; }}
 main {{ padding: 12px; overflow-wrap: break-word; }}
 h1 {{ font-size: 16px; margin: 0 0 6px; }} p, ul {{ margin: 0 0 8px; }} ul {{ padding-left: 20px; }}
 pre {{ font: inherit; white-space: pre-wrap; margin: 0; }}
</style><main><h1>{summary}</h1>{detail}</main>"""


def longest() -> dict[str, Answer]:
    """Statement and outcome -> the answer with the longest card of its cases."""
    found: dict[str, Answer] = {}
    for policy in library().policies:
        alone = cases.guide_of(policy, guide())
        for case in policy.cases["cases"]:
            for answer in cases.case_result(policy, case, alone).answers:
                name = f"{policy.phrases.topic} {answer.outcome.value}"
                if answer.card and _length(answer) > (_length(found[name]) if name in found else 0):
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
        panel.set_content(PANEL.format(width=WIDTH, summary=escape(card["summary"]), detail=shown))
        height, width = panel.evaluate(MEASURED)
        assert height <= HEIGHT, (name, height, card["summary"], detail)
        assert width <= WIDTH, (name, width)
