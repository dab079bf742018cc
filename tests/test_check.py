"""The check as an author meets it: what is wrong, where, what to do; on every save; how far it is; how it ends."""

import io
import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cds_service.authoring import reviews, unused
from cds_service.authoring.check import Wishes, across_folders, check_folder
from cds_service.authoring.documents import Edit, edited
from cds_service.authoring.problems import Problem, Severity, error, told_once, warning
from cds_service.authoring.progress import Progress
from cds_service.authoring.summary import lines
from cds_service.authoring.watch import watch
from cds_service.commands.main import main
from cds_service.errors import PolicyError
from tests.charts import minimal
from tests.few_cases import with_few_cases
from tests.loading import policy_of, read_documents
from tests.shipped import library
from tests.test_mutations import FOLDER, documents

BASE = "https://cds-service.example/fhir"
TODAY = date(2026, 3, 15)
CASES_ALONE = Wishes(TODAY, mutations=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "minimal"))


def rewrite(folder: Path, file: str, steps: tuple[str | int, ...], value: Any) -> None:
    path = folder / f"{file}.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    changed = edited({file: document}, (Edit(file, steps, value),))[file]
    path.write_text(json.dumps(changed), encoding="utf-8")


def told(folder: Path, wishes: Wishes = CASES_ALONE) -> list[str]:
    report = check_folder(folder, BASE, wishes)
    return [f"{severity.value}: {line}" if severity else line for severity, line in lines(report)]


def run(*arguments: str):
    return CliRunner().invoke(main, ["check", *arguments])


def sentences(problems: Any) -> list[str]:
    return [f"{problem.place}: {problem.says}" for problem in problems]


def test_a_failing_case_says_what_was_expected_what_came_and_why(folder):
    case = {
        "name": "A patient in little pain is outside the study.",
        "chart": "plain",
        "change": {"score": {"observation": "LOINC|72514-3", "value": 5, "unit": "{score}", "date": "2026-03-01"}},
        "expect": {"criteria": {"pain": "met", "function": "met"}, "verdicts": {"studied": "met"}},
    }
    rewrite(folder, "cases", ("cases", 0), case)
    place = "error: minimal/cases.json: “A patient in little pain is outside the study.”: "
    assert [line for line in told(folder) if line.startswith(place)] == [
        place + "verdict studied: expected met, got not-met, because: "
        "weight-ratio is unknown, function is unknown, pain is not-met",
        place + "criterion pain: expected met, got not-met, because: 5: below 6; "
        "it rests on 'score' (pain score 5 2026-03-01)",
        place + "criterion function: expected met, got unknown, because: nothing on record; no record bears on it",
    ]
    assert "mutations not tried while a case fails" in told(folder, Wishes(TODAY))[-1]


@pytest.mark.parametrize("rules", ["lint.problems", "order_problems"])
def test_a_case_whose_card_breaks_a_rule_of_cards_is_named(folder, monkeypatch, rules):
    monkeypatch.setattr(f"cds_service.authoring.check.{rules}", lambda card: ["is spoiled"])
    assert any(line.startswith("error: ") and line.endswith("”: the card: is spoiled") for line in told(folder))


def test_a_case_that_names_no_chart_does_not_hide_the_others(folder):
    rewrite(folder, "cases", ("cases", 1), {"name": "Of no chart at all.", "chart": "odd", "expect": {"cards": 1}})
    found = [line for line in told(folder) if "“" in line]
    assert found == ["error: minimal/cases.json: “Of no chart at all.”: cases.json: $.charts: 'odd' does not exist; "
                     "allowed: plain"]  # fmt: skip


def test_a_criterion_without_a_case_on_each_side_is_reported(folder):
    assert "error: minimal/cases.json: no case expects the criterion 'adult' to be met or not-met or unknown" in told(
        folder
    )


