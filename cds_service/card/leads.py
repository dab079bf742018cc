"""The lead of a card: what to do, by its outcome, and the lines that any lead may have."""

from collections.abc import Iterator, Sequence

from cds_service.card import evidence_words
from cds_service.card.assessment import Assessment, Row
from cds_service.card.markdown import one_line
from cds_service.card.outcomes import Outcome
from cds_service.card.room import Room
from cds_service.card.style import BULLETS, LINES, Block, Line, Span, Style
from cds_service.card.words import lead as words
from cds_service.card.words.counting import few
from cds_service.facts.logic import Truth
from cds_service.fhir.sentence_case import capital, inside_sentence
from cds_service.fhir.types import TYPES
from cds_service.policy.model import own_id
from cds_service.verdicts.decisions import Urgent

MOST_LETTERS_OF_A_PAYER = 40


def urgent_lines(found: Sequence[Urgent], style: Style) -> tuple[Line, ...]:
    """The line with every urgent record; empty without one."""
    if not found:
        return ()
    return (words.in_chart("; ".join(_urgent(item, style) for item in found)),)


def _urgent(item: Urgent, style: Style) -> str:
    return evidence_words.record(item.record, style, item.name)


def around(found: Assessment, style: Style) -> tuple[Block, Block]:
    """The blocks before and after the outcome's own: urgent records, and the lines that any lead may have.

    They do not depend on the room; each may be empty.
    """
    named = {item.record.reference for _, item in found.pressing if item} | {
        item.reference for row in found.contraindicated for item in row.finding.evidence
    }
    urgent = urgent_lines([item for item in found.urgent if item.record.reference not in named], style)
    return Block(LINES, urgent), Block(LINES, tuple(_beside(found, style)))


def asked(found: Assessment, style: Style, room: Room) -> Iterator[Block]:
    """The outcome's own blocks, some of them empty."""
    return _LEADS[found.outcome](found, style, room)


def _contraindicated(found: Assessment, style: Style, _room: Room) -> Iterator[Block]:
    records = dict.fromkeys(evidence_words.failing_record(row, style) for row in found.contraindicated)
    lines = [words.contraindicated("; ".join(records)), *_also_off_label(found, style)]
    yield Block(LINES, (*lines, words.CHART_WRONG, *_also_open(found)))


def _also_off_label(found: Assessment, style: Style) -> list[Line]:
    fails = [evidence_words.fails(row, style) for row in found.off_label]
    return [words.also_fails(found.phrases.fail_word, "; ".join(fails))] if fails else []


def _pressing(found: Assessment, style: Style, _room: Room) -> Iterator[Block]:
    said = []
    for row, urgent in found.pressing:
        if row is None and urgent is not None:
            said.append(_urgent(urgent, style))
        elif row is not None:
            said.append(evidence_words.in_dispute(row, style))
    first = words.resolve_before_ordering("; ".join(dict.fromkeys(said)))
    yield Block(LINES, (first, *_also_off_label(found, style), *_also_open(found)))


def _off_label(found: Assessment, style: Style, room: Room) -> Iterator[Block]:
    rows = found.off_label
    fail_word = capital(found.phrases.fail_word)
    if len(rows) > 1:
        yield Block(LINES, (words.several_fail(fail_word, len(rows)),))
        said = [evidence_words.failing_record(row, style) for row in rows]
        listed = [*said[: room.bullets - 1], "; ".join(said[room.bullets - 1 :])]
        yield Block(BULLETS, tuple((Span("", text),) for text in listed if text))
        yield Block(LINES, (words.CHART_WRONG, *_also_open(found)))
        return
    shown = evidence_words.failing_record(rows[0], style)
    line = () if "{value}" in rows[0].phrases.fails else (words.fails(fail_word, shown),)
    yield Block(LINES, (*line, words.CHART_WRONG, *_also_open(found)))


def _also_open(found: Assessment) -> list[Line]:
    topics = [row.phrases.topic for row in found.open_label]
    return [words.also_open(len(topics), few(topics, ", ", 4))] if topics else []


def _implanted(found: Assessment, style: Style, _room: Room) -> Iterator[Block]:
    lines: list[Line] = []
    for line, evidence in found.decision.for_review:
        if line.withholds_codes:
            records = few([evidence_words.record(item, style) for item in evidence], "; ", 2)
            lines.append(words.confirm_implant(records, found.phrases.implanted[line.fact].ask))
    yield Block(LINES, (*lines, words.FIRST_IMPLANT))


