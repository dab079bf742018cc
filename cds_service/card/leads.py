"""The lead of a card: what to do, by its outcome, and what joins that on any card."""

from collections.abc import Iterator, Sequence

from cds_service.card import evidence_words as words
from cds_service.card.assessment import Assessment, Row
from cds_service.card.evidence_words import few
from cds_service.card.markdown import one_line
from cds_service.card.outcomes import Outcome
from cds_service.card.room import Room
from cds_service.card.style import BULLETS, LINES, Block, Line, Span, Style
from cds_service.facts.logic import Truth
from cds_service.fhir.free_text import capital, inside_sentence
from cds_service.fhir.types import TYPES
from cds_service.policy.model import own_id
from cds_service.verdicts.decisions import Urgent

MOST_LETTERS_OF_A_PAYER = 40
NO_CODES = "No codes suggested."
CHART_WRONG: Line = (Span("Chart wrong or outdated?", f"Correct it and sign again. {NO_CODES}"),)


def urgent_lines(found: Sequence[Urgent], style: Style) -> tuple[Line, ...]:
    """The line that names every urgent record; none where there are none."""
    if not found:
        return ()
    return ((Span("In chart:", "; ".join(_urgent(item, style) for item in found) + "."),),)


def _urgent(item: Urgent, style: Style) -> str:
    return words.record(item.record, style, item.name)


def lead(found: Assessment, style: Style, room: Room) -> Iterator[Block]:
    """The blocks, some of them without lines: urgent records, what the outcome asks for, what joins that."""
    named = {item.record.reference for _, item in found.pressing if item} | {
        item.reference for row in found.contraindicated for item in row.finding.evidence
    }
    yield Block(LINES, urgent_lines([item for item in found.urgent if item.record.reference not in named], style))
    yield from _LEADS[found.outcome](found, style, room)
    yield Block(LINES, tuple(_beside(found, style)))


def _contraindicated(found: Assessment, style: Style, _room: Room) -> Iterator[Block]:
    records = dict.fromkeys(words.failing_record(row, style) for row in found.contraindicated)
    lines: list[Line] = [(Span("Contraindicated:", "; ".join(records) + "."),)]
    lines += _also_off_label(found, style)
    yield Block(LINES, (*lines, CHART_WRONG, *_also_open(found)))


def _also_off_label(found: Assessment, style: Style) -> list[Line]:
    fails = [words.fails(row, style) for row in found.off_label]
    return [(Span(f"Also {found.phrases.fail_word}:", "; ".join(fails) + "."),)] if fails else []


def _pressing(found: Assessment, style: Style, _room: Room) -> Iterator[Block]:
    said = []
    for row, urgent in found.pressing:
        if row is None and urgent is not None:
            said.append(_urgent(urgent, style))
        elif row is not None:
            said.append(words.in_dispute(row, style))
    text = "; ".join(dict.fromkeys(said))
    yield Block(
        LINES,
        (
            (Span("Resolve before ordering:", f"{text}. {NO_CODES}"),),
            *_also_off_label(found, style),
            *_also_open(found),
        ),
    )


def _off_label(found: Assessment, style: Style, room: Room) -> Iterator[Block]:
    rows = found.off_label
    fail_word = capital(found.phrases.fail_word)
    if len(rows) > 1:
        yield Block(LINES, ((Span(f"{fail_word} ({len(rows)})"),),))
        said = [words.failing_record(row, style) for row in rows]
        listed = [*said[: room.bullets - 1], "; ".join(said[room.bullets - 1 :])]
        yield Block(BULLETS, tuple((Span("", text),) for text in listed if text))
        yield Block(LINES, (CHART_WRONG, *_also_open(found)))
        return
    shown = words.failing_record(rows[0], style)
    line = () if "{value}" in rows[0].phrases.fails else (((Span(f"{fail_word}:", f"{shown}."),)),)
    yield Block(LINES, (*line, CHART_WRONG, *_also_open(found)))


def _also_open(found: Assessment) -> list[Line]:
    topics = [row.phrases.topic for row in found.open_label]
    return [(Span(f"Also needs documentation ({len(topics)}):", few(topics, ", ", 4) + "."),)] if topics else []


def _implanted(found: Assessment, style: Style, _room: Room) -> Iterator[Block]:
    lines: list[Line] = []
    for line, evidence in found.decision.for_review:
        if line.withholds_codes:
            records = few([words.record(item, style) for item in evidence], "; ", 2)
            lines.append((Span("Confirm before ordering:", f"{records}. {found.phrases.implanted[line.fact].ask}"),))
    yield Block(LINES, (*lines, (Span("", f"Criteria below are for a first implant. {NO_CODES}"),)))


