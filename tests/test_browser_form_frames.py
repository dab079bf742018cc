"""The form inside a page of the EHR, in a real browser over https: who may frame it, and what its cookie is there."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from flask import redirect, request

from tests.browser import LOOPBACK, accessible, fits, listening
from tests.form_ehr import BASE, FormEhr, registration
from tests.form_service import CONTEXT, Clock, form_app
from tests.serving import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, Route

LISTED, UNLISTED = "https://ehr.example", "https://other.example"
WITHOUT_COOKIES = "/without-cookies"
BLOCKED = "ERR_BLOCKED_BY_RESPONSE"


class FormSite(NamedTuple):
    """The service over https, and the EHR that it calls."""

    address: str
    ehr: FormEhr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FormSite]:
    port = free_port()
    ours = f"https://{LOOPBACK}:{port}"
    ehr = FormEhr(token={"appContext": CONTEXT})
    known = replace(registration(), redirect_uri=f"{ours}/smart/callback", frame_ancestors=(LISTED,))
    app = form_app(tmp_path_factory.mktemp("frames"), ehr, Clock(), known, ours)
    ehr.configuration = {"authorization_endpoint": f"{ours}/authorize"}

    @app.get("/authorize")
    def authorize() -> Any:
        """Signs every user in."""
        ehr.nonce = request.args["nonce"]
        return redirect(f"{request.args['redirect_uri']}?code=c&state={request.args['state']}")

    with listening(app, port, secure=True) as address:
        yield FormSite(address, ehr)


@pytest.fixture
def context(chromium: "Browser", site: FormSite) -> Iterator["BrowserContext"]:
    """A browser to which the EHR's page is handed, which frames the form."""
    launch = f"{site.address}/smart/launch?iss={BASE}&launch=abc"

    def page_of_ehr(route: "Route") -> None:
        # Sent here again, and without the cookie that it was given: a browser that keeps none.
        address = f"{launch}&framed=1" if route.request.url.endswith(WITHOUT_COOKIES) else launch
        frame = f'<iframe title="Form" src="{address}"></iframe>'
        route.fulfill(
            body=f'<!doctype html><html lang="en"><title>EHR</title><main><h1>Chart</h1>{frame}</main></html>',
            content_type="text/html",
        )

    with chromium.new_context(ignore_https_errors=True) as opened:
        opened.set_default_timeout(20_000)
        # The service is on this machine, and the EHR is made to look as if it were not.
        opened.grant_permissions(["local-network-access"])
        for origin in (LISTED, UNLISTED):
            opened.route(f"{origin}/**", page_of_ehr)
        yield opened


def framed(context: "BrowserContext", origin: str, path: str = "/chart") -> tuple["Page", "FrameLocator"]:
    page = context.new_page()
    page.goto(f"{origin}{path}")
    return page, page.frame_locator("iframe")


def test_a_page_of_a_listed_origin_shows_the_form_and_its_cookie_is_of_that_page_alone(context, site):
    _, form = framed(context, LISTED)
    form.locator("header.patient").wait_for()
    form.locator('[name="can-operate-device"][value="yes"]').check()
    form.get_by_role("button", name="Save draft").click()
    form.get_by_text("Draft saved in the EHR.").wait_for()
    (cookie,) = [one for one in context.cookies(site.address) if one["name"].startswith("__Host-form-")
                 and not one["name"].endswith("framed")]  # fmt: skip
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "None")
    assert cookie["partitionKey"] == LISTED
    # The same form in a window of its own has no such cookie.
    alone = context.new_page()
    answer = alone.goto(f"{site.address}/forms/{cookie['name'].removeprefix('__Host-form-')}")
    assert answer is not None
    assert answer.status == 404


def test_a_page_of_an_unlisted_origin_shows_nothing_of_the_form(context, site):
    with context.expect_event("requestfailed", lambda request: "/forms/" in request.url) as refused:
        _, form = framed(context, UNLISTED)
    assert BLOCKED in str(refused.value.failure)
    assert form.locator("header.patient").count() == 0


def test_where_a_frame_keeps_no_cookie_the_form_opens_in_a_window(context, site):
    page, form = framed(context, LISTED, WITHOUT_COOKIES)
    with context.expect_page() as opening:
        form.get_by_role("link", name="Open in a window").click()
    window = opening.value
    window.locator("header.patient").wait_for()
    assert window.evaluate("window.opener") is None
    accessible(page)
    fits(window)
