"""What a revision of a rule set changes for cards: derived for pages and `changes`, and said in the changelog."""

import json
from pathlib import Path

import pytest

from cds_service.app import create_app
from cds_service.library import load_library
from cds_service.policy.sources import Revision
from cds_service.publish.effects import effects, turned
from cds_service.settings.settings import Settings
from tests.charts import BASE, TODAY, minimal
from tests.guidance import RELEASED, ROOT, guidance, incomplete, names, rules, unrevised, unsaid
from tests.loading import load_policy
from tests.shipped import library
from tests.test_editions import adult_from, edit, edition, phrases_for, removed, set_at, without_criterion

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
NONE = "No result, no suggested code, and no order that gets a card can differ; words on cards can."
ORDERS = "Which orders get a card, and of which kind, can differ."
OPENING = "Whether a card is shown when a chart is opened can differ."
CODES = "Which codes are suggested, and when they are withheld, can differ."


def results(*titles):
    return f"The result of these criteria can differ: {'; '.join(titles)}."


def verdicts(*titles):
    return f"The result of these verdicts can differ: {'; '.join(titles)}."


def attested_by_staff_too(policy):
    for place in (5, 7):
        policy["criteria"][place]["attested_by"] = ["clinician", "staff"]


EFFECTS = [
    ("a limit", "policy", adult_from(21), [results("Adult"), verdicts("Label", "Studied")]),
    ("a title", "policy", set_at("criteria", 0, "title", value="Of age"), [NONE]),
    ("what settles it", "policy", set_at("criteria", 0, "settled_by", value="another note"), [NONE]),
    ("the noun of a fact", "policy", set_at("facts", "exercise", "noun", value=["visit", "visits"]), [NONE]),
    ("the words of the card", "card", set_at("evidence", value="Made up again."), [NONE]),
    ("a label of a code", "codes", set_at("sets", "knee-pain", "codes", 0, "label", value="sore knee"), [NONE]),
    ("a look-back", "policy", set_at("facts", "weight-ratio", "look_back_days", value=180),
     [results("Body mass index up to 35"), verdicts("Studied")]),
    ("a code that a fact reads", "codes", set_at("sets", "infection", "text", value=["sepsis of the knee"]),
     [results("No infection of the knee"), verdicts("Label")]),
    ("what is shown beside a criterion", "policy", set_at("facts", "medicine", "look_back_days", value=30),
     [results("Exercise tried")]),
    ("who attests", "policy", attested_by_staff_too,
     [results("Can hum", "Exercise tried"), verdicts("Label")]),
    ("a criterion less", "policy", without_criterion,
     ["Criteria that are gone: Pain score of 6 or more.", verdicts("Studied")]),
    ("how an order is recognized", "policy", set_at("orders", "named_in_text", value=["hummer"]), [ORDERS]),
    ("when a chart is opened", "policy", removed("patient_view", "unless"), [OPENING]),
    ("a line for review", "policy", set_at("for_review", 0, "withholds_codes", value=True), [CODES]),
    ("a payer's position", "payers", set_at("payers", 1, "position", value={"covered_when_all": ["adult"]}),
     [verdicts("Payer")]),
    ("a payer's background", "payers", set_at("payers", 0, "background", value="Made up again."), [NONE]),
]  # fmt: skip


@pytest.mark.parametrize(("remark", "file", "change", "sentences"), EFFECTS, ids=[row[0] for row in EFFECTS])
def test_what_a_change_can_do_to_cards(tmp_path, remark, file, change, sentences):
    folder = edition(tmp_path, "later", "2027", None)
    edit(folder, file, change)
    edit(folder, "card", phrases_for(folder))
    assert effects(minimal(), load_policy(folder)) == sentences


def test_a_rule_set_compared_with_itself_turns_nothing():
    for policy in library().policies:
        assert turned(policy, policy) == []
        assert effects(policy, policy) == [NONE]


def test_the_page_says_what_an_edition_and_what_a_revision_changes_on_cards(tmp_path):
    edition(tmp_path, "minimal-2025", "2024", "2025")

    def revised(policy):
        adult_from(60)(policy)
        policy["review"]["revisions"] += [
            {"on": "2026-02-01", "what": "Limit corrected.", "on_cards": "Age counts from 60.", "turns": ["adult"]},
            {"on": "2026-03-01", "what": "Typing error mended."},
        ]

    edition(tmp_path, "minimal-2026", "2026", None, revised)
    app = create_app(Settings(), load_library(tmp_path, BASE), "http://127.0.0.1:8080", lambda: TODAY).test_client()
    page = " ".join(app.get("/policies/minimal-2026").get_data(as_text=True).split())
    assert "<p>What this changes on cards:</p> <ul> <li>The result of these criteria can differ: Adult.</li>" in page
    told = 'Age counts from 60. Results that can differ: <a href="#adult">Adult</a>.</td>'
    assert told in page
    assert "<td>Typing error mended.</td> <td>Effect on cards not stated.</td>" in page
    assert "<td>Made up.</td> <td>First version; no earlier cards.</td>" in page


# --- the changelog ----------------------------------------------------------------------------------------------------

