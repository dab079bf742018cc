"""The workbench as a reader of it acts: a service of our own with its workbench, and what one does on the page."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cds_service.app import create_app
from cds_service.clock import utc_today
from cds_service.hooks.feedback import DayRange, KeptFeedback
from cds_service.installation import installation_of
from cds_service.settings.settings import Settings
from cds_service.store.database import open_store
from cds_service.store.feedback import kept
from tests.browser import listening
from tests.shipped import PUBLIC_URL, library

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SIGNED = "When the orders were signed"
SELECTED = "When the orders were selected"
OPENED = "When the chart was opened"


class Workbench(NamedTuple):
    """A service with its workbench: its address without a final slash, and the folder in which it keeps feedback."""

    address: str
    state: Path

    def feedback(self) -> list[KeptFeedback]:
        """What clinicians have told so far."""
        store = open_store("", self.state)
        try:
            return kept(store, DayRange(), workbench=True)
        finally:
            store.close()


@contextmanager
def served_workbench(state: Path, prefix: str = "/behind-a-proxy") -> Iterator[Workbench]:
    """A service on loopback that keeps feedback in ``state``; it answers under ``prefix`` too, as behind a proxy."""
    settings = Settings(state=state)
    installation = installation_of(settings, library(), only_this_machine=True)
    app = create_app(settings, library(), PUBLIC_URL, utc_today, installation)

    def served(environ: dict, start: Callable) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(prefix):
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = prefix, environ["PATH_INFO"].removeprefix(prefix)
        return app(environ, start)

    try:
        with listening(served) as address:
            yield Workbench(address, state)
    finally:
        installation.fetcher.close()
        installation.close()


def open_chart(page: "Page", address: str, name: str) -> None:
    """Opens the chart of an example, and waits for what the service says to that."""
    page.goto(f"{address}/#{name}")
    moment(page, OPENED).wait_for()


def moment(page: "Page", title: str) -> "Locator":
    """What the service said last, if it was said at that moment."""
    return page.locator("#cards > .moment").filter(has_text=title)


def signed(page: "Page") -> "Locator":
    """Signs the drafts; what the service says to that."""
    # Two answers may read the same to the letter: what was said before is marked.
    page.evaluate("document.querySelectorAll('#cards .moment').forEach((said) => said.classList.add('before'))")
    page.get_by_role("button", name="Sign", exact=True).click()
    page.locator("#cards > .moment:not(.before)").wait_for()
    found = moment(page, SIGNED)
    found.wait_for()
    return found


def draft(page: "Page", title: str) -> "Locator":
    return page.locator("#orders .order").filter(has_text=title)


def reason_of(page: "Page", words: str) -> int:
    labels = page.locator("#add-reason option").all_inner_texts()
    return next(index for index, label in enumerate(labels) if words in label)


def dismiss(shown: "Locator", reason: str, comment: str) -> None:
    shown.get_by_role("button", name="Dismiss card").click()
    shown.get_by_role("radio", name=re.compile(reason, re.IGNORECASE)).check()
    shown.get_by_label("Comment").fill(comment)
    shown.get_by_role("button", name="Dismiss card").click()
    shown.locator(".outcome").filter(has_text="Feedback stored").wait_for()


def choose(chart: "Page", label: str, option: str) -> None:
    """Chooses what the demo EHR refuses."""
    for folded in ("#developer", "#refusals"):
        if chart.locator(folded).get_attribute("open") is None:
            chart.locator(f"{folded} > summary").click()
    with chart.expect_response("**/workbench/refusals"):
        chart.get_by_label(label, exact=True).select_option(option)


def last_answer(page: "Page") -> dict:
    return json.loads(page.locator("#panel-response pre").text_content())


def focus(page: "Page", role: Any, name: str) -> None:
    """Goes on with the tabulator key until something of that role and name has the focus."""
    _tab_to(page, page.get_by_role(role, name=re.compile(f"^{re.escape(name)}")).first, f"the {role} {name!r}")


def focus_on(page: "Page", selector: str) -> None:
    """Goes on with the tabulator key until an element has the focus."""
    _tab_to(page, page.locator(selector).first, selector)


def _tab_to(page: "Page", wanted: "Locator", what: str) -> None:
    for _ in range(200):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"the keyboard never reaches {what}")


def paste(page: "Page", address: str, bundle: object) -> None:
    page.goto(address)
    page.get_by_text("Paste a Bundle").click()
    page.locator("#bundle-text").fill(bundle if isinstance(bundle, str) else json.dumps(bundle))
    page.get_by_role("button", name="Open as a patient").click()