def _payer_excludes(found: Assessment, style: Style, _room: Room) -> Iterator[Block]:
    position = found.decision.payer
    payer = next(payer for _, payer in position.payers if payer is not None)
    seen = style.date(payer.seen_in_force.isoformat()) if payer.seen_in_force else ""
    failing = few([found.phrases.criteria[own_id(item.criterion.key)].topic for item in position.held
                   if item.truth is Truth.NOT_MET])  # fmt: skip
    yield Block(LINES, (words.payer_excludes(payer.document, seen, failing), *_also_open(found)))


def _conflict(found: Assessment, style: Style, _room: Room) -> Iterator[Block]:
    lines = [words.resolve(evidence_words.in_dispute(row, style)) for row in found.conflicts[:2]]
    if rest := [row.phrases.topic for row in found.conflicts[2:]]:
        lines.append(words.also_conflicting("; ".join(rest)))
    yield Block(LINES, (*lines, *_also_open(found)))


def _not_read(found: Assessment, style: Style, room: Room) -> Iterator[Block]:
    by_reason: dict[str, list[str]] = {}
    for name, why in found.not_received.items():
        by_reason.setdefault(reason_in_words(why), []).append(TYPES[name].called)
    yield Block(LINES, (words.NOT_RECEIVED,))
    yield Block(BULLETS, tuple(words.source(capital(", ".join(names)), why) for why, names in by_reason.items()))
    rest = [row for row in found.open_label if row not in found.not_checked]
    if rest:
        items = [_document(found, row, style) for row in rest]
        yield Block(LINES, (words.documentation_needed(len(rest), few(items, "; ", room.names)),))


def reason_in_words(why: str) -> str:
    """The end of the sentence on why a list was not received."""
    return one_line(why.partition(": ")[2] or why, 80)


def _two_sides(found: Assessment, style: Style, room: Room) -> Iterator[Block]:
    for side, (label, trial) in found.sides.items():
        rows = label + trial
        gaps = [row for row in rows if row.truth is Truth.UNKNOWN]
        failing = [row.phrases.topic for row in rows if row.truth is Truth.NOT_MET]
        named, not_studied = capital(side), few(failing, ", ")
        if gaps:
            yield Block(LINES, (words.side_needs(named, len(gaps), not_studied),))
            bullets, rest = _bullets(found, gaps, style, room._replace(bullets=max(room.bullets - 2, 2)))
            yield Block(BULLETS, bullets)
            yield Block(LINES, rest)
        else:
            attested = sum(row.by_attestation for row in rows)
            yield Block(LINES, (words.side_met(named, attested, not_studied),))


def _gaps(found: Assessment, style: Style, room: Room) -> Iterator[Block]:
    yield from _documents(found, found.open_label, style, room, words.DOCUMENTATION_NEEDED)
    if found.not_studied:
        yield Block(LINES, (_outside(found, style),))


def _document(found: Assessment, row: Row, style: Style) -> str:
    """What the document must say, computed once for all rooms."""
    key = (row.finding.key, row.sides)
    if key not in found.documents:
        found.documents[key] = evidence_words.document(row, style)
    return found.documents[key]


def _documents(found: Assessment, rows: Sequence[Row], style: Style, room: Room, heading: str) -> Iterator[Block]:
    if len(rows) == 1:
        yield Block(LINES, (words.document_needed(rows[0].phrases.doc, _document(found, rows[0], style)),))
        return
    if room.heading:
        yield Block(LINES, (words.documents_needed(heading, len(rows)),))
    bullets, rest = _bullets(found, rows, style, room)
    yield Block(BULLETS, bullets)
    yield Block(LINES, rest)


def _bullets(
    found: Assessment, rows: Sequence[Row], style: Style, room: Room
) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """A bullet for each document to attach, and a line with the documents that do not fit."""
    by_document: dict[str, list[str]] = {}
    for row in rows:
        by_document.setdefault(row.phrases.doc, []).append(_document(found, row, style))
    shown = list(by_document.items())
    bullets = tuple(words.source(name, few(items, "; ", room.items)) for name, items in shown[: room.bullets])
    rest = [inside_sentence(name) for name, _ in shown[room.bullets :]]
    return bullets, (words.also_documents(", ".join(rest)),) if rest else ()


