"""The evidence page in a real browser: opened from a card, once, read by everybody, cleared after use, and printed."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import requests

from cds_service.app import create_app
from cds_service.card.words.rest import EVIDENCE_LINK
from cds_service.installation import installation_of
from cds_service.settings.settings import Settings
from tests.browser import (
    PANEL_LOOKS,
    PANEL_LOOKS_IN_BOTH_THEMES,
    Faults,
    Look,
    accessible,
    fits,
    in_every_look,
    listening,
    opened,
)
from tests.shipped import TODAY, example, library

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIGN = "/cds-services/coverage-guidance-order-sign"
STORIES = ("typical-gaps", "joint-typical-gaps")
HOSTILE = '"><script>document.title = 1</script><img src=x onerror="document.title = 2">'


class Service(NamedTuple):
    """A service whose cards link to its own address."""

    address: str

    def link(self, name: str, request: Any = None) -> str:
        """The link on the card of an example's call."""
        answer = requests.post(self.address + SIGN, json=request or example(name), timeout=60).json()
        return next(item["url"] for item in answer["cards"][0]["links"] if item["label"] == EVIDENCE_LINK)


@contextmanager
def serving(state: Path) -> Iterator[Service]:
    settings = Settings(state=state)
    apps: list[Callable] = []

    def served(environ: dict, start: Callable) -> Iterable[bytes]:
        return apps[0](environ, start)

    # The address is known once it listens, and is in every link.
    with (
        closing(installation_of(settings, library(), only_this_machine=True)) as installation,
        listening(served) as address,
    ):
        apps.append(create_app(settings, library(), address, lambda: TODAY, installation))
        yield Service(address)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("evidence")) as made:
        yield made


def open_page(page: "Page", link: str) -> None:
    """Opens a link and waits for what it shows."""
    page.goto(link)
    page.locator("main.evidence").wait_for()


@pytest.mark.parametrize("name", ["typical-gaps", "conflicting-data"])
def test_the_page_has_no_barrier_and_does_not_scroll_sideways(page, service, name):
    open_page(page, service.link(name))
    page.evaluate("document.querySelectorAll('details').forEach(closed => { closed.open = true; })")

    def sound(look: Look) -> None:
        fits(page)
        accessible(page, structure=look.scheme == "light")

    in_every_look(page, PANEL_LOOKS_IN_BOTH_THEMES, sound)


@pytest.mark.parametrize("path", ["/evidence/AAAAAAAAAAAAAAAAAAAAAA", None])
def test_a_page_that_is_not_shown_says_so_without_a_barrier(page, faults, service, path):
    if path is None:
        page.goto(service.link("typical-gaps").partition("#")[0])
        page.get_by_text("This page is not available").wait_for()
    else:
        page.goto(service.address + path)
    assert "Open it again from the card in the chart" in page.locator("main").inner_text()
    accessible(page)
    faults.expect("404")


@pytest.mark.parametrize("look", PANEL_LOOKS, ids=str)
def test_a_clinician_opens_the_page_from_the_card_in_the_workbench(page, service, look):
    page.goto(f"{service.address}/#typical-gaps")
    page.locator("#cards > .moment").filter(has_text="When the chart was opened").wait_for()
    page.locator("#sign").click()
    card = page.locator("#cards > .moment").filter(has_text="When the orders were signed")
    with page.expect_popup() as beside:
        card.get_by_role("link", name=EVIDENCE_LINK).click()
    shown = beside.value
    shown.locator("main.evidence").wait_for()
    assert shown.locator("h1").inner_text() == card.locator("h4").inner_text()
    assert "Example Mutual" in shown.locator("header").inner_text()


def test_the_key_leaves_the_address_bar_and_the_title_says_nothing(page, service):
    link = service.link("typical-gaps")
    open_page(page, link)
    assert page.url == link.partition("#")[0]
    assert page.title() == "Evidence"
    assert page.evaluate("history.length") <= 2


def test_a_second_browser_is_asked_to_open_it_again(page, service, chromium: "Browser"):
    link = service.link("typical-gaps")
    open_page(page, link)
    others = Faults()
    with opened(chromium, Look(), others) as second:
        second.goto(link)
        second.get_by_role("heading", name="Open it again from the chart").wait_for()
        assert "Example Mutual" not in second.content()
        accessible(second)
    others.expect("403")
    assert others.seen == []
    # The first may read on, and open it again by the same card.
    open_page(page, link)


