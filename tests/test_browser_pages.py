"""The pages for people in a real browser: nothing goes wrong, nobody is kept out, and they can be printed."""

from collections.abc import Iterator

import pytest

from cds_service.app import create_app
from cds_service.settings.settings import Settings
from tests.browser import LOOKS, WIDTHS, Look, accessible, easy_to_hit, fits, listening, words_stay_whole
from tests.shipped import PUBLIC_URL, TODAY, library

POLICIES = tuple(f"/policies/{policy.id}" for policy in library().policies)
PAGES = ("/", "/policies", *POLICIES)
# Links of a page's first screens; a statement has hundreds of them, all alike.
MOST_STOPS = 40


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with listening(create_app(Settings(), library(), PUBLIC_URL, lambda: TODAY)) as served:
        yield served


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_barrier_and_does_not_scroll_sideways(page, address, path, look):
    page.goto(address + path)
    # What is closed is part of the page too.
    page.evaluate("document.querySelectorAll('details').forEach(closed => { closed.open = true; })")
    fits(page)
    words_stay_whole(page)
    easy_to_hit(page)
    # The colors are the same in every width.
    accessible(page, contrast=path not in POLICIES or look.width == WIDTHS[-1])


FOCUSED = """() => {
  const element = document.activeElement, style = getComputedStyle(element), box = element.getBoundingClientRect();
  const walked = [...document.querySelectorAll('a[href], summary, button, input')].indexOf(element);
  return {walked, outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
          seen: box.width > 0 && box.right > 0 && box.bottom > 0 && box.top < innerHeight && box.left < innerWidth};
}"""


@pytest.mark.parametrize("look", [Look(320), Look(1440, "dark")], ids=str)
@pytest.mark.parametrize("path", PAGES)
def test_the_keyboard_reaches_every_link_in_the_order_of_the_page_and_shows_where_it_is(page, address, path, look):
    page.goto(address + path)
    count = page.locator("a[href], summary, button, input").count()
    assert count > 4
    assert page.locator("[tabindex]").count() == 0
    for stop in range(min(count, MOST_STOPS)):
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUSED) == {"walked": stop, "outlined": True, "seen": True}


@pytest.mark.parametrize("path", PAGES)
def test_the_first_stop_skips_to_the_content(page, address, path):
    page.goto(address + path)
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


@pytest.mark.parametrize("path", POLICIES)
def test_a_link_to_a_closed_part_opens_it(page, address, path):
    page.goto(address + path)
    link = page.locator("a[href^='#codes-']").first
    target = page.locator(link.get_attribute("href") or "")
    assert not target.is_visible()
    link.click()
    assert target.is_visible()


# --- on paper --------------------------------------------------------------------------------------------------------

# A4 less the margins of a printer, in CSS pixels.
PAPER = Look(680)
BREAKS = """() => {
  const style = element => getComputedStyle(element), all = selector => [...document.querySelectorAll(selector)];
  return {
    atTheFoot: all('h1, h2, h3, h4, caption').filter(each => style(each).breakAfter !== 'avoid').length,
    split: all('tr, .notice').filter(each => style(each).breakInside !== 'avoid').length,
    withoutHead: all('thead').filter(each => style(each).display !== 'table-header-group').length,
    closed: all('details table').filter(each => !each.checkVisibility({contentVisibilityAuto: true})).length,
  };
}"""
ADDRESSES = """() => [...document.querySelectorAll('a[href^="http"]')]
  .filter(link => ![link.textContent.trim(), getComputedStyle(link, '::after').content.replace(/^" \\(|\\)"$/g, '')]
    .includes(link.getAttribute('href'))).map(link => link.outerHTML)"""


@pytest.mark.parametrize("look", [PAPER], ids=["paper"])
@pytest.mark.parametrize("path", PAGES)
def test_on_paper_a_page_is_all_there_and_breaks_where_it_may(page, address, path, look):
    page.goto(address + path)
    page.emulate_media(media="print")
    for beside in ("header nav", "nav.contents", ".skip", ".shortcuts", ".button"):
        assert all(not found.is_visible() for found in page.locator(beside).all()), beside
    assert page.evaluate(BREAKS) == {"atTheFoot": 0, "split": 0, "withoutHead": 0, "closed": 0}
    assert page.locator("h1").is_visible()
    fits(page)


@pytest.mark.parametrize("path", PAGES)
def test_on_paper_a_link_to_another_host_has_its_address(page, address, path):
    page.goto(address + path)
    page.emulate_media(media="print")
    assert page.locator("a[href^='http']").count() > 0 or path == "/policies"
    assert page.evaluate(ADDRESSES) == []
