"""The evidence page that the demo EHR launches, and the packet at the end of the loop: looked at, edited, printed."""

import json
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from cds_service.card.words.rest import EVIDENCE_LINK
from cds_service.web.packet_routes import DOCUMENT_FILE, LETTER_FILE, SUMMARY_FILE
from tests.browser import PANEL_LOOKS_IN_BOTH_THEMES, Look, accessible, easy_to_hit, fits, in_every_look
from tests.form_page import launched, served_form
from tests.workbench_page import open_chart

if TYPE_CHECKING:
    from playwright.sync_api import Page

STORIES = ("typical-gaps", "joint-typical-gaps")
# Of the questions with a yes those of the label; before them the joint's form asks which joint it is.
OF_THE_LABEL = {"typical-gaps": slice(0, 6), "joint-typical-gaps": slice(3, 7)}
LETTER_PAPER = b"/MediaBox [0 0 612 792]"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_form(tmp_path_factory.mktemp("packet"), evidence="smart") as served:
        yield served


def evidence(page: "Page", faults, address: str, name: str) -> "Page":
    """The evidence page of an example, launched from its card."""
    open_chart(page, address, name)
    return launched(page, faults, EVIDENCE_LINK, "main.evidence")


def opened_beside(tab: "Page", faults, button: str) -> "Page":
    """What a button opens in a tab of its own."""
    with tab.context.expect_page() as opening:
        tab.get_by_role("button", name=button).click()
    found = opening.value
    faults.watch(found)
    found.locator("main h1").wait_for()
    return found


def pages_of(tab: "Page") -> int:
    """On how many letter pages a page is printed."""
    pdf = tab.pdf(prefer_css_page_size=True)
    assert LETTER_PAPER in pdf
    return len(re.findall(rb"/Type /Page\b", pdf))


def sound(page: "Page", look: Look) -> None:
    """Nobody is kept out of a page, and it fits; the theme changes nothing but colors (tests/test_browser.py)."""
    accessible(page, structure=look.scheme == "light")
    fits(page)
    easy_to_hit(page)


@pytest.mark.parametrize("name", STORIES)
def test_the_launched_page_has_no_barrier_and_does_not_scroll_sideways(page, faults, address, name):
    tab = evidence(page, faults, address, name)
    in_every_look(tab, PANEL_LOOKS_IN_BOTH_THEMES, lambda look: sound(tab, look))


@pytest.mark.parametrize("name", STORIES)
def test_the_launched_page_names_the_patient_and_prints_on_two_pages(page, faults, address, name):
    tab = evidence(page, faults, address, name)
    banner = tab.get_by_role("region", name="Patient", exact=True)
    assert "Born" in banner.inner_text()
    assert tab.title() == "Evidence"
    assert "code=" not in tab.url
    assert pages_of(tab) == 2
    tab.emulate_media(media="print")
    assert banner.is_visible()
    assert not tab.get_by_role("button", name="Print for packet").is_visible()
    assert not tab.get_by_role("button", name="Download packet").is_visible()


def test_a_launched_page_that_is_loaded_again_asks_to_open_it_from_the_card(page, faults, address):
    tab = evidence(page, faults, address, "typical-gaps")
    tab.reload()
    faults.expect("status 400")
    faults.expect("console error")
    assert "cannot continue" in tab.inner_text("h1")


def test_the_letter_has_no_barrier_and_does_not_scroll_sideways(page, faults, address):
    tab = opened_beside(evidence(page, faults, address, "joint-typical-gaps"), faults, "Draft letter")
    in_every_look(tab, PANEL_LOOKS_IN_BOTH_THEMES, lambda look: sound(tab, look))


def test_the_letter_can_be_edited_and_prints_with_its_mark(page, faults, address):
    tab = opened_beside(evidence(page, faults, address, "typical-gaps"), faults, "Draft letter")
    text = tab.get_by_role("textbox", name="Letter")
    assert text.inner_text().startswith("Draft, not a signed letter.")
    text.locator("p").nth(1).click()
    tab.keyboard.type("Canary words ")
    assert "Canary words" in text.inner_text()
    assert 1 <= pages_of(tab) <= 4
    tab.emulate_media(media="print")
    assert text.locator(".mark").is_visible()
    assert not tab.get_by_role("button", name="Print").is_visible()


@pytest.mark.parametrize("name", STORIES)
def test_the_packet_is_printed_and_downloaded_at_the_end_of_the_loop(page, faults, address, name, tmp_path):
    open_chart(page, address, name)
    tab = launched(page, faults)
    for question in tab.locator("[data-question]:has(> .choices)").all()[OF_THE_LABEL[name]]:
        question.get_by_label("Yes", exact=True).check()
    tab.locator("#role").select_option("207XS0117X")
    tab.locator("#statement").check()
    tab.get_by_role("button", name="Review and sign").click()
    tab.get_by_role("button", name="Sign and save").click()
    tab.get_by_role("heading", name="What was signed").wait_for()
    accessible(tab)
    summary = opened_beside(tab, faults, "Printable summary")
    assert "Attested without a document" in summary.inner_text("main")
    assert pages_of(summary) == 2
    letter = opened_beside(tab, faults, "Draft letter")
    assert "attested on" in letter.inner_text("main")
    assert pages_of(letter) <= 5
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download packet").click()
    kept = tmp_path / "packet.zip"
    download.value.save_as(kept)
    # A browser says of every download that its page was not shown.
    faults.expect("net::ERR_ABORTED")
    with zipfile.ZipFile(kept) as archive:
        assert archive.namelist() == [SUMMARY_FILE, LETTER_FILE, DOCUMENT_FILE]
        archive.extractall(tmp_path)
    document = json.loads((tmp_path / DOCUMENT_FILE).read_text())
    assert document["entry"][0]["resource"]["attester"]
    alone = tab.context.new_page()
    alone.goto((tmp_path / SUMMARY_FILE).as_uri())
    assert pages_of(alone) == 2
