"""Tests and criteria: what each may come to, and what it is."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import cache
from itertools import product
from math import inf
from typing import Any

from tests.second_reading.answers import Fact, Here, answered, beside
from tests.second_reading.codes import UnreadableError
from tests.second_reading.facts import KINDS
from tests.second_reading.numbers import ANY
from tests.second_reading.page import Json, rule_set
from tests.second_reading.records import Chart, days

MET, NOT_MET, UNKNOWN = "met", "not-met", "unknown"
ALL = frozenset((MET, NOT_MET, UNKNOWN))
LIMITS = ("at_least", "at_most", "more_than", "less_than")
Facts = dict[str, Fact]


def opposite(truth: str) -> str:
    return {MET: NOT_MET, NOT_MET: MET}.get(truth, truth)


def all_of(truths: Iterable[str]) -> str:
    seen = set(truths)
    return NOT_MET if NOT_MET in seen else UNKNOWN if UNKNOWN in seen else MET


def any_of(truths: Iterable[str]) -> str:
    return opposite(all_of(map(opposite, truths)))


def agreement(truths: Iterable[str]) -> str:
    said = set(truths) - {UNKNOWN}
    return said.pop() if len(said) == 1 else UNKNOWN


def first_said(truths: Iterable[str]) -> str:
    return next((truth for truth in truths if truth != UNKNOWN), UNKNOWN)


FOLDS: dict[str, Callable[[Iterable[str]], str]] = {
    "all": all_of,
    "any": any_of,
    "agree": agreement,
    "first": first_said,
}


def within(test: Json, span: tuple[float, float], numbers: Json) -> str:
    """A number that may be any of a span, compared with the limits of a test."""
    limits = {
        name: numbers[test[name][1:]] if isinstance(test[name], str) else test[name] for name in LIMITS if name in test
    }

    def fits(value: float) -> bool:
        return (
            value >= limits.get("at_least", -inf)
            and value <= limits.get("at_most", inf)
            and ("more_than" not in limits or value > limits["more_than"])
            and ("less_than" not in limits or value < limits["less_than"])
        )

    def below(value: float) -> bool:
        return value < limits.get("at_least", -inf) or ("more_than" in limits and value <= limits["more_than"])

    def above(value: float) -> bool:
        return value > limits.get("at_most", inf) or ("less_than" in limits and value >= limits["less_than"])

    low, high = span
    if below(high) or above(low):
        return NOT_MET
    return MET if fits(low) and fits(high) else UNKNOWN


def compared(test: Json, value: Any, numbers: Json) -> str:
    if isinstance(value, bool):
        return (MET if value is test["is"] else NOT_MET) if "is" in test else UNKNOWN
    return UNKNOWN if "is" in test else within(test, value, numbers)


def may_be(test: Json, facts: Facts, numbers: Json) -> frozenset[str]:
    """All that a test may come to."""
    if "count" in test:
        return counted(test, facts, numbers)
    if "fact" in test:
        fact = facts[test["fact"]]
        truths = {compared(test, value, numbers) for value in fact.values}
        truth = truths.pop() if len(truths) == 1 else UNKNOWN
        if not fact.open and ANY not in fact.values:
            return frozenset((truth,))
        if fact.rule["kind"] != "record":
            return ALL
        absent = [] if fact.rule["when_absent"] == "unknown" else [compared(test, False, numbers)]
        return frozenset((truth, compared(test, True, numbers), *absent))
    if "not" in test:
        return frozenset(map(opposite, may_be(test["not"], facts, numbers)))
    names = next(
        names for names in (("if", "then"), ("test", "waived_by"), ("test", "voided_by"), ()) if set(names) <= set(test)
    )
    if names:
        first, second = (may_be(test[name], facts, numbers) for name in names)
        pair = {
            "then": lambda one, other: any_of((opposite(one), other)),
            "waived_by": lambda one, other: MET if other == MET else one,
            "voided_by": lambda one, other: UNKNOWN if (one, other) == (NOT_MET, MET) else one,
        }[names[1]]
        return frozenset(pair(one, other) for one, other in product(first, second))
    word = next(name for name in (*FOLDS, "of") if name in test)
    parts = [may_be(part, facts, numbers) for part in test[word]]
    if word == "of":
        return frozenset(
            within(test, (chosen.count(MET), chosen.count(MET) + chosen.count(UNKNOWN)), numbers)
            for chosen in product(*parts)
        )
    return frozenset(FOLDS[word](chosen) for chosen in product(*parts))


def truth_of(test: Json, facts: Facts, numbers: Json) -> str:
    possible = may_be(test, facts, numbers)
    return next(iter(possible)) if len(possible) == 1 else UNKNOWN


def newest_days(fact: Fact) -> tuple[date, date] | None:
    """The first and the last day of the newest thing that a fact holds; None for nothing."""
    dated = [days(one.date) for one in fact.evidence if one.date]
    if not fact.evidence and not fact.open:
        return None
    undated = fact.open or len(dated) < len(fact.evidence)
    return max((one.first for one in dated), default=date.min), date.max if undated else max(one.last for one in dated)


def counted(test: Json, facts: Facts, numbers: Json) -> frozenset[str]:
    fact, after = facts[test["count"]], facts.get(test.get("after", ""))
    start = newest_days(after) if after else None
    passing, doubtful, failing = [], 0, 0
    for event in fact.events:
        if start and event.when.last <= start[0]:
            continue
        truth = truth_of(test["where"], event.known, numbers) if "where" in test else MET
        certain = event.certain and (not start or event.when.first > start[1])
        if truth == MET and certain:
            passing.append(event.when)
        elif truth != NOT_MET:
            doubtful += 1
        elif certain:
            failing += 1
    least, last = 0, date.min
    for when in sorted(passing, key=lambda when: when.last):
        if not least or when.first > last:
            least, last = least + 1, when.last
    span: tuple[float, float] = (least, len(passing) + doubtful if failing else inf)
    if fact.open:
        span = (0 if "where" in test else least, inf)
    truth = within(test, span, numbers)
    return ALL if (fact.open or (after and after.open)) and truth == UNKNOWN else frozenset((truth,))


NAMES: dict[int, list[str]] = {}


def facts_in(test: Json) -> list[str]:
    """The names of the facts that a test of a rule set reads; what is asked of each event is not a fact."""
    if id(test) not in NAMES:
        NAMES[id(test)] = list(_names_in(test))
    return NAMES[id(test)]


def _names_in(test: Any) -> Iterator[str]:
    if isinstance(test, list):
        for part in test:
            yield from _names_in(part)
    elif isinstance(test, dict):
        yield from (test[name] for name in ("fact", "count", "after") if name in test)
        for name, part in test.items():
            if name != "where":
                yield from _names_in(part)


def lists_of(rule: Json) -> set[str]:
    """The lists that a fact reads."""
    lists = set(rule.get("resources", ()))
    lists |= {"QuestionnaireResponse"} if "item" in rule else set()
    lists |= {"Observation"} if rule["kind"] == "measurement" and "codes" in rule else set()
    lists |= {"Patient", "Condition"} if rule["kind"] == "onset" and "codes" in rule else set()
    return lists | ({"Patient"} if rule["kind"] == "age" else set())


def answered_in_spite(criterion: Json, here: Here, facts: Facts) -> set[tuple[str, str | None]]:
    """The contrary records (reference, date) despite which a clinician answered."""
    found = set()
    attested = [(name, one) for name in facts_in(criterion["test"]) for one in facts[name].evidence]
    for name, evidence in attested:
        answer = evidence.answer
        if answer is None or evidence.attester != "clinician":
            continue
        for link in {answer.link, *map(here.link, here.criteria[name])}:
            why = [
                one for one in beside(here, answer, f"{link}.despite-why") if str(one.get("valueString", "")).strip()
            ]
            named = (
                [one["valueReference"]["reference"] for one in beside(here, answer, f"{link}.despite")] if why else []
            )
            records = (one for entry in criterion["contrary"] for one in facts[entry["fact"]].evidence)
            for record in records:
                newer = record.date and days(record.date).last > days(evidence.date).first
                if record.reference in named and not newer:
                    found.add((record.reference, record.date))
    return found


def judged(criterion: Json, here: Here, facts: Facts, numbers: Json) -> str:
    """The truth of one criterion over the facts of the whole, or of one part."""
    test, read = criterion["test"], set(facts_in(criterion["test"]))
    # What is to be confirmed is shown, and contradicts nothing.
    contrary = [entry for entry in criterion.get("contrary", ()) if not entry.get("to_confirm")]
    answered = answered_in_spite(criterion, here, facts) if contrary else set()
    stands = False
    facts = dict(facts)
    for name in dict.fromkeys(entry["fact"] for entry in contrary):
        fact = facts[name]
        left = tuple(one for one in fact.evidence if (one.reference, one.date) not in answered)
        stands = stands or ((True in fact.values or not fact.values) and bool(left) and name not in read)
        if name in read and len(left) < len(fact.evidence):
            facts[name] = fact._replace(evidence=left, values=fact.values if left else ())
    truth = truth_of(test, facts, numbers)
    if truth == MET and (criterion.get("contrary") or criterion.get("hints")):
        hints = [facts[entry["fact"]].rule for entry in criterion.get("hints", ())]
        # A hint that is found by words leaves nothing open.
        rules = [facts[name].rule for name in (*read, *(entry["fact"] for entry in contrary))]
        lists = set().union(*map(lists_of, (*rules, *(rule for rule in hints if rule["kind"] != "words"))))
        against = [facts[entry["fact"]] for entry in contrary]
        if any(fact.open and not fact.only_by_words for fact in against) or here.chart.speaks(lists):
            doubted = {
                name: facts[name]._replace(open=True)
                for name in read
                if criterion.get("contrary")
                or (
                    facts[name].rule["kind"] in ("answer", "measurement")
                    and any(one.answer for one in facts[name].evidence)
                )
            }
            truth = truth_of(test, {**facts, **doubted}, numbers)
    return UNKNOWN if truth == MET and stands else truth


@cache
def readers(name: str) -> tuple[dict[str, list[str]], dict[str, set[str]]]:
    """The criteria that read each fact of a rule set, and the people whose answers to it count."""
    policy = rule_set(name)["policy"]
    asking: dict[str, list[str]] = {}
    replaced = [
        (key, test) for one in policy.get("profiles", {}).values() for key, test in one.get("replaces", {}).items()
    ]
    own = [(criterion["id"], criterion) for criterion in policy["criteria"]]
    for key, entry in (*own, *replaced):
        for fact in facts_in(entry["test"]) if "test" in entry else ():
            ends = [policy["facts"][fact].get(end) for end in ("from", "to")]
            for behind in (fact, *filter(None, ends)):
                asking[behind] = list(dict.fromkeys((*asking.get(behind, ()), key)))
    allowed = {criterion["id"]: set(criterion.get("attested_by", ["clinician"])) for criterion in policy["criteria"]}
    by = {fact: allowed[asking[fact][0]] if fact in asking else {"clinician"} for fact in policy["facts"]}
    return asking, by


def second_reading(name: str, sent: Json, keys: dict[str, str], patient: str, today: date, base: str) -> dict[str, str]:
    """Criterion -> truth of the prefetch ``sent`` (published ``keys`` to types), by a rule set's own numbers.

    A criterion that reads facts of a part has one truth for each: "block right".
    """
    policy = rule_set(name)["policy"]
    numbers = {title: entry["value"] for title, entry in policy.get("parameters", {}).items()}
    chart = Chart(name, sent, keys, patient, today, base)
    asking, by = readers(name)
    given, groups, unread = answered(chart)
    here = Here(chart, given, groups, unread, by, {fact: asking.get(fact, []) for fact in policy["facts"]}, "", {})
    for fact, rule in policy["facts"].items():
        if "per" not in rule:
            here.known[fact] = _read(fact, rule, here)
    found = {}
    parts = {}
    for part in policy.get("scope", {}).get("parts", ()):
        there = parts[part["id"]] = here._replace(part=part["id"], known=dict(here.known))
        for fact, rule in policy["facts"].items():
            if "per" in rule:
                there.known[fact] = _read(fact, rule, there)
    for criterion in policy["criteria"]:
        names = [
            *facts_in(criterion["test"]),
            *(one["fact"] for kind in ("hints", "contrary") for one in criterion.get(kind, ())),
        ]
        if any("per" in policy["facts"][fact] for fact in names):
            for part, there in parts.items():
                found[f"{criterion['id']} {part}"] = judged(criterion, there, there.known, numbers)
        else:
            found[criterion["id"]] = judged(criterion, here, here.known, numbers)
    return found


def _read(name: str, rule: Json, here: Here) -> Fact:
    try:
        return KINDS[rule["kind"]](name, rule, here)
    except UnreadableError:
        raise AssertionError(f"{name}: the second reading cannot read what the page does not let it") from None
