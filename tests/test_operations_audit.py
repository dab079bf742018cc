"""The log for disputes (CRD 2.2.1, found-37 and sec-6): what a line holds, who can read it, how long it stays."""

import base64
import hashlib
import json
import multiprocessing
import os
import re
import stat
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from click.testing import CliRunner

from cds_service.commands.main import main
from cds_service.hooks.feedback import FeedbackItem, Reason, parse
from cds_service.operations import audit_retention
from cds_service.operations.audit import AuditError, AuditLog, Call, Caller, Feedback, audit_folder
from cds_service.operations.audit_lines import Wanted, read
from cds_service.operations.sealing import SHORTEST_TOKEN, SealError, keys_of, without_tokens
from cds_service.web import outcomes
from tests.canaries import MARK, Planted, feedback, found_below, found_in
from tests.shipped import answers, example

NOW = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
KEY = base64.b64encode(b"k" * 32).decode()
NEWER = base64.b64encode(b"n" * 32).decode()
ID_KEY = b"a key for tests only"
CARD = "15e40ad3-784f-510c-ad38-95a79920b97a"
CALLER = Caller(client="ehr", issuer="https://ehr.example", tenant="tenant-1", token_id="jti-1", subject="sub-1")


@pytest.fixture
def folder(tmp_path):
    return audit_folder(tmp_path)


def log_in(folder, keys=None, now=NOW):
    return AuditLog(folder, ID_KEY, keys, lambda: now)


def call(request=None, **given):
    request = {"hook": "order-sign"} if request is None else request
    about = {
        "request_id": "0" * 32,
        "service": "coverage-guidance-order-sign",
        "caller": CALLER,
        "today": NOW.date(),
        "status": 200,
        "outcome": "card",
        "milliseconds": 3.14159,
        "request": json.dumps(request).encode(),
        "response": b'{"cards":[]}',
        "hook": "order-sign",
        "hook_instance": "instance-1",
        "patient_id": "pat-1",
        "told": [{"policy": "p", "edition": "1", "outcome": "met", "verdicts": {"v": "met"}, "card": CARD}],
    }
    if "request_bytes" in given:
        given["request"] = given.pop("request_bytes")
    return Call(**{**about, **given})


def lines(folder, keys=None, **wanted):
    problems = []
    found = list(read(folder, Wanted(**wanted), keys, problems.append))
    assert problems == []
    return found


def test_a_line_says_who_asked_what_and_what_was_answered(folder):
    log_in(folder).call(call())
    (line,) = lines(folder)
    assert re.fullmatch("[0-9a-f]{32}", line.pop("id"))
    version, instance, patient = line.pop("version"), line.pop("hookInstance"), line.pop("patient")
    assert version
    assert instance != patient
    assert line == {
        "time": "2026-11-23T10:00:00.123Z",
        "kind": "call",
        "request": "0" * 32,
        "client": "ehr",
        "issuer": "https://ehr.example",
        "tenant": "tenant-1",
        "jti": "jti-1",
        "sub": "sub-1",
        "service": "coverage-guidance-order-sign",
        "status": 200,
        "milliseconds": 3.1,
        "today": "2026-11-23",
        "hook": "order-sign",
        "outcome": "card",
        "policies": [{"policy": "p", "edition": "1", "outcome": "met", "verdicts": {"v": "met"}, "card": CARD}],
        "requestSha256": hashlib.sha256(b'{"hook": "order-sign"}').hexdigest(),
        "responseSha256": hashlib.sha256(b'{"cards":[]}').hexdigest(),
    }


def test_a_line_keeps_edition_digest_outcome_truths_and_card_of_an_answer():
    (told,) = outcomes.told(answers(example("typical-gaps")))
    assert told.keys() == {"policy", "edition", "digest", "outcome", "verdicts", "criteria", "card"}
    assert set(told["verdicts"].values()) <= {"met", "not-met", "unknown", "not-applicable"}
    assert set(told["criteria"].values()) <= {"met", "not-met", "unknown"}
    assert (told["criteria"]["age"], told["criteria"]["fit-for-implant"]) == ("met", "unknown")


