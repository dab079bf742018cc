"""The closed vocabulary of policies: every kind of fact and every word of tests, a file each."""

from collections.abc import Mapping

from cds_service.facts.kind import Kind
from cds_service.facts.kinds import age, answer, events, measurement, onset, order, parts, record, reduction, since
from cds_service.facts.word import Word
from cds_service.facts.words import agree, all, any, count, fact, first, if_, not_, of, voided, waived
from cds_service.policy.loading.vocabulary import Vocabulary

# The order is that in which a fault names what is allowed.
_KINDS = (age, onset, since, measurement, reduction, answer, record, events, order, parts)
_WORDS = (fact, all, any, agree, first, not_, of, count, if_, waived, voided)

KINDS: Mapping[str, Kind] = {module.KIND.name: module.KIND for module in _KINDS}
WORDS: Mapping[str, Word] = {module.WORD.name: module.WORD for module in _WORDS}
VOCABULARY = Vocabulary(KINDS, WORDS)
