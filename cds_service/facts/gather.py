"""The closed vocabulary of facts: Chart in, for each fact its possible values, their evidence, and what did not count.

A value is an interval of numbers or True/False. A fact may have several possible values (sources that disagree, a
partial date, a score whose unit is ambiguous); a comparison is settled only where all of them agree.
"""

from collections.abc import Callable, Mapping
from datetime import date
from math import inf
from typing import Any

from cds_service.chart.chart import Chart
from cds_service.chart.evidence_rules import too_old_or_future, when_of, why_condition_does_not_count, why_not_evidence
from cds_service.chart.orders import ProcedureOrder
from cds_service.errors import UnreadableError
from cds_service.facts.attested import attested, read_answers
from cds_service.facts.attested_values import (
    attested_number,
    attested_percentage,
    attested_yes_or_no,
    from_newest,
    reduction,
)
from cds_service.facts.context import World, types_not_whole
from cds_service.facts.evaluation import evaluate
from cds_service.facts.events import events
from cds_service.facts.evidence import ANYTHING, Evidence, Fact, Known, Reading, Value, evidence_of, newest, note_on
from cds_service.facts.logic import Truth
from cds_service.facts.measured import Stale, observed
from cds_service.fhir.dates import Days, days, months_between, years_after, years_between
from cds_service.fhir.elements import Interval, days_of, number_of, object_of
from cds_service.policy.model import FactRule, Policy


def gather(
    policy: Policy,
    chart: Chart,
    questionnaires: frozenset[str],
    today: date,
    order: ProcedureOrder | None = None,
) -> Known:
    """Every fact of the policy: of the whole, and of each part that the call is about.

    ``questionnaires`` are the canonical addresses (without version) whose answers count as attested; ``order`` is None
    where nothing is ordered, and then the call is about all parts.
    """
    answers = read_answers(chart, questionnaires)
    whole: dict[str, Fact] = {}
    not_whole = types_not_whole(chart, {"Patient", *policy.resource_types})
    world = World(chart, answers, today, order, policy.scope, whole, not_whole=not_whole)
    for name, rule in policy.facts.items():
        if not rule.per_part and rule.kind != "parts":
            whole[name] = _KINDS[rule.kind](rule, world)
    if policy.scope is None:
        return Known(whole, {})
    if order is None:
        parts = tuple(part.id for part in policy.scope.parts)
    else:
        parts = order.parts or tuple(
            part.id for part in policy.scope.parts if part.when and evaluate(part.when, whole) is Truth.MET
        )
    world = world._replace(parts=parts)
    for name, rule in policy.facts.items():
        if rule.kind == "parts":
            whole[name] = _parts(rule, world)
    return Known(whole, {part: _of_part(policy, world, part) for part in parts})


def _of_part(policy: Policy, world: World, part: str) -> dict[str, Fact]:
    known = dict(world.known)
    here = world._replace(known=known, part=part, answers=world.answers._replace(part=part))
    for name, rule in policy.facts.items():
        if rule.per_part:
            known[name] = _KINDS[rule.kind](rule, here)
    return known


def _age(rule: FactRule, world: World) -> Fact:
    chart, today = world.chart, world.today
    born_text = chart.patient.get("birthDate") if chart.patient else None
    if chart.patient is None:
        why_missing = chart.why_missing.get("Patient", "no Patient was sent")
        return Fact(rule, notes=(why_missing,), open=world.records_open(rule))
    if born_text is None:
        return Fact(rule, notes=("the Patient has no birth date",))
    try:
        born = days_of(born_text)
    except UnreadableError as error:
        return Fact(rule, notes=(f"the birth date {error}",))
    if born.first > today:
        return Fact(rule, notes=("the birth date lies in the future",))
    low, high = years_between(min(born.last, today), today), years_between(born.first, today)
    shown = f"{low} years" if low == high else f"{low} or {high} years" if high == low + 1 else f"{low} to {high} years"
    evidence = Evidence(f"Patient/{chart.patient_id}", rule.title, shown, None)
    return Fact(rule, ((low, high),), (evidence,))


