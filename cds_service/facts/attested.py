"""Attested answers: items of QuestionnaireResponses to our own questionnaires (FHIR R4), as readings of a fact."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from cds_service.chart.chart import Chart, Record
from cds_service.chart.evidence_rules import may_be_too_old, status_word, too_old_or_future
from cds_service.errors import UnreadableError
from cds_service.facts.evidence import ANYTHING, Evidence, Reading, Value
from cds_service.fhir.elements import Json, days_of, first_of, list_of, object_of, text_of
from cds_service.fhir.types import TYPES
from cds_service.policy.model import FactRule

_ROW = TYPES["QuestionnaireResponse"]
DEEPEST_ITEM = 20


class Answers(NamedTuple):
    """What was answered, by linkId; and why some responses do not count.

    ``items`` are (response, authored, item) with an answer, ``groups`` those with items of their own. ``part`` is the
    part of the scope that is looked at: its items carry it at the end of their linkId ("score.right").
    """

    items: Mapping[str, list["Given"]]
    groups: Mapping[str, list["Given"]]
    notes: tuple[str, ...]
    part: str = ""

    def link(self, item: str) -> str:
        """The linkId under which an item stands for the part."""
        return f"{item}.{self.part}" if self.part else item

    def within(self, item: str) -> Iterator[tuple[Record, str, "Answers"]]:
        """Each group of that item: its response, when it was authored, and the answers inside it.

        Inside a group an item's linkId begins with the group's ("event.right.date").
        """
        begin = f"{self.link(item)}."
        for record, authored, group in self.groups.get(self.link(item), ()):
            items: dict[str, list[Given]] = {}
            for inner in _opened(group.get("item"), []):
                link = inner.get("linkId")
                if isinstance(link, str) and link.startswith(begin) and "answer" in inner:
                    items.setdefault(link.removeprefix(begin), []).append((record, authored, inner))
            yield record, authored, Answers(items, {}, ())


Given = tuple[Record, str, Json]


def read_answers(chart: Chart, questionnaires: frozenset[str]) -> Answers:
    """The items answered in QuestionnaireResponses to one of the questionnaires, by linkId, groups opened."""
    items: dict[str, list[Given]] = {}
    groups: dict[str, list[Given]] = {}
    notes: list[str] = []
    for record in chart.records(_ROW.name):
        address = record.resource.get("questionnaire")
        if not isinstance(address, str) or "|" not in address or address.partition("|")[0] not in questionnaires:
            continue
        status = record.resource.get("status")
        if status not in _ROW.statuses:
            notes.append(f"{record.reference}: answers are {status_word(status)}, not completed")
            continue
        try:
            authored = text_of(first_of(record.resource, *_ROW.dates))
            days_of(authored)
        except UnreadableError:
            notes.append(f"{record.reference}: no readable date of answering")
            continue
        broken: list[Any] = []
        for item in _opened(record.resource.get("item"), broken):
            link = item.get("linkId")
            if isinstance(link, str) and "answer" in item:
                items.setdefault(link, []).append((record, authored, item))
            elif isinstance(link, str) and "item" in item:
                groups.setdefault(link, []).append((record, authored, item))
        if broken:
            notes.append(f"{record.reference}: an item cannot be read")
    return Answers(items, groups, tuple(notes))


def _opened(level: Any, broken: list[Any]) -> Iterator[Json]:
    """All items at a level and below it, those inside answers too; what is no item goes to ``broken``."""
    pending: list[tuple[Any, int]] = [(level, 0)]
    while pending:
        level, depth = pending.pop()
        for item in level if isinstance(level, list) and depth < DEEPEST_ITEM else ():
            if isinstance(item, dict):
                yield item
                pending.append((item.get("item"), depth + 1))
                answered = list_of(item.get("answer"))
                pending += [(answer.get("item"), depth + 1) for answer in answered if isinstance(answer, dict)]
            else:
                broken.append(item)


def attested(
    rule: FactRule,
    answers: Answers,
    today: date,
    read: Callable[[Mapping[str, Any]], tuple[tuple[Value, ...], str]],
) -> tuple[list[Reading], list[str]]:
    """The readings that a fact's items give, and why some answers do not count.

    ``read`` turns one answer into its possible values and the text to show; it raises UnreadableError where it cannot.
    """
    readings: list[Reading] = []
    notes = list(answers.notes)
    given_to = [given for item in rule.items for given in answers.items.get(answers.link(item), ())]
    for record, written, item in given_to:
        when = days_of(written)
        why_not = too_old_or_future(rule.answer_look_back_days, written, today)
        if why_not:
            notes.append(f"attested: {why_not}")
            continue
        doubt = may_be_too_old(rule.answer_look_back_days, written, today)
        given = item["answer"] if isinstance(item["answer"], list) else [item["answer"]]
        # Each different answer of an item once: what is said again is nothing new.
        said: set[object] = set()
        for answer in given:
            try:
                values, shown = read(object_of(answer))
                why = None
            except UnreadableError as error:
                values, shown, why = (ANYTHING,), "unreadable", str(error)
            if (told := (values, shown, why)) in said:
                continue
            said.add(told)
            if why is not None:
                notes.append(f"{record.reference}: the answer {why}")
            evidence = Evidence(record.reference, "attested", shown, when.text)
            readings.append(Reading(when, values, evidence, f"attested: {doubt}" if doubt else ""))
    return readings, notes
