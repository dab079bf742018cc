"""Facts in, one Finding for each criterion out: its truth, the evidence, and in words why it is unknown or not met."""

from collections.abc import Iterable, Mapping, Set
from operator import is_
from types import MappingProxyType
from typing import NamedTuple

from cds_service.chart.chart import Chart
from cds_service.facts.evaluated import WAIVED, Evaluated
from cds_service.facts.evidence import ANYTHING, Evidence, Fact, Known, NotCounted, titled
from cds_service.facts.kind import kind_of
from cds_service.facts.logic import Truth
from cds_service.facts.silence import SilentFacts
from cds_service.facts.word import evaluate, leaves, manner_of, nodes, why_it_fails, word_of
from cds_service.fhir.types import TYPES
from cds_service.policy.model import Criterion, Part, Policy, Test
from cds_service.verdicts.contrary import Against, Answered, against, may_be_against, without_answered

MOST_NOTES = 3
DISAGREE = "record and attestation disagree"
NOTHING_ON_RECORD = "nothing on record"


class Finding(NamedTuple):
    """What became of one criterion, and of which part of the scope if it is judged for each.

    ``reason`` is empty if it is simply met, ``beside`` is what evidence does not say; ``manner`` says that it is met
    only by a waiver or because its condition does not apply. ``as_read`` is its truth if all that was read were all
    there is and nothing contradicted it; ``conflict`` says that an answer and a record disagree; ``unread`` are the
    resource types whose unread part keeps it open. ``contrary`` are the records that contradict it, ``answered`` those
    despite which an answer was given. ``by_attestation``: it would not be met without what somebody attested.
    ``not_counted`` are the records that would bear on it and do not count. ``needs`` is what would settle it beside
    what is on record, where that is not what settles it else.
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
    contrary: tuple[Evidence, ...] = ()
    answered: tuple[Answered, ...] = ()
    by_attestation: bool = False
    not_counted: tuple[NotCounted, ...] = ()
    needs: str = ""

    @property
    def key(self) -> str:
        """The criterion's key, and behind a space the part."""
        return f"{self.criterion.key} {self.part.id}" if self.part else self.criterion.key


class SilentFinding(NamedTuple):
    """The finding of a criterion all of whose ``facts`` are silent; ``types`` are the resource types that they read."""

    finding: Finding
    facts: Mapping[str, Fact]
    types: frozenset[str]

    def holds(self, facts: Mapping[str, Fact], left_out: Set[str]) -> bool:
        """Whether these facts are silent as well, and no type that they read is named as left out."""
        return self.types.isdisjoint(left_out) and all(map(is_, map(facts.get, self.facts), self.facts.values()))


# By the key of the criterion, and behind a space the part.
SilentFindings = Mapping[str, SilentFinding]


def silent_findings(policy: Policy, silent: SilentFacts) -> SilentFindings:
    """The findings of all criteria that say the same of everybody of whom nothing that they read is on record."""
    facts = {name: item.fact for name, item in silent.facts.items()}
    parts = [part.id for part in policy.scope.parts] if policy.scope else []
    known = Known(facts, dict.fromkeys(parts, facts))
    found: dict[str, SilentFinding] = {}
    for criterion in (*policy.criteria, *policy.variants.values()):
        read = {*criterion.test.facts(), *criterion.beside}
        read.update(name for hint in criterion.hints for name in hint.unless)
        if read <= facts.keys():
            own = {name: facts[name] for name in read}
            findings = find(policy, [criterion], known, silent.chart)
            types = frozenset[str]().union(*(fact.rule.types() for fact in own.values()))
            found |= {key: SilentFinding(finding, own, types) for key, finding in findings.items()}
    return found


def find(
    policy: Policy,
    criteria: Iterable[Criterion],
    known: Known,
    chart: Chart,
    silent: SilentFindings = MappingProxyType({}),
) -> dict[str, Finding]:
    """One finding for each criterion, by its key; for one that is judged for each part, one for each part of the call.

    A criterion that reads parts has none where the call names no part.
    """
    # What was left out is named in words, whether it would have said anything or not.
    left_out = {*chart.why_missing, *chart.dropped, *(item.type for item in chart.unreadable)}
    found = {}
    for criterion in criteria:
        for name in known.parts if criterion.per_part else ("",):
            key = f"{criterion.key} {name}" if name else criterion.key
            facts = known.at(name)
            quiet = silent.get(key)
            if quiet is not None and quiet.holds(facts, left_out):
                found[key] = quiet.finding
                continue
            part = policy.scope.part(name) if name and policy.scope else None
            refused = _not_counted(criterion, facts)
            finding = _finding(criterion, facts, chart, part)
            found[key] = finding._replace(not_counted=refused) if refused else finding
    return found


