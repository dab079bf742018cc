"""``measurement``: the newest number, measured or attested."""

from cds_service.facts.attested import attested
from cds_service.facts.attested_values import AnswerReader, attested_number, from_newest
from cds_service.facts.body_mass import computed
from cds_service.facts.comparing import in_unit, limits_in_words
from cds_service.facts.context import Context
from cds_service.facts.evidence import Fact, NotCounted, OnRecord, Reading, not_counted, note_on
from cds_service.facts.kind import NumberKind, Rules, references_of
from cds_service.facts.measured import Measure, Stale, Unread, observed
from cds_service.facts.origins import answers, but_not, span
from cds_service.fhir.dates import Days
from cds_service.policy.model import FactRule, Test


class MeasurementKind(NumberKind):
    """The newest number; an Observation and an answer of one day must agree."""

    name = "measurement"
    answer_type = "decimal"
    needs = {"required": ["item", "look_back_days", "unit", "range"]}
    of_events = ("item", "unit", "range")
    is_of_scores = True
    is_doubted_by_records = True
    may_be_reduced = True
    is_silent_without_records = True

    def types(self, rule: FactRule) -> frozenset[str]:
        """Observations, if the fact has codes."""
        return super().types(rule) | ({"Observation"} if rule.codes else set())

    def read(self, rule: FactRule, context: Context) -> Fact:
        """The newest numbers that count."""
        readings: list[Reading] = []
        stale: list[tuple[Days, str]] = []
        notes: list[str] = []
        refused: list[NotCounted] = []
        unplaced = False
        measure = Measure(rule.unit, rule.units, rule.range, rule.site)
        for match, placed in context.matches(rule, ("Observation",)):
            if copied := context.answers.copied_by(match.record.resource):
                # The answer itself counts; its copy may be older than the current answer.
                notes.append(note_on(match, f"{match.record.reference} is a copy of {copied}"))
                continue
            unplaced = unplaced or not placed
            outcome = observed(rule, match, context.chart, context.today, measure) if placed else context.no_part
            if isinstance(outcome, Stale):
                stale.append((outcome.when, note_on(match, outcome.why)))
                refused.append(not_counted(match, outcome.why))
            elif isinstance(outcome, str):
                notes.append(note_on(match, outcome))
                refused.append(not_counted(match, outcome))
            elif isinstance(outcome, Unread):
                notes.append(note_on(match, outcome.why))
                refused.append(not_counted(match, outcome.why))
                # A code that is not listed may mean something else, whose value need not be readable.
                readings += [] if match.beside_code else [outcome.reading]
            else:
                readings.append(outcome)
        from_parts = computed(rule, context, notes)
        # A measured value that is as recent is better evidence.
        if from_parts and not any(reading.when.last >= from_parts[0].when.first for reading in readings):
            readings += from_parts
        if stale and not readings:
            notes.append(max(stale)[1])
        if rule.item:
            given, more = attested(rule, context.answers, context.today, lambda answer: attested_number(rule, answer))
            readings += given
            notes += more
        fact = from_newest(rule, readings, notes)
        is_open = fact.open or unplaced or context.records_open(rule) or context.answers_open(rule)
        return fact._replace(open=is_open, not_counted=tuple(refused))

    def recorded_answer(self, fact: Fact) -> OnRecord | None:
        """The number, if there is exactly one."""
        references, values = references_of(fact), set(fact.values)
        if not references or len(values) != 1:
            return None
        value = values.pop()
        return OnRecord(value[0], references) if isinstance(value, tuple) and value[0] == value[1] else None

    def reader(self, rule: FactRule) -> AnswerReader:
        """The reader of a number within the range."""
        return lambda answer: attested_number(rule, answer)

    def compared(self, test: Test, rule: FactRule) -> str:
        """The limits in the unit, or on the scale."""
        limits = limits_in_words(test)
        if not rule.unit or rule.unit in rule.title.lower():
            return f"{limits}, on a scale of {span(rule)}"
        return in_unit(limits, rule.unit)

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The Observation or the answer."""
        if rule.codes is None:
            return f"the newest {answers(rule)}"
        parts = ", or else computed from the newest weight and height" if rule.weight and rule.height else ""
        elsewhere = but_not(rule) or (" that names no other body site" if rule.site else "")
        return f"the newest Observation{elsewhere}{parts}{',' if parts else ''} or {answers(rule)}"

    def units(self, rule: FactRule) -> str:
        """Each accepted unit and its conversion."""
        by_factors: dict[tuple[float, ...], list[str]] = {}
        for unit, factors in rule.units.items():
            by_factors.setdefault(factors, []).append(unit or "no unit")
        accepted = []
        for factors, units in by_factors.items():
            read_as = " or ".join("as written" if factor == 1 else f"times {factor:g}" for factor in factors)
            doubt = ", unknown where they disagree" if len(factors) > 1 else ""
            accepted.append(", ".join(units) + ("" if factors == (1.0,) else f" ({read_as}{doubt})"))
        if rule.item:
            accepted.append(f"answer: a number{f' ({rule.unit})' if rule.unit else ''}")
        return f"{'; '.join(accepted)}; values {span(rule)}"


KIND = MeasurementKind()
