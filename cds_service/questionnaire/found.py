"""What a chart contains for a question, in words: the findings, nothing, or why they could not be read."""

from collections.abc import Mapping, Sequence

from cds_service.facts.evidence import Evidence, Known
from cds_service.fhir.types import TYPES
from cds_service.questionnaire import question_words as words
from cds_service.questionnaire.questions import FormQuestion
from cds_service.verdicts.criteria import Finding


def found_in_words(
    question: FormQuestion,
    recorded: Known,
    findings: Mapping[str, Finding],
    most: int | None = None,
    *,
    with_answers: bool = True,
) -> str:
    """The chart's content for a question: evidence of its fact and criteria, contrary records, and unread types.

    ``recorded`` are the facts of the call without the answers to forms; ``findings`` are those of the decision, by key,
    and include the answers. With ``most``, at most that many records are named, without references. ``with_answers``:
    form answers are included, even answers to other questions of the same criteria.
    """
    concerned = [item for item in findings.values() if concerns(item, question)]
    facts = recorded.parts.get(question.part, recorded.whole) if question.part else recorded.whole
    fact = facts.get(question.fact.name)
    shown = [*(fact.evidence if fact else ()), *(record for item in concerned for record in item.evidence)]
    contrary = list(dict.fromkeys(record for item in concerned for record in item.contrary))
    named = [item for item in dict.fromkeys(shown) if item not in contrary and (with_answers or not item.is_attested)]
    unread = dict.fromkeys(TYPES[name].called for item in concerned for name in item.unread if name in TYPES)
    sentences = [
        _listed(words.FOUND, named, most),
        _listed(words.CONTRARY, contrary, most),
        words.not_read(", ".join(unread)) if unread else "",
    ]
    return " ".join(filter(None, sentences)) or words.NOTHING_FOUND


def concerns(finding: Finding, question: FormQuestion) -> bool:
    """Whether the answer to a question bears on a finding of the same part."""
    of_part = not question.part or finding.part is None or finding.part.id == question.part
    return of_part and finding.criterion.id in question.criteria


def contradicted(findings: Mapping[str, Finding]) -> frozenset[str]:
    """The ids of the criteria that a record contradicts; a clinician may answer them despite the record."""
    return frozenset(item.criterion.id for item in findings.values() if item.contrary)


def _listed(beginning: str, records: Sequence[Evidence], most: int | None) -> str:
    texts = [_record(record, with_reference=most is None) for record in records[:most]]
    more = [words.more(len(records) - len(texts))] if len(records) > len(texts) else []
    return words.found(beginning, "; ".join([*texts, *more])) if texts else ""


def _record(record: Evidence, *, with_reference: bool) -> str:
    inside = ", ".join(filter(None, (record.code, record.date, record.reference if with_reference else "")))
    said = f"{record.display}: {record.value}" if record.value else record.display
    if record.attested and record.attested.by:
        said = words.attested_by(said, record.attested.by)
    return f"{said} ({inside})" if inside else said
