"""Editions of one statement: on each day at most one of them holds."""

from collections.abc import Iterable
from datetime import date
from itertools import combinations

from cds_service.dates import days
from cds_service.policy import Policy


def overlaps(policies: Iterable[Policy]) -> list[str]:
    """A sentence for each two editions of one statement that would both hold on some day."""
    ranges = [(policy, *_effective(policy)) for policy in policies]
    return [
        f"{one.id} and {other.id} are editions of one statement and both hold from {max(start, begin)}; "
        "set effective.until of the earlier one to the day before the later one begins"
        for (one, start, end), (other, begin, close) in combinations(ranges, 2)
        if one.statement == other.statement and max(start, begin) <= min(end, close)
    ]


def _effective(policy: Policy) -> tuple[date, date]:
    given = policy.raw["effective"]
    return days(given["from"]).first, days(given["until"]).last if given["until"] else date.max
