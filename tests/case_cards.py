"""Every card of every case of a shipped policy, evaluated once for all tests of a process that look at them."""

from functools import cache

from cds_service.authoring import cases
from cds_service.service.statement import Answer
from tests.shipped import guide, library


@cache
def case_cards(policy_id: str) -> tuple[tuple[str, Answer], ...]:
    """(name of the case, answer) of each answer with a card."""
    results = cases.run_cases(library().policy(policy_id), guide())
    return tuple((item.name, found) for item in results for found in item.answers if found.card is not None)
