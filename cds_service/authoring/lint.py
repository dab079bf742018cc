"""The rules for every card: short, honest, safe to accept, valid CDS Hooks 2.0. The check and the tests apply them."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from markdown_it import MarkdownIt

from cds_service.card import evidence_words
from cds_service.card.assessment import Assessment, Row
from cds_service.card.details import MOST_LEAD_WORDS, MOST_LINES, MOST_WORDS, MOST_WORDS_OF_A_LINE, count_words
from cds_service.card.outcomes import Outcome
from cds_service.card.style import DEFAULT_STYLE
from cds_service.card.summaries import LIMIT, urgent_name
from cds_service.card.words.facts import DISCLAIMER
from cds_service.facts.logic import Truth
from cds_service.service.statement import Answer

MOST_LINKS, REASONS, LONGEST_SUGGESTION = 2, (3, 6), 60
_MARKS = re.compile(r"\*\*|^- |(?<!\w)\*|\*(?!\w)|\\", re.MULTILINE)
_TABLE_OR_HEADING = re.compile(r"(?m)^\s*(?:\||#)|<[a-z/]|\]\(")
_ISO_DATE = re.compile(r"\b\d{4}-\d{2}(?:-\d{2})?\b")
_VERSUS = re.compile(r"\bv\b(?!\.)")
# Rules for cards and all other prose that a word list cannot express.
FORMS = (
    (re.compile(r"\d %"), "there is a space before %"),
    (re.compile(r"\s[-\u2013\u2014]\s|[\u2013\u2014]"), "a dash is used as punctuation"),
)
_SUGGESTS = re.compile(r"^Add ")


def problems(card: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each rule of form that a card violates: limits, words, suggestions, CDS Hooks."""
    summary, detail = card["summary"], card.get("detail", "")
    if len(summary) > LIMIT:
        yield f"the summary has {len(summary)} characters, at most {LIMIT} are allowed"
    if summary.endswith("."):
        yield "the summary ends with a period"
    yield from _detail(summary, detail)
    for text in (summary, plain(detail), *_labels(card)):
        yield from _words(text)
    if card["indicator"] not in ("info", "warning"):
        yield f"the indicator is '{card['indicator']}'; coverage is info or warning"
    yield from _actions(card)
    reasons = card.get("overrideReasons", ())
    if not REASONS[0] <= len(reasons) <= REASONS[1]:
        yield f"there are {len(reasons)} override reasons; {REASONS[0]} to {REASONS[1]} are allowed"
    if len(card.get("links", ())) > MOST_LINKS:
        yield f"there are {len(card['links'])} links, at most {MOST_LINKS} are allowed"
    yield from _empty(card, "card")


def plain(detail: str) -> str:
    """The detail as a reader sees it."""
    return _MARKS.sub("", detail)


def _detail(summary: str, detail: str) -> Iterator[str]:
    # The evidence (if there is no evidence page) and a code pack's notice come after the footer and do not count.
    first = detail.partition(f"{DISCLAIMER}")
    shown = first[0] + first[1] + first[2].partition("\n")[0]
    lines = [line for line in plain(shown).splitlines() if line.strip()]
    if (words := sum(map(count_words, lines))) > MOST_WORDS:
        yield f"the detail has {words} words, at most {MOST_WORDS} are allowed"
    if len(lines) > MOST_LINES:
        yield f"the detail has {len(lines)} lines, at most {MOST_LINES} are allowed"
    for line in lines:
        if count_words(line) > MOST_WORDS_OF_A_LINE:
            yield f"a line has {count_words(line)} words, at most {MOST_WORDS_OF_A_LINE} are allowed"
    if found := _TABLE_OR_HEADING.search(detail):
        yield f"the detail has a table, a heading, HTML or a link ('{found.group().strip()}')"
    if detail and not re.match(r"(?:- )?\*\*|In chart:|[A-Z]", detail):
        yield "the detail does not begin with its lead"
    # The lead ends before the facts: at the first empty line that no bullet or bold action follows.
    lead = plain(_lead(shown))
    if DISCLAIMER in detail and (words := count_words(summary) + count_words(lead)) > MOST_LEAD_WORDS:
        yield f"summary and lead have {words} words, at most {MOST_LEAD_WORDS} are allowed"
    rendered = {name: _visible(renderer.render(detail)) for name, renderer in _renderers().items()}
    if len(set(rendered.values())) > 1:
        yield "it reads otherwise in a client that knows no tables"
    if any(mark in text for text in rendered.values() for mark in ("*", "|")):
        yield "a * or | is left over where it is rendered"


_FACTS = re.compile(r"\n\n(?=\*\*(?:Met in chart|Attested|Not applicable|Other |[\w ]+ criteria:|Payer))|\n\n\*[A-Z]")


def _lead(detail: str) -> str:
    return _FACTS.split(detail, maxsplit=1)[0]


@cache
def _renderers() -> Mapping[str, MarkdownIt]:
    return {"gfm": MarkdownIt("gfm-like", {"linkify": False}), "commonmark": MarkdownIt("commonmark")}


