"""Evidence, the readings that make up a fact, and the facts themselves."""

from collections.abc import Mapping
from datetime import date
from math import inf
from typing import NamedTuple

from cds_service.chart.records import Match
from cds_service.fhir.dates import Days, days
from cds_service.fhir.elements import Interval
from cds_service.fhir.sentence_case import inside_sentence
from cds_service.policy.model import FactRule

Value = Interval | bool
ANYTHING: Interval = (-inf, inf)
# Stands for an unknown date.
WITHOUT_DATE = "without a date"


class InSpiteOf(NamedTuple):
    """A record despite which somebody gave an answer, and why."""

    reference: str
    why: str


class Attested(NamedTuple):
    """Who gave an answer, in which ``role``, when it was ``observed``, and its ``basis``, all in words; "" if not
    stated.

    ``kind`` is what the role counts as ("clinician", "staff", "patient", or "unnamed" if no author is recorded).
    """

    by: str
    role: str
    kind: str
    observed: str = ""
    basis: str = ""
    in_spite_of: tuple[InSpiteOf, ...] = ()


class Evidence(NamedTuple):
    """One item on record: its name (our label, or the chart's own words), its code, its value, its date.

    Events that are counted rather than listed have a ``noun`` (singular, plural); answers have ``attested``. ``quote``
    is the sentence, as written, in which words were found.
    """

    reference: str
    display: str
    value: str | None
    date: str | None
    remark: str | None = None
    code: str | None = None
    noun: tuple[str, str] | None = None
    quote: str = ""
    attested: Attested | None = None

    @property
    def is_attested(self) -> bool:
        """Whether the evidence is an answer rather than a record of the chart."""
        return self.attested is not None


class Reading(NamedTuple):
    """One dated source of a fact: its possible values (``ANYTHING`` if unreadable), and its evidence.

    ``doubt`` says in words that its date is partial and may be outside the look-back.
    """

    when: Days
    values: tuple[Value, ...]
    evidence: Evidence
    doubt: str = ""


class NotCounted(NamedTuple):
    """A record that has the code or words of a fact but does not count, and why."""

    reference: str
    display: str
    why: str


class Fact(NamedTuple):
    """The current knowledge of one fact.

    ``values``: the possible values (empty: nothing known); ``notes``: why something on record does not count;
    ``events``: the events of a fact that is counted; ``open``: more may be on record than was read, and could change
    the fact; ``not_counted``: the records that have its codes or words and do not count; ``only_by_words``: it is open
    only because its evidence is words beside codes that the rule set does not list.
    """

    rule: FactRule
    values: tuple[Value, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    notes: tuple[str, ...] = ()
    events: tuple["Event", ...] = ()
    open: bool = False
    not_counted: tuple[NotCounted, ...] = ()
    only_by_words: bool = False

    def newest_days(self) -> tuple[date, date] | None:
        """The first and the last possible day of its newest event, or else of its newest evidence; None without either.

        An undated item may be of any day, and an unread record may be newer than all others.
        """
        dated = [event.when for event in self.events] or [days(item.date) for item in self.evidence if item.date]
        if not dated and not self.evidence and not self.open:
            return None
        undated = self.open or (not self.events and any(item.date is None for item in self.evidence))
        first = max((when.first for when in dated), default=date.min)
        return first, date.max if undated else max(when.last for when in dated)


class OnRecord(NamedTuple):
    """The value of a fact from the chart alone, without answers: a number in the fact's unit, or a date as written
    (FHIR, may be partial), and the records that it comes from (``Type/id``)."""

    value: float | str
    references: tuple[str, ...]


class Event(NamedTuple):
    """Something that happened once: when, its attributes, and whether it is certain to belong to the current part."""

    when: Days
    attributes: Mapping[str, Fact]
    certain: bool


class WaitingDraft(NamedTuple):
    """A form that somebody began and nobody signed: its reference, when it was saved (as written), by whom, and the
    linkIds that it answers. It is not evidence."""

    reference: str
    authored: str
    by: str
    links: frozenset[str]


class Known(NamedTuple):
    """All facts of one patient: of the whole, and of each part of the call, combined with those of the whole.

    ``drafts`` are the unfinished forms in the chart, the newest first.
    """

    whole: Mapping[str, Fact]
    parts: Mapping[str, Mapping[str, Fact]]
    drafts: tuple[WaitingDraft, ...] = ()

    def at(self, part: str) -> Mapping[str, Fact]:
        """The facts to evaluate a test against: of one part, or of the whole ("")."""
        return self.parts[part] if part else self.whole


def newest(readings: list[Reading]) -> list[Reading]:
    """The readings that may be the newest, that is, that no other reading is wholly later than, in a fixed order."""
    if not readings:
        return []
    latest = max(reading.when.first for reading in readings)
    kept = [reading for reading in readings if reading.when.last >= latest]
    return sorted(kept, key=lambda reading: [part or "" for part in reading.evidence[:4]])


def evidence_of(
    match: Match, value: str | None, when: str | None, noun: tuple[str, str] | None = None, remark: str = ""
) -> Evidence:
    """The evidence that a matching record gives: our own label if a code matched, otherwise the chart's words.

    ``remark`` is what a reader must also know about it.
    """
    label, code = (match.code.label, match.text) if match.code else (match.text, None)
    remarks = ", ".join(filter(None, (_remark(match), remark))) or None
    return Evidence(
        reference=match.record.reference, display=label, value=value, date=when, remark=remarks, code=code, noun=noun
    )


def _remark(match: Match) -> str | None:
    if match.code is None:
        return "by its text, its code not in this rule set" if match.beside_code else "by its text"
    return ", ".join(filter(None, ("code system not stated" * match.without_system, match.code.remark))) or None


def not_counted(match: Match, why: str) -> NotCounted:
    """A matching record that does not count."""
    return NotCounted(match.record.reference, match.code.label if match.code else match.text, why)


def note_on(match: Match, why: str) -> str:
    """A phrase that says why a matching record does not count."""
    name = match.code.label if match.code else match.text
    return f"{name}: {why}"


def titled(rule: FactRule) -> str:
    """The title of a fact in the form for the middle of a sentence."""
    return inside_sentence(rule.title)
