"""The records of a fact that count, and why others do not."""

from typing import NamedTuple

from cds_service.chart.evidence_rules import judge_in_time
from cds_service.errors import UnreadableError
from cds_service.facts.context import Context
from cds_service.facts.evidence import Evidence, NotCounted, evidence_of, not_counted, note_on
from cds_service.facts.medications import DrugRecord, merged
from cds_service.fhir.types import TYPES
from cds_service.policy.model import FactRule


class Recorded(NamedTuple):
    """The records of a fact, the newest first: (date as text, evidence) of the records that count, and why others do
    not.

    ``may`` are records found by words beside a code that the rule set does not list: they settle nothing alone.
    ``spoiled``: records that did not arrive or are unreadable may also count.
    """

    found: list[tuple[str, Evidence]]
    may: list[tuple[str, Evidence]]
    notes: list[str]
    spoiled: bool
    not_counted: tuple[NotCounted, ...]


def recorded(rule: FactRule, context: Context) -> Recorded:
    """The records of a fact that count, and the records that may."""
    if rule.codes is None or rule.codes not in context.chart.touched:
        return Recorded([], [], [], context.records_open(rule), ())
    found: list[tuple[str, Evidence]] = []
    may: list[tuple[str, Evidence]] = []
    notes: list[str] = []
    drugs: dict[bool, list[DrugRecord]] = {False: [], True: []}
    refused: list[NotCounted] = []
    spoiled = context.records_open(rule)
    for match, placed in context.matches(rule, rule.resources):
        try:
            judged = judge_in_time(rule, match, context.chart, context.today)
            why_not, remark, when = judged.why_not, judged.remark, judged.when
            spoiled = spoiled or judged.may_count
            if why_not is None and not placed:
                # The record may belong to this part.
                why_not, spoiled = context.no_part, True
        except UnreadableError as error:
            why_not = f"{match.record.reference} {error}"
            when, remark = None, ""
            spoiled = True
        if why_not is None:
            text = when[:10] if when else None
            shown = evidence_of(match, None, text, rule.noun, remark)
            if rule.noun is None and TYPES[match.record.type].of_drugs:
                drugs[match.beside_code].append(DrugRecord(match, text or "", shown))
            else:
                (may if match.beside_code else found).append((text or "", shown))
        elif why_not:
            notes.append(note_on(match, why_not))
            refused.append(not_counted(match, why_not))
    found += merged(drugs[False])
    may += merged(drugs[True])
    for dated in (found, may):
        dated.sort(key=lambda pair: pair[1].reference)
        dated.sort(key=lambda pair: pair[0], reverse=True)
    return Recorded(found, may, notes, spoiled, tuple(refused))
