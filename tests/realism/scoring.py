"""Whether what ``explain`` says of a chart is what a careful reader would: what is shown, and what is wrong."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tests.realism.kinds import Kind
from tests.realism.writers import Fact

Json = dict[str, Any]
# More references in one policy's findings are a chart poured out, which shows nothing.
MOST = 45
# Criteria that something on record excludes.
EXCLUSIONS = {"fit-for-implant", "can-operate-device", "structural-cause", "scoliosis", "prior-lumbar-surgery"}
EXCLUSIONS |= {"not-surgical-candidate", "leg-pain", "infection"}
FIGURES = ("lost", "false met", "missed exclusion", "false not-met", "undecided", "counted", "suggestion", "silence")
FIGURES += ("card", "summary")
_OUTCOMES = {"unclear": "ask", "routed": "other", "deceased": "other", "failed": "other", "implanted": "other"}


class Written(NamedTuple):
    """A fact of a chart, with the references of the resources that hold it."""

    fact: Fact
    references: frozenset[str]


class Score(NamedTuple):
    """How one chart came out: facts looked for, and each fault by its figure with what it is about."""

    facts: int
    faults: tuple[tuple[str, str], ...]

    def count(self) -> Counter[str]:
        """How many faults of each figure."""
        return Counter(figure for figure, _ in self.faults)


def score(kind: Kind, written: Iterable[Written], explained: Mapping[str, Any]) -> Score:
    """Checks one answer against its kind."""
    ours = [item for item in explained["policies"] if item["id"] == kind.policy]
    cards = explained["response"]["cards"]
    shown_as = _card(ours, cards)
    faults: list[tuple[str, str]] = []
    if shown_as not in kind.cards:
        faults.append(("silence" if shown_as == "none" else "card", shown_as))
    facts = 0
    # A routed order, a question or silence weighs no facts.
    if shown_as == "verdict":
        for item in written:
            if item.fact.counts:
                facts += 1
                faults += [] if _is_shown(item, ours, cards) else [("lost", f"{item.fact.at}: {item.fact.words}")]
            elif _counts(item, ours):
                faults.append(("counted", f"{item.fact.at}: {item.fact.words}"))
        faults += _truths(kind, ours)
    suggested = {code for card in cards for item in card.get("suggestions", ()) for code in _codes(item)}
    faults += [("suggestion", code) for code in sorted(suggested & set(kind.forbidden))]
    if kind.unsaid and any(re.search(kind.unsaid, card["summary"]) for card in cards):
        faults.append(("summary", cards[0]["summary"]))
    return Score(facts, tuple(faults))


def _card(ours: list[Json], cards: list[Json]) -> str:
    if not cards or not ours:
        return "none"
    outcome = next((item["outcome"] for item in ours if item.get("outcome")), None)
    return (
        _OUTCOMES.get(outcome, "verdict")
        if outcome
        else "verdict"
        if any(item["criteria"] for item in ours)
        else "other"
    )


def _evidence(ours: list[Json]) -> list[tuple[str, Json]]:
    """(criterion, evidence) of all that stands for or against one, is to be confirmed, or says who pays."""
    found = [
        (criterion["id"], item)
        for policy in ours
        for criterion in policy["criteria"]
        for item in (*criterion["evidence"], *criterion["contrary"])
    ]
    for policy in ours:
        found += [("review", item) for item in policy.get("review", ())]
        found += [("payer", policy["payer"])] if policy.get("payer") else []
    return found


def _is_shown(item: Written, ours: list[Json], cards: list[Json]) -> bool:
    evidence = _evidence(ours)
    references = {found["reference"] for _, found in evidence if found.get("reference")}
    if len(references) > MOST:
        return False
    if not references & item.references:
        return False
    reasons = [criterion["reason"] or "" for policy in ours for criterion in policy["criteria"]]
    said = [card.get("detail") or "" for card in cards]
    said += [str(found.get(name) or "") for _, found in evidence for name in ("display", "value", "date", "name")]
    return any(re.search(item.fact.said, text) for text in (*said, *reasons))


def _counts(item: Written, ours: list[Json]) -> bool:
    """Whether what must not count as evidence does: for its criterion, or to be confirmed."""
    return any(where == item.fact.at and found.get("reference") in item.references for where, found in _evidence(ours))


def _truths(kind: Kind, ours: list[Json]) -> list[tuple[str, str]]:
    found = []
    for criterion in (item for policy in ours for item in policy["criteria"]):
        name, truth = criterion["id"], criterion["truth"]
        allowed = kind.truths.get(name, (truth,))
        if truth not in allowed:
            excluded = "not-met" in allowed and name in EXCLUSIONS
            wrong = "missed exclusion" if excluded else "false met"
            figure = {"unknown": "undecided", "not-met": "false not-met"}.get(truth, wrong)
            found.append((figure, f"{name}: {truth}, may be {' or '.join(allowed)}"))
    return found


def _codes(suggestion: Json) -> set[str]:
    concepts = [
        action.get("resource", {}).get(name, {})
        for action in suggestion.get("actions", ())
        for name in ("code", "codeCodeableConcept")
    ]
    return {coding.get("code") for concept in concepts for coding in concept.get("coding", ())}
