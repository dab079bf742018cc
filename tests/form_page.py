"""The service with its demo EHR and its documentation form, as a browser meets them, with nothing configured."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cds_service.app import create_app
from cds_service.clock import utc_today
from cds_service.installation import installation_of
from cds_service.settings.settings import Settings
from tests.browser import LOOPBACK, listening
from tests.serving import free_port
from tests.shipped import library
from tests.workbench_page import signed

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser import Faults

FORM, RESUME = "Complete documentation form", "Resume documentation form"


@contextmanager
def served_form(state: Path, **given: Any) -> Iterator[str]:
    """A service whose public address is its own on loopback; gives that without a slash at its end.

    ``given`` are settings beside the defaults.
    """
    port = free_port()
    address = f"http://{LOOPBACK}:{port}"
    settings = Settings(state=state, **given)
    installation = installation_of(settings, library(), only_this_machine=True)
    app = create_app(settings, library(), address, utc_today, installation)
    try:
        with listening(app, port):
            yield address
    finally:
        installation.fetcher.close()
        installation.close()


class Keyboard:
    """The keys that somebody presses in a page, counted in ``presses``; the page hears them once it has the focus
    where it puts that itself.
    """

    def __init__(self, page: "Page") -> None:
        self._page, self.presses = page, 0
        page.locator("[data-question] :focus").wait_for(state="attached")

    def press(self, *names: str) -> None:
        """One key after the other."""
        for name in names:
            self._page.keyboard.press(name)
        self.presses += len(names)

    def type(self, text: str) -> None:
        """A key for each letter."""
        self.press(*text)


def launched(chart: "Page", faults: "Faults", link: str = FORM, shows: str = "form") -> "Page":
    """What the link of a card opens in a tab of its own, after everything was allowed; ``shows`` is found on it."""
    with chart.context.expect_page() as opening:
        signed(chart).get_by_role("button", name=link).click()
    tab = opening.value
    faults.watch(tab)
    tab.get_by_role("button", name="Allow").click()
    tab.locator(shows).first.wait_for()
    return tab


def reviewed(tab: "Page") -> None:
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
