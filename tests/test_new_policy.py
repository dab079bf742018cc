"""A new policy as its author meets it: the starting folder, the check that guides through it, and its completion."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cds_service.authoring import new_policy, placeholders
from cds_service.authoring.placeholders import Placeholder
from cds_service.commands.main import main
from cds_service.errors import PolicyError
from cds_service.policy.json_files import FILES, read_json
from cds_service.policy.places import path_of
from tests.few_cases import with_few_cases
from tests.loading import schema

ROOT = Path(__file__).parent.parent
NAME = "knee-humming-2026"

# What an author might write into each place, made up throughout; a key that is to be filled in is under its object.
VALUES: dict[str, dict[str, Any]] = {
    "policy": {
        "$.statement": "knee-humming",
        "$.edition": "2026",
        "$.title": "Knee humming for sore knees",
        "$.procedure": "knee humming",
        "$.effective.from": "2026",
        "$.review.written_by": "the tests",
        "$.review.last_review": "2026-03-15",
        "$.review.next_review": "2027-03-15",
        "$.attributes.purpose": "Shows which criteria are met.",
        "$.attributes.intended_user": "Tests.",
        "$.attributes.intended_population": "Made-up patients.",
        "$.attributes.not_for": "Anything else.",
        "$.review.revisions[0].on": "2026-03-15",
        "$.review.revisions[0].what": "First encoding.",
        "$.attributes.funding": "None.",
        "$.attributes.funding_of_statement.says": "Not known: only the abstract was available.",
        "$.attributes.funding_of_studies[0].says": "Paid for by a maker of coils.",
        "$.attributes.limits": "All of it is made up.",
        "$.sources.statement.title": "Primer",
        "$.sources.statement.citation": "A made-up primer of knee humming",
        "$.sources.statement.url": None,
        "$.sources.statement.seen": "Made up.",
        "$.sources.statement.read_on": "2026-03",
        "$.evidence[0].finding": "Nothing was found.",
        "$.evidence[0].speaks": "mixed",
        "$.evidence[0].limits": "All made up.",
        "$.orders.acts[0].label": "humming coil",
        "$.orders.acts[0].code.code": "11111",
        "$.orders.acts[0].text[0]": "coil",
        "$.orders.named_in_text[0]": "knee humming",
        "$.orders.not_the_procedure_in_text[0]": "removal",
        "$.orders.site.elsewhere_in_text[0]": "shoulder",
        "$.facts.score.title": "Function score",
        "$.facts.score.ask.text": "What is the function score, in percent?",
        "$.facts.score.look_back_days": 180,
        "$.facts.score.unit": "%",
        "$.facts.score.units": "%",
        "$.facts.score.range[0]": 0,
        "$.facts.score.range[1]": 100,
        "$.criteria[0].title": "Function score of 30 or more",
        "$.criteria[0].fails_as": "function score below 30",
        "$.criteria[0].test.at_least": 30,
        "$.criteria[0].settled_by": "function score, 0 to 100",
        "$.criteria[0].sources[0].place": "page 1",
        "$.criteria[0].sources[0].says": "function score of at least 30",
        "$.criteria[0].sources[0].verified": "unverified",
        "$.criteria[0].next_review": "2027-03-15",
        "$.verdicts[0].title": "Criteria of the primer",
    },
    "codes": {
        "$.systems.CPT.version": "made up",
        "$.systems.ICD-10-CM.version": "made up",
        "$.systems.LOINC.version": "made up",
        "$.sets.procedure.title": "Humming coil",
        "$.sets.procedure.codes[0].code": "11111",
        "$.sets.site.title": "Knee",
        "$.sets.site.text[0]": "knee",
        "$.sets.site.codes[0].code": "M25.561",
        "$.sets.no-site.title": "Reasons that name no site",
        "$.sets.no-site.codes[0].code": "G89.4",
        "$.sets.score.title": "Function score",
        "$.sets.score.codes[0].code": "97909-6",
        **{
            f"$.sets.{name}.codes[0].{member}": value
            for name in ("procedure", "site", "no-site", "score")
            for member, value in (
                ("label", "made up"),
                ("seen", "unverified"),
                ("provenance", "made up for the tests"),
            )
        },
    },
    "card": {
        "$.source.label": "Primer",
        "$.source.url": "https://example.org/primer",
        "$.therapy": "Knee humming",
        "$.label": "Primer label",
        "$.topic": "kneeHumming",
        "$.evidence": "Made up.",
        "$.ask.summary": "Is this knee humming? Add a diagnosis or body site",
        "$.criteria.first-criterion.short": "function 30 or more",
        "$.criteria.first-criterion.topic": "function score",
        "$.criteria.first-criterion.doc": "Function score",
        "$.criteria.first-criterion.document": "score, last 180 days",
        "$.criteria.first-criterion.fails": "function {value} (label: 30 or more)",
        "$.criteria.first-criterion.met": "function {value}",
        "$.criteria.first-criterion.letter": "the function score is {value}",
    },
    "cases": {
        "$.today": "2026-03-15",
        "$.orders.procedure.order.order": "CPT|11111",
        "$.orders.procedure.order.reason": "ICD-10-CM|M25.561",
        "$.orders.no-site.order.order": "CPT|11111",
        "$.orders.no-site.order.reason": "ICD-10-CM|G89.4",
        **{
            f"$.cases[{number}].{member}": value
            for number, (name, score, day) in enumerate(
                (
                    ("A score of 30, measured 180 days ago, is enough.", 30, "2025-09-16"),
                    ("A score of 29 is too low.", 29, "2026-03-01"),
                    ("A score of 30, measured 181 days ago, says nothing.", 30, "2025-09-15"),
                )
            )
            for member, value in (
                ("name", name),
                ("change.score.observation", "LOINC|97909-6"),
                ("change.score.value", score),
                ("change.score.unit", "%"),
                ("change.score.date", day),
            )
        },
    },
}


def run(*arguments: str):
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return new_policy.write_starting_folder(NAME, tmp_path)


def open_places(folder: Path) -> list[Placeholder]:
    return placeholders.placeholders(placeholders.read_as_written(folder))


def fill_in(folder: Path, steps: range, values: Mapping[str, Mapping[str, Any]] = VALUES) -> None:
    """Fills in the places of some of the six steps, as an author would; comments are left out on the way."""
    documents = placeholders.read_as_written(folder)
    for item in placeholders.placeholders(documents):
        if placeholders.step_of(item) not in steps:
            continue
        value = values[item.file][path_of(item.steps)]
        holder = documents[item.file]
        for step in item.steps if item.is_key else item.steps[:-1]:
            holder = holder[step]
        if item.is_key:
            holder[value] = holder.pop(f"{placeholders.MARK}{item.wanted}")
        else:
            holder[item.steps[-1]] = value
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def test_the_command_writes_the_five_files_and_says_what_comes_next(tmp_path):
    result = run("new-policy", NAME, str(tmp_path))
    assert result.exit_code == 0
    assert sorted(path.stem for path in (tmp_path / NAME).iterdir()) == sorted(FILES)
    assert f"Next: run `cds-service check {tmp_path / NAME}`" in result.output


def test_the_folder_is_written_into_the_current_directory_where_none_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("new-policy", NAME).exit_code == 0
    assert (tmp_path / NAME / "policy.json").exists()


@pytest.mark.parametrize("place", ["cards", "cards/inner", "cds_service", "cds_service/authoring/starting_folder"])
def test_the_folder_is_never_written_into_the_program(monkeypatch, place):
    """A folder of one's own there would be shipped, served, and lost with the next version."""
    here = ROOT / place if (ROOT / place).is_dir() else ROOT / "cards"
    monkeypatch.chdir(here)
    results = [run("new-policy", *arguments) for arguments in ([NAME, str(ROOT / place)], [NAME])]
    written = [folder for folder in (ROOT / place / NAME, here / NAME) if folder.exists()]
    # What this test finds must not break others.
    for folder in written:
        shutil.rmtree(folder)
    assert written == []
    for result in results:
        assert result.exit_code == 1
        assert "belongs to the program; nothing was written." in result.output


