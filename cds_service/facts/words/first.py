"""``first``: of several sources the first that says anything decides."""

from itertools import product

from cds_service.facts import logic
from cds_service.facts.evaluated import ALONE, Evaluated, Facts
from cds_service.facts.logic import Truth
from cds_service.facts.word import ListWord, evaluate, list_of_tests, manner_of
from cds_service.policy.model import Test


class First(ListWord):
    """What the first source says that says anything."""

    name = key = "first"
    schema = {"first": list_of_tests(2)}
    heading = "The first that is on record decides:"
    separator = "; else "
    swapped_with = "agree"
    swap_advice = "in no case do these sources contradict each other: add one"

    def evaluate(self, test: Test, facts: Facts) -> Evaluated:
        """The first truth that is not unknown."""
        parts = tuple(evaluate(part, facts) for part in test.parts)
        possible = ALONE[Truth.UNKNOWN]
        for part in parts:
            possible = frozenset(self.fold(list(pair)) for pair in product(possible, part.possible))
        return Evaluated(test, possible, parts)

    def fold(self, truths: list[Truth]) -> Truth:
        """The first truth that is not unknown."""
        return logic.first_settled(truths)

    def manner(self, found: Evaluated) -> str:
        """That of the part that decides."""
        return next((manner_of(part) for part in found.parts if part.truth is not Truth.UNKNOWN), "")


WORD = First()
