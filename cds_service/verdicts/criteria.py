"""Facts in, one Finding for each criterion out: its truth, the evidence, and in words why it is unknown or not met."""

from collections.abc import Iterable, Iterator, Mapping
from math import ceil, floor
from typing import NamedTuple

from cds_service.chart.chart import Chart
from cds_service.facts import logic
from cds_service.facts.evaluation import WAIVED, above, as_if_whole, compare, evaluate, how_many, manner, tally
from cds_service.facts.events import WITHOUT_DATE
from cds_service.facts.evidence import ANYTHING, Event, Evidence, Fact, Known
from cds_service.facts.logic import Truth
from cds_service.fhir.terminology import inside_sentence
from cds_service.policy.model import Criterion, FactRule, Part, Policy, Test

MOST_NOTES = 3
DISAGREE = "record and attestation disagree"
# The kinds of attested fact that a record can contradict: a yes or no, and a number.
_CONTRADICTED = ("answer", "measurement")


class Finding(NamedTuple):
    """What became of one criterion, and of which part of the scope if it is judged for each.

    ``reason`` is empty if it is simply met, ``beside`` is what evidence does not say; ``manner`` says that it is met
    only by a waiver or because its condition does not apply. ``as_read`` is its truth if all that was read were all
    there is and nothing spoke against an answer; ``conflict`` says that an answer and a record disagree; ``unread`` are
    the resource types whose unread part keeps it open.
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
            found[finding.key] = finding
    return found


def _finding(criterion: Criterion, facts: Mapping[str, Fact], chart: Chart, part: Part | None) -> Finding:
    truth = _truth(criterion, facts, chart)
    read = [facts[name] for name in dict.fromkeys(criterion.test.facts())]
    evidence = [item for fact in read for item in fact.evidence]
    if truth is Truth.MET:
        how = manner(criterion.test, facts)
        beside = _why_met_so(criterion.test, facts, how) if how else ""
        if criterion.test.word == "of":
            beside = _members(criterion.test, facts)
        why = f"{how}: {beside}" if how else ""
        return Finding(criterion, truth, why, beside, tuple(dict.fromkeys(evidence)), part, how, truth)
    if truth is Truth.NOT_MET:
        reason, beside = _why_not_met(criterion.test, facts)
        return Finding(criterion, truth, reason, beside, tuple(dict.fromkeys(evidence)), part, as_read=truth)
    whole = as_if_whole(criterion.test, facts)
    as_read = evaluate(criterion.test, whole)
    against = [facts[hint.fact] for hint in criterion.hints if hint.contrary]
    contrary = [item for fact in against for item in fact.evidence]
    reasons: list[str] = []
    on_record = [fact for fact in read if fact.evidence or fact.events]
    if as_read is Truth.MET and contrary:
        evidence = contrary + evidence
        reasons.append(DISAGREE)
    elif as_read is Truth.UNKNOWN and any(fact.events or set(fact.values) - {ANYTHING} for fact in on_record):
        reasons.append(_why_unsettled(criterion.test, whole))
    for hint in criterion.hints:
        fact = facts[hint.fact]
        if fact.evidence and not any(known.values or known.events for known in on_record):
            evidence += fact.evidence
            reasons.append(hint.says)
    notes = list(
        dict.fromkeys(note for fact in (*read, *(fact for fact in against if fact.open)) for note in fact.notes)
    )
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


def _truth(criterion: Criterion, facts: Mapping[str, Fact], chart: Chart) -> Truth:
    """The truth of a criterion: that of its test, but for an answer that cannot settle it.

    An answer cannot where a record speaks against it or may do so, and where what its hints are read from did not
    arrive whole. It then may be wrong: what it meets stays open unless the rest meets it anyway.
    """
    truth = evaluate(criterion.test, facts)
    if truth is not Truth.MET or not criterion.hints:
        return truth
    contradicted = any(
        hint.contrary and (facts[hint.fact].open or True in facts[hint.fact].values) for hint in criterion.hints
    )
    if not contradicted and not _not_whole(criterion, facts, chart):
        return truth
    doubted = {
        name: facts[name]._replace(open=True)
        for name in criterion.test.facts()
        if facts[name].rule.kind in _CONTRADICTED and any(item.is_attested for item in facts[name].evidence)
    }
    return evaluate(criterion.test, {**facts, **doubted})


def _wanted(criterion: Criterion, facts: Mapping[str, Fact]) -> list[str]:
    """The resource types that the criterion's test and its hints read."""
    names = (*criterion.test.facts(), *(hint.fact for hint in criterion.hints))
    return sorted(frozenset().union(*(facts[name].rule.types() for name in names)))


def _not_whole(criterion: Criterion, facts: Mapping[str, Fact], chart: Chart) -> tuple[str, ...]:
    """Those of the types that the criterion reads of which more may be on record than was read."""
    return tuple(name for name in _wanted(criterion, facts) if not chart.whole(name))


