"""The documentation loop in a real browser with real redirects: from a card to its form, into the chart, and back."""

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import LOOKS, Look, accessible, easy_to_hit, fits, in_every_look
from tests.form_page import FORM, RESUME, Keyboard, launched, reviewed, saved, served_form
from tests.workbench_page import choose, open_chart, signed

if TYPE_CHECKING:
    from playwright.sync_api import Page

STORY, JOINTS = "typical-gaps", "joint-both-sides"
LABEL_QUESTIONS, MOST_KEYS = 6, 20
TODAY = re.compile(r"Dr\. Alex Example, \d\d/\d\d/\d{4}")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_form(tmp_path_factory.mktemp("form")) as served:
        yield served


@pytest.fixture
def chart(page: "Page", address: str) -> "Page":
    open_chart(page, address, STORY)
    return page


def card(chart: "Page") -> str:
    """What the card says when the orders are signed."""
    return signed(chart).inner_text()


def finished(keys: Keyboard, tab: "Page") -> str:
    """Goes to the signature of a form and signs it, all with keys; what the last page says."""
    keys.press("s", "o", "Tab", "Space", "Enter")
    tab.locator("[data-sign]:focus").wait_for()
    keys.press("Enter")
    tab.get_by_role("heading", name="What was signed").wait_for()
    said = tab.locator("main").inner_text()
    tab.close()
    return said


def test_the_keyboard_alone_leads_from_the_first_card_to_the_last(chart, faults, record_testsuite_property):
    assert "6 of 8 FDA label criteria need documentation" in card(chart)
    tab = launched(chart, faults)
    assert tab.locator("header.patient").inner_text().startswith("Rosalind Achterberg")
    began, keys = time.monotonic(), Keyboard(tab)
    for question in tab.locator("[data-question]").all()[:LABEL_QUESTIONS]:
        keys.press("y")
        if question.locator(".offered input").count():
            keys.press("a")
        assert question.locator("input[value=yes]").is_checked()
    said = finished(keys, tab)
    record_testsuite_property("seconds of six label questions", round(time.monotonic() - began, 1))
    record_testsuite_property("keys of six label questions", keys.presses)
    assert keys.presses <= MOST_KEYS
    assert "Saved in the EHR" in said
    assert said.count("met (was unknown)") >= LABEL_QUESTIONS

    after = card(chart)
    assert "FDA label met by attestation; 5 trial criteria need documentation" in after
    assert "4 without a document" in after
    assert TODAY.search(after)

    tab = launched(chart, faults)
    keys = Keyboard(tab)
    keys.press(*"0.9", "Enter", "y", "y", "y", "y")
    finished(keys, tab)
    last = card(chart)
    assert "all 8 FDA label criteria met, 6 by attestation only" in last
    assert "all 8 met (5 attested)" in last
    assert TODAY.search(last)


def test_the_left_joint_is_documented_from_the_first_card_to_the_last(page, address, faults):
    open_chart(page, address, JOINTS)
    assert "left needs documentation (4)" in card(page)
    tab = launched(page, faults)
    asked = [question.get_attribute("id") for question in tab.locator("[data-question]").all()]
    assert "anatomy.left" in asked
    assert "anatomy.right" not in asked
    for link in ("anatomy.left", "distraction.left", "compression.left", "thigh-thrust.left", "joint-changes.left"):
        tab.locator(f'[name="{link}"][value="yes"]').check()
    tab.locator('[name="block.left[0].date"]').fill("08/10/2026")
    for link in ("guided", "intra-articular"):
        tab.locator(f'[name="block.left[0].{link}"][value="yes"]').check()
    tab.locator('[name="block.left[0].before"]').fill("8")
    tab.locator('[name="block.left[0].after"]').fill("2")
    reviewed(tab)
    assert "Done on 08/10/2026" in tab.locator("main").inner_text()
    assert "Saved in the EHR" in saved(tab)
    tab.close()
    last = signed(page)
    assert "all" in last.locator("h4").inner_text()
    assert "needs documentation" not in last.inner_text()


