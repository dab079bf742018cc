"""The workbench in a real browser: the clinician's story and the developer's, hostile charts, accessibility."""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from cds_service.hooks.feedback import KeptFeedback
from tests.browser import (
    LOOKS,
    PANEL_LOOKS,
    PANEL_LOOKS_IN_BOTH_THEMES,
    WIDTHS,
    Look,
    accessible,
    accessible_in_both_themes,
    easy_to_hit,
    fits,
    in_every_look,
    words_stay_whole,
)
from tests.shipped import example, library
from tests.workbench_page import (
    OPENED,
    SELECTED,
    SIGNED,
    Workbench,
    dismiss,
    draft,
    focus,
    focus_on,
    last_answer,
    moment,
    open_chart,
    paste,
    reason_of,
    served_workbench,
    signed,
)

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PREFIX = "/guidance"
# The theme changes nothing but colors (tests/test_browser.py). The stories from the order to the accepted card, by
# mouse and by keyboard, run in dark too, which shows that it works there.


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    with served_workbench(tmp_path_factory.mktemp("workbench"), PREFIX) as served:
        yield served


# --- the clinician ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", PANEL_LOOKS_IN_BOTH_THEMES, ids=str)
def test_a_clinician_signs_takes_the_suggestion_signs_again_and_dismisses_the_second_card(page, workbench, look):
    page.goto(workbench.address)
    assert "A card beside the order" in page.locator(".lead").inner_text()
    page.get_by_role("link", name="Open the chart of").click()
    moment(page, OPENED).wait_for()
    assert page.locator("#patient-name").inner_text().startswith("Rosalind Achterberg")
    assert page.locator(":focus").get_attribute("id") == "patient-name"
    for words in ("Dysfunction of lumbar multifidus muscle", "Oswestry disability index score", "Example Mutual"):
        assert words in page.locator("#chart").inner_text()

    first = signed(page)
    card = first.locator(".advice")
    assert card.count() == 1
    assert "Information" in card.locator(".indicator").inner_text()
    assert "6 of 8 FDA label criteria need documentation" in card.locator("h4").inner_text()
    assert "6 of 8" in page.locator("#announcements").text_content()
    uuid_of_first = last_answer(page)["cards"][0]["uuid"]

    card.get_by_role("button", name="Add order: generator").click()
    card.locator(".outcome").filter(has_text="Feedback stored").wait_for()
    added = draft(page, "Added by a card")
    assert "CPT 64590" in added.inner_text()
    assert page.locator("#orders .order").count() == 2

    second = signed(page)
    assert draft(page, "Added by a card").count() == 0
    assert second.locator(".suggestions").count() == 0
    assert page.locator(".earlier summary").inner_text() == "Earlier in this visit (2)"
    uuid_of_second = last_answer(page)["cards"][0]["uuid"]
    assert uuid_of_second != uuid_of_first
    dismiss(second, "documented outside this chart", "in the paper chart <b>of</b> the clinic")
    assert "Dismissed: " in second.locator(".outcome").inner_text()
    assert "<b>of</b>" in second.locator(".outcome").inner_text()
    assert page.locator(":focus").get_attribute("class") == "outcome"

    told = {item.card: item for item in workbench.feedback()}
    accepted, overridden = told[uuid_of_first], told[uuid_of_second]
    assert accepted.outcome == "accepted"
    assert "generator" in accepted.suggestions[0]
    assert overridden.outcome == "overridden"
    assert overridden.reason is not None
    assert overridden.reason.code == "documented-outside-chart"
    assert overridden.comment == "in the paper chart <b>of</b> the clinic"
    assert overridden.policy == "isass-restorative-neurostimulation-2023"
    reported(page, overridden)