def test_a_line_keeps_the_truth_for_each_part_and_none_where_nothing_was_evaluated():
    (told,) = outcomes.told(answers(example("joint-both-sides")))
    assert (told["criteria"]["block right"], told["criteria"]["block left"]) == ("met", "unknown")
    (asked,) = outcomes.told(answers(example("bare-code-asks")))
    assert (asked["verdicts"], asked["criteria"]) == ({}, {})
    assert len(told["card"]) == 36


@pytest.mark.parametrize(
    ("name", "of_call", "of_answers"),
    [
        ("typical-gaps", "card", ["gaps"]),
        ("all-met", "card", ["met"]),
        ("bare-code-asks", "ask", ["unclear"]),
        ("unrelated-order", "none", []),
    ],
)
def test_the_outcome_of_a_call_is_one_of_few_words(name, of_call, of_answers):
    found = answers(example(name))
    assert outcomes.of_call(found) == of_call
    assert [outcomes.of_answer(item) for item in found] == of_answers


def test_a_patient_is_a_keyed_hash_that_nobody_without_the_key_can_make(folder):
    log = log_in(folder)
    log.call(call())
    (line,) = lines(folder)
    assert line["patient"] == log.patient("pat-1")
    assert line["patient"] != AuditLog(folder, b"another key of tests", None).patient("pat-1")
    assert line["patient"] != hashlib.sha256(b"pat-1").hexdigest()
    assert log.patient("\ud800") != log.patient("x")


def test_nothing_of_a_patient_and_no_token_is_in_a_line_without_content(folder):
    planted = Planted(example("typical-gaps"))
    body = planted.request
    told = outcomes.told(answers(body))
    log_in(folder).call(
        call(body, told=told, hook_instance=body["hookInstance"], patient_id=body["context"]["patientId"])
    )
    sent = feedback(planted)
    log_in(folder).feedback(
        Feedback(
            request_id="0" * 32,
            service="s",
            caller=CALLER,
            status=200,
            milliseconds=1.0,
            request=orjson.dumps(sent),
            items=parse(sent),
        )
    )
    assert found_below([folder]) == {}


def test_feedback_is_kept_without_what_users_wrote(folder):
    reason = Reason("r-1", "s", f"{MARK}1")
    items = [
        FeedbackItem(CARD, "accepted", None, (CARD, f"{MARK}2 Doe"), reason, f"{MARK}3"),
        FeedbackItem(f"Jane Doe {MARK}4", "overridden", None, (), Reason(f"{MARK}5")),
    ]
    log_in(folder).feedback(
        Feedback(
            request_id="1" * 32,
            service="s",
            caller=CALLER,
            status=200,
            milliseconds=1.0,
            request=b"[]",
            items=items,
            reasons=frozenset({"r-1"}),
        )
    )
    (line,) = lines(folder)
    assert line["kind"] == "feedback"
    assert line["feedback"] == [
        {"card": CARD, "outcome": "accepted", "acceptedSuggestions": [CARD], "reason": "r-1"},
        {"outcome": "overridden"},
    ]
    assert found_below([folder]) == {}


def test_content_is_kept_where_there_is_a_key_and_cannot_be_read_without_it(folder):
    request = example("typical-gaps")
    log_in(folder, keys_of(KEY)).call(call(request, response=b'{"cards":[{"summary":"secret"}]}'))
    stored = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"secret" not in stored
    assert b"resourceType" not in stored
    assert "content" not in lines(folder)[0]
    (line,) = lines(folder, keys_of(KEY))
    assert line["content"]["response"] == {"cards": [{"summary": "secret"}]}
    assert line["content"]["request"]["context"] == request["context"]


def test_two_lines_of_the_same_content_do_not_look_alike(folder):
    for _ in range(2):
        log_in(folder, keys_of(KEY)).call(call())
    first, second = (json.loads(text) for text in next(folder.iterdir()).read_text().splitlines())
    assert first["content"]["sealed"][:40] != second["content"]["sealed"][:40]


