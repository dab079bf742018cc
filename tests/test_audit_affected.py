"""`cds-service audit affected`: after a rule is corrected, the calls whose card would read otherwise."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from cds_service import __version__
from cds_service.app import create_app
from cds_service.commands.main import main
from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.fetch import Fetcher
from cds_service.ehr.search import FetchLimits
from cds_service.hooks.client_names import WORKBENCH
from cds_service.installation import Installation
from cds_service.library import load_library
from cds_service.operations.audit import AuditLog, audit_folder
from cds_service.operations.audit_lines import Wanted, read
from cds_service.operations.sealing import keys_of
from cds_service.settings.settings import Settings, data_folder
from cds_service.trust.entries import anyone
from tests.canaries import Planted, found_in
from tests.fhir_server import FhirServer
from tests.made_up_calls import POLICY, made_up, write_log
from tests.shipped import BASE, TODAY, example, library
from tests.test_operations_audit import ID_KEY, KEY, NEWER

SEED, CALLS = 20261129, 1000
FIRST = TODAY - timedelta(days=9)


def edited(folder: Path, change) -> Path:
    """A copy of the shipped rule sets in which one policy.json is changed."""
    shutil.copytree(data_folder("cards"), folder)
    path = folder / POLICY / "policy.json"
    policy = json.loads(path.read_text(encoding="utf-8"))
    change(policy)
    path.write_text(json.dumps(policy), encoding="utf-8")
    return folder


def corrected(folder: Path, criterion: str, **limit: float) -> Path:
    """A copy of the shipped rule sets in which one criterion has another limit."""

    def change(policy):
        (rule,) = (item for item in policy["criteria"] if item["id"] == criterion)
        assert rule["test"].keys() >= limit.keys()
        rule["test"].update(limit)

    return edited(folder, change)


@pytest.fixture(scope="module")
def calls():
    return made_up(SEED, CALLS)


@pytest.fixture(scope="module")
def kept(tmp_path_factory, calls):
    """The state folder whose audit log holds the calls with their content."""
    state = tmp_path_factory.mktemp("kept")
    write_log(state, calls, ID_KEY, keys_of(KEY))
    return state


@pytest.fixture(scope="module")
def not_kept(tmp_path_factory, kept):
    """The same log with the content gone, as a full disk leaves it."""
    state = tmp_path_factory.mktemp("not-kept")
    shutil.copytree(audit_folder(kept), audit_folder(state))
    for path in audit_folder(state).iterdir():
        lines = [orjson.loads(text) | {"content": None} for text in path.read_bytes().splitlines()]
        path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return state


@pytest.fixture(scope="module")
def lower_bmi(tmp_path_factory):
    return corrected(tmp_path_factory.mktemp("rules") / "cards", "bmi", at_most=33)


def run(state, cards, *arguments, key=KEY, **more):
    settings = {"CDS_SERVICE_STATE": str(state), "CDS_SERVICE_ID_KEY": ID_KEY.decode(), "CDS_SERVICE_AUDIT_KEY": key}
    if cards is not None:
        settings["CDS_SERVICE_CARDS"] = str(cards)
    given = ("audit", "affected", "--policy", POLICY, "--from", FIRST.isoformat(), *arguments)
    return CliRunner().invoke(main, given, env=settings, **more)


def rows(result):
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def sealed(patients):
    log = AuditLog(Path(), ID_KEY, None)
    return sorted(map(log.patient, patients))


def asked_about(calls):
    """The calls that the statement answered with criteria, on the days and of the clients that are asked about."""
    return [made for made in calls if made.patient and made.day >= FIRST and made.client != WORKBENCH]


def test_of_1000_calls_exactly_those_are_found_that_a_changed_limit_turns(calls, kept, lower_bmi):
    turned = [made for made in asked_about(calls) if made.bmi is not None and 33 < made.bmi <= 35]
    result = run(kept, lower_bmi, "--criterion", "bmi", "--json")
    found = rows(result)
    assert 50 < len(turned) < 300
    assert sorted(row["patient"] for row in found) == sealed(made.patient for made in turned)
    for row in found:
        assert row["foundBy"] == "evaluated"
        assert row["then"]["criteria"] == {"bmi": "met"}
        assert row["now"]["criteria"] == {"bmi": "not-met"}
        assert row["then"]["digest"] == library().policy(POLICY).digest
        assert row["now"]["digest"] != row["then"]["digest"]
    assert f"of these {len(found)} read otherwise now" in result.stderr
    assert "selected from the audit line: 0" in result.stderr


def test_a_limit_that_turns_the_outcome_is_found_with_both_outcomes(calls, kept, tmp_path):
    cards = corrected(tmp_path / "cards", "age", at_least=25)
    turned = [made for made in asked_about(calls) if 22 <= made.age < 25]
    found = rows(run(kept, cards, "--criterion", "age", "--json"))
    assert sorted(row["patient"] for row in found) == sealed(made.patient for made in turned)
    assert all(row["then"]["outcome"] != row["now"]["outcome"] for row in found)


def test_what_another_criterion_turns_is_not_found(kept, lower_bmi):
    assert rows(run(kept, lower_bmi, "--criterion", "age", "--json")) == []


def test_a_criterion_that_counts_otherwise_is_found_though_its_truth_is_the_same(calls, kept, tmp_path):
    cards = edited(tmp_path / "cards", lambda policy: policy["verdicts"][0]["all"].remove("age"))
    turned = [made for made in asked_about(calls) if made.age < 22]
    found = rows(run(kept, cards, "--criterion", "age", "--json"))
    assert sorted(row["patient"] for row in found) == sealed(made.patient for made in turned)
    assert {row["now"]["criteria"]["age"] for row in found} == {"not-met"}


def test_the_rules_that_answered_find_nothing(kept, not_kept):
    for state in (kept, not_kept):
        assert rows(run(state, None, "--criterion", "bmi", "--json")) == []


def test_without_content_calls_are_selected_by_edition_and_criterion(calls, not_kept, lower_bmi):
    result = run(not_kept, lower_bmi, "--criterion", "bmi", "--json")
    found = rows(result)
    assert sorted(row["patient"] for row in found) == sealed(made.patient for made in asked_about(calls))
    assert {(row["foundBy"], row["now"]) for row in found} == {("selected", None)}
    assert f"selected from the audit line: {len(found)}" in result.stderr


def test_selected_calls_are_narrowed_by_truth_and_outcome(calls, not_kept, lower_bmi):
    met = [made for made in asked_about(calls) if made.bmi is not None and made.bmi <= 35]
    found = rows(run(not_kept, lower_bmi, "--criterion", "bmi", "--truth", "met", "--json"))
    assert sorted(row["patient"] for row in found) == sealed(made.patient for made in met)
    outcome = next(row["then"]["outcome"] for row in found)
    narrowed = rows(run(not_kept, lower_bmi, "--criterion", "bmi", "--truth", "met", "--outcome", outcome, "--json"))
    assert narrowed == [row for row in found if row["then"]["outcome"] == outcome]
    assert len(narrowed) < len(found)


def test_content_under_a_key_that_is_not_given_is_selected_like_content_not_kept(kept, not_kept, lower_bmi):
    expected = [row["patient"] for row in rows(run(not_kept, lower_bmi, "--criterion", "bmi", "--json"))]
    assert expected
    for key in ("", NEWER):
        found = rows(run(kept, lower_bmi, "--criterion", "bmi", "--json", key=key))
        assert [row["patient"] for row in found] == expected
        assert {row["foundBy"] for row in found} == {"selected"}


def test_the_table_names_the_patients_that_the_site_lists(calls, kept, lower_bmi):
    turned = next(made for made in asked_about(calls) if made.bmi == 34)
    result = run(
        kept, lower_bmi, "--criterion", "bmi", "--patients", "-", input=f"somebody\nPatient/{turned.patient}\n\n"
    )
    lines = result.stdout.splitlines()
    (line,) = (line for line in lines if f"  {turned.patient} " in line)
    assert line.split()[4:6] == ["met", "not-met"]
    assert line.startswith(turned.day.isoformat())
    assert line.split()[1] == turned.client
    assert line.endswith("evaluated")
    assert "somebody" not in result.stdout


def test_lines_of_an_earlier_version_are_counted_and_passed_over(not_kept, lower_bmi, tmp_path):
    shutil.copytree(audit_folder(not_kept), audit_folder(tmp_path))
    path = audit_folder(tmp_path) / f"audit-{TODAY.isoformat()}.jsonl"
    lines = [orjson.loads(text) for text in path.read_bytes().splitlines()]
    for line in lines:
        del line["today"]
        for told in line["policies"]:
            del told["criteria"], told["digest"]
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    answered = [line for line in lines if line["status"] == 200 and line["client"] != WORKBENCH]
    result = run(tmp_path, lower_bmi, "--criterion", "bmi", "--json")
    assert f"{len(answered)} calls were not checked: an earlier version wrote" in result.stderr
    assert TODAY.isoformat() not in {row["today"] for row in rows(result)}


def test_until_ends_the_days(calls, kept, lower_bmi):
    found = rows(run(kept, lower_bmi, "--criterion", "bmi", "--until", FIRST.isoformat(), "--json"))
    assert {row["today"] for row in found} == {FIRST.isoformat()}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--criterion", "bmy"), f"{POLICY} has no criterion 'bmy'; its criteria are age, pain-duration,"),
        (("--criterion", "bmi", "--policy", "other"), "There is no rule set 'other'; the rule sets are isass-"),
        (("--criterion", "bmi", "--until", "2020-01-01"), "--until is a day before --from"),
        (("--criterion", "bmi", "--truth", "yes"), "'yes' is not one of 'met', 'not-met', 'unknown'"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_with_what_is_allowed(tmp_path, arguments, sentence):
    result = run(tmp_path, None, *arguments)
    assert result.exit_code != 0
    assert sentence in result.stderr


def test_options_of_the_log_before_the_command_are_refused():
    result = CliRunner().invoke(main, ["audit", "--client", "north", "affected", "--policy", POLICY])
    assert result.exit_code == 2
    assert "Write the options behind 'affected'; it has its own." in result.stderr


def served_and_kept(state, body, keys):
    """The audit line of one call over HTTP, with the FHIR server that it names."""
    client = OutgoingClient()
    fetcher = Fetcher(client, FetchLimits(5_000_000, 20))
    log = AuditLog(audit_folder(state), ID_KEY, keys, lambda: datetime(2026, 11, 23, 9, tzinfo=UTC))
    installation = Installation(fetcher=fetcher, open_client=anyone(this_machine=True), audit=log)
    app = create_app(Settings(), library(), "http://127.0.0.1:8080", lambda: TODAY, installation).test_client()
    try:
        assert app.post(f"/cds-services/coverage-guidance-{body['hook']}", json=body).status_code == 200
    finally:
        fetcher.close()
        client.close()
    (line,) = read(audit_folder(state), Wanted(), keys, lambda sentence: None)
    return line


def test_what_was_fetched_is_kept_without_its_token_and_evaluated_again(tmp_path):
    body = example("typical-gaps")
    granted = {"access_token": "t0ken-of-the-ehr", "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.rs"}
    with FhirServer(body["prefetch"], token="t0ken-of-the-ehr") as server:
        sent = body | {"prefetch": {}, "fhirServer": server.base, "fhirAuthorization": granted}
        line = served_and_kept(tmp_path, sent, keys_of(KEY))
    assert line["content"]["request"]["prefetch"] == {}
    assert line["content"]["fetched"].keys() >= {"patient", "observation", "condition"}
    assert "t0ken-of-the-ehr" not in json.dumps(line)
    cards = corrected(tmp_path / "cards", "bmi", at_most=27)
    (found,) = rows(run(tmp_path, cards, "--criterion", "bmi", "--json"))
    assert (found["then"]["criteria"], found["now"]["criteria"]) == ({"bmi": "met"}, {"bmi": "not-met"})
    assert rows(run(tmp_path, None, "--criterion", "bmi", "--json")) == []


def test_what_could_not_be_fetched_stays_unknown_when_it_is_evaluated_again(tmp_path):
    body = example("typical-gaps")
    prefetch = {name: value for name, value in body["prefetch"].items() if name != "observation"}
    sent = body | {"prefetch": prefetch, "fhirServer": "http://127.0.0.1:9/fhir"}
    line = served_and_kept(tmp_path, sent, keys_of(KEY))
    assert "Observation" in line["content"]["unfetched"]["observation"]
    assert rows(run(tmp_path, corrected(tmp_path / "cards", "bmi", at_most=27), "--criterion", "bmi", "--json")) == []


def test_a_line_carries_digest_day_and_truths_and_nothing_of_the_patient(tmp_path):
    planted = Planted(example("typical-gaps"))
    line = served_and_kept(tmp_path, planted.request, None)
    (told,) = line["policies"]
    assert line["today"] == TODAY.isoformat()
    assert line["version"] == __version__
    assert told["digest"] == library().policy(POLICY).digest
    assert told["criteria"].keys() == {criterion.id for criterion in library().policy(POLICY).criteria}
    assert found_in(orjson.dumps(line).decode()) == set()


def test_the_digest_is_of_all_that_is_deployed_and_not_of_the_cases(tmp_path):
    cards = Path(shutil.copytree(data_folder("cards"), tmp_path / "cards"))
    before = library().policy(POLICY).digest
    assert len(before) == 64
    cases = cards / POLICY / "cases.json"
    written = json.loads(cases.read_text(encoding="utf-8"))
    written["cases"] = written["cases"][:1]
    cases.write_text(json.dumps(written), encoding="utf-8")
    assert load_library(cards, BASE).policy(POLICY).digest == before
    folder = tmp_path / "sets" / POLICY / "low-back-pain"
    folder.mkdir(parents=True)
    (folder / "own.csv").write_text("system,code\nhttp://hl7.org/fhir/sid/icd-10-cm,M54.89\n", encoding="utf-8")
    assert load_library(cards, BASE, value_sets=tmp_path / "sets").policy(POLICY).digest != before