def _payer_excludes(found: Assessment, style: Style, _room: Room) -> Iterator[Block]:
    position = found.decision.payer
    payer = next(payer for _, payer in position.payers if payer is not None)
    seen = f", last checked {style.date(payer.seen_in_force.isoformat())}" if payer.seen_in_force else ""
    failing = few([found.phrases.criteria[own_id(item.criterion.key)].topic for item in position.held
                   if item.truth is Truth.NOT_MET])  # fmt: skip
    said = f"criteria not met ({failing})" if failing else "not covered"
    text = f"{said} per {payer.document}{seen}. Request a benefit exception, or appeal."
    yield Block(LINES, ((Span("Payer:", text),), *_also_open(found)))


def _conflict(found: Assessment, style: Style, _room: Room) -> Iterator[Block]:
    lines: list[Line] = [(Span("Resolve:", words.in_dispute(row, style) + "."),) for row in found.conflicts[:2]]
    if rest := [row.phrases.topic for row in found.conflicts[2:]]:
        lines.append((Span("Also conflicting:", "; ".join(rest) + "."),))
    yield Block(LINES, (*lines, *_also_open(found)))


def _not_read(found: Assessment, style: Style, room: Room) -> Iterator[Block]:
    by_reason: dict[str, list[str]] = {}
    for name, why in found.not_received.items():
        by_reason.setdefault(reason_in_words(why), []).append(TYPES[name].called)
    yield Block(LINES, ((Span("Not received from the EHR"),),))
    yield Block(BULLETS, tuple((Span(f"{capital(', '.join(names))}:", why),) for why, names in by_reason.items()))
    rest = [row for row in found.open_label if row not in found.not_checked]
    if rest:
        items = [_document(found, row, style) for row in rest]
        yield Block(LINES, ((Span(f"Documentation needed ({len(rest)}):", few(items, "; ", room.names) + "."),),))


def reason_in_words(why: str) -> str:
    """The end of the sentence that says why a list did not arrive."""
    return one_line((why.partition(": ")[2] or why).replace("on record", "in chart"), 80)


def _two_sides(found: Assessment, style: Style, room: Room) -> Iterator[Block]:
    for side, (label, trial) in found.sides.items():
        rows = label + trial
        gaps = [row for row in rows if row.truth is Truth.UNKNOWN]
        failing = [row.phrases.topic for row in rows if row.truth is Truth.NOT_MET]
        named = capital(side)
        tail = f"not studied: {few(failing, ', ')}" if failing else ""
        if gaps:
            yield Block(LINES, ((Span(f"{named}: documentation needed ({len(gaps)})", tail),),))
            bullets, rest = _bullets(found, gaps, style, room._replace(bullets=max(room.bullets - 2, 2)))
            yield Block(BULLETS, bullets)
            yield Block(LINES, rest)
        else:
            attested = sum(row.by_attestation for row in rows)
            said = "all label criteria met" if failing else "all criteria met"
            by = f" ({attested} attested)" if attested else ""
            yield Block(LINES, ((Span(f"{named}: {said}{by}", tail),),))


def _gaps(found: Assessment, style: Style, room: Room) -> Iterator[Block]:
    yield from _documents(found, found.open_label, style, room, "Documentation needed")
    if found.not_studied:
        yield Block(LINES, (_outside(found, style),))


def _document(found: Assessment, row: Row, style: Style) -> str:
    """What the document must say, worked out once however much of it there is room for."""
    key = (row.finding.key, row.sides)
    if key not in found.documents:
        found.documents[key] = words.document(row, style)
    return found.documents[key]


def _documents(found: Assessment, rows: Sequence[Row], style: Style, room: Room, heading: str) -> Iterator[Block]:
    if len(rows) == 1:
        yield Block(LINES, ((Span(f"{rows[0].phrases.doc} needed:", _document(found, rows[0], style) + "."),),))
        return
    if room.heading:
        yield Block(LINES, ((Span(f"{heading} ({len(rows)})"),),))
    bullets, rest = _bullets(found, rows, style, room)
    yield Block(BULLETS, bullets)
    yield Block(LINES, rest)


def _bullets(
    found: Assessment, rows: Sequence[Row], style: Style, room: Room
) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """A bullet for each document to attach, and a line that names those for which there is no room."""
    by_document: dict[str, list[str]] = {}
    for row in rows:
        by_document.setdefault(row.phrases.doc, []).append(_document(found, row, style))
    shown = list(by_document.items())
    bullets = tuple((Span(f"{name}:", few(items, "; ", room.items)),) for name, items in shown[: room.bullets])
    rest = [inside_sentence(name) for name, _ in shown[room.bullets :]]
    return bullets, ((Span("Also:", ", ".join(rest)),),) if rest else ()


