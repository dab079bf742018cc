"""The closed vocabulary of facts: Chart in, for each fact its possible values, their evidence, and what did not count.

A value is an interval of numbers or True/False. A fact may have several possible values (sources that disagree, a
partial date, a score whose unit is ambiguous); a comparison is settled only where all of them agree.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from math import inf
from typing import Any, NamedTuple

from cds_service.answers import Answers, attested, read_answers
from cds_service.chart import Chart, Match
from cds_service.dates import Days, years_after, years_between
from cds_service.elements import Interval, days_of, first_of, number_of, object_of
from cds_service.errors import UnreadableError
from cds_service.evidence import ANYTHING, Evidence, Reading, Value, evidence_of, newest, note_on
from cds_service.observations import Stale, observed
from cds_service.policy import FactRule, Policy
from cds_service.standing import too_old_or_future, when_of, why_condition_does_not_count, why_not_evidence


class Fact(NamedTuple):
    """``values``: what the fact may be (empty: nothing known); ``notes``: why something on record does not count."""

    rule: FactRule
    values: tuple[Value, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    notes: tuple[str, ...] = ()


def gather(policy: Policy, chart: Chart, questionnaires: frozenset[str], today: date) -> dict[str, Fact]:
    """Every fact of the policy.

    ``questionnaires`` are the canonical addresses (without version) whose answers count as attested.
    """
    answers = read_answers(chart, questionnaires)
    return {name: _KINDS[rule.kind](rule, chart, answers, today) for name, rule in policy.facts.items()}


def _age(rule: FactRule, chart: Chart, answers: Answers, today: date) -> Fact:
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


def _onset(rule: FactRule, chart: Chart, answers: Answers, today: date) -> Fact:
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
                    recorded.append((onset, evidence_of(match, f"since {onset.text}", None)))
            if why_not is not None:
                notes.append(note_on(match, why_not))
        except UnreadableError as error:
            spoiled = True
            notes.append(note_on(match, f"{match.record.reference} {error}"))
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
        readings, more = attested(rule, answers, today, lambda answer: _attested_onset(answer, today))
        notes += more
        for reading in newest(readings):
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


def _measurement(rule: FactRule, chart: Chart, answers: Answers, today: date) -> Fact:
    readings: list[Reading] = []
    stale: list[tuple[Days, str]] = []
    notes: list[str] = []
    if rule.codes:
        for match in _matches(rule, chart, ("Observation",)):
            outcome = observed(rule, match, today)
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
        given, more = attested(rule, answers, today, lambda answer: _attested_number(rule, answer))
        readings += given
        notes += more
    return _from_newest(rule, readings, notes)


def _from_newest(rule: FactRule, readings: list[Reading], notes: list[str]) -> Fact:
    latest = newest(readings)
    values = tuple(value for reading in latest for value in reading.values)
    return Fact(rule, values, tuple(reading.evidence for reading in latest), tuple(notes))


def _attested_number(rule: FactRule, answer: Mapping[str, Any]) -> tuple[tuple[Value, ...], str]:
    number = number_of(first_of(answer, "valueDecimal", "valueInteger"))
    if not rule.range[0] <= number <= rule.range[1]:
        raise UnreadableError(f"is outside {rule.range[0]:g} to {rule.range[1]:g}")
    return ((number, number),), f"{number:g} {rule.unit}".strip()


def _answer(rule: FactRule, chart: Chart, answers: Answers, today: date) -> Fact:
    readings, notes = attested(rule, answers, today, _attested_yes_or_no)
    return _from_newest(rule, readings, notes)


def _attested_yes_or_no(answer: Mapping[str, Any]) -> tuple[tuple[Value, ...], str]:
    value = answer.get("valueBoolean")
    if not isinstance(value, bool):
        raise UnreadableError("is not yes or no")
    return (value,), "yes" if value else "no"


def _record(rule: FactRule, chart: Chart, answers: Answers, today: date) -> Fact:
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
            found.append((text or "", evidence_of(match, None, text, rule.noun)))
        elif why_not:
            notes.append(note_on(match, why_not))
    if found:
        found.sort(key=lambda pair: pair[1].reference)
        found.sort(key=lambda pair: pair[0], reverse=True)
        return Fact(rule, (True,), tuple(evidence for _, evidence in found), tuple(notes))
    spoiled = any(item.type in rule.resources for item in chart.unreadable)
    if rule.when_absent == "no" and not spoiled and not notes and all(chart.known(name) for name in rule.resources):
        return Fact(rule, (False,))
    return Fact(rule, (), (), tuple(notes))


def _matches(rule: FactRule, chart: Chart, types: tuple[str, ...]) -> Iterator[Match]:
    if rule.codes:
        for name in types:
            yield from chart.matches(name, rule.codes)


_KINDS: dict[str, Callable[[FactRule, Chart, Answers, date], Fact]] = {
    "age": _age,
    "onset": _onset,
    "measurement": _measurement,
    "answer": _answer,
    "record": _record,
}
