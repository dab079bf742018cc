"""What must be read of a chart for some of the policies: their resource types and their code sets, nobody else's."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from cds_service.chart.code_index import Lexicon
from cds_service.policy.model import Policy

# Each remembers codes of its own, so that they must be few; most calls are the business of one policy.
REMEMBERED = 16


class Needs(NamedTuple):
    """The resource types and the codes that some policies read."""

    resource_types: frozenset[str]
    lexicon: Lexicon


class NeedsIndex:
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
