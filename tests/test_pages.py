"""The pages for people: all that a policy holds is on them, nothing runs in them, no text of it becomes markup."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.facts import word
from cds_service.fhir.elements import Json
from cds_service.hooks import hook_request
from cds_service.library import load_library
from cds_service.policy.model import Policy
from cds_service.policy.model import Test as Node
from cds_service.publish import criteria, rules, source_attributes
from cds_service.settings.settings import Settings, data_folder
from cds_service.web import pages
from tests.shipped import BASE, TODAY, library
from tests.words import PROMISES, node, rule_of

ADDRESS = "https://cds.example.org/guidance"
ISASS = "isass-restorative-neurostimulation-2023"
PAGES = ("/", "/policies", f"/policies/{ISASS}", "/policies/isass-si-joint-fusion-2020")
FORBIDDEN = re.compile(r"(?i)\b(contra)?indicated\b|\bshould\b|\bapprov\w*")
VOID = {"br", "link", "meta", "img", "input", "hr", "wbr"}


def client_of(cards: Path, today: date = TODAY) -> FlaskClient:
    loaded = library() if cards == data_folder("cards") else load_library(cards, BASE)
    return create_app(Settings(), loaded, ADDRESS, lambda: today).test_client()


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return client_of(data_folder("cards"))


@pytest.fixture(scope="module")
def policy() -> Policy:
    return library().policies[0]


def written() -> Json:
    """policy.json of the statement, as it is there."""
    found: Json = json.loads((data_folder("cards") / ISASS / "policy.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def own_cards(tmp_path) -> Path:
    """A copy of the policies that a test may change."""
    return Path(shutil.copytree(data_folder("cards"), tmp_path / "cards"))


def change(cards: Path, name: str, edit) -> None:
    path = cards / ISASS / f"{name}.json"
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


class Page(HTMLParser):
    """What a page is made of: its tags with their attributes, and its words; a tag left open or closed twice fails."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @cached_property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self, name: str) -> Iterator[str]:
        return (attrs[name] or "" for _, attrs in self.tags if name in attrs)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def page_of(client: FlaskClient, path: str) -> Page:
    answer = client.get(path)
    assert answer.status_code == 200
    return Page(answer.text)


# --- every page ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_a_strict_content_security_policy_allows_our_own_files_and_no_call(client, path):
    answer = client.get(path)
    assert answer.mimetype == "text/html"
    assert answer.headers["Content-Security-Policy"] == pages.CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in pages.CONTENT_SECURITY_POLICY
    assert "script-src 'self';" in pages.CONTENT_SECURITY_POLICY
    assert "connect-src" not in pages.CONTENT_SECURITY_POLICY
    assert "unsafe" not in pages.CONTENT_SECURITY_POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", PAGES)
def test_the_theme_is_the_only_script_no_style_is_inline_and_nothing_comes_from_another_host(client, path):
    page = page_of(client, path)
    names = {tag for tag, _ in page.tags}
    assert not names & {"style", "iframe", "img", "form", "object", "embed", "base"}
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert not [name for name in attributes if name == "style" or name.startswith("on")]
    assert [(attrs["src"] or "").rpartition("/")[2] for attrs in page.named("script")] == ["theme.js"]
    loaded = [attrs["href"] for attrs in page.named("link")] + [attrs["src"] for attrs in page.named("script")]
    assert loaded
    assert all(href.startswith(("./static/", "../static/")) for href in loaded)


@pytest.mark.parametrize("path", PAGES)
def test_the_parts_that_a_page_loads_and_links_to_exist(client, path):
    page = page_of(client, path)
    ids = Counter(page.attributes("id"))
    assert [name for name, count in ids.items() if count > 1] == []
    for href in page.attributes("href"):
        if href.startswith("#"):
            assert href[1:] in ids
        elif not href.startswith("https://"):
            folder = path.rpartition("/")[0].removeprefix("/")
            target = href.removeprefix("../") if href.startswith("../") else f"{folder}/{href.removeprefix('./')}"
            with client.get(f"/{target.lstrip('/')}") as answer:
                assert answer.status_code == 200, href


