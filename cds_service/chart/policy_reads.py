"""The resource types and code sets that a chart must provide for some of the rule sets, and no others."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from cds_service.chart.code_index import Lexicon
from cds_service.fhir.types import TYPES
from cds_service.policy.model import Policy

# Keep few, because each remembers codes of its own; most calls concern one rule set.
REMEMBERED = 16


class Needs(NamedTuple):
    """The resource types and the codes that some rule sets read."""

    resource_types: frozenset[str]
    lexicon: Lexicon


class PolicyReadsIndex:
    """The needs of any of the rule sets, computed on first use; it remembers the most recent results."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._policies = {policy.id: policy for policy in policies}
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._needs)

    def of(self, policies: Iterable[Policy]) -> Needs:
        """The combined needs of these rule sets, all of them in the index."""
        return self._remembered(tuple(policy.id for policy in policies))

    def _needs(self, ids: tuple[str, ...]) -> Needs:
        policies = [self._policies[name] for name in ids]
        types = frozenset[str]().union(*(policy.resource_types for policy in policies))
        return Needs(types, Lexicon(policy.code_sets.values() for policy in policies))


def types_of_opening(policy: Policy) -> frozenset[str]:
    """The resource types that decide whether a rule set shows a card when a chart is opened."""
    tests = [test for test in (policy.patient_view_when, policy.patient_view_unless) if test is not None]
    rules = [policy.facts[name] for test in tests for name in test.facts()]
    rules += [policy.facts[name] for rule in rules for name in (rule.start, rule.end) if name]
    # A record may give its reason by a reference to a Condition.
    asked = [rule for rule in rules if rule.reason or rule.elsewhere or rule.only_for]
    reasons = {kind for rule in asked for name in rule.resources for kind in TYPES[name].reasons}
    return frozenset[str]().union(*(rule.types() for rule in rules)) | (reasons & policy.resource_types)
