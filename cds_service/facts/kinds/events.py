"""``events``: occurrences to count."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import NamedTuple

from cds_service.chart.evidence_rules import judge_in_time, too_old_or_future
from cds_service.chart.records import Match
from cds_service.chart.references import concept_of
from cds_service.errors import UnreadableError
from cds_service.facts.attested import attested, attested_date, attested_group
from cds_service.facts.context import Context
from cds_service.facts.evidence import (
    WITHOUT_DATE,
    Event,
    Evidence,
    Fact,
    NotCounted,
    Reading,
    evidence_of,
    not_counted,
    note_on,
)
from cds_service.facts.kind import FactKind, Rules, kind_of
from cds_service.facts.origins import but_not, either, records
from cds_service.facts.responses import Answers
from cds_service.fhir.dates import Days, days
from cds_service.fhir.elements import object_of, readable_keys
from cds_service.policy.model import FactRule


class _Source(NamedTuple):
    """One record or answer of an event: its date, its evidence, the readings of its attributes, and whether its part is
    known."""

    when: Days
    evidence: Evidence
    read: Mapping[str, list[Reading]]
    notes: Mapping[str, list[str]]
    certain: bool


class EventsKind(FactKind):
    """Records and attested groups; all sources of one day are one event, and each may give some of its attributes."""

    name = "events"
    answer_type = "group"
    compared_by = "count"
    needs = {"required": ["codes", "resources", "state", "noun", "attributes"]}
    has_dates = True
    is_silent_without_records = True

    def read(self, rule: FactRule, context: Context) -> Fact:
        """The events, the newest first."""
        notes: list[str] = []
        spoiled: list[Match] = []
        refused: list[NotCounted] = []
        sources = [*_recorded(rule, context, notes, spoiled, refused), *_attested(rule, context, notes)]
        by_day: dict[tuple[Days, int], list[_Source]] = {}
        for number, source in enumerate(sources):
            # An undated source may be any other event or a new one: it stays a separate, open event.
            alone = number if source.when.text == WITHOUT_DATE else -1
            by_day.setdefault((source.when._replace(text=""), alone), []).append(source)
        found = [_event(rule, group) for _, group in sorted(by_day.items(), key=lambda pair: pair[0], reverse=True)]
        evidence = [item for group in found for item in group[1]]
        is_open = context.records_open(rule) or context.answers_open(rule) or bool(spoiled)
        happened = tuple(event for event, _ in found)
        return Fact(
            rule=rule,
            values=(),
            evidence=tuple(evidence),
            notes=tuple(dict.fromkeys(notes)),
            events=happened,
            open=is_open,
            not_counted=tuple(refused),
        )

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The records and the attested groups."""
        stated = f", and the attested groups {either([f'“{item}”' for item in rule.items])}" if rule.item else ""
        return f"every {records(rule)}{but_not(rule)}{stated}; what is recorded twice for one day is one"


def _event(rule: FactRule, sources: list[_Source]) -> tuple[Event, list[Evidence]]:
    known: dict[str, Fact] = {}
    # A record that names no part may belong to another part: it adds nothing to an event that is certain.
    speaking = [source for source in sources if source.certain] or sources
    for name, attribute in rule.attributes.items():
        readings = [reading for source in speaking for reading in source.read.get(name, ())]
        notes = [note for source in speaking for note in source.notes.get(name, ())]
        known[name] = kind_of(attribute).of_event(attribute, known, readings, notes)
    # If a form says more than the record, show the form.
    told = sorted((source for source in sources if source.certain), key=lambda source: not source.evidence.is_attested)
    one = told[0].evidence if told else sources[0].evidence
    said = [text for fact in known.values() if (text := kind_of(fact.rule).said_of_event(fact))]
    # An attested event has the date of its form; the day of the event is part of its value.
    value = ", ".join(said) or None
    if one.is_attested:
        value = f"{sources[0].when.text}: {value}" if value else sources[0].when.text
    beside = (source.evidence for source in sources if source.evidence is not one and not source.certain)
    evidence = [one._replace(value=value), *beside]
    return Event(sources[0].when, known, any(source.certain for source in sources)), evidence


def _recorded(
    rule: FactRule, context: Context, notes: list[str], spoiled: list[Match], refused: list[NotCounted]
) -> Iterator[_Source]:
    for match, placed in context.matches(rule, rule.resources):
        if match.beside_code:
            notes.append(note_on(match, "its code is not in this rule set"))
            continue
        try:
            judged = judge_in_time(rule, match, context.chart, context.today, undated_counts=True)
            why_not, written = judged.why_not, judged.when
            spoiled += [match] if judged.may_count else []
            if why_not is not None:
                notes += [note_on(match, why_not)] if why_not else []
                refused += [not_counted(match, why_not)] if why_not else []
                continue
            if not placed:
                notes.append(note_on(match, context.no_part))
                refused.append(not_counted(match, context.no_part))
            when = days(written) if written is not None else _some_day(context.today)
            shown = evidence_of(match, None, when.text if written is not None else None, remark=judged.remark)
            yield _Source(when, shown, _coded(rule, match, when, context), {}, placed and written is not None)
        except UnreadableError as error:
            notes.append(note_on(match, f"{match.record.reference} {error}"))
            refused.append(not_counted(match, str(error)))
            spoiled.append(match)


def _coded(rule: FactRule, match: Match, when: Days, context: Context) -> dict[str, list[Reading]]:
    """The attributes that the record's own code asserts: a code may mean that something was done in a certain way."""
    concept = concept_of(match.element, context.chart.references, match.record.resource)
    return {
        name: [Reading(when, (True,), evidence_of(match, "yes", when.text))]
        for name, attribute in rule.attributes.items()
        if attribute.codes and any(attribute.codes.match(key) for key in readable_keys(concept))
    }


def _attested(rule: FactRule, context: Context, notes: list[str]) -> Iterator[_Source]:
    if rule.item is None:
        return
    for response, answers in context.answers.within(rule.item):
        why_not = too_old_or_future(rule.answer_look_back_days, response.authored, context.today)
        day = _day_of(answers)
        if why_not is None and day is not None:
            why_not = too_old_or_future(rule.look_back_days, day.text, context.today)
        by, refused = attested_group(rule, response, answers)
        if why_not is not None or refused:
            notes.append(f"attested: {why_not}" if why_not is not None else refused)
            continue
        when = day or _some_day(context.today)
        read: dict[str, list[Reading]] = {}
        unread: dict[str, list[str]] = {}
        for name, attribute in rule.attributes.items():
            given, unread[name] = attested(attribute, answers, context.today, kind_of(attribute).reader(attribute))
            # All sources of an event have its day: a later form does not outweigh the record, so they must agree.
            read[name] = [reading._replace(when=when) for reading in given]
        shown = Evidence(response.record.reference, rule.title, None, response.authored[:10], attested=by)
        yield _Source(when, shown, read, unread, day is not None)


def _some_day(today: date) -> Days:
    """The date of an event whose day is unknown."""
    return Days(date.min, today, WITHOUT_DATE)


def _day_of(answers: Answers) -> Days | None:
    """The day that a group states; None if it states none, an unreadable one, or several."""
    stated = [answer for given in answers.items.get("date", ()) for answer in given.answers]
    try:
        found = {attested_date(object_of(answer)) for answer in stated}
    except UnreadableError:
        return None
    return found.pop() if len(found) == 1 else None


KIND = EventsKind()
