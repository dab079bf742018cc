"""The summary of a card: one sentence of 100 characters at most that names the therapy, the outcome and the finding."""

from collections.abc import Iterable, Iterator, Sequence

from cds_service.card.assessment import Assessment, Row
from cds_service.card.evidence_words import code_of, fails, name_of, parts_in_words, value_of
from cds_service.card.outcomes import Outcome
from cds_service.card.style import Style
from cds_service.facts.logic import Truth
from cds_service.verdicts.decisions import Urgent

LIMIT = 100


def summary(found: Assessment, style: Style) -> str:
    """The first wording that fits; ``if ordered`` where no order is placed yet."""
    if found.outcome is Outcome.DECEASED:
        return deceased(found.decision.died or "", style)
    condition = "" if found.decision.order is not None else "if ordered, "
    for therapy in (therapy_of(found), found.phrases.therapy):
        for said in _SAYS[found.outcome](found, style):
            text = f"{therapy}: {condition}{said}"
            if len(text) <= LIMIT:
                return text
    return text[: LIMIT - 1].rstrip() + "…"


def deceased(died: str, style: Style) -> str:
    """What is said of a patient who is recorded as deceased."""
    when = f" ({style.date(died[:10])})" if died else ""
    return f"Patient recorded as deceased{when}: confirm the patient before ordering"


def therapy_of(found: Assessment) -> str:
    """The therapy, with its side where sides are judged apart."""
    therapy, parts = found.phrases.therapy, found.decision.parts
    return f"{therapy}, {parts_in_words(found.policy, parts)}" if parts else therapy


def criteria_of(found: Assessment, rows: Sequence[Row]) -> str:
    """ "8 FDA label criteria" of these rows, "5 applicable" where some do not apply."""
    applicable = [row for row in rows if row.applies]
    word = "applicable " if len(applicable) < len(rows) else ""
    return f"{len(applicable)} {word}{found.phrases.label} {'criterion' if len(applicable) == 1 else 'criteria'}"


def _more(count: int) -> str:
    return f", +{count} more" if count > 0 else ""


def urgent_name(item: Urgent) -> str:
    """An urgent record by its name and code."""
    code = code_of(item.record)
    return f"{item.name} ({code})" if code else item.name


def _contraindicated(found: Assessment, style: Style) -> Iterator[str]:
    first, *others = found.contraindicated
    label = found.phrases.label.split()[0]
    more = _more(len(others) + len(found.off_label))
    references = {item.reference for item in first.finding.evidence}
    urgent = next((item.name for item in found.urgent if item.record.reference in references), "")
    said = fails(first, style)
    if urgent and urgent not in said:
        yield f"{urgent}, {said} ({label} contraindication){more}"
        yield f"{urgent}, contraindicated ({label}){more}"
    yield f"{said} ({label} contraindication){more}"
    yield f"contraindicated, {said}{more}"


def _pressing(found: Assessment, _style: Style) -> Iterator[str]:
    row, urgent = found.pressing[0]
    more = _more(len(found.pressing) - 1)
    if urgent is not None:
        yield f"resolve before ordering, {urgent_name(urgent)} in chart{more}"
        yield f"resolve before ordering, {urgent.name}{more}"
    elif row is not None:
        # What is called by the chart's own words stays in the detail.
        named = [item for item in row.finding.contrary if code_of(item)]
        if named:
            yield f"resolve before ordering, {name_of(named[0])} ({code_of(named[0])}) in chart{more}"
        yield f"resolve before ordering, conflicting records on {row.phrases.topic}{more}"


def _off_label(found: Assessment, style: Style) -> Iterator[str]:
    first, *others = found.off_label
    yield f"{found.phrases.fail_word}, {fails(first, style)}{_more(len(others))}"
    yield f"{found.phrases.fail_word}, {first.phrases.topic}{_more(len(others))}"