def test_further_files_and_tables_are_cases(folder):
    table = {
        "name": "A knee known to be infected.",
        "for_each": ["ICD-10-CM|M00.861", "ICD-10-CM|M01.X0"],
        "chart": "plain",
        "change": {"i": {"condition": "{code}"}},
        "expect": {"criteria": {"no-infection": "not-met"}},
    }
    (folder / "cases-infection.json").write_text(json.dumps({"cases": [table]}), encoding="utf-8")
    listed = read_documents(folder)["cases"]["cases"]
    assert [(case["name"], case["file"]) for case in listed[1:]] == [
        ("A knee known to be infected. (ICD-10-CM|M00.861)", "cases-infection.json"),
        ("A knee known to be infected. (ICD-10-CM|M01.X0)", "cases-infection.json"),
    ]
    assert listed[1]["change"] == {"i": {"condition": "ICD-10-CM|M00.861"}}
    assert told(folder)[-1].startswith("minimal: 3 cases, ")
    assert not [line for line in told(folder) if "cases-infection" in line]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"today": "2026-01-01", "cases": []}, 'must hold {"cases": […]} alone'),
        ({"cases": [{"name": "Too short on words", "chart": "plain"}]}, "$.cases[0]"),
        (
            {"cases": [{"name": "All alike, every one.", "chart": "plain", "for_each": ["a"], "expect": {"cards": 1}}]},
            "$.cases[0].for_each: nothing in the case holds {code}",
        ),
        (
            {
                "cases": [
                    {
                        "name": "The same one twice.",
                        "chart": "plain",
                        "for_each": ["ICD-10-CM|M01.X0", "ICD-10-CM|M01.X0"],
                        "change": {"i": {"condition": "{code}"}},
                        "expect": {"cards": 1},
                    }
                ]
            },
            "$.cases[0].for_each: ICD-10-CM|M01.X0 occurs twice",
        ),
    ],
)
def test_a_further_file_that_cannot_be_used_is_named(folder, document, says):
    (folder / "cases-more.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(PolicyError) as refusal:
        read_documents(folder)
    assert "cases-more.json: " in str(refusal.value)
    assert says in str(refusal.value)


def test_what_is_defined_in_vain_is_reported():
    number, asked = {"kind": "measurement", "title": "Pain"}, {"kind": "answer", "title": "Guided"}
    relief = {"kind": "reduction", "title": "Relief", "from": "before", "to": "after"}
    attributes = {"guided": asked, "before": number, "after": number, "relief": relief, "odd": asked}
    events = {"kind": "events", "title": "Blocks", "attributes": attributes, "when_absent": "unknown"}
    rule = {"title": "Rule", "source": "primer", "next_review": "2027-01-01"}
    least = {"title": "Least", "value": 50, "source": "primer", "place": "page 1"}
    test = {"count": "blocks", "where": {"all": [{"fact": "relief", "at_least": "$least"}]}, "at_least": 2}
    given = documents(
        Edit("policy", ("facts", "blocks"), events),
        Edit("policy", ("criteria", 0, "test"), test),
        Edit("policy", ("parameters",), {"least": least, "most": least}),
        Edit("policy", ("profiles",), {"used": rule | {"all": ["adult"]}, "unused": rule | {"pending": "Not seen."}}),
        Edit("policy", ("verdicts", 3), {"id": "other", "title": "Other", "profile": "used"}),
        Edit("policy", ("sources", "rumour"), documents()["policy"]["sources"]["primer"]),
        Edit("codes", ("sets", "lost"), documents()["codes"]["sets"]["coil"]),
    )
    found = list(unused.unused(policy_of(FOLDER, given)))
    assert {problem.place for problem in found if "facts" not in problem.place} == {
        "policy.json: $.parameters.most",
        "policy.json: $.profiles.unused",
        "policy.json: $.sources.rumour",
        "codes.json: $.sets.lost",
    }
    places = {problem.place for problem in found}
    assert "policy.json: $.facts.blocks.attributes.odd" in places
    assert "policy.json: $.facts.blocks.attributes.guided" in places
    assert not places & {f"policy.json: $.facts.blocks.attributes.{name}" for name in ("relief", "before", "after")}
    assert [problem.place for problem in found if problem.severity is Severity.WARNING] == [
        "policy.json: $.sources.rumour"
    ]


def test_a_profile_that_cases_name_and_nothing_defines_is_reported():
    expected = Edit("cases", ("cases", 0, "expect", "criteria"), {"adult@strict right": "met"})
    assert sentences(unused.dangling(policy_of(FOLDER, documents(expected)))) == [
        "policy.json: $.profiles: 'strict' is not a profile; there are none",
    ]


def test_what_is_past_its_review_is_a_warning_from_the_day_after():
    assert list(reviews.overdue(minimal(), date(2027, 1, 1))) == []
    late = list(reviews.overdue(minimal(), date(2027, 1, 2)))
    assert all(problem.severity is Severity.WARNING for problem in late)
    places = [problem.place for problem in late]
    assert places[0] == "policy.json: $.review"
    assert "policy.json: $.criteria[0] (adult)" in places
    assert "payers.json: $.payers[0] (Example Mutual)" in places


def test_editions_that_both_hold_on_a_day_are_reported(folder, tmp_path):
    second = Path(shutil.copytree(folder, tmp_path / "minimal-2"))
    rewrite(second, "policy", ("id",), "minimal-2")
    rewrite(second, "policy", ("edition",), "2")
    rewrite(second, "policy", ("effective", "from"), "2027")
    reports = [check_folder(path, BASE, CASES_ALONE) for path in (folder, second)]
    (problem,) = across_folders(reports)
    assert "minimal and minimal-2 are editions of" in problem.says
    rewrite(folder, "policy", ("effective", "until"), "2026")
    assert across_folders([check_folder(path, BASE, CASES_ALONE) for path in (folder, second)]) == []


def test_a_policy_that_grants_to_nobody_is_reported(folder):
    rewrite(folder, "policy", ("criteria", 0, "test"), {"not": {"fact": "infection-or-none", "is": True}})
    assert [line for line in told(folder) if "is met by an empty chart" in line]


def test_a_problem_found_many_times_is_reported_once():
    few = [error("a", "too long"), error("b", "too long"), error("c", "else"), error("", "of all")]
    assert told_once(few, "cards/") == ["cards/a, b: too long", "cards/c: else", "of all"]
    many = [error(f"cases.json: “{number} {'x' * 140}”", "too long") for number in range(5)]
    (sentence,) = told_once(many)
    assert sentence.endswith("x” and 4 more: too long")


def test_errors_come_before_warnings_and_the_sum_comes_last(folder):
    kinds = [line.partition(": ")[0] for line in told(folder, Wishes(date(2030, 1, 1)))]
    assert list(dict.fromkeys(kinds)) == ["error", "warning", "minimal"]
    assert "statement text pending verification: adult, pain-duration" in told(folder)[-1]


def test_the_status_is_one_only_where_there_is_an_error(folder, tmp_path):
    result = run(str(tmp_path))
    assert result.exit_code == 1
    assert "not noticed" in result.stdout
    assert (
        "error: minimal/policy.json: $.criteria[0].test.at_least: 18 moved to 19, and no case notices" in result.stdout
    )
    assert "'knee exercise' dropped" not in result.stdout
    assert "'knee exercise' dropped" in run(str(tmp_path), "--phrases").stdout
    assert "mutation" not in run(str(tmp_path), "--no-slips").stdout
    (folder / "policy.json").write_text("{", encoding="utf-8")
    result = run(str(tmp_path))
    assert result.exit_code == 1
    assert "minimal: cannot be read, 1 error, 0 warnings" in result.stdout


def test_what_ships_is_sound_and_past_review_only_warns(tmp_path):
    for policy in library().policies:
        with_few_cases(policy.id, tmp_path)
    result = run(str(tmp_path), "--today", "2040-01-01", "--no-slips")
    assert (result.exit_code, result.stdout.count(" 0 errors")) == (0, len(library().policies))
    assert "warning: " in result.stdout
    assert "was to be reviewed by" in result.stdout


class Clock:
    """A clock that a test moves; each look at it is one moment later."""

    def __init__(self, *moments: float) -> None:
        self.moments = list(moments)

    def __call__(self) -> float:
        return self.moments.pop(0)


def test_what_takes_a_second_or_less_tells_nothing():
    stream = io.StringIO()
    progress = Progress(stream, Clock(0, 0.5, 0.99), on_terminal=True)
    progress.tell(1, 2, "cases")
    progress.tell(2, 2, "cases")
    progress.end()
    assert stream.getvalue() == ""


def test_a_log_gets_a_plain_line_every_few_seconds():
    stream = io.StringIO()
    progress = Progress(stream, Clock(0, 1, 2, 5, 6), on_terminal=False)
    for done in range(1, 5):
        progress.tell(done, 4, "mutations")
    progress.end()
    assert stream.getvalue() == "1 of 4 mutations\n4 of 4 mutations\n"


def test_a_terminal_gets_one_line_that_rewrites_itself_and_goes():
    stream = io.StringIO()
    progress = Progress(stream, Clock(0, 1, 1.3), on_terminal=True)
    progress.tell(10, 40, "mutations")
    progress.tell(9, 40, "mutations")
    progress.end()
    assert stream.getvalue() == "\r10 of 40 mutations\r9 of 40 mutations \r" + " " * 18 + "\r"


def test_watching_checks_again_on_every_save_and_says_what_changed(folder):
    said: list[str] = []
    runs: list[int] = []
    changes = [
        lambda: None,
        lambda: (folder / "card.json").write_text("{}", encoding="utf-8"),
        lambda: (folder / "cases-new.json").write_text("{}", encoding="utf-8"),
        (folder / "cases-new.json").unlink,
        lambda: (folder / ".draft.json").write_text("{}", encoding="utf-8"),
    ]
    watch(
        folder,
        run=lambda: runs.append(1),
        say=said.append,
        sleep=lambda seconds: changes.pop(0)(),
        stop=lambda: not changes,
    )
    assert said == [
        f"watching {folder}; Ctrl-C ends",
        "saved: card.json",
        "added: cases-new.json",
        "removed: cases-new.json",
    ]
    assert len(runs) == 4


def test_ctrl_c_ends_watching_without_an_error(folder, monkeypatch):
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupted)
    result = run(str(folder), "--no-slips", "--watch")
    assert result.exit_code == 0
    assert result.stdout.endswith("ended\n")


def test_a_severity_is_a_word_and_not_only_a_colour():
    assert {problem.severity.value for problem in (error("a", "b"), warning("a", "b"))} == {"error", "warning"}
    assert isinstance(error("a", "b"), Problem)