def test_keys_can_rotate_the_first_closes_and_all_open(folder):
    log_in(folder, keys_of(KEY)).call(call(request_id="1" * 32))
    rotated = keys_of(f"{NEWER}, {KEY}")
    log_in(folder, rotated).call(call(request_id="2" * 32))
    stored = [json.loads(text)["content"]["key"] for text in next(folder.iterdir()).read_text().splitlines()]
    assert stored == [rotated.ids[1], rotated.ids[0]]
    assert [line["content"]["response"] for line in lines(folder, rotated)] == [{"cards": []}] * 2
    old, new = lines(folder, keys_of(NEWER))
    assert "no key with the id" in old["content"]["cannot be opened"]
    assert new["content"]["response"] == {"cards": []}


def test_content_that_was_changed_or_moved_to_another_line_does_not_open(folder):
    keys = keys_of(KEY)
    closed = keys.seal(b"content", "line-1")
    assert keys.open(closed, "line-1") == b"content"
    raw = base64.b64decode(closed["sealed"])
    changed = [
        {**closed, "sealed": base64.b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode()},
        {**closed, "sealed": closed["sealed"][:8]},
        {**closed, "sealed": ""},
        {**closed, "sealed": 7},
        {"key": closed["key"]},
        {"sealed": closed["sealed"]},
        {**closed, "key": ["x"]},
    ]
    for wrong in changed:
        with pytest.raises(SealError):
            keys.open(wrong, "line-1")
    with pytest.raises(SealError, match="belongs to another line"):
        keys.open(closed, "line-2")


@pytest.mark.parametrize(
    "text", ["", "short", base64.b64encode(b"k" * 31).decode(), f"{KEY},", f"{KEY},no base64!", KEY.replace("=", "")]
)
def test_a_key_that_is_not_32_bytes_in_base64_is_refused_and_not_shown(text):
    with pytest.raises(ValueError, match="is not 32 bytes in base64; make one with: openssl rand -base64 32") as caught:
        keys_of(text)
    assert KEY[:20] not in str(caught.value)
    assert "kkkk" not in repr(keys_of(KEY))


TOKEN = "eyJhbGciOiJ.secret-access/token"


@pytest.mark.parametrize(
    "body",
    [
        {"fhirAuthorization": {"access_token": TOKEN, "token_type": "Bearer", "scope": "patient/*.read"}},
        {"fhirAuthorization": TOKEN},
        {"fhirAuthorization": {"access_token": TOKEN, "accessToken": TOKEN, "extension": {"x": TOKEN}}},
        {"fhirAuthorization": {"access_token": TOKEN, "scope": TOKEN}, "context": {"note": f"Bearer {TOKEN}"}},
        {"context": {"Access_Token": TOKEN, "deep": [{"refresh_token": TOKEN}]}},
        {"extension": [{"fhirAuthorization": {"id_token": TOKEN, "client_secret": TOKEN}}]},
    ],
)
def test_a3_2_the_access_token_is_never_stored_wherever_it_stands(folder, body):
    response = json.dumps({"cards": [TOKEN]} if "fhirAuthorization" in body else {}).encode()
    log_in(folder, keys_of(KEY)).call(call(body, response=response))
    (line,) = lines(folder, keys_of(KEY))
    assert "secret" not in json.dumps(line).replace("client_secret", "")
    assert line["content"] is not None


