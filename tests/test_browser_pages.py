"""The pages for people in a real browser: nothing goes wrong, nobody is kept out, and they can be printed."""

import re
from collections.abc import Iterator

import pytest

from cds_service.app import create_app
from cds_service.settings.settings import Settings
from tests.browser import LOOKS, WIDTHS, Look, accessible, easy_to_hit, fits, in_every_look, listening, words_stay_whole
from tests.shipped import PUBLIC_URL, TODAY, library

POLICIES = tuple(f"/policies/{policy.id}" for policy in library().policies)
PAGES = ("/", "/policies", *POLICIES)
# Links of a page's first screens; a statement has hundreds of them, all alike.
MOST_STOPS = 40


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with listening(create_app(Settings(), library(), PUBLIC_URL, lambda: TODAY)) as served:
        yield served


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_barrier_and_does_not_scroll_sideways(page, address, path):
    page.goto(address + path)
    # What is closed is part of the page too.
    page.evaluate("document.querySelectorAll('details').forEach(closed => { closed.open = true; })")

    def sound(look: Look) -> None:
        fits(page)
        words_stay_whole(page)
        easy_to_hit(page)
        # The colors are the same in every width; the theme changes nothing else.
        accessible(page, structure=look.scheme == "light", colors=path not in POLICIES or look.width == WIDTHS[-1])

    in_every_look(page, LOOKS, sound)


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


@pytest.mark.parametrize("look", [Look(380), Look(1440)], ids=str)
@pytest.mark.parametrize("path", POLICIES)
def test_the_first_screen_of_a_statement_shows_its_criteria(page, address, path, look):
    page.goto(address + path)
    top = page.locator("#glance").evaluate("heading => heading.getBoundingClientRect().top")
    assert top < 0.75 * page.viewport_size["height"]
    criteria = page.locator(".glance tbody a")
    assert criteria.count() > 15
    page.locator("#glance").scroll_into_view_if_needed()
    assert look.width < 1440 or criteria.nth(7).evaluate("link => link.getBoundingClientRect().bottom < innerHeight")


@pytest.mark.parametrize("path", POLICIES)
def test_criteria_are_closed_and_a_link_to_one_opens_it(page, address, path):
    page.goto(address + path)
    assert page.locator(".criterion:visible").count() == 0
    link = page.locator(".glance tbody a").nth(3)
    target = link.get_attribute("href") or ""
    link.focus()
    page.keyboard.press("Enter")
    assert page.locator(target).is_visible()
    assert page.locator(".criterion:visible").count() == 1
    # The same from elsewhere: a card's link to one criterion.
    page.goto("about:blank")
    page.goto(address + path + target)
    assert page.locator(target).is_visible()
    box = page.locator(f"{target}-title").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 200


@pytest.mark.parametrize("path", POLICIES)
def test_a_link_to_a_closed_set_of_codes_opens_it(page, address, path):
    page.goto(address + path)
    page.evaluate("document.querySelectorAll('.fold').forEach(closed => { closed.open = true; })")
    link = page.locator(".criterion a[href^='#codes-']").first
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
    if path in POLICIES:
        page.get_by_label("Print the whole page instead").check()
    page.emulate_media(media="print")
    for beside in ("header nav", "nav.contents", ".skip", ".shortcuts", ".button"):
        assert all(not found.is_visible() for found in page.locator(beside).all()), beside
    assert page.evaluate(BREAKS) == {"atTheFoot": 0, "split": 0, "withoutHead": 0, "closed": 0}
    assert page.locator("h1").is_visible()
    fits(page)


MARGINS = dict.fromkeys(("top", "bottom", "left", "right"), "0.5in")


@pytest.mark.parametrize("path", POLICIES)
def test_a_statement_prints_as_a_summary_of_two_pages(page, address, path):
    page.goto(address + path)
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="Letter", margin=MARGINS)))
    assert pages == 2
    page.emulate_media(media="print")
    for part in ("#glance", "#verdicts", "#edition", "#more"):
        assert page.locator(part).is_visible()
    printed = page.locator("main").inner_text()
    assert "Evidence against:" in printed
    assert f"{PUBLIC_URL}{path}" in printed
    assert "pending verification" in printed
    assert not page.locator("#codes").is_visible()


@pytest.mark.parametrize("path", PAGES)
def test_on_paper_a_link_to_another_host_has_its_address(page, address, path):
    page.goto(address + path)
    if path in POLICIES:
        page.get_by_label("Print the whole page instead").check()
    page.emulate_media(media="print")
    assert page.locator("a[href^='http']").count() > 0 or path == "/policies"
    assert page.evaluate(ADDRESSES) == []