@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_be_read_by_ear_and_by_keyboard(client, path):
    page = page_of(client, path)
    assert page.named("html") == [{"lang": "en"}]
    assert len(page.named("main")) == len(page.named("h1")) == len(page.named("title")) == 1
    assert page.named("a")[0]["href"] == f"#{page.named('main')[0]['id']}"
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(page.named("table")) == len(page.named("caption"))
    assert all(attrs.get("scope") for attrs in page.named("th"))
    ids = set(page.attributes("id"))
    assert all(name in ids for name in page.attributes("aria-labelledby"))
    assert not [tag for tag, attrs in page.tags if "tabindex" in attrs]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_uses_words_that_direct_a_clinician(client, path):
    text = page_of(client, path).text
    # What clinicians write is listed as they write it.
    for phrase in {
        item.strip() for policy in library().policies for codes in policy.code_sets.values() for item in codes.phrases
    }:
        text = text.replace(phrase, "")
    assert PROMISES.search(text) is None


def test_every_text_color_has_wcag_aa_contrast_in_light_and_dark(client):
    with client.get("/static/design.css") as answer:
        css = answer.text
    pairs = re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", css)
    assert len(pairs) > 10
    for theme in (1, 2):
        colors = {pair[0]: pair[theme] for pair in pairs}
        for ink in ("ink", "quiet", "accent", "sure", "open", "late"):
            for paper in ("paper", *(name for name in colors if name.endswith("wash"))):
                assert contrast(colors[ink], colors[paper]) >= 4.5, (ink, paper)


def test_print_is_black_on_white_and_leaves_out_what_only_a_screen_needs(client):
    with client.get("/static/design.css") as answer:
        printed = answer.text.partition("@media print")[2]
    assert "color-scheme: light" in printed
    assert set(re.findall(r"--[a-z-]+: (#[0-9a-f]+);", printed)) == {"#fff", "#000", "#444", "#bbb"}
    assert "header.site nav, .skip, .button { display: none; }" in printed


def test_every_variable_of_the_style_is_set_once_for_all_pages(client):
    sheets = []
    for name in ("design", "pages"):
        with client.get(f"/static/{name}.css") as answer:
            sheets.append(answer.text)
    set_there = set(re.findall(r"(--[a-z0-9-]+):", sheets[0]))
    assert set(re.findall(r"var\((--[a-z0-9-]+)\)", "".join(sheets))) <= set_there
    assert not re.findall(r"--[a-z0-9-]+:", sheets[1])
    assert "http" not in "".join(sheets)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio"."""

    def luminance(color: str) -> float:
        parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


# --- start and list --------------------------------------------------------------------------------------------------


def test_the_start_page_lists_statements_services_and_a_command_that_works_as_printed(client, policy):
    answer = client.get("/", headers={"Host": "localhost:9"})
    page = Page(answer.text)
    assert policy.title in page.text
    assert f"./policies/{ISASS}" in page.attributes("href")
    for service_id, hook in hook_request.SERVICES.items():
        assert f"{hook} POST /cds-services/{service_id}" in page.text
    command = (
        f"cds-service example all-met | curl -sS {ADDRESS}/cds-services/coverage-guidance-order-sign "
        "-H 'Content-Type: application/json' -d @-"
    )
    assert command in page.text
    assert "localhost:9" not in answer.text
    assert {"./cds-services", "./policies", "./healthz"} <= set(page.attributes("href"))


def test_the_list_gives_edition_dates_and_counts(client, policy):
    text = page_of(client, "/policies").text
    for part in (policy.title, policy.edition, policy.review.next_review, str(len(policy.criteria))):
        assert part in text
    assert f"{len(criteria.pending(policy))} pending verification" in text


# --- the page of a statement -----------------------------------------------------------------------------------------