def test_what_is_granted_is_kept_without_the_token():
    granted = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "u", "x": 1}
    request, _ = without_tokens({"fhirAuthorization": granted}, b"{}")
    kept = {"token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "u"}
    assert json.loads(request) == {"fhirAuthorization": kept}


def test_a_very_short_token_takes_no_words_out_of_the_content():
    token = "a" * (SHORTEST_TOKEN - 1)
    request, _ = without_tokens({"fhirAuthorization": {"access_token": token}, "note": token + "rdvark"}, b"{}")
    assert json.loads(request)["note"] == token + "rdvark"


def nested(depth):
    value = {"access_token": TOKEN}
    for _ in range(depth):
        value = [value]
    return value


def nested_text(depth):
    return b"[" * depth + b'{"access_token":"' + TOKEN.encode() + b'"}' + b"]" * depth


@pytest.mark.parametrize("sent", [b"no JSON " + TOKEN.encode(), nested_text(300), nested_text(3000)])
def test_a_call_that_cannot_be_looked_through_for_tokens_has_a_line_without_content(folder, sent):
    log_in(folder, keys_of(KEY)).call(call(request_bytes=sent, status=400))
    (line,) = lines(folder, keys_of(KEY))
    assert line["content"] is None
    assert line["status"] == 400


def test_the_folder_and_its_files_are_the_owners_alone(folder):
    old = os.umask(0)
    try:
        log_in(folder).call(call())
    finally:
        os.umask(old)
    (path,) = folder.iterdir()
    assert path.name == "audit-2026-11-23.jsonl"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def write_many(folder, worker, count):
    log = AuditLog(folder, ID_KEY, keys_of(KEY), lambda: NOW)
    big = {"hook": "order-sign", "text": "x" * 20_000 + os.urandom(20_000).hex()}
    for number in range(count):
        log.call(call(big, request_id=f"{worker}-{number}"))


def test_lines_of_several_workers_do_not_mix_and_none_is_lost(folder):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=write_many, args=(folder, worker, 100)) for worker in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    found = [line["request"] for line in lines(folder, keys_of(KEY))]
    assert sorted(found) == sorted(f"{worker}-{number}" for worker in range(3) for number in range(100))


def test_a_line_that_was_cut_off_takes_no_other_with_it(folder):
    log = log_in(folder)
    log.call(call(request_id="1" * 32))
    (path,) = folder.iterdir()
    with path.open("ab") as file:
        file.write(b'{"time":"2026-11')
    log.call(call(request_id="2" * 32))
    problems = []
    found = [line["request"] for line in read(folder, Wanted(), None, problems.append)]
    assert found == ["1" * 32, "2" * 32]
    assert problems == ["audit-2026-11-23.jsonl, line 2 cannot be read: it was cut off or changed."]


def test_a_log_that_cannot_be_written_says_so_and_names_nothing_of_the_call(tmp_path):
    (tmp_path / "file").write_text("")
    log = log_in(tmp_path / "file" / "audit")
    for attempt in (lambda: log.call(call(patient_id=f"{MARK}1")), log.check):
        with pytest.raises(AuditError, match=r"^Cannot write to the audit log in .*: Not a directory\.$") as caught:
            attempt()
        assert found_in(str(caught.value)) == set()
        assert caught.value.__cause__ is None


def test_a_full_disk_is_an_error(folder, monkeypatch):
    log = log_in(folder)
    monkeypatch.setattr(os, "write", lambda file, data: len(data) - 1)
    with pytest.raises(AuditError, match="the disk is full"):
        log.call(call())


def test_a_link_in_the_place_of_a_file_is_not_followed(folder, tmp_path):
    folder.mkdir()
    (folder / "audit-2026-11-23.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditError):
        log_in(folder).call(call())
    assert not (tmp_path / "elsewhere").exists()


def test_the_check_writes_nothing_and_sees_that_the_log_can_be_written(folder):
    log_in(folder).check()
    assert lines(folder) == []


def test_a_folder_that_was_removed_is_made_again(folder):
    log = log_in(folder)
    log.call(call())
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    log.call(call())
    assert len(lines(folder)) == 1


def test_sec_6_files_older_than_the_days_kept_are_deleted_and_nothing_else(folder):
    for days in (0, 29, 30, 31, 400):
        log_in(folder, now=NOW - timedelta(days=days)).call(call())
    (folder / "audit-2020-01-01.jsonl.bak").write_text("")
    (folder / "audit-2020-13-45.jsonl").write_text("")
    (folder / "notes").write_text("")
    first = NOW.date() - timedelta(days=30)
    assert audit_retention.remove_old(folder, first) == 2
    assert audit_retention.remove_old(folder, first) == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "audit-2020-01-01.jsonl.bak",
        "audit-2020-13-45.jsonl",
        "audit-2026-10-24.jsonl",
        "audit-2026-10-25.jsonl",
        "audit-2026-11-23.jsonl",
        "notes",
    ]