def _not_counted(criterion: Criterion, facts: Mapping[str, Fact]) -> tuple[NotCounted, ...]:
    """The records that do not count of the facts that the criterion reads, that contradict it, and that are shown
    beside it, each once; one that counts for another of them is none."""
    read = [facts[name] for name in dict.fromkeys((*criterion.test.facts(), *criterion.beside))]
    refused = dict.fromkeys(item for fact in read for item in fact.not_counted)
    if not refused:
        return ()
    counted = {item.reference for fact in read for item in fact.evidence}
    return tuple(item for item in refused if item.reference not in counted)


def _finding(criterion: Criterion, facts: Mapping[str, Fact], chart: Chart, part: Part | None) -> Finding:
    contradicting = against(criterion, facts)
    contrary = contradicting.records
    facts = without_answered(criterion, facts, contradicting)
    found = _judged(criterion, facts, chart)
    truth = Truth.UNKNOWN if found.truth is Truth.MET and contradicting.beside_test else found.truth
    if truth is Truth.NOT_MET:
        evidence = _evidence(criterion, facts)
        reason, beside = why_it_fails(found)
        named = {item.reference for item in evidence}
        others = tuple(item for item in contrary if item.reference not in named)
        return Finding(
            criterion=criterion,
            truth=truth,
            reason=reason,
            beside=beside,
            evidence=evidence,
            part=part,
            as_read=truth,
            contrary=others,
        )
    if truth is Truth.MET:
        how = manner_of(found)
        beside = _why_met_so(found, how, facts) if how else word_of(criterion.test).beside_when_met(found)
        said = [f"{how}: {beside}" if how else "", *(item.in_words() for item in contradicting.answered)]
        return Finding(
            criterion=criterion,
            truth=truth,
            reason="; ".join(filter(None, said)),
            beside=beside,
            evidence=_evidence(criterion, facts, contrary),
            part=part,
            manner=how,
            as_read=truth,
            contrary=contrary,
            answered=contradicting.answered,
            by_attestation=_rests_on_answers(criterion.test, facts),
        )
    return _open(found, criterion, facts, chart, part, contradicting)


def _open(
    found: Evaluated,
    criterion: Criterion,
    facts: Mapping[str, Fact],
    chart: Chart,
    part: Part | None,
    contradicting: Against,
) -> Finding:
    """The finding of a criterion that is unknown: what keeps it open, what contradicts it, and what does not count."""
    contrary = contradicting.records
    read = [facts[name] for name in dict.fromkeys(criterion.test.facts())]
    evidence = _evidence(criterion, facts, contrary)
    whole = _as_if_whole(found, facts)
    as_read = whole.truth
    reasons: list[str] = []
    on_record = [fact for fact in read if fact.evidence or fact.events]
    if as_read is Truth.MET and contradicting.unanswered:
        reasons.append(DISAGREE if any(item.is_attested for item in evidence) else "records disagree")
    elif as_read is Truth.UNKNOWN and any(fact.events or set(fact.values) - {ANYTHING} for fact in on_record):
        reasons.append(_why_unsettled(whole))
    conflict = bool(reasons) and (DISAGREE in reasons or as_read is Truth.MET)
    if not conflict:
        reasons += contradicting.says
    needs = ""
    for hint in criterion.hints:
        fact = facts[hint.fact]
        known = any(other.values or other.events for other in on_record if other is not fact)
        # What was found by words is to be confirmed, whatever else is known.
        known = known and not fact.rule.kind.is_of_words
        if set(fact.evidence) - set(contrary) and not known:
            shown = {item.reference for item in (*evidence, *contrary)} if hint.unless else set()
            evidence += tuple(item for item in fact.evidence if item.reference not in shown)
            if not any(facts[name].evidence for name in hint.unless):
                reasons.append(hint.says)
            needs = needs or hint.settled_by
    beside = [facts[name] for name in criterion.beside]
    notes = list(dict.fromkeys(note for fact in (*read, *beside) for note in fact.notes))
    hidden = len(notes) - MOST_NOTES
    reasons += notes[:MOST_NOTES]
    if hidden > 0:
        reasons.append(f"{hidden} more on record do not count")
    reason = "; ".join(reasons + _not_sent(criterion, facts, chart)) or NOTHING_ON_RECORD
    return Finding(
        criterion=criterion,
        truth=Truth.UNKNOWN,
        reason=reason,
        beside="; ".join(reasons),
        evidence=tuple(dict.fromkeys(evidence)),
        part=part,
        as_read=as_read,
        conflict=conflict,
        unread=_not_whole(criterion, facts, chart) if as_read is not Truth.UNKNOWN else (),
        contrary=contrary,
        needs=needs,
    )


