"""Slips: every small mistake that an author could have made in a policy, as an edit of its documents.

A number one step off, a yes for a no, ``all`` for ``any``, an exception or a code forgotten. Where no case notices a
slip, the policy could hold that slip today and nobody would see it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from cds_service.authoring.documents import (
    LIMITS,
    Documents,
    Edit,
    Node,
    Rooted,
    at,
    facts_named,
    nodes,
    parameters_named,
    readers,
    sets_named,
    tests,
)
from cds_service.facts.vocabulary import VOCABULARY, Vocabulary
from cds_service.fhir.terminology import common_beginning
from cds_service.policy.places import Steps, path_of

_LOOK_BACKS = ("look_back_days", "answer_look_back_days")


@dataclass(frozen=True, slots=True)
class Reach:
    """What a slip can touch, and so which cases can notice it.

    ``criteria`` and ``verdicts`` by id; ``whole_call`` where it can touch which card there is; ``code`` and ``phrase``
    where only a case that holds them can notice.
    """

    criteria: frozenset[str] = frozenset()
    verdicts: frozenset[str] = frozenset()
    whole_call: bool = False
    code: str | None = None
    phrase: str | None = None


@dataclass(frozen=True, slots=True)
class Slip:
    """One slip: the file and JSON path, what was changed, what case would notice it, and how it is made.

    ``dropped`` is the code or phrase of a code set that was left out, as a table of cases lists it; else None.
    """

    file: str
    steps: Steps
    change: str
    advice: str
    edits: tuple[Edit, ...]
    reach: Reach
    dropped: str | None = None

    def __str__(self) -> str:
        return f"{self.file}.json: {path_of(self.steps)}: {self.change}"


class _Given(NamedTuple):
    """What every slip of a test is made from: policy.json as written, the day of the cases, the vocabulary."""

    policy: Mapping[str, Any]
    today: date
    vocabulary: Vocabulary


def slips(documents: Documents, *, phrases: bool = False, vocabulary: Vocabulary = VOCABULARY) -> list[Slip]:
    """Every slip of a policy's documents; those of single phrases of code sets only where asked for."""
    policy, today = documents["policy"], date.fromisoformat(documents["cases"]["today"])
    given = _Given(policy, today, vocabulary)
    found = [slip for root in tests(policy) for slip in _of_test(given, root)]
    found += _of_parameters(given)
    found += _of_facts(policy, today)
    found += _of_hints(policy)
    found += _of_members(documents)
    found += _of_aliases(policy)
    found += _of_codes(documents)
    found += _of_ingredients(documents)
    return found + (list(_of_phrases(documents)) if phrases else [])


def steps_of(number: int | float) -> tuple[int | float, int | float]:
    """A number one step up and one step down: 1 for a whole number, else one unit of its last digit."""
    if isinstance(number, int):
        return number + 1, number - 1
    exact = Decimal(repr(number))
    step = Decimal((0, (1,), min(int(exact.as_tuple().exponent), 0)))
    return float(exact + step), float(exact - step)


def _reach_of(root: Rooted) -> Reach:
    if root.criterion:
        return Reach(criteria=frozenset((root.criterion,)))
    return Reach(verdicts=frozenset((root.verdict,))) if root.verdict else Reach(whole_call=True)


def _of_test(given: _Given, root: Rooted) -> Iterator[Slip]:
    reach = _reach_of(root)
    for node in nodes(root.test, root.steps):
        entry = node.entry
        for word in LIMITS:
            if isinstance(entry.get(word), int | float):
                for moved in steps_of(entry[word]):
                    advice = f"{_between(entry[word], moved)}: add one {_at_limit(given, node, word, moved)}"
                    yield _changed((*node.steps, word), entry[word], moved, advice, reach)
        if "is" in entry:
            told = (
                f"no case tells yes from no: add two that expect this, one with '{entry['fact']}' yes and one with no"
            )
            yield _changed((*node.steps, "is"), entry["is"], not entry["is"], told, reach)
        for other in given.vocabulary.words.values():
            if other.swapped_with and len(entry.get(other.key, ())) > 1:
                swapped = {other.swapped_with if name == other.key else name: value for name, value in entry.items()}
                change = f"'{other.key}' read as '{other.swapped_with}'"
                yield _put(node.steps, swapped, change, other.swap_advice, reach)
        yield from _without_exception(node, reach, given.vocabulary)


