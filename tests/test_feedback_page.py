"""The feedback page: its numbers are the report's, text of others is not markup, nobody's own words are on it."""

import csv
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import date

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.card.outcomes import Outcome
from cds_service.facts.logic import Truth
from cds_service.hooks.feedback import OVERRIDDEN, DayRange, FeedbackItem, Reason
from cds_service.installation import Installation
from cds_service.operations import feedback_report
from cds_service.settings.settings import Settings
from cds_service.store import feedback as stored
from cds_service.store import shown
from cds_service.store.database import Store, open_store
from cds_service.web import feedback_bars, feedback_page, feedback_words
from tests.browser import LOOKS, Look, accessible, easy_to_hit, fits, in_every_look, listening, words_stay_whole
from tests.made_up_feedback import CLIENT, DAY, at, fill
from tests.shipped import PUBLIC_URL, TODAY, library
from tests.test_pages import Page

TITLES = {policy.id: policy.title for policy in library().policies}
FIRST = library().policies[0].id
ANY = DayRange()


def application(store: Store):
    return create_app(Settings(), library(), PUBLIC_URL, lambda: TODAY, Installation(store=store, workbench=True))


@pytest.fixture
def empty(tmp_path) -> Iterator[Store]:
    with closing(open_store(None, tmp_path)) as opened:
        yield opened


@pytest.fixture
def client(empty) -> FlaskClient:
    return application(empty).test_client()


def report_of(store: Store, days: DayRange = ANY) -> feedback_report.FeedbackReport:
    return feedback_report.report(days, stored.kept(store, days), shown.counts(store, days), library().reason_label)


def rows_of(html: str, kind: str) -> list[list[str]]:
    """The cells of the body rows of the tables of a class, without rows that head a group."""
    tables = re.findall(rf'<table class="stack {kind}">.*?</table>', html, re.DOTALL)
    rows = [row for table in tables for row in re.findall(r"<tr>(.*?)</tr>", table.partition("</thead>")[2], re.DOTALL)]
    return [[Page(cell).text for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]


def cells(row: feedback_report.Rates) -> list[str]:
    numbers = ["-" if row.shown is None else row.shown, row.answered, row.accepted, row.overridden]
    return [*map(str, numbers), feedback_report.percent(row.accept_rate), feedback_report.percent(row.override_rate)]


# --- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "days"),
    [("", ANY), ("?since=2026-11-10&until=2026-11-12", DayRange(date(2026, 11, 10), date(2026, 11, 12)))],
    ids=["all days", "three days"],
)
def test_the_tables_hold_the_numbers_of_the_report(client, empty, asked, days):
    fill(empty)
    stored.save(empty, [FeedbackItem("of-another", OVERRIDDEN, at(date(2026, 11, 11)))], CLIENT, at(DAY))
    found = report_of(empty, days)
    assert found.policies[0].accepted
    html = client.get(f"/feedback{asked}").text
    by_statement = [[feedback_bars.title_of(row.policy, TITLES), *cells(row)] for row in found.policies]
    by_what_was_said = [[feedback_bars.said(row), *cells(row)] for row in found.outcomes]
    assert rows_of(html, "rates") == by_statement + by_what_was_said
    assert rows_of(html, "counted") == [
        [name, feedback_bars.title_of(policy, TITLES), str(number)]
        for policy, name, number in (*found.reasons, *found.suggestions)
    ]


def test_fewer_days_have_fewer_numbers(client, empty):
    fill(empty)
    assert client.get("/feedback").text != client.get("/feedback?since=2026-11-10").text
    page = Page(client.get("/feedback?since=2026-11-10").text)
    assert [field.get("value") for field in page.named("input")] == ["2026-11-10", ""]
    assert "Counted here: days from 2026-11-10." in page.text
    assert "./feedback.csv?since=2026-11-10&until=" in page.attributes("href")


def test_the_bars_are_the_rates_and_say_so_in_words(empty):
    fill(empty)
    found = report_of(empty)
    for row, bar in zip(found.policies, feedback_bars.by_statement(found, TITLES), strict=True):
        accepted, overridden = bar.segments
        assert (accepted.kind, overridden.kind) == ("accepted", "overridden")
        assert accepted.start == "0.00%"
        assert accepted.width == overridden.start
        assert float(accepted.width[:-1]) == pytest.approx(100 * (row.accept_rate or 0), abs=0.01)
        assert float(overridden.width[:-1]) == pytest.approx(100 * (row.override_rate or 0), abs=0.01)
        assert bar.number == (
            f"{row.accepted} accepted ({feedback_report.percent(row.accept_rate)}), "
            f"{row.overridden} overridden ({feedback_report.percent(row.override_rate)})"
        )


