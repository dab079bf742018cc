"""The closed vocabulary of rule sets: every kind of fact and every word of tests, one file for each."""

from collections.abc import Mapping
from dataclasses import dataclass

from cds_service.facts.kind import FactKind
from cds_service.facts.kinds import (
    age,
    answer,
    events,
    measurement,
    onset,
    order,
    parts,
    record,
    reduction,
    since,
    words,
)
from cds_service.facts.word import TestWord
from cds_service.facts.words import agree, all, any, count, fact, first, if_, not_, of, voided, waived
from cds_service.policy.loading import vocabulary

# A fault lists the allowed names in this order.
_KINDS = (age, onset, since, measurement, reduction, answer, record, words, events, order, parts)
_WORDS = (fact, all, any, agree, first, not_, of, count, if_, waived, voided)


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary(vocabulary.LoadedVocabulary):
    """The kinds of facts and the words of tests by name, with everything that they do."""

    kinds: Mapping[str, FactKind]
    words: Mapping[str, TestWord]


VOCABULARY = Vocabulary(
    {module.KIND.name: module.KIND for module in _KINDS}, {module.WORD.name: module.WORD for module in _WORDS}
)