def _without_exception(node: Node, reach: Reach, vocabulary: Vocabulary) -> Iterator[Slip]:
    entry = node.entry
    for excuse in (excuse for word in vocabulary.words.values() for excuse in word.exceptions):
        if excuse.member in entry:
            rest = {name: value for name, value in entry.items() if name != excuse.member}
            kept = rest[excuse.kept] if excuse.kept and list(rest) == [excuse.kept] else rest
            advice = excuse.advice.format_map(entry)
            yield _put((*node.steps, excuse.member), kept, "removed", advice, reach, put_at=node.steps)


def _changed(steps: Steps, old: Any, new: Any, advice: str, reach: Reach) -> Slip:
    change = (
        f"{_said(old)} moved to {_said(new)}" if not isinstance(old, bool) else f"{_said(old)} read as {_said(new)}"
    )
    return _put(steps, new, change, advice, reach)


def _put(
    steps: Steps,
    value: Any,
    change: str,
    advice: str,
    reach: Reach,
    *,
    file: str = "policy",
    put_at: Steps | None = None,
) -> Slip:
    return Slip(file, steps, change, advice, (Edit(file, put_at or steps, value),), reach)


def _dropped(file: str, steps: Steps, change: str, advice: str, reach: Reach, dropped: str | None = None) -> Slip:
    return Slip(file, steps, change, advice, (Edit(file, steps, removes=True),), reach, dropped)


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def _between(old: int | float, new: int | float) -> str:
    return f"no case stands between {_said(min(old, new))} and {_said(max(old, new))}"


def _telling(word: str, old: int | float, new: int | float) -> int | float:
    """The value on which a limit as written and the moved one differ."""
    return max(old, new) if word in ("at_most", "more_than") else min(old, new)


def _at_limit(given: _Given, node: Node, word: str, moved: int | float) -> str:
    """The case that tells a limit of a test from the moved one."""
    entry, limit = node.entry, node.entry[word]
    if isinstance(limit, str):
        limit = given.policy["parameters"][limit.removeprefix("$")]["value"]
    value = _telling(word, limit, moved)
    if word in ("at_least", "less_than"):
        holds = (value >= limit) if word == "at_least" else (value < limit)
    else:
        holds = (value <= limit) if word == "at_most" else (value > limit)
    truth = "passes" if holds else "fails"
    if "of" in entry:
        return f"in which {_said(value)} of these {len(entry['of'])} tests are met, which {truth}"
    if "count" in entry:
        return f"with {_said(value)} of '{entry['count']}', which {truth}"
    known = given.policy["facts"].get(node.events or entry["fact"], {})
    fact = known.get("attributes", {}).get(entry["fact"], {}) if node.events else known
    return f"with '{entry['fact']}' {_said(value)}{_dated(given, fact, value)}, which {truth}"


def _dated(given: _Given, fact: Mapping[str, Any], value: int | float) -> str:
    """The date that gives an age, or a time, on the day of the cases."""
    if "kind" not in fact:
        return ""
    return given.vocabulary.kinds[fact["kind"]].dated(fact.get("in") == "months", value, given.today)


def _of_parameters(given: _Given) -> Iterator[Slip]:
    policy = given.policy
    for name, parameter in policy.get("parameters", {}).items():
        yield from _of_parameter(given, name, ("parameters", name, "value"), parameter["value"], "")
    for profile_id, profile in policy.get("profiles", {}).items():
        for name, value in profile.get("parameters", {}).items():
            steps = ("profiles", profile_id, "parameters", name)
            yield from _of_parameter(given, name, steps, value, f" under the profile '{profile_id}'")


