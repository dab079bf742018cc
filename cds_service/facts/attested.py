"""Attested answers as readings of a fact: which of them count, who gave them, and their basis."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from cds_service.chart.evidence_rules import may_be_too_old, too_old_or_future
from cds_service.errors import UnreadableError
from cds_service.facts.attesters import author_of_answer
from cds_service.facts.evidence import ANYTHING, Attested, Evidence, InSpiteOf, Reading, Value
from cds_service.facts.responses import Answers, Given, Response, reference_of
from cds_service.fhir.dates import Days, is_future
from cds_service.fhir.elements import days_of, first_of, list_of, object_of, text_of
from cds_service.policy.model import FactRule

_LONGEST = 200
Read = Callable[[Mapping[str, Any]], tuple[tuple[Value, ...], str]]


def attested(rule: FactRule, answers: Answers, today: date, read: Read) -> tuple[list[Reading], list[str]]:
    """The readings that a fact's items give, and why some answers do not count.

    If several responses answer an item, the newest counts; a newer response without the item leaves an older answer
    valid. ``read`` turns one answer into its possible values and the text to show; it raises UnreadableError if it
    cannot.
    """
    readings: list[Reading] = []
    notes = answers.why_refused(rule.items)
    for item in rule.items:
        link = answers.link(item)
        given = []
        for one in answers.items.get(link, ()):
            why_not = _why_not(rule, answers, link, one, today)
            if why_not:
                notes.append(why_not)
            else:
                given.append(one)
        newest = _newest(given)
        for one in newest:
            if one.withdrawn:
                notes.append(f"{one.response.record.reference}: the answer was withdrawn")
                if len(newest) > 1:
                    readings.append(
                        _reading(rule, one, (ANYTHING,), "withdrawn", one.response.author.attested(), today)
                    )
            else:
                found, refused = _readings(rule, answers, link, one, read, today)
                readings += found
                notes += refused
    return readings, notes


def attested_group(rule: FactRule, response: Response, answers: Answers) -> tuple[Attested, str]:
    """Who attested to a group of answers, and why the group does not count ("" if it counts).

    A group without any answer counts as attested by the author of the response.
    """
    inner = [answer for given in answers.items.values() for one in given for answer in one.answers]
    by = response.author
    for answer in inner:
        if isinstance(answer, dict):
            by = author_of_answer(answer, response.author, response.record.resource, answers.chart)
            if not by.why_not_accepted(rule, answers.accepts):
                break
    return by.attested(), by.why_not_accepted(rule, answers.accepts)


def attested_date(answer: Mapping[str, Any]) -> Days:
    """The day of an answer that is a date or a dateTime. Raises UnreadableError if it is neither."""
    written = first_of(answer, "valueDate", "valueDateTime")
    if written is None:
        raise UnreadableError("is not a date")
    return days_of(written)


def _why_not(rule: FactRule, answers: Answers, link: str, given: Given, today: date) -> str:
    """Why an item does not count: its date is too old or in the future, the criterion does not accept its author, or it
    was observed on an impossible date; "" if it counts."""
    why_not = too_old_or_future(rule.answer_look_back_days, given.response.authored, today)
    if why_not:
        return f"attested: {why_not}"
    if given.withdrawn:
        return ""
    response = given.response
    refused = [
        author_of_answer(answer, response.author, response.record.resource, answers.chart).why_not_accepted(
            rule, answers.accepts
        )
        for answer in given.answers
        if isinstance(answer, dict)
    ]
    if refused and all(refused):
        return refused[0]
    try:
        observed = _observed(answers, link, given)
    except UnreadableError:
        return ""
    if observed is None:
        return ""
    if observed.first > days_of(response.authored).last:
        return f"attested: observed {observed.text}, later than the answer"
    return f"attested: observed {observed.text}, which lies in the future" if is_future(observed.text, today) else ""


def _newest(given: list[Given]) -> list[Given]:
    """The items that no other item is later than, by instant if two have one, otherwise by day."""
    if len(given) < 2:
        return given
    instants = [one.response.instant for one in given]
    spans = [days_of(one.response.authored) for one in given]
    latest = max((instant for instant in instants if instant is not None), default=None)
    first_of_all = max(span.first for span in spans)
    without_time = (span.first for span, instant in zip(spans, instants, strict=True) if instant is None)
    first_of_days = max(without_time, default=date.min)
    kept = [
        one
        for one, instant, span in zip(given, instants, spans, strict=True)
        if (instant is None and span.last >= first_of_all)
        or (instant is not None and instant == latest and span.last >= first_of_days)
    ]
    # With time zones, three dates can follow each other in a circle; then none of them is the newest.
    return kept or given


def _readings(
    rule: FactRule, answers: Answers, link: str, given: Given, read: Read, today: date
) -> tuple[list[Reading], list[str]]:
    """The readings of the answers of one item, and why some answers do not count."""
    response = given.response
    found: list[Reading] = []
    notes: list[str] = []
    # Read each different answer of an item once: a repetition adds nothing.
    said: set[object] = set()
    for answer in given.answers:
        try:
            by = author_of_answer(object_of(answer), response.author, response.record.resource, answers.chart)
            refused = by.why_not_accepted(rule, answers.accepts)
            if refused:
                notes.append(refused)
                continue
            values, shown = read(answer)
            attested_so = _attested(rule, answers, link, given, by.attested())
            why = None
        except UnreadableError as error:
            values, shown, why = (ANYTHING,), "unreadable", str(error)
            attested_so = response.author.attested()
        if (told := (values, shown, why)) in said:
            continue
        said.add(told)
        if why is not None:
            notes.append(f"{response.record.reference}: the answer {why}")
        found.append(_reading(rule, given, values, shown, attested_so, today))
    return found, notes


def _reading(rule: FactRule, given: Given, values: tuple[Value, ...], shown: str, by: Attested, today: date) -> Reading:
    written, reference = given.response.authored, given.response.record.reference
    when, doubt = days_of(written), may_be_too_old(rule.answer_look_back_days, written, today)
    evidence = Evidence(reference, "attested", shown, when.text, attested=by)
    return Reading(when, values, evidence, f"attested: {doubt}" if doubt else "")


def _attested(rule: FactRule, answers: Answers, link: str, given: Given, by: Attested) -> Attested:
    observed = _observed(answers, link, given)
    names = dict.fromkeys((link, *map(answers.link, rule.criteria)))
    return by._replace(
        observed=observed.text if observed else "",
        basis="; ".join(_basis(answers, link, given)),
        in_spite_of=tuple(item for name in names for item in _in_spite_of(answers, name, given)),
    )


def _observed(answers: Answers, link: str, given: Given) -> Days | None:
    """The day of the observation behind an answer; None if not stated. Raises UnreadableError."""
    stated = next(answers.beside(given, f"{link}.observed"), None)
    try:
        return attested_date(stated) if stated is not None else None
    except UnreadableError:
        raise UnreadableError("was observed on a date that cannot be read") from None


def _basis(answers: Answers, link: str, given: Given) -> list[str]:
    """The basis of an answer: the names of the documents that it refers to, and the words beside them."""
    container = given.response.record.resource
    found = []
    for answer in answers.beside(given, f"{link}.basis"):
        named = answer.get("valueReference")
        display = named.get("display") if isinstance(named, dict) else None
        found.append(display if isinstance(display, str) else reference_of(named, container, answers.chart))
    found += [text for answer in answers.beside(given, f"{link}.basis-text") if (text := _text(answer))]
    return [text[:_LONGEST] for text in dict.fromkeys(found) if text]


def _in_spite_of(answers: Answers, link: str, given: Given) -> list[InSpiteOf]:
    """The records despite which somebody gave an answer; none without a reason."""
    if f"{link}.despite" not in answers.items:
        return []
    container = given.response.record.resource
    why = "; ".join(text for answer in answers.beside(given, f"{link}.despite-why") if (text := _text(answer)))
    named = [
        reference_of(reference, container, answers.chart)
        for answer in answers.beside(given, f"{link}.despite")
        for reference in list_of(answer.get("valueReference"))
    ]
    return [InSpiteOf(reference, why[:_LONGEST]) for reference in dict.fromkeys(named) if reference and why]


def _text(answer: Mapping[str, Any]) -> str:
    try:
        return text_of(answer.get("valueString")).strip()
    except UnreadableError:
        return ""
