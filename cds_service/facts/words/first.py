"""``first``: the first of several sources that is not silent decides."""

from itertools import product

from cds_service.facts import logic
from cds_service.facts.evaluated import ALONE, Evaluated, Facts
from cds_service.facts.logic import Truth
from cds_service.facts.word import ListWord, evaluate, list_of_tests, manner_of
from cds_service.policy.model import Test


class First(ListWord):
    """The truth of the first source that is not silent."""

    name = key = "first"
    schema = {"first": list_of_tests(2)}
    heading = "The first that is on record decides:"
    separator = "; else "
    swapped_with = "agree"
    swap_advice = "in no case do these sources contradict each other: add one"

    def evaluate(self, test: Test, facts: Facts) -> Evaluated:
        """The first truth that is not unknown."""
        inner = tuple(evaluate(each, facts) for each in test.inner)
        possible = ALONE[Truth.UNKNOWN]
        for each in inner:
            possible = frozenset(self.fold(list(pair)) for pair in product(possible, each.possible))
        return Evaluated(test, possible, inner)

    def fold(self, truths: list[Truth]) -> Truth:
        """The first truth that is not unknown."""
        return logic.first_settled(truths)

    def manner(self, found: Evaluated) -> str:
        """The manner of the test that decides."""
        return next((manner_of(each) for each in found.inner if each.truth is not Truth.UNKNOWN), "")


WORD = First()
