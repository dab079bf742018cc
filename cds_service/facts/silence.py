"""The facts of a rule set that have nothing on record: the same for every patient, so computed once.

Most facts of a rule set find nothing in a chart. The service reads such a fact once, from a complete empty chart, by
the same code as all other facts; a call reads only the facts that something in the call may affect.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date
from typing import NamedTuple

from cds_service.chart.arrivals import Listing, State
from cds_service.chart.chart import Chart
from cds_service.chart.code_index import Lexicon
from cds_service.chart.narratives import narratives
from cds_service.facts.context import ANSWERS, Context, types_not_whole
from cds_service.facts.evidence import Fact
from cds_service.facts.kind import kind_of
from cds_service.facts.responses import Answers, read_answers
from cds_service.policy.codes import CodeSet
from cds_service.policy.model import FactRule, Policy

# No silent fact depends on the day.
_ANY_DAY = date(2000, 1, 1)


class SilentFact(NamedTuple):
    """A fact that has nothing on record, and its sources."""

    fact: Fact
    code_sets: frozenset[CodeSet]
    items: tuple[str, ...]
    types: frozenset[str]


class CallSilence(NamedTuple):
    """The facts of a rule set that no record affects in one call, by name, the facts by the ``items`` that they read,
    and the ``links`` (linkIds) that are answered."""

    without_records: Mapping[str, Fact]
    items: Mapping[str, Sequence[str]]
    links: Set[str]

    def facts(self, answers: Answers) -> Mapping[str, Fact]:
        """The facts that nothing affects, for the current part of the answers."""
        if not self.links:
            return self.without_records
        answered = {name for item, names in self.items.items() if answers.link(item) in self.links for name in names}
        return {name: fact for name, fact in self.without_records.items() if name not in answered}


NOTHING_IS_SILENT = CallSilence({}, {}, frozenset())


class SilentFacts:
    """The silent facts of a rule set; ``asked`` are the resource types that calls request."""

    def __init__(self, policy: Policy, asked: Iterable[str]) -> None:
        self.chart = empty_chart(asked)
        answers = read_answers(self.chart, frozenset())
        not_whole = types_not_whole(self.chart, policy.resource_types)
        context = Context(self.chart, answers, _ANY_DAY, None, policy.scope, {}, not_whole=not_whole)
        rules = {name: rule for name, rule in policy.facts.items() if kind_of(rule).is_silent_without_records}
        self.facts = {name: _silent(rule, context) for name, rule in rules.items()}
        worded = (kind for rule in rules.values() if rule.kind.is_of_words for kind in rule.resources)
        self._worded = tuple(dict.fromkeys(worded))
        self._silent = {name: item.fact for name, item in self.facts.items()}
        # The facts by what affects them: a call names few of the code sets, and few of the types fail in it.
        self._by_codes: dict[CodeSet, list[str]] = {}
        self._by_type: dict[str, list[str]] = {}
        self._by_item: dict[str, list[str]] = {}
        for name, item in self.facts.items():
            for codes in item.code_sets:
                self._by_codes.setdefault(codes, []).append(name)
            for kind in item.types:
                self._by_type.setdefault(kind, []).append(name)
            for link in item.items:
                self._by_item.setdefault(link, []).append(name)

    def in_call(self, chart: Chart, answers: Answers, not_whole: Iterable[str]) -> CallSilence:
        """The silent facts of one call."""
        code_sets, types = set(chart.touched), set(not_whole)
        for kind in self._worded:
            found = narratives(chart, kind)
            code_sets.update(*(told.named for told in found.told))
            types |= {kind} if found.failed else set()
        types |= {ANSWERS} if answers.refused else set()
        without_records = dict(self._silent)
        for speaking in (
            *(self._by_codes.get(codes, ()) for codes in code_sets),
            *(self._by_type.get(kind, ()) for kind in types),
        ):
            for name in speaking:
                without_records.pop(name, None)
        return CallSilence(without_records, self._by_item, answers.items.keys() | answers.groups.keys())


def _silent(rule: FactRule, context: Context) -> SilentFact:
    items = (*rule.items, rule.until) if rule.until else rule.items
    return SilentFact(kind_of(rule).read(rule, context), frozenset(rule.code_sets), items, rule.types())


def empty_chart(asked: Iterable[str]) -> Chart:
    """A chart whose lists all arrived and are empty."""
    listings = dict.fromkeys(asked, Listing(State.EMPTY))
    return Chart.of({}, listings, patient_id="nobody", types=(), lexicon=Lexicon(()))
