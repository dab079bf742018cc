"""Facts in, one Finding for each criterion out: its truth, the evidence, and in words why it is unknown or not met."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cds_service.chart.chart import Chart
from cds_service.facts.evaluated import WAIVED, Evaluated
from cds_service.facts.evidence import ANYTHING, Evidence, Fact, Known, NotCounted, titled
from cds_service.facts.kind import kind_of
from cds_service.facts.logic import Truth
from cds_service.facts.word import evaluate, leaves, manner_of, nodes, why_it_fails, word_of
from cds_service.fhir.types import TYPES
from cds_service.policy.model import Criterion, Part, Policy

MOST_NOTES = 3
DISAGREE = "record and attestation disagree"


class Finding(NamedTuple):
    """What became of one criterion, and of which part of the scope if it is judged for each.

    ``reason`` is empty if it is simply met, ``beside`` is what evidence does not say; ``manner`` says that it is met
    only by a waiver or because its condition does not apply. ``as_read`` is its truth if all that was read were all
    there is and nothing spoke against an answer; ``conflict`` says that an answer and a record disagree; ``unread`` are
    the resource types whose unread part keeps it open; ``not_counted`` are the records that would bear on it and do not
    count.
    """

    criterion: Criterion
    truth: Truth
    reason: str
    beside: str
    evidence: tuple[Evidence, ...]
    part: Part | None = None
    manner: str = ""
    as_read: Truth = Truth.UNKNOWN
    conflict: bool = False
    unread: tuple[str, ...] = ()
    not_counted: tuple[NotCounted, ...] = ()

    @property
    def key(self) -> str:
        """The criterion's key, and behind a space the part."""
        return f"{self.criterion.key} {self.part.id}" if self.part else self.criterion.key

    @property
    def would_be_met_by_answer(self) -> bool:
        """Whether an attested answer would meet an unknown criterion, were what was read all there is."""
        attested = any(item.is_attested for item in self.evidence)
        return attested and self.truth is Truth.UNKNOWN and self.as_read is Truth.MET


def find(policy: Policy, criteria: Iterable[Criterion], known: Known, chart: Chart) -> dict[str, Finding]:
    """One finding for each criterion, by its key; for one that is judged for each part, one for each part of the call.

    A criterion that reads parts has none where the call names no part.
    """
    found = {}
    for criterion in criteria:
        for name in known.parts if criterion.per_part else ("",):
            part = policy.scope.part(name) if name and policy.scope else None
            finding = _finding(criterion, known.at(name), chart, part)
            found[finding.key] = finding._replace(not_counted=_not_counted(criterion, known.at(name)))
    return found


def _not_counted(criterion: Criterion, facts: Mapping[str, Fact]) -> tuple[NotCounted, ...]:
    """The records that do not count of the facts that the criterion and its hints read, each once; one that counts for
    another of them is none."""
    read = [facts[name] for name in dict.fromkeys((*criterion.test.facts(), *(hint.fact for hint in criterion.hints)))]
    refused = dict.fromkeys(item for fact in read for item in fact.not_counted)
    if not refused:
        return ()
    counted = {item.reference for fact in read for item in fact.evidence}
    return tuple(item for item in refused if item.reference not in counted)


def _finding(criterion: Criterion, facts: Mapping[str, Fact], chart: Chart, part: Part | None) -> Finding:
    found = _judged(criterion, facts, chart)
    truth = found.truth
    read = [facts[name] for name in dict.fromkeys(criterion.test.facts())]
    evidence = [item for fact in read for item in fact.evidence]
    if truth is Truth.MET:
        how = manner_of(found)
        beside = _why_met_so(found, how, facts) if how else word_of(criterion.test).beside_when_met(found)
        why = f"{how}: {beside}" if how else ""
        return Finding(criterion, truth, why, beside, tuple(dict.fromkeys(evidence)), part, how, truth)
    if truth is Truth.NOT_MET:
        reason, beside = why_it_fails(found)
        return Finding(criterion, truth, reason, beside, tuple(dict.fromkeys(evidence)), part, as_read=truth)
    whole = _as_if_whole(found, facts)
    as_read = whole.truth
    against = [facts[hint.fact] for hint in criterion.hints if hint.contrary]
    contrary = [item for fact in against for item in fact.evidence]
    reasons: list[str] = []
    on_record = [fact for fact in read if fact.evidence or fact.events]
    if as_read is Truth.MET and contrary:
        evidence = contrary + evidence
        reasons.append(DISAGREE)
    elif as_read is Truth.UNKNOWN and any(fact.events or set(fact.values) - {ANYTHING} for fact in on_record):
        reasons.append(_why_unsettled(whole))
    for hint in criterion.hints:
        fact = facts[hint.fact]
        if fact.evidence and not any(known.values or known.events for known in on_record):
            evidence += fact.evidence
            reasons.append(hint.says)
    hinted = [facts[hint.fact] for hint in criterion.hints]
    notes = list(dict.fromkeys(note for fact in (*read, *hinted) for note in fact.notes))
    hidden = len(notes) - MOST_NOTES
    reasons += notes[:MOST_NOTES]
    if hidden > 0:
        reasons.append(f"{hidden} more on record do not count")
    reason = "; ".join(reasons + _not_sent(criterion, facts, chart)) or "nothing on record"
    return Finding(
        criterion,
        truth,
        reason,
        "; ".join(reasons),
        tuple(dict.fromkeys(evidence)),
        part,
        as_read=as_read,
        conflict=DISAGREE in reasons,
        unread=_not_whole(criterion, facts, chart) if as_read is not Truth.UNKNOWN else (),
    )


