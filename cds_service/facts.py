"""The closed vocabulary of facts: Chart in, for each fact its possible values, their evidence, and what did not count.

A value is an interval of numbers or True/False. A fact may have several possible values (sources that disagree, a partial
date, a score whose unit is ambiguous); a comparison is settled only where all of them agree.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from math import inf
from typing import Any, NamedTuple

from cds_service.chart import Chart, Match, Record
from cds_service.dates import Days, years_after, years_between
from cds_service.elements import (
    Interval,
    Json,
    concept_text,
    days_of,
    first_of,
    list_of,
    number_of,
    object_of,
    quantity_of,
    text_of,
)
from cds_service.errors import UnreadableError
from cds_service.policy import FactRule, Policy
from cds_service.standing import status_word, too_old_or_future, when_of, why_condition_does_not_count, why_not_evidence
from cds_service.terminology import speaks_of_another

Value = Interval | bool
ANYTHING: Interval = (-inf, inf)


class Evidence(NamedTuple):
    """One thing on record: what it is called (our label, or the chart's own words), its code, what it says, its date.

    ``noun`` (singular, plural) stands on events that are counted rather than listed.
    """

    reference: str
    display: str
    value: str | None
    date: str | None
    remark: str | None = None
    code: str | None = None
    noun: tuple[str, str] | None = None

    @property
    def is_attested(self) -> bool:
        """Whether somebody answered a question, rather than the chart recording it."""
        return self.reference.startswith("QuestionnaireResponse")


@dataclass(frozen=True, slots=True)
class Fact:
    """``values``: what the fact may be (empty: nothing known); ``notes``: why something on record does not count."""

    rule: FactRule
    values: tuple[Value, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    notes: tuple[str, ...] = ()


class _Reading(NamedTuple):
    when: Days
    values: tuple[Value, ...]
    evidence: Evidence


class _Stale(NamedTuple):
    when: Days
    why: str


def gather(policy: Policy, chart: Chart, questionnaires: frozenset[str], today: date) -> dict[str, Fact]:
    """Every fact of the policy.

    ``questionnaires`` are the canonical addresses (without version) whose answers count as attested.
    """
    answers = _answers(chart, questionnaires, today)
    return {name: _KINDS[rule.kind](rule, chart, answers, today) for name, rule in policy.facts.items()}


class _Answers(NamedTuple):
    items: Mapping[str, list[tuple[Record, str, Json]]]
    notes: tuple[str, ...]


# --- age ---------------------------------------------------------------------------------------------------------------


def _age(rule: FactRule, chart: Chart, answers: _Answers, today: date) -> Fact:
    born_text = chart.patient.get("birthDate") if chart.patient else None
    if chart.patient is None:
        return Fact(rule, notes=(chart.why_missing.get("Patient", "no Patient was sent"),))
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


# --- onset -------------------------------------------------------------------------------------------------------------


def _onset(rule: FactRule, chart: Chart, answers: _Answers, today: date) -> Fact:
    recorded: list[tuple[Days, Evidence]] = []
    notes: list[str] = []
    spoiled = False
    for match in _matches(rule, chart, ("Condition",)):
        try:
            why_not = why_condition_does_not_count(match.record.resource, rule.state, today)
            if why_not is None:
                onset = _condition_onset(match.record.resource, chart)
                if onset is None:
                    why_not = "onset not recorded"
                elif onset.first > today:
                    why_not = f"onset {onset.text} lies in the future"
                else:
                    recorded.append((onset, _evidence(match, f"since {onset.text}", None)))
            if why_not is not None:
                notes.append(_note(match, why_not))
        except UnreadableError as error:
            spoiled = True
            notes.append(_note(match, f"{match.record.reference} {error}"))
    values: list[Value] = []
    shown: list[Evidence] = []
    if recorded:
        earliest = min(recorded, key=lambda pair: (pair[0].first, pair[0].last, pair[1].reference))
        low = max(_elapsed(onset, today)[0] for onset, _ in recorded)
        high = max(_elapsed(onset, today)[1] for onset, _ in recorded)
        values.append((low, inf if spoiled else high))
        shown.append(earliest[1])
    elif spoiled:
        values.append(ANYTHING)
    if rule.item:
        readings, more = _answer_readings(rule, answers, today, lambda answer: _attested_onset(answer, today))
        notes += more
        for reading in _newest(readings):
            values += reading.values
            shown.append(reading.evidence)
    return Fact(rule, tuple(values), tuple(shown), tuple(notes))


def _elapsed(onset: Days, today: date) -> Interval:
    return (today - min(onset.last, today)).days, (today - onset.first).days


def _attested_onset(answer: Mapping[str, Any], today: date) -> tuple[tuple[Value, ...], str]:
    onset = days_of(answer.get("valueDate"))
    if onset.first > today:
        raise UnreadableError("is a date in the future")
    return (_elapsed(onset, today),), f"since {onset.text}"


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


# --- measurement -------------------------------------------------------------------------------------------------------


def _measurement(rule: FactRule, chart: Chart, answers: _Answers, today: date) -> Fact:
    readings: list[_Reading] = []
    stale: list[tuple[Days, str]] = []
    notes: list[str] = []
    if rule.codes:
        for match in _matches(rule, chart, ("Observation",)):
            outcome = _observed(rule, match, today)
            if isinstance(outcome, _Stale):
                stale.append((outcome.when, _note(match, outcome.why)))
            elif isinstance(outcome, str):
                notes.append(_note(match, outcome))
            else:
                readings.append(outcome)
                if outcome.values == (ANYTHING,):
                    notes.append(_note(match, f"{match.record.reference} cannot be read"))
    if stale and not readings:
        notes.append(max(stale)[1])
    if rule.item:
        attested, more = _answer_readings(rule, answers, today, lambda answer: _attested_number(rule, answer))
        readings += attested
        notes += more
    newest = _newest(readings)
    values = tuple(value for reading in newest for value in reading.values)
    return Fact(rule, values, tuple(reading.evidence for reading in newest), tuple(notes))


def _observed(rule: FactRule, match: Match, today: date) -> _Reading | _Stale | str:
    """A reading, or the sentence why the Observation is not evidence; an unreadable one is a reading that may be anything."""
    resource = match.record.resource
    when = Days(today, today, "")
    try:
        status = resource.get("status")
        if status not in (None, "final", "amended", "corrected"):
            return f"status is {status_word(status)}"
        written = first_of(resource, "effectiveDateTime", "effectiveInstant")
        if written is None and "effectivePeriod" in resource:
            written = first_of(object_of(resource["effectivePeriod"]), "end", "start")
        if written is None and (written := resource.get("issued")) is None:
            return "has no date"
        when = days_of(written)
        why_not = too_old_or_future(rule.look_back_days, text_of(written), today)
        if why_not:
            return _Stale(when, why_not)
        if speaks_of_another(concept_text(resource.get("code"))):
            return "is not about the patient"
        quantity = quantity_of(match.part)
    except UnreadableError:
        return _Reading(when, (ANYTHING,), _evidence(match, "unreadable", when.text or None))
    if quantity is None:
        return "has no numeric value"
    unit = next((spelling for spelling in quantity.units if spelling in rule.units), None)
    if unit is None:
        return f"{quantity.text} has no unit" if quantity.units == ("",) else f"{quantity.text} is in another unit"
    factors = rule.units[unit]
    possible = tuple(clipped for factor in factors if (clipped := _clip(quantity.interval, factor, rule.range)))
    if not possible:
        return f"{quantity.text} is outside {rule.range[0]:g} to {rule.range[1]:g}"
    shown = f"{quantity.text} {rule.unit if factors == (1.0,) else unit}".strip()
    return _Reading(when, possible, _evidence(match, shown, when.text))


def _clip(interval: Interval, factor: float, bounds: Interval) -> Interval | None:
    low, high = interval[0] * factor, interval[1] * factor
    if low == high:
        low = high = round(low, 9)
        return (low, high) if bounds[0] <= low <= bounds[1] else None
    low, high = max(low, bounds[0]), min(high, bounds[1])
    return (low, high) if low <= high else None


def _attested_number(rule: FactRule, answer: Mapping[str, Any]) -> tuple[tuple[Value, ...], str]:
    number = number_of(first_of(answer, "valueDecimal", "valueInteger"))
    if not rule.range[0] <= number <= rule.range[1]:
        raise UnreadableError(f"is outside {rule.range[0]:g} to {rule.range[1]:g}")
    return ((number, number),), f"{number:g} {rule.unit}".strip()


# --- answer ------------------------------------------------------------------------------------------------------------


def _answer(rule: FactRule, chart: Chart, answers: _Answers, today: date) -> Fact:
    readings, notes = _answer_readings(rule, answers, today, _attested_yes_or_no)
    newest = _newest(readings)
    values = tuple(value for reading in newest for value in reading.values)
    return Fact(rule, values, tuple(reading.evidence for reading in newest), tuple(notes))


def _attested_yes_or_no(answer: Mapping[str, Any]) -> tuple[tuple[Value, ...], str]:
    value = answer.get("valueBoolean")
    if not isinstance(value, bool):
        raise UnreadableError("is not yes or no")
    return (value,), "yes" if value else "no"


def _answers(chart: Chart, questionnaires: frozenset[str], today: date) -> _Answers:
    """The items answered in QuestionnaireResponses to one of the questionnaires, by linkId, groups opened."""
    items: dict[str, list[tuple[Record, str, Json]]] = {}
    notes: list[str] = []
    for record in chart.records.get("QuestionnaireResponse", ()):
        address = record.resource.get("questionnaire")
        if not isinstance(address, str) or "|" not in address or address.partition("|")[0] not in questionnaires:
            continue
        status = record.resource.get("status")
        if status not in ("completed", "amended"):
            notes.append(f"{record.reference}: answers are {status_word(status)}, not completed")
            continue
        try:
            authored = text_of(record.resource.get("authored"))
            days_of(authored)
        except UnreadableError:
            notes.append(f"{record.reference}: no readable date of answering")
            continue
        pending: list[tuple[Any, int]] = [(record.resource.get("item"), 0)]
        while pending:
            level, depth = pending.pop()
            for item in level if isinstance(level, list) and depth < 20 else ():
                if isinstance(item, dict):
                    link = item.get("linkId")
                    if isinstance(link, str) and "answer" in item:
                        items.setdefault(link, []).append((record, authored, item))
                    pending.append((item.get("item"), depth + 1))
                    answered = list_of(item.get("answer"))
                    pending += [(answer.get("item"), depth + 1) for answer in answered if isinstance(answer, dict)]
                else:
                    notes.append(f"{record.reference}: an item cannot be read")
    return _Answers(items, tuple(notes))


def _answer_readings(
    rule: FactRule,
    answers: _Answers,
    today: date,
    read: Callable[[Mapping[str, Any]], tuple[tuple[Value, ...], str]],
) -> tuple[list[_Reading], list[str]]:
    readings: list[_Reading] = []
    notes = list(answers.notes)
    for record, written, item in answers.items.get(rule.item or "", ()):
        when = days_of(written)
        why_not = too_old_or_future(rule.look_back_days, written, today)
        if why_not:
            notes.append(f"attested: {why_not}")
            continue
        given = item["answer"] if isinstance(item["answer"], list) else [item["answer"]]
        for answer in given:
            try:
                values, shown = read(object_of(answer))
            except UnreadableError as error:
                notes.append(f"{record.reference}: the answer {error}")
                readings.append(
                    _Reading(when, (ANYTHING,), Evidence(record.reference, "attested", "unreadable", when.text))
                )
            else:
                readings.append(_Reading(when, values, Evidence(record.reference, "attested", shown, when.text)))
    return readings, notes


# --- record ------------------------------------------------------------------------------------------------------------


def _record(rule: FactRule, chart: Chart, answers: _Answers, today: date) -> Fact:
    found: list[tuple[str, Evidence]] = []
    notes: list[str] = []
    for match in _matches(rule, chart, rule.resources):
        try:
            why_not = why_not_evidence(rule, match, chart, today)
            when = when_of(match.record, today)
            if why_not is None and when is not None:
                why_not = too_old_or_future(rule.look_back_days, when, today)
            elif why_not is None and rule.look_back_days is not None:
                why_not = "has no date"
        except UnreadableError as error:
            why_not = f"{match.record.reference} {error}"
            when = None
        if why_not is None:
            text = when[:10] if when else None
            found.append((text or "", _evidence(match, None, text, rule.noun)))
        elif why_not:
            notes.append(_note(match, why_not))
    if found:
        found.sort(key=lambda pair: pair[1].reference)
        found.sort(key=lambda pair: pair[0], reverse=True)
        return Fact(rule, (True,), tuple(evidence for _, evidence in found), tuple(notes))
    spoiled = any(item.type in rule.resources for item in chart.unreadable)
    if rule.when_absent == "no" and not spoiled and not notes and all(chart.known(name) for name in rule.resources):
        return Fact(rule, (False,))
    return Fact(rule, (), (), tuple(notes))


# --- shared readers ----------------------------------------------------------------------------------------------------


def _matches(rule: FactRule, chart: Chart, types: tuple[str, ...]) -> Iterator[Match]:
    if rule.codes:
        for name in types:
            yield from chart.matches(name, rule.codes)


def _newest(readings: list[_Reading]) -> list[_Reading]:
    """The readings that may be the newest: those that no other is wholly later than, in one fixed order."""
    if not readings:
        return []
    latest = max(reading.when.first for reading in readings)
    newest = [reading for reading in readings if reading.when.last >= latest]
    return sorted(newest, key=lambda reading: [part or "" for part in reading.evidence[:4]])


def _evidence(match: Match, value: str | None, when: str | None, noun: tuple[str, str] | None = None) -> Evidence:
    label, code = (match.code.label, match.text) if match.code else (match.text, None)
    return Evidence(match.record.reference, label, value, when, _remark(match), code, noun)


def _remark(match: Match) -> str | None:
    if match.code is None:
        return "by its text"
    if match.without_system:
        return "code system not stated"
    return match.code.remark


def _note(match: Match, why: str) -> str:
    name = match.code.label if match.code else match.text
    return f"{name}: {why}"


_KINDS: dict[str, Callable[[FactRule, Chart, _Answers, date], Fact]] = {
    "age": _age,
    "onset": _onset,
    "measurement": _measurement,
    "answer": _answer,
    "record": _record,
}
