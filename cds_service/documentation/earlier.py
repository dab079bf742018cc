"""Earlier forms in the chart: drafts that a user can resume, and earlier attestations with their authors. Pure.

A draft fills in the form again, but a yes or no only for its own author. A signed form never fills in anything
(Da Vinci DTR 2.2, spec-125): its answer appears next to the question, and the user answers again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cds_service.card.style import Style
from cds_service.documentation import form_words as words
from cds_service.documentation.answers import MOST_EVENTS, NO, YES
from cds_service.documentation.writing import version_of
from cds_service.facts.evidence import WaitingDraft
from cds_service.facts.responses import opened_items
from cds_service.fhir.elements import Json, list_of
from cds_service.fhir.types import TYPES
from cds_service.questionnaire.questions import (
    BASIS,
    BASIS_TEXT,
    DESPITE,
    DESPITE_WHY,
    EVENT_DATE,
    OBSERVED,
    WHY_NOT,
    FormQuestion,
)

_ROW = TYPES["QuestionnaireResponse"]
# A form offers at most this many drafts.
MOST_DRAFTS = 6
_LONGEST = 200


class EarlierForm(NamedTuple):
    """A draft in the chart: its reference and version, the identifier of its form, its date and author.

    ``author`` is the reference of ``by``. ``fields`` are its answers as the form posts them, ``answered`` is the number
    of questions that they answer.
    """

    reference: str
    version: str
    form: str
    authored: str
    author: str
    by: str
    answered: int
    fields: Mapping[str, Sequence[str]]


def earlier_forms(
    responses: Mapping[str, Json], drafts: Iterable[WaitingDraft], asked: Sequence[FormQuestion], style: Style
) -> tuple[EarlierForm, ...]:
    """The waiting drafts among a chart's responses (keyed by reference), as forms that can be filled in again."""
    listed = [(draft, responses[draft.reference]) for draft in drafts if draft.reference in responses]
    return tuple(_form(draft, resource, asked, style) for draft, resource in listed[:MOST_DRAFTS])


def form_of(resource: Json, asked: Sequence[FormQuestion], style: Style) -> EarlierForm:
    """A response that the EHR returned for its reference, as an earlier form."""
    author = _object(resource.get("author"))
    draft = WaitingDraft(
        f"{_ROW.name}/{_text(resource.get('id'))}",
        _text(resource.get("authored")),
        _text(author.get("display")),
        frozenset(),
    )
    return _form(draft, resource, asked, style)


def attested_before(
    responses: Iterable[Json], questionnaires: frozenset[str], asked: Sequence[FormQuestion], style: Style
) -> dict[str, str]:
    """The answer of the newest signed form to each attestation, in words, by linkId."""
    signed = [
        resource
        for resource in responses
        if resource.get("questionnaire") in questionnaires and resource.get("status") in _ROW.statuses
    ]
    said: dict[str, str] = {}
    for resource in sorted(signed, key=lambda item: _text(item.get("authored"))):
        said |= said_in(form_of(resource, asked, style), asked, style, words.ATTESTED)
    return said


def said_in(form: EarlierForm, asked: Sequence[FormQuestion], style: Style, word: str) -> dict[str, str]:
    """The answer of a form to each attestation, in words, by linkId; ``word`` is ATTESTED or IN_THE_DRAFT."""
    when = style.date(form.authored[:10])
    return {
        question.link_id: words.said_before(word, form.fields[question.link_id][0], when, form.by)
        for question in asked
        if question.is_attestation and question.link_id in form.fields
    }


def said(form: EarlierForm, asked: Sequence[FormQuestion]) -> list[str]:
    """The answers of a form, one line for each question."""
    first = ((question, form.fields.get(question.link_id)) for question in asked)
    return [f"{question.text} {values[0]}" for question, values in first if values]


def own_fields(form: EarlierForm, asked: Sequence[FormQuestion], user: str) -> dict[str, list[str]]:
    """The fields of a draft to fill in for a user: all of the user's own; all but yes and no of another author's."""
    if same_person(form.author, user):
        return {name: list(values) for name, values in form.fields.items()}
    left_out = {question.link_id for question in asked if question.is_attestation}
    for question in asked:
        inner = {item.link_id.removeprefix(question.link_id) for item in question.inner if item.is_attestation}
        left_out |= {f"{question.link_id}[{number}]{name}" for number in range(MOST_EVENTS) for name in inner}
    return {name: list(values) for name, values in form.fields.items() if name not in left_out}


def same_person(one: str, other: str) -> bool:
    """True if two references to users, absolute or relative, name the same record."""
    ends = {"/".join(name.rstrip("/").split("/")[-2:]) for name in (one, other)}
    return len(ends) == 1 and "" not in ends


def _form(draft: WaitingDraft, resource: Json, asked: Sequence[FormQuestion], style: Style) -> EarlierForm:
    fields = dict(_fields(resource, asked, style))
    answered = {name.partition("[")[0] for name in fields}
    identifier = _object(resource.get("identifier"))
    return EarlierForm(
        draft.reference,
        version_of(resource),
        _text(identifier.get("value")),
        draft.authored,
        _text(_object(resource.get("author")).get("reference")),
        draft.by,
        sum(question.link_id in answered for question in asked),
        fields,
    )


def _fields(resource: Json, asked: Sequence[FormQuestion], style: Style) -> Iterator[tuple[str, list[str]]]:
    """The form fields that a response's items fill in, by their posted names."""
    items: dict[str, list[Json]] = {}
    for item in opened_items(resource.get("item"), []):
        if isinstance(link := item.get("linkId"), str):
            items.setdefault(link, []).append(item)
    for question in asked:
        link = question.link_id
        if question.type == "group":
            for number, event in enumerate(items.get(link, ())[:MOST_EVENTS]):
                inner = {link + EVENT_DATE, *(item.link_id for item in question.inner)}
                for item in list_of(event.get("item")):
                    name = item.get("linkId") if isinstance(item, dict) else None
                    if name in inner and (values := _values([item], style)):
                        yield f"{link}[{number}]{name.removeprefix(link)}", values[:1]
            continue
        value = _values(items.get(link, ()), style)
        if not value:
            continue
        yield link, value[:1]
        for child in (OBSERVED, BASIS, BASIS_TEXT, WHY_NOT, DESPITE, DESPITE_WHY):
            if values := _values(items.get(link + child, ()), style):
                yield link + child, values


def _values(items: Iterable[Json], style: Style) -> list[str]:
    """The answers of items as a form posts them."""
    answers = (answer for item in items for answer in list_of(item.get("answer")) if isinstance(answer, dict))
    return [text for answer in answers if (text := _value(answer, style))]


def _value(answer: Mapping[str, Any], style: Style) -> str:
    if isinstance(said := answer.get("valueBoolean"), bool):
        return YES if said else NO
    number = answer.get("valueDecimal", answer.get("valueInteger"))
    if isinstance(number, int | float) and not isinstance(number, bool):
        return f"{number:g}"
    if isinstance(day := answer.get("valueDate"), str):
        return style.date(day[:10])
    return _text(answer.get("valueString")) or _text(_object(answer.get("valueReference")).get("reference"))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""