@pytest.mark.parametrize("look", PANEL_LOOKS, ids=str)
def test_a_clinician_writes_an_order_by_its_name_and_takes_the_code_that_the_card_offers(page, workbench, look):
    """The other statement: an order of the clinician's own, with a side; an update shows what it changed."""
    open_chart(page, workbench.address, "joint-all-documented")
    existing = page.locator("#orders .order").first
    existing.get_by_text("Change", exact=True).click()
    existing.get_by_role("button", name="Remove order").click()
    assert "No draft order" in page.locator("#orders").inner_text()

    page.get_by_text("Add an order").click()
    page.get_by_label("Procedure").select_option(label="by name, without a code")
    page.get_by_label("Order name").fill("Minimally invasive sacroiliac joint fusion")
    page.locator("#add-reason").select_option(index=reason_of(page, "Sacroiliitis"))
    page.locator("#add-site").fill("Right sacroiliac joint")
    page.get_by_role("button", name="Add order").click()
    assert "Added by you" in page.locator("#orders .order").inner_text()

    card = signed(page).locator(".advice")
    assert "SI joint fusion, right" in card.locator("h4").inner_text()
    card.get_by_role("button", name="27279").click()
    card.locator(".outcome").filter(has_text="Feedback stored").wait_for()
    changed = draft(page, "Changed by a card")
    assert changed.locator("ins").inner_text().startswith("CPT 27279")
    assert "Right sacroiliac joint" in changed.inner_text()

    second = signed(page)
    assert page.locator("#orders ins").count() == 0
    assert second.locator(".suggestions").count() == 0
    uuid = last_answer(page)["cards"][0]["uuid"]
    dismiss(second, "authorization", "")
    *_, told = [item for item in workbench.feedback() if item.card == uuid]
    assert (told.outcome, told.comment) == ("overridden", None)
    assert told.policy == "isass-si-joint-fusion-2020"
    reported(page, told)


def reported(page: "Page", told: KeptFeedback) -> None:
    """The feedback page counts it, under its statement and its reason."""
    page.get_by_role("link", name="Feedback", exact=True).click()
    page.get_by_role("link", name="Feedback from the workbench").click()
    page.get_by_role("heading", name="By statement").wait_for()
    words = page.locator("main").inner_text()
    assert next(policy.title for policy in library().policies if policy.id == told.policy) in words
    assert told.reason is not None
    assert told.reason.display in words


def test_a_question_is_answered_by_changing_the_order(page, workbench):
    """Which joint? The card asks; the side is written into the draft; the next card judges."""
    open_chart(page, workbench.address, "joint-without-a-side")
    asked = signed(page).locator(".advice h4").inner_text()
    order = page.locator("#orders .order").first
    order.get_by_text("Change", exact=True).click()
    order.get_by_label("Side and site").fill("Left sacroiliac joint")
    order.get_by_role("button", name="Change order").click()
    assert "Changed by you" in page.locator("#orders .order").first.inner_text()
    judged = signed(page).locator(".advice h4").inner_text()
    assert judged != asked
    assert "SI joint fusion, left" in judged


def test_select_asks_about_the_ticked_order_alone(page, workbench):
    open_chart(page, workbench.address, "order-select-leads")
    ticks = page.locator("#orders input[type=checkbox]")
    assert [tick.is_checked() for tick in ticks.all()] == [True, False]
    page.get_by_role("button", name="Select", exact=True).click()
    moment(page, SELECTED).locator(".advice").wait_for()
    sent = json.loads(page.locator("#request-text").input_value())
    assert sent["context"]["selections"] == example("order-select-leads")["context"]["selections"]


def test_silence_is_said_in_words(page, workbench):
    open_chart(page, workbench.address, "unrelated-order")
    assert "No card" in signed(page).inner_text()


def test_back_leads_to_the_list_and_another_patient_begins_afresh(page, workbench):
    open_chart(page, workbench.address, "all-met")
    signed(page)
    page.get_by_role("link", name="All patients").click()
    page.get_by_role("link", name=re.compile("Tindra Holloway")).click()
    moment(page, OPENED).wait_for()
    assert page.locator(".earlier").count() == 0
    assert "Warning" in signed(page).locator(".indicator").inner_text()
    page.go_back()
    page.locator("#list-view").wait_for()


def test_a_name_that_nobody_has_leads_to_the_list_with_a_sentence(page, workbench, faults):
    page.goto(f"{workbench.address}/#nobody")
    page.get_by_text("There is no patient 'nobody'").wait_for()
    assert page.locator("#list-view").is_visible()
    faults.expect("404")