def _as_if_whole(found: Evaluated, facts: Mapping[str, Fact]) -> Evaluated:
    """The test as it would come out if what was read for it were all there is: as it did, where nothing is open."""
    used = (fact for node in nodes(found) for fact in (node.fact, node.after) if fact is not None)
    if not any(fact.open for fact in used):
        return found
    test = found.test
    return evaluate(test, {**facts, **{name: facts[name]._replace(open=False) for name in test.facts()}})


def _judged(criterion: Criterion, facts: Mapping[str, Fact], chart: Chart) -> Evaluated:
    """The test of a criterion, in which an answer that cannot settle it does not.

    An answer cannot where a record speaks against it or may do so, and where what its hints are read from did not
    arrive whole. It then may be wrong: what it meets stays open unless the rest meets it anyway.
    """
    found = evaluate(criterion.test, facts)
    if found.truth is not Truth.MET or not criterion.hints:
        return found
    contradicted = any(
        hint.contrary and (facts[hint.fact].open or True in facts[hint.fact].values) for hint in criterion.hints
    )
    if not contradicted and not _not_whole(criterion, facts, chart):
        return found
    doubted = {
        name: facts[name]._replace(open=True)
        for name in criterion.test.facts()
        if kind_of(facts[name].rule).is_doubted_by_records and any(item.is_attested for item in facts[name].evidence)
    }
    return evaluate(criterion.test, {**facts, **doubted})


def _wanted(criterion: Criterion, facts: Mapping[str, Fact]) -> list[str]:
    """The resource types that the criterion's test and its hints read."""
    names = (*criterion.test.facts(), *(hint.fact for hint in criterion.hints))
    read = frozenset[str]().union(*(facts[name].rule.types() for name in names))
    return sorted(name for name in read if not TYPES[name].only_shown)


def _not_whole(criterion: Criterion, facts: Mapping[str, Fact], chart: Chart) -> tuple[str, ...]:
    """Those of the types that the criterion reads of which more may be on record than was read."""
    return tuple(name for name in _wanted(criterion, facts) if not chart.whole(name))


def _not_sent(criterion: Criterion, facts: Mapping[str, Fact], chart: Chart) -> list[str]:
    """A sentence for each resource type that could have settled the criterion and did not arrive or cannot be read."""
    if not (chart.why_missing or chart.unreadable or chart.dropped):
        return []
    wanted = _wanted(criterion, facts)
    sentences = [chart.why_missing[name] for name in wanted if name in chart.why_missing]
    sentences += [
        f"{len(chart.dropped[name])} {name} not counted: of another patient, or of none"
        for name in wanted
        if name in chart.dropped and name != "Patient"
    ]
    broken = [f"{item.reference} {item.why}" for item in chart.unreadable if item.type in wanted]
    return list(dict.fromkeys(sentences + sorted(broken)[:MOST_NOTES]))


def _why_met_so(found: Evaluated, how: str, facts: Mapping[str, Fact]) -> str:
    """What waives a test, or which condition of it does not hold."""
    excuses = [word_of(node.test).excuses(node, how) for node in nodes(found)]
    said = _titles((name for names in excuses for name in names), facts)
    return said if how == WAIVED else f"not so: {said}"


def _titles(names: Iterable[str], facts: Mapping[str, Fact]) -> str:
    return ", ".join(dict.fromkeys(titled(facts[name].rule) for name in names))


def _why_unsettled(found: Evaluated) -> str:
    """Why a test is unknown in spite of what is on record, as far as it was read."""
    if any(word_of(node.test).contradicts_itself(node) for node in nodes(found)):
        return DISAGREE
    said = (word_of(leaf.test).why_it_is_open(leaf) for leaf in leaves(found))
    return next(filter(None, said), "what is on record does not settle it")
