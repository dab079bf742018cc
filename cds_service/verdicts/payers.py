"""The position of the patient's payer: found by listed identifier or exact alias, used only if it may decide."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from cds_service.chart.chart import Chart
from cds_service.chart.records import Record
from cds_service.errors import UnreadableError
from cds_service.facts import logic
from cds_service.facts.logic import Truth
from cds_service.fhir.dates import day_before
from cds_service.fhir.elements import Key, days_of, first_of, list_of, object_of
from cds_service.fhir.free_text import words
from cds_service.fhir.types import TYPES
from cds_service.policy.model import Payer, Policy
from cds_service.policy.payer_names import PayerName, PayerNames
from cds_service.verdicts import payer_reasons as why
from cds_service.verdicts.criteria import Finding

SEEN_WITHIN_DAYS = 365
_ROW = TYPES["Coverage"]


@dataclass(frozen=True, slots=True)
class PayerPosition:
    """A payer position: the ``truth`` of the payer verdict, and the ``reason`` if not met or unknown (otherwise empty).

    ``payers`` pairs each payer's name in the chart with its policy on file, if any. ``held`` are the findings of its
    rule's criteria, even if the rule may not decide. ``reference`` is the coverage that names the payer.
    """

    truth: Truth
    payers: tuple[tuple[str, Payer | None], ...]
    reason: str
    held: tuple[Finding, ...] = ()
    reference: str | None = None

    @property
    def on_file(self) -> Payer | None:
        """The first payer in the chart with a policy on file."""
        return next((payer for _, payer in self.payers if payer is not None), None)


Held = Callable[[Collection[str]], tuple[Finding, ...]]


class _Found(NamedTuple):
    """A payer's name in the chart and its policy on file; ``exact``: found by that name or an identifier.

    ``known`` is the payer whose plan has this name, if not exact; ``readable``: the chart says who the payer is.
    """

    name: str
    payer: Payer | None
    exact: bool = True
    known: PayerName | None = None
    readable: bool = True

    @property
    def who(self) -> str:
        """The key that is equal for two coverages of one payer."""
        if self.payer is not None:
            return self.payer.id
        return self.known.id if self.known else self.name


class _OnFile:
    """The payers of a rule set by identifier and alias (the first one wins), and by the names of plans."""

    def __init__(self, payers: Iterable[Payer], names: PayerNames) -> None:
        self._names = names
        self._known: dict[str, _Found] = {}
        self._by_identifier: dict[Key, tuple[int, Payer]] = {}
        self._by_alias: dict[str, Payer] = {}
        self._by_id: dict[str, Payer] = {}
        for place, payer in enumerate(payers):
            self._by_id.setdefault(payer.id, payer)
            for identifier in payer.identifiers:
                self._by_identifier.setdefault(identifier, (place, payer))
            for alias in payer.aliases:
                self._by_alias.setdefault(alias, payer)

    def identified(self, resource: Mapping[str, Any]) -> tuple[int, Payer] | None:
        """The first payer, with its position, on file under an identifier of an Organization or a Reference."""
        found = [self._by_identifier[key] for key in _identifiers(resource) if key in self._by_identifier]
        return min(found, key=lambda pair: pair[0], default=None)

    def named(self, name: str) -> _Found:
        """The payer on file under a name, otherwise the payer whose plan it is.

        Cached, because many coverages may share a name.
        """
        if name not in self._known:
            self._known[name] = self._look_up(name)
        return self._known[name]

    def _look_up(self, name: str) -> _Found:
        listed = self._by_alias.get(words(name))
        if listed is not None:
            return _Found(name, listed)
        known = self._names.payer_of(name)
        return _Found(name, self._by_id.get(known.id) if known else None, exact=False, known=known)


def position(
    policy: Policy, chart: Chart, held: Held, orders: Iterable[Mapping[str, Any]], today: date
) -> PayerPosition:
    """One patient's payer position: met or not met only by one payer's own text, in force and seen within a year.

    ``held`` gives the findings of criteria by key.
    """
    unreadable = next((item for item in chart.unreadable if item.type == _ROW.name), None)
    if unreadable:
        return PayerPosition(Truth.UNKNOWN, (), why.not_readable(unreadable.reference, unreadable.why), ())
    coverages = _coverages(chart, orders, today)
    on_file = _OnFile(policy.payers, policy.payer_names)
    by_who: dict[str, _Found] = {}
    for coverage, payor in coverages:
        found = _found(on_file, payor, coverage.resource, chart)
        by_who.setdefault(found.who, found)
    named = sorted(by_who.values(), key=lambda item: item.name)
    only = named[0] if len(named) == 1 else None
    settling = only.payer if only and only.exact else None
    findings = held(settling.position.get("covered_when_all", ())) if settling else ()
    if settling and "profile" in settling.position:
        findings = held(policy.profiles[settling.position["profile"]].criteria)
    truth, reason = _judge(named, bool(coverages), findings, chart, today)
    source = coverages[0][0].reference if coverages else None
    return PayerPosition(truth, tuple((item.name, item.payer) for item in named), reason, findings, source)


def why_unknown(payer: Payer, today: date) -> tuple[str, ...]:
    """Every reason why the policy on file settles nothing on a day; empty if the payer's own text may decide."""
    doubts = []
    if not payer.own_text:
        doubts.append(why.NOT_OWN_TEXT)
    if payer.seen_in_force is None or payer.seen_in_force < day_before(today, SEEN_WITHIN_DAYS):
        doubts.append(why.NOT_CHECKED_IN_A_YEAR)
    if (payer.in_force_from and today < payer.in_force_from) or (payer.in_force_until and today > payer.in_force_until):
        doubts.append(why.NOT_IN_FORCE)
    if "not_encoded" in payer.position:
        doubts.append(why.NOT_ENCODED)
    return tuple(doubts)