@pytest.mark.parametrize("look", PANEL_LOOKS_IN_BOTH_THEMES, ids=str)
def test_the_whole_story_by_keyboard_alone(page, workbench, look):
    page.goto(workbench.address)
    focus(page, "link", "Open the chart of")
    page.keyboard.press("Enter")
    moment(page, OPENED).wait_for()
    focus(page, "button", "Sign")
    page.keyboard.press("Enter")
    moment(page, SIGNED).wait_for()
    focus(page, "button", "Add order: generator")
    page.keyboard.press("Space")
    page.locator("#cards > .moment .outcome").filter(has_text="Feedback stored").wait_for()
    focus(page, "button", "Undo")
    page.keyboard.press("Enter")
    assert page.locator("#orders .order").count() == 1
    focus(page, "button", "Dismiss card")
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.locator("#cards > .moment .outcome").filter(has_text="Dismissed").wait_for()
    focus(page, "button", "Show")
    page.keyboard.press("Enter")
    assert page.locator("#cards > .moment h4").is_visible()
    if page.locator("#developer").get_attribute("open") is None:
        focus_on(page, "#developer > summary")
        page.keyboard.press("Enter")
    focus(page, "tab", "Request")
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Response").get_attribute("aria-selected") == "true"
    assert page.locator("#panel-response").is_visible()


@pytest.mark.parametrize("look", PANEL_LOOKS, ids=str)
def test_an_order_is_written_and_its_card_answered_by_keyboard_alone(page, workbench, look):
    open_chart(page, workbench.address, "joint-all-documented")
    focus_on(page, "#orders .order summary")
    page.keyboard.press("Enter")
    focus(page, "button", "Remove order")
    page.keyboard.press("Enter")
    focus_on(page, "#add-order > summary")
    page.keyboard.press("Enter")
    focus_on(page, "#add-act")
    page.keyboard.press("End")
    focus_on(page, "#add-text")
    page.keyboard.type("Minimally invasive sacroiliac joint fusion")
    focus_on(page, "#add-reason")
    page.keyboard.type("Sacroiliitis")
    focus_on(page, "#add-site")
    page.keyboard.type("Right sacroiliac joint")
    focus(page, "button", "Add order")
    page.keyboard.press("Enter")
    assert page.locator(":focus").get_attribute("id") == "sign"
    page.keyboard.press("Enter")
    card = moment(page, SIGNED).locator(".advice")
    card.wait_for()
    focus_on(page, "#cards > .moment .take")
    page.keyboard.press("Enter")
    card.locator(".outcome").filter(has_text="Feedback stored").wait_for()
    assert "CPT 27279" in draft(page, "Changed by a card").inner_text()


# --- the developer ---------------------------------------------------------------------------------------------------


def send(page: "Page", text: str) -> "Locator":
    """Writes a request, sends it, and gives what the page says of the answer."""
    page.get_by_role("tab", name="Request").click()
    page.locator("#request-text").fill(text)
    page.get_by_role("button", name="Resend").click()
    verdict = page.locator("#panel-response .verdict")
    verdict.wait_for()
    return verdict


def test_a_developer_edits_a_request_resends_it_and_reads_the_refusal_in_words(page, workbench, faults):
    open_chart(page, workbench.address, "typical-gaps")
    signed(page)
    body = json.loads(page.locator("#request-text").input_value())
    assert body["fhirServer"] == f"{workbench.address}/workbench/fhir/typical-gaps"
    assert "order-sign: 200, 1 card" in page.locator("#developer-line").inner_text()
    del body["hookInstance"]
    said = send(page, json.dumps(body)).inner_text()
    assert "Status 400" in said
    assert "hookInstance is required but missing" in said
    assert "Where: hookInstance" in said
    assert "The call was refused (400)" in page.locator("#cards > .moment").inner_text()
    page.get_by_role("tab", name="Check").click()
    findings = page.locator("#panel-check table").first
    findings.wait_for()
    assert "hookInstance is required but missing" in findings.inner_text()
    faults.expect("400")


