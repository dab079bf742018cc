"""A policy that cannot be loaded is left out alone, a draft is skipped, and both are reported; the others answer."""

import json
import shutil
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.authoring.new_policy import write_starting_folder
from cds_service.commands.main import main
from cds_service.errors import PolicyError
from cds_service.library import load_library
from cds_service.server import gunicorn_server
from cds_service.settings.settings import Settings, data_folder
from tests.shipped import BASE, example

BACK, JOINT = "isass-restorative-neurostimulation-2023", "isass-si-joint-fusion-2020"
NEW = "knee-humming-2026"


@pytest.fixture
def cards(tmp_path) -> Path:
    shutil.copytree(data_folder("cards"), tmp_path / "cards")
    return tmp_path / "cards"


def damage_json(folder: Path) -> None:
    (folder / "policy.json").write_text("{", encoding="utf-8")


def lose_policy(folder: Path) -> None:
    (folder / "policy.json").unlink()


def lose_codes(folder: Path) -> None:
    (folder / "codes.json").unlink()


def rename_id(folder: Path) -> None:
    text = (folder / "policy.json").read_text(encoding="utf-8")
    (folder / "policy.json").write_text(text.replace(f'"id": "{folder.name}"', '"id": "another"', 1), encoding="utf-8")


DAMAGES = [damage_json, lose_policy, lose_codes, rename_id]


@pytest.mark.parametrize("damage", DAMAGES)
def test_bad_policy_is_left_out_alone(cards, damage):
    damage(cards / JOINT)
    library = load_library(cards, BASE)
    assert [policy.id for policy in library.policies] == [BACK]
    (left_out,) = library.failed
    assert (left_out.name, left_out.draft) == (JOINT, False)
    assert all(str(cards / JOINT) in problem for problem in left_out.problems)


def test_a_policy_without_its_cases_answers_all_the_same(cards):
    (cards / JOINT / "cases.json").unlink()
    library = load_library(cards, BASE)
    assert [policy.id for policy in library.policies] == [BACK, JOINT]
    assert library.left_out == ()
    with pytest.raises(PolicyError, match=r"cases\.json: the file is missing"):
        library.policies[1].cases.read()


def test_nothing_is_loaded_where_every_policy_is_bad(cards):
    for name in (BACK, JOINT):
        damage_json(cards / name)
    with pytest.raises(PolicyError) as refused:
        load_library(cards, BASE)
    assert {name for name in (BACK, JOINT) if any(name in problem for problem in refused.value.problems)} == {
        BACK,
        JOINT,
    }


def test_two_editions_of_the_same_days_are_both_left_out_and_the_others_stay(cards):
    shutil.copytree(cards / JOINT, cards / f"{JOINT}-b")
    path = cards / f"{JOINT}-b" / "policy.json"
    path.write_text(path.read_text(encoding="utf-8").replace(f'"id": "{JOINT}"', f'"id": "{JOINT}-b"', 1), "utf-8")
    library = load_library(cards, BASE)
    assert [policy.id for policy in library.policies] == [BACK]
    assert [item.name for item in library.failed] == [JOINT, f"{JOINT}-b"]


def test_unfinished_folder_is_a_draft(cards):
    write_starting_folder(NEW, cards)
    library = load_library(cards, BASE)
    assert [policy.id for policy in library.policies] == [BACK, JOINT]
    assert library.failed == ()
    (draft,) = library.left_out
    assert (draft.name, draft.draft) == (NEW, True)
    assert "texts still say FILL IN" in draft.problems[0]


def test_draft_that_is_saved_half_written_stays_a_draft(cards):
    folder = write_starting_folder(NEW, cards)
    text = (folder / "policy.json").read_text(encoding="utf-8")
    (folder / "policy.json").write_text(text[: len(text) // 2], encoding="utf-8")
    assert [item.draft for item in load_library(cards, BASE).left_out] == [True]


def test_explain_names_what_is_left_out_and_goes_on(cards):
    write_starting_folder(NEW, cards)
    damage_json(cards / JOINT)
    result = CliRunner().invoke(
        main,
        ["explain", "-", "--json", "--today", "2026-11-23"],
        input=json.dumps(example("all-met")),
        env={"CDS_SERVICE_CARDS": str(cards)},
    )
    assert result.exit_code == 0, result.output
    assert f"Skipped the draft {NEW}:" in result.stderr
    assert f"LEFT OUT the rule set {JOINT}:" in result.stderr
    assert len(json.loads(result.stdout)["response"]["cards"]) == 1


def test_service_answers_for_the_others_and_tells_the_silence(cards, tmp_path, capsys):
    write_starting_folder(NEW, cards)
    damage_json(cards / JOINT)
    settings = Settings(cards=cards, state=tmp_path / "state")
    library = gunicorn_server.load(settings)
    installed = gunicorn_server.install(settings, library, "http://127.0.0.1:8080", True, lambda: date(2026, 11, 23))
    with closing(installed.installation):
        installed.watch._check.run()
        client = installed.app.test_client()
        answer = client.post("/cds-services/coverage-guidance-order-sign", json=example("all-met"))
        ready = client.get("/readyz")
        numbers = client.get("/metrics").get_data(as_text=True)
    assert len(answer.get_json()["cards"]) == 1
    assert {"check": "left-out", "policy": JOINT} in ready.get_json()["concerns"]
    assert "left-out" not in ready.get_json().get("failing", [])
    assert f'cds_service_policy_left_out{{policy="{JOINT}"}} 1.0' in numbers
    assert 'cds_service_self_check_failing{check="left-out"} 1.0' in numbers
    printed = capsys.readouterr().err
    assert f"policy-left-out check=left-out policy={JOINT}" in printed
    assert f"draft-skipped policy={NEW}" in printed
