"""What is counted of documentation forms, and what the audit log says of them: who and on what, never an answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.documentation.recording import FormRecorder
from cds_service.documentation.writing import WriteRefusal
from cds_service.installation import Installation, names_of
from cds_service.operations.audit import AuditLog
from cds_service.operations.metric_list import FORM_EVENTS, FORM_REFUSALS, FORM_WRITES
from cds_service.operations.metrics import Metrics
from cds_service.trust.smart import WRITES
from tests.form_ehr import PATIENT, FormEhr
from tests.form_service import CONTEXT, POLICY, SIGNED, Clock, form_app, opened, page_of, posted, token_of
from tests.shipped import answers, example, library

ANSWERED = {"can-operate-device": "yes", "can-operate-device.basis-text": "canary-basis", "disability": "44"}
# What was typed, what the EHR calls the patient, and whose chart it is.
CANARIES = ("canary-basis", "Canary-Family", "Canary-Given", PATIENT, '"yes"', "44")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ehr() -> FormEhr:
    return FormEhr(token={"appContext": CONTEXT})


@pytest.fixture
def installation(tmp_path) -> Installation:
    audit = AuditLog(tmp_path / "audit", b"a key of the tests", None)
    return Installation(metrics=Metrics(names_of(library())), audit=audit)


@pytest.fixture
def browser(tmp_path, ehr, clock, installation) -> FlaskClient:
    return form_app(tmp_path, ehr, clock, installation=installation).test_client()


@pytest.fixture
def counted(installation) -> Callable[[str], float]:
    def read(sample: str) -> float:
        text = installation.metrics.exposition()[0].decode()
        found = [line for line in text.splitlines() if line.startswith(f"cds_service_{sample} ")]
        return float(found[0].rpartition(" ")[2]) if found else 0.0

    return read


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in (folder / "audit").glob("*") for line in path.read_text().splitlines()]


def sent(browser: FlaskClient, path: str, action: str, **more: str):
    token = token_of(browser, path)
    if action == "draft":
        return posted(browser, path, token, action="draft", **ANSWERED, **more)
    posted(browser, path, token, action="review", **ANSWERED, **SIGNED)
    return posted(browser, path, token, action="sign", **{"as": "QuestionnaireResponse"})


def test_a_signed_form_is_counted_and_its_line_says_who_answered_on_what(browser, ehr, clock, counted, tmp_path):
    path = opened(browser, ehr)
    page_of(browser, path)
    page_of(browser, path)
    clock.seconds += 90
    assert sent(browser, path, "sign").status_code == 200
    assert counted(f'forms_total{{event="opened",policy="{POLICY}"}}') == 1
    assert counted(f'forms_total{{event="signed",policy="{POLICY}"}}') == 1
    assert counted(f'form_minutes_sum{{policy="{POLICY}"}}') == 1.5
    assert counted(f'form_minutes_bucket{{le="2.0",policy="{POLICY}"}}') == 1
    (line,) = lines(tmp_path)
    told = {name: line[name] for name in ("kind", "event", "client", "user", "role", "forms", "criteria", "refused")}
    assert told == {
        "kind": "form",
        "event": "signed",
        "client": "general",
        "user": "Practitioner/dr-1",
        "role": SIGNED["role"],
        "forms": [f"{POLICY}|2023"],
        "criteria": ["disability", "can-operate-device"],
        "refused": {},
    }
    assert line["written"][0] == "QuestionnaireResponse"
    assert line["patient"] == AuditLog(tmp_path, b"a key of the tests", None).patient(PATIENT)


def test_a_refused_form_is_counted_by_its_kind_and_has_a_line(browser, ehr, counted, tmp_path):
    path = opened(browser, ehr)
    page_of(browser, path)
    ehr.answers["POST", "/QuestionnaireResponse"] = 403, {"resourceType": "OperationOutcome"}
    assert sent(browser, path, "sign").status_code == 502
    assert counted('form_writes_refused_total{kind="forbidden",type="QuestionnaireResponse"}') == 1
    assert counted(f'forms_total{{event="signed",policy="{POLICY}"}}') == 0
    assert counted(f'form_minutes_count{{policy="{POLICY}"}}') == 0
    (line,) = lines(tmp_path)
    assert (line["event"], line["written"], line["refused"]) == ("refused", [], {"QuestionnaireResponse": "forbidden"})


def test_a_draft_of_staff_names_only_the_criteria_that_staff_may_answer(browser, ehr, counted, tmp_path):
    path = opened(browser, ehr)
    page_of(browser, path)
    sent(browser, path, "draft", role="163W00000X")
    assert counted(f'forms_total{{event="draft",policy="{POLICY}"}}') == 1
    (line,) = lines(tmp_path)
    assert (line["event"], line["role"], line["criteria"]) == ("draft", "163W00000X", ["disability"])


@pytest.mark.parametrize("action", ["sign", "draft"])
@pytest.mark.parametrize("status", [201, 422])
def test_no_answer_and_nothing_of_a_patient_reaches_log_audit_or_metrics(
    browser, ehr, installation, tmp_path, capfd, action, status
):
    path = opened(browser, ehr)
    page_of(browser, path)
    if status != 201:
        told = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "canary-basis of Canary-Family"}]}
        ehr.answers["POST", "/QuestionnaireResponse"] = status, told
    sent(browser, path, action)
    text = "".join(file.read_text() for file in (tmp_path / "audit").iterdir())
    assert text
    # The hash of the patient and the ids of lines may hold any digits.
    said = [{**line, "patient": "", "id": "", "time": ""} for line in map(json.loads, text.splitlines())]
    printed = "".join(capfd.readouterr())
    assert [canary for canary in CANARIES if canary in json.dumps(said)] == []
    for canary in CANARIES[:4]:
        assert canary not in printed
        assert canary.encode() not in installation.metrics.exposition()[0]


def test_criteria_that_turn_from_unknown_to_met_are_counted(installation, clock, counted):
    (answer,) = answers(example("all-met"))
    findings = answer.decision.findings
    met = [key for key, finding in findings.items() if finding.truth.value == "met"]
    before = dict.fromkeys(findings, "unknown") | {met[0]: "met", met[1]: "not-met"}
    FormRecorder(installation, clock).settled(answer.policy, before, findings)
    for key in met:
        name = findings[key].criterion.id
        expected = 0 if key in met[:2] else 1
        assert counted(f'form_criteria_met_total{{criterion="{name}",policy="{POLICY}"}}') == expected, key


def test_every_word_of_a_form_has_its_place_in_the_metrics():
    assert set(FORM_REFUSALS) == {refusal.value for refusal in WriteRefusal}
    assert set(WRITES) <= set(FORM_WRITES)
    assert set(FORM_EVENTS) == {"opened", "draft", "signed"}
