"""What is stored (docs/what-is-stored.md) is what the page says: in these places, and of the patient nothing else."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from cds_service.app import create_app
from cds_service.commands.main import main
from cds_service.installation import installation_of
from cds_service.settings.settings import Settings
from cds_service.store.tables import METADATA
from tests import stored_page
from tests.canaries import MARK, Planted, found_below
from tests.shipped import TODAY, example, library
from tests.stored_page import LINE, TABLES

PAGE = (Path(__file__).parent.parent / "docs" / "what-is-stored.md").read_text(encoding="utf-8")
KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
SERVICE = "/cds-services/coverage-guidance-order-sign"
# The files of the page, as they are named on a disk.
FILES = re.compile(r"audit/audit-\d{4}-\d\d-\d\d\.jsonl|store\.sqlite(-wal|-shm|\.lock)?|evidence\.key(\.lock)?")


# What a script keeps in the browser: how pages and cards are to look.
KEPT_BY = {"theme.js": {"localStorage"}, "dom.js": {"localStorage"}}


def used(state: Path, planted: Planted, **settings) -> str:
    """A service that keeps its state there answers a marked call and takes feedback on its card; the card's uuid."""
    asked = Settings(state=state, id_key=SecretStr("a key for tests only"), **settings)
    installation = installation_of(asked, library(), only_this_machine=True)
    app = create_app(asked, library(), "http://127.0.0.1:8080", lambda: TODAY, installation).test_client()
    try:
        (card,) = app.post(SERVICE, json=planted.request).get_json()["cards"]
        override = {
            "card": card["uuid"],
            "outcome": "overridden",
            "outcomeTimestamp": "2026-11-23T10:00:00Z",
            "overrideReason": {"reason": {"code": "other", "display": f"{MARK}901"}, "userComment": f"{MARK}902"},
        }
        assert app.post(f"{SERVICE}/feedback", json={"feedback": [override]}).status_code == 200
        assert app.get("/metrics").status_code == 200
    finally:
        installation.close()
    return str(card["uuid"])


def names(state: Path) -> set[str]:
    return {str(path.relative_to(state)) for path in state.rglob("*") if path.is_file()}


def test_a_call_and_its_feedback_leave_the_files_of_the_page_and_no_others(tmp_path):
    used(tmp_path, Planted(example("typical-gaps")))
    assert len(names(tmp_path)) >= 2
    assert [name for name in names(tmp_path) if not FILES.fullmatch(name)] == []
    assert "`state/store.sqlite`" in PAGE
    assert "`state/audit/audit-DAY.jsonl`" in PAGE


def test_of_the_patient_only_what_the_user_wrote_is_in_the_clear(tmp_path):
    planted = Planted(example("typical-gaps"))
    used(tmp_path, planted)
    marks = {mark for found in found_below([tmp_path]).values() for mark in found}
    assert {mark.lower() for mark in marks} == {f"{MARK}901".lower(), f"{MARK}902".lower()}
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as store:
        (row,) = store.execute("select reason_display, user_comment from feedback").fetchall()
    assert row == (f"{MARK}901", f"{MARK}902")


def test_kept_content_is_not_in_the_clear_and_opens_with_its_key(tmp_path):
    planted = Planted(example("typical-gaps"))
    used(tmp_path, planted, audit_content=True, audit_key=SecretStr(KEY))
    assert found_below([tmp_path / "audit"]) == {}
    settings = {"CDS_SERVICE_STATE": str(tmp_path), "CDS_SERVICE_AUDIT_KEY": KEY}
    printed = CliRunner().invoke(main, ["audit", "--content"], env=settings).stdout
    assert planted.request["context"]["patientId"] in printed


def test_without_an_audit_log_no_line_is_stored(tmp_path):
    used(tmp_path, Planted(example("typical-gaps")), audit=False)
    assert [name for name in names(tmp_path) if not name.startswith(("store.sqlite", "evidence.key"))] == []


def test_one_patients_calls_are_found_by_the_ehrs_id_and_feedback_by_the_card(tmp_path):
    request = example("typical-gaps")
    planted = Planted(request)
    uuid = used(tmp_path, planted)
    settings = {"CDS_SERVICE_STATE": str(tmp_path), "CDS_SERVICE_ID_KEY": "a key for tests only"}

    def kinds(*arguments):
        printed = CliRunner().invoke(main, ["audit", *arguments], env=settings).stdout
        return [orjson.loads(line)["kind"] for line in printed.splitlines()]

    assert kinds("--patient", planted.request["context"]["patientId"]) == ["call"]
    assert kinds("--patient", "somebody-else") == []
    assert kinds("--card", uuid) == ["call", "evidence", "feedback"]


def test_every_table_and_column_has_its_meaning_and_no_other_has():
    assert {name: set(table.columns) for name, table in TABLES.items()} == {
        name: set(table.columns.keys()) for name, table in METADATA.tables.items()
    }


def test_every_member_of_a_line_has_its_meaning_and_no_other_has():
    assert set(stored_page.members()) == LINE.keys()


def test_what_is_said_to_be_patient_data_is_encrypted_or_what_the_user_wrote():
    stored = [(name, about) for table in TABLES.values() for name, about in table.columns.items()]
    assert [name for name, (_, of_patient) in stored if of_patient == stored_page.CONTENT] == ["sealed"] * 2
    assert [name for name, (_, of_patient) in LINE.items() if of_patient == stored_page.CONTENT] == ["content"]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"CDS_SERVICE_([A-Z_]+)", PAGE))))
def test_every_setting_on_the_page_is_one_with_the_default_that_it_says(name):
    field = Settings.model_fields[name.lower()]
    for said in re.findall(rf"`CDS_SERVICE_{name}=true` \(default `(\w+)`\)", PAGE):
        assert str(field.default).lower() == said


def test_every_setting_that_bounds_what_is_kept_is_on_the_page():
    bound = re.compile(r"(audit|feedback)_days|audit_max_bytes|store_max_\w+")
    bounds = [name for name in Settings.model_fields if bound.fullmatch(name)]
    assert len(bounds) == 5
    for name in bounds:
        assert f"`CDS_SERVICE_{name.upper()}`" in PAGE


def test_only_evidence_pages_forms_and_the_workbench_set_a_cookie_and_browsers_keep_only_the_theme():
    web = Path(__file__).parent.parent / "cds_service"
    scripts = [*web.rglob("*.js"), *web.rglob("*.html")]
    assert scripts
    for path in scripts:
        text = path.read_text(encoding="utf-8")
        kept = set(re.findall(r"document\.cookie|localStorage|sessionStorage|indexedDB|caches\.open", text))
        assert kept <= KEPT_BY.get(path.name, set()), path
    setting = {
        f"{path.parent.name}/{path.name}"
        for path in web.rglob("*.py")
        if "answer.set_cookie" in path.read_text(encoding="utf-8")
    }
    assert setting == {"documentation/pages.py", "web/evidence.py", "workbench/browser.py"}