def test_after_five_minutes_without_use_the_page_is_blank(page, service):
    page.clock.install()
    open_page(page, service.link("typical-gaps"))
    page.clock.fast_forward(4 * 60_000)
    # A key that scrolls would be followed by signs of use whenever the browser comes to draw.
    page.keyboard.press("Shift")
    page.clock.fast_forward(4 * 60_000)
    assert page.locator("main.evidence").is_visible()
    page.clock.fast_forward(70_000)
    page.get_by_role("heading", name="Closed").wait_for()
    assert "Example Mutual" not in page.content()
    assert "Open it again from the card in the chart" in page.locator("main").inner_text()
    accessible(page)


def test_going_back_to_the_page_shows_nothing_of_it(page, faults, service):
    open_page(page, service.link("typical-gaps"))
    page.goto(f"{service.address}/policies")
    page.go_back()
    page.locator("main.evidence-message").get_by_text("Open it again from the card in the chart").wait_for()
    assert "Example Mutual" not in page.content()
    # Asked for again, it has no key anymore.
    faults.seen[:] = [fault for fault in faults.seen if "404" not in fault]


def test_hostile_words_of_a_chart_run_nothing(page, service):
    request = example("typical-gaps")
    for value in request["prefetch"].values():
        for entry in (value or {}).get("entry", ()):
            if entry["resource"]["resourceType"] == "MedicationStatement":
                entry["resource"]["medicationCodeableConcept"]["text"] += f" {HOSTILE}"
    open_page(page, service.link("typical-gaps", request))
    assert page.locator("main script, main img").count() == 0
    assert page.title() == "Evidence"
    assert "<script>" in page.locator("main").inner_text()


FOCUSABLE = "a[href], summary, button"


@pytest.mark.parametrize("look", PANEL_LOOKS, ids=str)
def test_the_keyboard_reaches_every_part_that_opens(page, service, look):
    open_page(page, service.link("typical-gaps"))
    assert page.evaluate("document.activeElement.tagName") == "H1"
    for stop in range(6):
        page.keyboard.press("Tab")
        at = f"[...document.querySelectorAll('{FOCUSABLE}')].indexOf(document.activeElement)"
        assert page.evaluate(at) == stop
    page.keyboard.press("Enter")
    assert page.locator("details[open]").count() == 1


# --- on paper --------------------------------------------------------------------------------------------------------


def pages_of(pdf: bytes) -> int:
    """How many pages a PDF of Chromium has."""
    return len(re.findall(rb"/Type /Page\b", pdf))


@pytest.mark.parametrize("name", [*STORIES, "conflicting-data"])
def test_a_packet_has_two_letter_pages_with_label_box_reviewer_line_and_page_numbers(page, service, name):
    open_page(page, service.link(name))
    pdf = page.pdf(prefer_css_page_size=True)
    assert pages_of(pdf) == 2
    assert b"/MediaBox [0 0 612 792]" in pdf
    page.emulate_media(media="print")
    assert page.locator(".label-box").is_visible()
    assert page.locator(".reviewer").is_visible()
    assert not page.get_by_role("button", name="Print for packet").is_visible()
    assert not page.locator("summary").first.is_visible()
    margins = "[...document.styleSheets].flatMap(sheet => [...sheet.cssRules]).map(rule => rule.cssText).join()"
    assert "counter(page)" in page.evaluate(margins)


def test_nothing_overlaps_in_the_columns_of_the_table(page, service):
    open_page(page, service.link("typical-gaps"))
    wide = """() => [...document.querySelectorAll('.criteria .badge')]
      .filter(badge => badge.getBoundingClientRect().right >
        badge.closest('td').nextElementSibling.getBoundingClientRect().left).length"""
    for width in (720, 768, 1000, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(wide) == 0, width
    page.emulate_media(media="print")
    # The width of letter paper less its margins.
    page.set_viewport_size({"width": 720, "height": 960})
    assert page.evaluate(wide) == 0