def test_the_service_is_matched_again_for_each_request(page, workbench, faults):
    """A paste that cannot be read leaves no guess behind: the next request goes where its own hook leads."""
    page.goto(workbench.address)
    page.locator("#developer summary").first.click()
    send(page, "{ not JSON")
    assert page.locator("#request-service").input_value() == ""
    assert "This is not JSON" in page.locator("#request-target").inner_text()
    body = example("typical-gaps")
    for hook in ("order-sign", "order-select"):
        body["hook"] = hook
        body["context"]["selections"] = []
        send(page, json.dumps(body))
        assert f"coverage-guidance-{hook}, which answers {hook}" in page.locator("#request-target").inner_text()
        assert f"coverage-guidance-{hook}: 200" in page.locator("#developer-line").inner_text()
    page.get_by_role("tab", name="Request").click()
    page.get_by_label("Service", exact=True).select_option("coverage-guidance-order-sign")
    assert "as chosen" in page.locator("#request-target").inner_text()
    faults.expect("400")


def test_the_check_says_what_passed_and_what_the_service_could_not_use(page, workbench):
    body = example("typical-gaps")
    for entry in body["prefetch"]["condition"]["entry"]:
        del entry["resource"]["subject"]
    page.goto(workbench.address)
    page.locator("#developer summary").first.click()
    send(page, json.dumps(body))
    page.get_by_role("tab", name="Check").click()
    panel = page.locator("#panel-check")
    panel.locator(".delivery").wait_for()
    assert "The service cannot use any of the" in panel.locator(".findings").first.inner_text()
    row = panel.locator(".delivery tr").filter(has_text="Condition")
    assert "names no patient" in row.inner_text()
    panel.locator("summary").filter(has_text="checks passed").first.click()
    passed = panel.locator(".passed").first.inner_text()
    assert "The service accepts the call" in passed
    assert "counts for this patient" not in passed
    accessible(page)


@pytest.mark.parametrize(
    ("pasted", "words"),
    [
        ('{"hook": "order-sign",', "The body is not JSON"),
        ('{"hook": "order-sign"}', "hookInstance is required"),
        (
            json.dumps({"hook": "order-sign", "hookInstance": "1", "context": {"patientId": "p", "draftOrders": {}}}),
            "The service understood and answered the call",
        ),
    ],
    ids=["cut off", "nothing in it", "read liberally"],
)
def test_a_request_pasted_without_a_patient_is_sent_as_it_is(page, workbench, faults, pasted, words):
    page.goto(workbench.address)
    page.locator("#developer summary").first.click()
    assert words in send(page, pasted).inner_text()
    assert page.locator("#request-text").input_value() == pasted
    if "understood" not in words:
        faults.expect("400")


def test_what_the_record_does_not_send_is_fetched_and_the_prefetch_tab_says_so(page, workbench):
    open_chart(page, workbench.address, "typical-gaps")
    details = {}
    for mode in ("full", "lean", "none"):
        page.locator(f'input[name="mode"][value="{mode}"]').check()
        details[mode] = signed(page).locator(".detail").inner_text()
        page.get_by_role("tab", name="Prefetch").click()
        shown = page.locator("#panel-prefetch").inner_text()
        assert ("fetched by the service" in shown) == (mode != "full")
        sent = json.loads(page.locator("#request-text").input_value()).get("prefetch", {})
        assert (
            set(sent)
            == {"full": set(library().prefetch_templates), "lean": {"patient", "coverage"}, "none": set()}[mode]
        )
    assert details["full"] == details["lean"] == details["none"]
    page.get_by_role("tab", name="Timing").click()
    assert "evaluate the statements" in page.locator("#panel-timing").inner_text()
    page.get_by_role("tab", name="Check").click()
    page.locator("#panel-check h3").first.wait_for()
    assert "✕" not in page.locator("#panel-check").inner_text()
    assert "checks passed" in page.locator("#panel-check").inner_text()


def test_the_call_can_be_copied_as_curl(chromium, workbench, page):
    open_chart(page, workbench.address, "unrelated-order")
    signed(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=workbench.address)
    page.get_by_role("button", name="Copy as curl").click()
    page.get_by_role("button", name="Copied").wait_for()
    line = page.evaluate("navigator.clipboard.readText()")
    assert line.startswith(f"curl -sS {workbench.address}/cds-services/coverage-guidance-order-sign ")
    assert json.loads(line.partition("\n")[2].rpartition("\nREQUEST")[0])["hook"] == "order-sign"


