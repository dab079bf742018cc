"""The gate: what ten systems chart reaches the card, and nothing is said that a careful reader would not say."""

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest

from cds_service.commands.explanation import answers_to, as_json
from tests.realism.charts import TODAY, charts, request, write
from tests.realism.kinds import KINDS
from tests.realism.scoring import FIGURES, Score, Written, score
from tests.realism.writers import MANNERS
from tests.shipped import guide, library

# Of all facts, the share that must be shown, and the most of each fault in all charts together.
SHOWN = 0.90
MOST = dict.fromkeys(FIGURES, 0) | {"lost": None}


def scored(kind: str, manner: str) -> Score:
    entries, written = write(KINDS[kind], manner)
    body = request(KINDS[kind], entries, dict(library().prefetch_keys))
    day = date.fromisoformat(TODAY)
    return score(KINDS[kind], written, as_json(answers_to(body, guide(), day, lambda _: None), day))


def test_each_kind_and_manner_has_two_charts_at_least():
    listed = list(charts())
    for names in (Counter(kind for kind, _ in listed), Counter(manner for _, manner in listed)):
        assert min(names.values()) >= 2
    assert {manner for _, manner in listed} == set(MANNERS)


def test_the_gate():
    results = {chart: scored(*chart) for chart in charts()}
    faults = sum((result.count() for result in results.values()), Counter())
    told = "\n".join(f"{kind}, {manner}: {figure}: {about}" for (kind, manner), result in results.items()
                     for figure, about in result.faults)  # fmt: skip
    facts = sum(result.facts for result in results.values())
    assert facts > 250
    assert 1 - faults["lost"] / facts >= SHOWN, told
    assert {figure: faults[figure] for figure, most in MOST.items() if most is not None and faults[figure] > most} == (
        {}
    ), told


# --- that the scorer can find each fault ------------------------------------------------------------------------------


def said(**changes):
    """An answer that shows everything of the kind "leg pain"."""
    evidence = {"reference": "Condition/condition-1", "display": "radiculopathy", "value": None, "date": None}
    criterion = {"id": "leg-pain", "truth": "unknown", "reason": "", "evidence": [], "contrary": [evidence]}
    policy = {"id": KINDS["leg pain"].policy, "criteria": [criterion | changes.pop("criterion", {})]}
    card = {"summary": "0 of 1", "detail": ""}
    return {"policies": [policy | changes.pop("policy", {})], "response": {"cards": changes.pop("cards", [card])}}


FACT = next(fact for fact in KINDS["leg pain"].facts if fact.at == "leg-pain")
ADDED = {"resource": {"code": {"coding": [{"code": "64555"}]}}}
BAD = {"summary": "All 3", "detail": "", "suggestions": [{"actions": [ADDED]}]}


@pytest.mark.parametrize(
    ("figure", "answer", "kind", "fact"),
    [
        (None, said(), {}, {}),
        ("lost", said(criterion={"contrary": []}), {}, {}),
        ("missed exclusion", said(criterion={"truth": "met"}), {}, {}),
        ("false met", said(criterion={"id": "bmi", "truth": "met"}), {"truths": {"bmi": ("unknown",)}}, {}),
        ("false not-met", said(criterion={"truth": "not-met"}), {"truths": {"leg-pain": ("unknown",)}}, {}),
        ("undecided", said(), {"truths": {"leg-pain": ("not-met",)}}, {}),
        ("counted", said(), {}, {"counts": False}),
        ("suggestion", said(cards=[BAD]), {"forbidden": ("64555",)}, {}),
        ("silence", said(cards=[]), {}, {}),
        ("card", said(policy={"outcome": "routed"}), {}, {}),
        ("summary", said(cards=[BAD]), {"unsaid": "^All"}, {}),
    ],
)
def test_the_scorer_finds_each_fault(figure, answer, kind, fact):
    written = [Written(replace(FACT, **fact), frozenset({"Condition/condition-1"}))]
    found = score(replace(KINDS["leg pain"], **kind), written, answer)
    assert [name for name, _ in found.faults] == ([figure] if figure else [])
