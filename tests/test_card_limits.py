"""What all cards of both policies keep together: they are short, no two outcomes read alike, and nothing attested reads
as if it were in the chart."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import cache
from statistics import median
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

from cds_service.authoring import lint
from cds_service.card.assessment import Assessment, Row
from cds_service.card.details import count_words, detail
from cds_service.card.evidence_words import fails
from cds_service.card.outcomes import Outcome
from cds_service.card.style import DEFAULT_STYLE, plain_lines
from cds_service.card.summaries import summary
from cds_service.facts.evaluated import DOES_NOT_APPLY
from cds_service.facts.logic import Truth
from cds_service.service.statement import Answer
from cds_service.verdicts.criteria import Finding
from tests.case_cards import case_cards
from tests.shipped import library

POLICIES = [policy.id for policy in library().policies]
MEDIAN_WORDS, MOST_WORDS = 80, 120


class Shown(NamedTuple):
    """One card of a case."""

    case: str
    answer: Answer

    @property
    def card(self):
        return self.answer.card

    @property
    def words(self) -> int:
        """Words of the detail as it is read."""
        return sum(count_words(line) for line in lint.plain(self.card.get("detail", "")).splitlines())

    @property
    def found(self) -> Assessment:
        """The decision as the card was made from it, to be changed freely."""
        return Assessment(self.answer.decision, self.answer.assessment.chart)


@cache
def shown(name: str) -> tuple[Shown, ...]:
    """Every card of every case of a policy."""
    return tuple(Shown(*item) for item in case_cards(name))


def decided(name: str) -> Iterator[Shown]:
    """The cards that count criteria, once an order is there."""
    for item in shown(name):
        decision = item.answer.decision
        if decision is not None and decision.order is not None and item.answer.outcome is not Outcome.DECEASED:
            yield item


@pytest.mark.parametrize("name", POLICIES)
def test_cards_are_short(name):
    counts = {item.case: item.words for item in decided(name)}
    assert len(counts) >= 100
    assert median(counts.values()) <= MEDIAN_WORDS
    assert {case: count for case, count in counts.items() if count > MOST_WORDS} == {}


@pytest.mark.parametrize("name", POLICIES)
def test_every_card_reads_alike_wherever_it_is_rendered(name):
    gfm, commonmark = MarkdownIt("gfm-like", {"linkify": False}), MarkdownIt("commonmark")
    for item in shown(name):
        written = item.card.get("detail", "")
        assert gfm.render(written) == commonmark.render(written), item.case
        assert not set("*|") & set(re.sub(r"<[^>]+>", "", commonmark.render(written))), item.case


@pytest.mark.parametrize("name", POLICIES)
def test_no_two_outcomes_have_one_summary(name):
    outcomes = defaultdict(set)
    for item in shown(name):
        outcomes[item.card["summary"]].add(item.answer.outcome.value)
    assert len({outcome for found in outcomes.values() for outcome in found}) >= 8
    assert {said: found for said, found in outcomes.items() if len(found) > 1} == {}


@pytest.mark.parametrize("name", POLICIES)
def test_two_values_of_what_fails_have_two_summaries(name):
    """Of cards that differ only in the number that fails first, the summaries differ too."""
    by_values = defaultdict(set)
    for item in decided(name):
        found = item.found
        first = next(iter(found.off_label), None)
        if item.answer.outcome is not Outcome.OFF_LABEL or first is None or "{value}" not in first.phrases.fails:
            continue
        assert fails(first, DEFAULT_STYLE) in item.card["summary"], item.case
        by_values[fails(first, DEFAULT_STYLE)].add(item.card["summary"])
    said = [summary for summaries in by_values.values() for summary in summaries]
    assert len(said) == len(set(said))


class Swapped(Row):
    """A criterion that is met by a record where an answer met it, and by an answer where a record did."""

    @property
    def by_attestation(self) -> bool:
        return self.truth is Truth.MET and not super().by_attestation


def said(item: Shown, swapped: Collection[int] = ()) -> tuple[str, list[str]]:
    """Summary and lines of a card, made again with criteria of the label swapped, by their place."""
    found = item.found
    found.label = tuple(Swapped(*row) if place in swapped else row for place, row in enumerate(found.label))
    line = summary(found, DEFAULT_STYLE)
    return line, plain_lines(detail(found, line, DEFAULT_STYLE))


@pytest.mark.parametrize("name", POLICIES)
def test_a_record_never_reads_like_an_answer(name):
    """Each criterion of the label that is met is swapped alone: the card differs, and where all are met the summary."""
    tried = 0
    for item in decided(name):
        # With two sides a criterion of one of them is swapped in no way that could come about.
        if item.answer.outcome is Outcome.TWO_SIDES:
            continue
        line, lines = said(item)
        assert line == item.card["summary"], item.case
        for place, row in enumerate(item.found.label):
            if row.truth is Truth.MET and row.applies:
                tried += 1
                other, others = said(item, (place,))
                assert (other, others) != (line, lines), (item.case, row.phrases.topic)
                assert other != line or item.answer.outcome is not Outcome.MET, (item.case, row.phrases.topic)
    assert tried >= 100


@pytest.mark.parametrize("name", POLICIES)
def test_a_label_met_by_records_alone_is_not_met_by_attestation(name):
    """Where only criteria of trials are open, the summary says whether the label rests on answers at all."""
    tried = 0
    for item in decided(name):
        met = [place for place, row in enumerate(item.found.label) if row.truth is Truth.MET]
        if item.answer.outcome is Outcome.TRIAL_GAPS and met:
            tried += 1
            by_answers = [place for place in met if item.found.label[place].by_attestation]
            assert said(item, by_answers or met)[0] != said(item)[0], item.case
    assert tried


def of_label_by_answers(found: Assessment, *, answered: Callable[[Finding], bool], open_trial: bool) -> Assessment:
    """The assessment as it would be if the label rested on answers where ``answered`` says so, and on nothing else."""
    label, trial, *rest = found.decision.verdicts
    of_label = [item._replace(by_attestation=answered(item)) for item in label.findings]
    of_trial = [item._replace(truth=Truth.UNKNOWN) if open_trial else item for item in trial.findings]
    verdicts = (replace(label, findings=tuple(of_label)), replace(trial, findings=tuple(of_trial)), *rest)
    return Assessment(replace(found.decision, verdicts=verdicts), found.chart)


@pytest.mark.parametrize("open_trial", [False, True])
def test_an_answer_by_which_a_criterion_does_not_apply_is_no_attestation_of_the_label(open_trial):
    found = next(
        item.found
        for item in decided("isass-si-joint-fusion-2020")
        if item.answer.outcome is Outcome.MET
        and item.found.label
        and not item.found.sides
        and any(finding.manner == DOES_NOT_APPLY for row in item.found.label for finding in row.findings)
    )
    inapplicable = of_label_by_answers(
        found, answered=lambda item: item.manner == DOES_NOT_APPLY, open_trial=open_trial
    )
    all_else = of_label_by_answers(found, answered=lambda item: item.manner != DOES_NOT_APPLY, open_trial=open_trial)
    assert inapplicable.outcome is all_else.outcome is (Outcome.TRIAL_GAPS if open_trial else Outcome.MET)
    assert "attest" not in summary(inapplicable, DEFAULT_STYLE)
    assert "by attestation" in summary(all_else, DEFAULT_STYLE)


def test_every_outcome_has_a_topic_of_its_own():
    topics = [f"{policy.phrases.topic}{outcome.topic}" for policy in library().policies for outcome in Outcome]
    assert len(set(topics)) == len(topics)
    assert all(topic.isalnum() and len(topic) <= 100 for topic in topics)
