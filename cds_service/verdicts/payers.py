"""The position of the patient's payer: found by listed identifier or exact alias, believed only where it may be."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cds_service.chart.chart import Chart, Record
from cds_service.errors import UnreadableError
from cds_service.facts import logic
from cds_service.facts.logic import Truth
from cds_service.fhir.dates import day_before
from cds_service.fhir.elements import Key, days_of, first_of, list_of, object_of
from cds_service.fhir.free_text import words
from cds_service.fhir.types import TYPES
from cds_service.policy.model import Payer, Policy
from cds_service.verdicts.criteria import Finding

SEEN_WITHIN_DAYS = 365
_ROW = TYPES["Coverage"]


@dataclass(frozen=True, slots=True)
class PayerPosition:
    """``truth`` of the payer verdict, and in words the ``reason`` why it is not met or unknown (empty where it is met).

    ``payers`` pairs each payer's name in the chart with what is on file, if any; ``held`` is what became of the
    criteria of its rule, even where the rule may not decide.
    """

    truth: Truth
    payers: tuple[tuple[str, Payer | None], ...]
    reason: str
    held: tuple[Finding, ...] = ()


Held = Callable[[Collection[str]], tuple[Finding, ...]]


class _OnFile:
    """The payers of a policy, by identifier and by alias; of several the first counts."""

    def __init__(self, payers: Iterable[Payer]) -> None:
        self._by_identifier: dict[Key, tuple[int, Payer]] = {}
        self._by_alias: dict[str, Payer] = {}
        for place, payer in enumerate(payers):
            for identifier in payer.identifiers:
                self._by_identifier.setdefault(identifier, (place, payer))
            for alias in payer.aliases:
                self._by_alias.setdefault(alias, payer)

    def find(self, name: str, identifiers: Iterable[Key]) -> Payer | None:
        """What is on file under one of the identifiers, else under the name."""
        identified = [self._by_identifier[key] for key in identifiers if key in self._by_identifier]
        if identified:
            return min(identified, key=lambda pair: pair[0])[1]
        return self._by_alias.get(words(name))


def position(
    policy: Policy, chart: Chart, held: Held, orders: Iterable[Mapping[str, Any]], today: date
) -> PayerPosition:
    """One patient's payer position: met or not met only by one payer's own text, in force and seen within a year.

    ``held`` gives the findings of criteria by their keys.
    """
    unreadable = next((item for item in chart.unreadable if item.type == _ROW.name), None)
    if unreadable:
        return PayerPosition(Truth.UNKNOWN, (), f"{unreadable.reference} {unreadable.why}", ())
    coverages = _coverages(chart, orders, today)
    on_file = _OnFile(policy.payers)
    found: dict[str, Payer | None] = {}
    for coverage, payor in coverages:
        name, identifiers = _identity(payor, coverage.resource, chart)
        if name not in found:
            found[name] = on_file.find(name, identifiers)
    payers = tuple(sorted(found.items(), key=lambda pair: pair[0]))
    only = payers[0][1] if len(payers) == 1 else None
    findings = held(only.position.get("covered_when_all", ())) if only else ()
    if only and "profile" in only.position:
        findings = held(policy.profiles[only.position["profile"]].criteria)
    truth, reason = _judge(payers, findings, chart, today)
    return PayerPosition(truth, payers, reason, findings)


def why_unknown(payer: Payer, today: date) -> tuple[str, ...]:
    """Every reason for which what is on file settles nothing on a day; none where the payer's own text may decide."""
    doubts = []
    if not payer.own_text:
        doubts.append("the payer's own text was not seen")
    if payer.seen_in_force is None or payer.seen_in_force < day_before(today, SEEN_WITHIN_DAYS):
        doubts.append("its text was not seen in force within 12 months")
    if (payer.in_force_from and today < payer.in_force_from) or (payer.in_force_until and today > payer.in_force_until):
        doubts.append("not in force on this date")
    if "not_encoded" in payer.position:
        doubts.append("the position is not written as criteria")
    return tuple(doubts)


def _judge(
    payers: tuple[tuple[str, Payer | None], ...], findings: tuple[Finding, ...], chart: Chart, today: date
) -> tuple[Truth, str]:
    if not payers:
        return Truth.UNKNOWN, chart.why_missing.get(_ROW.name, "no active coverage on record")
    if len(payers) > 1:
        return Truth.UNKNOWN, "more than one payer on record"
    payer = payers[0][1]
    if payer is None:
        return Truth.UNKNOWN, "no position on file"
    doubts = why_unknown(payer, today)
    if doubts:
        return Truth.UNKNOWN, doubts[0]
    if payer.position.get("covered") is False:
        return Truth.NOT_MET, f"{payer.document}: not covered"
    truth = logic.every(finding.truth for finding in findings)
    if truth is Truth.MET:
        return truth, ""
    return truth, f"{payer.document}: criteria {'not met' if truth is Truth.NOT_MET else 'to document'}"


def _coverages(chart: Chart, orders: Iterable[Mapping[str, Any]], today: date) -> list[tuple[Record, Any]]:
    """(Coverage, payor) of each coverage in force; those that the orders name, where they name any."""
    insurances = [chart.resolve(item, order) for order in orders for item in list_of(order.get("insurance"))]
    named = {id(coverage) for coverage in insurances if coverage is not None}
    active = [
        (record, payor)
        for record in chart.records(_ROW.name)
        if _in_force(record.resource, today)
        for payor in list_of(record.resource.get("payor"))
    ]
    return [pair for pair in active if id(pair[0].resource) in named] or active


def _in_force(coverage: Mapping[str, Any], today: date) -> bool:
    if coverage.get("status") not in _ROW.statuses:
        return False
    try:
        period = object_of(coverage.get(_ROW.period) or {})
        start, end = period.get("start"), period.get("end")
        return not (start and days_of(start).first > today) and not (end and days_of(end).last < today)
    except UnreadableError:
        return False


def _identity(payor: Any, coverage: Mapping[str, Any], chart: Chart) -> tuple[str, set[Key]]:
    """The payer's name and identifiers, from the Organization if at hand, else from the Reference."""
    organization = chart.resolve(payor, coverage) or {}
    reference = payor if isinstance(payor, dict) else {}
    name = organization.get("name") or first_of(reference, "display")
    identifiers = chart.told(_identifiers, organization) | _identifiers(reference)
    if not isinstance(name, str) or not name.strip():
        name = min((f"identifier {value}" for _, value in identifiers), default="payer without a name")
    return name, identifiers


def _identifiers(resource: Mapping[str, Any]) -> set[Key]:
    return {
        (item["system"], item["value"])
        for item in list_of(resource.get("identifier"))
        if isinstance(item, dict) and isinstance(item.get("system"), str) and isinstance(item.get("value"), str)
    }
