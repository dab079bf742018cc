"""Facts in, one Finding for each criterion out: its truth, its evidence, and the reason if unknown or not met."""

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
from cds_service.policy.model import Criterion, Part, Policy
from cds_service.verdicts.contrary import Against, Answered, against, may_be_against, without_answered

MOST_NOTES = 3
DISAGREE = "record and attestation disagree"
NOTHING_ON_RECORD = "nothing on record"


class Finding(NamedTuple):
    """The result of one criterion, and its part of the scope if evaluated for each part.

    ``reason`` is empty if the criterion is simply met; ``beside`` is what the evidence does not say. ``manner`` says
    that it is met only by a waiver or because its condition does not apply. ``as_read`` is the truth if the records
    read were complete and nothing contradicted the criterion. ``conflict``: an answer and a record disagree. ``unread``
    are the resource types whose unread part keeps the criterion open. ``contrary`` are the records that contradict it,
    ``answered`` those with an answer despite them. ``by_attestation``: it would not be met without attestation.
    ``not_counted`` are relevant records that do not count. ``needs`` is what would settle it given the evidence, if
    that differs from the usual.
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
        """The criterion's key, followed by a space and the part if there is one."""
        return f"{self.criterion.key} {self.part.id}" if self.part else self.criterion.key


class SilentFinding(NamedTuple):
    """The finding of a criterion whose ``facts`` are all silent; ``types`` are the resource types that they read."""

    finding: Finding
    facts: Mapping[str, Fact]
    types: frozenset[str]

    def holds(self, facts: Mapping[str, Fact], left_out: Set[str]) -> bool:
        """Whether these facts are silent too, and no type that they read is among those left out."""
        return self.types.isdisjoint(left_out) and all(map(is_, map(facts.get, self.facts), self.facts.values()))


# By the key of a finding.
SilentFindings = Mapping[str, SilentFinding]


def silent_findings(policy: Policy, silent: SilentFacts) -> SilentFindings:
    """The findings of all criteria whose result is the same for every chart without relevant records."""
    facts = {name: item.fact for name, item in silent.facts.items()}
    parts = [part.id for part in policy.scope.parts] if policy.scope else []
    known = Known(facts, dict.fromkeys(parts, facts))
    found: dict[str, SilentFinding] = {}
    for criterion in (*policy.criteria, *policy.variants.values()):
        read = set(criterion.names)
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
    """One finding for each criterion, by key; a criterion evaluated for each part has one for each part of the call.

    If the call names no part, a criterion that reads parts has no finding.
    """
    # The reason names these types, whether or not their records would have mattered.
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
    """The records that do not count, each once, of the facts that the criterion reads or shows.

    A record that counts for another of these facts is not among them.
    """
    read = [facts[name] for name in criterion.names]
    refused = dict.fromkeys([item for fact in read for item in fact.not_counted])
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
            by_attestation=_rests_on_answers(criterion, facts),
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
    """The finding of an unknown criterion, with the reasons why it is open and the records that contradict it."""
    contrary = contradicting.records
    read = [facts[name] for name in criterion.reads]
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
        # A finding in words needs confirmation, whatever else is known.
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
    reason = "; ".join(reasons + _not_sent(criterion, chart)) or NOTHING_ON_RECORD
    return Finding(
        criterion=criterion,
        truth=Truth.UNKNOWN,
        reason=reason,
        beside="; ".join(reasons),
        evidence=tuple(dict.fromkeys(evidence)),
        part=part,
        as_read=as_read,
        conflict=conflict,
        unread=_not_whole(criterion, chart) if as_read is not Truth.UNKNOWN else (),
        contrary=contrary,
        needs=needs,
    )


def _evidence(
    criterion: Criterion, facts: Mapping[str, Fact], contrary: tuple[Evidence, ...] = ()
) -> tuple[Evidence, ...]:
    """The evidence read for a criterion, each item once, without the contrary records."""
    read = dict.fromkeys([item for name in criterion.reads for item in facts[name].evidence])
    if not contrary:
        return tuple(read)
    told_apart = {item.reference for item in contrary}
    return tuple(item for item in read if item.reference not in told_apart)