def _outside(found: Assessment, style: Style) -> Line:
    said = few([words.failing_record(row, style) for row in found.not_studied], "; ", 2)
    return (Span("Outside trials:", f"{said}."),)


def _not_studied(found: Assessment, style: Style, _room: Room) -> Iterator[Block]:
    yield Block(LINES, (_outside(found, style),))


def _trial_gaps(found: Assessment, style: Style, room: Room) -> Iterator[Block]:
    yield from _documents(found, found.open_trial, style, room, "Trial criteria: documentation needed")


def _met(found: Assessment, style: Style, room: Room) -> Iterator[Block]:
    attested = [row for row in found.label if row.by_attestation]
    if not attested:
        yield Block(LINES, ((Span("Next:", "attach the chart records to the prior authorization packet."),),))
        return
    by = words.signer([item for row in attested for item in row.finding.evidence], style)
    shorts = few([row.phrases.short for row in attested], "; ", room.names)
    items = f"item{'s' * (len(attested) > 1)}"
    yield Block(LINES, ((Span(f"Attach notes for {len(attested)} attested {items}", f"({by}): {shorts}."),),))


def _beside(found: Assessment, style: Style) -> Iterator[Line]:
    """What joins the lead of any card: conflicts that its outcome does not tell, the payer's own questions, what to
    confirm."""
    if found.outcome in (Outcome.CONTRAINDICATED, Outcome.OFF_LABEL, Outcome.IMPLANTED, Outcome.PAYER_EXCLUDES):
        if topics := [row.phrases.topic for row in found.conflicts]:
            yield (Span("Conflicting records:", "; ".join(topics) + "."),)
    elif found.outcome is Outcome.CONFLICT_URGENT:
        told = {row.phrases.topic for row, _ in found.pressing if row is not None}
        if topics := [row.phrases.topic for row in found.conflicts if row.phrases.topic not in told]:
            yield (Span("Also conflicting:", "; ".join(topics) + "."),)
    if found.outcome is not Outcome.NOT_READ and found.not_received:
        names = [TYPES[name].called for name in found.not_received]
        yield (Span("Not received from the EHR:", few(names, ", ", 4) + "."),)
    if unreadable := _unreadable(found):
        yield (Span("Not readable:", f"{unreadable}."),)
    if asked := payer_asks(found):
        yield asked
    if confirm := _confirm(found, style):
        yield (Span("Confirm:", few(confirm, "; ", 2) + "."),)


def _unreadable(found: Assessment) -> str:
    """How many records of each type could not be read and so were not weighed."""
    counts: dict[str, int] = {}
    for item in found.chart.unreadable:
        if item.type in found.policy.resource_types:
            counts[item.type] = counts.get(item.type, 0) + 1
    total = sum(counts.values())
    names = ", ".join(TYPES[name].called for name in sorted(counts))
    return f"{total} record{'s' * (total > 1)} ({names})" if total else ""


def payer_asks(found: Assessment) -> Line | None:
    """What the payer asks for beyond the verdicts; None where there is nothing, or the lead says it."""
    position = found.decision.payer
    if not position.held:
        return None
    # What is open in a verdict already is asked for there.
    asked = {own_id(row.finding.criterion.key) for row in found.counted if row.truth is not Truth.MET}
    held = [item for item in position.held if own_id(item.criterion.key) not in asked and item.truth is not Truth.MET]
    payer = position.on_file
    if not held or payer is None or found.outcome is Outcome.PAYER_EXCLUDES:
        return None
    topics = list(dict.fromkeys(found.phrases.criteria[own_id(item.criterion.key)].topic for item in held))
    verb = "asks" if payer.own_text else "may ask"
    document = one_line(payer.document, MOST_LETTERS_OF_A_PAYER)
    return (Span(f"Payer {verb} for {len(topics)} more", f"({payer.name}, {document}): {few(topics)}."),)


def _confirm(found: Assessment, style: Style) -> list[str]:
    """Records that decide nothing and that a reader must weigh, each once; urgent ones stand apart."""
    urgent = {item.record.reference for item in found.urgent}
    records = (
        item
        for line, evidence in found.decision.for_review
        if not line.withholds_codes
        for item in evidence
        if item.reference not in urgent
    )
    said = [words.record(item, style) for item in {item.reference: item for item in records}.values()]
    said += [words.fails(row, style) for row in found.outside if row.truth is Truth.NOT_MET]
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
