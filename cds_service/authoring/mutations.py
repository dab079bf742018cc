"""Mutations: every small mistake that an author could make in a rule set, as an edit of its documents.

Examples are a number one step off, yes for no, ``all`` for ``any``, or a missing exception or code. If no case notices
a mutation, the rule set could already contain that mistake undetected.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from cds_service.authoring import reach
from cds_service.authoring.documents import Documents, Edit, at
from cds_service.authoring.reach import Reach
from cds_service.facts.word import word_of
from cds_service.policy.loading.tests import LIMITS
from cds_service.policy.model import Policy, own_id
from cds_service.policy.places import Steps, path_of
from cds_service.policy.walk import Node, Rooted, nodes, parameters_named, tests

# The members that limit how old a record or an answer may be.
LOOK_BACKS = ("look_back_days", "answer_look_back_days")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One mutation: the file and JSON path, what changed, which case would notice it, and its edits.

    ``dropped`` is the dropped code or phrase of a code set, spelled as in a table of cases; otherwise None.
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
    """The input for every mutation: the rule set, policy.json as written (which edits copy), and the day of the
    cases."""

    policy: Policy
    written: Any
    today: date


def mutations(documents: Documents, policy: Policy, *, phrases: bool = False) -> list[Mutation]:
    """Every mutation of the ``policy`` of these documents; mutations of single phrases only if ``phrases`` is true."""
    given = _Given(policy, documents["policy"], date.fromisoformat(policy.cases.document["today"]))
    found = [mutation for root in tests(policy) for mutation in _of_test(given, root)]
    found += _of_parameters(given)
    found += _of_facts(given)
    found += _of_left_out(policy)
    found += _of_words(given)
    found += _of_contrary(policy)
    found += _of_attesters(given)
    found += _of_orders(given)
    found += _of_members(policy)
    found += _of_aliases(given)
    found += _of_codes(policy)
    found += _of_ingredients(policy)
    return found + (list(_of_phrases(policy)) if phrases else [])


def steps_of(number: int | float) -> tuple[int | float, int | float]:
    """A number one step up and one step down: 1 for a whole number, otherwise one unit of the last digit."""
    if isinstance(number, int):
        return number + 1, number - 1
    exact = Decimal(repr(number))
    step = Decimal((0, (1,), min(int(exact.as_tuple().exponent), 0)))
    return float(exact + step), float(exact - step)


def _of_test(given: _Given, root: Rooted) -> Iterator[Mutation]:
    touched = reach.of_tests([root])
    for node in nodes(root.test):
        test, word = node.test, word_of(node.test)
        for limit, number in _limits(node):
            if limit not in test.parameters:
                for moved in steps_of(number):
                    advice = f"{_between(number, moved)}: add one {_at_limit(given, node, limit, number, moved)}"
                    yield _changed((*test.place, limit), number, moved, advice, touched)
        if test.wanted is not None:
            told = f"no case tells yes from no: add two that expect this, one with '{test.fact}' yes and one with no"
            yield _changed((*test.place, "is"), test.wanted, not test.wanted, told, touched)
        if word.swapped_with and len(test.inner) > 1:
            entry = at(given.written, test.place)
            swapped = {word.swapped_with if name == word.key else name: value for name, value in entry.items()}
            change = f"'{word.key}' read as '{word.swapped_with}'"
            yield _put(test.place, swapped, change, word.swap_advice, touched)
        yield from _without_exception(given, node, touched)


def _limits(node: Node) -> Iterator[tuple[str, int | float]]:
    """(word, number) of each limit of a test."""
    for limit in LIMITS:
        number = getattr(node.test, limit)
        if number is not None:
            yield limit, number


def _without_exception(given: _Given, node: Node, touched: Reach) -> Iterator[Mutation]:
    place = node.test.place
    for excuse in word_of(node.test).exceptions:
        entry = at(given.written, place)
        if excuse.member in entry:
            rest = {name: value for name, value in entry.items() if name != excuse.member}
            kept = rest[excuse.kept] if excuse.kept and list(rest) == [excuse.kept] else rest
            advice = excuse.advice.format_map(entry)
            yield _put((*place, excuse.member), kept, "removed", advice, touched, put_at=place)


def _changed(steps: Steps, old: Any, new: Any, advice: str, touched: Reach) -> Mutation:
    change = (
        f"{_said(old)} moved to {_said(new)}" if not isinstance(old, bool) else f"{_said(old)} read as {_said(new)}"
    )
    return _put(steps, new, change, advice, touched)


def _put(
    steps: Steps,
    value: Any,
    change: str,
    advice: str,
    touched: Reach,
    *,
    file: str = "policy",
    put_at: Steps | None = None,
) -> Mutation:
    return Mutation(
        file=file, steps=steps, change=change, advice=advice, edits=(Edit(file, put_at or steps, value),), reach=touched
    )


def _dropped(file: str, steps: Steps, change: str, advice: str, touched: Reach, dropped: str | None = None) -> Mutation:
    return Mutation(
        file=file,
        steps=steps,
        change=change,
        advice=advice,
        edits=(Edit(file, steps, removes=True),),
        reach=touched,
        dropped=dropped,
    )


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def _between(old: int | float, new: int | float) -> str:
    return f"no case has a value between {_said(min(old, new))} and {_said(max(old, new))}"


def _telling(word: str, old: int | float, new: int | float) -> int | float:
    """The value for which the original limit and the moved one give different results."""
    return max(old, new) if word in ("at_most", "more_than") else min(old, new)


def _at_limit(given: _Given, node: Node, word: str, limit: int | float, moved: int | float) -> str:
    """The case that distinguishes a limit from the moved one."""
    value = _telling(word, limit, moved)
    if word in ("at_least", "less_than"):
        holds = (value >= limit) if word == "at_least" else (value < limit)
    else:
        holds = (value <= limit) if word == "at_most" else (value > limit)
    rules = given.policy.facts[node.events].attributes if node.events else given.policy.facts
    case = word_of(node.test).at_limit(node.test, value, rules, given.today)
    return f"{case}, which {'passes' if holds else 'fails'}"


def _of_parameters(given: _Given) -> Iterator[Mutation]:
    for name, parameter in given.policy.parameters.items():
        yield from _of_parameter(given, name, ("parameters", name, "value"), parameter.value, "")
    for profile in given.policy.profiles.values():
        for name, value in profile.parameters.items():
            steps = ("profiles", profile.id, "parameters", name)
            yield from _of_parameter(given, name, steps, value, f" under the profile '{profile.id}'")


def _of_parameter(given: _Given, name: str, steps: Steps, value: int | float, under: str) -> Iterator[Mutation]:
    reading = [root for root in tests(given.policy) if name in parameters_named(root.test)]
    spots = (
        (node, word)
        for root in reading
        for node in nodes(root.test)
        for word, parameter in node.test.parameters.items()
        if parameter == name
    )
    spot = next(spots, None)
    for moved in steps_of(value):
        advice = f"{_between(value, moved)}: add one{under}"
        if spot:
            advice += f" {_at_limit(given, *spot, value, moved)}"
        yield _changed(steps, value, moved, advice, reach.of_tests(reading))


def _of_facts(given: _Given) -> Iterator[Mutation]:
    for name, rule in given.policy.facts.items():
        for word in LOOK_BACKS:
            # Without a look-back of their own, answers use that of records.
            if word not in given.written["facts"][name]:
                continue
            days = getattr(rule, word)
            what = f"an answer to '{rule.item}'" if word.startswith("answer") else f"what '{name}' reads"
            for moved in steps_of(days):
                age = max(days, moved)
                counts = "is too old" if age > days else "still counts"
                dated = f"{what} of {given.today - timedelta(days=age)}, which {counts}"
                advice = f"{_between(days, moved)} days: add one with {dated}"
                yield _changed(("facts", name, word), days, moved, advice, reach.of_fact(given.policy, name))


def _of_left_out(policy: Policy) -> Iterator[Mutation]:
    """Mutations that drop a code set of excluded records, or a restriction on a record's site or reason."""
    for name, rule in policy.facts.items():
        for number, left_out in enumerate(rule.not_in):
            advice = f"no case has a record of '{name}' that '{left_out.name}' recognizes too: add one"
            change = f"'{left_out.name}' no longer left out"
            yield _dropped("policy", ("facts", name, "not_in", number), change, advice, reach.of_fact(policy, name))
        if rule.elsewhere is not None:
            advice = f"no case has a record of '{name}' that names what is in '{rule.elsewhere.name}': add one"
            change = f"'{rule.elsewhere.name}' no longer elsewhere"
            yield _dropped("policy", ("facts", name, "elsewhere"), change, advice, reach.of_fact(policy, name))
        if rule.only_for:
            advice = f"no case has a record of '{name}' for another reason: add one"
            yield _dropped("policy", ("facts", name, "only_for"), "any reason", advice, reach.of_fact(policy, name))


