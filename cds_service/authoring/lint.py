"""What every card must be: short, honest, safe to accept, in the form of CDS Hooks 2.0; used by check and by tests."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.card.guidance import SUMMARY_LIMIT

WORDS_BEFORE_TABLE = 40
FIRST_WORDS = 6
OUTCOME_WORDS = ("met", "undocumented", "label", "not", "is", "evaluated")
FORBIDDEN = re.compile(r"(?i)\b(contra)?indicated\b|\bshould\b|\bapprov\w*")


def problems(card: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each rule that a card breaks."""
    summary, detail = card["summary"], card["detail"]
    if len(summary) > SUMMARY_LIMIT:
        yield f"the summary has {len(summary)} characters, at most {SUMMARY_LIMIT} are allowed"
    opening = re.findall(r"[a-z]+", " ".join(summary.split()[:FIRST_WORDS]).lower())
    if not set(opening) & set(OUTCOME_WORDS):
        yield f"the outcome is not in the first {FIRST_WORDS} words of the summary"
    lead = detail.partition("\n|")[0]
    if len(lead.split()) > WORDS_BEFORE_TABLE and "\n|" in detail:
        yield f"{len(lead.split())} words stand before the first table, at most {WORDS_BEFORE_TABLE} are allowed"
    for text in (summary, detail, *_labels(card)):
        found = FORBIDDEN.search(text)
        if found:
            yield f"the word '{found.group()}' must not be used"
    for table in re.split(r"\n\n", detail):
        yield from _row_order(table)
    if card["indicator"] not in ("info", "warning"):
        yield f"the indicator is '{card['indicator']}'; coverage is info or warning"
    if bool(card.get("suggestions")) != ("selectionBehavior" in card):
        yield "selectionBehavior goes with suggestions and only with them"
    if not card.get("overrideReasons"):
        yield "there are no override reasons"
    for suggestion in card.get("suggestions", ()):
        for action in suggestion["actions"]:
            yield from _action(action)
    yield from _empty(card, "card")


def _labels(card: Mapping[str, Any]) -> Iterator[str]:
    yield from (reason["display"] for reason in card.get("overrideReasons", ()))
    yield from (suggestion["label"] for suggestion in card.get("suggestions", ()))


_MARKS = ("**Not met:**", "**Conflict:**", "**To document:**")


def _row_order(table: str) -> Iterator[str]:
    ranks = [
        next((rank for rank, mark in enumerate(_MARKS) if mark in row), len(_MARKS))
        for row in table.splitlines()[2:]
        if row.startswith("| ")
    ]
    if ranks != sorted(ranks):
        yield "a table does not list what needs action first"


def _action(action: Mapping[str, Any]) -> Iterator[str]:
    if action["type"] not in ("create", "update") or not action.get("description"):
        yield "an action must be a create or an update and have a description"
    codings = action["resource"].get("code", {}).get("coding", [])
    if action["type"] == "create" and any("display" in coding for coding in codings):
        yield "a suggested coding carries a display"
    if action["type"] == "create" and action["resource"].get("status") != "draft":
        yield "a companion order must be a draft"


def _empty(value: Any, place: str) -> Iterator[str]:
    """CDS Hooks 2.0, "Use of JSON": absent optionals are left out, never null or empty; orders are echoed as sent."""
    if isinstance(value, dict):
        for name, item in value.items():
            if item in (None, "", [], {}):
                yield f"{place}.{name} is empty; leave it out"
            elif name != "resource":
                yield from _empty(item, f"{place}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _empty(item, f"{place}[{index}]")