def _rests_on_answers(criterion: Criterion, facts: Mapping[str, Fact]) -> bool:
    """Whether a met criterion depends on attestation."""
    attested = [name for name in criterion.reads if _is_attested(facts[name])]
    silent = {name: Fact(facts[name].rule) for name in attested}
    return bool(attested) and evaluate(criterion.test, {**facts, **silent}).truth is not Truth.MET


def _is_attested(fact: Fact) -> bool:
    """Whether a fact is based on answers: only on answers, or on answers about recorded events."""
    attested = [item.is_attested for item in fact.evidence]
    return any(attested) and (bool(fact.events) or all(attested))


def _as_if_whole(found: Evaluated, facts: Mapping[str, Fact]) -> Evaluated:
    """The result of the test as if the records read were complete; ``found`` itself if nothing is open."""
    used = (fact for node in nodes(found) for fact in (node.fact, node.after) if fact is not None)
    if not any(fact.open for fact in used):
        return found
    test = found.test
    opened = [name for name in test.facts() if facts[name].open]
    return evaluate(test, {**facts, **{name: facts[name]._replace(open=False) for name in opened}})


def _judged(criterion: Criterion, facts: Mapping[str, Fact], chart: Chart) -> Evaluated:
    """The result of a criterion's test, in which doubtful answers settle nothing.

    An answer is doubtful if an unread record may contradict it, or if the records shown with it are incomplete. A
    criterion that only such an answer meets stays open. Records are also doubtful if an unread record may contradict
    the criterion itself.
    """
    found = evaluate(criterion.test, facts)
    if found.truth is not Truth.MET or not (criterion.hints or criterion.contrary):
        return found
    if not may_be_against(criterion, facts) and not _not_whole(criterion, chart):
        return found
    doubted = {
        name: facts[name]._replace(open=True)
        for name in criterion.reads
        if criterion.contrary
        or (kind_of(facts[name].rule).is_doubted_by_records and any(item.is_attested for item in facts[name].evidence))
    }
    return evaluate(criterion.test, {**facts, **doubted})


def _not_whole(criterion: Criterion, chart: Chart) -> tuple[str, ...]:
    """The types that the criterion reads and that may have unread records."""
    return tuple([name for name in criterion.types if not chart.whole(name)])


def _not_sent(criterion: Criterion, chart: Chart) -> list[str]:
    """A sentence for each resource type that could have settled the criterion but did not come or cannot be read."""
    if not (chart.why_missing or chart.unreadable or chart.dropped):
        return []
    sentences = [chart.why_missing[name] for name in criterion.types if name in chart.why_missing]
    sentences += [
        f"{len(chart.dropped[name])} {name} not counted: of another patient, or of none"
        for name in criterion.types
        if name in chart.dropped and name != "Patient"
    ]
    broken = [f"{item.reference} {item.why}" for item in chart.unreadable if item.type in criterion.types]
    return list(dict.fromkeys(sentences + sorted(broken)[:MOST_NOTES]))


def _why_met_so(found: Evaluated, how: str, facts: Mapping[str, Fact]) -> str:
    """The reason for a waiver, or the condition that does not hold."""
    excuses = [word_of(node.test).excuses(node, how) for node in nodes(found)]
    said = _titles((name for names in excuses for name in names), facts)
    return said if how == WAIVED else f"not so: {said}"


def _titles(names: Iterable[str], facts: Mapping[str, Fact]) -> str:
    return ", ".join(dict.fromkeys(titled(facts[name].rule) for name in names))


def _why_unsettled(found: Evaluated) -> str:
    """The reason why a test is unknown despite the evidence read."""
    if any(word_of(node.test).contradicts_itself(node) for node in nodes(found)):
        return DISAGREE
    said = (word_of(leaf.test).why_it_is_open(leaf) for leaf in leaves(found))
    return next(filter(None, said), "the records do not settle it")
