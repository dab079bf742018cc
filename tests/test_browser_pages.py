"""The pages for people in a real browser: nothing goes wrong, nobody is kept out, and they can be printed."""

from collections.abc import Iterator

import pytest

from cds_service.app import create_app
from cds_service.settings import Settings
from tests.browser import LOOKS, accessible, fits, listening
from tests.shipped import PUBLIC_URL, TODAY, library

POLICIES = tuple(f"/policies/{policy.id}" for policy in library().policies)
PAGES = ("/", "/policies", *POLICIES)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with listening(create_app(Settings(), library(), PUBLIC_URL, lambda: TODAY)) as served:
        yield served


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_barrier_and_does_not_scroll_sideways(page, address, path, look):
    page.goto(address + path)
    fits(page)
    accessible(page)
