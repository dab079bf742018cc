"""The browser's own tests: what goes wrong in a page is noticed, and what is needed is said."""

import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

import cds_service
from tests.browser import MISSING, Look, accessible, browser, fits, in_every_look, listening

PACKAGE = Path(cds_service.__file__).parent
HEAD = """<!doctype html><html lang="en"><head><title>T</title><link rel="icon" href="data:,"></head>
<body><main><h1>T</h1>"""
GIVEN_UP = """<p></p><script>
  const left = new AbortController(), told = document.querySelector('p');
  fetch('/slow', {{method: '{method}', signal: left.signal}}).catch(() => told.append('given up'));
  setTimeout(() => left.abort(), 50);
</script>"""
ALIKE = "<p>All is well, as in a <a href='/sound'>link</a>.</p>" * 800
PAGES = {
    "sound": "<p>All is well.</p>",
    "told": "<script>console.error('a fault')</script>",
    "thrown": "<script>throw new Error('a fault')</script>",
    "missing": "<img src='/nowhere' alt=''>",
    "elsewhere": "<img src='https://elsewhere.example/a.png' alt=''>",
    "barrier": "<p style='color:#ccc'>Hardly legible</p><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>",
    "given up": GIVEN_UP.format(method="GET"),
    "given up posting": GIVEN_UP.format(method="POST"),
    "wide": "<div style='width: 2000px'>Wide</div>",
    "long": ALIKE,
    "long, one pale": f"{ALIKE}<p style='color:#ccc'>Hardly legible</p>{ALIKE}",
    "long, one pale of its class": f"<style>.pale {{ color: #ccc }}</style>{ALIKE}<p class='pale'>Hardly legible</p>",
    "long, one on a dark ground": f"{ALIKE}<div style='background:#333'><p>Hardly legible</p></div>{ALIKE}",
    "long, one out of place": f"{ALIKE}<p style='position:absolute;top:0;background:#333'>Hardly legible</p>",
    "long, one link in a text": f"{ALIKE}<p>Read <a style='color:#111;text-decoration:none' href='/'>this</a>.</p>",
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    app = Flask(__name__)
    answered = threading.Event()
    app.add_url_rule("/slow", "slow", lambda: str(answered.wait(20)), methods=["GET", "POST"])
    app.add_url_rule("/<name>", "page", lambda name: HEAD + PAGES[name] if name in PAGES else ("", 404))
    with listening(app) as served:
        yield served
        answered.set()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("told", ["console error: a fault"]),
        ("thrown", ["thrown: a fault"]),
        ("missing", ["status 404: GET", "console error: Failed to load resource"]),
        ("elsewhere", ["another host was asked: https://elsewhere.example/a.png", "failed: GET", "console error"]),
    ],
)
def test_what_goes_wrong_in_a_page_is_noticed(page, faults, address, name, words):
    page.goto(f"{address}/{name}")
    assert len(faults.seen) == len(words)
    for expected in words:
        faults.expect(expected)


def test_what_a_page_gives_up_to_read_is_no_fault_but_what_it_gives_up_to_send_is(page, faults, address):
    page.goto(f"{address}/given up")
    page.get_by_text("given up", exact=True).wait_for()
    assert faults.seen == []
    page.goto(f"{address}/given up posting")
    page.get_by_text("given up", exact=True).wait_for()
    faults.expect("failed: POST")


def test_a_sound_page_has_no_fault(page, faults, address):
    page.goto(f"{address}/sound")
    fits(page)
    accessible(page)
    assert faults.seen == []
    with pytest.raises(AssertionError, match="no fault speaks of 'x'"):
        faults.expect("x")


def test_a_barrier_is_named_with_its_place(page, address):
    page.goto(f"{address}/barrier")
    with pytest.raises(AssertionError, match=r"(?s)serious: .*\(color-contrast\).*Hardly legible") as failure:
        accessible(page)
    assert "critical: " in str(failure.value)
    assert "(image-alt)" in str(failure.value)


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("long, ")])
def test_among_many_texts_that_look_alike_the_one_that_does_not_is_named(page, address, name):
    page.goto(f"{address}/{name}")
    with pytest.raises(AssertionError, match=r"Hardly legible|link-in-text-block"):
        accessible(page, structure=False)


def test_a_long_page_of_which_every_look_can_be_read_has_no_barrier(page, address):
    page.goto(f"{address}/long")
    accessible(page)
    assert page.locator("[data-colors-measured]").count() == 0


@pytest.mark.parametrize("look", [Look(320), Look(1440)], ids=str)
def test_what_is_too_wide_is_named(page, address, look):
    page.goto(f"{address}/wide")
    with pytest.raises(AssertionError, match=rf"(?s)width: 2000px.*in a window of {look.width}"):
        fits(page)


def test_what_fails_in_one_look_names_it(page, address):
    page.goto(f"{address}/wide")
    in_every_look(page, [Look(2400), Look(2400, "dark")], lambda look: fits(page))
    with pytest.raises(AssertionError) as failure:
        in_every_look(page, [Look(2400), Look(320, "dark")], lambda look: fits(page))
    assert failure.value.__notes__ == ["seen as 320-dark"]
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")


def test_scripts_of_charts_alone_ask_how_wide_a_window_is():
    """All other pages can be opened once and looked at in every width."""
    asking = re.compile(r"matchMedia|innerWidth|clientWidth|offsetWidth|outerWidth|ResizeObserver|\bresize\b")
    found = {path.name for path in PACKAGE.rglob("*.js") if asking.search(path.read_text(encoding="utf-8"))}
    assert found == {"chart.js", "main.js"}


def test_without_a_browser_the_tests_fail_and_say_what_to_install(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError) as failure, browser():
        pass
    assert str(failure.value) == MISSING
    assert "sudo apt-get install chromium-headless-shell" in MISSING


def test_the_theme_changes_nothing_but_colors():
    """What holds in light of every width then holds in dark too, but for contrast, which is measured in both."""
    files = [path for kind in ("css", "html", "js") for path in PACKAGE.rglob(f"*.{kind}")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert "prefers-color-scheme" not in text
    used = [line.strip() for line in text.splitlines() if "light-dark(" in line]
    assert used
    assert all(re.fullmatch(r"--[a-z-]+: light-dark\(#[0-9a-f]{6}, #[0-9a-f]{6}\);", line) for line in used), used
    chosen = re.findall(r"\[data-theme[^{]*\{([^}]*)\}", text)
    assert [rule.strip() for rule in chosen] == ["color-scheme: light;", "color-scheme: dark;"]
