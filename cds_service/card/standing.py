"""What is known already, as a card says it: the criteria that are met, those of the trials, and the payer."""

from cds_service.card import evidence_words as words
from cds_service.card.assessment import Assessment
from cds_service.card.evidence_words import few
from cds_service.card.leads import MOST_LETTERS_OF_A_PAYER, payer_asks, reason_in_words
from cds_service.card.markdown import one_line
from cds_service.card.outcomes import Outcome
from cds_service.card.room import Room
from cds_service.card.style import LINES, Block, Line, Span, Style
from cds_service.facts.logic import Truth

_COUNTS_ONLY = frozenset(
    (
        *(Outcome.CONTRAINDICATED, Outcome.CONFLICT_URGENT, Outcome.OFF_LABEL, Outcome.IMPLANTED),
        *(Outcome.PAYER_EXCLUDES, Outcome.CONFLICT, Outcome.NOT_STUDIED),
    )
)


def standing(found: Assessment, style: Style, room: Room) -> Block:
    """The lines of one block: numbers where the lead is pressing or there is little room, else names."""
    lines: list[Line] = []
    if found.outcome in _COUNTS_ONLY or (room.counts and found.outcome is not Outcome.TWO_SIDES):
        lines += _counts(found)
    elif found.outcome is not Outcome.TWO_SIDES:
        lines += _met_lines(found, style, room)
    if found.outcome is not Outcome.TWO_SIDES and (trial := _trials(found)) is not None:
        lines = [*lines[:-1], (*lines[-1], *trial)] if room.joined and lines else [*lines, trial]
    if found.outcome is not Outcome.PAYER_EXCLUDES and payer_asks(found) is None:
        lines.append(_payer(found, style))
    return Block(LINES, tuple(lines))


def _counts(found: Assessment) -> list[Line]:
    if not found.label:
        return []
    failing = found.outcome in (Outcome.CONTRAINDICATED, Outcome.OFF_LABEL)
    rows = [row for row in found.label if row.applies]
    met = [row for row in rows if row.truth is Truth.MET]
    attested = sum(row.by_attestation for row in met)
    conflicts = sum(row.conflict for row in rows)
    gaps = len(found.open_label)
    said = [
        f"{number} {what}"
        for number, what in (
            (len(met) - attested, "met in chart"),
            (attested, "attested"),
            (conflicts, "in conflict"),
            (gaps, "need documentation" if gaps > 1 else "needs documentation"),
            (len(found.label) - len(rows), "not applicable"),
        )
        if number
    ]
    other = "Other " if failing else ""
    return [(Span(f"{other}{found.phrases.label} criteria:", ", ".join(said) + "."),)] if said else []


def _met_lines(found: Assessment, style: Style, room: Room) -> list[Line]:
    lines: list[Line] = []
    rows = [row for row in found.label if row.truth is Truth.MET and row.applies]
    in_chart = [row for row in rows if not row.by_attestation]
    attested = [row for row in rows if row.by_attestation]
    if in_chart:
        names = few([words.met(row, style) for row in in_chart], "; ", room.names)
        lines.append((Span(f"Met in chart ({len(in_chart)}):", f"{names}."),))
    if attested and found.outcome is not Outcome.MET:
        by = words.signer([item for row in attested for item in row.finding.evidence], style)
        names = few([row.phrases.short for row in attested], "; ", room.names)
        lines.append((Span(f"Attested ({len(attested)}), {by}:", f"{names}."),))
    if without := [row.phrases.topic for row in found.label if not row.applies]:
        lines.append((Span(f"Not applicable ({len(without)}):", few(without, "; ") + "."),))
    return lines


def _trials(found: Assessment) -> Line | None:
    """How the criteria of the trials stand, in one line; None where there are none or the lead has said it."""
    if not found.trial or (found.outcome is Outcome.TRIAL_GAPS and not found.label):
        return None
    rows = found.trial
    met = [row for row in rows if row.truth is Truth.MET]
    attested = sum(row.by_attestation for row in met)
    if len(met) == len(rows):
        said = f"all {len(rows)} met" + (f" ({attested} attested)" if attested else "")
    else:
        said = f"{len(met)} of {len(rows)} met"
        gaps, failing = len(found.open_trial), [row.phrases.topic for row in found.not_studied]
        if gaps and found.outcome is not Outcome.TRIAL_GAPS:
            said += f"; {gaps} need{'s' * (gaps == 1)} documentation"
        if failing and found.outcome is not Outcome.NOT_STUDIED:
            said += f"; outside: {few(failing, ', ', 2)}"
    return (Span(f"{found.phrases.trials}:", f"{said}."),)


def _payer(found: Assessment, style: Style) -> Line:
    position = found.decision.payer
    names = [one_line(name, MOST_LETTERS_OF_A_PAYER) for name, _ in position.payers]
    if not names:
        return (Span("Payer:", f"{reason_in_words(position.reason)}; check prior authorization."),)
    payer = position.on_file
    if len(names) > 1:
        return (Span("Payers:", f"{few(names, ', ', 2)}; check which one pays, and prior authorization."),)
    if payer is None:
        return (Span("Payer:", f"{names[0]}, no medical policy on file; check prior authorization."),)
    document = one_line(payer.document, MOST_LETTERS_OF_A_PAYER)
    if position.truth is Truth.MET:
        seen = f" (last checked {style.date(payer.seen_in_force.isoformat())})" if payer.seen_in_force else ""
        return (Span("Payer:", f"{names[0]}, criteria of {document} met{seen}; check prior authorization."),)
    why = "own text not seen" if not payer.own_text else "not checked in the last 12 months"
    return (Span("Payer:", f"{names[0]}, medical policy on file ({document}), {why}; verify the current version."),)
