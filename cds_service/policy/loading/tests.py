"""policy.json, tests: comparisons of facts and the words that combine them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cds_service.policy.loading.facts import YES_OR_NO
from cds_service.policy.loading.problems import Problems, Reader
from cds_service.policy.model import FactRule, Test

LIMITS = ("at_least", "at_most", "more_than", "less_than")
_LISTS = ("all", "any", "agree", "first")


class TestReader(Reader):
    """Reads tests over facts; ``numbers`` are the parameters that a limit may name as "$name"."""

    __test__ = False

    def __init__(self, problems: Problems, facts: Mapping[str, FactRule], numbers: Mapping[str, float]) -> None:
        super().__init__(problems)
        self._facts = facts
        self._numbers = numbers
        self.named: set[str] = set()

    def test(self, entry: Mapping[str, Any], place: str) -> Test:
        """The test of a JSON object; what is wrong with it is noted, and something comes back all the same."""
        limits = entry.keys() & set(LIMITS)
        if "fact" in entry:
            return self._comparison(entry, place)
        if "of" in entry:
            self._only(entry, {"of", *LIMITS}, place)
            self._limited(limits, place)
            self._told_apart(entry["of"], place)
            return self._limits(Test("of", self._parts(entry["of"], f"{place}.of")), entry, place)
        if "count" in entry:
            return self._count(entry, place)
        if "if" in entry:
            self._only(entry, {"if", "then"}, place)
            words = [word for word in ("if", "then") if word in entry]
            return Test("if", tuple(self.test(entry[word], f"{place}.{word}") for word in words))
        if "test" in entry:
            word = "waived_by" if "waived_by" in entry else "voided_by"
            self._only(entry, {"test", word}, place)
            parts = tuple(self.test(entry[part], f"{place}.{part}") for part in ("test", word) if part in entry)
            return Test(word.removesuffix("_by"), parts)
        if len(entry) != 1:
            self.problem("policy", place, f"one word at a time; found {', '.join(sorted(entry))}")
        word, inner = next(iter(entry.items()))
        if word == "not":
            return Test("not", (self.test(inner, f"{place}.not"),))
        if word not in _LISTS:
            self.problem(
                "policy", place, f"'{word}' cannot stand alone; beside it is a 'fact', 'of', 'count' or 'test'"
            )
            return Test("all")
        return Test(word, self._parts(inner, f"{place}.{word}"))

    def _parts(self, entries: list[Mapping[str, Any]], place: str) -> tuple[Test, ...]:
        return tuple(self.test(part, f"{place}[{n}]") for n, part in enumerate(entries))

    def _comparison(self, entry: Mapping[str, Any], place: str) -> Test:
        self.known(entry["fact"], self._facts, "fact", "policy", f"{place}.fact")
        comparisons = entry.keys() - {"fact"}
        if not comparisons or ("is" in entry and len(comparisons) > 1) or comparisons - {"is", *LIMITS}:
            self.problem("policy", place, "a comparison needs 'is', or 'at_least' and/or 'at_most', and nothing else")
        else:
            self._fits(entry, place)
        return self._limits(Test("fact", (), entry["fact"], entry.get("is")), entry, place)

    def _fits(self, entry: Mapping[str, Any], place: str) -> None:
        """Notes a comparison that does not suit its fact: yes/no by ``is``, a number with limits that can be met."""
        rule = self._facts.get(entry["fact"])
        if rule is not None and rule.kind == "events":
            self.problem("policy", place, f"the fact '{rule.name}' is of kind 'events' and is counted by 'count'")
        elif rule is not None and (rule.kind in YES_OR_NO) != ("is" in entry):
            allowed = "'is'" if rule.kind in YES_OR_NO else "'at_least' and 'at_most'"
            self.problem(
                "policy", place, f"the fact '{rule.name}' is of kind '{rule.kind}' and is compared by {allowed}"
            )

    def _count(self, entry: Mapping[str, Any], place: str) -> Test:
        self._only(entry, {"count", "where", "after", *LIMITS}, place)
        self._limited(entry.keys() & set(LIMITS), place)
        events = sorted(name for name, rule in self._facts.items() if rule.kind == "events")
        known = self.known(entry["count"], events, "fact of kind 'events'", "policy", f"{place}.count")
        if "after" in entry:
            dated = sorted(name for name, rule in self._facts.items() if rule.kind in ("record", "events"))
            self.known(entry["after"], dated, "fact of kind 'record' or 'events'", "policy", f"{place}.after")
        parts: tuple[Test, ...] = ()
        if "where" in entry:
            attributes = self._facts[entry["count"]].attributes if known else {}
            inner = TestReader(self._problems, attributes, self._numbers)
            parts = (inner.test(entry["where"], f"{place}.where"),)
            self.named |= inner.named
        return self._limits(Test("count", parts, entry["count"], after=entry.get("after", "")), entry, place)

    def _told_apart(self, members: list[Mapping[str, Any]], place: str) -> None:
        """Notes a finding that two members of a list read, and that would be counted twice."""
        seen: dict[str, int] = {}
        for n, member in enumerate(members):
            for name in _facts_in(member):
                rule = self._facts.get(name)
                for link in {f"fact {name}", *(f"item {item}" for item in (rule.items if rule else ()))}:
                    if seen.setdefault(link, n) != n and "voided_by" not in members[n]:
                        self.problem(
                            "policy",
                            f"{place}.of[{n}]",
                            f"the {link} already stands in of[{seen[link]}] and would be counted twice",
                        )

    def _only(self, entry: Mapping[str, Any], allowed: set[str], place: str) -> None:
        """Notes words that do not go together, and words without the one that they need."""
        more = sorted(entry.keys() - allowed)
        if more:
            together = ", ".join(sorted(allowed))
            self.problem("policy", place, f"{', '.join(more)} cannot stand here; beside each other are {together}")
        needed = allowed - set(LIMITS) - {"where", "after"}
        for word in sorted(needed - entry.keys()):
            self.problem("policy", place, f"'{word}' is missing; {' and '.join(sorted(needed))} go together")

    def _limited(self, limits: Any, place: str) -> None:
        if not limits:
            self.problem("policy", place, f"a number to compare with is missing; one of {', '.join(LIMITS)}")

    def _limits(self, test: Test, entry: Mapping[str, Any], place: str) -> Test:
        """The test with the limits that its entry names."""
        limits = {word: self._number(entry[word], f"{place}.{word}") for word in LIMITS if word in entry}
        if not limits:
            return test
        low = max((limits[word] for word in ("at_least", "more_than") if word in limits), default=float("-inf"))
        high = min((limits[word] for word in ("at_most", "less_than") if word in limits), default=float("inf"))
        if low > high:
            words = [word for word in LIMITS if word in limits]
            self.problem("policy", place, f"{words[0]} is above {words[-1]}, so that nothing can ever meet it")
        return replace(
            test,
            at_least=limits.get("at_least"),
            at_most=limits.get("at_most"),
            more_than=limits.get("more_than"),
            less_than=limits.get("less_than"),
        )

    def _number(self, value: Any, place: str) -> float:
        if not isinstance(value, str):
            return float(value) if not isinstance(value, int) else value
        name = value.removeprefix("$")
        self.named.add(name)
        if not self.known(name, self._numbers, "parameter", "policy", place):
            return 0
        return self._numbers[name]


def _facts_in(entry: Any) -> set[str]:
    """The facts that a member's test reads, without those that only void or waive it."""
    if isinstance(entry, list):
        return {name for item in entry for name in _facts_in(item)}
    if not isinstance(entry, dict):
        return set()
    found = {entry["fact"]} if isinstance(entry.get("fact"), str) else set()
    inner = (value for key, value in entry.items() if key not in ("voided_by", "waived_by", "if"))
    return found.union(*(_facts_in(value) for value in inner))