def test_every_criterion_stands_on_the_page_with_its_words_its_sources_and_its_doubts(client, policy):
    page = page_of(client, f"/policies/{ISASS}")
    anchors = [attrs["id"] for attrs in page.named("article") if attrs["class"] == "criterion"]
    assert sorted(anchors) == sorted(rule.id for rule in policy.criteria)
    for rule in policy.criteria:
        for part in (rule.title, rule.settled_by, rule.product_choice, rule.note, rule.next_review):
            assert part is None or part in page.text
        for citation in rule.citations:
            assert citation.says in page.text
            assert citation.place in page.text
        for item in (*rule.contrary, *rule.hints):
            assert item.says in page.text


def test_everything_else_in_the_policy_stands_on_the_page_too(client, policy):
    page = page_of(client, f"/policies/{ISASS}")
    raw = written()
    wanted = [raw["title"], raw["edition"], raw["review"]["written_by"]]
    wanted += [text for text in raw["attributes"].values() if isinstance(text, str)]
    wanted += [
        item["says"] for item in (raw["attributes"]["funding_of_statement"], *raw["attributes"]["funding_of_studies"])
    ]
    wanted += [item[key] for item in raw["review"]["revisions"] for key in ("on", "what")]
    wanted += [source[key] for source in raw["sources"].values() for key in ("title", "citation", "seen", "read_on")]
    wanted += [item[key] for item in raw["evidence"] for key in ("finding", "limits")]
    wanted += [item[key] for item in raw["information"] for key in ("topic", "note")]
    wanted += [verdict.title for verdict in policy.verdicts]
    wanted += [rule.title for rule in policy.facts.values()]
    wanted += [system[key] for system in policy.code_systems.values() for key in ("version", "notice", "url")]
    for codes in policy.code_sets.values():
        wanted += [codes.title, *(phrase.strip() for phrase in codes.phrases)]
        for row in codes.codes:
            wanted += [row.code, row.label, row.provenance, *filter(None, (row.remark, row.use, row.valid_from))]
    for payer in policy.payers:
        wanted += [payer.name, payer.document, payer.background, payer.next_review]
    wanted += [phrase.strip() for phrase in (*policy.orders.named_in_text, *policy.orders.elsewhere_in_text)]
    assert [part for part in wanted if part not in page.text] == []


def test_the_page_says_what_is_not_verified_and_that_nobody_has_checked(client, policy):
    text = page_of(client, f"/policies/{ISASS}").text
    assert policy.review.checked_by is None
    assert "Reviewed by ○ Not yet checked by a named reviewer" in text
    assert "Statement text pending verification" in text
    assert "None of the 18 criteria has been compared" in text
    assert text.count("○ pending verification") == len(criteria.pending(policy)) == 18
    unverified = {codes.name for codes in policy.code_sets.values() if any(c.seen == "unverified" for c in codes.codes)}
    assert len(re.findall(r"○ \d+ unverified", text)) == len(unverified) > 0
    assert "CPT codes are copyright American Medical Association" in text
    assert "The validity of diagnoses and of everything else in the record is for information" in text


def test_the_notice_goes_once_a_reviewer_has_compared_and_signed(own_cards):
    def sign(document):
        document["review"]["checked_by"] = "A. Reviewer, MD"
        for criterion in document["criteria"]:
            criterion["statement_text"] = "verified"

    change(own_cards, "policy", sign)
    text = page_of(client_of(own_cards), f"/policies/{ISASS}").text
    assert "Reviewed by A. Reviewer, MD" in text
    assert "pending verification" not in text.replace("Statement text pending verification; not yet", "")
    assert "been compared with the statement" not in text


def test_an_overdue_review_is_marked_by_a_word(client, policy):
    day = policy.review.next_review
    assert "overdue" not in page_of(client, f"/policies/{ISASS}").text
    late = client_of(data_folder("cards"), date(2027, 5, 24))
    assert f"Next review {day} ! overdue" in page_of(late, f"/policies/{ISASS}").text
    assert f"{day} ! overdue" in page_of(late, "/policies").text


def test_the_only_edition_on_file_says_so(client):
    assert "Edition 2023 is the only edition of this statement on file" in page_of(client, f"/policies/{ISASS}").text


