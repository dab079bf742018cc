"""Forms that somebody began and nobody signed (QuestionnaireResponse, R4, in-progress): they are not evidence."""

from datetime import UTC, datetime, time

from cds_service.chart.chart import Chart
from cds_service.chart.records import Record
from cds_service.errors import UnreadableError
from cds_service.facts.evidence import WaitingDraft
from cds_service.facts.responses import Response, opened_items, read_response
from cds_service.fhir.dates import days
from cds_service.fhir.types import TYPES

_ROW = TYPES["QuestionnaireResponse"]
DRAFT = "in-progress"


def waiting_drafts(chart: Chart, questionnaires: frozenset[str]) -> tuple[WaitingDraft, ...]:
    """The drafts that people left in a chart, the newest first.

    ``questionnaires`` are canonical addresses, each with its edition. A draft older than a completed response no longer
    waits, because somebody has signed since. A draft that no person saved was filled in by a program and is left out.
    """
    found: list[tuple[datetime, Response]] = []
    signed = datetime.min.replace(tzinfo=UTC)
    records = [record for record in chart.records(_ROW.name) if _is_ours(record, questionnaires)]
    if not any(map(_is_draft, records)):
        return ()
    for record in records:
        try:
            response, _ = read_response(record, chart)
        except UnreadableError:
            continue
        moment = _moment(response)
        if not _is_draft(record):
            signed = max(signed, moment)
        elif response.author.kind:
            found.append((moment, response))
    waiting = [item for item in found if item[0] > signed]
    waiting.sort(key=lambda item: (item[0], item[1].record.reference), reverse=True)
    return tuple(_draft(response) for _, response in waiting)


def _is_ours(record: Record, questionnaires: frozenset[str]) -> bool:
    asked, status = record.resource.get("questionnaire"), record.resource.get("status")
    return isinstance(asked, str) and asked in questionnaires and (_is_draft(record) or status in _ROW.statuses)


def _is_draft(record: Record) -> bool:
    return bool(record.resource.get("status") == DRAFT)


def _draft(response: Response) -> WaitingDraft:
    items = opened_items(response.record.resource.get("item"), [])
    links = frozenset(link for item in items if item.get("answer") and isinstance(link := item.get("linkId"), str))
    return WaitingDraft(response.record.reference, response.authored, response.author.by, links)


def _moment(response: Response) -> datetime:
    """When a response was written; the end of its day if it has no time or no zone."""
    if response.instant is not None:
        return response.instant
    return datetime.combine(days(response.authored[:10]).last, time.max, UTC)
