"""Everything that a fact may read, and the records that have the fact's codes and belong to the current part."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple

from cds_service.chart.chart import Chart
from cds_service.chart.orders import ProcedureOrder
from cds_service.chart.parts import parts_named
from cds_service.chart.records import Match
from cds_service.facts.evidence import Fact
from cds_service.facts.responses import Answers
from cds_service.fhir.types import TYPES
from cds_service.policy.codes import CodeSet
from cds_service.policy.model import FactRule, Scope

ANSWERS = "QuestionnaireResponse"


def types_not_whole(chart: Chart, resource_types: Iterable[str]) -> frozenset[str]:
    """The types whose list failed, is missing or is incomplete; a type that the service never requests is not
    missing."""
    return frozenset(name for name in resource_types if not (TYPES[name].unasked or chart.whole(name)))


class Context(NamedTuple):
    """One patient on one day: the chart, the answers, the order, and the facts read so far.

    ``part`` is the current part of the scope, or "" for the whole; ``parts`` are the parts of the call; ``not_whole``
    are the resource types that may have more records than were read.
    """

    chart: Chart
    answers: Answers
    today: date
    order: ProcedureOrder | None
    scope: Scope | None
    known: Mapping[str, Fact]
    parts: tuple[str, ...] = ()
    part: str = ""
    not_whole: frozenset[str] = frozenset()

    def records_open(self, rule: FactRule) -> bool:
        """Whether there may be unread records that the fact would read."""
        return not self.not_whole.isdisjoint(rule.types() - {ANSWERS})

    def answers_open(self, rule: FactRule) -> bool:
        """Whether there may be unread answers that the fact would read."""
        items = (*rule.items, rule.until) if rule.until else rule.items
        return bool(rule.item) and (ANSWERS in self.not_whole or self.answers.may_hold(items))

    def matches(self, rule: FactRule, types: Iterable[str]) -> Iterator[tuple[Match, bool]]:
        """Each record that has the rule's codes; with False if the record does not say to which part it belongs."""
        return self.matches_of(rule.codes, types) if rule.codes is not None else iter(())

    def matches_of(self, codes: CodeSet, types: Iterable[str]) -> Iterator[tuple[Match, bool]]:
        """``matches`` of a code set."""
        if codes not in self.chart.touched:
            return
        for name in types:
            for match in self.chart.matches(name, codes):
                if not self.part or self.scope is None:
                    yield match, True
                    continue
                named = parts_named(self.scope, match.record.resource, self.chart)
                if not named or self.part in named:
                    yield match, bool(named)

    def parts_of(self, match: Match) -> tuple[str, ...]:
        """The parts of the scope that a record names; none without a scope."""
        return parts_named(self.scope, match.record.resource, self.chart) if self.scope is not None else ()

    @property
    def no_part(self) -> str:
        """Why a record that names no part does not count."""
        return f"{self.scope.name if self.scope else 'part'} not recorded"