def _of_words(given: _Given) -> Iterator[Mutation]:
    """Mutations of facts found by words: all records read, any statement accepted, a number or a missing text not
    reported."""
    for name, rule in given.policy.facts.items():
        touched = reach.of_fact(given.policy, name)
        for member, advice in (
            ("records", f"add one whose words are in a record that '{name}' does not read, and expect them left out"),
            ("said", f"add one whose words say it as '{rule.said}', and expect the sentence on the card"),
            ("number", "add one whose words state the number, and expect it on the card"),
            ("expected_of", "add one with such a record without words, and expect the card to say so"),
        ):
            if member in given.written["facts"][name]:
                steps = ("facts", name, member)
                yield _dropped("policy", steps, f"'{member}' removed", f"no case turns on it: {advice}", touched)


def _of_contrary(policy: Policy) -> Iterator[Mutation]:
    """Mutations in which a contradicting record no longer contradicts a criterion."""
    for index, rule in enumerate(policy.criteria):
        for number, item in enumerate(rule.contrary):
            advice = f"no case has '{item.fact}' beside an answer that meets '{rule.id}': add one"
            touched = Reach(criteria=frozenset((rule.id,)))
            steps = ("criteria", index, "contrary", number)
            yield _dropped("policy", steps, f"'{item.fact}' no longer contradicts it", advice, touched)
            if item.to_confirm:
                advice = f"no case has '{item.fact}' beside an answer that meets '{rule.id}': add one, and expect met"
                yield _dropped(
                    "policy", (*steps, "to_confirm"), f"'{item.fact}' decides beside an answer", advice, touched
                )
        for number, hint in enumerate(rule.hints):
            if hint.settled_by:
                advice = f"no case has '{hint.fact}' alone: add one, and expect 'Needs: {hint.settled_by}'"
                touched = Reach(criteria=frozenset((rule.id,)))
                place = ("criteria", index, "hints", number, "settled_by")
                yield _dropped("policy", place, "'settled_by' removed", advice, touched)


