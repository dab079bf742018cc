"""The summary of a card: one sentence of at most 100 characters with the therapy, the outcome, and the finding."""

from collections.abc import Iterable, Iterator, Sequence

from cds_service.card.assessment import Assessment, Row
from cds_service.card.evidence_words import code_of, fails, name_of, parts_in_words, value_of
from cds_service.card.outcomes import Outcome
from cds_service.card.style import Style
from cds_service.card.words import summary as words
from cds_service.facts.logic import Truth
from cds_service.verdicts.decisions import Urgent

LIMIT = 100


def summary(found: Assessment, style: Style) -> str:
    """The first wording that fits, with "if ordered" if there is no order yet."""
    if found.outcome is Outcome.DECEASED:
        return deceased(found.decision.died or "", style)
    for therapy in (therapy_of(found), found.phrases.therapy):
        for said in _SAYS[found.outcome](found, style):
            text = words.headed(therapy, said, if_ordered=found.decision.order is None)
            if len(text) <= LIMIT:
                return text
    return text[: LIMIT - 1].rstrip() + "…"


def deceased(died: str, style: Style) -> str:
    """The summary for a patient recorded as deceased."""
    return words.deceased(style.date(died[:10]))


def therapy_of(found: Assessment) -> str:
    """The therapy, with its side if sides are evaluated separately."""
    therapy, parts = found.phrases.therapy, found.decision.parts
    return words.of_side(therapy, parts_in_words(found.policy, parts)) if parts else therapy


def criteria_of(found: Assessment, rows: Sequence[Row]) -> str:
    """The number of criteria, "8 FDA label criteria", or "5 applicable FDA label criteria" if some do not apply."""
    number = sum(row.applies for row in rows)
    return words.counted_criteria(number, found.phrases.label, applicable=number < len(rows))


def urgent_name(item: Urgent) -> str:
    """The name and code of an urgent record."""
    return words.coded(item.name, code_of(item.record))


def _contraindicated(found: Assessment, style: Style) -> Iterator[str]:
    first, *others = found.contraindicated
    label = found.phrases.label.split()[0]
    more = len(others) + len(found.off_label)
    references = {item.reference for item in first.finding.evidence}
    urgent = next((item.name for item in found.urgent if item.record.reference in references), "")
    said = fails(first, style)
    if urgent and urgent not in said:
        yield words.contraindicated_record(urgent, said, label, more)
        yield words.contraindicated_record_alone(urgent, label, more)
    yield words.contraindication(said, label, more)
    yield words.contraindicated(said, more)


def _pressing(found: Assessment, _style: Style) -> Iterator[str]:
    row, urgent = found.pressing[0]
    more = len(found.pressing) - 1
    if urgent is not None:
        yield words.resolve_record(urgent_name(urgent), more)
        yield words.resolve_name(urgent.name, more)
    elif row is not None:
        # A record named only in the chart's own words stays in the detail.
        named = [item for item in row.finding.contrary if code_of(item)]
        if named:
            yield words.resolve_record(words.coded(name_of(named[0]), code_of(named[0])), more)
        yield words.resolve_conflict(row.phrases.topic, more)


def _off_label(found: Assessment, style: Style) -> Iterator[str]:
    first, *others = found.off_label
    yield words.outside_label(found.phrases.fail_word, fails(first, style), len(others))
    yield words.outside_label(found.phrases.fail_word, first.phrases.topic, len(others))


def _implanted(found: Assessment, style: Style) -> Iterator[str]:
    line, evidence = next((line, rest) for line, rest in found.decision.for_review if line.withholds_codes)
    said = found.phrases.implanted[line.fact].summary
    placed = max((item.date for item in evidence if item.date and not item.reference.startswith("Cond")), default="")
    if placed:
        yield words.implanted(said, style.date(placed))
    yield said


def _payer_excludes(found: Assessment, _style: Style) -> Iterator[str]:
    payer = next(payer for _, payer in found.decision.payer.payers if payer is not None)
    covers_none = "covered" in payer.position
    yield words.payer_excludes(payer.name, payer.document, covers_none=covers_none)
    yield words.payer_excludes_briefly(payer.name, covers_none=covers_none)
    yield words.payer_excludes_briefly(words.PAYER, covers_none=covers_none)