def test_a_later_edition_says_what_changed_and_each_links_to_the_other(own_cards):
    later = ISASS.replace("2023", "2027")
    shutil.copytree(own_cards / ISASS, own_cards / later)
    change(own_cards, "policy", lambda document: document["effective"].update(until="2026"))

    def edit(document):
        document.update(id=later, edition="2027", effective={"from": "2027", "until": None})
        document["criteria"][0]["title"] = "Age 22 or older, renamed"
        document["review"]["revisions"].append({"on": "2027-01-05", "what": "Second edition."})

    path = own_cards / later / "policy.json"
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))
    client = client_of(own_cards)
    old, new = page_of(client, f"/policies/{ISASS}"), page_of(client, f"/policies/{later}")
    told = "What differs in this edition from edition 2023: Criterion “Age 22 or older, renamed”: the title"
    assert told in new.text
    assert f"../policies/{ISASS}" in new.attributes("href")
    assert f"../policies/{later}" in old.attributes("href")
    assert "This is the earliest edition" in old.text
    assert new.text.index("2027-01-05 Second edition.") < new.text.index("2026-11-23 First encoding")


@pytest.mark.parametrize("path", [f"/policies/{name}{end}" for name in ("none", "..%2fx") for end in ("", ".json")])
def test_an_unknown_statement_is_a_404_with_an_operation_outcome(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.mimetype == "application/fhir+json"
    assert answer.get_json(force=True)["issue"][0]["code"] == "not-found"


def test_no_text_of_a_policy_becomes_markup(own_cards):
    hostile = "<script>alert('1')</script> & \"x\" {{ 7*7 }}"

    def poison(value):
        if isinstance(value, dict):
            for key, item in value.items():
                # What a pathway says is the name of a text.
                if key == "pathways":
                    continue
                if key in ("title", "note", "says", "place", "finding", "limits", "citation", "settled_by", "label"):
                    value[key] = hostile
                else:
                    poison(item)
        elif isinstance(value, list):
            for item in value:
                poison(item)

    for name in ("policy", "codes"):
        change(own_cards, name, poison)
    change(own_cards, "card", lambda document: document["source"].update(label=hostile))
    change(own_cards, "payers", lambda document: document["payers"][0].update(name=hostile, background=hostile))
    client = client_of(own_cards)
    for path, root in (("/", "./"), ("/policies", "./"), (f"/policies/{ISASS}", "../")):
        page = page_of(client, path)
        assert [attrs["src"] for attrs in page.named("script")] == [f"{root}static/theme.js"]
        assert hostile in page.text


# --- words -----------------------------------------------------------------------------------------------------------

FACTS = {
    "age": rule_of("age", "age", "Age", "unknown"),
    "onset": rule_of("onset", "onset", "Pain since", "unknown", item="onset", look_back_days=180),
    "bmi": rule_of("bmi", "measurement", "BMI", "unknown", item="bmi", unit="kg/m2", range=(5, 150)),
    "pain": rule_of("pain", "measurement", "Pain score", "unknown", item="pain", range=(0, 10)),
    "able": rule_of("able", "answer", "Able", "unknown", item="able", look_back_days=180),
    "infection": rule_of("infection", "record", "Infection", "unknown", resources=("Condition",), state="active"),
    "device": rule_of("device", "record", "Device", "no", "devices are registered", resources=("Device", "Procedure")),
}


def fact(name: str, **limits) -> Node:
    return node("fact", (), name, **limits)


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (fact("age", at_least=22), "Age: at least 22 years"),
        (fact("onset", at_least=90), "Pain since: at least 90 days ago"),
        (fact("bmi", at_most=35), "BMI: at most 35\N{NO-BREAK SPACE}kg/m²"),
        (fact("bmi", at_least=18.5, at_most=35), "BMI: at least 18.5 and at most 35\N{NO-BREAK SPACE}kg/m²"),
        (fact("pain", at_least=6), "Pain score: at least 6, on a scale of 0 to 10"),
        (fact("able", wanted=True), "Able: attested yes"),
        (fact("able", wanted=False), "Able: attested no"),
        (fact("infection", wanted=True), "Infection: on record"),
        (fact("infection", wanted=False), "Infection: contradicts it if on record"),
        (fact("device", wanted=False), "Device: none on record"),
        (node("not", (fact("able", wanted=True),)), "not (Able: attested yes)"),
        (
            node("all", (fact("able", wanted=True), node("any", (fact("age", at_most=75), fact("pain", at_most=9))))),
            "Able: attested yes; and (Age: at most 75 years; or Pain score: at most 9, on a scale of 0 to 10)",
        ),
        (
            node("agree", (fact("able", wanted=True), fact("infection", wanted=False))),
            "Able: attested yes. Infection: contradicts it if on record",
        ),
    ],
)
def test_a_test_in_words(test, words):
    assert word.sentence(test, FACTS) == words


