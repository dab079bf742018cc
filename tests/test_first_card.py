"""The page on the first card, followed: its buttons are there and do what it says, its request gets the card it shows.

Its commands run in tests/test_documented_commands.py.
"""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import requests

from tests.serving import Served, served
from tests.shipped import answers
from tests.test_docs import FIRST_CARD, request_of_first_card
from tests.workbench_page import OPENED, moment, signed

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGE = FIRST_CARD.read_text(encoding="utf-8")
SECOND = PAGE.partition("## 2. See a card")[2].partition("\n## 3.")[0]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(settings={"CDS_SERVICE_STATE": str(tmp_path_factory.mktemp("first-card"))}) as started:
        yield started


def test_a_reader_presses_what_the_page_names_and_sees_what_it_says(page: "Page", service: Served) -> None:
    chart, sign, evidence, print_it, suggestion, panel = re.findall(r"\*\*(.+?)\*\*", SECOND.replace("\n   ", " "))
    page.goto(service.address)
    page.get_by_role("link", name=chart, exact=True).click()
    moment(page, OPENED).wait_for()
    assert page.get_by_role("button", name=sign, exact=True).is_visible()
    card = signed(page)
    # The bullets of the card are the documents that the page speaks of.
    assert card.locator(".detail li").count() == 5
    with page.context.expect_page() as opened:
        card.get_by_role("link", name=evidence, exact=True).click()
    opened.value.get_by_role("button", name=print_it, exact=True).wait_for()
    opened.value.close()
    before = page.locator("#orders .order").count()
    card.get_by_role("button", name=suggestion, exact=True).click()
    page.locator("#orders .order").nth(before).wait_for()
    developer = page.locator("#developer")
    assert developer.locator("summary").first.inner_text().startswith(panel)
    if developer.get_attribute("open") is None:
        developer.locator("summary").first.click()
    assert page.get_by_role("tab", name="Request").is_visible()


def test_the_request_of_the_page_gets_a_card_and_the_changed_one_none(service: Served) -> None:
    address = f"{service.address}/cds-services/coverage-guidance-order-sign"
    request = request_of_first_card()
    (card,) = requests.post(address, json=request, timeout=60).json()["cards"]
    assert f"> **{card['summary']}**" in PAGE
    changed = re.search(r"change the reason `(\S+)` to `(\S+)`", PAGE)
    assert changed is not None
    other = json.dumps(request).replace(*changed.groups())
    assert requests.post(address, json=json.loads(other), timeout=60).json() == {"cards": []}


def test_the_request_names_every_prefetch_key_so_that_nothing_is_left_unread(service: Served) -> None:
    discovered = requests.get(f"{service.address}/cds-services", timeout=60).json()["services"]
    (prefetch,) = (item["prefetch"] for item in discovered if item["hook"] == "order-sign")
    assert request_of_first_card()["prefetch"].keys() == prefetch.keys()


def test_the_least_that_the_page_calls_so_is_the_least() -> None:
    request = request_of_first_card()
    missing = {**request, "prefetch": {"patient": request["prefetch"]["patient"]}}
    (found,) = answers(missing)
    assert found.card is not None
    assert "chart data not received" in found.card["summary"]
    assert "chart data not received" in PAGE