def _of_parameter(given: _Given, name: str, steps: Steps, value: int | float, under: str) -> Iterator[Slip]:
    policy = given.policy
    reading = [root for root in tests(policy) if name in parameters_named(root.test)]
    found = Reach(
        criteria=frozenset(root.criterion for root in reading if root.criterion),
        verdicts=frozenset(root.verdict for root in reading if root.verdict),
        whole_call=not all(root.criterion or root.verdict for root in reading),
    )
    for moved in steps_of(value):
        advice = f"{_between(value, moved)}: add one{under}"
        spots = (
            (node, word)
            for root in reading
            for node in nodes(root.test, root.steps)
            for word in LIMITS
            if node.entry.get(word) == f"${name}"
        )
        spot = next(spots, None)
        if spot:
            node, word = spot
            plain = replace_limit(node, word, value)
            advice += f" {_at_limit(given, plain, word, moved)}"
        yield _changed(steps, value, moved, advice, found)


def replace_limit(node: Node, word: str, value: int | float) -> Node:
    """The node with a number where a parameter's name stands."""
    return node._replace(entry={**node.entry, word: value})


def _of_facts(policy: Mapping[str, Any], today: date) -> Iterator[Slip]:
    for name, fact in policy["facts"].items():
        for word in _LOOK_BACKS:
            if word not in fact:
                continue
            days = fact[word]
            what = f"an answer to '{fact.get('item')}'" if word.startswith("answer") else f"what '{name}' reads"
            for moved in steps_of(days):
                age = max(days, moved)
                counts = "is too old" if age > days else "still counts"
                dated = f"{what} of {today - timedelta(days=age)}, which {counts}"
                advice = f"{_between(days, moved)} days: add one with {dated}"
                yield _changed(("facts", name, word), days, moved, advice, _reach_of_fact(policy, name))


def _of_hints(policy: Mapping[str, Any]) -> Iterator[Slip]:
    """A record that speaks against a criterion taken for one that does not."""
    for index, criterion in enumerate(policy["criteria"]):
        for number, hint in enumerate(criterion.get("hints", ())):
            if hint.get("contrary"):
                advice = f"no case has '{hint['fact']}' beside an answer that meets '{criterion['id']}': add one"
                reach = Reach(criteria=frozenset((criterion["id"],)))
                yield _changed(("criteria", index, "hints", number, "contrary"), True, False, advice, reach)


def _reach_of_fact(policy: Mapping[str, Any], name: str) -> Reach:
    criteria = readers(policy, name)
    return Reach(whole_call=True) if criteria is None else Reach(criteria=criteria)


def _of_members(documents: Documents) -> Iterator[Slip]:
    """A criterion forgotten in a verdict, in a profile, in what a payer asks for."""
    policy = documents["policy"]
    for index, verdict in enumerate(policy["verdicts"]):
        reach = Reach(verdicts=frozenset((verdict["id"],)))
        yield from _of_list(
            "policy", ("verdicts", index, "all"), verdict.get("all", ()), f"verdict '{verdict['id']}'", reach
        )
    by_profile = {verdict["profile"]: verdict["id"] for verdict in policy["verdicts"] if "profile" in verdict}
    paying = frozenset(verdict["id"] for verdict in policy["verdicts"] if "payer" in verdict)
    for name, profile in policy.get("profiles", {}).items():
        reach = Reach(verdicts=paying.union([by_profile[name]] if name in by_profile else []))
        yield from _of_list("policy", ("profiles", name, "all"), profile.get("all", ()), f"profile '{name}'", reach)
    for index, payer in enumerate(documents["payers"]["payers"]):
        steps = ("payers", index, "position", "covered_when_all")
        members = payer["position"].get("covered_when_all", ())
        yield from _of_list("payers", steps, members, f"position of '{payer['name']}'", Reach(verdicts=paying))


def _of_list(file: str, steps: Steps, members: Any, whose: str, reach: Reach) -> Iterator[Slip]:
    for index, member in enumerate(members):
        advice = (
            f"no case turns on it: add one in which '{member}' alone is not met, and expect what becomes of the {whose}"
        )
        yield _dropped(file, (*steps, index), f"'{member}' dropped from the {whose}", advice, reach)


