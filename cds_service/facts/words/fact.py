"""``fact``: a comparison of one fact, with ``is`` or with limits."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from cds_service.facts import logic
from cds_service.facts.clauses import Clause
from cds_service.facts.comparing import compare
from cds_service.facts.evaluated import ALONE, Evaluated, Facts
from cds_service.facts.evidence import ANYTHING, Fact, titled
from cds_service.facts.kind import Rules, kind_of
from cds_service.facts.logic import Truth
from cds_service.facts.word import LIMIT_SCHEMAS, TestWord, Why
from cds_service.policy.loading.tests import LIMITS, TestReader
from cds_service.policy.model import Test
from cds_service.policy.places import Steps

ONE_DAY = "values on the same day disagree"


class Comparison(TestWord):
    """A fact with several possible values is settled only if all of them agree."""

    name = key = "fact"
    schema = {"fact": {"$ref": "#/$defs/slug"}, "is": {"type": "boolean"}, **LIMIT_SCHEMAS}
    has_company = True
    is_leaf = True

    def load(self, entry: Mapping[str, Any], place: Steps, reader: TestReader) -> Test:
        """The test of ``{"fact": …, "is": …}`` or ``{"fact": …, "at_least": …}``."""
        reader.named_fact(entry["fact"], reader.facts, "fact", (*place, "fact"))
        comparisons = entry.keys() - {"fact"}
        if not comparisons or ("is" in entry and len(comparisons) > 1) or comparisons - {"is", *LIMITS}:
            reader.fault(place, "a comparison needs 'is', or 'at_least' and/or 'at_most', and nothing else")
        else:
            _fits(entry, place, reader)
        test = Test(self, (), entry["fact"], entry.get("is"), place=place)
        return reader.with_limits(test, entry, place)

    def facts(self, test: Test) -> Iterator[str]:
        """The fact that it compares."""
        yield test.fact

    def evaluate(self, test: Test, facts: Facts) -> Evaluated:
        """The truth on which all possible values agree; unknown if they disagree, or without values."""
        fact = facts[test.fact]
        truth = logic.agreement_of_all([compare(test, value) for value in fact.values])
        # An unreadable value may be anything, and is not silence.
        is_open = fact.open or ANYTHING in fact.values
        possible = kind_of(fact.rule).truths_if_open(test, fact, truth) if is_open else ALONE[truth]
        return Evaluated(test, possible, (), fact)

    def why_it_fails(self, found: Evaluated) -> Why:
        """The reason, in the words of the fact's kind."""
        assert found.fact is not None
        return Why(*kind_of(found.fact.rule).why_it_fails(found.test, found.fact))

    def why_it_is_open(self, found: Evaluated) -> str:
        """The contradiction between possible values; "" if there is none."""
        assert found.fact is not None
        truths = {compare(found.test, value) for value in found.fact.values}
        return _why_two_ways(found.fact) if truths >= {Truth.MET, Truth.NOT_MET} else ""

    def what_is_open(self, found: Evaluated) -> list[str]:
        """States that the fact is not on record, or does not settle the test."""
        if found.truth is not Truth.UNKNOWN:
            return []
        assert found.fact is not None
        title = titled(found.fact.rule)
        silent = all(value == ANYTHING for value in found.fact.values)
        return [f"{title} not recorded" if silent else f"{title} does not settle it"]

    def clause(self, test: Test, rules: Rules) -> Clause:
        """The comparison, without inner clauses."""
        return Clause(self.sentence(test, rules))

    def sentence(self, test: Test, rules: Rules) -> str:
        """ "Body mass index: at most 35 kg/m2"."""
        rule = rules[test.fact]
        return f"{rule.title}: {kind_of(rule).compared(test, rule)}"

    def at_limit(self, test: Test, value: int | float, rules: Rules, today: date) -> str:
        """A case in which the fact has that value, with the date that gives it."""
        rule = rules[test.fact]
        return f"with '{test.fact}' {value}{kind_of(rule).dated(rule.in_months, value, today)}"


def _fits(entry: Mapping[str, Any], place: Steps, reader: TestReader) -> None:
    """Notes a comparison that does not fit its fact: yes/no needs ``is``, a number needs limits that can be met."""
    rule = reader.facts.get(entry["fact"])
    if rule is None:
        return
    if rule.kind.is_of_words:
        allowed = "it can be a hint, contrary, or for review"
        reader.fault(place, f"the fact '{rule.name}' is of kind '{rule.kind.name}', which settles nothing; {allowed}")
    elif rule.kind.compared_by == "count":
        reader.fault(place, f"the fact '{rule.name}' is of kind '{rule.kind.name}' and is counted by 'count'")
    elif (rule.kind.compared_by == "is") != ("is" in entry):
        allowed = "'is'" if rule.kind.compared_by == "is" else "'at_least' and 'at_most'"
        reader.fault(place, f"the fact '{rule.name}' is of kind '{rule.kind.name}' and is compared by {allowed}")


def _why_two_ways(fact: Fact) -> str:
    attested = {item.is_attested for item in fact.evidence}
    if len(attested) == 2:
        return "record and attestation disagree"
    return ONE_DAY if len(fact.evidence) > 1 else "it can be read in two ways"


WORD = Comparison()