def _visible(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@cache
def words(part: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """The words of one part of the word list, each with its replacement: ``everywhere``, ``cards``, ``prose``, or
    ``readers`` (prose that users of the product read, as opposed to its developers)."""
    listed = json.loads(resources.files("cds_service.authoring").joinpath("words.json").read_text(encoding="utf-8"))
    # A phrase may also continue on the next line.
    spread = {word.replace(" ", r"\s"): instead for word, instead in listed[part].items()}
    return tuple((re.compile(rf"(?i)\b(?:{word})\b"), instead) for word, instead in spread.items())


# Words of override reasons and of the footer that the list forbids elsewhere.
FIXED = ("Prior authorization already approved", "Payer has approved", "ISASS text not yet compared.")


def _words(text: str) -> Iterator[str]:
    for fixed in FIXED:
        text = text.replace(fixed, "")
    for pattern, instead in (*words("everywhere"), *words("cards")):
        if found := pattern.search(text):
            yield f"the word '{found.group()}' must not be used ({instead})"
    for pattern, what in (
        (_ISO_DATE, "a date is not in US order"),
        (_VERSUS, "vs. has a period and an s"),
        *FORMS,
    ):
        if found := pattern.search(text):
            yield f"{what}: '{found.group().strip()}'"


def _labels(card: Mapping[str, Any]) -> Iterator[str]:
    yield from (reason["display"] for reason in card.get("overrideReasons", ()))
    yield from (suggestion["label"] for suggestion in card.get("suggestions", ()))


def _actions(card: Mapping[str, Any]) -> Iterator[str]:
    if bool(card.get("suggestions")) != ("selectionBehavior" in card):
        yield "selectionBehavior goes with suggestions and only with them"
    for suggestion in card.get("suggestions", ()):
        if len(suggestion["label"]) > LONGEST_SUGGESTION or not _SUGGESTS.match(suggestion["label"]):
            yield f"the suggestion '{suggestion['label']}' is not 'Add', object and code, or too long"
        for action in suggestion["actions"]:
            yield from _action(action)


def _action(action: Mapping[str, Any]) -> Iterator[str]:
    if action["type"] not in ("create", "update") or not action.get("description"):
        yield "an action must be a create or an update and have a description"
    codings = action["resource"].get("code", {}).get("coding", [])
    if action["type"] == "create" and any("display" in coding for coding in codings):
        yield "a suggested coding carries a display"
    if action["type"] == "create" and action["resource"].get("status") != "draft":
        yield "a companion order must be a draft"


def _empty(value: Any, place: str) -> Iterator[str]:
    """CDS Hooks 2.0, "Use of JSON": absent optionals are left out, never null or empty. Orders are echoed unchanged."""
    if isinstance(value, dict):
        for name, item in value.items():
            if item in (None, "", [], {}):
                yield f"{place}.{name} is empty; leave it out"
            elif name != "resource":
                yield from _empty(item, f"{place}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _empty(item, f"{place}[{index}]")


# --- honest -----------------------------------------------------------------------------------------------------------


def of_answer(answer: Answer) -> Iterator[str]:
    """A sentence for each rule that a card violates, including rules about its evidence; none if there is no card."""
    if answer.card is None:
        return
    yield from problems(answer.card)
    topic = answer.card["source"]["topic"]["code"]
    if topic != f"{answer.policy.phrases.topic}{answer.outcome.topic}":
        yield f"the topic '{topic}' is not that of the outcome '{answer.outcome.value}'"
    if answer.card.get("suggestions") and not answer.outcome.suggests:
        yield f"codes are suggested on the outcome '{answer.outcome.value}'"
    if answer.assessment is not None and answer.outcome is not Outcome.DECEASED:
        yield from _honest(answer.card, answer.assessment)


def _honest(card: Mapping[str, Any], found: Assessment) -> Iterator[str]:
    detail = plain(card.get("detail", ""))
    said = f"{card['summary']}\n{detail}"
    opened = found.decision.order is None
    if found.outcome.decided and detail and not opened and DISCLAIMER not in detail:
        yield f"it counts criteria and does not say '{DISCLAIMER}'"
    if found.outcome is Outcome.MET and any(row.by_attestation for row in found.label) and "attest" not in said:
        yield "a criterion is met by attestation alone, and the card does not say so"
    for item in found.urgent:
        if not any(name in said for name in (item.name, urgent_name(item), evidence_words.name_of(item.record))):
            yield f"the urgent record {item.record.reference} ({item.name}) is not named"
    if opened:
        return
    for row in (*found.contraindicated, *found.off_label, *found.conflicts):
        if not _named(row, said, found):
            yield f"the criterion '{row.finding.criterion.id}' fails or is in conflict, and the card does not name it"
    gaps = re.search(r"(\d+) of (\d+) [\w ]*criteria needs? documentation", card["summary"])
    if gaps and int(gaps[1]) != len(found.open_label):
        yield f"the summary counts {gaps[1]} gaps, and there are {len(found.open_label)}"
    if found.not_checked and not any(word in said for word in ("ot received", "not checked")):
        yield "criteria could not be checked, and the card does not say so"


def _named(row: Row, said: str, found: Assessment) -> bool:
    style = DEFAULT_STYLE
    urgent = {item.record.reference: item.name for item in found.urgent}
    records = (*row.finding.evidence, *row.finding.contrary)
    names: Sequence[str] = (
        row.phrases.topic,
        row.phrases.short,
        evidence_words.fails(row, style),
        *(evidence_words.name_of(item) for item in records if not item.is_attested),
        *(urgent[item.reference] for item in records if item.reference in urgent),
    )
    # Match whole words: "coverage" does not name "age".
    return row.truth is Truth.MET or any(re.search(rf"(?<!\w){re.escape(plain(name))}(?!\w)", said) for name in names)
