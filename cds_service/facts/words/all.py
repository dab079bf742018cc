"""``all``: every one of these tests is met."""

from cds_service.facts import logic
from cds_service.facts.evaluated import DOES_NOT_APPLY, WAIVED, Evaluated
from cds_service.facts.logic import Truth
from cds_service.facts.word import ListWord, list_of_tests, manner_of


class All(ListWord):
    """Strong Kleene AND."""

    name = key = "all"
    schema = {"all": list_of_tests(1)}
    heading = "All of these:"
    separator = "; and "
    swapped_with = "any"
    swap_advice = "no case meets some of these tests and fails others: add one"

    def fold(self, truths: list[Truth]) -> Truth:
        """One test that is not met settles it; one unknown test keeps it open."""
        return logic.every(truths)

    def manner(self, found: Evaluated) -> str:
        """Waived if an inner test is waived, inapplicable if all inner tests are."""
        manners = [manner_of(each) for each in found.inner]
        if WAIVED in manners:
            return WAIVED
        return DOES_NOT_APPLY if manners and set(manners) == {DOES_NOT_APPLY} else ""


WORD = All()