MADE_UP = """# Changelog

## Unreleased

### Guidance

- Both statements: `other` has another limit.
- `minimal`: `adult` counts from 21.
  More words.

### Code

- `minimal`: `weight-ratio`.

## 1.0

### Guidance

- `minimal`: `function` is new.

### Code
"""


def test_the_entries_under_guidance_are_read_and_no_others():
    assert guidance(MADE_UP, unreleased=True) == [
        "Both statements: `other` has another limit.\n",
        "`minimal`: `adult` counts from 21.\n  More words.\n",
    ]
    assert guidance(MADE_UP, unreleased=False)[2:] == ["`minimal`: `function` is new.\n"]


@pytest.mark.parametrize(
    ("released", "now", "sentences"),
    [
        ({"adult": "a"}, {"adult": "a"}, []),
        ({"adult": "a"}, {"adult": "b"}, []),
        ({"other": "a"}, {"other": "b"}, []),
        ({"weight-ratio": "a"}, {"weight-ratio": "b"}, ["the result of weight-ratio in minimal can differ"]),
        ({"function": "a"}, {"function": "b"}, ["the result of function in minimal can differ"]),
        ({}, {"pain": "b"}, ["the result of pain in minimal can differ"]),
        ({"pain": "a"}, {}, ["the result of pain in minimal can differ"]),
    ],
)
def test_a_rule_that_turns_results_without_an_entry_is_named(released, now, sentences):
    found = list(unsaid({"minimal": released}, {"minimal": now}, MADE_UP))
    assert [sentence.partition(" since")[0] for sentence in found] == sentences


def test_a_new_rule_set_without_an_entry_is_named():
    assert list(unsaid({}, {"brand-new": {}}, MADE_UP.replace("Both statements: ", ""))) == [
        "brand-new is new; say so in CHANGELOG.md under Guidance"
    ]


def test_every_rule_that_turns_results_since_the_last_release_is_in_the_changelog():
    released = json.loads(RELEASED.read_text(encoding="utf-8"))
    assert list(unsaid(released, rules(library().policies), CHANGELOG)) == []


# --- the revisions of a rule set --------------------------------------------------------------------------------------

FIRST = Revision("2026-01-01", "First encoding.")
LIMIT = Revision("2026-02-01", "Limit corrected.", "Age counts from 21.", ("adult",))


@pytest.mark.parametrize(
    ("now", "revisions", "unnamed"),
    [
        ({"adult": "a", "pain": "a"}, [FIRST], []),
        ({"adult": "b", "pain": "a"}, [FIRST], ["adult"]),
        ({"adult": "b", "pain": "a"}, [FIRST, LIMIT], []),
        ({"adult": "b", "pain": "b"}, [FIRST, LIMIT], ["pain"]),
        ({"pain": "a", "brand-new": "a"}, [FIRST], []),
    ],
)
def test_a_rule_that_turns_results_without_a_revision_is_named(now, revisions, unnamed):
    found = list(unrevised({"minimal": {"adult": "a", "pain": "a"}}, {"minimal": now}, {"minimal": revisions}))
    assert [sentence.partition(" since")[0] for sentence in found] == [
        f"the result of {name} in minimal can differ" for name in unnamed
    ]


def test_a_revision_that_does_not_say_what_it_changes_on_cards_is_named():
    silent = Revision("2026-03-01", "Typing error mended.")
    assert list(incomplete([FIRST, LIMIT])) == []
    assert list(incomplete([FIRST, silent, LIMIT])) == [
        "the revision of 2026-03-01 (Typing error mended.) does not say what it changes on cards"
    ]


def test_every_rule_that_turns_results_since_the_last_release_is_in_a_revision():
    released = json.loads(RELEASED.read_text(encoding="utf-8"))
    revisions = {policy.id: policy.review.revisions for policy in library().policies}
    assert list(unrevised(released, rules(library().policies), revisions)) == []


@pytest.mark.parametrize("policy", library().policies, ids=lambda policy: policy.id)
def test_every_revision_says_what_it_changes_on_cards_and_the_page_shows_it(policy):
    assert list(incomplete(policy.review.revisions)) == []
    turned = {name for revision in policy.review.revisions for name in revision.turns}
    assert turned
    app = create_app(Settings(), library(), "http://127.0.0.1:8080", lambda: TODAY).test_client()
    page = app.get(f"/policies/{policy.id}").get_data(as_text=True)
    table = page[page.index('id="changes-revisions"') :].partition("</table>")[0]
    assert "Effect on cards not stated" not in table
    assert [name for name in turned if f'<a href="#{name}">' not in table] == []


def test_every_revision_that_turns_results_is_in_the_changelog():
    entries = guidance(CHANGELOG, unreleased=False)
    unnamed = [
        (policy.id, name)
        for policy in library().policies
        for revision in policy.review.revisions
        for name in revision.turns
        if not any(names(entry, policy.id, name) for entry in entries)
    ]
    assert unnamed == []


def test_a_changed_limit_of_a_shipped_rule_changes_the_digest_of_its_criterion_alone(tmp_path):
    before = rules([minimal()])["minimal"]
    folder = Path(edition(tmp_path, "later", "2027", None, adult_from(21)))
    after = rules([load_policy(folder)])["later"]
    assert {name for name in before if before[name] != after[name]} == {"adult"}