def test_a_combined_test_lists_its_parts():
    inner = node("any", (fact("age", at_least=22), fact("able", wanted=True)))
    clause = word.clause(node("all", (inner, fact("bmi", at_most=35))), FACTS)
    assert clause.text == "All of these:"
    assert clause.inner[0].text == "At least one of these:"
    assert [each.text for each in clause.inner[0].inner] == ["Age: at least 22 years", "Able: attested yes"]


def test_what_a_fact_reads_in_words(policy):
    bmi = criteria.reading(policy.facts["bmi"], policy.facts)
    assert (bmi.origin, bmi.age, bmi.absence) == (
        "the newest Observation, or else computed from the newest weight and height, or attested answer “bmi”",
        "record: 365 days; answer: 180 days",
        "unknown",
    )
    assert bmi.units.startswith("kg/m2, ")
    assert bmi.units.endswith("values 5 to 150")
    assert "mm (times 0.1)" in criteria.reading(policy.facts["pain-score"], policy.facts).units
    assert (
        "(as written or times 2, unknown where they disagree)"
        in criteria.reading(policy.facts["disability"], policy.facts).units
    )
    assert criteria.reading(FACTS["device"], FACTS).absence == "no, because devices are registered"
    assert criteria.reading(FACTS["device"], FACTS).origin == "any Device or Procedure"
    assert criteria.reading(FACTS["infection"], FACTS).origin == "any active Condition"


def test_each_criterion_is_printed_once_and_the_rest_by_reference(policy):
    groups = criteria.groups(policy)
    printed = [item.rule.id for group in groups for item in group.criteria]
    assert sorted(printed) == sorted(rule.id for rule in policy.criteria)
    assert [group.verdict.id if group.verdict else None for group in groups] == [
        "labelled-indication",
        "studied-population",
        None,
    ]
    for group in groups[:2]:
        shown = {item.rule.id for item in (*group.criteria, *group.above)}
        assert shown == set(group.verdict.criteria)


def test_a_payer_is_unknown_for_reasons_that_are_named_and_dates_are_no_finer_than_known(own_cards):
    def edit(document):
        first, second = document["payers"][:2]
        first.update(position={"covered": False}, own_text=True, seen_in_force="2026-10-01")
        first["in_force"] = {"from": "2024", "until": None}
        second["in_force"] = {"from": "2022-12", "until": "2023-11"}

    change(own_cards, "payers", edit)
    policy = load_library(own_cards, BASE).policies[0]
    first, second = (rules.payer(policy, rule, TODAY) for rule in policy.payers[:2])
    assert (first.unknown_because, first.position, first.in_force) == ((), "not covered", "from 2024; end not known")
    assert "not in force on this date" in second.unknown_because
    assert second.in_force == "2022-12 to 2023-11"
    later = rules.payer(policy, policy.payers[0], date(2027, 10, 2))
    assert later.unknown_because == ("its text was not checked in the last 12 months",)


# --- source attributes and JSON --------------------------------------------------------------------------------------

NINE = {
    "useOfRace": False,
    "useOfEthnicity": False,
    "useOfLanguage": False,
    "useOfSexualOrientation": False,
    "useOfGenderIdentity": False,
    "useOfSex": False,
    "useOfDateOfBirth": True,
    "useOfSocialDeterminants": False,
    "useOfHealthStatusAssessments": True,
}