def test_staff_begin_a_form_and_a_clinician_resumes_it_from_the_card(chart, faults):
    tab = launched(chart, faults)
    tab.locator('[name="pain-frequency"]').fill("0.9")
    tab.locator('[name="can-operate-device.observed"]').evaluate("field => field.closest('details').open = true")
    tab.locator('[name="can-operate-device"][value="yes"]').check()
    tab.locator("#role").select_option("163W00000X")
    tab.get_by_role("button", name="Hand over").click()
    tab.get_by_role("heading", name="Hand over", exact=True).wait_for()
    accessible(tab)
    fits(tab)
    assert "Is the patient able to operate the device?" in tab.locator("main").inner_text().partition("For a cl")[2]
    # As many as the next card says.
    assert tab.get_by_role("heading", name="For a clinician: 10").is_visible()
    tab.get_by_role("button", name="Save draft and hand over").click()
    tab.get_by_role("heading", name="Handed over").wait_for()
    tab.close()

    waiting = card(chart)
    assert "with 1 answer, 10 for the clinician." in waiting
    assert "6 of 8 FDA label criteria need documentation" in waiting
    tab = launched(chart, faults, RESUME)
    assert "Filled in from your draft of" in tab.locator("main").inner_text()
    assert tab.locator('[name="pain-frequency"]').input_value() == "0.9"
    tab.locator('[name="can-operate-device"][value="yes"]').check()
    tab.get_by_role("button", name="Save draft").click()
    tab.get_by_text("Draft saved in the EHR.").wait_for()
    accessible(tab)
    assert tab.locator('[name="can-operate-device"][value="yes"]').is_checked()
    assert "with 2 answers, 9 for the clinician." in card(chart)
    reviewed(tab)
    assert "Saved in the EHR" in saved(tab)
    tab.close()
    assert "Draft of" not in card(chart)


@pytest.mark.parametrize("refused", ["403", "reset"])
def test_an_ehr_that_refuses_writes_loses_nothing_that_was_answered(chart, faults, refused):
    tab = launched(chart, faults)
    choose(chart, "Writes", refused)
    tab.locator('[name="can-operate-device"][value="yes"]').check()
    tab.locator('[name="can-operate-device.basis-text"]').evaluate("field => { field.value = 'clinic note' }")
    reviewed(tab)
    tab.get_by_role("button", name="Sign and save").click()
    tab.get_by_role("heading", name="The EHR did not save it").wait_for()
    faults.expect("status 502")
    faults.expect("console error")
    accessible(tab)
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download the answers").click()
    assert "clinic note" in download.value.path().read_text()
    tab.get_by_role("link", name="Back to the form").click()
    assert tab.locator('[name="can-operate-device"][value="yes"]').is_checked()
    choose(chart, "Writes", "")
    reviewed(tab)
    assert "Saved in the EHR" in saved(tab)


def test_what_is_missing_to_sign_is_reported_with_links_to_the_fields(chart, faults):
    tab = launched(chart, faults)
    tab.locator("[data-question]").first.get_by_label("Yes").check()
    tab.get_by_role("button", name="Review and sign").click()
    summary_of_faults = tab.get_by_role("alert")
    summary_of_faults.wait_for()
    faults.expect("status 422")
    faults.expect("console error")
    assert summary_of_faults.get_by_role("link", name="Choose your role").get_attribute("href") == "#role"
    accessible(tab)


def test_every_page_of_the_form_is_accessible_and_fits(chart, faults):
    def sound(look: Look) -> None:
        accessible(tab, structure=look.scheme == "light")
        fits(tab)
        easy_to_hit(tab)

    tab = launched(chart, faults)
    in_every_look(tab, LOOKS, sound)
    tab.locator("[data-question]").first.get_by_label("Yes").check()
    reviewed(tab)
    in_every_look(tab, LOOKS, sound)
    saved(tab)
    in_every_look(tab, LOOKS, sound)


def test_a_form_is_of_the_browser_that_opened_it_and_prints_what_was_answered(chart, faults, chromium):
    tab = launched(chart, faults)
    tab.locator("[data-question]").first.get_by_label("Yes").check()
    with chromium.new_context() as other:
        page = other.new_page()
        answer = page.goto(tab.url)
        assert answer is not None
        assert answer.status == 404
        assert "no longer open" in page.inner_text("h1")
    reviewed(tab)
    tab.emulate_media(media="print")
    assert tab.locator("header.patient").is_visible()
    assert tab.locator(".lines li").first.is_visible()
    assert not tab.get_by_role("button", name="Sign and save").is_visible()


def test_a_settled_card_has_no_link_to_the_form(page, address):
    open_chart(page, address, "all-met")
    assert signed(page).get_by_role("button", name=FORM).count() == 0