def _not_sent(criterion: Criterion, facts: Mapping[str, Fact], chart: Chart) -> list[str]:
    """A sentence for each resource type that could have settled the criterion and did not arrive or cannot be read."""
    if not (chart.why_missing or chart.unreadable or chart.strangers):
        return []
    wanted = _wanted(criterion, facts)
    sentences = [chart.why_missing[name] for name in wanted if name in chart.why_missing]
    sentences += [
        f"{chart.strangers[name]} {name} not counted: of another patient, or of none"
        for name in wanted
        if chart.strangers[name] and name != "Patient"
    ]
    broken = [f"{item.reference} {item.why}" for item in chart.unreadable if item.type in wanted]
    return list(dict.fromkeys(sentences + sorted(broken)[:MOST_NOTES]))


def _why_met_so(test: Test, facts: Mapping[str, Fact], how: str) -> str:
    """What waives a test, or which condition of it does not hold."""
    if how == WAIVED:
        waivers = [node.parts[1] for node in _nodes(test) if node.word == "waived"]
        names = [name for waiver in waivers for name in settling(waiver, facts, Truth.MET)]
        return _titles(names, facts)
    conditions = [node.parts[0] for node in _nodes(test) if node.word == "if"]
    names = [name for condition in conditions for name in settling(condition, facts, Truth.NOT_MET)]
    return f"not so: {_titles(names, facts)}"


def settling(test: Test, facts: Mapping[str, Fact], truth: Truth) -> Iterator[str]:
    """The facts by which a test has a truth, without those that say otherwise or nothing; none where it has another."""
    if evaluate(test, facts) is not truth:
        return
    if test.word == "not":
        yield from settling(test.parts[0], facts, logic.negation(truth))
        return
    inner = () if test.word in ("fact", "of", "count") else test.parts
    found = [name for part in inner for name in settling(part, facts, truth)]
    yield from found or test.facts()


def _titles(names: Iterable[str], facts: Mapping[str, Fact]) -> str:
    return ", ".join(dict.fromkeys(_titled(facts[name].rule) for name in names))


def _nodes(test: Test) -> list[Test]:
    return [test, *(node for part in test.parts for node in _nodes(part))]


def _why_not_met(test: Test, facts: Mapping[str, Fact]) -> tuple[str, str]:
    failing = [_failing(leaf, facts) for leaf in _leaves(test) if evaluate(leaf, facts) is Truth.NOT_MET]
    reasons = dict.fromkeys(reason for reason, _ in failing)
    besides = dict.fromkeys(beside for _, beside in failing if beside)
    return "; ".join(reasons) or "the opposite is on record", "; ".join(besides)


def _failing(leaf: Test, facts: Mapping[str, Fact]) -> tuple[str, str]:
    """Why a comparison fails, whole and without what the evidence already shows."""
    if leaf.word == "of":
        said = _members(leaf, facts)
        return said, said
    fact = facts[leaf.fact]
    if leaf.word == "count":
        said = _counted(leaf, facts)
        return said, said
    if leaf.wanted is not None:
        title = _titled(fact.rule)
        if fact.rule.kind == "answer":
            return f"{title}: {_shown(fact)}", ""
        word = "ordered" if fact.rule.kind == "order" else "on record"
        said = f"{title}: not {word}" if leaf.wanted else f"{title} {word}"
        return said, said
    values = [value for value in fact.values if isinstance(value, tuple)]
    sides = {"above" if above(leaf, value[0]) else "below" for value in values}
    least = next((limit for limit in (leaf.at_least, leaf.more_than) if limit is not None), None)
    most = next((limit for limit in (leaf.at_most, leaf.less_than) if limit is not None), None)
    if len(sides) == 2:
        limit = f"outside {least:g} to {most:g}"
    elif "above" in sides:
        limit = f"{'above' if leaf.at_most is not None else 'not below'} {most:g}"
    else:
        limit = f"{'below' if leaf.at_least is not None else 'not above'} {least:g}"
    if fact.rule.kind in ("onset", "since"):
        number = max(value[0] for value in values)
        elapsed = f"{_rounded(number, up='above' in sides)} {'months' if fact.rule.in_months else 'days'}"
        return f"{elapsed}: {limit}", f"{elapsed}, {limit}"
    return f"{_shown(fact)}: {limit}", limit


def _rounded(number: float, up: bool) -> str:
    """A number of days, or of months with one digit, rounded away from the limit: it must not seem to reach what it
    misses."""
    return f"{(ceil if up else floor)(number * 10) / 10:g}"


