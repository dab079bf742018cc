"""``any``: at least one of these tests is met."""

from cds_service.facts import logic
from cds_service.facts.evaluated import Evaluated
from cds_service.facts.logic import Truth
from cds_service.facts.word import ListWord, best_manner, list_of_tests


class Any(ListWord):
    """Strong Kleene OR."""

    name = key = "any"
    schema = {"any": list_of_tests(1)}
    heading = "At least one of these:"
    separator = "; or "
    swapped_with = "all"
    swap_advice = "no case meets some of these tests and fails others: add one"

    def fold(self, truths: list[Truth]) -> Truth:
        """One met test settles it; one unknown test keeps it open."""
        return logic.some(truths)

    def manner(self, found: Evaluated) -> str:
        """The manner of the inner test that needs the least excuse."""
        return best_manner([each for each in found.inner if each.truth is Truth.MET])


WORD = Any()