def _conflict(found: Assessment, _style: Style) -> Iterator[str]:
    first, *others = found.conflicts
    yield words.conflict(first.phrases.topic, len(others))


def _not_read(found: Assessment, _style: Style) -> Iterator[str]:
    total = criteria_of(found, found.label)
    yield words.not_read(len(found.not_checked), total)
    yield words.not_read_briefly(len(found.not_checked), total)


def _two_sides(found: Assessment, _style: Style) -> Iterator[str]:
    yield ", ".join(words.side(name, _of_side(label + trial)) for name, (label, trial) in found.sides.items())


def _of_side(rows: Iterable[Row]) -> str:
    rows = tuple(rows)
    gaps = sum(row.truth is Truth.UNKNOWN for row in rows)
    failing = [row for row in rows if row.truth is Truth.NOT_MET]
    if gaps:
        return words.side_needs(gaps)
    if failing:
        return words.side_not_studied(failing[0].phrases.topic, len(failing) - 1)
    return words.side_met(by_attestation=any(row.by_attestation for row in rows))


def _gaps(found: Assessment, _style: Style) -> Iterator[str]:
    total = criteria_of(found, found.label)
    topics = [row.phrases.topic for row in found.open_label]
    if len(topics) <= 2:
        yield words.document_topics(topics, total)
    yield words.open_criteria(len(topics), total)


def _meets(found: Assessment) -> str:
    if not found.label_applies:
        return found.phrases.no_label
    return words.label_meets(found.phrases.label, by_attestation=_by_attestation(found))


def _by_attestation(found: Assessment) -> bool:
    return any(row.by_attestation for row in found.label)


def _not_studied(found: Assessment, style: Style) -> Iterator[str]:
    first, *others = found.not_studied
    yield words.not_studied(_meets(found), studied_as(first, style), len(others))
    yield words.findings_not_studied(_meets(found), len(others) + 1)


def studied_as(row: Row, style: Style) -> str:
    """The finding that the trials did not study: the measured value, otherwise the topic."""
    value = next((value_of(item, style) for item in row.finding.evidence if item.value), "")
    return row.phrases.met.format(value=value) if row.phrases.met and value else row.phrases.topic


def _trial_gaps(found: Assessment, _style: Style) -> Iterator[str]:
    label = found.phrases.no_label
    if found.label_applies:
        label = words.label_met(found.phrases.label, by_attestation=_by_attestation(found))
    gaps = found.open_trial
    if len(gaps) == 1:
        yield words.document_of_trial(label, gaps[0].phrases.topic)
    yield words.open_of_trials(label, len(gaps))


def _met(found: Assessment, _style: Style) -> Iterator[str]:
    if not found.label:
        yield words.trials_met(found.phrases.no_label, len(found.trial))
        return
    total = criteria_of(found, found.label)
    attested = sum(row.by_attestation for row in found.label)
    applicable = sum(row.applies for row in found.label)
    if not attested:
        yield words.met_in_chart(total)
    elif attested == applicable:
        yield words.met_by_attestation(total)
    else:
        yield words.met_in_part_by_attestation(total, attested)


# The wordings of each outcome, fullest first.
_SAYS = {
    Outcome.CONTRAINDICATED: _contraindicated,
    Outcome.CONFLICT_URGENT: _pressing,
    Outcome.OFF_LABEL: _off_label,
    Outcome.IMPLANTED: _implanted,
    Outcome.PAYER_EXCLUDES: _payer_excludes,
    Outcome.CONFLICT: _conflict,
    Outcome.NOT_READ: _not_read,
    Outcome.TWO_SIDES: _two_sides,
    Outcome.GAPS: _gaps,
    Outcome.NOT_STUDIED: _not_studied,
    Outcome.TRIAL_GAPS: _trial_gaps,
    Outcome.MET: _met,
}