def _of_attesters(given: _Given) -> Iterator[Mutation]:
    """Mutations that drop someone who may attest to a criterion."""
    for index, rule in enumerate(given.policy.criteria):
        listed = given.written["criteria"][index].get("attested_by", ())
        for number, who in enumerate(listed):
            # A clinician may answer whatever staff may, so dropping clinicians next to staff changes nothing.
            if len(listed) > 1 and not (who == "clinician" and "staff" in listed):
                advice = f"no case has an answer to '{rule.id}' by {who}: add one"
                touched = Reach(criteria=frozenset((rule.id,)))
                steps = ("criteria", index, "attested_by", number)
                yield _dropped("policy", steps, f"'{who}' dropped", advice, touched)


def _of_orders(given: _Given) -> Iterator[Mutation]:
    """Mutations of orders: a routing word or reason dropped, an order recognized too easily, codes not withheld."""
    whole = Reach(whole_call=True)
    for index, row in enumerate(given.policy.orders.pathways):
        sorts = (("words", row.routing, f"the pathway '{row.id}'"), ("unless_words", row.keeps, "no pathway"))
        for member, phrases, wanted in sorts:
            for number, phrase in enumerate(map(str.strip, phrases)):
                advice = f"no case turns on it: add one whose order says '{phrase}', and expect {wanted}"
                place = ("pathways", index, "orders", member, number)
                yield _dropped("policy", place, f"'{phrase}' dropped", advice, replace(whole, phrase=phrase))
        for member, stands in (("reasons", row.reasons is not None), ("names_site", row.names_site)):
            if stands:
                advice = f"no case turns on it: add one that goes the pathway '{row.id}' by it alone"
                yield _dropped("policy", ("pathways", index, "orders", member), f"'{member}' removed", advice, whole)
    if given.policy.orders.known_by is not None:
        advice = "no case has an order at the site that does not say what it is for: add one, and expect the question"
        yield _dropped("policy", ("orders", "known_by"), "removed", advice, whole)
    for index, line in enumerate(given.policy.for_review):
        if line.withholds_codes:
            advice = f"no case has '{line.fact}' and nothing else that withholds the codes: add one"
            yield _dropped("policy", ("for_review", index, "withholds_codes"), "removed", advice, whole)


def _of_members(policy: Policy) -> Iterator[Mutation]:
    """Mutations that drop a criterion from a verdict, a profile, or a payer's requirements."""
    for index, verdict in enumerate(policy.verdicts):
        if verdict.profile is None:
            touched, whose = Reach(verdicts=frozenset((verdict.id,))), f"verdict '{verdict.id}'"
            yield from _of_list("policy", ("verdicts", index, "all"), verdict.criteria, whose, touched)
    paying = frozenset(verdict.id for verdict in policy.verdicts if verdict.payer)
    for profile in policy.profiles.values():
        by_it = [verdict.id for verdict in policy.verdicts if verdict.profile is profile]
        members, whose = map(own_id, profile.criteria), f"profile '{profile.id}'"
        touched = Reach(verdicts=paying.union(by_it[-1:]))
        yield from _of_list("policy", ("profiles", profile.id, "all"), members, whose, touched)
    for index, payer in enumerate(policy.payers):
        steps = ("payers", index, "position", "covered_when_all")
        members = payer.position.get("covered_when_all", ())
        yield from _of_list("payers", steps, members, f"position of '{payer.name}'", Reach(verdicts=paying))


