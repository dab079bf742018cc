"""A SMART app launched from a card in a real browser, with real redirects, and what the demo EHR shows afterwards."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.browser import LOOKS, Look, accessible, easy_to_hit, fits, in_every_look, words_stay_whole
from tests.shipped import example
from tests.smart_page import served_with_app
from tests.workbench_page import OPENED, choose, moment, open_chart, signed

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

CONTEXT = '{"policy": "isass-restorative-neurostimulation-2023"}'
LABEL = "Complete documentation form"
NAME = "typical-gaps"


def attested() -> dict[str, Any]:
    """The answers of another example, as its clinician would give them now."""
    found = example("all-met")["prefetch"]["questionnaireResponse"]["entry"][0]["resource"]
    kept = {name: found[name] for name in ("resourceType", "questionnaire", "status", "author", "item")}
    return kept | {"authored": (datetime.now(UTC) - timedelta(minutes=5)).isoformat(timespec="seconds")}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_with_app(tmp_path_factory.mktemp("smart"), attested()) as served:
        # The first page evaluates every example, which takes long on a busy machine.
        requests.get(served, timeout=120).raise_for_status()
        yield served


@pytest.fixture
def chart(page: "Page", address: str) -> "Page":
    """The chart of the opening story; every card has a link that launches the app of these tests."""

    def linked(route: "Route") -> None:
        answer = route.fetch()
        body = answer.json()
        link = {"label": LABEL, "url": f"{address}/smart/launch", "type": "smart", "appContext": CONTEXT}
        for card in body.get("cards", ()):
            # In the place of the link to the service's own form.
            card["links"] = [link, *(item for item in card.get("links", ()) if item["type"] != "smart")]
        route.fulfill(response=answer, json=body)

    page.route("**/cds-services/coverage-guidance-*", linked)
    open_chart(page, address, NAME)
    return page


def launched(chart: "Page", faults: Any) -> "Page":
    """The consent page in the tab that the link of a card opens."""
    with chart.context.expect_page() as opening:
        signed(chart).get_by_role("button", name=LABEL).click()
    tab = opening.value
    faults.watch(tab)
    tab.get_by_role("heading", name="Let the app use this chart?").wait_for()
    return tab


def allowed(tab: "Page") -> dict[str, Any]:
    """What the app got, after everything was allowed."""
    tab.get_by_role("button", name="Allow").click()
    shown = tab.locator("#token")
    shown.wait_for()
    found: dict[str, Any] = json.loads(shown.inner_text())
    return found


def saved(tab: "Page") -> Any:
    """What the EHR answered when the app wrote."""
    tab.get_by_role("button", name="Save").click()
    shown = tab.locator("#written")
    shown.wait_for()
    return json.loads(shown.inner_text())


def summary(chart: "Page") -> str:
    """What the card says when the orders are signed."""
    return signed(chart).locator("h4").inner_text()


def test_an_app_is_launched_from_a_card_writes_and_the_next_card_reads_it(chart, faults):
    before = summary(chart)
    assert "6 of 8" in before
    tab = launched(chart, faults)
    token = allowed(tab)
    assert token["patient"] == "rosalind-achterberg"
    assert token["appContext"] == CONTEXT
    assert tab.evaluate("window.opener") is None
    assert saved(tab) == 201
    tab.close()

    after = summary(chart)
    assert after != before
    assert "6 of 8" not in after
    written = chart.locator("#written")
    assert "Form answers" in written.inner_text()
    # What is not sent is fetched by the service, with a token that opens this browser's chart.
    for mode in ("lean", "none"):
        chart.locator(f'input[name="mode"][value="{mode}"]').check()
        assert summary(chart) == after
        sent = json.loads(chart.locator("#request-text").input_value())
        assert sent["fhirAuthorization"]["scope"] == "patient/*.rs"
    written.get_by_role("button", name="Delete Form answers").click()
    written.locator("section").wait_for(state="detached")
    assert summary(chart) == before
    assert "fhirAuthorization" not in json.loads(chart.locator("#request-text").input_value())


def test_the_chart_is_read_again_when_the_reader_comes_back_and_can_be_reset(chart, faults):
    tab = launched(chart, faults)
    allowed(tab)
    assert saved(tab) == 201
    tab.close()
    chart.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    section = chart.locator("#written section")
    section.wait_for()
    accessible(chart)
    section.get_by_role("button", name="Reset chart").click()
    section.wait_for(state="detached")
    chart.reload()
    moment(chart, OPENED).wait_for()
    assert chart.locator("#written section").count() == 0


def test_a_scope_is_refused_on_the_consent_page_and_so_is_every_scope(chart, faults):
    tab = launched(chart, faults)
    tab.get_by_label("Write attested answers").uncheck()
    assert "QuestionnaireResponse.cru" not in allowed(tab)["scope"]
    tab.close()
    tab = launched(chart, faults)
    tab.get_by_role("button", name="Deny").click()
    tab.locator("#error").wait_for()
    assert json.loads(tab.locator("#error").inner_text()) == "access_denied"
    tab.close()


def test_the_demo_ehr_refuses_what_was_chosen(chart, faults):
    choose(chart, "Writes", "422")
    tab = launched(chart, faults)
    allowed(tab)
    assert saved(tab) == 422
    choose(chart, "Writes", "reset")
    tab.go_back()
    assert saved(tab) == "reset"
    choose(chart, "Writes", "")
    tab.go_back()
    assert saved(tab) == 201
    tab.close()
    choose(chart, "Authorization", "denied")
    with chart.context.expect_page() as opening:
        signed(chart).get_by_role("button", name=LABEL).click()
    opening.value.locator("#error").wait_for()
    opening.value.close()


def test_refusals_are_folded_until_a_developer_opens_them(chart):
    assert chart.locator("#refusals").get_attribute("open") is None
    choose(chart, "Reading it back", "403")
    chart.locator("#refusals-said").filter(has_text="from now on").wait_for()
    chart.reload()
    moment(chart, OPENED).wait_for()
    choose(chart, "Applies to", "QuestionnaireResponse")
    assert chart.get_by_label("Reading it back").input_value() == "403"
    accessible(chart)


def test_an_old_launch_gets_a_page_that_says_what_to_do(chart, faults, address):
    tab = launched(chart, faults)
    used = tab.url
    tab.get_by_role("button", name="Allow").click()
    tab.locator("#token").wait_for()
    tab.goto(used)
    tab.locator("#error").wait_for()
    tab.goto(used.replace("client_id=", "client_id=x"))
    tab.get_by_role("heading", name="The app was not authorized").wait_for()
    faults.expect("400")
    accessible(tab)
    tab.close()


def test_the_consent_page_and_the_written_chart_are_accessible_at_every_width(chart, faults):
    def sound(page: "Page", look: Look) -> None:
        accessible(page, structure=look.scheme == "light")
        for check in (fits, easy_to_hit, words_stay_whole):
            check(page)

    def signed_again(look: Look) -> None:
        # What a chart shows depends on the width with which it is opened.
        chart.reload()
        moment(chart, OPENED).wait_for()
        summary(chart)
        chart.locator("#written section").wait_for()
        sound(chart, look)

    tab = launched(chart, faults)
    in_every_look(tab, LOOKS, lambda look: sound(tab, look))
    allowed(tab)
    assert saved(tab) == 201
    tab.close()
    in_every_look(chart, LOOKS, signed_again)


def test_the_whole_launch_by_keyboard_alone(chart, faults):
    button = signed(chart).get_by_role("button", name=LABEL)
    button.focus()
    with chart.context.expect_page() as opening:
        chart.keyboard.press("Enter")
    tab = opening.value
    faults.watch(tab)
    tab.get_by_role("button", name="Allow").wait_for()
    for _ in range(30):
        tab.keyboard.press("Tab")
        if tab.get_by_role("button", name="Allow").evaluate("element => element === document.activeElement"):
            break
    tab.keyboard.press("Enter")
    tab.locator("#token").wait_for()
    tab.close()
