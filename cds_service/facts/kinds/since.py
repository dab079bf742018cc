"""``since``: the time since something last happened."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from cds_service.errors import UnreadableError
from cds_service.facts.attested import attested, attested_date
from cds_service.facts.context import Context
from cds_service.facts.elapsed import elapsed
from cds_service.facts.evidence import ANYTHING, Fact, OnRecord, Value, newest
from cds_service.facts.kind import ElapsedKind, Rules, references_of
from cds_service.facts.origins import answers, records
from cds_service.facts.recorded import recorded
from cds_service.fhir.dates import days, is_future_day
from cds_service.policy.model import FactRule


class SinceKind(ElapsedKind):
    """The time since the newest record that counts, or since the newest attested date, whichever is later."""

    name = "since"
    answer_type = "date"
    needs = {"required": ["codes", "resources", "state"]}
    is_silent_without_records = True

    def read(self, rule: FactRule, context: Context) -> Fact:
        """The time since the newest record or answer."""
        found, may, notes, spoiled, refused = recorded(rule, context)
        dated = [(days(when), item) for when, item in (*found, *may) if when]
        undated = [item for when, item in (*found, *may) if not when]
        notes += [f"{item.display}: has no date" for item in undated]
        may_be_newer = bool(undated) or spoiled
        answers_open = context.answers_open(rule) or bool(may)
        if rule.item:
            readings, more = attested(
                rule, context.answers, context.today, lambda answer: _attested_past(answer, context.today)
            )
            notes += more
            for reading in newest(readings):
                if reading.values == (ANYTHING,):
                    may_be_newer = True
                elif reading.evidence.value:
                    dated.append((days(reading.evidence.value), reading.evidence))
        if not dated:
            return Fact(rule, (), (), tuple(notes), open=spoiled or answers_open, not_counted=refused)
        spans = [elapsed(rule, when, context.today) for when, _ in dated]
        newest_one = max(dated, key=lambda pair: (pair[0].first, pair[0].last, pair[1].reference))[1]
        # An undated or unreadable item may be the newest of all.
        least = 0 if may_be_newer else min(low for low, _ in spans)
        longest = min(high for _, high in spans)
        return Fact(rule, ((least, longest),), (newest_one,), tuple(notes), open=answers_open, not_counted=refused)

    def recorded_answer(self, fact: Fact) -> OnRecord | None:
        """The day of the newest record."""
        (shown,) = fact.evidence if len(fact.evidence) == 1 else (None,)
        if shown is None or shown.date is None or not references_of(fact):
            return None
        # An undated or unread record may be newer.
        settled = isinstance(fact.values[0], tuple) and fact.values[0][0] > 0
        return OnRecord(shown.date, references_of(fact)) if settled else None

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The records or the answer."""
        return f"the newest {records(rule)}{f' or {answers(rule)}' if rule.item else ''}"


def _attested_past(answer: Mapping[str, Any], today: date) -> tuple[tuple[Value, ...], str]:
    when = attested_date(answer)
    if is_future_day(when.first, today):
        raise UnreadableError("is a date in the future")
    return ((0, 0),), when.text


KIND = SinceKind()
