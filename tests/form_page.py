"""The service with its demo EHR and its documentation form, as a browser meets them, with nothing configured."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

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

FORM = "Complete documentation form"


@contextmanager
def served_form(state: Path) -> Iterator[str]:
    """A service whose public address is its own on loopback; gives that without a slash at its end."""
    port = free_port()
    address = f"http://{LOOPBACK}:{port}"
    settings = Settings(state=state)
    installation = installation_of(settings, library(), only_this_machine=True)
    app = create_app(settings, library(), address, utc_today, installation)
    try:
        with listening(app, port):
            yield address
    finally:
        installation.fetcher.close()
        installation.close()


def launched(chart: "Page", faults: "Faults") -> "Page":
    """The form in the tab that the link of a card opens, after everything was allowed."""
    with chart.context.expect_page() as opening:
        signed(chart).get_by_role("button", name=FORM).click()
    tab = opening.value
    faults.watch(tab)
    tab.get_by_role("button", name="Allow").click()
    tab.locator("form").wait_for()
    return tab