def test_check_works_inside_a_folder(folder, monkeypatch):
    outside = run("check", str(folder)).output
    monkeypatch.chdir(folder)
    assert run("check", ".").output == outside
    assert outside.startswith(f"{NAME}: ")


def test_check_works_inside_a_finished_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(with_few_cases("isass-si-joint-fusion-2020", tmp_path))
    result = run("check", ".", "--no-slips", "--today", "2026-11-23")
    assert result.exit_code == 0, result.output


def test_a_folder_that_is_there_is_not_touched(folder):
    (folder / "policy.json").write_text("{}", encoding="utf-8")
    result = run("new-policy", NAME, str(folder.parent))
    assert (result.exit_code, "exists already" in result.output) == (1, True)
    assert (folder / "policy.json").read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize("name", ["Knee", "knee humming", "knee--humming", "-knee", "../knee", "a/b", "k" * 81])
def test_an_id_that_cannot_be_one_is_refused_with_an_example(tmp_path, name):
    with pytest.raises(PolicyError, match="for example society-procedure-2024"):
        new_policy.write_starting_folder(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_id_is_what_the_schema_says():
    slug = schema("policy").schema["$defs"]["slug"]
    assert (slug["pattern"], slug["maxLength"]) == (f"^{new_policy._SLUG.pattern}$", new_policy._LONGEST)


def test_the_starting_folder_shows_one_of_each(folder):
    written = placeholders.read_as_written(folder)
    policy = written["policy"]
    assert policy["id"] == NAME
    assert [len(policy[name]) for name in ("criteria", "facts", "verdicts")] == [1, 1, 1]
    assert len(policy["orders"]["acts"]) == 1
    told = [case["expect"].get("criteria", {}).get("first-criterion") for case in written["cases"]["cases"]]
    assert told == ["met", "not-met", "unknown", None]


def test_the_files_keep_their_comments_in_lines_that_fit_a_screen(folder):
    for name in FILES:
        lines = (folder / f"{name}.json").read_text(encoding="utf-8").splitlines()
        comments = [line for line in lines if re.match(r'\s*"//', line)]
        assert comments, name
        assert max(map(len, comments)) <= 140, name


def test_check_lists_the_first_step_in_full_and_counts_the_later_ones(folder):
    result = run("check", str(folder))
    lines = result.output.splitlines()
    total = len(open_places(folder))
    assert result.exit_code == 1
    assert lines[:2] == [f"{NAME}: {total} places to fill in.", "Step 1 of 6, identity, sources and review:"]
    assert "  policy.json: $.edition: the edition, for example 2024" in lines
    first = [line for line in lines if line.startswith("  ")]
    later = [int(line.rpartition(": ")[2].partition(" ")[0]) for line in lines if line.startswith("Later")]
    assert len(first) + sum(later) == total
    assert len(later) == 5
    assert lines[-1] == (
        f"Next: fill in these {len(first)} places of policy.json, save, and run `cds-service check {folder}` again."
    )


@pytest.mark.parametrize("step", range(2, 7))
def test_check_goes_on_with_the_next_step(folder, step):
    fill_in(folder, range(1, step))
    lines = run("check", str(folder)).output.splitlines()
    filled = "step 1 is" if step == 2 else f"steps 1 to {step - 1} are"
    assert f"; {filled} filled in." in lines[0]
    assert lines[1] == f"Step {step} of 6, {placeholders.STEPS[step - 1].title}:"
    assert all("error" not in line for line in lines)


def test_a_key_that_is_to_be_filled_in_is_reported_as_one(folder):
    (item,) = [item for item in open_places(folder) if item.is_key]
    assert item.line == ("policy.json: $.facts.score.units: as the key: the unit as records write it, for example %")


# The library that reads the public table asks for it in a way that Python will change.
@pytest.mark.filterwarnings("ignore:.*_text is deprecated:DeprecationWarning")
def test_a_folder_with_everything_filled_in_passes_the_whole_check(folder):
    fill_in(folder, range(1, 7))
    assert open_places(folder) == []
    updated = run("codes", "update", str(folder), "--today", "2026-03-15")
    assert updated.exit_code == 0, updated.output
    result = run("check", str(folder), "--today", "2026-03-15")
    assert result.exit_code == 0, result.output
    assert re.search(rf"^{NAME}: 4 cases, \d+ mutations all noticed, 0 errors, 0 warnings", result.output)


def test_what_is_filled_in_wrongly_is_reported_before_the_rest_is_written(folder):
    values = {**VALUES, "policy": {**VALUES["policy"], "$.review.next_review": "next spring"}}
    fill_in(folder, range(1, 2), values)
    lines = run("check", str(folder)).output.splitlines()
    wrong = [line for line in lines if line.startswith("error: ")]
    assert len(wrong) == 1
    assert "$.review.next_review: " in wrong[0]
    assert f"Step 2 of 6, {placeholders.STEPS[1].title}:" in lines


def test_what_a_misspelt_name_breaks_is_reported_where_nothing_below_is_open(folder):
    document = json.loads((folder / "policy.json").read_text(encoding="utf-8"))
    document["verdicts"][0] = {"id": "statement", "titel": "Criteria", "all": ["first-criterion"]}
    (folder / "policy.json").write_text(json.dumps(document), encoding="utf-8")
    assert "titel" in run("check", str(folder)).output


def test_further_case_files_belong_to_the_last_step(folder):
    fill_in(folder, range(1, 7))
    case = {"name": "FILL IN: a sentence", "chart": "plain", "expect": {"cards": 1}}
    (folder / "cases-more.json").write_text(json.dumps({"cases": [case]}), encoding="utf-8")
    lines = run("check", str(folder)).output.splitlines()
    assert lines[:3] == [
        f"{NAME}: 1 place to fill in; steps 1 to 5 are filled in.",
        "Step 6 of 6, cases:",
        "  cases-more.json: $.cases[0].name: a sentence",
    ]


def test_a_file_that_is_no_json_comes_first(folder):
    (folder / "codes.json").write_text("{", encoding="utf-8")
    result = run("check", str(folder))
    assert (result.exit_code, "codes.json: line 1" in result.output) == (1, True)


def test_the_wheel_and_the_image_hold_the_starting_folder():
    found = {path.name for path in (ROOT / "cds_service" / "authoring" / "starting_folder").iterdir()}
    assert found == {f"{name}.json" for name in FILES}


def test_every_place_has_a_step_and_every_step_a_place(folder):
    assert {placeholders.step_of(item) for item in open_places(folder)} == set(range(1, 7))


def test_comments_are_dropped_wherever_they_stand_and_may_repeat(folder):
    text = '{"// why": 1, "//": "a", "//": "b", "sets": {"//": {"x": 1}, "knee": [{"// odd": null, "code": "1"}]}}'
    (folder / "codes.json").write_text(text, encoding="utf-8")
    assert read_json(folder / "codes.json") == {"sets": {"knee": [{"code": "1"}]}}


def test_a_directory_that_is_missing_is_made(tmp_path):
    result = CliRunner().invoke(main, ["new-policy", "society-procedure-2024", str(tmp_path / "drafts" / "mine")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "drafts" / "mine" / "society-procedure-2024" / "policy.json").exists()
