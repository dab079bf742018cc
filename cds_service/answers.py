"""Attested answers: items of QuestionnaireResponses to our own questionnaires (FHIR R4), as readings of a fact."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple

from cds_service.chart import Chart, Record
from cds_service.elements import Json, days_of, list_of, object_of, text_of
from cds_service.errors import UnreadableError
from cds_service.evidence import ANYTHING, Evidence, Reading, Value
from cds_service.policy import FactRule
from cds_service.standing import status_word, too_old_or_future


class Answers(NamedTuple):
    """(response, authored, item) by linkId, and why some responses do not count."""

    items: Mapping[str, list[tuple[Record, str, Json]]]
    notes: tuple[str, ...]


def read_answers(chart: Chart, questionnaires: frozenset[str]) -> Answers:
    """The items answered in QuestionnaireResponses to one of the questionnaires, by linkId, groups opened."""
    items: dict[str, list[tuple[Record, str, Json]]] = {}
    notes: list[str] = []
    for record in chart.records("QuestionnaireResponse"):
        address = record.resource.get("questionnaire")
        if not isinstance(address, str) or "|" not in address or address.partition("|")[0] not in questionnaires:
            continue
        status = record.resource.get("status")
        if status not in ("completed", "amended"):
            notes.append(f"{record.reference}: answers are {status_word(status)}, not completed")
            continue
        try:
            authored = text_of(record.resource.get("authored"))
            days_of(authored)
        except UnreadableError:
            notes.append(f"{record.reference}: no readable date of answering")
            continue
        pending: list[tuple[Any, int]] = [(record.resource.get("item"), 0)]
        while pending:
            level, depth = pending.pop()
            for item in level if isinstance(level, list) and depth < 20 else ():
                if isinstance(item, dict):
                    link = item.get("linkId")
                    if isinstance(link, str) and "answer" in item:
                        items.setdefault(link, []).append((record, authored, item))
                    pending.append((item.get("item"), depth + 1))
                    answered = list_of(item.get("answer"))
                    pending += [(answer.get("item"), depth + 1) for answer in answered if isinstance(answer, dict)]
                else:
                    notes.append(f"{record.reference}: an item cannot be read")
    return Answers(items, tuple(notes))


def attested(
    rule: FactRule,
    answers: Answers,
    today: date,
    read: Callable[[Mapping[str, Any]], tuple[tuple[Value, ...], str]],
) -> tuple[list[Reading], list[str]]:
    """The readings that a fact's item gives, and why some answers do not count.

    ``read`` turns one answer into its possible values and the text to show; it raises UnreadableError where it cannot.
    """
    readings: list[Reading] = []
    notes = list(answers.notes)
    for record, written, item in answers.items.get(rule.item or "", ()):
        when = days_of(written)
        why_not = too_old_or_future(rule.answer_look_back_days, written, today)
        if why_not:
            notes.append(f"attested: {why_not}")
            continue
        given = item["answer"] if isinstance(item["answer"], list) else [item["answer"]]
        for answer in given:
            try:
                values, shown = read(object_of(answer))
            except UnreadableError as error:
                notes.append(f"{record.reference}: the answer {error}")
                readings.append(
                    Reading(when, (ANYTHING,), Evidence(record.reference, "attested", "unreadable", when.text))
                )
            else:
                readings.append(Reading(when, values, Evidence(record.reference, "attested", shown, when.text)))
    return readings, notes
