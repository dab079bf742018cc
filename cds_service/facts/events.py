"""Things that happened, to be counted: records and attested groups as events, what was recorded twice put together."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import NamedTuple

from cds_service.chart.chart import Match, concept_of
from cds_service.chart.evidence_rules import too_old_or_future, when_of, why_not_evidence
from cds_service.errors import UnreadableError
from cds_service.facts.attested import Answers, attested
from cds_service.facts.attested_values import (
    attested_number,
    attested_percentage,
    attested_yes_or_no,
    from_newest,
    reduction,
)
from cds_service.facts.context import World
from cds_service.facts.evidence import ANYTHING, Event, Evidence, Fact, Reading, Value, evidence_of, note_on
from cds_service.fhir.dates import Days, days
from cds_service.fhir.elements import days_of, list_of, object_of, readable_keys
from cds_service.fhir.terminology import inside_sentence
from cds_service.policy.model import FactRule

WITHOUT_DATE = "without a date"


class _Source(NamedTuple):
    """One record or answer of an event: when it was, its evidence, the readings of attributes, whether it is placed."""

    when: Days
    evidence: Evidence
    read: Mapping[str, list[Reading]]
    notes: Mapping[str, list[str]]
    certain: bool


def events(rule: FactRule, world: World) -> Fact:
    """The events of a fact. What is recorded twice for one day is one event, of which each source may say a part."""
    notes: list[str] = []
    spoiled: list[Match] = []
    sources = [*_recorded(rule, world, notes, spoiled), *_attested(rule, world, notes)]
    by_day: dict[tuple[Days, int], list[_Source]] = {}
    for number, source in enumerate(sources):
        # What has no date may be any other event or none of them: it stands alone, and open.
        alone = number if source.when.text == WITHOUT_DATE else -1
        by_day.setdefault((source.when._replace(text=""), alone), []).append(source)
    found = [_event(rule, group) for _, group in sorted(by_day.items(), key=lambda pair: pair[0], reverse=True)]
    evidence = [item for group in found for item in group[1]]
    is_open = world.records_open(rule) or world.answers_open(rule) or bool(spoiled)
    happened = tuple(event for event, _ in found)
    return Fact(rule, (), tuple(evidence), tuple(dict.fromkeys(notes)), happened, is_open)


def _event(rule: FactRule, sources: list[_Source]) -> tuple[Event, list[Evidence]]:
    known: dict[str, Fact] = {}
    # A record that does not say where it belongs may be of another part: it says nothing of an event that is certain.
    speaking = [source for source in sources if source.certain] or sources
    for name, attribute in rule.attributes.items():
        readings = [reading for source in speaking for reading in source.read.get(name, ())]
        notes = [note for source in speaking for note in source.notes.get(name, ())]
        if attribute.kind == "reduction":
            known[name] = reduction(attribute, known, readings, notes)
        else:
            known[name] = from_newest(attribute, readings, notes)
    # Where a form says more of it than its record, the form is what is shown.
    told = sorted((source for source in sources if source.certain), key=lambda source: not source.evidence.is_attested)
    one = told[0].evidence if told else sources[0].evidence
    said = [text for fact in known.values() if (text := _said(fact))]
    # What is attested has the date of the form; the day of the event is part of what it says.
    value = ", ".join(said) or None
    if one.is_attested:
        value = f"{sources[0].when.text}: {value}" if value else sources[0].when.text
    beside = (source.evidence for source in sources if source.evidence is not one and not source.certain)
    evidence = [one._replace(value=value), *beside]
    return Event(sources[0].when, known, any(source.certain for source in sources)), evidence


def _said(fact: Fact) -> str:
    """One attribute in words: a percentage as it is, a no by the attribute's name; a yes goes without saying."""
    title = inside_sentence(fact.rule.title)
    if fact.rule.kind == "reduction":
        numbers = dict.fromkeys(value for value in fact.values if not isinstance(value, bool) and value != ANYTHING)
        spans = [f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in numbers]
        return f"{title} {' or '.join(spans)} %" if spans else ""
    return f"{title}: no" if fact.rule.kind == "answer" and set(fact.values) == {False} else ""


def _recorded(rule: FactRule, world: World, notes: list[str], spoiled: list[Match]) -> Iterator[_Source]:
    for match, placed in world.matches(rule, rule.resources):
        try:
            why_not = why_not_evidence(rule, match, world.chart, world.today)
            written = when_of(match.record, world.today)
            if why_not is None and written is not None:
                why_not = too_old_or_future(rule.look_back_days, written, world.today)
            if why_not is not None:
                notes += [note_on(match, why_not)] if why_not else []
                continue
            if not placed:
                notes.append(note_on(match, world.no_part))
            when = days(written) if written is not None else _some_day(world.today)
            shown = evidence_of(match, None, when.text if written is not None else None)
            yield _Source(when, shown, _coded(rule, match, when, world), {}, placed and written is not None)
        except UnreadableError as error:
            notes.append(note_on(match, f"{match.record.reference} {error}"))
            spoiled.append(match)


def _coded(rule: FactRule, match: Match, when: Days, world: World) -> dict[str, list[Reading]]:
    """The attributes that the record's own code says: a code may mean that it was done in a certain way."""
    concept = concept_of(match.part, world.chart, match.record.resource)
    return {
        name: [Reading(when, (True,), evidence_of(match, "yes", when.text))]
        for name, attribute in rule.attributes.items()
        if attribute.codes and any(attribute.codes.match(key) for key in readable_keys(concept))
    }


def _attested(rule: FactRule, world: World, notes: list[str]) -> Iterator[_Source]:
    if rule.item is None:
        return
    for record, authored, answers in world.answers.within(rule.item):
        why_not = too_old_or_future(rule.answer_look_back_days, authored, world.today)
        day = _day_of(answers)
        if why_not is None and day is not None:
            why_not = too_old_or_future(rule.look_back_days, day.text, world.today)
        if why_not is not None:
            notes.append(f"attested: {why_not}")
            continue
        when = day or _some_day(world.today)
        read: dict[str, list[Reading]] = {}
        unread: dict[str, list[str]] = {}
        for name, attribute in rule.attributes.items():
            given, unread[name] = attested(attribute, answers, world.today, _reader(attribute))
            # All that is said of one event is of its day: a later form does not outweigh the record, they must agree.
            read[name] = [reading._replace(when=when) for reading in given]
        shown = Evidence(record.reference, rule.title, None, authored[:10])
        yield _Source(when, shown, read, unread, day is not None)


def _some_day(today: date) -> Days:
    """When something happened of which no day is known."""
    return Days(date.min, today, WITHOUT_DATE)


def _day_of(answers: Answers) -> Days | None:
    """The day that a group states; None where it states none, none that can be read, or several."""
    stated = [answer for _, _, item in answers.items.get("date", ()) for answer in list_of(item["answer"])]
    try:
        found = {days_of(object_of(answer).get("valueDate")) for answer in stated}
    except UnreadableError:
        return None
    return found.pop() if len(found) == 1 else None


def _reader(attribute: FactRule) -> Callable[[Mapping[str, object]], tuple[tuple[Value, ...], str]]:
    if attribute.kind == "answer":
        return attested_yes_or_no
    if attribute.kind == "reduction":
        return lambda answer: attested_percentage(attribute, answer)
    return lambda answer: attested_number(attribute, answer)
