"""Pages in a real browser: Debian's chromium, a server of our own on loopback, and what every page must be."""

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response

MISSING = (
    "These tests need the browser chromium, and it was not found. Install it (on Debian: sudo apt-get install "
    "chromium-headless-shell); `make test` does so as root on Debian."
)
# The shell has no windows to make for each page: it opens one in less than half the time of the whole browser.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
LOOPBACK = "127.0.0.1"
OPTIONS = (
    # Started as root it has no sandbox to offer; what it opens here is ours alone.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No name is looked up, so that no page can reach another host even if it tries.
    f"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE {LOOPBACK}",
)
WIDTHS = (320, 768, 1440)
# From the width of an EHR's panel on.
PANEL_WIDTHS = (380, 768, 1440)
HEIGHT = 900


@dataclass(frozen=True, slots=True)
class Look:
    """How a page is looked at: the width of the window in pixels, and the reader's theme."""

    width: int = 1440
    scheme: Any = "light"

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}"


PANEL_LOOKS = tuple(map(Look, PANEL_WIDTHS))
PANEL_LOOKS_IN_BOTH_THEMES = (*PANEL_LOOKS, *(Look(width, "dark") for width in PANEL_WIDTHS))
# The theme changes nothing but colors (tests/test_browser.py), so that one width shows all of the dark ones.
LOOKS = (*(Look(width) for width in WIDTHS), Look(WIDTHS[-1], "dark"))