# --- a Bundle of one's own, and hostile text -------------------------------------------------------------------------


def test_a_bundle_that_is_pasted_is_one_more_patient_and_gets_its_card(page, workbench):
    request = example("typical-gaps")
    entries = [
        entry for value in request["prefetch"].values() if value for entry in value.get("entry", [{"resource": value}])
    ]
    entries += request["context"]["draftOrders"]["entry"]
    paste(page, workbench.address, {"resourceType": "Bundle", "type": "collection", "entry": entries})
    moment(page, OPENED).wait_for()
    assert page.locator("#patient-name").inner_text().startswith("Rosalind Achterberg")
    assert "label criteria" in signed(page).locator("h4").inner_text()
    assert page.locator('input[name="mode"][value="none"]').is_disabled()
    page.reload()
    page.get_by_text("This page has forgotten that patient").wait_for()
    assert page.locator("#own-patients li").count() == 0


DROPPED = """content => {
  const carried = new DataTransfer();
  carried.items.add(new File([content], 'chart.json', {type: 'application/json'}));
  document.body.dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: carried}));
}"""


@pytest.mark.parametrize("way", ["dropped", "chosen"])
def test_a_bundle_in_a_file_is_opened_too(page, workbench, tmp_path, way):
    bundle = {"resourceType": "Bundle", "entry": [{"resource": example("typical-gaps")["prefetch"]["patient"]}]}
    page.goto(workbench.address)
    page.wait_for_load_state("networkidle")
    if way == "dropped":
        page.evaluate(DROPPED, json.dumps(bundle))
    else:
        path = tmp_path / "chart.json"
        path.write_text(json.dumps(bundle))
        page.locator("#bundle-file").set_input_files(path)
    moment(page, OPENED).wait_for()
    assert "No problem in chart" in page.locator("#chart").inner_text()
    page.get_by_role("link", name="All patients").click()
    assert "chart.json: 1 record" in page.locator("#own-patients").inner_text()


@pytest.mark.parametrize(
    ("bundle", "words"),
    [
        ("{", "This is not JSON"),
        ({"resourceType": "Bundle", "entry": [{}]}, "entry[0].resource must be a FHIR resource"),
    ],
    ids=["no JSON", "no resource"],
)
def test_a_bundle_that_is_refused_says_what_and_where(page, workbench, faults, bundle, words):
    paste(page, workbench.address, bundle)
    page.locator("#bundle-problem .notice").wait_for()
    assert words in page.locator("#bundle-problem").inner_text()
    if bundle != "{":
        faults.expect("422")


HOSTILE = [
    "<script>document.title='taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    "<iframe srcdoc=\"<script>parent.document.title='taken'</script>\"></iframe>",
    "[click](javascript:document.title='taken') **bold** | cell | `code`",
    "![x](https://evil.example/track.png)",
    "</textarea></script><h1>heading</h1>",
    "{{ 7*7 }} ${7*7}",
    "\u202egnitirw \u2067desrever\u2069",
    "x" * 10_000,
    "\u0000\u0007 control",
    "__proto__",
]