def test_where_nothing_was_ever_written_there_is_nothing_to_delete_or_read(folder):
    assert audit_retention.remove_old(folder, NOW.date()) == 0
    assert lines(folder) == []


def test_claims_of_a_token_are_cut_to_a_length(folder):
    log_in(folder).call(call(caller=Caller(client="ehr", issuer="i" * 5000, tenant=None, token_id="j" * 5000)))
    (line,) = lines(folder)
    assert (len(line["issuer"]), len(line["jti"]), line["tenant"], line["sub"]) == (200, 200, None, None)


@pytest.fixture
def written(folder):
    """Three days, two clients, a card and feedback on it."""
    log_in(folder, keys_of(KEY), NOW - timedelta(days=1)).call(call(request_id="1" * 32))
    log_in(folder, keys_of(KEY)).call(
        call(request_id="2" * 32, caller=Caller(client="other"), told=(), patient_id="pat-2")
    )
    items = [FeedbackItem(CARD, "accepted", None)]
    log_in(folder, None, NOW + timedelta(days=1)).feedback(
        Feedback(
            request_id="3" * 32, service="s", caller=CALLER, status=200, milliseconds=1.0, request=b"[]", items=items
        )
    )
    return folder


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "123"),
        ({"since": date(2026, 11, 23)}, "23"),
        ({"until": date(2026, 11, 23)}, "12"),
        ({"since": date(2026, 11, 23), "until": date(2026, 11, 23)}, "2"),
        ({"card": CARD}, "13"),
        ({"client": "other"}, "2"),
        ({"client": "nobody"}, ""),
    ],
)
def test_lines_are_found_by_day_card_and_client(written, wanted, expected):
    assert "".join(line["request"][0] for line in lines(written, **wanted)) == expected


def run(state, *arguments, key=KEY):
    env = {"CDS_SERVICE_STATE": str(state), "CDS_SERVICE_AUDIT_KEY": key, "CDS_SERVICE_ID_KEY": ID_KEY.decode()}
    return CliRunner().invoke(main, ["audit", *arguments], env=env)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "123"),
        (("--since", "2026-11-23", "--until", "2026-11-23"), "2"),
        (("--card", CARD), "13"),
        (("--client", "other"), "2"),
        (("--patient", "pat-2"), "2"),
        (("--patient", "Patient/pat-1"), "1"),
    ],
)
def test_the_command_prints_the_wanted_lines_as_json(written, arguments, expected):
    result = run(written.parent, *arguments)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert "".join(line["request"][0] for line in found) == expected
    assert all("content" not in line for line in found)


def test_the_command_decrypts_where_it_is_asked_to(written):
    found = [json.loads(line) for line in run(written.parent, "--content").stdout.splitlines()]
    assert [line["content"] for line in found] == [
        {"request": {"hook": "order-sign"}, "response": {"cards": []}},
        {"request": {"hook": "order-sign"}, "response": {"cards": []}},
        None,
    ]


@pytest.mark.parametrize(("key", "sentence"), [("", "--content needs CDS_SERVICE_AUDIT_KEY"), ("x", "is not 32 bytes")])
def test_the_command_says_which_key_it_needs(written, key, sentence):
    result = run(written.parent, "--content", key=key)
    assert result.exit_code == 1
    assert sentence in result.stderr


def test_the_command_tells_broken_lines_and_goes_on(written):
    with (written / "audit-2026-11-22.jsonl").open("ab") as file:
        file.write(b"[1]\nno json\n")
    result = run(written.parent)
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr.count("cannot be read: it was cut off or changed.") == 2
    assert result.exit_code == 0
