"""``onset``: how long a problem has lasted, from recorded onsets and from an attested date."""

from collections.abc import Mapping
from datetime import date
from math import inf
from typing import Any

from cds_service.chart.chart import Chart
from cds_service.chart.evidence_rules import judge
from cds_service.errors import UnreadableError
from cds_service.facts.attested import attested, attested_date
from cds_service.facts.context import Context
from cds_service.facts.elapsed import elapsed
from cds_service.facts.evidence import (
    ANYTHING,
    Evidence,
    Fact,
    NotCounted,
    Value,
    evidence_of,
    newest,
    not_counted,
    note_on,
)
from cds_service.facts.kind import ElapsedKind, Rules
from cds_service.facts.origins import a_condition, answers, either
from cds_service.fhir.dates import Days, days, years_after
from cds_service.fhir.elements import days_of, number_of, object_of
from cds_service.policy.model import FactRule


class OnsetKind(ElapsedKind):
    """The earliest recorded onset, and the newest attested one: both must agree."""

    name = "onset"
    default_state = "active"
    may_leave_out = True
    needs = {"anyOf": [{"required": ["codes"]}, {"required": ["item"]}]}

    def types(self, rule: FactRule) -> frozenset[str]:
        """Conditions, and the Patient: an onset may be recorded as an age."""
        return super().types(rule) | ({"Patient", "Condition"} if rule.codes else set())

    def read(self, rule: FactRule, context: Context) -> Fact:
        """The time since each onset that counts."""
        chart, today = context.chart, context.today
        recorded: list[tuple[Days, Evidence]] = []
        notes: list[str] = []
        refused: list[NotCounted] = []
        unread, unreadable = context.records_open(rule), False
        others = {id(match.record.resource) for codes in rule.not_in for match in chart.matches("Condition", codes)}
        for match, placed in context.matches(rule, ("Condition",)):
            try:
                why_not, _ = judge(rule, match, chart, today)
                why_not = why_not or (None if placed else context.no_part)
                if why_not is None and id(match.record.resource) in others:
                    why_not = "gives no onset of the pain"
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
                    refused.append(not_counted(match, why_not))
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
        # An unread record may only lengthen the time that others show, but is all there is where none shows any.
        is_open = context.answers_open(rule) or ((unread or unreadable) and not recorded)
        return Fact(
            rule, tuple(values), tuple(shown), tuple(dict.fromkeys(notes)), open=is_open, not_counted=tuple(refused)
        )

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The Conditions, and the answer."""
        ended = f", to the date in “{rule.until}”" if rule.until else ""
        if rule.codes is None:
            return f"from the date in {answers(rule)}{ended}"
        but = f" (none of {either([codes.title.lower() for codes in rule.not_in])})" if rule.not_in else ""
        recorded = f"the earliest onset of {a_condition(rule)}{but}"
        return f"{recorded}, and the newest {answers(rule)}{ended}; both must agree" if rule.item else recorded


def _attested_end(rule: FactRule, context: Context, notes: list[str]) -> Days | None:
    """The attested date that ends what began; None, with a note, where none is attested or several differ."""
    readings, more = attested(rule.ending(), context.answers, context.today, _attested_date)
    notes += more
    ends = {reading.evidence.value for reading in newest(readings)}
    if len(ends) != 1 or (end := ends.pop()) == "unreadable":
        notes.append("end not recorded" if not ends else "its end cannot be told")
        return None
    return days(end or "")


def _attested_date(answer: Mapping[str, Any]) -> tuple[tuple[Value, ...], str]:
    return (ANYTHING,), attested_date(answer).text


def _attested_onset(
    rule: FactRule, answer: Mapping[str, Any], today: date, end: Days | None
) -> tuple[tuple[Value, ...], str]:
    onset = attested_date(answer)
    if onset.first > today:
        raise UnreadableError("is a date in the future")
    if end is None:
        return (ANYTHING,), f"since {onset.text}"
    if end.first > today or end.last < onset.first:
        raise UnreadableError("ends before it begins, or in the future")
    shown = f"since {onset.text}" if not rule.until else f"{onset.text} to {end.text}"
    return (elapsed(rule, onset, min(end.last, today), end.first),), shown


def _condition_onset(condition: Mapping[str, Any], chart: Chart) -> Days | None:
    if "onsetDateTime" in condition:
        return days_of(condition["onsetDateTime"])
    if "onsetPeriod" in condition:
        start = object_of(condition["onsetPeriod"]).get("start")
        return days_of(start) if start is not None else None
    if "onsetAge" in condition:
        return _onset_from_age(object_of(condition["onsetAge"]), chart)
    if "onsetRange" in condition:
        return _onset_between(object_of(condition["onsetRange"]), chart)
    if "onsetString" in condition:
        try:
            return days_of(condition["onsetString"])
        except UnreadableError:
            return None
    return None


def _onset_between(ages: Mapping[str, Any], chart: Chart) -> Days | None:
    """From the lower age to the higher one; None where either is not given as an age in years."""
    bounds = [_onset_from_age(object_of(ages[end]), chart) for end in ("low", "high") if ages.get(end) is not None]
    if len(bounds) != 2 or bounds[0] is None or bounds[1] is None:
        return None
    low, high = bounds
    return Days(low.first, high.last, f"{low.text} to {high.text.removeprefix('age ')}")


def _onset_from_age(age: Mapping[str, Any], chart: Chart) -> Days | None:
    years = number_of(age.get("value"))
    unit = age.get("code") or age.get("unit") or "a"
    if not isinstance(unit, str) or unit.lower() not in ("a", "y", "yr", "year", "years") or not 0 <= years <= 130:
        return None
    birth_dates = {str(patient.get("birthDate")) for patient in chart.patients}
    # Copies of the patient that disagree give no age.
    born_text = birth_dates.pop() if len(birth_dates) == 1 and chart.patient and "birthDate" in chart.patient else None
    if born_text is None or age.get("comparator") is not None:
        return None
    born = days_of(born_text)
    last = years_after(born.last, int(years) + 1)
    return Days(years_after(born.first, int(years)), date.fromordinal(last.toordinal() - 1), f"age {int(years)}")


KIND = OnsetKind()
