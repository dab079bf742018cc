"""Facts in, one Finding for each criterion out: its truth, the evidence, and in words why it is unknown or not met."""

from collections.abc import Mapping
from typing import NamedTuple

from cds_service import logic
from cds_service.chart import Chart
from cds_service.evidence import ANYTHING, Evidence, Value
from cds_service.facts import Fact
from cds_service.logic import Truth
from cds_service.policy import Criterion, Policy, Test
from cds_service.terminology import inside_sentence

MOST_NOTES = 3


class Finding(NamedTuple):
    """What became of one criterion; ``reason`` is empty if it is met, ``beside`` is what evidence does not say."""

    criterion: Criterion
    truth: Truth
    reason: str
    beside: str
    evidence: tuple[Evidence, ...]


def evaluate(test: Test, facts: Mapping[str, Fact]) -> Truth:
    """The truth of a test over facts; a fact with several possible values is settled only where all of them agree."""
    match test.word:
        case "fact":
            return logic.agreement_of_all([compare(test, value) for value in facts[test.fact].values])
        case "all":
            return logic.every(evaluate(part, facts) for part in test.parts)
        case "any":
            return logic.some(evaluate(part, facts) for part in test.parts)
        case "agree":
            return logic.agreement(evaluate(part, facts) for part in test.parts)
        case "first":
            return logic.first_settled(evaluate(part, facts) for part in test.parts)
        case _:
            return logic.negation(evaluate(test.parts[0], facts))


def compare(test: Test, value: Value) -> Truth:
    """One comparison with one possible value: a boolean with ``is``, an interval with ``at_least`` and ``at_most``."""
    if isinstance(value, bool):
        return Truth.UNKNOWN if test.wanted is None else logic.from_bool(value is test.wanted)
    if test.wanted is not None:
        return Truth.UNKNOWN
    low, high = value
    least = float("-inf") if test.at_least is None else test.at_least
    most = float("inf") if test.at_most is None else test.at_most
    if least <= low and high <= most:
        return Truth.MET
    return Truth.NOT_MET if high < least or low > most else Truth.UNKNOWN


def find(policy: Policy, facts: Mapping[str, Fact], chart: Chart) -> dict[str, Finding]:
    """One finding for each criterion of the policy, in its order."""
    return {criterion.id: _finding(criterion, facts, chart) for criterion in policy.criteria}


def _finding(criterion: Criterion, facts: Mapping[str, Fact], chart: Chart) -> Finding:
    truth = evaluate(criterion.test, facts)
    read = [facts[name] for name in dict.fromkeys(criterion.test.facts())]
    evidence = [item for fact in read for item in fact.evidence]
    if truth is Truth.MET:
        return Finding(criterion, truth, "", "", tuple(dict.fromkeys(evidence)))
    if truth is Truth.NOT_MET:
        reason, beside = _why_not_met(criterion.test, facts)
        return Finding(criterion, truth, reason, beside, tuple(dict.fromkeys(evidence)))
    reasons: list[str] = []
    if any(value != ANYTHING for fact in read for value in fact.values):
        reasons.append(_why_unsettled(criterion.test, facts))
    for hint in criterion.hints:
        fact = facts[hint.fact]
        if fact.evidence and not any(known.values for known in read):
            evidence += fact.evidence
            reasons.append(hint.says)
    notes = list(dict.fromkeys(note for fact in read for note in fact.notes))
    hidden = len(notes) - MOST_NOTES
    reasons += notes[:MOST_NOTES]
    if hidden > 0:
        reasons.append(f"{hidden} more on record do not count")
    reason = "; ".join(reasons + _not_sent(criterion, facts, chart)) or "nothing on record"
    return Finding(criterion, truth, reason, "; ".join(reasons), tuple(dict.fromkeys(evidence)))


def _not_sent(criterion: Criterion, facts: Mapping[str, Fact], chart: Chart) -> list[str]:
    """A sentence for each resource type that could have settled the criterion and did not arrive or cannot be read."""
    if not (chart.why_missing or chart.unreadable or chart.strangers):
        return []
    wanted: dict[str, None] = {}
    for name in (*criterion.test.facts(), *(hint.fact for hint in criterion.hints)):
        wanted |= dict.fromkeys(facts[name].rule.types())
    sentences = [chart.why_missing[name] for name in sorted(wanted) if name in chart.why_missing]
    sentences += [
        f"{chart.strangers[name]} {name} not counted: of another patient, or of none"
        for name in sorted(wanted)
        if chart.strangers[name] and name != "Patient"
    ]
    broken = [f"{item.reference} {item.why}" for item in chart.unreadable if item.type in wanted]
    return list(dict.fromkeys(sentences + sorted(broken)[:MOST_NOTES]))


def _why_not_met(test: Test, facts: Mapping[str, Fact]) -> tuple[str, str]:
    failing = [
        _failing(leaf, facts[leaf.fact])
        for leaf in _leaves(test)
        if facts[leaf.fact].values and evaluate(leaf, facts) is Truth.NOT_MET
    ]
    reasons = dict.fromkeys(reason for reason, _ in failing)
    besides = dict.fromkeys(beside for _, beside in failing if beside)
    return "; ".join(reasons) or "the opposite is on record", "; ".join(besides)


def _failing(leaf: Test, fact: Fact) -> tuple[str, str]:
    """Why a comparison fails, whole and without what the evidence already shows."""
    if leaf.wanted is not None:
        title = inside_sentence(fact.rule.title)
        on_record = f"{title} on record"
        return (f"{title}: {_shown(fact)}", "") if fact.rule.kind == "answer" else (on_record, on_record)
    values = [value for value in fact.values if isinstance(value, tuple)]
    sides = {"above" if leaf.at_most is not None and value[0] > leaf.at_most else "below" for value in values}
    if len(sides) == 2:
        limit = f"outside {leaf.at_least:g} to {leaf.at_most:g}"
    else:
        side = sides.pop()
        limit = f"{side} {leaf.at_most if side == 'above' else leaf.at_least:g}"
    if fact.rule.kind == "onset":
        elapsed = f"{max(value[0] for value in values):g} days"
        return f"{elapsed}: {limit}", f"{elapsed}, {limit}"
    return f"{_shown(fact)}: {limit}", limit


def _shown(fact: Fact) -> str:
    return ", ".join(dict.fromkeys(item.value for item in fact.evidence if item.value)) or fact.rule.title


def _why_unsettled(test: Test, facts: Mapping[str, Fact]) -> str:
    truths = {evaluate(part, facts) for part in test.parts} if test.word == "agree" else set()
    if Truth.MET in truths and Truth.NOT_MET in truths:
        return "record and attestation disagree"
    for leaf in _leaves(test):
        values = facts[leaf.fact].values
        if {compare(leaf, value) for value in values} >= {Truth.MET, Truth.NOT_MET}:
            return _why_two_ways(facts[leaf.fact])
    return "what is on record does not settle it"


def _why_two_ways(fact: Fact) -> str:
    attested = {item.is_attested for item in fact.evidence}
    if len(attested) == 2:
        return "record and attestation disagree"
    return "values of one day disagree" if len(fact.evidence) > 1 else "it can be read in two ways"


def _leaves(test: Test) -> list[Test]:
    return [test] if test.word == "fact" else [leaf for part in test.parts for leaf in _leaves(part)]