def _of_aliases(policy: Mapping[str, Any]) -> Iterator[Slip]:
    """A finding under another name taken for a finding of its own, which is then counted twice."""
    for name, fact in policy["facts"].items():
        for index, alias in enumerate(fact.get("aliases", ())):
            steps = ("facts", name, "aliases", index)
            other = f"{name}-{alias}".replace(".", "-")
            members = list(_members_of_counts(policy, name))
            reach = _reach_of_fact(policy, name)
            if not members:
                advice = f"no case answers '{alias}': add one that does, and nothing under '{fact.get('item')}'"
                yield _dropped("policy", steps, f"'{alias}' dropped", advice, reach)
                continue
            alone = {word: value for word, value in fact.items() if word != "aliases"} | {"item": alias}
            edits = [Edit("policy", steps, removes=True), Edit("policy", ("facts", other), alone)]
            edits += [
                Edit("policy", (*at_steps, "of", len(at(policy, at_steps)["of"])), _renamed(member, name, other))
                for at_steps, member in members
            ]
            advice = (
                f"no case answers both '{fact.get('item')}' and '{alias}': add one that does, and that reaches the "
                "number only if the two are counted twice"
            )
            yield Slip("policy", steps, f"'{alias}' counted as a finding of its own", advice, tuple(edits), reach)


def _members_of_counts(policy: Mapping[str, Any], name: str) -> Iterator[tuple[Steps, Any]]:
    """(place of the node, member) of each ``of`` that counts a fact; of several members with it the first."""
    for root in tests(policy):
        for node in nodes(root.test, root.steps):
            member = next((part for part in node.entry.get("of", ()) if name in facts_named(part)), None)
            if member is not None:
                yield node.steps, member


def _renamed(value: Any, name: str, other: str) -> Any:
    if isinstance(value, dict):
        return {
            word: other if word == "fact" and inner == name else _renamed(inner, name, other)
            for word, inner in value.items()
        }
    return [_renamed(inner, name, other) for inner in value] if isinstance(value, list) else value


def _sets_read(policy: Mapping[str, Any]) -> dict[str, Reach]:
    """Each code set that is read, and what it can touch."""
    found: dict[str, Reach] = {}
    for part in ("facts", "orders", "scope", "pathways"):
        for steps, name in sets_named(policy.get(part, {}), (part,)):
            known = found.get(name, Reach())
            touched = _reach_of_fact(policy, str(steps[1])) if part == "facts" else Reach(whole_call=True)
            found[name] = Reach(known.criteria | touched.criteria, whole_call=known.whole_call or touched.whole_call)
    return found


def _of_codes(documents: Documents) -> Iterator[Slip]:
    for name, reach in _sets_read(documents["policy"]).items():
        for index, row in enumerate(documents["codes"]["sets"].get(name, {}).get("codes", ())):
            code = f"{row['system']}|{row['code']}"
            advice = f"no case turns on it: add one with {code}"
            steps = ("sets", name, "codes", index)
            held = f"{common_beginning(row['code'], row['through'])}-" if "through" in row else row["code"]
            yield _dropped("codes", steps, f"{code} dropped", advice, replace(reach, code=held), code)
            for number, kept_out in enumerate(row.get("except", ())):
                advice = f"no case turns on it: add one with {row['system']}|{kept_out}, which is not meant"
                change = f"the exception {kept_out} of {code} dropped"
                yield _dropped("codes", (*steps, "except", number), change, advice, replace(reach, code=kept_out))


def _of_ingredients(documents: Documents) -> Iterator[Slip]:
    for name, reach in _sets_read(documents["policy"]).items():
        for index, drug in enumerate(documents["codes"]["sets"].get(name, {}).get("ingredients", ())):
            advice = f"no case turns on it: add one with the text '{drug}'"
            steps = ("sets", name, "ingredients", index)
            yield _dropped("codes", steps, f"'{drug}' dropped", advice, replace(reach, phrase=drug), drug)


def _of_phrases(documents: Documents) -> Iterator[Slip]:
    for name, reach in _sets_read(documents["policy"]).items():
        for index, phrase in enumerate(documents["codes"]["sets"].get(name, {}).get("text", ())):
            advice = f"no case turns on it: add one with the text '{phrase}'"
            steps = ("sets", name, "text", index)
            yield _dropped("codes", steps, f"'{phrase}' dropped", advice, replace(reach, phrase=phrase), phrase)
