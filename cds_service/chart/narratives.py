"""What the records of a type say in free text, read once and only for the types whose words some fact asks for."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cds_service.chart.chart import Chart, Record, concept_of
from cds_service.errors import UnreadableError
from cds_service.fhir.elements import Json, concept_label, list_of, relative
from cds_service.fhir.free_text import FreeText, words
from cds_service.fhir.narratives import NOTHING_SAID, Narrative, findings_in, narrative_of_parts, sentences
from cds_service.fhir.types import TYPES, ResourceType

# Between two texts: no phrase holds it, and no text does.
_APART = "|"


class Told(NamedTuple):
    """One record with what it says: ``name`` is what it is called, ``plain`` all its texts as ``free_text.words``."""

    record: Record
    name: str
    narrative: Narrative
    plain: str


class Narratives(NamedTuple):
    """The records of a type that have texts, or had some that cannot be read; and the words of all in one text."""

    told: tuple[Told, ...]
    together: str


class Sentence(NamedTuple):
    """One sentence as written, and as it is asked for phrases."""

    written: str
    text: FreeText


def narratives(chart: Chart, kind: str) -> Narratives:
    """What the patient's records of a type say, worked out when it is first asked for."""
    return chart.told(_narratives, chart, kind)


def sentences_of(chart: Chart, narrative: Narrative) -> tuple[Sentence, ...]:
    """The sentences of a record that find something, worked out when first asked for."""
    return chart.told(_sentences, narrative)


def _sentences(narrative: Narrative) -> tuple[Sentence, ...]:
    written = (said for text in narrative.texts for said in sentences(findings_in(text)))
    return tuple(Sentence(said, FreeText(said)) for said in dict.fromkeys(written))


def _narratives(chart: Chart, kind: str) -> Narratives:
    row = TYPES[kind]
    told = []
    apart = _words_of_reports(chart) if kind == "Observation" else {}
    results = _words_of_reports(chart) if row.results else {}
    for record in chart.records(kind):
        if record.reference in apart:
            continue
        parts = [narrative_of_parts(record.resource, row, chart.limits.text_characters)]
        names = dict.fromkeys(_names_of_results(chart, record.resource, row)) if results else ()
        parts += [results[name] for name in names if name in results]
        found = _counted(chart, parts)
        if found != NOTHING_SAID:
            name = concept_label(concept_of(record.resource, chart, record.resource))
            told.append(Told(record, name, found, words(" ; ".join(found.texts))))
    return Narratives(tuple(told), _APART.join(item.plain for item in told))


def _counted(chart: Chart, parts: list[Narrative]) -> Narrative:
    """Several narratives as one, as far as this chart still has room for words."""
    texts = tuple(text for part in parts for text in part.texts)
    try:
        for text in texts:
            chart.count_words(text)
    except UnreadableError as error:
        return Narrative((), str(error))
    failed, unread = (next(filter(None, reasons), "") for reasons in zip(*(part[1:] for part in parts), strict=True))
    return Narrative(texts, failed, unread)


def _words_of_reports(chart: Chart) -> Mapping[str, Narrative]:
    """By reference, the Observations that reports name as their results, and that say something: the impression."""
    return chart.told(_said_in_results, chart)


def _said_in_results(chart: Chart) -> Mapping[str, Narrative]:
    row, observation = TYPES["DiagnosticReport"], TYPES["Observation"]
    found = (
        (item.reference, narrative_of_parts(item.resource, observation, chart.limits.text_characters))
        for item in chart.records("Observation")
    )
    saying = {reference: said for reference, said in found if said.texts}
    if not saying:
        return {}
    named = {name for item in chart.records(row.name) for name in _names_of_results(chart, item.resource, row)}
    return {name: said for name, said in saying.items() if name in named}


def _names_of_results(chart: Chart, report: Json, row: ResourceType) -> Iterator[str]:
    for reference in list_of(report.get(row.results)):
        target = reference.get("reference") if isinstance(reference, dict) else None
        if not isinstance(target, str):
            continue
        if target.startswith("urn:"):
            target = f"Observation/{(chart.resolve(reference, report) or {}).get('id')}"
        yield relative(target)
