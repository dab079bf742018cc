"""The documentation loop in a real browser with real redirects: from a card to its form, into the chart, and back."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import Look, accessible, easy_to_hit, fits
from tests.form_page import FORM, launched, served_form
from tests.workbench_page import open_chart, signed

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAME = "typical-gaps"
LABEL_QUESTIONS = 6


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_form(tmp_path_factory.mktemp("form")) as served:
        yield served


@pytest.fixture
def chart(page: "Page", address: str) -> "Page":
    open_chart(page, address, NAME)
    return page


def summary(chart: "Page") -> str:
    return signed(chart).locator("h4").inner_text()


def review(tab: "Page") -> None:
    """Signs the form, up to its review."""
    tab.locator("#role").select_option("207XS0117X")
    tab.locator("#statement").check()
    tab.get_by_role("button", name="Review and sign").click()
    tab.get_by_role("heading", name="Review and sign").wait_for()


def saved(tab: "Page") -> str:
    """Saves a reviewed form; what its last page says."""
    tab.get_by_role("button", name="Sign and save").click()
    tab.get_by_role("heading", name="What was signed").wait_for()
    return tab.locator("main").inner_text()


def test_six_keys_and_a_signature_lead_from_a_card_to_the_next_one(chart, faults):
    assert "6 of 8" in summary(chart)
    tab = launched(chart, faults)
    assert tab.locator("header.patient").inner_text().startswith("Rosalind Achterberg")
    presses = 0
    for question in tab.locator("[data-question]").all()[:LABEL_QUESTIONS]:
        offered = question.locator(".offered input")
        tab.keyboard.press("y")
        presses += 1
        if offered.count():
            tab.keyboard.press("a")
            presses += 1
        assert question.locator("input[value=yes]").is_checked()
    assert presses <= 12
    review(tab)
    assert "Attested without a document" in tab.locator("main").inner_text()
    said = saved(tab)
    assert "Saved in the EHR" in said
    assert said.count("met (was unknown)") >= LABEL_QUESTIONS
    tab.close()
    after = summary(chart)
    assert "6 of 8" not in after
    assert "attestation" in signed(chart).inner_text()


def test_a_form_can_be_left_as_a_draft_and_keeps_what_was_answered(chart, faults):
    tab = launched(chart, faults)
    first = tab.locator("[data-question]").first
    first.get_by_label("Yes").check()
    tab.get_by_role("button", name="Save draft").click()
    tab.get_by_text("Draft saved in the EHR.").wait_for()
    assert tab.locator("[data-question]").first.get_by_label("Yes").is_checked()


def test_what_is_missing_to_sign_is_reported_with_links_to_the_fields(chart, faults):
    tab = launched(chart, faults)
    tab.locator("[data-question]").first.get_by_label("Yes").check()
    tab.get_by_role("button", name="Review and sign").click()
    summary_of_faults = tab.get_by_role("alert")
    summary_of_faults.wait_for()
    faults.expect("status 422")
    faults.expect("console error")
    assert summary_of_faults.get_by_role("link", name="Choose the role").get_attribute("href") == "#role"
    accessible(tab)


def test_answers_can_be_downloaded_whatever_the_ehr_does(chart, faults):
    tab = launched(chart, faults)
    tab.locator("[data-question]").first.get_by_label("Yes").check()
    review(tab)
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download", exact=True).click()
    assert '"status": "in-progress"' in download.value.path().read_text()


@pytest.mark.parametrize("look", [Look(320), Look(768), Look(1440, "dark")], indirect=True, ids=str)
def test_every_page_of_the_form_is_accessible_and_fits(chart, faults):
    tab = launched(chart, faults)
    for step in (lambda: None, lambda: review(tab)):
        step()
        accessible(tab)
        fits(tab)
        easy_to_hit(tab)
        if tab.locator("[data-question]").count():
            tab.locator("[data-question]").first.get_by_label("Yes").check()
    saved(tab)
    accessible(tab)
    fits(tab)


def test_a_form_is_of_the_browser_that_opened_it(chart, faults, chromium):
    tab = launched(chart, faults)
    with chromium.new_context() as other:
        page = other.new_page()
        answer = page.goto(tab.url)
        assert answer is not None
        assert answer.status == 404
        assert "not open any more" in page.inner_text("h1")


def test_a_settled_card_has_no_link_to_the_form(page, address):
    open_chart(page, address, "all-met")
    assert signed(page).get_by_role("button", name=FORM).count() == 0
