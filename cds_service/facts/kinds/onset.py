"""``onset``: how long a problem has lasted, from recorded onsets and from an attested date."""

from collections.abc import Container, Mapping
from datetime import date
from math import inf
from typing import Any

from cds_service.chart.chart import Chart
from cds_service.chart.evidence_rules import judge
from cds_service.chart.records import Match
from cds_service.errors import UnreadableError
from cds_service.facts.attested import attested, attested_date
from cds_service.facts.context import Context
from cds_service.facts.elapsed import elapsed
from cds_service.facts.evidence import (
    ANYTHING,
    Evidence,
    Fact,
    NotCounted,
    OnRecord,
    Value,
    evidence_of,
    newest,
    not_counted,
    note_on,
)
from cds_service.facts.kind import ElapsedKind, Rules, references_of
from cds_service.facts.origins import a_condition, answers, either
from cds_service.fhir.dates import Days, days, is_future_day, years_after
from cds_service.fhir.elements import days_of, number_of, object_of
from cds_service.policy.model import FactRule

_YEARS = ("a", "y", "yr", "year", "years")
_OLDEST = 130
_SINCE = "since "


class OnsetKind(ElapsedKind):
    """The earliest recorded onset and the newest attested one; both must agree."""

    name = "onset"
    answer_type = "date"
    default_state = "active"
    may_leave_out = True
    is_silent_without_records = True
    needs = {"anyOf": [{"required": ["codes"]}, {"required": ["item"]}]}

    def types(self, rule: FactRule) -> frozenset[str]:
        """Conditions, and the Patient because an onset may be recorded as an age."""
        return super().types(rule) | ({"Patient", "Condition"} if rule.codes else set())

    def read(self, rule: FactRule, context: Context) -> Fact:
        """The time since each onset that counts, as possible values."""
        chart, today = context.chart, context.today
        recorded: list[tuple[Days, Evidence]] = []
        notes: list[str] = []
        refused: list[NotCounted] = []
        unread, unreadable = context.records_open(rule), False
        others = {id(match.record.resource) for codes in rule.not_in for match in chart.matches("Condition", codes)}
        for match, placed in context.matches(rule, ("Condition",)):
            try:
                onset = _onset(rule, match, others, context)
                if isinstance(onset, Days) and not placed:
                    # The record may belong to this part.
                    onset, unreadable = context.no_part, True
                if isinstance(onset, Days):
                    recorded.append((onset, evidence_of(match, f"{_SINCE}{onset.text}", None)))
                else:
                    notes.append(note_on(match, onset))
                    refused.append(not_counted(match, onset))
            except UnreadableError as error:
                unreadable = True
                notes.append(note_on(match, f"{match.record.reference} {error}"))
                refused.append(not_counted(match, str(error)))
        values: list[Value] = []
        shown: list[Evidence] = []
        if recorded:
            earliest = min(recorded, key=lambda pair: (pair[0].first, pair[0].last, pair[1].reference))
            low = max(elapsed(rule, onset, today)[0] for onset, _ in recorded)
            high = max(elapsed(rule, onset, today)[1] for onset, _ in recorded)
            values.append((low, inf if unread or unreadable else high))
            shown.append(earliest[1])
        elif unreadable:
            values.append(ANYTHING)
        if rule.item:
            end: Days | None = Days(today, today, "")
            if rule.until and any(context.answers.link(item) in context.answers.items for item in rule.items):
                end = _attested_end(rule, context, notes)
            readings, more = attested(
                rule, context.answers, today, lambda answer: _attested_onset(rule, answer, today, end)
            )
            notes += more
            for reading in newest(readings):
                values += reading.values
                shown.append(reading.evidence)
        # An unread record can only lengthen the time that other records show; without them, it leaves the fact open.
        is_open = context.answers_open(rule) or ((unread or unreadable) and not recorded)
        return Fact(
            rule, tuple(values), tuple(shown), tuple(dict.fromkeys(notes)), open=is_open, not_counted=tuple(refused)
        )

    def recorded_answer(self, fact: Fact) -> OnRecord | None:
        """The earliest onset."""
        (shown,) = fact.evidence if len(fact.evidence) == 1 else (None,)
        if shown is None or shown.value is None or not references_of(fact):
            return None
        return OnRecord(shown.value.removeprefix(_SINCE), references_of(fact))

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The Conditions and the answer."""
        ended = f", to the date in “{rule.until}”" if rule.until else ""
        if rule.codes is None:
            return f"from the date in {answers(rule)}{ended}"
        but = f" (none of {either([codes.title.lower() for codes in rule.not_in])})" if rule.not_in else ""
        recorded = f"the earliest onset of {a_condition(rule)}{but}"
        return f"{recorded}, and the newest {answers(rule)}{ended}; both must agree" if rule.item else recorded


def _onset(rule: FactRule, match: Match, others: Container[int], context: Context) -> Days | str:
    """The onset of a Condition, or why it gives none; ``others`` are the ids of the resources to leave out.

    Raises UnreadableError if the onset cannot be read.
    """
    why_not = judge(rule, match, context.chart, context.today).why_not
    if why_not is not None:
        return why_not
    if id(match.record.resource) in others:
        return "gives no onset of the pain"
    onset = _condition_onset(match.record.resource, context.chart)
    if onset is not None and is_future_day(onset.first, context.today):
        # The entry is on the list, so the date is wrong, not the entry.
        raise UnreadableError(f"has its onset in the future ({onset.text})")
    return "onset not recorded" if onset is None else onset


def _attested_end(rule: FactRule, context: Context, notes: list[str]) -> Days | None:
    """The attested end date; None, with a note, if none is attested or several differ."""
    readings, more = attested(rule.ending(), context.answers, context.today, _attested_date)
    notes += more
    ends = {reading.evidence.value for reading in newest(readings)}
    if len(ends) != 1 or (end := ends.pop()) == "unreadable":
        notes.append("end not recorded" if not ends else "its end cannot be determined")
        return None
    return days(end or "")


def _attested_date(answer: Mapping[str, Any]) -> tuple[tuple[Value, ...], str]:
    return (ANYTHING,), attested_date(answer).text


def _attested_onset(
    rule: FactRule, answer: Mapping[str, Any], today: date, end: Days | None
) -> tuple[tuple[Value, ...], str]:
    onset = attested_date(answer)
    if is_future_day(onset.first, today):
        raise UnreadableError("is a date in the future")
    if end is None:
        return (ANYTHING,), f"{_SINCE}{onset.text}"
    if rule.until and (is_future_day(end.first, today) or end.last < onset.first):
        raise UnreadableError("ends before it begins, or in the future")
    shown = f"{_SINCE}{onset.text}" if not rule.until else f"{onset.text} to {end.text}"
    return (elapsed(rule, onset, min(end.last, today), min(end.first, today)),), shown


def _condition_onset(condition: Mapping[str, Any], chart: Chart) -> Days | None:
    if "onsetDateTime" in condition:
        return days_of(condition["onsetDateTime"])
    if "onsetPeriod" in condition:
        start = object_of(condition["onsetPeriod"]).get("start")
        return days_of(start) if start is not None else None
    if "onsetAge" in condition:
        age = object_of(condition["onsetAge"])
        return _onset_from_ages(age, age, chart)
    if "onsetRange" in condition:
        ages = object_of(condition["onsetRange"])
        if ages.get("low") is None or ages.get("high") is None:
            return None
        return _onset_from_ages(object_of(ages["low"]), object_of(ages["high"]), chart)
    if "onsetString" in condition:
        try:
            return days_of(condition["onsetString"])
        except UnreadableError:
            return None
    return None


def _years_of(age: Mapping[str, Any]) -> int | None:
    """The whole years of an age; None if it is in another unit, beyond a human lifetime, or has a comparator."""
    years = number_of(age.get("value"))
    unit = age.get("code") or age.get("unit") or "a"
    known = isinstance(unit, str) and unit.lower() in _YEARS and age.get("comparator") is None
    return int(years) if known and 0 <= years <= _OLDEST else None


def _onset_from_ages(low: Mapping[str, Any], high: Mapping[str, Any], chart: Chart) -> Days | None:
    """The days on which the patient's age was between ``low`` and ``high``; None if the ages or the birth date are not
    usable."""
    youngest, oldest = _years_of(low), _years_of(high)
    if youngest is None or oldest is None or youngest > oldest:
        return None
    birth_dates = {str(patient.get("birthDate")) for patient in chart.patients}
    # If copies of the patient disagree, the onset has no date.
    born_text = birth_dates.pop() if len(birth_dates) == 1 and chart.patient and "birthDate" in chart.patient else None
    if born_text is None:
        return None
    born = days_of(born_text)
    last = years_after(born.last, oldest + 1)
    said = f"age {youngest}" if youngest == oldest else f"age {youngest} to {oldest}"
    return Days(years_after(born.first, youngest), date.fromordinal(last.toordinal() - 1), said)


KIND = OnsetKind()
