"""The known facts on a card: the met criteria, the trials' criteria, and the payer."""

from functools import partial
from typing import NamedTuple

from cds_service.card import evidence_words
from cds_service.card.assessment import Assessment
from cds_service.card.leads import MOST_LETTERS_OF_A_PAYER, payer_asks, reason_in_words
from cds_service.card.markdown import one_line
from cds_service.card.outcomes import Outcome
from cds_service.card.room import Room
from cds_service.card.style import LINES, Block, Line, Style
from cds_service.card.words import facts as words
from cds_service.card.words.counting import few
from cds_service.facts.logic import Truth

_COUNTS_ONLY = frozenset(
    (
        *(Outcome.CONTRAINDICATED, Outcome.CONFLICT_URGENT, Outcome.OFF_LABEL, Outcome.IMPLANTED),
        *(Outcome.PAYER_EXCLUDES, Outcome.CONFLICT, Outcome.NOT_STUDIED),
    )
)


class Facts(NamedTuple):
    """The known facts of the label's criteria, the trials' criteria, and the payer; each may be empty."""

    label: tuple[Line, ...]
    trials: Line | None
    payer: Line | None

    def block(self, *, joined: bool) -> Block:
        """The lines; with ``joined``, the trials share the last line of the label."""
        lines, trials = self.label, self.trials
        if joined and lines and trials:
            lines, trials = (*lines[:-1], (*lines[-1], *trials)), None
        return Block(LINES, (*lines, *filter(None, (trials, self.payer))))


def known(found: Assessment, style: Style, room: Room) -> Facts:
    """The known facts: as numbers if the lead is urgent or there is little room, otherwise by name."""
    label: list[Line] = []
    if found.outcome in _COUNTS_ONLY or (room.counts and found.outcome is not Outcome.TWO_SIDES):
        label = _counts(found, style)
    elif found.outcome is not Outcome.TWO_SIDES:
        label = _met_lines(found, style, room)
    trials = _trials(found) if found.outcome is not Outcome.TWO_SIDES else None
    says_payer = found.outcome is not Outcome.PAYER_EXCLUDES and payer_asks(found) is None
    return Facts(tuple(label), trials, _payer(found, style) if says_payer else None)


def _counts(found: Assessment, style: Style) -> list[Line]:
    if not found.label:
        return []
    failing = found.outcome in (Outcome.CONTRAINDICATED, Outcome.OFF_LABEL)
    rows = [row for row in found.label if row.applies]
    met = [row for row in rows if row.truth is Truth.MET]
    by_hand = [row for row in met if row.by_attestation]
    attested = len(by_hand)
    conflicts = sum(row.conflict for row in rows)
    gaps = len(found.open_label)
    said = [
        count(number)
        for number, count in (
            (len(met) - attested, words.count_met),
            (attested, partial(words.count_attested, evidence_words.attested_by(by_hand, style))),
            (conflicts, words.count_conflicts),
            (gaps, words.count_open),
            (len(found.label) - len(rows), words.count_not_applicable),
        )
        if number
    ]
    return [words.criteria(found.phrases.label, ", ".join(said), others=failing)] if said else []


def _met_lines(found: Assessment, style: Style, room: Room) -> list[Line]:
    lines: list[Line] = []
    rows = [row for row in found.label if row.truth is Truth.MET and row.applies]
    in_chart = [row for row in rows if not row.by_attestation]
    attested = [row for row in rows if row.by_attestation]
    if in_chart:
        names = few([evidence_words.met(row, style) for row in in_chart], "; ", room.names)
        lines.append(words.met(len(in_chart), names))
    if attested and found.outcome is not Outcome.MET:
        by = evidence_words.attested_by(attested, style)
        names = few([row.phrases.short for row in attested], "; ", room.names)
        lines.append(words.attested(len(attested), by, names))
    if without := [row.phrases.topic for row in found.label if not row.applies]:
        lines.append(words.not_applicable(len(without), few(without, "; ")))
    return lines


def _trials(found: Assessment) -> Line | None:
    """The results of the trials' criteria, in one line; None if there are none or the lead has them."""
    if not found.trial or (found.outcome is Outcome.TRIAL_GAPS and not found.label):
        return None
    rows = found.trial
    met = [row for row in rows if row.truth is Truth.MET]
    attested = sum(row.by_attestation for row in met)
    if len(met) == len(rows):
        return words.trials_met(found.phrases.trials, len(rows), attested)
    gaps = len(found.open_trial) if found.outcome is not Outcome.TRIAL_GAPS else 0
    failing = [row.phrases.topic for row in found.not_studied] if found.outcome is not Outcome.NOT_STUDIED else []
    return words.trials_open(found.phrases.trials, len(met), len(rows), gaps, few(failing, ", ", 2))


def _payer(found: Assessment, style: Style) -> Line:
    position = found.decision.payer
    names = [one_line(name, MOST_LETTERS_OF_A_PAYER) for name, _ in position.payers]
    if not names:
        return words.payer_unknown(reason_in_words(position.reason))
    payer = position.on_file
    if len(names) > 1:
        return words.several_payers(few(names, ", ", 2))
    if payer is None:
        return words.no_medical_policy(names[0])
    document = one_line(payer.document, MOST_LETTERS_OF_A_PAYER)
    if position.truth is Truth.MET:
        seen = style.date(payer.seen_in_force.isoformat()) if payer.seen_in_force else ""
        return words.payer_met(names[0], document, seen)
    return words.policy_on_file(names[0], document, own_text=payer.own_text)
