"""The free text of the records of a type, read once and only for types whose words some fact reads."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cds_service.chart.chart import Chart
from cds_service.chart.records import Record
from cds_service.chart.references import concept_of
from cds_service.errors import UnreadableError
from cds_service.fhir.elements import Json, Key, concept_label, list_of, readable_keys, relative
from cds_service.fhir.free_text import FreeText
from cds_service.fhir.narratives import (
    NOTHING_SAID,
    Narrative,
    findings_in,
    narrative_of_parts,
    sentences,
    telling_elements,
)
from cds_service.fhir.types import TYPES, ResourceType
from cds_service.policy.codes import CodeSet


class Told(NamedTuple):
    """One record with its free text: its ``name``, the ``keys`` of its coded statements, and in ``named`` the code sets
    of which its codes or texts match a code or a phrase."""

    record: Record
    name: str
    narrative: Narrative
    named: frozenset[CodeSet]
    keys: tuple[Key, ...]


class Narratives(NamedTuple):
    """The records of a type that have texts; ``failed`` are those with a text that cannot be read."""

    told: tuple[Told, ...]
    failed: tuple[Told, ...]


NO_NARRATIVES = Narratives((), ())


class Sentence(NamedTuple):
    """One sentence as written, and as a text to search for phrases."""

    written: str
    text: FreeText


def narratives(chart: Chart, kind: str) -> Narratives:
    """The free text of the patient's records of a type, computed on first use."""
    return chart.told(_narratives, chart, kind)


def sentences_of(chart: Chart, narrative: Narrative) -> tuple[Sentence, ...]:
    """The sentences in a record that report findings, computed on first use."""
    return chart.told(_sentences, narrative)


def _sentences(narrative: Narrative) -> tuple[Sentence, ...]:
    written = (said for text in narrative.texts for said in sentences(findings_in(text)))
    return tuple(Sentence(said, FreeText(said)) for said in dict.fromkeys(written))


def _narratives(chart: Chart, kind: str) -> Narratives:
    row = TYPES[kind]
    apart = _words_of_reports(chart) if kind == "Observation" else {}
    results = _words_of_reports(chart) if row.results else {}
    records = chart.records(kind)
    if not results:
        # Most measurements have no text, and there are many.
        telling = telling_elements(row)
        records = [record for record in records if not record.resource.keys().isdisjoint(telling)]
    told = []
    for record in records:
        if record.reference in apart:
            continue
        own = narrative_of_parts(record.resource, row, chart.limits)
        if own is NOTHING_SAID and not results:
            continue
        names = dict.fromkeys(_names_of_results(chart, record.resource, row)) if results else ()
        found = _counted(chart, [own, *(results[name] for name in names if name in results)])
        if found != NOTHING_SAID:
            told.append(_told(chart, record, row, found))
    return Narratives(tuple(told), tuple(item for item in told if item.narrative.failed)) if told else NO_NARRATIVES


def _told(chart: Chart, record: Record, row: ResourceType, narrative: Narrative) -> Told:
    name = concept_label(concept_of(record.resource, chart.references, record.resource))
    said = (item for element in row.words for item in list_of(record.resource.get(element)))
    coded = (concept for concept in said if isinstance(concept, dict) and "coding" in concept)
    keys = tuple(key for concept in coded for key in readable_keys(concept))
    named = frozenset(chart.lexicon.named_in(FreeText(" ; ".join(narrative.texts))))
    return Told(record, name, narrative, named.union(*map(chart.lexicon.with_key, keys)), keys)


def _counted(chart: Chart, parts: list[Narrative]) -> Narrative:
    """Several narratives as one, within the chart's limit of words."""
    texts = tuple(text for part in parts for text in part.texts)
    try:
        for text in texts:
            chart.texts.count(text)
    except UnreadableError as error:
        return Narrative((), str(error))
    failed, unread = (next(filter(None, reasons), "") for reasons in zip(*(part[1:] for part in parts), strict=True))
    return Narrative(texts, failed, unread)


def _words_of_reports(chart: Chart) -> Mapping[str, Narrative]:
    """By reference, the Observations with text that reports name as their results, such as the impression."""
    return chart.told(_said_in_results, chart)


def _said_in_results(chart: Chart) -> Mapping[str, Narrative]:
    row, observation = TYPES["DiagnosticReport"], TYPES["Observation"]
    named = {name for item in chart.records(row.name) for name in _names_of_results(chart, item.resource, row)}
    if not named:
        return {}
    found: dict[str, Narrative] = {}
    room = chart.limits.all_text_characters
    for item in [record for record in chart.records("Observation") if record.reference in named]:
        if room <= 0:
            # The report must not look as if it had no text.
            found[item.reference] = Narrative((), chart.limits.worded_beyond)
            continue
        said = narrative_of_parts(item.resource, observation, chart.limits)
        room -= sum(map(len, said.texts))
        if said.texts:
            found[item.reference] = said
    return found


def _names_of_results(chart: Chart, report: Json, row: ResourceType) -> Iterator[str]:
    for reference in list_of(report.get(row.results)):
        target = reference.get("reference") if isinstance(reference, dict) else None
        if not isinstance(target, str):
            continue
        if target.startswith("urn:"):
            target = f"Observation/{(chart.references.resolve(reference, report) or {}).get('id')}"
        yield relative(target)
