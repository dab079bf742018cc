"""``age``: how old the patient is, in whole years."""

from datetime import date

from cds_service.errors import UnreadableError
from cds_service.facts.comparing import limits_in_words
from cds_service.facts.context import Context
from cds_service.facts.evidence import Evidence, Fact
from cds_service.facts.kind import NumberKind, Rules
from cds_service.fhir.dates import years_between
from cds_service.fhir.elements import days_of
from cds_service.policy.model import FactRule, Test


class AgeKind(NumberKind):
    """The birth date of the Patient; a partial one gives two ages at the most."""

    name = "age"

    def types(self, rule: FactRule) -> frozenset[str]:
        """The Patient."""
        return super().types(rule) | {"Patient"}

    def read(self, rule: FactRule, context: Context) -> Fact:
        """The whole years since each day that the birth date may be."""
        chart, today = context.chart, context.today
        born_text = chart.patient.get("birthDate") if chart.patient else None
        if chart.patient is None:
            why_missing = chart.why_missing.get("Patient", "no Patient was sent")
            return Fact(rule, notes=(why_missing,), open=context.records_open(rule))
        if born_text is None:
            return Fact(rule, notes=("the Patient has no birth date",))
        try:
            born = days_of(born_text)
        except UnreadableError as error:
            return Fact(rule, notes=(f"the birth date {error}",))
        if born.first > today:
            return Fact(rule, notes=("the birth date lies in the future",))
        low, high = years_between(min(born.last, today), today), years_between(born.first, today)
        shown = (
            f"{low} years" if low == high else f"{low} or {high} years" if high == low + 1 else f"{low} to {high} years"
        )
        evidence = Evidence(f"Patient/{chart.patient_id}", rule.title, shown, None)
        return Fact(rule, ((low, high),), (evidence,))

    def compared(self, test: Test, rule: FactRule) -> str:
        """In years."""
        return f"{limits_in_words(test)} years"

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The birth date."""
        return "the birth date of the Patient"

    def age_limit(self, rule: FactRule) -> str:
        """That of today."""
        return "computed today"

    def units(self, rule: FactRule) -> str:
        """Years."""
        return "years"

    def dated(self, in_months: bool, value: int | float, today: date) -> str:
        """The birth date that gives an age."""
        return f" (born {_years_before(today, value)})" if isinstance(value, int) else ""


def _years_before(day: date, years: int) -> date:
    return day.replace(year=day.year - years, day=min(day.day, 28) if day.month == 2 else day.day)


KIND = AgeKind()