def _onset(rule: FactRule, world: World) -> Fact:
    chart, today = world.chart, world.today
    recorded: list[tuple[Days, Evidence]] = []
    notes: list[str] = []
    unread, unreadable = world.records_open(rule), False
    for match, placed in world.matches(rule, ("Condition",)):
        try:
            why_not = why_condition_does_not_count(match.record.resource, rule.state, chart, today)
            why_not = why_not or (None if placed else world.no_part)
            if why_not is None:
                onset = _condition_onset(match.record.resource, chart)
                if onset is None:
                    why_not = "onset not recorded"
                elif onset.first > today:
                    why_not = f"onset {onset.text} lies in the future"
                else:
                    recorded.append((onset, evidence_of(match, f"since {onset.text}", None)))
            if why_not is not None:
                notes.append(note_on(match, why_not))
        except UnreadableError as error:
            unreadable = True
            notes.append(note_on(match, f"{match.record.reference} {error}"))
    values: list[Value] = []
    shown: list[Evidence] = []
    if recorded:
        earliest = min(recorded, key=lambda pair: (pair[0].first, pair[0].last, pair[1].reference))
        low = max(_elapsed(rule, onset, today)[0] for onset, _ in recorded)
        high = max(_elapsed(rule, onset, today)[1] for onset, _ in recorded)
        values.append((low, inf if unread or unreadable else high))
        shown.append(earliest[1])
    elif unreadable:
        values.append(ANYTHING)
    if rule.item:
        end: Days | None = Days(today, today, "")
        if rule.until and any(world.answers.link(item) in world.answers.items for item in rule.items):
            end = _attested_end(rule, world, notes)
        readings, more = attested(rule, world.answers, today, lambda answer: _attested_onset(rule, answer, today, end))
        notes += more
        for reading in newest(readings):
            values += reading.values
            shown.append(reading.evidence)
    # An unread record may only lengthen the time that others show, but is all there is where none shows any.
    is_open = world.answers_open(rule) or ((unread or unreadable) and not recorded)
    return Fact(rule, tuple(values), tuple(shown), tuple(dict.fromkeys(notes)), open=is_open)


def _elapsed(rule: FactRule, start: Days, end: date, earliest_end: date | None = None) -> Interval:
    """From a start to an end that may each be one of several days: the least and the most time, in the rule's unit."""
    least_end = earliest_end or end
    low_start, high_start = min(start.last, least_end), min(start.first, end)
    if rule.in_months:
        return months_between(low_start, least_end), months_between(high_start, end)
    return (least_end - low_start).days, (end - high_start).days


def _attested_end(rule: FactRule, world: World, notes: list[str]) -> Days | None:
    """The attested date that ends what began; None, with a note, where none is attested or several differ."""
    readings, more = attested(rule.ending(), world.answers, world.today, _attested_date)
    notes += more
    ends = {reading.evidence.value for reading in newest(readings)}
    if len(ends) != 1 or (end := ends.pop()) == "unreadable":
        notes.append("end not recorded" if not ends else "its end cannot be told")
        return None
    return days(end or "")


def _attested_date(answer: Mapping[str, Any]) -> tuple[tuple[Value, ...], str]:
    when = days_of(answer.get("valueDate"))
    return (ANYTHING,), when.text


def _attested_onset(
    rule: FactRule, answer: Mapping[str, Any], today: date, end: Days | None
) -> tuple[tuple[Value, ...], str]:
    onset = days_of(answer.get("valueDate"))
    if onset.first > today:
        raise UnreadableError("is a date in the future")
    if end is None:
        return (ANYTHING,), f"since {onset.text}"
    if end.first > today or end.last < onset.first:
        raise UnreadableError("ends before it begins, or in the future")
    shown = f"since {onset.text}" if not rule.until else f"{onset.text} to {end.text}"
    return (_elapsed(rule, onset, min(end.last, today), end.first),), shown


def _since(rule: FactRule, world: World) -> Fact:
    """Time since the newest record that counts, or since the newest attested date, whichever is later."""
    found, notes, spoiled = _recorded(rule, world)
    dated = [(days(when), item) for when, item in found if when]
    undated = [item for when, item in found if not when]
    notes += [f"{item.display}: has no date" for item in undated]
    may_be_newer = bool(undated) or spoiled
    answers_open = world.answers_open(rule)
    if rule.item:
        readings, more = attested(rule, world.answers, world.today, lambda answer: _attested_past(answer, world.today))
        notes += more
        for reading in newest(readings):
            if reading.values == (ANYTHING,):
                may_be_newer = True
            elif reading.evidence.value:
                dated.append((days(reading.evidence.value), reading.evidence))
    if not dated:
        return Fact(rule, (), (), tuple(notes), open=spoiled or answers_open)
    spans = [_elapsed(rule, when, world.today) for when, _ in dated]
    newest_one = max(dated, key=lambda pair: (pair[0].first, pair[0].last, pair[1].reference))[1]
    # What has no date, or none that can be read, may be the newest of all.
    least = 0 if may_be_newer else min(low for low, _ in spans)
    longest = min(high for _, high in spans)
    return Fact(rule, ((least, longest),), (newest_one,), tuple(notes), open=answers_open)


def _attested_past(answer: Mapping[str, Any], today: date) -> tuple[tuple[Value, ...], str]:
    when = days_of(answer.get("valueDate"))
    if when.first > today:
        raise UnreadableError("is a date in the future")
    return ((0, 0),), when.text


def _condition_onset(condition: Mapping[str, Any], chart: Chart) -> Days | None:
    if "onsetDateTime" in condition:
        return days_of(condition["onsetDateTime"])
    if "onsetPeriod" in condition:
        start = object_of(condition["onsetPeriod"]).get("start")
        return days_of(start) if start is not None else None
    if "onsetAge" in condition:
        return _onset_from_age(object_of(condition["onsetAge"]), chart)
    if "onsetString" in condition:
        try:
            return days_of(condition["onsetString"])
        except UnreadableError:
            return None
    return None