def _members(test: Test, facts: Mapping[str, Fact]) -> str:
    """How many members of a list are met, negative and open."""
    truths = [evaluate(part, facts) for part in test.parts]
    met, negative = truths.count(Truth.MET), truths.count(Truth.NOT_MET)
    counted = ((met, "positive"), (negative, "negative"), (truths.count(Truth.UNKNOWN), "not on record"))
    said = ", ".join(f"{number} {word}" for number, word in counted if number or word == "positive")
    return f"{said} of {len(truths)}, {_limit(test)} needed"


def _limit(test: Test) -> str:
    """The number that a count is compared with."""
    limits = (test.at_least, test.more_than, test.at_most, test.less_than)
    return next(f"{limit:g}" for limit in limits if limit is not None)


def _counted(test: Test, facts: Mapping[str, Fact]) -> str:
    """How many events count, and why others do not."""
    rule, found = facts[test.fact].rule, tally(test, facts)
    one, many = rule.noun or ("event", "events")
    said = [f"{found.number[0]:g} of {_limit(test)} {one if _limit(test) == '1' else many}"]
    others = [(event, _why_doubtful) for event in found.doubtful] + [(event, _why_failing) for event in found.failing]
    others += [(event, _why_before) for event in found.before]
    said += [f"{event.when.text}{why(test, event, facts)}" for event, why in others[:MOST_NOTES]]
    more = len(others) - MOST_NOTES
    return "; ".join(said + [f"{more} more {one if more == 1 else many} that do not count"] * (more > 0))


def _why_uncertain(event: Event) -> str:
    return "not recorded when" if event.when.text == WITHOUT_DATE else "not recorded where"


def _why_doubtful(test: Test, event: Event, facts: Mapping[str, Fact]) -> str:
    missing = [] if event.certain else [_why_uncertain(event)]
    for leaf in _leaves(test.parts[0]) if test.parts else ():
        missing += _open_attributes(leaf, event)
    if not missing and test.after:
        missing.append(f"may not be after {_titled(facts[test.after].rule)}")
    return f": {', '.join(dict.fromkeys(missing)) or 'not certain'}"


def _why_failing(test: Test, event: Event, facts: Mapping[str, Fact]) -> str:
    return f": {_why_not_met(test.parts[0], event.attributes)[0]}"


def _why_before(test: Test, event: Event, facts: Mapping[str, Fact]) -> str:
    return f" is not after {_titled(facts[test.after].rule)}"


def _titled(rule: FactRule) -> str:
    return inside_sentence(rule.title)


def _open_attributes(leaf: Test, event: Event) -> list[str]:
    """What is not known of an event, in words, if anything in this comparison is."""
    if evaluate(leaf, event.attributes) is not Truth.UNKNOWN:
        return []
    if leaf.word == "of":
        return [title for part in leaf.parts for inner in _leaves(part) for title in _open_attributes(inner, event)]
    fact = event.attributes[leaf.fact]
    title = _titled(fact.rule)
    silent = all(value == ANYTHING for value in fact.values)
    return [f"{title} not recorded" if silent else f"{title} does not settle it"]


def _shown(fact: Fact) -> str:
    said = dict.fromkeys(item.value for item in fact.evidence if item.value)
    if fact.rule.kind == "reduction":
        numbers = [value for value in fact.values if isinstance(value, tuple) and value != ANYTHING]
        said = dict.fromkeys(f"{low:g} %" if low == high else f"{low:g} to {high:g} %" for low, high in numbers)
    return ", ".join(said) or fact.rule.title


def _why_unsettled(test: Test, facts: Mapping[str, Fact]) -> str:
    agreeing = [{evaluate(part, facts) for part in node.parts} for node in _nodes(test) if node.word == "agree"]
    if any({Truth.MET, Truth.NOT_MET} <= truths for truths in agreeing):
        return DISAGREE
    for leaf in _leaves(test):
        if leaf.word == "of" and how_many(evaluate(part, facts) for part in leaf.parts) != (0, len(leaf.parts)):
            return _members(leaf, facts)
        if leaf.word == "count" and facts[leaf.fact].events:
            return _counted(leaf, facts)
        if leaf.word != "fact":
            continue
        values = facts[leaf.fact].values
        if {compare(leaf, value) for value in values} >= {Truth.MET, Truth.NOT_MET}:
            return _why_two_ways(facts[leaf.fact])
    return "what is on record does not settle it"


def _why_two_ways(fact: Fact) -> str:
    attested = {item.is_attested for item in fact.evidence}
    if len(attested) == 2:
        return DISAGREE
    return "values of one day disagree" if len(fact.evidence) > 1 else "it can be read in two ways"


def _leaves(test: Test) -> list[Test]:
    """The comparisons of a test, a list of which so many must be met being one."""
    if test.word in ("fact", "of", "count"):
        return [test]
    # What waives a test or voids its failing is no reason for its failing.
    parts = test.parts[:1] if test.word in ("waived", "voided") else test.parts[1:] if test.word == "if" else test.parts
    return [leaf for part in parts for leaf in _leaves(part)]
