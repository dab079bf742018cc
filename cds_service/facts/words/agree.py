"""``agree``: several sources of one truth; contradiction is unknown, a silent source defers to the others."""

from cds_service.facts import logic
from cds_service.facts.evaluated import Evaluated
from cds_service.facts.logic import Truth
from cds_service.facts.word import ListWord, best_manner, list_of_tests


class Agree(ListWord):
    """The truth on which all sources that are not silent agree."""

    name = key = "agree"
    schema = {"agree": list_of_tests(2)}
    heading = "All that speak agree; one that is silent leaves it to the others, and contradiction is unknown:"
    separator = ". "
    swapped_with = "first"
    swap_advice = "in no case do these sources contradict each other: add one"

    def fold(self, truths: list[Truth]) -> Truth:
        """The one truth that is not unknown; unknown if there are two, or none."""
        return logic.agreement(truths)

    def contradicts_itself(self, found: Evaluated) -> bool:
        """Whether one source is met and another is not."""
        return {each.truth for each in found.inner} >= {Truth.MET, Truth.NOT_MET}

    def manner(self, found: Evaluated) -> str:
        """The manner of the inner test that needs the least excuse."""
        return best_manner([each for each in found.inner if each.truth is Truth.MET])


WORD = Agree()