def test_reasons_are_shares_of_what_was_overridden_of_their_statement(empty):
    fill(empty)
    found = report_of(empty)
    for group, row in zip(feedback_bars.by_reason(found, TITLES), found.policies, strict=True):
        assert group.title == TITLES[row.policy]
        widths = [float(segment.width[:-1]) for bar in group.bars for segment in bar.segments]
        assert sum(widths) == pytest.approx(100, abs=0.05)
        assert all(f" of {row.overridden} (" in bar.number for bar in group.bars)
        assert {segment.kind for bar in group.bars for segment in bar.segments} == {"overridden"}


def test_every_bar_has_its_number_as_text_and_as_its_alternative(client, empty):
    fill(empty)
    page = Page(client.get("/feedback").text)
    named = [attributes["aria-label"] for attributes in page.named("svg") if attributes.get("role") == "img"]
    assert len(named) > 12
    assert all(page.text.count(str(number)) for number in named)
    assert "no feedback" in named


def test_there_are_words_for_everything_that_a_card_can_say():
    earlier = {truth.value for truth in Truth} | {"pathway", "ask"}
    assert {outcome.value for outcome in Outcome} | {"late"} | earlier == set(feedback_words.SAYS)


# --- text of others --------------------------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script><b onclick='x'>\"&amp;\u202e"
WORDS = "Mrs Example prefers to wait"


def test_text_of_others_is_counted_and_a_users_own_words_are_nowhere(client, empty):
    fill(empty)
    item = FeedbackItem(f"{FIRST}-met-41", OVERRIDDEN, at(DAY), reason=Reason("x", "", HOSTILE), comment=WORDS)
    # A code of ours under a system of others, and one of theirs without a system.
    theirs = FeedbackItem(f"{FIRST}-met-40", OVERRIDDEN, at(DAY), reason=Reason("clinical-judgement", "urn:x", WORDS))
    unknown = FeedbackItem("card-x", "accepted", at(DAY), (HOSTILE,))
    stored.save(empty, [item, theirs, unknown], CLIENT, at(DAY))
    html = client.get("/feedback").text
    page = Page(html)
    assert [attrs["src"] for attrs in page.named("script")] == ["./static/theme.js"]
    assert not page.named("b")
    found = report_of(empty)
    assert (FIRST, feedback_report.OTHER_REASON, 2) in found.reasons
    assert (feedback_report.UNKNOWN, feedback_report.OTHER_SUGGESTION, 1) in found.suggestions
    assert "other reason" in page.text
    for answer in (html, client.get("/feedback.csv").text, feedback_report.table(found)):
        assert WORDS not in answer
        assert "alert" not in answer
        assert "\u202e" not in answer


def test_the_page_runs_no_foreign_script_calls_nobody_and_its_form_asks_us_alone(client):
    policy = client.get("/feedback").headers["Content-Security-Policy"]
    assert "form-action 'self'" in policy
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "connect-src" not in policy
    assert "unsafe" not in policy


# --- nothing yet, wrong days -----------------------------------------------------------------------------------------


def test_an_empty_page_says_what_to_do(client):
    text = Page(client.get("/feedback").text).text
    assert "No card was shown and no feedback came" in text
    assert "ask the EHR vendor to turn it on" in text
    assert "open a synthetic patient" in text


def test_cards_without_feedback_are_no_empty_page(client, empty):
    shown.record(
        empty, [shown.Shown(card="c", client=CLIENT, policy=FIRST, edition="1", outcome="met", service="s", day=DAY)]
    )
    text = Page(client.get("/feedback").text).text
    assert "no feedback" in text
    assert "let its vendor" not in text
    assert "Why cards were overridden" not in text


@pytest.mark.parametrize(
    ("asked", "faults"),
    [
        ("since=yesterday", ["since must be a day such as 2026-11-25, or be left out."]),
        ("until=2026-02-30", ["until must be a day such as 2026-11-25, or be left out."]),
        ("since=20261101", ["since must be a day such as 2026-11-25, or be left out."]),
        ("since=2026-W45-1", ["since must be a day such as 2026-11-25, or be left out."]),
        (
            "since=x&until=%3Cb%3E",
            [
                "since must be a day such as 2026-11-25, or be left out.",
                "until must be a day such as 2026-11-25, or be left out.",
            ],
        ),
        ("since=2026-11-02&until=2026-11-01", ["until is a day before since; the first day comes first."]),
    ],
)
def test_days_that_cannot_be_used_are_a_400_that_says_why_and_repeats_nothing(client, empty, asked, faults):
    fill(empty)
    answer = client.get(f"/feedback?{asked}")
    assert answer.status_code == 400
    assert all(fault in Page(answer.text).text for fault in faults)
    assert "<table" not in answer.text
    assert "yesterday" not in answer.text
    as_csv = client.get(f"/feedback.csv?{asked}")
    assert as_csv.status_code == 400
    assert as_csv.get_json()["issue"][0]["diagnostics"] == " ".join(faults)


