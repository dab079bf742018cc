"""``agree``: several sources of one truth; contradiction is unknown, a silent one leaves it to the others."""

from cds_service.facts import logic
from cds_service.facts.evaluated import Evaluated
from cds_service.facts.logic import Truth
from cds_service.facts.word import ListWord, best_manner, list_of_tests


class Agree(ListWord):
    """What all sources say that say anything."""

    name = key = "agree"
    schema = {"agree": list_of_tests(2)}
    heading = "All that speak agree; one that is silent leaves it to the others, and contradiction is unknown:"
    separator = ". "
    swapped_with = "first"
    swap_advice = "in no case do these sources contradict each other: add one"

    def fold(self, truths: list[Truth]) -> Truth:
        """The one truth that is said; unknown where two are, or none."""
        return logic.agreement(truths)

    def contradicts_itself(self, found: Evaluated) -> bool:
        """Whether both are said."""
        return {each.truth for each in found.inner} >= {Truth.MET, Truth.NOT_MET}

    def manner(self, found: Evaluated) -> str:
        """That of the inner test that needs the least excuse."""
        return best_manner([each for each in found.inner if each.truth is Truth.MET])


WORD = Agree()