def hostile_bundle() -> dict:
    """A chart in which every text is hostile, for a patient whose order is recognized all the same."""
    me = {"reference": "Patient/p"}
    resources: list[dict] = [
        {
            "resourceType": "Patient",
            "id": "p",
            "birthDate": "1970-01-01",
            "name": [{"text": HOSTILE[0]}],
            "gender": HOSTILE[1],
        },
    ]
    for place, text in enumerate(HOSTILE):
        code = {"text": text, "coding": [{"system": text, "code": text, "display": text}]}
        resources += [
            {"resourceType": "Condition", "id": f"c{place}", "subject": me, "code": code, "recordedDate": text},
            {"resourceType": "Observation", "id": f"o{place}", "subject": me, "code": code, "valueString": text},
            {"resourceType": "Procedure", "id": f"p{place}", "subject": me, "code": code, "bodySite": [{"text": text}]},
            {"resourceType": "MedicationRequest", "id": f"m{place}", "subject": me, "medicationCodeableConcept": code},
            {"resourceType": "DiagnosticReport", "id": f"d{place}", "subject": me, "code": code, "conclusion": text},
            {"resourceType": "Coverage", "id": f"v{place}", "beneficiary": me, "payor": [{"display": text}]},
            {"resourceType": text, "id": text},
            {
                "resourceType": "QuestionnaireResponse",
                "id": f"q{place}",
                "subject": me,
                "questionnaire": text,
                "item": [{"linkId": text, "text": text, "answer": [{"valueString": text}]}],
            },
        ]
    codings = [{"system": "http://www.ama-assn.org/go/cpt", "code": "64555"}]
    reason = {
        "text": HOSTILE[2],
        "coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "M62.85", "display": HOSTILE[3]}],
    }
    resources += [
        {
            "resourceType": "ServiceRequest",
            "id": "s",
            "status": "draft",
            "intent": "order",
            "subject": me,
            "code": {"text": HOSTILE[1], "coding": codings},
            "reasonCode": [reason, {"text": HOSTILE[8]}],
            "bodySite": [{"text": HOSTILE[5]}],
        },
        {"resourceType": "Condition", "id": "shape", "subject": 7, "code": [1, {"text": []}]},
        {"resourceType": "Observation", "id": "shape", "code": "text", "component": {"a": 1}, "valueQuantity": "x"},
    ]
    return {"resourceType": "Bundle", "entry": [{"resource": item} for item in resources]}


@pytest.mark.parametrize("look", [Look(320), Look(1440)], ids=str)
def test_a_chart_full_of_hostile_strings_changes_nothing(page, workbench, look):
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    paste(page, workbench.address, hostile_bundle())
    moment(page, OPENED).wait_for()
    card = signed(page)
    assert card.locator(".advice").count() == 1
    assert "<script>" in page.locator("#patient-name").inner_text()
    assert page.title().endswith(": cds-service workbench")
    assert page.locator("main :is(script, iframe, img, style, object, embed, form[action])").count() == 0
    assert page.locator("main h1").count() == 2
    links = page.locator("#chart-view a, #panel-response a").evaluate_all("all => all.map(link => link.href)")
    assert all(link.startswith(("http://127.0.0.1", "https://doi.org/")) for link in links), links
    page.evaluate("document.querySelectorAll('details').forEach(closed => { closed.open = true; })")
    fits(page)


# --- nobody kept out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/services"])
def test_the_list_and_the_services_have_no_barrier_and_do_not_scroll_sideways(page, workbench, path):
    page.goto(workbench.address + path)
    page.evaluate("document.querySelectorAll('details').forEach(closed => { closed.open = true; })")

    def sound(look: Look) -> None:
        fits(page)
        words_stay_whole(page)
        easy_to_hit(page)
        accessible(page, structure=look.scheme == "light")

    in_every_look(page, LOOKS, sound)


@pytest.mark.parametrize("look", [*map(Look, WIDTHS)], ids=str)
def test_a_signed_order_has_no_barrier_and_does_not_scroll_sideways(page, workbench, look):
    open_chart(page, workbench.address, "typical-gaps")
    signed(page)
    page.get_by_role("button", name="Dismiss card").click()
    page.evaluate("document.querySelectorAll('details').forEach(closed => { closed.open = true; })")
    fits(page)
    words_stay_whole(page)
    easy_to_hit(page)
    accessible_in_both_themes(page, look)
    for tab in ("Response", "Prefetch", "Timing", "Check"):
        page.get_by_role("tab", name=tab).click()
        page.locator(f"#panel-{tab.lower()} :is(pre, table, h3)").first.wait_for()
        fits(page)
    accessible(page, colors=False)


def test_it_works_behind_a_path_of_its_own(page, workbench):
    open_chart(page, f"{workbench.address}{PREFIX}", "typical-gaps")
    page.locator('input[name="mode"][value="none"]').check()
    assert "6 of 8" in signed(page).locator("h4").inner_text()
    assert f"{PREFIX}/workbench/fhir/" in page.locator("#request-text").input_value()
