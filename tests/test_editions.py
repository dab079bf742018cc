"""Editions of one statement: which one answers for which day, which may not be in force together, and what changed."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.app import create_app
from cds_service.authoring.documents import Edit, edited
from cds_service.commands.main import main
from cds_service.errors import PolicyError, UnreadableError
from cds_service.library import load_library
from cds_service.policy.editions import date_of_service, effective, in_force, overlaps
from cds_service.policy.loading.folder import Unchanged
from cds_service.publish.changes import changes
from cds_service.settings.settings import Settings
from tests.charts import BASE, MINIMAL, QUESTIONNAIRE, attested, condition, minimal, named, order, patient, sent
from tests.loading import load_policy, policy_of
from tests.paired import paired

LAST_YEAR = date(2025, 12, 30)
GAPS = "Knee humming: 3 of 4 Primer label criteria need documentation"
KNEE = {"bodySite": [{"text": "Right knee"}]}


def edit(folder: Path, file: str, change) -> None:
    document = json.loads((folder / f"{file}.json").read_text(encoding="utf-8"))
    change(document)
    (folder / f"{file}.json").write_text(json.dumps(document), encoding="utf-8")


def edition(cards: Path, name: str, first: str, last: str | None, change=lambda policy: None, **members) -> Path:
    """A folder of the made-up statement with its own id, edition and range; ``change`` edits its policy.json."""
    folder = Path(shutil.copytree(MINIMAL, cards / name))
    named_so = {"id": name, "edition": name, "effective": {"from": first, "until": last}} | members
    edit(folder, "policy", lambda policy: policy.update(named_so))
    edit(folder, "policy", change)
    return folder


def adult_from(years):
    return lambda policy: policy["criteria"][0]["test"].update(at_least=years)


@pytest.fixture
def cards(tmp_path) -> Path:
    """Two editions: until the end of 2025 adults are 18 or older, from 2026 on 60 or older."""
    edition(tmp_path, "minimal-2025", "2024", "2025")
    edition(tmp_path, "minimal-2026", "2026", None, adult_from(60))
    return tmp_path


# --- which edition counts ---------------------------------------------------------------------------------------------


def test_partial_dates_begin_at_their_first_day_and_end_at_their_last(tmp_path):
    policy = load_policy(edition(tmp_path, "a", "2020-03", "2024-02"))
    assert effective(policy) == (date(2020, 3, 1), date(2024, 2, 29))
    assert effective(minimal()) == (date(2026, 1, 1), date.max)


@pytest.mark.parametrize(
    ("day", "name"),
    named(
        ("before the first", "2001-01-01", "a"),
        ("the first day", "2020-01-01", "a"),
        ("the last day of the first", "2021-06-30", "a"),
        ("the day after, in a gap, nearer to the first", "2021-07-01", "a"),
        ("the middle of the gap, as near to both", "2021-08-05", "a"),
        ("nearer to the second", "2021-08-10", "b"),
        ("the first day of the second", "2021-09-10", "b"),
        ("the last day of the last", "2022-12-31", "b"),
        ("after the last", "2040-01-01", "b"),
    ),
)
def test_the_edition_whose_range_holds_the_day_or_else_the_nearest(tmp_path, day, name):
    editions = [
        load_policy(edition(tmp_path, "b", "2021-09-10", "2022")),
        load_policy(edition(tmp_path, "a", "2020", "2021-06")),
    ]
    assert in_force(editions, date.fromisoformat(day)).id == name


TODAY = date(2026, 3, 15)


@pytest.mark.parametrize(
    ("drafts", "day"),
    named(
        ("nothing said", [{}], "2026-03-15"),
        ("no drafts", [], "2026-03-15"),
        ("a day to come", [{"occurrenceDateTime": "2026-04-01"}], "2026-04-01"),
        ("a day that is over", [{"occurrenceDateTime": "2025-12-01"}], "2025-12-01"),
        ("a moment, at the place of care", [{"occurrenceDateTime": "2026-04-01T23:30:00-08:00"}], "2026-04-01"),
        ("a period", [{"occurrencePeriod": {"start": "2026-05-01", "end": "2026-06-01"}}], "2026-05-01"),
        ("a period without start", [{"occurrencePeriod": {"end": "2026-06-01"}}], "2026-03-15"),
        ("a timing", [{"occurrenceTiming": {"event": ["2026-07-01", "2026-06-01"]}}], "2026-07-01"),
        ("a timing without events", [{"occurrenceTiming": {"repeat": {"count": 3}}}], "2026-03-15"),
        (
            "the earliest of several",
            [{"occurrenceDateTime": "2026-05-01"}, {}, {"occurrencePeriod": {"start": "2026-04-02"}}],
            "2026-04-02",
        ),
        ("a month to come", [{"occurrenceDateTime": "2026-05"}], "2026-05-01"),
        ("this year", [{"occurrenceDateTime": "2026"}], "2026-03-15"),
        ("a month that is over", [{"occurrenceDateTime": "2026-02"}], "2026-02-28"),
        ("no date", [{"occurrenceDateTime": "soon"}], "2026-03-15"),
        ("not even text", [{"occurrenceDateTime": 5, "occurrencePeriod": [], "occurrenceTiming": "x"}], "2026-03-15"),
        ("an event that is not a date", [{"occurrenceTiming": {"event": [{}]}}], "2026-03-15"),
        ("one that cannot be read beside one that can", [{"occurrenceDateTime": "x"}, {"occurrenceDateTime": "2027"}],
         "2027-01-01"),
    ),
)  # fmt: skip
def test_the_date_of_service(drafts, day):
    assert date_of_service(drafts, TODAY) == date.fromisoformat(day)


# --- over HTTP --------------------------------------------------------------------------------------------------------


def call(cards: Path, today: date, *drafts, hook="order-sign", selections=None, on_record=()):
    client = create_app(Settings(), load_library(cards, BASE), "http://127.0.0.1:8080", lambda: today).test_client()
    context = {"patientId": "p1"}
    if hook != "patient-view":
        context["draftOrders"] = {"entry": [{"resource": draft} for draft in drafts]}
    if selections is not None:
        context["selections"] = selections
    request = {"hook": hook, "hookInstance": "1", "context": context, "prefetch": sent(*on_record)}
    return client.post(f"/cds-services/coverage-guidance-{hook}", json=request).get_json()["cards"]


def edition_of(cards):
    (card,) = cards
    return card["links"][0]["url"].rpartition("/")[2]


@pytest.mark.parametrize(
    ("today", "service", "answers", "summary"),
    named(
        (
            "this year for this year",
            LAST_YEAR,
            {},
            "minimal-2025",
            GAPS,
        ),
        ("next year for next year", date(2026, 1, 2), {}, "minimal-2026", "Knee humming: off-label, age 5"),
        (
            "ordered this year for service in the next",
            LAST_YEAR,
            {"occurrenceDateTime": "2026-01-05"},
            "minimal-2026",
            "Knee humming: off-label, age 5",
        ),
        (
            "ordered next year for service in this",
            date(2026, 1, 2),
            {"occurrencePeriod": {"start": "2025-12-31T08:00:00Z"}},
            "minimal-2025",
            GAPS,
        ),
        (
            "before the first edition",
            LAST_YEAR,
            {"occurrenceDateTime": "2010"},
            "minimal-2025",
            GAPS,
        ),
    ),
)
def test_an_order_is_answered_by_the_edition_of_its_date_of_service(cards, today, service, answers, summary):
    made = call(cards, today, order("11111", **KNEE, **service))
    assert edition_of(made) == answers
    assert summary in made[0]["summary"]


def test_two_acts_of_one_procedure_share_one_card_by_the_earlier_day(cards):
    drafts = (
        order("11111", **KNEE, occurrenceDateTime="2026-01-05"),
        order("22222", id="s2", **KNEE, occurrenceDateTime="2025-12-31"),
    )
    assert edition_of(call(cards, LAST_YEAR, *drafts)) == "minimal-2025"


def test_drafts_that_do_not_concern_it_or_are_not_selected_choose_no_edition(cards):
    mine = order("11111", **KNEE, occurrenceDateTime="2026-01-05")
    other = order("99999", id="s2", occurrenceDateTime="2025-12-31")
    assert edition_of(call(cards, LAST_YEAR, mine, other)) == "minimal-2026"
    unselected = order("22222", id="s3", **KNEE, occurrenceDateTime="2025-12-31")
    made = call(cards, LAST_YEAR, mine, unselected, hook="order-select", selections=["ServiceRequest/s1"])
    assert edition_of(made) == "minimal-2026"


def test_patient_view_answers_by_today(cards):
    for today, name in ((LAST_YEAR, "minimal-2025"), (date(2026, 1, 1), "minimal-2026")):
        assert edition_of(call(cards, today, hook="patient-view", on_record=[condition()])) == name


def test_answers_to_any_edition_count(cards):
    form = attested(
        {"can-hum": {"valueBoolean": True}}, authored="2025-12-20", questionnaire=f"{QUESTIONNAIRE}-2025|minimal-2025"
    )
    made = call(
        cards,
        date(2026, 1, 2),
        order("11111", **KNEE),
        on_record=[form, patient(birthDate="1950-01-01")],
    )
    assert edition_of(made) == "minimal-2026"
    assert ":** can hum." in made[0]["detail"]


def test_a_draft_edition_is_listed_and_never_in_force(cards):
    """It neither answers, nor keeps the edition before it from answering, nor makes its orders concern anybody."""
    drafted = date(2027, 6, 1), order("11111", **KNEE)
    without = call(cards, *drafted, on_record=(patient(),))
    edition(cards, "minimal-2027", "2027-01-01", None, adult_from(90), status="draft")
    library = load_library(cards, BASE)
    assert [policy.id for policy in library.drafts] == ["minimal-2027"]
    assert "minimal-2027" not in {policy.id for policy in library.policies}
    assert library.policy("minimal-2027") is None
    assert library.left_out == ()
    assert call(cards, *drafted, on_record=(patient(),)) == without
    assert edition_of(without) == "minimal-2026"


def test_a_draft_edition_is_named_on_the_pages(cards):
    edition(cards, "minimal-2027", "2027-01-01", None, status="draft")
    app = create_app(Settings(), load_library(cards, BASE), "http://127.0.0.1:8080", lambda: LAST_YEAR)
    client = app.test_client()
    listed = client.get("/policies").get_data(as_text=True)
    assert "edition minimal-2027" in listed
    assert "not in force" in listed
    assert "Draft, not in force: edition minimal-2027" in client.get("/policies/minimal-2026").get_data(as_text=True)
    assert client.get("/policies/minimal-2027").status_code == 404


def test_discovery_names_a_statement_once(cards):
    client = create_app(Settings(), load_library(cards, BASE), "http://127.0.0.1:8080", lambda: TODAY).test_client()
    described = client.get("/cds-services").get_json()["services"][0]["description"]
    assert described.count("Knee humming for sore knees") == 1


# --- which editions may not be in force together ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "sentence"),
    named(
        ("the day after", {"first": "2026-01-01", "last": None}, None),
        (
            "one day in common",
            {"first": "2025-12-31", "last": None},
            "a and b are editions of 'knee-humming' and both effective from 2025-12-31 to 2025-12-31; let the earlier",
        ),
        (
            "one that has no end",
            {"first": "2019", "last": None},
            "both effective from 2020-01-01 to 2025-12-31",
        ),
        (
            "one name",
            {"first": "2026", "last": None, "edition": "a"},
            "a and b are editions of 'knee-humming' and both",
        ),
        ("turned round", {"first": "2026", "last": "2025"}, "b: is effective from 2026-01-01 until 2025-12-31, which"),
        ("another statement", {"first": "2020", "last": None, "statement": "elbow-humming"}, None),
    ),
)
def test_editions_that_collide_are_refused_with_both_names(tmp_path, second, sentence):
    edition(tmp_path, "a", "2020", "2025")
    edition(tmp_path, "b", second.pop("first"), second.pop("last"), **second)
    found = overlaps([load_policy(tmp_path / name) for name in ("a", "b")])
    checked = CliRunner().invoke(main, ["check", str(tmp_path)]).output
    if sentence is None:
        assert found == []
        assert load_library(tmp_path, BASE).policies
        return
    assert any(sentence in problem for problem in found), found
    assert sentence in checked
    with pytest.raises(PolicyError) as refused:
        load_library(tmp_path, BASE)
    assert refused.value.problems == [f"{tmp_path}: {problem}" for problem in found]


def test_two_ranges_without_end_are_reported_as_such(tmp_path):
    policies = [load_policy(edition(tmp_path, name, year, None)) for name, year in (("a", "2020"), ("b", "2021"))]
    assert "both effective from 2021-01-01 on;" in overlaps(policies)[0]


# --- what changed -----------------------------------------------------------------------------------------------------


def set_at(*path, value):
    def change(document):
        *parents, last = path
        for part in parents:
            document = document[part]
        document[last] = value

    return change


def removed(*path):
    def change(document):
        *parents, last = path
        for part in parents:
            document = document[part]
        del document[last]

    return change


def without_criterion(policy):
    del policy["criteria"][4]
    policy["verdicts"][1]["all"].remove("pain")


def one_more_criterion(policy):
    policy["criteria"].append(policy["criteria"][0] | {"id": "grown-up", "title": "Grown up"})
    policy["verdicts"][0]["all"].append("grown-up")


def phrases_for(folder):
    """Gives each criterion of a folder phrases, and takes those of others away."""
    policy = json.loads((folder / "policy.json").read_text(encoding="utf-8"))
    names = [entry["id"] for entry in policy["criteria"]]

    def change(card):
        given = card["criteria"]
        own = {name: given["can-hum"] | {"topic": name} for name in names if name not in given}
        card["criteria"] = {name: entry for name, entry in given.items() if name in names} | own
        if withholding := [line["fact"] for line in policy["for_review"] if line.get("withholds_codes")]:
            card["implanted"] = {name: {"summary": "already there", "ask": "Is it?"} for name in withholding}

    return change


def another_code(codes):
    rows = codes["sets"]["coil"]["codes"]
    rows[1] = rows[0] | {"code": "33333", "label": "coil, new"}
    rows[0]["valid_until"] = "2026-12-31"


CHANGED = [
    ("nothing", "policy", lambda policy: None, []),
    ("a limit", "policy", adult_from(21),
     ["Criterion “Adult”: the test is now “Age: at least 21 years”; it was “Age: at least 18 years”."]),
    ("a title", "policy", set_at("criteria", 0, "title", value="Of age"),
     ["Criterion “Of age”: the title is now “Of age”; it was “Adult”."]),
    ("the words of a criterion", "policy", set_at("criteria", 0, "settled_by", value="another note"),
     ["Criterion “Adult”: also changed: settled by."]),
    ("a criterion less", "policy", without_criterion,
     ["Criterion removed: Pain score of 6 or more.", "Verdict “Studied”: criteria removed: Pain score of 6 or more.",
      "Also changed: the words of the card."]),
    ("a criterion more", "policy", one_more_criterion,
     ["Criterion added: Grown up.", "Verdict “Label”: criteria added: Grown up.",
      "Also changed: the words of the card."]),
    ("another order of criteria", "policy", lambda policy: policy["criteria"].reverse(),
     ["The criteria are in another order."]),
    ("another order of verdicts", "policy", lambda policy: policy["verdicts"].reverse(),
     ["The verdicts are in another order."]),
    ("a test of the same words", "policy",
     set_at("criteria", 0, "test", value={"all": [{"fact": "age", "at_least": 18}]}),
     ["Criterion “Adult”: the test is composed differently."]),
    ("the name of a verdict", "policy", set_at("verdicts", 1, "title", value="Trials"),
     ["Verdict “Trials”: the title is now “Trials”; it was “Studied”."]),
    ("a look-back", "policy", set_at("facts", "weight-ratio", "look_back_days", value=180),
     ["Reading “Body mass index”: the oldest that counts is now “180 days”; it was “365 days”."]),
    ("what silence means", "policy", set_at("facts", "surgery", "when_absent", value="unknown"),
     ["Reading “Knee surgery”: what nothing on record means is now “unknown”; it was “no, because A made-up reason why "
      "silence means no.”."]),
    ("what is read that no sentence tells", "policy", set_at("facts", "exercise", "noun", value=["visit", "visits"]),
     ["Reading “Exercise”: also changed: noun."]),
    ("codes", "codes", another_code,
     ["Code set “Coil”: codes added: CPT 33333 (coil, new).",
      "Code set “Coil”: codes removed: HCPCS C1111 (coil, device).",
      "Code set “Coil”: what is noted of CPT 11111 is now “valid until 2026-12-31”; it was “nothing”."]),
    ("words", "codes", set_at("sets", "knee", "text", value=["knees"]),
     ["Code set “The knee”: words added: knees.", "Code set “The knee”: words removed: knee."]),
    ("a version", "codes", set_at("systems", "CPT", "version", value="2027"),
     ["The version, notice or source of these code systems changed: CPT."]),
    ("a source", "policy", set_at("sources", "primer", "read_on", value="2026-02"),
     ["Source “Primer (A made-up primer of knee humming)”: also changed: read on."]),
    ("a source more", "policy", set_at("sources", "sequel", value={
        "title": "Sequel", "citation": "A second part", "url": None, "seen": "All.", "read_on": "2026-01"}),
     ["Source added: Sequel (A second part)."]),
    ("a payer's position", "payers", set_at("payers", 1, "position", value={"covered_when_all": ["adult"]}),
     ["Payer “Refusing Health”: the position is now “covered when all are met: Adult”; it was “not covered”."]),
    ("a payer less", "payers", removed("payers", 2), ["Payer removed: Hearsay Health."]),
    ("a payer's document", "payers", set_at("payers", 0, "background", value="Made up again."),
     ["Payer “Example Mutual”: also changed: background."]),
    ("how an order is recognized", "policy", set_at("orders", "named_in_text", value=["hummer"]),
     ["Also changed: how an order is recognized."]),
    ("the words of the card", "card", set_at("evidence", value="Made up again."),
     ["Also changed: the words of the card."]),
]  # fmt: skip


@pytest.mark.parametrize(("remark", "file", "change", "sentences"), CHANGED, ids=[row[0] for row in CHANGED])
def test_what_changed_between_two_editions(tmp_path, remark, file, change, sentences):
    folder = edition(tmp_path, "later", "2027", None)
    edit(folder, file, change)
    edit(folder, "card", phrases_for(folder))
    assert changes(minimal(), load_policy(folder)) == sentences


def test_the_sentences_stand_in_a_fixed_order(tmp_path):
    folder = edition(tmp_path, "later", "2027", None)
    for _, file, change, _ in CHANGED:
        if change.__name__ == "change" or change is another_code:
            edit(folder, file, change)
    kinds = [sentence.partition(" ")[0] for sentence in changes(minimal(), load_policy(folder))]
    assert list(dict.fromkeys(kinds)) == ["Criterion", "Verdict", "Reading", "Code", "The", "Source", "Payer", "Also"]


def leaves(value, steps=()):
    """(place, value) of each text and number in a piece of JSON."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*steps, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*steps, index))
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield steps, value


