"""The patient list in a real browser: search, facet, Bundles of one's own, and nothing of one patient in the next."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import PANEL_LOOKS, Look, accessible, accessible_in_both_themes, easy_to_hit, fits
from tests.shipped import example
from tests.workbench_page import OPENED, Workbench, moment, open_chart, paste, served_workbench, signed

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    with served_workbench(tmp_path_factory.mktemp("workbench")) as served:
        yield served


def shown(page: "Page") -> list[str]:
    """The names in the list that can be seen."""
    return [name.inner_text() for name in page.locator("#people .who").all() if name.is_visible()]


# --- search and facet ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", PANEL_LOOKS, ids=str)
def test_patients_are_found_by_words_and_by_what_the_card_says(page, workbench, look):
    page.goto(workbench.address)
    page.locator("#find").wait_for()
    everyone = shown(page)
    assert everyone[0] == "Rosalind Achterberg, 48"
    assert f"{len(everyone)} patients" in page.locator("#patients").inner_text()

    page.get_by_label("Search").fill("joint  right")
    found = shown(page)
    assert 0 < len(found) < len(everyone)
    assert page.locator("#found").inner_text() == f"{len(found)} of {len(everyone)} patients"
    assert f"{len(found)} of" in (page.locator("#announcements").text_content() or "")

    page.get_by_label("Search").fill("")
    page.get_by_label("No card").check()
    silent = shown(page)
    assert {badge.inner_text() for badge in page.locator("#people .card-says").all() if badge.is_visible()} == {
        "No card"
    }
    assert page.get_by_label("No card").locator("..").inner_text().endswith(str(len(silent)))

    page.get_by_label("Search").fill("nobody of that name")
    assert shown(page) == []
    fits(page)
    easy_to_hit(page)
    accessible_in_both_themes(page, look)
    page.get_by_role("button", name="Clear search").click()
    assert shown(page) == everyone
    assert page.locator(":focus").get_attribute("id") == "search"


def test_the_list_is_searched_with_the_keyboard_alone(page, workbench):
    page.goto(workbench.address)
    page.locator("#find").wait_for()
    page.locator("#search").focus()
    page.keyboard.type("discitis")
    page.keyboard.press("Enter")
    assert len(shown(page)) == 1
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    moment(page, OPENED).wait_for()
    page.go_back()
    page.locator("#list-view").wait_for()
    assert len(shown(page)) == 1


# --- a Bundle of several patients ------------------------------------------------------------------------------------


def two_charts() -> dict:
    """The charts of two synthetic patients in one Bundle, each with its draft orders."""
    entries = []
    for name in ("typical-gaps", "joint-typical-gaps"):
        request = example(name)
        for value in request["prefetch"].values():
            entries += [] if value is None else value.get("entry", [{"resource": value}])
        entries += request["context"]["draftOrders"]["entry"]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


@pytest.mark.parametrize("look", PANEL_LOOKS, ids=str)
def test_of_a_bundle_with_several_patients_one_is_chosen(page, workbench, look):
    paste(page, workbench.address, two_charts())
    choices = page.locator("#bundle-choice button")
    choices.nth(1).wait_for()
    assert "holds 2 patients" in page.locator("#bundle-choice").inner_text()
    assert choices.first.evaluate("button => button === document.activeElement")
    fits(page)
    easy_to_hit(page)
    accessible_in_both_themes(page, look)
    name = choices.nth(1).inner_text().partition("\n")[0].rsplit(" ", 2)[0]
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    moment(page, OPENED).wait_for()
    assert page.locator("#patient-name").inner_text().startswith(name)
    assert signed(page).locator(".advice").count() == 1
    page.get_by_role("link", name="All patients").click()
    assert page.locator("#bundle-choice button").count() == 0
    assert page.locator("#own-patients li").count() == 1


# --- nothing of one patient in the next ------------------------------------------------------------------------------


def test_what_was_typed_for_one_patient_is_gone_for_the_next(page, workbench):
    open_chart(page, workbench.address, "typical-gaps")
    page.get_by_text("Add an order").click()
    page.get_by_label("Order name").fill("Something of the first patient")
    page.locator("#add-site").fill("Left knee of the first patient")
    page.get_by_label("Resource type").select_option("DeviceRequest")
    page.get_by_role("link", name="All patients").click()
    page.goto(f"{workbench.address}/#all-met")
    moment(page, OPENED).wait_for()
    assert not page.get_by_label("Order name").is_visible()
    page.get_by_text("Add an order").click()
    assert page.get_by_label("Order name").input_value() == ""
    assert page.locator("#add-site").input_value() == ""
    assert page.get_by_label("Resource type").input_value() == "ServiceRequest"
    assert "first patient" not in json.dumps(page.locator("#chart-view").inner_text())


# --- the theme -------------------------------------------------------------------------------------------------------

PAPER = "getComputedStyle(document.body).backgroundColor"


@pytest.mark.parametrize("look", [Look(380), Look(1440, "dark")], ids=str)
def test_the_theme_is_chosen_and_kept_on_every_page(page, workbench, look):
    page.goto(workbench.address)
    toggle = page.get_by_role("button", name="Theme: system")
    as_the_system = page.evaluate(PAPER)
    seen = set()
    for theme in ("light", "dark"):
        toggle = page.locator("#theme")
        toggle.click()
        assert toggle.inner_text() == f"Theme: {theme}"
        chosen = page.evaluate(PAPER)
        seen.add(chosen)
        for path in ("/policies", "/services", "/feedback", "/"):
            page.goto(workbench.address + path)
            assert page.locator("#theme").inner_text() == f"Theme: {theme}"
            assert page.evaluate(PAPER) == chosen
    assert as_the_system in seen
    assert len(seen) == 2
    accessible(page)
    page.locator("#theme").click()
    assert page.evaluate(PAPER) == as_the_system


def test_every_page_has_the_same_width(page, workbench):
    widths = set()
    for path in ("/", "/#typical-gaps", "/policies", "/services", "/feedback", "/policies/isass-si-joint-fusion-2020"):
        page.goto(workbench.address + path)
        if "#" in path:
            # A chart that is left before it has come is a fault of the page.
            moment(page, OPENED).wait_for()
        boxes = [page.locator(part).bounding_box() for part in ("header.site", "main", "footer.site")]
        widths |= {(box["x"], box["width"]) for box in boxes if box is not None}
    assert len(widths) == 1