@pytest.mark.parametrize(
    ("given", "days"),
    [
        ({}, ANY),
        ({"since": "", "until": " "}, ANY),
        ({"since": "2026-11-01", "until": "2026-11-01"}, DayRange(date(2026, 11, 1), date(2026, 11, 1))),
        ({"until": "2026-11-01", "other": "x"}, DayRange(None, date(2026, 11, 1))),
    ],
)
def test_days_may_be_left_out(given, days):
    assert feedback_page.days_of(given) == (days, [])


# --- as a file -------------------------------------------------------------------------------------------------------


def test_the_csv_is_that_of_the_command_line(client, empty):
    fill(empty)
    answer = client.get("/feedback.csv?since=2026-11-10")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="feedback.csv"'
    assert answer.get_data(as_text=True) == feedback_report.as_csv(report_of(empty, DayRange(date(2026, 11, 10))))
    rows = list(csv.DictReader(answer.get_data(as_text=True).splitlines()))
    assert {row["table"] for row in rows} == {"policy", "outcome", "reason", "suggestion"}


def test_without_the_page_no_page_links_to_it(client):
    bare = create_app(Settings(), library(), PUBLIC_URL, lambda: TODAY).test_client()
    assert bare.get("/feedback").status_code == 404
    assert "feedback" not in Page(bare.get("/policies").text).attributes("href")
    assert "./feedback" not in set(Page(bare.get("/policies").text).attributes("href"))
    assert "./feedback" in set(Page(client.get("/policies").text).attributes("href"))


# --- in a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with closing(open_store(None, tmp_path_factory.mktemp("store"))) as store:
        fill(store)
        stored.save(store, [FeedbackItem("of-another", OVERRIDDEN, at(DAY))], CLIENT, at(DAY))
        with listening(application(store)) as served:
            yield served


@pytest.mark.parametrize("asked", ["", "?since=2020-01-01&until=2020-12-31"], ids=["full", "empty"])
def test_the_page_has_no_barrier_and_does_not_scroll_sideways(page, address, asked):
    page.goto(f"{address}/feedback{asked}")

    def sound(look: Look) -> None:
        fits(page)
        words_stay_whole(page)
        easy_to_hit(page)
        accessible(page, structure=look.scheme == "light")

    in_every_look(page, LOOKS, sound)


def test_wrong_days_are_reported_without_a_barrier(page, faults, address):
    page.goto(f"{address}/feedback?since=x")
    faults.expect("status 400")
    faults.expect("console error: Failed to load resource")
    accessible(page)


def test_days_are_chosen_with_the_keyboard_and_the_numbers_follow(page, address):
    page.goto(f"{address}/feedback")
    before = page.locator(".rates td").first.inner_text()
    page.get_by_label("Since").fill("2026-11-10")
    page.get_by_label("Since").press("Enter")
    page.wait_for_url("**/feedback?since=2026-11-10&until=")
    assert int(page.locator(".rates td").first.inner_text()) < int(before)
    page.get_by_role("link", name="All days").click()
    assert page.locator(".rates td").first.inner_text() == before


def test_what_is_overridden_is_hatched(page, address):
    page.goto(f"{address}/feedback")
    filled = page.evaluate("[...document.querySelectorAll('.bar rect')].map(part => getComputedStyle(part).fill)")
    assert len(set(filled)) == 2
    assert any("#hatched" in fill for fill in filled)


def test_the_numbers_are_saved_as_a_file(page, address):
    page.goto(f"{address}/feedback")
    with page.expect_download() as download:
        page.get_by_role("link", name="These numbers as CSV").click()
    assert download.value.suggested_filename == "feedback.csv"
    assert download.value.path().read_text().startswith("table,policy,name,shown")


def test_on_paper_the_bars_keep_their_patterns(page, address):
    page.goto(f"{address}/feedback")
    page.emulate_media(media="print")
    assert not page.locator(".days").is_visible()
    assert page.locator(".bar").first.is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.bar')).printColorAdjust") == "exact"
