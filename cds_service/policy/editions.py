"""Editions of one statement: which one applies on a day, the date of service of an order, and overlapping ranges."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import combinations
from typing import Any, NamedTuple

from cds_service.errors import UnreadableError
from cds_service.fhir.dates import Days
from cds_service.fhir.elements import days_of
from cds_service.policy.model import Policy


class Range(NamedTuple):
    """The days on which an edition is effective, both included; ``last`` is ``date.max`` if no end is known."""

    first: date
    last: date

    def distance(self, day: date) -> int:
        """The number of days between a day and the range; 0 inside the range."""
        return max((self.first - day).days, (day - self.last).days, 0)

    def __str__(self) -> str:
        return f"from {self.first} on" if self.last == date.max else f"from {self.first} to {self.last}"


def effective(policy: Policy) -> Range:
    """The range of an edition: a partial ``from`` starts on its first day, a partial ``until`` ends on its last."""
    until = policy.effective_until
    return Range(days_of(policy.effective_from).first, days_of(until).last if until else date.max)


def in_force(policies: Sequence[Policy], on: date) -> Policy:
    """The edition of one statement that applies on a day: the one whose range includes the day, or else the nearest.

    If two are equally near, the earlier one applies, because the later one is not effective yet.
    """
    return min(policies, key=lambda policy: (effective(policy).distance(on), effective(policy).first))


def overlaps(policies: Iterable[Policy]) -> list[str]:
    """A sentence for each reversed range, and for each two editions of one statement that cannot both be in force.

    Two editions conflict if they share a day or an edition name; each sentence names both rule sets.
    """
    policies = tuple(policies)
    found = [
        f"{policy.id}: is effective from {days.first} until {days.last}, which lies before; correct effective.until"
        for policy in policies
        if (days := effective(policy)).last < days.first
    ]
    for one, other in combinations(policies, 2):
        if one.statement == other.statement:
            found += _collisions(one, other)
    return found


def _collisions(one: Policy, other: Policy) -> Iterator[str]:
    both = f"{one.id} and {other.id} are editions of '{one.statement}'"
    if one.edition == other.edition:
        yield f"{both} and both named '{one.edition}'; give each its own edition"
    first, second = effective(one), effective(other)
    shared = Range(max(first.first, second.first), min(first.last, second.last))
    if shared.first <= shared.last:
        yield f"{both} and both effective {shared}; let the earlier one end (effective.until) before the later begins"


def date_of_service(drafts: Iterable[Mapping[str, Any]], today: date) -> date:
    """The earliest day on which one of the drafts is to be performed; today if no draft states a day.

    It comes from occurrenceDateTime, occurrencePeriod.start or the first occurrenceTiming.event; unreadable values are
    skipped. A partial date means its first possible day from today on, because an order that says this year does not
    mean last January. If all its days are past or all are in the future, it means the day nearest to today.
    """
    spans = (span for draft in drafts if (span := _occurrence(draft)) is not None)
    return min((min(max(span.first, today), span.last) for span in spans), default=today)


def _occurrence(draft: Mapping[str, Any]) -> Days | None:
    period, timing = draft.get("occurrencePeriod"), draft.get("occurrenceTiming")
    events = timing.get("event") if isinstance(timing, dict) else None
    written = (
        draft.get("occurrenceDateTime"),
        period.get("start") if isinstance(period, dict) else None,
        events[0] if isinstance(events, list) and events else None,
    )
    for value in written:
        if value is not None:
            try:
                return days_of(value)
            except UnreadableError:
                continue
    return None
