"""The page of a statement that uses all of the language, and what is reported of changes in it."""

import re
from itertools import pairwise

import pytest

from cds_service.facts import word
from cds_service.policy.model import Policy
from cds_service.publish import codes, criteria, rules, source_attributes
from cds_service.publish.changes import changes
from tests.charts import MINIMAL, named
from tests.loading import load_policy
from tests.paired import CRITERIA, OF_THE_STATEMENT, REVIEW, paired, write
from tests.shipped import TODAY
from tests.test_pages import Page, client_of, page_of
from tests.words import PROMISES

PATH = "/policies/paired"
# Members of a policy that name things, or are one of a few words that are on the page in plain English.
NAMES = {
    *("id", "statement", "kind", "state", "when_absent", "verified", "statement_text", "per", "in", "noun", "says_of"),
    *("fact", "count", "after", "from", "to", "all", "profile", "source", "codes", "resources", "here", "unspecific"),
    *("site", "reason", "system", "procedure", "unit", "at_least", "says"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("cards"), paired())


@pytest.fixture(scope="module")
def policy(folder) -> Policy:
    return load_policy(folder)


@pytest.fixture(scope="module")
def client(folder):
    return client_of(folder.parent)


@pytest.fixture(scope="module")
def page(client) -> Page:
    return page_of(client, PATH)


def section(page: Page, start: str, end: str) -> str:
    """The words between two headings; the first of them is in the list of contents too."""
    return page.text.split(f" {start} ", 2)[2].split(f" {end} ")[0]


def texts(value, key=""):
    """Every text that an author wrote for people in a piece of JSON."""
    if isinstance(value, str) and key not in NAMES:
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from texts(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item, key)


def test_every_text_of_the_policy_stands_on_the_page(page):
    written = {name: value for name, value in paired()["policy"].items() if name != "statement"}
    filled = [text.replace("{signs-least}", "2") for text in texts(written)]
    hints = [hint["says"] for criterion in written["criteria"] for hint in criterion.get("hints", ())]
    cited = [item["says"] for criterion in written["criteria"] for item in criterion["sources"]]
    assert [text for text in [*filled, *hints, *cited] if text not in page.text] == []


def test_the_page_is_sound(page):
    ids = list(page.attributes("id"))
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.attributes("href") if href.startswith("#")} <= set(ids)
    assert all(name in ids for name in page.attributes("aria-labelledby"))
    assert len(page.named("table")) == len(page.named("caption"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert PROMISES.search(page.text) is None


def test_what_is_judged_apart_and_how_it_is_recognized(page):
    said = section(page, "Evaluated separately", "Orders that are not evaluated")
    assert "right knee Right right, bilateral Right knee named by the clinician: attested yes" in said
    assert "left knee Left left, bilateral nothing names it" in said
    assert "the card asks: “Which one?. Name it.”" in said
    assert "for each knee apart (answers: “hum.right” and so on)" in page.text


def test_what_goes_another_way_by_what_and_what_its_card_says(page):
    said = section(page, "Orders that are not evaluated", "Criteria in full")
    for part in (
        "1. Humming again",
        "CPT 11111 (valid until 2025-12-31)",
        "By words of the order second humming",
        "Earlier surgery of the knee: on record, for any knee of the order",
        "Not evaluated: humming again Of the knee meant: knee humming was done before.",
    ):
        assert part in said


def test_numbers_with_source_place_readers_and_what_other_rules_ask(page):
    said = section(page, "Numbers", "Evidence")
    assert "Least signs 2 Primer , page 7 2 or more signs no other" in said
    assert "Least relief, in percent 50 Primer , page 8 Sessions with relief 75 : The bulletin's rule" in said


def test_a_rule_of_a_single_source_with_old_and_new_numbers_and_how_far_it_was_verified(page):
    said = section(page, "Rules of individual sources", "The charter's rule State")
    for part in (
        "Source Bulletin . Summaries only.",
        "Counts as position of Bulletin Health",
        "Least relief, in percent: 75 (the statement’s own: 50)",
        f"Next review {REVIEW}",
        "4 criteria, all asked for",
        "Relief: at least 75% Differs from the statement: At least 1 session, after the newest "
        "“Earlier surgery of the knee”, each with (Guided: attested yes or said by its code; and Relief: at least "
        "50%)",
        "Care of three months Months of care: at least 3 months Differs from the statement: “Care was tried”. "
        "Months of care: at least 6 months, waived where Humming not tolerated: attested yes "
        "If not met, a card says: care too short Documentation: the dates of care item 2 ◐ paraphrase only",
    ):
        assert part in said.replace("\N{NO-BREAK SPACE}", " ")


def test_a_pending_rule_says_why_and_its_verdict_is_unknown(page):
    assert (
        "The charter's rule State ○ pending, cannot be applied : its text was not available Source Charter" in page.text
    )
    assert "As the charter asks Unknown for every patient: its text was not available. The rule in full" in page.text


def test_verdicts_and_payers_in_words(page):
    assert "Does not apply where: Coil of the old meaning: ordered." in page.text
    assert "Position covered when all is met that the rule “The bulletin's rule” asks for" in page.text


def test_a_criterion_that_only_a_rule_asks_for_stands_under_a_heading_that_says_so(policy, page):
    found = {group.title: [item.rule.id for item in group.criteria] for group in criteria.groups(policy)}
    assert found == {
        "Own criteria": list(OF_THE_STATEMENT),
        "Only where a single source’s rule asks, in no verdict": ["one-knee", "fell"],
        "For review, in no verdict": ["recent"],
    }
    assert "Counts in no verdict Required by The bulletin's rule" in page.text
    assert "Counts in no verdict; shown for review" in page.text


def test_a_verdict_by_a_rule_prints_its_criteria_and_keeps_its_variants(tmp_path):
    made = paired()
    made["policy"]["verdicts"].insert(1, {"id": "lent", "title": "As the bulletin asks", "profile": "bulletin"})
    folder = write(tmp_path, made)
    policy = load_policy(folder)
    group = criteria.groups(policy)[1]
    assert group.title == "As the bulletin asks, in addition"
    assert [item.rule.id for item in group.criteria] == ["one-knee", "fell"]
    assert [item.rule.id for item in group.above] == ["sessions", "care"]
    text = page_of(client_of(folder.parent), PATH).text
    assert "By the rule “The bulletin's rule”: met when all 4 criteria are met" in text
    assert "Counts as verdict As the bulletin asks ; position of Bulletin Health" in text


def test_events_show_what_is_asked_of_each(page):
    for part in (
        "Guided asked of each “Humming session” the answer “guided” in its attested group, or a code of "
        "the event itself Codes: Guided session as the event",
        "computed from “Pain before” and “Pain after”, never rounded",
        "attested answer “hum” or “murmur” (names of one finding, which counts once)",
    ):
        assert part in page.text


CLAUSES = {
    "signs": "At least 2 of these: [Humming heard: attested yes / Buzzing felt: attested yes "
    "{A no does not count, and leaves it unknown, where this is so: [Hoarse today: attested yes]} / "
    "Ringing felt: attested yes]",
    "sessions": "At least 1 session, after the newest “Earlier surgery of the knee”, each with all of these: "
    "[Guided: attested yes or said by its code / Relief: at least 50%]",
    "care": "Months of care: at least 6 months {Waived, counted as met and shown as waived, where this is so: "
    "[Humming not tolerated: attested yes]}",
    "one-knee": "Ringing felt: attested yes {Only asked where this is so; elsewhere it does not apply, and counts as "
    "met: [Knees on the order: more than 1]}",
    "recent": "Last exercise: less than 6 months ago",
    "fell": "Fall of the pain: at least 30%",
}
SENTENCES = {
    "signs": "at least 2 of: Humming heard: attested yes; (Buzzing felt: attested yes, a no does not count where "
    "Hoarse today: attested yes); Ringing felt: attested yes",
    "one-knee": "Ringing felt: attested yes, only asked where Knees on the order: more than 1",
    "care": "Months of care: at least 6 months, waived where Humming not tolerated: attested yes",
}


def flat(clause) -> str:
    parts = f" [{' / '.join(map(flat, clause.inner))}]" if clause.inner else ""
    return clause.text + parts + "".join(f" {{{flat(item)}}}" for item in clause.beside)


@pytest.mark.parametrize("name", CRITERIA)
def test_a_new_word_in_words_that_a_clinician_understands(policy, name):
    test = policy.criterion(name).test
    assert flat(word.clause(test, policy.facts)).replace("\N{NO-BREAK SPACE}", " ") == CLAUSES[name]
    if name in SENTENCES:
        assert word.sentence(test, policy.facts) == SENTENCES[name]


def test_what_reads_a_code_set(policy):
    read = {item.name: item.read_by for item in codes.code_sets(policy)}
    assert read["right-side"] == ("which part is meant: right knee",)
    assert read["old-coil"] == ("another pathway: Humming again", "“Coil of the old meaning”")
    assert read["guided-session"] == ("“Humming session: Guided”",)


def test_no_text_of_a_rule_or_a_part_becomes_markup(tmp_path):
    hostile = "<script>alert('1')</script> & \"x\" {{ 7*7 }}"
    made = paired()
    policy = made["policy"]
    told = [policy["parameters"]["signs-least"], policy["profiles"]["bulletin"], policy["pathways"][0]]
    told += [policy["profiles"]["bulletin"]["replaces"]["care"], policy["facts"]["sessions"]["attributes"]["guided"]]
    for entry in told:
        entry["title"] = hostile
    policy["profiles"]["charter"]["pending"] = hostile
    policy["parameters"]["signs-least"]["place"] = hostile
    policy["scope"]["parts"][0]["label"] = hostile
    made["card"]["ask_scope"]["lines"] = [hostile.replace("{{ 7*7 }}", "")]
    page = page_of(client_of(write(tmp_path, made).parent), PATH)
    assert [attrs["src"] for attrs in page.named("script")] == ["../static/theme.js"]
    assert page.text.count(hostile) >= len(told) + 3


def test_the_uses_look_into_what_is_asked_of_events(policy, tmp_path):
    used = {use.key: use.facts for use in source_attributes.uses(policy)}
    assert used["useOfHealthStatusAssessments"] == (
        *("Pain then", "Pain now", "Fall of the pain"),
        *("Humming session: Pain before", "Humming session: Pain after", "Humming session: Relief"),
    )
    assert used["useOfSocialDeterminants"] == ()
    assert used["useOfDateOfBirth"] == ()
    made = paired()
    row = made["codes"]["sets"]["guided-session"]["codes"][0]
    row |= {"system": "ICD-10-CM", "code": "Z6-"}
    social = load_policy(write(tmp_path, made))
    assert next(use for use in source_attributes.uses(social) if use.key == "useOfSocialDeterminants").facts == (
        "Humming session: Guided",
    )


def test_the_json_carries_variants_in_words(client):
    body, written = client.get(f"{PATH}.json").get_json(), paired()["policy"]
    assert {key: body[key] for key in written} == written
    assert body["variants"].keys() == {"sessions@bulletin", "care@bulletin"}
    assert body["variants"]["care@bulletin"] == {
        "criterion": "care",
        "profile": "bulletin",
        "title": "Care of three months",
        "fails_as": "care too short",
        "test": "Months of care: at least 3 months",
        "settled_by": "the dates of care",
    }


def test_a_payer_whose_position_is_a_rule(policy):
    said = rules.payer(policy, policy.payers[0], TODAY)
    assert said.profile is policy.profiles["bulletin"]


# --- what changed -----------------------------------------------------------------------------------------------------


def at(*path, value):
    def change(made):
        *parents, last = path
        place = made
        for part in parents:
            place = place[part]
        if value is ...:
            del place[last]
        else:
            place[last] = value

    return change


BULLETIN = ("policy", "profiles", "bulletin")
RULE = "Rule “The bulletin's rule”: "
TOLD = named(
    ("nothing", at("policy", "edition", value="9"), []),
    (
        "a number",
        at("policy", "parameters", "signs-least", "value", value=3),
        [
            "Criterion “3 or more signs”: the title is now “3 or more signs”; it was “2 or more signs”.",
            "Criterion “3 or more signs”: the test is now “at least 3 of: ",
            "Number “Least signs”: the number is now “3”; it was “2”.",
        ],
    ),
    (
        "the place of a number",
        at("policy", "parameters", "signs-least", "place", value="page 70"),
        ["Number “Least signs”: its source is now “Primer, page 70”; it was “Primer, page 7”."],
    ),
    (
        "a rule's number",
        at(*BULLETIN, "parameters", "relief-least", value=80),
        [
            f"{RULE}its number for “Least relief, in percent” is now “80”; it was “75”.",
            f"{RULE}what it asks as “Sessions with relief” is now “at least 1 session, ",
        ],
    ),
    (
        "a rule's test",
        at(*BULLETIN, "replaces", "care", "test", "at_least", value=4),
        [
            f"{RULE}what it asks as “Care was tried” is now “Months of care: at least 4 months”; "
            "it was “Months of care: at least 3 months”."
        ],
    ),
    (
        "a rule's own words",
        at(*BULLETIN, "replaces", "care", "settled_by", value="receipts"),
        [f"{RULE}what settles “Care was tried” for it is now “receipts”; it was “the dates of care”."],
    ),
    (
        "a rule asks less",
        at(*BULLETIN, "all", value=["sessions", "care", "one-knee"]),
        [f"{RULE}criteria removed: Pain fell."],
    ),
    ("a rule's review", at(*BULLETIN, "next_review", value="2027-02-01"), [f"{RULE}also changed: next review."]),
    (
        "a rule pends for another reason",
        at("policy", "profiles", "charter", "pending", value="still not seen"),
        ["Rule “The charter's rule”: it is pending: still not seen."],
    ),
    (
        "a part's words",
        at("policy", "scope", "parts", 0, "label", value="right side"),
        ["Part “right side”: the label is now “right side”; it was “right knee”."],
    ),
    (
        "a part that is no longer attested",
        at("policy", "scope", "parts", 0, "when", value=...),
        [
            "Part “right knee”: what names it where the order does not is now “nothing”; "
            "it was “Right knee named by the clinician: attested yes”."
        ],
    ),
    (
        "a pathway's words",
        at("policy", "pathways", 0, "orders", "text", value=["humming twice"]),
        [
            "Pathway “Humming again”: words added: humming twice.",
            "Pathway “Humming again”: words removed: second humming.",
        ],
    ),
    (
        "a pathway's card",
        at("card", "pathways", "again", "summary", value="Not evaluated"),
        [
            "Pathway “Humming again”: what the card says is now “Not evaluated”; it was “Not evaluated: humming "
            "again”.",
            "Also changed: the words of the card.",
        ],
    ),
    ("a pathway less", at("policy", "pathways", value=...), ["Pathway removed: Humming again."]),
    (
        "a verdict applies to all",
        at("policy", "verdicts", 0, "applies_unless", value=...),
        [
            "Verdict “Own criteria”: where it does not apply is now “nothing”; it was “Coil of the old "
            "meaning: ordered”."
        ],
    ),
    (
        "a verdict by another rule",
        at("policy", "verdicts", 1, value={"id": "by-charter", "title": "As the charter asks", "profile": "bulletin"}),
        [
            "Verdict “As the charter asks”: what it rests on is now “the rule of a single source, The bulletin's "
            "rule”; it was “the rule of a single source, The charter's rule”."
        ],
    ),
    (
        "another name of a finding",
        at("policy", "facts", "hum", "aliases", value=["murmur", "drone"]),
        [
            "Reading “Humming heard”: the source of the reading is now “the newest attested answer “hum”, “murmur” "
            "or “drone”"
        ],
    ),
    (
        "months are days",
        at("policy", "facts", "last-exercise", "in", value="days"),
        [
            "Criterion “Exercise is recent”: the test is now “Last exercise: less than 6 days ago”; ",
            "Reading “Last exercise”: what is accepted is now “”; it was “calendar months",
        ],
    ),
    (
        "what is asked of an event",
        at("policy", "facts", "sessions", "attributes", "before", "range", value=[0, 20]),
        ["Reading “Humming session”: what is accepted as “Pain before” is now “answer: a number; values 0 to 20”; "],
    ),
    (
        "the payer's position",
        at("payers", "payers", 0, "position", value={"covered": False}),
        ["Payer “Bulletin Health”: the position is now “not covered”; it was “covered when all is met that the rule"],
    ),
)


@pytest.mark.parametrize(("change", "sentences"), TOLD)
def test_what_changed_in_the_new_parts_is_reported_in_sentences(tmp_path, policy, change, sentences):
    made = paired()
    change(made)
    found = changes(policy, load_policy(write(tmp_path, made)))
    assert len(found) == len(sentences), found
    for said, sentence in zip(found, sentences, strict=True):
        assert said.startswith(sentence), found


def test_parts_that_come_and_go_are_named(policy):
    minimal = load_policy(MINIMAL)
    come, gone = changes(minimal, policy), changes(policy, minimal)
    assert "Each knee is now evaluated separately: right knee, left knee." in come
    assert "Each knee is no longer evaluated separately." in gone
    for noun, title in (
        ("Rule", "The bulletin's rule"),
        ("Number", "Least signs"),
        ("Pathway", "Humming again"),
    ):
        assert f"{noun} added: {title}." in come
        assert f"{noun} removed: {title}." in gone


def test_the_title_of_a_criterion_has_the_number_of_the_rule_that_changes_it(tmp_path):
    made = paired()
    rule = made["policy"]["profiles"]["bulletin"]
    rule["parameters"]["signs-least"] = 3
    rule["all"].append("signs")
    policy = load_policy(write(tmp_path, made))
    assert policy.criterion("signs").title == "2 or more signs"
    assert policy.criterion("signs@bulletin").title == "3 or more signs"


def test_an_event_as_an_input_has_the_units_of_what_is_asked_about_it(policy):
    """FDA's (b): the inputs with their units."""
    found = {item["id"]: item for item in source_attributes.source_attributes(policy)["inputs"]["facts"]}
    assert found["sessions"]["units"] == (
        "Pain before: answer: a number; values 0 to 10; Pain after: answer: a number; values 0 to 10; Relief: percent"
    )
    assert found["knees"]["prefetch"] == []
    assert {row.obtained for row in source_attributes.inputs(policy) if row.name == "knees"} == {"the order itself"}