def _judge(
    named: list[_Found], covered: bool, findings: tuple[Finding, ...], chart: Chart, today: date
) -> tuple[Truth, str]:
    if not covered:
        return Truth.UNKNOWN, chart.why_missing.get(_ROW.name, why.NO_COVERAGE)
    if len(named) > 1:
        return Truth.UNKNOWN, why.SEVERAL_PAYERS
    found = named[0]
    if not found.readable:
        return Truth.UNKNOWN, why.PAYER_NOT_NAMED
    payer = found.payer
    if payer is None:
        return Truth.UNKNOWN, why.NO_MEDICAL_POLICY
    if not found.exact:
        return Truth.UNKNOWN, why.other_plan(payer.name)
    doubts = why_unknown(payer, today)
    if doubts:
        return Truth.UNKNOWN, doubts[0]
    if payer.position.get("covered") is False:
        return Truth.NOT_MET, why.not_covered(payer.document)
    truth = logic.every(finding.truth for finding in findings)
    if truth is Truth.MET:
        return truth, ""
    said = why.criteria_not_met if truth is Truth.NOT_MET else why.criteria_open
    return truth, said(payer.document)


def _coverages(chart: Chart, orders: Iterable[Mapping[str, Any]], today: date) -> list[tuple[Record, Any]]:
    """(Coverage, payor) of each coverage in force; only those that the orders name, if any."""
    insurances = [chart.references.resolve(item, order) for order in orders for item in list_of(order.get("insurance"))]
    named = {id(coverage) for coverage in insurances if coverage is not None}
    active = [
        (record, payor)
        for record in chart.records(_ROW.name)
        if _in_force(record.resource, today)
        for payor in _payors(record.resource)
    ]
    return [pair for pair in active if id(pair[0].resource) in named] or active


def _payors(coverage: Mapping[str, Any]) -> list[Any]:
    """The references to the payers of a coverage (``insurer`` in FHIR R5); [None] for a coverage that names none."""
    return list_of(coverage.get("payor")) or list_of(coverage.get("insurer")) or [None]


def _in_force(coverage: Mapping[str, Any], today: date) -> bool:
    if coverage.get("status") not in _ROW.statuses:
        return False
    try:
        period = object_of(coverage.get(_ROW.period) or {})
        start, end = period.get("start"), period.get("end")
        return not (start and days_of(start).first > today) and not (end and days_of(end).last < today)
    except UnreadableError:
        return False


def _found(on_file: _OnFile, payor: Any, coverage: Mapping[str, Any], chart: Chart) -> _Found:
    """The payer and its policy on file: by identifier, otherwise by name.

    The name comes from the Organization if available, then the Reference, then the plan (``Coverage.class``).
    """
    organization = chart.references.resolve(payor, coverage) or {}
    reference = payor if isinstance(payor, dict) else {}
    names = (organization.get("name"), first_of(reference, "display"), *_plan_names(coverage))
    name = next((text for text in names if isinstance(text, str) and text.strip()), None)
    # Cached: many coverages may name one Organization, which may have many identifiers.
    if name is None:
        values = (chart.told(_least_identifier, organization), _least_identifier(reference))
        least = min((value for value in values if value is not None), default=None)
        if least is None:
            return _Found(why.NOT_READABLE, None, readable=False)
        name = why.identifier(least)
    identified = (chart.told(on_file.identified, organization), on_file.identified(reference))
    first = min((pair for pair in identified if pair is not None), key=lambda pair: pair[0], default=None)
    return _Found(name, first[1]) if first else on_file.named(name)


def _least_identifier(resource: Mapping[str, Any]) -> str | None:
    return min((value for _, value in _identifiers(resource)), default=None)


def _plan_names(coverage: Mapping[str, Any]) -> Iterator[Any]:
    """The names of a coverage's plan, group and other classes, the plan's first."""
    classes = [item for item in list_of(coverage.get("class")) if isinstance(item, dict)]
    yield from (
        item.get("name") for item in sorted(classes, key=lambda item: "plan" not in _codes_of(item.get("type")))
    )


def _codes_of(concept: Any) -> list[Any]:
    listed = concept.get("coding") if isinstance(concept, dict) else None
    return [coding.get("code") for coding in (listed if isinstance(listed, list) else ()) if isinstance(coding, dict)]


def _identifiers(resource: Mapping[str, Any]) -> set[Key]:
    return {
        (item["system"], item["value"])
        for item in list_of(resource.get("identifier"))
        if isinstance(item, dict) and isinstance(item.get("system"), str) and isinstance(item.get("value"), str)
    }
