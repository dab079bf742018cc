"""The page on investigating a wrong card, followed: from the card to its call, its evaluation, and other patients."""

import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.commands.kept_calls import request_of
from cds_service.commands.main import main
from cds_service.operations.audit import AuditLog, Call, Caller, audit_folder
from cds_service.operations.sealing import keys_of
from cds_service.service.hook_call import response
from cds_service.web import outcomes
from tests.made_up_calls import POLICY
from tests.shipped import TODAY, answers, example
from tests.test_audit_affected import corrected
from tests.test_operations_audit import ID_KEY, KEY, NEWER

PAGE = (Path(__file__).parent.parent / "docs" / "investigate-a-wrong-card.md").read_text(encoding="utf-8")
COMMANDS = [
    line.strip() for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.strip().splitlines()
]


def kept(state: Path, keys=None, **more) -> str:
    """An audit log with one call; the uuid of its card."""
    request = example("typical-gaps")
    found = answers(request)
    given = response(found)
    about = {
        **{"request_id": "4" * 32, "service": "coverage-guidance-order-sign", "caller": Caller(client="north")},
        **{"today": TODAY, "status": 200, "outcome": "card", "milliseconds": 1.0, "hook": "order-sign"},
    }
    AuditLog(audit_folder(state), ID_KEY, keys, lambda: datetime(2026, 11, 23, 9, tzinfo=UTC)).call(
        Call(
            **about,
            request=json.dumps(request | more).encode(),
            response=json.dumps(given).encode(),
            patient_id=request["context"]["patientId"],
            told=outcomes.told(found),
        )
    )
    return str(given["cards"][0]["uuid"])


def run(state, *arguments, key=KEY, cards=None):
    settings = {"CDS_SERVICE_STATE": str(state), "CDS_SERVICE_ID_KEY": ID_KEY.decode(), "CDS_SERVICE_AUDIT_KEY": key}
    settings |= {"CDS_SERVICE_CARDS": str(cards)} if cards else {}
    return CliRunner().invoke(main, arguments, env=settings)


def test_every_command_of_the_page_runs_as_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = tmp_path / "state"
    uuid = kept(state, keys_of(KEY))
    patient = example("typical-gaps")["context"]["patientId"]
    (tmp_path / "ids.txt").write_text(f"{patient}\n", encoding="utf-8")
    cards = corrected(tmp_path / "cards", "bmi", at_most=27)
    filled = {"UUID": uuid, "PATIENT": patient, "ID": POLICY, "CRITERION": "bmi"}
    assert len(COMMANDS) == 7
    for command in COMMANDS:
        line, _, file = command.partition(" > ")
        program, *arguments = shlex.split(line)
        assert program == "cds-service"
        result = run(
            state, *(filled.get(word, word) for word in arguments), cards=cards if "affected" in line else None
        )
        assert result.exit_code == 0, result.output
        assert result.stdout.strip(), command
        if file:
            (tmp_path / file).write_text(result.stdout, encoding="utf-8")
    (found,) = (json.loads(line) for line in (tmp_path / "affected.jsonl").read_text().splitlines())
    assert found["patientId"] == patient
    assert found["then"]["card"] == uuid
    explained = json.loads((tmp_path / "explained.json").read_text(encoding="utf-8"))
    (line,) = (json.loads(text) for text in run(state, "audit", "--card", uuid).stdout.splitlines())
    assert {item["id"]: item["truth"] for item in explained["policies"][0]["criteria"]} == line["policies"][0][
        "criteria"
    ]


def test_a_kept_request_is_printed_with_the_day_to_evaluate_it(tmp_path):
    result = run(tmp_path, "audit", "request", kept(tmp_path, keys_of(KEY)))
    assert json.loads(result.stdout) == example("typical-gaps")
    assert "--today 2026-11-23" in result.stderr


@pytest.mark.parametrize(
    ("keys", "key", "card", "sentence"),
    [
        (KEY, "", None, "Set CDS_SERVICE_AUDIT_KEY"),
        (KEY, NEWER, None, "no key with the id"),
        (None, KEY, None, "CDS_SERVICE_AUDIT_CONTENT was off, or a cap was reached"),
        (KEY, KEY, "0" * 36, "No call in the audit log gave the card 0000"),
    ],
)
def test_a_request_that_cannot_be_had_is_reported_with_the_reason(tmp_path, keys, key, card, sentence):
    uuid = kept(tmp_path, keys_of(keys) if keys else None)
    result = run(tmp_path, "audit", "request", card or uuid, key=key)
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert result.stdout == ""


def test_what_was_fetched_and_what_was_not_stand_in_the_prefetch():
    part = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": {"resourceType": "Condition"}}]}
    content = {
        "request": {"hook": "order-sign", "prefetch": {"patient": {"resourceType": "Patient"}}},
        "fetched": {"condition": part},
        "unfetched": {"condition": "only 1 page came", "observation": "the server did not answer"},
    }
    prefetch = request_of(content)["prefetch"]
    assert list(prefetch) == ["patient", "condition", "observation"]
    assert prefetch["condition"]["entry"][0] == part["entry"][0]
    assert prefetch["condition"]["entry"][1]["resource"]["issue"][0]["diagnostics"] == "only 1 page came"
    assert prefetch["observation"]["issue"][0]["diagnostics"] == "the server did not answer"
    assert len(part["entry"]) == 1


@pytest.mark.parametrize("content", [None, "text", {}, {"cannot be opened": "why"}, {"request": None}])
def test_content_that_holds_no_request_gives_none(content):
    assert request_of(content) is None