def otherwise(value):
    """Another value of the same type; a text stays a date, a name or a code as far as it can."""
    return value + 1 if isinstance(value, int | float) else value[:-1] + ("2" if value.endswith("1") else "1")


# The members of policy.json and codes.json whose own members have names that the author chose.
NAMED = ("facts", "sources", "parameters", "profiles", "sets", "systems")


def shape(steps):
    """A place without numbers and without names that an author chose: such places are reported in the same way."""
    before = ("", *map(str, steps))
    return tuple("…" if isinstance(step, int) or before[index] in NAMED else step for index, step in enumerate(steps))


@pytest.mark.parametrize(("file", "fewest"), [("policy", 60), ("codes", 9), ("payers", 9)])
def test_nothing_that_a_policy_says_changes_in_silence(file, fewest):
    """The first value of each shape is changed alone, as far as the loader takes it."""
    given = paired()
    folder = Path(given["policy"]["id"])
    before, told, silent = policy_of(folder, given), 0, []
    unchanged = Unchanged() if file == "codes" else Unchanged(before.code_sets)
    for place, (steps, value) in {shape(steps): (steps, value) for steps, value in leaves(given[file])}.items():
        made = edited(given, (Edit(file, steps, otherwise(value)),))
        try:
            after = policy_of(folder, made, unchanged)
        # It names what there is not, or is nothing that the schema lets through.
        except (PolicyError, UnreadableError, LookupError, TypeError, ValueError):
            continue
        told += bool(changes(before, after))
        silent += [place] if not changes(before, after) else []
    assert [place for place in silent if place[0] not in ("effective", "edition", "review", "statement")] == []
    assert told >= fewest