def _evidence(
    criterion: Criterion, facts: Mapping[str, Fact], contrary: tuple[Evidence, ...] = ()
) -> tuple[Evidence, ...]:
    """What was read for a criterion, each once, but for the records that are distinguished as contrary."""
    told_apart = {item.reference for item in contrary}
    read = dict.fromkeys(item for name in criterion.test.facts() for item in facts[name].evidence)
    return tuple(item for item in read if item.reference not in told_apart)


def _rests_on_answers(test: Test, facts: Mapping[str, Fact]) -> bool:
    """Whether a test that is met would not be met without what somebody attested."""
    attested = [name for name in dict.fromkeys(test.facts()) if _is_attested(facts[name])]
    silent = {name: Fact(facts[name].rule) for name in attested}
    return bool(attested) and evaluate(test, {**facts, **silent}).truth is not Truth.MET


def _is_attested(fact: Fact) -> bool:
    """Whether a fact rests on answers: on nothing else, or on what answers say of events that are on record."""
    attested = [item.is_attested for item in fact.evidence]
    return any(attested) and (bool(fact.events) or all(attested))


def _as_if_whole(found: Evaluated, facts: Mapping[str, Fact]) -> Evaluated:
    """The test as it would come out if what was read for it were all there is: as it did, where nothing is open."""
    used = (fact for node in nodes(found) for fact in (node.fact, node.after) if fact is not None)
    if not any(fact.open for fact in used):
        return found
    test = found.test
    return evaluate(test, {**facts, **{name: facts[name]._replace(open=False) for name in test.facts()}})


def _judged(criterion: Criterion, facts: Mapping[str, Fact], chart: Chart) -> Evaluated:
    """The test of a criterion, in which an answer that cannot settle it does not.

    An answer cannot where a record that was not read may contradict it, and where what is shown beside it did not
    arrive whole. It then may be wrong: what it meets stays open unless the rest meets it anyway. What is recorded
    cannot either, where a record that was not read may contradict the criterion itself.
    """
    found = evaluate(criterion.test, facts)
    if found.truth is not Truth.MET or not (criterion.hints or criterion.contrary):
        return found
    if not may_be_against(criterion, facts) and not _not_whole(criterion, facts, chart):
        return found
    doubted = {
        name: facts[name]._replace(open=True)
        for name in criterion.test.facts()
        if criterion.contrary
        or (kind_of(facts[name].rule).is_doubted_by_records and any(item.is_attested for item in facts[name].evidence))
    }
    return evaluate(criterion.test, {**facts, **doubted})


def _wanted(criterion: Criterion, facts: Mapping[str, Fact]) -> list[str]:
    """The resource types that the criterion's test, what contradicts it and its hints read; what is only shown to be
    confirmed leaves nothing open."""
    shown = [item.fact for item in criterion.hints if not facts[item.fact].rule.kind.is_of_words]
    names = {*criterion.test.facts(), *(item.fact for item in criterion.contrary if not item.to_confirm), *shown}
    read = frozenset[str]().union(*[facts[name].rule.types() for name in names])
    return sorted([name for name in read if not TYPES[name].only_shown])


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
    """Why a test is unknown despite what is on record, as far as it was read."""
    if any(word_of(node.test).contradicts_itself(node) for node in nodes(found)):
        return DISAGREE
    said = (word_of(leaf.test).why_it_is_open(leaf) for leaf in leaves(found))
    return next(filter(None, said), "the records do not settle it")
