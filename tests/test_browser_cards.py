"""The card column in a real browser: the newest card in sight, one choice for each card and its undo, the EHR panel."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import PANEL_LOOKS, accessible_in_both_themes, easy_to_hit, fits
from tests.workbench_page import OPENED, Workbench, draft, moment, open_chart, served_workbench, signed

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

LOW = 700


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    with served_workbench(tmp_path_factory.mktemp("workbench")) as served:
        yield served


def settled(card: "Locator", words: str = "Feedback stored") -> str:
    """Waits until the outcome of a card holds these words; gives the whole outcome."""
    outcome = card.locator(".outcome").filter(has_text=words)
    outcome.wait_for()
    return outcome.inner_text()


def take(card: "Locator", name: str) -> None:
    card.get_by_role("button", name=name).click()
    settled(card)


def in_sight(page: "Page", selector: str) -> bool:
    """Whether an element is in the window."""
    found: bool = page.locator(selector).first.evaluate(
        "element => { const box = element.getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight; }"
    )
    return found


# --- the newest card -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", PANEL_LOOKS, ids=str)
def test_after_each_sign_the_new_card_is_in_sight_and_focused(page, workbench, look):
    page.set_viewport_size({"width": look.width, "height": LOW})
    open_chart(page, workbench.address, "typical-gaps")
    assert page.locator(":focus").get_attribute("id") == "patient-name"
    for _ in range(3):
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        card = signed(page)
        assert card.locator("h3").evaluate("title => title === document.activeElement")
        assert in_sight(page, "#cards > .moment h3")
        assert in_sight(page, "#cards > .moment .indicator")


@pytest.mark.parametrize("width", [380, LOW, 768, 1440])
def test_sign_is_in_sight_in_a_low_window_whatever_is_ordered(page, workbench, width):
    page.set_viewport_size({"width": width, "height": LOW})
    open_chart(page, workbench.address, "both-acts-drafted")
    for detail in page.locator("#orders summary").all():
        detail.click()
    page.locator("#orders").evaluate("orders => orders.parentElement.scrollIntoView()")
    assert page.locator("#orders").evaluate("orders => orders.getBoundingClientRect().height") > LOW
    assert in_sight(page, "#sign")


# --- one choice for a card, and its undo -----------------------------------------------------------------------------


@pytest.mark.parametrize("look", PANEL_LOOKS, ids=str)
def test_a_card_that_was_accepted_cannot_be_dismissed_until_that_is_undone(page, workbench, look):
    open_chart(page, workbench.address, "typical-gaps")
    card = signed(page).locator(".advice")
    take(card, "Add")
    assert page.locator("#orders .order").count() == 2
    assert card.get_by_role("button", name="Dismiss card").count() == 0
    accessible_in_both_themes(page, look)
    card.get_by_role("button", name="Undo").click()
    assert "Removed again: " in settled(card, "Undone")
    assert page.locator("#orders .order").count() == 1
    assert card.locator(".take").first.evaluate("button => button === document.activeElement")
    assert card.get_by_role("button", name="Dismiss card").is_visible()
    take(card, "Add")
    assert page.locator("#orders .order").count() == 2


def test_undo_puts_back_the_order_that_a_card_changed(page, workbench):
    open_chart(page, workbench.address, "all-met")
    before = page.locator("#orders .order").first.inner_text()
    card = signed(page).locator(".advice")
    suggestions = card.locator(".take")
    changing = next(
        button for button in suggestions.all() if "order" in button.inner_text() and "64555" in button.inner_text()
    )
    changing.click()
    settled(card)
    assert "CPT 64555" in draft(page, "Changed by a card").inner_text()
    card.get_by_role("button", name="Undo").click()
    settled(card, "As before: ")
    assert page.locator("#orders .order").first.inner_text() == before


def test_undo_leaves_an_order_that_the_reader_changed_since(page, workbench):
    open_chart(page, workbench.address, "typical-gaps")
    card = signed(page).locator(".advice")
    take(card, "Add")
    added = page.locator("#orders .order").nth(1)
    added.get_by_text("Change", exact=True).click()
    added.get_by_label("Side and site").fill("Left buttock")
    added.get_by_role("button", name="Change order").click()
    card.get_by_role("button", name="Undo").click()
    assert "changed since" in settled(card, "Undone")
    assert "Left buttock" in page.locator("#orders").inner_text()


@pytest.mark.parametrize("look", PANEL_LOOKS, ids=str)
def test_a_dismissed_card_is_one_line_that_shows_it_again(page, workbench, look):
    open_chart(page, workbench.address, "typical-gaps")
    card = signed(page).locator(".advice")
    whole = card.bounding_box()
    card.get_by_role("button", name="Dismiss card").click()
    assert "Reason for dismissing" in card.inner_text()
    accessible_in_both_themes(page, look)
    card.get_by_role("button", name="Cancel").click()
    assert card.get_by_role("button", name="Dismiss card").evaluate("button => button === document.activeElement")
    card.get_by_role("button", name="Dismiss card").click()
    card.get_by_role("radio").first.check()
    card.get_by_role("button", name="Dismiss card").click()
    said = settled(card)
    assert said.startswith("Dismissed: ")
    folded = card.bounding_box()
    assert whole is not None
    assert folded is not None
    assert folded["height"] < 64 < whole["height"]
    assert not card.locator("h4").is_visible()
    fits(page)
    easy_to_hit(page)
    accessible_in_both_themes(page, look)
    card.get_by_role("button", name="Show").click()
    assert card.locator("h4").is_visible()
    assert card.locator(".take").count() == 0 or not card.locator(".take").first.is_visible()
    accessible_in_both_themes(page, look)
    card.get_by_role("button", name="Hide").click()
    assert not card.locator("h4").is_visible()
    card.get_by_role("button", name="Undo").click()
    settled(card, "Undone")
    assert card.locator(".take").first.is_visible()
    assert card.get_by_role("button", name="Dismiss card").is_visible()


def test_what_is_undone_and_chosen_again_counts_as_the_newest_choice(page, workbench):
    open_chart(page, workbench.address, "gap-surgical-candidacy")
    card = signed(page).locator(".advice")
    take(card, "Add")
    card.get_by_role("button", name="Undo").click()
    card.get_by_role("button", name="Dismiss card").click()
    card.get_by_role("radio").first.check()
    card.get_by_role("button", name="Dismiss card").click()
    assert settled(card).startswith("Dismissed: ")
    told = [item.outcome for item in workbench.feedback()][-2:]
    assert sorted(told) == ["accepted", "overridden"]


def test_an_earlier_card_is_to_read_and_offers_nothing(page, workbench):
    open_chart(page, workbench.address, "typical-gaps")
    signed(page)
    signed(page)
    page.locator(".earlier > summary").click()
    earlier = page.locator(".earlier .advice").first
    assert earlier.locator("h4").is_visible()
    assert not [button for button in earlier.get_by_role("button").all() if button.is_visible()]


# --- the EHR panel ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", PANEL_LOOKS, ids=str)
def test_cards_can_be_read_in_an_ehr_panel_of_380_pixels_and_the_choice_is_kept(page, workbench, look):
    open_chart(page, workbench.address, "typical-gaps")
    wide = signed(page).locator(".advice").bounding_box()
    page.get_by_label("EHR panel (380 px)").check()
    narrow = page.locator("#cards .advice").first.bounding_box()
    assert wide is not None
    assert narrow is not None
    assert narrow["width"] == min(380, wide["width"])
    assert page.locator("#cards").evaluate("cards => cards.scrollWidth <= cards.clientWidth")
    fits(page)
    accessible_in_both_themes(page, look)
    page.reload()
    moment(page, OPENED).wait_for()
    assert page.get_by_label("EHR panel (380 px)").is_checked()
    assert page.locator("#cards").evaluate("cards => cards.clientWidth") <= 380
    page.get_by_label("Wide").check()
    assert page.locator("#cards").evaluate("cards => cards.clientWidth") == round(wide["width"])
