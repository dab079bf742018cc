"""What a change of a rule set can do to cards: which results, orders and codes can differ. In sentences, pure.

A result can differ if any of its inputs differs; wording, labels and provenance are not inputs.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from cds_service.policy.codes import Code, CodeSet
from cds_service.policy.model import (
    Act,
    Contrary,
    Criterion,
    FactRule,
    Hint,
    Kind,
    Part,
    Pathway,
    Payer,
    Policy,
    ReviewLine,
    StatedNumber,
    Test,
    VerdictRule,
    Word,
)

# Members of the model that are only words on cards and pages, or derive from other members.
_WORDS: Mapping[type, frozenset[str]] = {
    FactRule: frozenset({"title", "noun", "absent_because", "criteria"}),
    CodeSet: frozenset({"name", "title", "exact", "families"}),
    Code: frozenset({"system_name", "label", "seen", "provenance", "remark", "use", "leaves"}),
    StatedNumber: frozenset({"label"}),
    Test: frozenset({"place", "parameters"}),
    Part: frozenset({"label"}),
    Act: frozenset({"label", "code"}),
    Pathway: frozenset({"title", "says"}),
    Contrary: frozenset({"says", "source", "own_reading"}),
    Hint: frozenset({"says", "settled_by"}),
    Payer: frozenset({"name", "document", "background", "verified", "next_review", "sources"}),
    ReviewLine: frozenset({"says"}),
}


def effects(old: Policy, new: Policy) -> list[str]:
    """What can differ on cards of ``new``, one sentence each; if no result can differ, a single sentence says so."""
    found = [*_of_criteria(old, new), *_of_verdicts(old, new), *_of_calls(old, new), *_of_codes(old, new)]
    return found or ["No result, no suggested code, and no order that gets a card can differ; words on cards can."]


def turned(old: Policy, new: Policy) -> list[str]:
    """The ids of the criteria in both editions whose result can differ, in the newer order."""
    before = {rule.id: rests_on(old, rule) for rule in old.criteria}
    return [rule.id for rule in new.criteria if rule.id in before and before[rule.id] != rests_on(new, rule)]


def rests_on(policy: Policy, rule: Criterion) -> Any:
    """All inputs of a criterion's result, as plain lists, texts and numbers."""
    names = policy.behind(rule.names)
    parts = (rule.test, rule.contrary, rule.hints, rule.attested_by, rule.per_part)
    return _plain([*parts, {name: policy.facts[name] for name in names}])


def _of_criteria(old: Policy, new: Policy) -> Iterator[str]:
    titles = {rule.id: rule.title for policy in (old, new) for rule in policy.criteria}
    before, after = ({rule.id for rule in policy.criteria} for policy in (old, new))
    for text, ids in (
        ("The result of these criteria can differ", turned(old, new)),
        ("New criteria", [name for name in titles if name not in before]),
        ("Criteria that are gone", [name for name in titles if name not in after]),
    ):
        if ids:
            yield f"{text}: {'; '.join(titles[name] for name in ids)}."


def _of_verdicts(old: Policy, new: Policy) -> Iterator[str]:
    before = {rule.id: _verdict(old, rule) for rule in old.verdicts}
    names = [rule.title for rule in new.verdicts if before.get(rule.id) != _verdict(new, rule)]
    names += [rule.title for rule in old.verdicts if rule.id not in {item.id for item in new.verdicts}]
    if names:
        yield f"The result of these verdicts can differ: {'; '.join(names)}."


def _verdict(policy: Policy, rule: VerdictRule) -> Any:
    facts = _facts_of(policy, [rule.applies_unless])
    made_of = [rests_on(policy, policy.criterion(key)) for key in rule.criteria]
    of_payer = _plain(policy.payers) if rule.payer else None
    pending = rule.profile.pending if rule.profile else None
    return [rule.criteria, made_of, _plain([rule.applies_unless, facts]), of_payer, pending]


def _of_calls(old: Policy, new: Policy) -> Iterator[str]:
    facts = [_plain(_reads(policy)) for policy in (old, new)]
    if facts[0] != facts[1] or _plain([old.orders, old.scope]) != _plain([new.orders, new.scope]):
        yield "Which orders get a card, and of which kind, can differ."
    opening = [_plain(_opening(policy)) for policy in (old, new)]
    if opening[0] != opening[1]:
        yield "Whether a card is shown when a chart is opened can differ."


def _reads(policy: Policy) -> dict[str, FactRule]:
    """The facts that can redirect an order or name a part."""
    parts = policy.scope.parts if policy.scope else ()
    tests = [*(row.when for row in policy.orders.pathways), *(part.when for part in parts)]
    return _facts_of(policy, tests)


def _opening(policy: Policy) -> list[Any]:
    tests = [policy.patient_view_when, policy.patient_view_unless]
    return [*tests, _facts_of(policy, tests)]


def _facts_of(policy: Policy, tests: Iterable[Test | None]) -> dict[str, FactRule]:
    return {name: policy.facts[name] for test in tests if test for name in policy.behind(test.facts())}


def _of_codes(old: Policy, new: Policy) -> Iterator[str]:
    suggested = [[(act.id, act.code.system, act.code.code) for act in policy.orders.acts] for policy in (old, new)]
    withheld = [_plain(policy.for_review) for policy in (old, new)]
    if suggested[0] != suggested[1] or withheld[0] != withheld[1]:
        yield "Which codes are suggested, and when they are withheld, can differ."


def _plain(value: Any) -> Any:
    """A model value as lists, texts and numbers, without words that affect no result."""
    match value:
        case Kind() | Word():
            return value.name
        case Mapping():
            return {str(name): _plain(item) for name, item in value.items()}
        case frozenset():
            return sorted(map(str, value))
        case tuple() | list():
            return [_plain(item) for item in value]
    if not hasattr(value, "__dataclass_fields__"):
        return value
    words = _WORDS.get(type(value), frozenset())
    # Members that a value computes itself (not ``init``) derive from the others.
    return {
        item.name: _plain(getattr(value, item.name)) for item in fields(value) if item.init and item.name not in words
    }