def _of_list(file: str, steps: Steps, members: Iterable[str], whose: str, touched: Reach) -> Iterator[Mutation]:
    for index, member in enumerate(members):
        advice = (
            f"no case turns on it: add one in which '{member}' alone is not met, and expect what becomes of the {whose}"
        )
        yield _dropped(file, (*steps, index), f"'{member}' dropped from the {whose}", advice, touched)


def _of_aliases(given: _Given) -> Iterator[Mutation]:
    """Mutations that count an alias of a finding as a separate finding, so it counts twice."""
    policy = given.policy
    for name, rule in policy.facts.items():
        for index, alias in enumerate(rule.aliases):
            steps = ("facts", name, "aliases", index)
            other = f"{name}-{alias}".replace(".", "-")
            members = list(_members_of_counts(given, name))
            touched = reach.of_fact(policy, name)
            if not members:
                advice = f"no case answers '{alias}': add one that does, and nothing under '{rule.item}'"
                yield _dropped("policy", steps, f"'{alias}' dropped", advice, touched)
                continue
            fact = given.written["facts"][name]
            alone = {word: value for word, value in fact.items() if word != "aliases"} | {"item": alias}
            edits = [Edit("policy", steps, removes=True), Edit("policy", ("facts", other), alone)]
            edits += [Edit("policy", place, _renamed(member, name, other)) for place, member in members]
            advice = (
                f"no case answers both '{rule.item}' and '{alias}': add one that does, and that reaches the "
                "number only if the two are counted twice"
            )
            yield Mutation(
                file="policy",
                steps=steps,
                change=f"'{alias}' counted as a finding of its own",
                advice=advice,
                edits=tuple(edits),
                reach=touched,
            )


def _members_of_counts(given: _Given, name: str) -> Iterator[tuple[Steps, Any]]:
    """(place after the last member, member as written) of each ``of`` that counts a fact; only the first matching
    member."""
    for root in tests(given.policy):
        for node in nodes(root.test):
            test = node.test
            member = next((inner for inner in test.inner if name in inner.facts()), None)
            if test.word.name == "of" and member is not None:
                yield (*test.place, "of", len(test.inner)), at(given.written, member.place)


def _renamed(value: Any, name: str, other: str) -> Any:
    if isinstance(value, dict):
        return {
            word: other if word == "fact" and inner == name else _renamed(inner, name, other)
            for word, inner in value.items()
        }
    return [_renamed(inner, name, other) for inner in value] if isinstance(value, list) else value


def _of_codes(policy: Policy) -> Iterator[Mutation]:
    for name, touched in reach.of_sets(policy).items():
        for index, row in enumerate(policy.code_sets[name].listed):
            written = row.spelling
            code = f"{row.system_name}|{written}"
            advice = f"no case turns on it: add one with {code}"
            steps = ("sets", name, "codes", index)
            held = f"{row.begins}-" if row.through else written
            yield _dropped("codes", steps, f"{code} dropped", advice, replace(touched, code=held), code)
            for number, kept_out in enumerate(row.exceptions):
                advice = f"no case turns on it: add one with {row.system_name}|{kept_out}, which is not meant"
                change = f"the exception {kept_out} of {code} dropped"
                yield _dropped("codes", (*steps, "except", number), change, advice, replace(touched, code=kept_out))


def _of_ingredients(policy: Policy) -> Iterator[Mutation]:
    for name, touched in reach.of_sets(policy).items():
        for index, drug in enumerate(policy.code_sets[name].ingredients):
            advice = f"no case turns on it: add one with the text '{drug}'"
            steps = ("sets", name, "ingredients", index)
            yield _dropped("codes", steps, f"'{drug}' dropped", advice, replace(touched, phrase=drug), drug)


def _of_phrases(policy: Policy) -> Iterator[Mutation]:
    for name, touched in reach.of_sets(policy).items():
        for index, phrase in enumerate(map(str.strip, policy.code_sets[name].written_phrases)):
            advice = f"no case turns on it: add one with the text '{phrase}'"
            steps = ("sets", name, "text", index)
            yield _dropped("codes", steps, f"'{phrase}' dropped", advice, replace(touched, phrase=phrase), phrase)
        for index, phrase in enumerate(map(str.strip, policy.code_sets[name].unless)):
            advice = f"no case turns on it: add one with the text '{phrase}' beside a phrase of the set"
            steps = ("sets", name, "unless", index)
            yield _dropped("codes", steps, f"'{phrase}' dropped", advice, replace(touched, phrase=phrase), phrase)
