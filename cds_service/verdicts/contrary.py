"""Records that contradict a criterion, and answers given despite them."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from cds_service.facts.evidence import Evidence, Fact, InSpiteOf
from cds_service.facts.roles import CLINICIAN
from cds_service.fhir.dates import days
from cds_service.fhir.sentence_case import inside_sentence
from cds_service.policy.model import Criterion

Facts = Mapping[str, Fact]


class Answered(NamedTuple):
    """A contrary record, and a clinician's answer despite it."""

    record: Evidence
    answer: Evidence
    in_spite_of: InSpiteOf

    def in_words(self, safe: Callable[[str], str] = str) -> str:
        """The answer in words: "attested despite dementia (F03.90, 2026-10-01), Dr. X: mild, partner operates".

        ``safe`` escapes the chart's own words for the place where they are shown.
        """
        inside = ", ".join(filter(None, (self.record.code and safe(self.record.code), self.record.date)))
        named = safe(inside_sentence(self.record.display)) + (f" ({inside})" if inside else "")
        by = self.answer.attested.by if self.answer.attested else ""
        return f"attested despite {named}, {safe(by)}: {safe(self.in_spite_of.why)}"


class Against(NamedTuple):
    """The records that contradict a criterion.

    ``unanswered`` records come with ``says``, the facts that nobody recorded about them; ``answered`` ones with their
    answers. ``beside_test``: the criterion's test does not read one of the unanswered records, and so cannot evaluate
    it. ``to_confirm`` are records that are shown but do not change the criterion.
    """

    unanswered: tuple[Evidence, ...] = ()
    beside_test: bool = False
    says: tuple[str, ...] = ()
    answered: tuple[Answered, ...] = ()
    to_confirm: tuple[Evidence, ...] = ()

    @property
    def records(self) -> tuple[Evidence, ...]:
        """All records that contradict the criterion."""
        return tuple(dict.fromkeys((*self.unanswered, *(item.record for item in self.answered), *self.to_confirm)))


NOTHING_AGAINST = Against()


def against(criterion: Criterion, facts: Facts) -> Against:
    """The records that contradict a criterion.

    Each record counts, whatever its date, until a clinician answers despite that record, with a reason, on or after its
    date. A record newer than the answer counts.
    """
    if not criterion.contrary:
        return NOTHING_AGAINST
    answers = [item for name in criterion.reads for item in facts[name].evidence if item.attested]
    unanswered: dict[Evidence, None] = {}
    answered: dict[Evidence, Answered] = {}
    says: dict[str, None] = {}
    named: set[str] = set()
    to_confirm: dict[Evidence, None] = {}
    beside_test = False
    for entry in criterion.contrary:
        fact = facts[entry.fact]
        if entry.to_confirm:
            if True in fact.values:
                to_confirm |= dict.fromkeys(fact.evidence)
                says.setdefault(entry.says)
            continue
        # A fact without a value comes from words next to an unlisted code: it contradicts, but settles nothing.
        for record in fact.evidence if True in fact.values or not fact.values else ():
            in_spite = _in_spite(record, answers)
            beside_test = beside_test or (in_spite is None and entry.fact not in criterion.reads)
            # Two facts may read the same record, each in its own words; the record contradicts once.
            if record.reference in named and "/" in record.reference:
                continue
            named.add(record.reference)
            if in_spite is not None:
                answered[record] = in_spite
            else:
                unanswered.setdefault(record)
                says.setdefault(entry.says)
    return Against(tuple(unanswered), beside_test, tuple(says), tuple(answered.values()), tuple(to_confirm))


def may_be_against(criterion: Criterion, facts: Facts) -> bool:
    """Whether an unread contrary record may exist."""
    facts_against = (facts[entry.fact] for entry in criterion.contrary if not entry.to_confirm)
    return any(fact.open and not fact.only_by_words for fact in facts_against)


def without_answered(criterion: Criterion, facts: Facts, found: Against) -> Facts:
    """The facts for the test; facts that contradict the criterion come without their answered records."""
    if not found.answered:
        return facts
    gone = {item.record.reference for item in found.answered}
    changed = dict(facts)
    for name in {entry.fact for entry in criterion.contrary}.intersection(criterion.reads):
        fact = facts[name]
        left = tuple(item for item in fact.evidence if item.reference not in gone)
        if len(left) < len(fact.evidence):
            changed[name] = fact._replace(evidence=left, values=fact.values if left else ())
    return changed


def _in_spite(record: Evidence, answers: Iterable[Evidence]) -> Answered | None:
    for answer in answers:
        if answer.attested is None or answer.attested.kind != CLINICIAN:
            continue
        for item in answer.attested.in_spite_of:
            if item.reference == record.reference and _not_newer(record, answer):
                return Answered(record, answer, item)
    return None


def _not_newer(record: Evidence, answer: Evidence) -> bool:
    """Whether a record is certainly not newer than an answer; true if either has no date."""
    return record.date is None or answer.date is None or days(record.date).last <= days(answer.date).first
