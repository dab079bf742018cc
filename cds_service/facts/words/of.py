"""``of``: a number of these tests are met."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from cds_service.facts.clauses import Clause
from cds_service.facts.comparing import compare, how_many, limit_of, limits_in_words
from cds_service.facts.evaluated import Evaluated, Facts
from cds_service.facts.kind import Rules
from cds_service.facts.logic import Truth
from cds_service.facts.word import (
    LIMIT_SCHEMAS,
    TestWord,
    Why,
    clause,
    evaluate,
    inner_sentence,
    leaves,
    list_of_tests,
    together,
    word_of,
)
from cds_service.fhir.sentence_case import capital
from cds_service.policy.loading.tests import LIMITS, TestReader
from cds_service.policy.model import Test
from cds_service.policy.places import Steps


class Of(TestWord):
    """How many are met, at least and at most, compared with a limit."""

    name = key = "of"
    schema = {"of": list_of_tests(2), **LIMIT_SCHEMAS}
    has_company = True
    is_leaf = True

    def load(self, entry: Mapping[str, Any], place: Steps, reader: TestReader) -> Test:
        """The test of ``{"of": […], "at_least": …}``; no finding may count twice."""
        reader.only(entry, {"of"}, set(LIMITS), place)
        _told_apart(entry["of"], place, reader)
        test = Test(self, reader.tests(entry["of"], (*place, "of")), place=place)
        return reader.limited(test, entry, place)

    def evaluate(self, test: Test, facts: Facts) -> Evaluated:
        """Whether the number of inner tests that are met is within the limits."""
        inner = tuple(evaluate(each, facts) for each in test.inner)
        return Evaluated(test, together(inner, lambda truths: compare(test, how_many(truths))), inner)

    def beside_when_met(self, found: Evaluated) -> str:
        """How many are met, not met and open."""
        return members(found)

    def why_it_fails(self, found: Evaluated) -> Why:
        """How many are met, not met and open."""
        said = members(found)
        return Why(said, said)

    def why_it_is_open(self, found: Evaluated) -> str:
        """How many are met, not met and open; "" if all are open."""
        nothing_known = how_many(each.truth for each in found.inner) == (0, len(found.inner))
        return "" if nothing_known else members(found)

    def what_is_open(self, found: Evaluated) -> list[str]:
        """What is open in each inner test."""
        if found.truth is not Truth.UNKNOWN:
            return []
        inner = (leaf for each in found.inner for leaf in leaves(each))
        return [title for leaf in inner for title in word_of(leaf.test).what_is_open(leaf)]

    def clause(self, test: Test, rules: Rules) -> Clause:
        """The required number of the inner clauses."""
        heading = f"{capital(limits_in_words(test))} of these:"
        return Clause(heading, tuple(clause(each, rules) for each in test.inner))

    def sentence(self, test: Test, rules: Rules) -> str:
        """The required number of the inner sentences."""
        return f"{limits_in_words(test)} of: {'; '.join(inner_sentence(each, rules) for each in test.inner)}"

    def at_limit(self, test: Test, value: int | float, rules: Rules, today: date) -> str:
        """A case in which exactly ``value`` tests are met."""
        return f"in which {value} of these {len(test.inner)} tests are met"


def members(found: Evaluated) -> str:
    """How many members of a list are met, not met and open."""
    truths = [each.truth for each in found.inner]
    met, negative = truths.count(Truth.MET), truths.count(Truth.NOT_MET)
    counted = ((met, "positive"), (negative, "negative"), (truths.count(Truth.UNKNOWN), "not on record"))
    said = ", ".join(f"{number} {word}" for number, word in counted if number or word == "positive")
    return f"{said} of {len(truths)}, {limit_of(found.test)} needed"


def _told_apart(entries: list[Mapping[str, Any]], place: Steps, reader: TestReader) -> None:
    """Notes a finding that two members of a list read, and that would count twice."""
    seen: dict[str, int] = {}
    for n, member in enumerate(entries):
        for name in _facts_in(member):
            rule = reader.facts.get(name)
            for link in {f"fact {name}", *(f"item {item}" for item in (rule.items if rule else ()))}:
                if seen.setdefault(link, n) != n and "voided_by" not in entries[n]:
                    reader.fault(
                        (*place, "of", n),
                        f"the {link} is already in of[{seen[link]}] and would be counted twice",
                    )


def _facts_in(entry: Any) -> set[str]:
    """The facts that a member's test reads, without facts that only void or waive it."""
    if isinstance(entry, list):
        return {name for item in entry for name in _facts_in(item)}
    if not isinstance(entry, dict):
        return set()
    found = {entry["fact"]} if isinstance(entry.get("fact"), str) else set()
    inner = (value for key, value in entry.items() if key not in ("voided_by", "waived_by", "if"))
    return found.union(*(_facts_in(value) for value in inner))


WORD = Of()