def _outside(found: Assessment, style: Style) -> Line:
    return words.outside_trials(few([evidence_words.failing_record(row, style) for row in found.not_studied], "; ", 2))


def _not_studied(found: Assessment, style: Style, _room: Room) -> Iterator[Block]:
    yield Block(LINES, (_outside(found, style),))


def _trial_gaps(found: Assessment, style: Style, room: Room) -> Iterator[Block]:
    yield from _documents(found, found.open_trial, style, room, words.TRIAL_DOCUMENTATION_NEEDED)


def _met(found: Assessment, style: Style, room: Room) -> Iterator[Block]:
    attested = [row for row in found.label if row.by_attestation]
    if not attested:
        yield Block(LINES, (words.ATTACH_RECORDS,))
        return
    by = evidence_words.attested_by(attested, style)
    shorts = few([row.phrases.short for row in attested], "; ", room.names)
    yield Block(LINES, (words.attach_notes(len(attested), by, shorts),))


def _beside(found: Assessment, style: Style) -> Iterator[Line]:
    """The lines that any lead may have.

    These are conflicts that the outcome does not show, missing and unreadable records, the payer's own questions, and
    records to confirm.
    """
    if found.outcome in (Outcome.CONTRAINDICATED, Outcome.OFF_LABEL, Outcome.IMPLANTED, Outcome.PAYER_EXCLUDES):
        if topics := [row.phrases.topic for row in found.conflicts]:
            yield words.conflicting("; ".join(topics))
    elif found.outcome is Outcome.CONFLICT_URGENT:
        told = {row.phrases.topic for row, _ in found.pressing if row is not None}
        if topics := [row.phrases.topic for row in found.conflicts if row.phrases.topic not in told]:
            yield words.also_conflicting("; ".join(topics))
    if found.outcome is not Outcome.NOT_READ and found.not_received:
        names = [TYPES[name].called for name in found.not_received]
        yield words.not_received(few(names, ", ", 4))
    if unreadable := _unreadable(found):
        names = [TYPES[name].called for name in sorted(unreadable)]
        yield words.not_readable(sum(unreadable.values()), ", ".join(names))
    if asked := payer_asks(found):
        yield asked
    if confirm := _confirm(found, style):
        yield words.confirm(few(confirm, "; ", 2))


def _unreadable(found: Assessment) -> dict[str, int]:
    """The number of unreadable records of each type, which were not evaluated."""
    counts: dict[str, int] = {}
    for item in found.chart.unreadable:
        if item.type in found.policy.resource_types:
            counts[item.type] = counts.get(item.type, 0) + 1
    return counts


def payer_asks(found: Assessment) -> Line | None:
    """What the payer asks for beyond the verdicts; None if there is nothing, or the lead has it."""
    position = found.decision.payer
    if not position.held:
        return None
    # The verdicts already ask for their open criteria.
    asked = {own_id(row.finding.criterion.key) for row in found.counted if row.truth is not Truth.MET}
    held = [item for item in position.held if own_id(item.criterion.key) not in asked and item.truth is not Truth.MET]
    payer = position.on_file
    if not held or payer is None or found.outcome is Outcome.PAYER_EXCLUDES:
        return None
    topics = list(dict.fromkeys(found.phrases.criteria[own_id(item.criterion.key)].topic for item in held))
    document = one_line(payer.document, MOST_LETTERS_OF_A_PAYER)
    return words.payer_asks(len(topics), payer.name, document, few(topics), own_text=payer.own_text)


def _confirm(found: Assessment, style: Style) -> list[str]:
    """Records that decide nothing but need a reader's judgment, each once; urgent records have their own line."""
    urgent = {item.record.reference for item in found.urgent}
    records = (
        item
        for line, evidence in found.decision.for_review
        if not line.withholds_codes
        for item in evidence
        if item.reference not in urgent
    )
    said = [evidence_words.record(item, style) for item in {item.reference: item for item in records}.values()]
    said += [evidence_words.fails(row, style) for row in found.outside if row.truth is Truth.NOT_MET]
    return list(dict.fromkeys(said))


_LEADS = {
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