def _onset_from_age(age: Mapping[str, Any], chart: Chart) -> Days | None:
    years = number_of(age.get("value"))
    unit = age.get("code") or age.get("unit") or "a"
    if not isinstance(unit, str) or unit.lower() not in ("a", "y", "yr", "year", "years") or not 0 <= years <= 130:
        return None
    born_text = chart.patient.get("birthDate") if chart.patient else None
    if born_text is None or age.get("comparator") is not None:
        return None
    born = days_of(born_text)
    last = years_after(born.last, int(years) + 1)
    return Days(years_after(born.first, int(years)), date.fromordinal(last.toordinal() - 1), f"age {int(years)}")


def _measurement(rule: FactRule, world: World) -> Fact:
    readings: list[Reading] = []
    stale: list[tuple[Days, str]] = []
    notes: list[str] = []
    for match, placed in world.matches(rule, ("Observation",)):
        outcome = observed(rule, match, world.chart, world.today) if placed else world.no_part
        if isinstance(outcome, Stale):
            stale.append((outcome.when, note_on(match, outcome.why)))
        elif isinstance(outcome, str):
            notes.append(note_on(match, outcome))
        else:
            readings.append(outcome)
            if outcome.values == (ANYTHING,):
                notes.append(note_on(match, f"{match.record.reference} cannot be read"))
    if stale and not readings:
        notes.append(max(stale)[1])
    if rule.item:
        given, more = attested(rule, world.answers, world.today, lambda answer: attested_number(rule, answer))
        readings += given
        notes += more
    is_open = world.records_open(rule) or world.answers_open(rule)
    return from_newest(rule, readings, notes)._replace(open=is_open)


def _answer(rule: FactRule, world: World) -> Fact:
    readings, notes = attested(rule, world.answers, world.today, attested_yes_or_no)
    return from_newest(rule, readings, notes)._replace(open=world.answers_open(rule))


def _order(rule: FactRule, world: World) -> Fact:
    """Whether a draft of the call carries a code that has this meaning on the date of service, or its words."""
    if world.order is None or rule.codes is None:
        return Fact(rule)
    carrying = [
        Evidence(reference, text, None, None) for reference, text in world.order.carriers(rule.codes, world.chart)
    ]
    if not carrying and not world.order.is_readable(world.chart):
        return Fact(rule, notes=("the code of a draft cannot be read",))
    return Fact(rule, (bool(carrying),), tuple(carrying))


def _parts(rule: FactRule, world: World) -> Fact:
    """How many parts the call is about."""
    if world.order is None or not world.parts:
        return Fact(rule)
    return Fact(rule, ((len(world.parts), len(world.parts)),))


def _reduction(rule: FactRule, world: World) -> Fact:
    readings, notes = (
        attested(rule, world.answers, world.today, lambda answer: attested_percentage(rule, answer))
        if rule.item
        else ([], [])
    )
    is_open = world.answers_open(rule) or world.known[rule.start].open or world.known[rule.end].open
    return reduction(rule, world.known, readings, notes)._replace(open=is_open)


def _record(rule: FactRule, world: World) -> Fact:
    found, notes, spoiled = _recorded(rule, world)
    if found:
        return Fact(rule, (True,), tuple(evidence for _, evidence in found), tuple(notes))
    if rule.when_absent == "no":
        # Silence is a no only where nothing that might be the record was left unread.
        spoiled = spoiled or any(item.type in rule.resources for item in world.chart.unreadable)
        if not notes and not spoiled:
            return Fact(rule, (False,))
    return Fact(rule, (), (), tuple(notes), open=spoiled)


def _recorded(rule: FactRule, world: World) -> tuple[list[tuple[str, Evidence]], list[str], bool]:
    """(date, evidence) of each record that counts, the newest first; why others do not; whether more may count that
    did not arrive or cannot be read."""
    found: list[tuple[str, Evidence]] = []
    notes: list[str] = []
    spoiled = world.records_open(rule)
    for match, placed in world.matches(rule, rule.resources):
        try:
            why_not = why_not_evidence(rule, match, world.chart, world.today)
            when = when_of(match.record, world.today)
            if why_not is None and when is not None:
                why_not = too_old_or_future(rule.look_back_days, when, world.today)
            elif why_not is None and rule.look_back_days is not None:
                why_not = "has no date"
            if why_not is None and not placed:
                why_not = world.no_part
        except UnreadableError as error:
            why_not = f"{match.record.reference} {error}"
            when = None
            spoiled = True
        if why_not is None:
            text = when[:10] if when else None
            found.append((text or "", evidence_of(match, None, text, rule.noun)))
        elif why_not:
            notes.append(note_on(match, why_not))
    found.sort(key=lambda pair: pair[1].reference)
    found.sort(key=lambda pair: pair[0], reverse=True)
    return found, notes, spoiled


_KINDS: dict[str, Callable[[FactRule, World], Fact]] = {
    "age": _age,
    "onset": _onset,
    "since": _since,
    "measurement": _measurement,
    "answer": _answer,
    "record": _record,
    "events": events,
    "reduction": _reduction,
    "order": _order,
}
