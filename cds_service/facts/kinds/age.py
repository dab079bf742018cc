"""``age``: the patient's age, in whole years."""

from datetime import date
from typing import Any

from cds_service.errors import UnreadableError
from cds_service.facts.comparing import limits_in_words
from cds_service.facts.context import Context
from cds_service.facts.evidence import Evidence, Fact
from cds_service.facts.kind import NumberKind, Rules
from cds_service.fhir.dates import years_between
from cds_service.fhir.elements import days_of
from cds_service.policy.model import FactRule, Test


class AgeKind(NumberKind):
    """The patient's age by the Patient's birth date; a partial date gives two ages at most."""

    name = "age"

    def types(self, rule: FactRule) -> frozenset[str]:
        """The Patient."""
        return super().types(rule) | {"Patient"}

    def read(self, rule: FactRule, context: Context) -> Fact:
        """The whole years since each possible birth date, up to today or to the day of death."""
        chart = context.chart
        if chart.patient is None:
            why_missing = chart.why_missing.get("Patient", "no Patient was sent")
            return Fact(rule, notes=(why_missing,), open=context.records_open(rule))
        until, remark = _until(chart.died, context.today)
        spans: list[tuple[int, int]] = []
        for patient in chart.patients:
            outcome = _span(patient.get("birthDate"), until)
            if isinstance(outcome, str):
                return Fact(rule, notes=(outcome,))
            spans += [] if outcome in spans else [outcome]
        notes = ("copies of the Patient disagree on the birth date",) if len(spans) > 1 else ()
        shown = " or ".join(map(_in_words, spans))
        evidence = Evidence(f"Patient/{chart.patient_id}", rule.title, shown, None, remark)
        return Fact(rule, tuple(spans), (evidence,), notes)

    def compared(self, test: Test, rule: FactRule) -> str:
        """The limits in years."""
        return f"{limits_in_words(test)} years"

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The birth date."""
        return "the birth date of the Patient"

    def age_limit(self, rule: FactRule) -> str:
        """None: the age is computed today."""
        return "computed today"

    def units(self, rule: FactRule) -> str:
        """Years."""
        return "years"

    def dated(self, in_months: bool, value: int | float, today: date) -> str:
        """The birth date that gives an age."""
        return f" (born {_years_before(today, value)})" if isinstance(value, int) else ""


def _span(written: Any, until: date) -> tuple[int, int] | str:
    """The possible ages from a birth date, or why it gives none."""
    if written is None:
        return "the Patient has no birth date"
    try:
        born = days_of(written)
    except UnreadableError as error:
        return f"the birth date {error}"
    if born.first > until:
        return "the birth date lies in the future"
    return years_between(min(born.last, until), until), years_between(born.first, until)


def _until(died: str | None, today: date) -> tuple[date, str | None]:
    """The day up to which age is counted, and a remark for the reader."""
    if died is None:
        return today, None
    try:
        return min(days_of(died).last, today), "at death"
    except UnreadableError:
        return today, None


def _in_words(span: tuple[int, int]) -> str:
    low, high = span
    return f"{low} years" if low == high else f"{low} or {high} years" if high == low + 1 else f"{low} to {high} years"


def _years_before(day: date, years: int) -> date:
    return day.replace(year=day.year - years, day=min(day.day, 28) if day.month == 2 else day.day)


KIND = AgeKind()
