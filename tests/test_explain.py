"""``explain``: the evidence page of a call as text, and the same findings as an object for programs."""

import json
import re
from datetime import datetime

import pytest

from cds_service.card.evidence_page import evidence_page, page_words
from cds_service.card.evidence_sources import rule_set_part
from cds_service.commands import terminal_page
from cds_service.web.evidence_view import view
from tests.shipped import answers, example
from tests.test_commands import run


def test_explain_prints_the_public_object():
    request = run("example", "typical-gaps", "--today", "2026-11-23").output
    explained = json.loads(run("explain", "-", "--json", "--today", "2026-11-23", given=request).output)
    assert explained.keys() == {"today", "policies", "response"}
    (policy,) = explained["policies"]
    assert policy["outcome"] == "gaps"
    assert policy.keys() == {"id", "order", "outcome", "route", "delivery", "payer", "verdicts", "criteria", "review"}
    assert policy["order"].startswith("ServiceRequest/")
    assert [verdict["id"] for verdict in policy["verdicts"]] == [
        "labelled-indication",
        "studied-population",
        "payer-position",
    ]
    for verdict in policy["verdicts"]:
        counted = {"criteria", "met", "by_attestation"} if verdict["id"] != "payer-position" else set()
        assert verdict.keys() == {"id", "title", "truth"} | counted
        assert verdict["truth"] in ("met", "not-met", "unknown", "not-applicable")
    assert len(policy["criteria"]) == 18
    for criterion in policy["criteria"]:
        assert criterion.keys() == {
            *("id", "title", "truth", "reason", "evidence", "contrary", "not_counted", "source"),
        }
        assert criterion["truth"] in ("met", "not-met", "unknown")
        assert (criterion["truth"] == "met") == (criterion["reason"] == "")
        for evidence in criterion["evidence"]:
            assert evidence.keys() - {"remark"} == {"reference", "display", "value", "date"}
    assert len(explained["response"]["cards"]) == 1


def test_explain_can_check_the_resources_against_their_models():
    request = run("example", "broken-resources", "--today", "2026-11-23").output
    told = run("explain", "-", "--validate", "--today", "2026-11-23", given=request).stderr
    assert "FHIR: Condition/code-is-a-word: code" in told
    request = run("example", "all-met", "--today", "2026-11-23").output
    assert run("explain", "-", "--validate", "--today", "2026-11-23", given=request).stderr == ""


def test_explain_on_patient_view_has_no_order():
    request = run("example", "patient-view-multifidus", "--today", "2026-11-23").output
    explained = json.loads(run("explain", "-", "--json", "--today", "2026-11-23", given=request).output)
    assert explained["policies"][0]["order"] is None
    assert "suggestions" not in explained["response"]["cards"][0]


def explained_text(name, *arguments, width="100", **environment):
    request = run("example", name, "--today", "2026-11-23").output
    variables = {"COLUMNS": width, **environment}
    return run("explain", "-", "--today", "2026-11-23", *arguments, given=request, env=variables).output


def flat(text):
    return " ".join(text.split())


@pytest.mark.parametrize("name", ["typical-gaps", "conflicting-data", "joint-both-sides", "joint-typical-gaps"])
def test_explain_prints_all_that_the_evidence_page_shows(name):
    told = flat(explained_text(name))
    found = answers(example(name))
    (answer,) = [item for item in found if item.assessment is not None]
    part = rule_set_part(answer.policy)
    page = evidence_page(
        answer.assessment.decision,
        answer.assessment.chart,
        page_words(answer.assessment, answer.card["summary"]),
        card=answer.card["uuid"],
        digest=part["digest"],
        made=datetime(2026, 11, 23),
    )
    shown = view(page, part)
    words = [shown["summary"], shown["patient"], shown["orders"], shown["payers"], shown["note"], shown["about"]]
    words += [says for _, says in (*shown["checklist"], *shown["received"], *shown["codes"]["rows"])]
    for row in (row for rows in (shown["review"], *(group.rows for group in shown["groups"])) for row in rows):
        words += [row.title, *(text for _, text in row.lines), *row.checked, *row.wording]
    assert [text for text in words if flat(text) not in told] == []


def test_explain_puts_conflicts_and_gaps_first_and_the_card_last():
    text = explained_text("conflicting-data")
    first, criteria = text.index("Resolve first"), text.index("\nFDA label criteria\n")
    assert first < criteria < text.rindex("Restorative neurostimulation: conflicting records on pain onset")
    assert text[criteria:].index(": Conflict") < text[criteria:].index(": Met in chart")
    assert "☐ Exam or MRI: multifidus finding" in explained_text("typical-gaps")
    assert "**" not in text


def test_explain_wraps_to_the_width_of_the_terminal():
    for width in (60, 100):
        lines = explained_text("typical-gaps", width=str(width)).splitlines()
        assert width - 12 < max(map(len, lines)) <= width
        assert not [line for line in lines if line != line.rstrip()]


def test_explain_has_colors_only_where_they_are_wanted():
    color, style = "\x1b[33m", "\x1b["
    assert style not in explained_text("typical-gaps")
    colored = explained_text("typical-gaps", FORCE_COLOR="1", TERM="xterm-256color")
    assert color in colored
    plain = explained_text("typical-gaps", FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1")
    assert color not in plain
    assert flat(re.sub(r"\x1b\[[\d;]*m", "", colored)) == flat(explained_text("typical-gaps"))


def test_explain_prints_no_control_character_and_no_markup_of_a_chart():
    request = json.loads(run("example", "typical-gaps", "--today", "2026-11-23").output)
    for value in request["prefetch"].values():
        for entry in (value or {}).get("entry", ()):
            if entry["resource"]["resourceType"] == "MedicationStatement":
                entry["resource"]["medicationCodeableConcept"]["text"] += " [bold red]x[/] \x1b]0;title\x07"
    text = run("explain", "-", "--today", "2026-11-23", given=json.dumps(request), env={"COLUMNS": "200"}).output
    assert "[bold red]x[/]" in text
    assert not {"\x1b", "\x07"} & set(text)


@pytest.mark.parametrize(
    ("name", "sentences"),
    [
        ("shared-code-asks", [terminal_page.IF_MEANT, "FDA label criteria"]),
        ("temporary-lead", [terminal_page.ROUTED.format(route="temporary")]),
        ("unrelated-order", [terminal_page.NO_POLICY]),
        ("patient-view-multifidus", ["no order", "if ordered"]),
    ],
)
def test_explain_says_what_there_is_where_nothing_was_decided(name, sentences):
    told = flat(explained_text(name))
    assert [sentence for sentence in sentences if sentence not in told] == []


@pytest.mark.parametrize(
    ("given", "words"),
    [("{", "is not JSON"), ("{}", "hook request"), ('{"hook": "order-sign"}', "hookInstance"), ("[]", "hook request")],
)
def test_explain_says_what_is_wrong_with_its_input(given, words):
    result = run("explain", "-", given=given)
    assert result.exit_code == 1
    assert words in result.output