def test_the_nine_uses_are_derived_from_the_facts(client, policy):
    assert {use.key: use.used for use in source_attributes.uses(policy)} == NINE
    text = page_of(client, f"/policies/{ISASS}").text
    for use in source_attributes.uses(policy):
        assert f"{use.name} {'● used' if use.used else '– not used'} ; {use.because}" in text


def test_a_policy_that_reads_other_facts_uses_other_data(own_cards):
    def edit(document):
        for name, rule in list(document["facts"].items()):
            if rule["kind"] in ("age", "onset", "measurement"):
                document["facts"][name] = {
                    "kind": "answer",
                    "title": rule["title"],
                    "item": name,
                    "look_back_days": 180,
                    "when_absent": "unknown",
                }
                for criterion in document["criteria"]:
                    if criterion["test"].get("fact") == name:
                        criterion["test"] = {"fact": name, "is": True}

    change(own_cards, "policy", edit)

    def social(document):
        document["sets"]["radiculopathy"]["codes"].append(
            document["sets"]["radiculopathy"]["codes"][0] | {"system": "ICD-10-CM", "code": "Z59.1"}
        )

    change(own_cards, "codes", social)
    changed = load_library(own_cards, BASE).policies[0]
    assert [use.key for use in source_attributes.uses(changed) if use.used] == ["useOfSocialDeterminants"]


def test_the_json_is_the_whole_policy_with_stable_source_attributes(client):
    answer = client.get(f"/policies/{ISASS}.json")
    assert answer.mimetype == "application/json"
    body = answer.get_json()
    raw = written()
    assert body.keys() == raw.keys() | {"codes", "payers", "wording", "variants", "sourceAttributes"}
    assert {key: body[key] for key in raw} == raw
    assert list(body["sourceAttributes"]) == [
        "bibliographicCitation",
        "developer",
        "fundingSource",
        "releaseAndRevisionDates",
        *NINE,
        "purposeAndUse",
        "inputs",
        "logicAndEvidence",
        "knownsAndUnknowns",
    ]
    assert {key: body["sourceAttributes"][key]["used"] for key in NINE} == NINE
    assert body["sourceAttributes"]["useOfDateOfBirth"]["facts"] == ["Age", "Low back pain since"]
    assert "10.14444/8525" in body["sourceAttributes"]["bibliographicCitation"]["citation"]
    assert body["sourceAttributes"]["developer"]["checkedBy"] is None


def test_the_json_carries_codes_payers_and_wording_as_the_files_do(client):
    folder = data_folder("cards") / ISASS
    body = client.get(f"/policies/{ISASS}.json").get_json()
    codes = json.loads((folder / "codes.json").read_text())
    assert body["codes"]["systems"] == codes["systems"]
    assert body["codes"]["sets"].keys() == codes["sets"].keys()
    for name, written in codes["sets"].items():
        ours = body["codes"]["sets"][name]
        rows = [row["code"] for row in ours["codes"]]
        # Behind them stand the products of its ingredients by the table of drugs, and their names behind the words.
        assert rows[: len(written["codes"])] == [row["code"] for row in written["codes"]]
        assert bool(rows[len(written["codes"]) :]) == ("ingredients" in written)
        assert set(written.get("text", [])) <= set(ours["text"])
        assert set(written.get("ingredients", [])) <= set(ours["text"])
    assert body["wording"] == json.loads((folder / "card.json").read_text())
    for ours, written in zip(body["payers"], json.loads((folder / "payers.json").read_text())["payers"], strict=True):
        assert {key: ours[key] for key in ours if key != "aliases"} == {
            key: written[key] for key in written if key != "aliases"
        }


def test_a_later_text_of_the_society_and_the_words_of_a_source_stand_on_the_page(client):
    page = client.get("/policies/isass-restorative-neurostimulation-2023").get_data(as_text=True)
    assert "2025-12-28" in page
    assert "https://scholars.duke.edu/publication/1696141" in page
    assert "is still the one that is evaluated" in page
    assert "in its own words: “as evidenced by imaging or physiological testing”" in page