@dataclass
class Faults:
    """What went wrong in a page, a sentence each: errors told in the console or thrown, requests that failed or were
    answered with an error, requests to another host.
    """

    seen: list[str] = field(default_factory=list)

    def expect(self, words: str) -> None:
        """Takes away the faults that hold these words: those that a test provoked. There must be one."""
        others = [fault for fault in self.seen if words not in fault]
        assert len(others) < len(self.seen), f"no fault speaks of {words!r}: {self.seen}"
        self.seen[:] = others

    def watch(self, page: "Page") -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.seen.append(f"thrown: {error}"))
        page.on("request", self._request)
        page.on("requestfailed", self._failed)
        page.on("response", self._response)

    def _console(self, message: "ConsoleMessage") -> None:
        if message.type in ("error", "warning"):
            self.seen.append(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _request(self, request: "Request") -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname != LOOPBACK:
            self.seen.append(f"another host was asked: {request.url}")

    def _failed(self, request: "Request") -> None:
        # A page that is left while its icon or a file still loads gives that up; nothing was wrong with what it asked.
        if request.method == "GET" and request.failure == "net::ERR_ABORTED":
            return
        self.seen.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _response(self, response: "Response") -> None:
        if response.status >= 400:
            self.seen.append(f"status {response.status}: {response.request.method} {response.url}")


@contextmanager
def browser() -> Iterator["Browser"]:
    """A chromium without a window. Raises RuntimeError with a sentence where there is none on this machine."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise RuntimeError(MISSING)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=list(OPTIONS))
        try:
            yield started
        finally:
            started.close()


def in_every_look(page: "Page", looks: Iterable[Look], check: Callable[[Look], object]) -> None:
    """Checks an open page in each look; says in which it failed.

    Not for charts of the workbench: what they show depends on the width with which they are opened.
    """
    for look in looks:
        page.set_viewport_size({"width": look.width, "height": HEIGHT})
        page.emulate_media(color_scheme=look.scheme)
        try:
            check(look)
        except AssertionError as fault:
            fault.add_note(f"seen as {look}")
            raise


@contextmanager
def opened(started: "Browser", look: Look, faults: Faults, **options: Any) -> Iterator["Page"]:
    """A page in a browser that has kept nothing; what goes wrong in it is reported to ``faults``."""
    with started.new_context(
        viewport={"width": look.width, "height": HEIGHT},
        color_scheme=look.scheme,
        reduced_motion="reduce",
        locale="en-US",
        timezone_id="UTC",
        **options,
    ) as context:
        context.set_default_timeout(20_000)
        page = context.new_page()
        faults.watch(page)
        yield page


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        pass


@contextmanager
def listening(app: Flask | Callable[..., Any], port: int = 0, *, secure: bool = False) -> Iterator[str]:
    """Serves a WSGI application on loopback from threads of this process; gives its address without a final slash.

    ``port`` is for an application that must know its address before (0: any that is free); ``secure``: over https, with
    a certificate made up for it.
    """
    certificate = "adhoc" if secure else None
    server = make_server(LOOPBACK, port, app, threaded=True, request_handler=_Quiet, ssl_context=certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if secure else 'http'}://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# The rules of axe-core that measure colors, text after text, and which of the elements they are about. They take longer
# than all others together, so that they look at what is marked alone.
_OF_COLORS = {"color-contrast": "[data-colors-measured]", "link-in-text-block": "a[href][data-colors-measured]"}
# Marks the texts whose colors are measured: of those that look alike the first. Alike are elements with the same
# classes and styles up to the root, whose text is of the same sort, and which nothing takes out of the page's flow.
_MARK = """() => {
  const numbers = new Map(), known = new Map();
  const numbered = words => numbers.get(words) ?? numbers.set(words, numbers.size).get(words);
  const READ = ['display', 'visibility', 'color', 'backgroundColor', 'backgroundImage', 'opacity', 'filter', 'clipPath',
    'fontSize', 'fontWeight', 'textDecorationLine', 'textShadow', 'borderBottomStyle', 'zIndex', 'mixBlendMode'];
  const look = element => {
    if (element === null) return 0;
    if (!known.has(element)) {
      const style = getComputedStyle(element);
      const apart = ['absolute', 'fixed', 'sticky'].includes(style.position) || style.float !== 'none';
      known.set(element, numbered(JSON.stringify([look(element.parentElement), element.localName, element.className,
        element.matches(':disabled, [aria-disabled=true], [aria-hidden=true]'), READ.map(name => style[name]),
        apart ? known.size : -1])));
    }
    return known.get(element);
  };
  const amongText = link => {
    let block = link.parentElement;
    while (getComputedStyle(block).display.startsWith('inline')) block = block.parentElement;
    const texts = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode())
      if (/[\\p{L}\\p{N}]/u.test(text.data) && !text.parentElement.closest('a')) return true;
    return false;
  };
  const seen = new Set();
  for (const element of document.querySelectorAll('body, body *')) {
    const texts = [...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE);
    const said = texts.map(node => node.data).join('');
    const shown = element.matches('a[href], input, select, textarea, button');
    if (!(shown || said.trim()) || !element.checkVisibility()) continue;
    const sort = /[\\p{L}\\p{N}][^]*[\\p{L}\\p{N}]/u.test(shown ? element.textContent || element.value : said);
    const alike = `${look(element)} ${sort} ${element.matches('a[href]') && amongText(element)}`;
    if (!seen.has(alike)) element.setAttribute('data-colors-measured', '');
    seen.add(alike);
  }
}"""
_UNMARK = """() => document.querySelectorAll('[data-colors-measured]')
  .forEach(element => element.removeAttribute('data-colors-measured'))"""


def accessible(page: "Page", *, structure: bool = True, colors: bool = True) -> None:
    """Checks a page against axe-core's rules, target size included; fails with a list of the violations.

    ``structure`` takes the rules that no theme changes, ``colors`` those of contrast, once for each look that a text
    has.
    """
    if colors:
        page.evaluate(_MARK)
    violations = _violations(page, structure=structure, colors=colors)
    if colors:
        page.evaluate(_UNMARK)
    barriers = [
        f"{rule['impact']}: {rule['help']} ({rule['id']})\n"
        + "\n".join(f"    {' '.join(map(str, node['target']))}: {node['html'][:160]}" for node in rule["nodes"][:5])
        for rule in violations
    ]
    assert not barriers, f"{page.url} has barriers:\n" + "\n".join(barriers)


def accessible_in_both_themes(page: "Page", look: Look) -> None:
    """``accessible`` as it is looked at, and in the widest window by the colors of the dark theme too.

    The theme changes nothing else (tests/test_browser.py).
    """
    accessible(page)
    if look.width == WIDTHS[-1]:
        in_every_look(page, [Look(look.width, "dark")], lambda _: accessible(page, structure=False))
        page.emulate_media(color_scheme=look.scheme)


_NARROW = "rules => axe.configure({rules: Object.entries(rules).map(([id, selector]) => ({id, selector}))})"
_RUN = "options => axe.run(document, options).then(found => found.violations)"


def _violations(page: "Page", *, structure: bool, colors: bool) -> list[dict[str, Any]]:
    from axe_playwright_python.base import AXE_SCRIPT

    # Half a megabyte of script: once for each page.
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(AXE_SCRIPT)
        page.evaluate(_NARROW, _OF_COLORS)
    # In one run where both are asked for: what a rule needs to know of the page is worked out once for all.
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if structure:
        options["rules"] = {name: {"enabled": colors} for name in _OF_COLORS} | {"target-size": {"enabled": True}}
    else:
        options["runOnly"] = list(_OF_COLORS)
    found: list[dict[str, Any]] = page.evaluate(_RUN, options)
    return found


_SIDEWAYS = """() => {
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= wide) return [];
  return [...document.body.querySelectorAll('*')]
    .filter(element => element.getBoundingClientRect().right > wide + 0.5)
    .map(element => `${element.outerHTML.slice(0, 120)} ends at ${Math.round(element.getBoundingClientRect().right)}`)
    .slice(0, 5).concat([`the page is ${document.documentElement.scrollWidth} wide in a window of ${wide}`]);
}"""


def fits(page: "Page") -> None:
    """Fails where a page scrolls sideways; says what is too wide."""
    wide = page.evaluate(_SIDEWAYS)
    assert not wide, f"{page.url} scrolls sideways:\n" + "\n".join(wide)


# Links that are in a sentence are as tall as its line (WCAG 2.2, 2.5.8, "Inline").
_SMALL = """() => [...document.querySelectorAll('a[href], button, summary, select, textarea, label:has(input), input')]
  .filter(element => element.checkVisibility() && !element.closest('.unseen, .skip'))
  .filter(element => !element.matches('label input'))
  .filter(element => element.tagName !== 'A' || element.parentElement.textContent.trim() === element.textContent.trim())
  .map(element => [element.outerHTML.slice(0, 120), element.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.height < 23.99 || box.width < 23.99))
  .map(([html, box]) => `${Math.round(box.width)} x ${Math.round(box.height)}: ${html}`)"""


def easy_to_hit(page: "Page") -> None:
    """Fails where something that can be pressed, and is not in a sentence, is under 24 by 24 pixels."""
    small = page.evaluate(_SMALL)
    assert not small, f"{page.url} has small targets:\n" + "\n".join(small[:10])


_SPLIT = """() => [...document.querySelectorAll('th, caption, h1, h2, h3, h4, button, summary, .badge, dt')]
  .filter(element => element.checkVisibility() && !element.closest('.unseen'))
  .filter(element => (element.closest('thead') ?? element).getBoundingClientRect().width > 1)
  .flatMap(element => {
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), found = [];
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
      if (text.parentElement.closest('code, .unseen, .address')) continue;
      for (const word of text.data.matchAll(/[\\p{L}\\p{N}]{2,24}/gu)) {
        const range = new Range();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) found.push(word[0]);
      }
    }
    return found;
  })"""


def words_stay_whole(page: "Page") -> None:
    """Fails where a heading, a label, or the head of a column breaks inside a word."""
    split = page.evaluate(_SPLIT)
    assert not split, f"{page.url} breaks inside words: {', '.join(split[:10])}"
