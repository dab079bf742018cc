"""A report on the charts of a folder: what was delivered, which records no rule set has a code for, and what failed.

The records without a known code are the work list of the people who maintain the code sets.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from traceback import extract_tb
from typing import Any, NamedTuple

from cds_service.authoring import chart_files
from cds_service.authoring.case_requests import first_orders
from cds_service.errors import PolicyError, RequestError, UnreadableError
from cds_service.fhir.elements import Json, coding_key, codings, concept_label, concept_text
from cds_service.fhir.free_text import FreeText
from cds_service.fhir.terminology import canonical_system
from cds_service.fhir.types import TYPES
from cds_service.hooks.hook_request import ORDER_SIGN, SERVICE_OF, parse
from cds_service.policy.model import Policy
from cds_service.service import call_chart, hook_call
from cds_service.service.guide import Guide
from cds_service.service.statement import Answer

# The reason on the first of several records counts similar ones, which would keep equal reasons apart.
_HOW_MANY_MORE = re.compile(r" \(\d+ more like it\)$")
_LONGEST_WORDS = 80


class Uncoded(NamedTuple):
    """One spelling of records that no code set lists: their type, code and words, and whether a rule set recognizes
    them by their words."""

    type: str
    code: str
    words: str
    by_words: bool


@dataclass(slots=True)
class TypeLedger:
    """The resources of one type in all charts: the states of their lists, and why some do not count."""

    states: Counter[str] = field(default_factory=Counter)
    received: int = 0
    counted: int = 0
    why_not: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class ChartsReport:
    """The report on the charts of a folder; places are "FILE, patient ID".

    ``cards`` counts by rule set and kind of answer, and ``uncoded`` by spelling, with ``patients`` as the number of
    patients. ``unread`` counts by type the resources that no rule set reads. ``skipped`` are files without a chart,
    ``refused`` calls that get a 4xx, and ``crashes`` faults of the service.
    """

    files: int = 0
    calls: int = 0
    cards: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    ledgers: dict[str, TypeLedger] = field(default_factory=lambda: defaultdict(TypeLedger))
    unread: Counter[str] = field(default_factory=Counter)
    records: int = 0
    uncoded: Counter[Uncoded] = field(default_factory=Counter)
    patients: Counter[Uncoded] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)


def drafts_of(policies: Iterable[Policy], guide: Guide) -> list[Json]:
    """The first draft orders in the cases of each rule set."""
    return [draft for policy in policies for draft in first_orders(policy, guide)]


def report(folder: Path, guide: Guide, drafts: Iterable[Json], today: date) -> ChartsReport:
    """Answers one order-sign call for each patient of each JSON file of a folder; a failure does not stop the run."""
    reader = _Reader(replace(guide, explains=True), list(drafts), today)
    for path in chart_files.chart_files(folder):
        reader.file(path, str(path.relative_to(folder)))
    return reader.report


class _Reader:
    def __init__(self, guide: Guide, drafts: list[Json], today: date) -> None:
        self.guide, self.drafts, self.today = guide, drafts, today
        self.report = ChartsReport()
        self.reads = guide.library.policy_reads.of(guide.library.policies)
        self.system_names = {
            canonical_system(system["url"]): name
            for policy in guide.library.policies
            for name, system in policy.code_systems.items()
        }
        self.says_something = lru_cache(maxsize=65_536)(self._says_something)

    def file(self, path: Path, name: str) -> None:
        try:
            found = chart_files.read_file(path)
        except PolicyError as error:
            self.report.skipped.append(f"{name} {error.problems[0]}")
            return
        self.report.files += 1
        for patient, request in chart_files.requests_of(found, self.guide.library.prefetch_keys, self.drafts):
            place = f"{name}, patient {patient}"
            try:
                self.call(request, place)
            except RequestError as error:
                self.report.refused.append(f"{place}: {error.status}: {error.sentence}")
            # The run must find every fault in unknown charts, so one fault must not end the run.
            except Exception as error:
                self.report.crashes.append(f"{place}: {fault(error)}")

    def call(self, body: Json, place: str) -> None:
        guide, library = self.guide, self.guide.library
        self.report.calls += 1
        request = parse(SERVICE_OF[ORDER_SIGN], body, guide.limits)
        came = call_chart.arrivals(request, library)
        chart = call_chart.read_chart(request, library.policies, guide, came)
        for kind in {"Patient", *library.resource_types}:
            delivery, ledger = chart.delivery(kind), self.report.ledgers[kind]
            ledger.states[delivery.state] += 1
            ledger.received += delivery.received
            ledger.counted += delivery.counted
            ledger.why_not.update(_HOW_MANY_MORE.sub("", item.why) for item in delivery.dropped)
        for kind, resources in came.resources.items():
            if kind not in library.resource_types and kind != "Patient":
                self.report.unread[kind] += len(resources)
        coded = [kind for kind in sorted(self.reads.resource_types) if TYPES[kind].coded]
        self.codes((kind, concept) for kind in coded for concept in chart.concepts(kind))
        answers = hook_call.answer(request, guide, self.today, came=came)
        for answer in answers:
            self.report.cards[answer.policy.id][kind_of(answer)] += 1
            if answer.error is not None:
                self.report.crashes.append(f"{place}: {answer.policy.id}: {fault(answer.error)}")
        for policy in library.policies:
            if all(answer.policy.statement != policy.statement for answer in answers):
                self.report.cards[policy.id]["no card"] += 1

    def codes(self, concepts: Iterable[tuple[str, Any]]) -> None:
        """Counts the (type, CodeableConcept) pairs of one chart that match no code of any rule set."""
        seen = set()
        for kind, concept in concepts:
            self.report.records += 1
            try:
                listed = codings(concept)
                found = self.reads.lexicon.read(tuple((item.get("system"), item.get("code")) for item in listed))
                if found.rows or found.broken:
                    continue
            # The ledger already lists unreadable records.
            except UnreadableError:
                continue
            words = " ".join(concept_label(concept).split())[:_LONGEST_WORDS]
            item = Uncoded(kind, self.code_of(listed), words, self.says_something(concept_text(concept)))
            self.report.uncoded[item] += 1
            seen.add(item)
        self.report.patients.update(seen)

    def code_of(self, listed: Iterable[Json]) -> str:
        """The most useful of several codings: one of a standard system before a local one; "" if there is none."""
        written = [(item.get("system") or "", item.get("code") or "") for item in listed]
        standard = next((key for system, code in written if code and (key := coding_key(system, code))), None)
        system, code = standard or next(((system, code) for system, code in written if code), ("", ""))
        return f"{self.system_names.get(system, system) or 'no system'} {code}" if code else ""

    def _says_something(self, words: str) -> bool:
        text = FreeText(words)
        return any(codes.manner_in(text) is not None for codes in self.reads.lexicon.named_in(text))


def kind_of(answer: Answer) -> str:
    """The kind of answer, in one or two words."""
    if answer.error is not None:
        return "failed"
    if answer.card is None:
        return "no card"
    if answer.pathway is not None:
        return "another pathway"
    return "verdict" if answer.decision is not None else "question"


def fault(error: Exception) -> str:
    """What failed and where in the service, without any content of the chart."""
    frames = [frame for frame in extract_tb(error.__traceback__) if "cds_service" in frame.filename]
    where = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "outside of the service"
    return f"{type(error).__name__} in {where}"
