"""The feedback report as bars: each is 100%, split into accepted and overridden."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cds_service.hooks.feedback import ACCEPTED, OVERRIDDEN
from cds_service.operations.feedback_report import UNKNOWN, FeedbackReport, Rates, percent
from cds_service.web import feedback_words as words


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: ``kind`` is accepted or overridden; ``start`` and ``width`` are SVG lengths in percent."""

    kind: str
    start: str
    width: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: ``label`` names it, ``number`` gives its numbers in words; without feedback it has no segments."""

    label: str
    number: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class BarGroup:
    """The bars of one statement."""

    title: str
    bars: tuple[Bar, ...]


def title_of(policy: str, titles: Mapping[str, str]) -> str:
    """The title of a statement; ``titles`` are those of the loaded statements, by id."""
    return words.UNKNOWN_CARDS if policy == UNKNOWN else titles.get(policy, policy)


def said(row: Rates) -> str:
    """The outcome of the cards of a row, in words."""
    return words.NOT_KNOWN if row.policy == UNKNOWN else words.SAYS.get(row.name, row.name)


def by_statement(found: FeedbackReport, titles: Mapping[str, str]) -> tuple[Bar, ...]:
    """One bar for each statement."""
    return tuple(_divided(title_of(row.policy, titles), row) for row in found.policies)


def by_what_was_said(found: FeedbackReport, titles: Mapping[str, str]) -> tuple[BarGroup, ...]:
    """One bar for each outcome of a statement's cards."""
    return _grouped(((row.policy, _divided(said(row), row)) for row in found.outcomes), titles)


def by_reason(found: FeedbackReport, titles: Mapping[str, str]) -> tuple[BarGroup, ...]:
    """One bar for each reason: its share of the statement's overridden cards."""
    return _grouped(_shares(found.reasons, OVERRIDDEN), titles)


def by_suggestion(found: FeedbackReport, titles: Mapping[str, str]) -> tuple[BarGroup, ...]:
    """One bar for each suggestion: its share of the statement's accepted suggestions."""
    return _grouped(_shares(found.suggestions, ACCEPTED), titles)


def _divided(label: str, row: Rates) -> Bar:
    total = row.accepted + row.overridden
    if not total:
        return Bar(label, words.NO_FEEDBACK, ())
    number = words.rates(row.accepted, percent(row.accept_rate), row.overridden, percent(row.override_rate))
    parts = ((ACCEPTED, 0, row.accepted), (OVERRIDDEN, row.accepted, row.overridden))
    return Bar(label, number, tuple(_segment(kind, start, size, total) for kind, start, size in parts if size))


def _shares(rows: Sequence[tuple[str, str, int]], kind: str) -> Iterable[tuple[str, Bar]]:
    totals: Counter[str] = Counter()
    for policy, _, number in rows:
        totals[policy] += number
    for policy, name, number in rows:
        times = words.share(number, totals[policy], percent(number / totals[policy]))
        yield policy, Bar(name, times, (_segment(kind, 0, number, totals[policy]),))


def _segment(kind: str, start: int, size: int, total: int) -> Segment:
    return Segment(kind, f"{100 * start / total:.2f}%", f"{100 * size / total:.2f}%")


def _grouped(bars: Iterable[tuple[str, Bar]], titles: Mapping[str, str]) -> tuple[BarGroup, ...]:
    groups: dict[str, list[Bar]] = {}
    for policy, bar in bars:
        groups.setdefault(policy, []).append(bar)
    return tuple(BarGroup(title_of(policy, titles), tuple(found)) for policy, found in groups.items())
