"""What the facts of a policy say where nothing that they read is on record: the same of everybody, worked out once.

Of the facts of a policy most find nothing in a chart. What such a fact says is read once, from an empty chart that came
whole, by the same code that reads all others; a call reads only the facts that something in it may make speak.
"""

from collections.abc import Iterable, Mapping, Set
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

# Nothing that is silent depends on the day.
_ANY_DAY = date(2000, 1, 1)


class SilentFact(NamedTuple):
    """A fact of which nothing is on record, and what it would be read from."""

    fact: Fact
    code_sets: frozenset[CodeSet]
    items: tuple[str, ...]
    types: frozenset[str]


class CallSilence(NamedTuple):
    """The silent ``facts`` of a policy, by name, and what in one call makes a fact speak: the code sets that records
    name, the linkIds that are answered, and the resource types of which more may be on record than was read."""

    facts: Mapping[str, SilentFact]
    code_sets: Set[CodeSet]
    links: Set[str]
    types: Set[str]

    def fact(self, name: str, answers: Answers) -> Fact | None:
        """The fact of that name where nothing makes it speak, otherwise None."""
        silent = self.facts.get(name)
        if silent is None or not (silent.code_sets.isdisjoint(self.code_sets) and silent.types.isdisjoint(self.types)):
            return None
        if silent.items and not self.links.isdisjoint(map(answers.link, silent.items)):
            return None
        return silent.fact


NOTHING_IS_SILENT = CallSilence({}, frozenset(), frozenset(), frozenset())


class SilentFacts:
    """The silent facts of a policy; ``asked`` are the resource types that calls are asked for."""

    def __init__(self, policy: Policy, asked: Iterable[str]) -> None:
        self.chart = empty_chart(asked)
        answers = read_answers(self.chart, frozenset())
        not_whole = types_not_whole(self.chart, policy.resource_types)
        context = Context(self.chart, answers, _ANY_DAY, None, policy.scope, {}, not_whole=not_whole)
        rules = {name: rule for name, rule in policy.facts.items() if kind_of(rule).is_silent_without_records}
        self.facts = {name: _silent(rule, context) for name, rule in rules.items()}
        worded = (kind for rule in rules.values() if rule.kind.is_of_words for kind in rule.resources)
        self._worded = tuple(dict.fromkeys(worded))

    def in_call(self, chart: Chart, answers: Answers, not_whole: Iterable[str]) -> CallSilence:
        """What is silent in one call."""
        code_sets, types = set(chart.touched), set(not_whole)
        for kind in self._worded:
            found = narratives(chart, kind)
            code_sets.update(*(told.named for told in found.told))
            types |= {kind} if found.failed else set()
        types |= {ANSWERS} if answers.refused else set()
        return CallSilence(self.facts, code_sets, answers.items.keys() | answers.groups.keys(), types)


def _silent(rule: FactRule, context: Context) -> SilentFact:
    items = (*rule.items, rule.until) if rule.until else rule.items
    return SilentFact(kind_of(rule).read(rule, context), frozenset(rule.code_sets), items, rule.types())


def empty_chart(asked: Iterable[str]) -> Chart:
    """A chart of which all lists came, with nothing in them."""
    listings = dict.fromkeys(asked, Listing(State.EMPTY))
    return Chart.of({}, listings, patient_id="nobody", types=(), lexicon=Lexicon(()))