def _implanted(found: Assessment, style: Style) -> Iterator[str]:
    line, evidence = next((line, rest) for line, rest in found.decision.for_review if line.withholds_codes)
    said = found.phrases.implanted[line.fact].summary
    placed = max((item.date for item in evidence if item.date and not item.reference.startswith("Cond")), default="")
    if placed:
        yield f"{said}, {style.date(placed)}"
    yield said


def _payer_excludes(found: Assessment, _style: Style) -> Iterator[str]:
    payer = next(payer for _, payer in found.decision.payer.payers if payer is not None)
    said = "policy says not covered" if "covered" in payer.position else "policy criteria not met"
    yield f"{payer.name} {said} ({payer.document})"
    yield f"{payer.name} {said}"
    yield f"payer's {said}"


def _conflict(found: Assessment, _style: Style) -> Iterator[str]:
    first, *others = found.conflicts
    yield f"conflicting records on {first.phrases.topic}{_more(len(others))}"


def _not_read(found: Assessment, _style: Style) -> Iterator[str]:
    total = criteria_of(found, found.label)
    yield f"{len(found.not_checked)} of {total} not checked, chart data not received"
    yield f"{len(found.not_checked)} of {total} not checked"


def _two_sides(found: Assessment, _style: Style) -> Iterator[str]:
    yield ", ".join(f"{side} {_of_side(label + trial)}" for side, (label, trial) in found.sides.items())


def _of_side(rows: Iterable[Row]) -> str:
    rows = tuple(rows)
    gaps = sum(row.truth is Truth.UNKNOWN for row in rows)
    failing = [row for row in rows if row.truth is Truth.NOT_MET]
    if gaps:
        return f"needs documentation ({gaps})"
    if failing:
        return f"{failing[0].phrases.topic} not studied{_more(len(failing) - 1)}"
    return "met by attestation" if any(row.by_attestation for row in rows) else "met in chart"


def _gaps(found: Assessment, _style: Style) -> Iterator[str]:
    total = criteria_of(found, found.label)
    topics = [row.phrases.topic for row in found.open_label]
    if len(topics) <= 2:
        yield f"document {' and '.join(topics)} ({len(topics)} of {total})"
    yield f"{len(topics)} of {total} need{'s' * (len(topics) == 1)} documentation"


def _meets(found: Assessment) -> str:
    if not found.label_applies:
        return found.phrases.no_label
    by = " by attestation" if any(row.by_attestation for row in found.label) else ""
    return f"meets {found.phrases.label}{by}"


def _not_studied(found: Assessment, style: Style) -> Iterator[str]:
    first, *others = found.not_studied
    yield f"{_meets(found)}; {studied_as(first, style)} not studied{_more(len(others))}"
    yield f"{_meets(found)}; {len(others) + 1} findings not studied"


def studied_as(row: Row, style: Style) -> str:
    """What the trials did not study: the measured value, else the topic."""
    value = next((value_of(item, style) for item in row.finding.evidence if item.value), "")
    return row.phrases.met.format(value=value) if row.phrases.met and value else row.phrases.topic


def _trial_gaps(found: Assessment, _style: Style) -> Iterator[str]:
    label = found.phrases.no_label
    if found.label_applies:
        by = " by attestation" if any(row.by_attestation for row in found.label) else ""
        label = f"{found.phrases.label} met{by}"
    gaps = found.open_trial
    if len(gaps) == 1:
        yield f"{label}; document {gaps[0].phrases.topic} (trial)"
    yield f"{label}; {len(gaps)} trial criteria need documentation"


def _met(found: Assessment, _style: Style) -> Iterator[str]:
    if not found.label:
        yield f"{found.phrases.no_label}; all {len(found.trial)} trial criteria met"
        return
    total = criteria_of(found, found.label)
    attested = sum(row.by_attestation for row in found.label)
    applicable = sum(row.applies for row in found.label)
    if not attested:
        yield f"all {total} met, documented in chart"
    elif attested == applicable:
        yield f"all {total} met by attestation only"
    else:
        yield f"all {total} met, {attested} by attestation only"


# The wordings of each outcome, the fullest first.
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