def test_the_command_compares_ids_or_folders(cards, tmp_path):
    expected = (
        "From edition minimal-2025 (minimal-2025) to edition minimal-2026 (minimal-2026):\n"
        "- Criterion “Adult”: the test is now “Age: at least 60 years”; it was “Age: at least 18 years”.\n"
        "On cards:\n"
        "- The result of these criteria can differ: Adult.\n"
        "- The result of these verdicts can differ: Label; Studied.\n"
    )
    by_id = CliRunner().invoke(main, ["changes", "minimal-2025", "minimal-2026"], env={"CDS_SERVICE_CARDS": str(cards)})
    by_folder = CliRunner().invoke(main, ["changes", str(cards / "minimal-2025"), str(cards / "minimal-2026")])
    assert (by_id.output, by_folder.output) == (expected, expected)
    same = CliRunner().invoke(main, ["changes", str(MINIMAL), str(MINIMAL)])
    assert same.output.endswith("- Nothing changed.\n")
    wrong = CliRunner().invoke(main, ["changes", "nonsense", str(MINIMAL)])
    assert wrong.exit_code == 1
    assert "There is no rule set 'nonsense'" in wrong.output
    edition(tmp_path, "other", "2020", None, statement="elbow-humming")
    unlike = CliRunner().invoke(main, ["changes", str(MINIMAL), str(tmp_path / "other")])
    assert unlike.exit_code == 1
    assert "only editions of one statement can be compared" in unlike.output
