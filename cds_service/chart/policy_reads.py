"""What must be read of a chart for some of the policies: their resource types and their code sets, nobody else's."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from cds_service.chart.code_index import Lexicon
from cds_service.fhir.types import TYPES
from cds_service.policy.model import Policy

# Each remembers codes of its own, so that they must be few; most calls concern one policy.
REMEMBERED = 16


class Needs(NamedTuple):
    """The resource types and the codes that some policies read."""

    resource_types: frozenset[str]
    lexicon: Lexicon


class PolicyReadsIndex:
    """The needs of any of the policies, worked out when first asked for; the last few answers are remembered."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._policies = {policy.id: policy for policy in policies}
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._needs)

    def of(self, policies: Iterable[Policy]) -> Needs:
        """What these policies, which are some of the index's own, read together."""
        return self._remembered(tuple(policy.id for policy in policies))

    def _needs(self, ids: tuple[str, ...]) -> Needs:
        policies = [self._policies[name] for name in ids]
        types = frozenset[str]().union(*(policy.resource_types for policy in policies))
        return Needs(types, Lexicon(policy.code_sets.values() for policy in policies))


def types_of_opening(policy: Policy) -> frozenset[str]:
    """The resource types that tell whether a policy has something to say when a chart is opened."""
    tests = [test for test in (policy.patient_view_when, policy.patient_view_unless) if test is not None]
    rules = [policy.facts[name] for test in tests for name in test.facts()]
    rules += [policy.facts[name] for rule in rules for name in (rule.start, rule.end) if name]
    # A record may give its reason by a reference to a Condition.
    asked = [rule for rule in rules if rule.reason or rule.elsewhere or rule.only_for]
    reasons = {kind for rule in asked for name in rule.resources for kind in TYPES[name].reasons}
    return frozenset[str]().union(*(rule.types() for rule in rules)) | (reasons & policy.resource_types)
