"""The records of a fact that count, and why others do not."""

from typing import NamedTuple

from cds_service.chart.evidence_rules import judge, may_be_too_old, too_old_or_future, when_of
from cds_service.errors import UnreadableError
from cds_service.facts.context import Context
from cds_service.facts.evidence import Evidence, NotCounted, evidence_of, not_counted, note_on
from cds_service.policy.model import FactRule


class Recorded(NamedTuple):
    """(date, evidence) of each record that counts, the newest first; why others do not; whether more may count that
    did not arrive or cannot be read; and those that do not count."""

    found: list[tuple[str, Evidence]]
    notes: list[str]
    spoiled: bool
    not_counted: tuple[NotCounted, ...]


def recorded(rule: FactRule, context: Context) -> Recorded:
    """What is on record for a fact."""
    found: list[tuple[str, Evidence]] = []
    notes: list[str] = []
    refused: list[NotCounted] = []
    spoiled = context.records_open(rule)
    for match, placed in context.matches(rule, rule.resources):
        try:
            why_not, remark = judge(rule, match, context.chart, context.today)
            when = when_of(match.record, context.today)
            if why_not is None and when is not None:
                why_not = too_old_or_future(rule.look_back_days, when, context.today)
                if why_not is None and (why_not := may_be_too_old(rule.look_back_days, when, context.today)):
                    spoiled = True
            elif why_not is None and rule.look_back_days is not None:
                why_not = "has no date"
            if why_not is None and not placed:
                why_not = context.no_part
        except UnreadableError as error:
            why_not = f"{match.record.reference} {error}"
            when, remark = None, ""
            spoiled = True
        if why_not is None:
            text = when[:10] if when else None
            found.append((text or "", evidence_of(match, None, text, rule.noun, remark)))
        elif why_not:
            notes.append(note_on(match, why_not))
            refused.append(not_counted(match, why_not))
    found.sort(key=lambda pair: pair[1].reference)
    found.sort(key=lambda pair: pair[0], reverse=True)
    return Recorded(found, notes, spoiled, tuple(refused))
