"""Posted form fields as answers, or as sentences about invalid fields, by linkId. Pure.

The reader drops fields that the form does not show, and fields that depend on a missing answer. So nothing is written
that the form does not show, whatever a browser sends.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from cds_service.documentation import form_words as words
from cds_service.errors import UnreadableError
from cds_service.fhir.dates import days, is_future
from cds_service.questionnaire.items import LONGEST_TEXT
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

YES, NO, WITHDRAW = "yes", "no", "withdraw"
# The number of events of one question for which a form shows fields.
MOST_EVENTS = 4
_LONGEST_NUMBER = 12
_US_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_US_MONTH = re.compile(r"(\d{1,2})/(\d{4})")

Posted = Mapping[str, Sequence[str]]


class ShownBeside(NamedTuple):
    """The content that a form showed with a question: the number or date from the chart ("" for none), the records that
    contradict it, and the documents offered as the basis of an answer, as references (``Type/id``).

    ``answered``: the question has an earlier answer, which the user can withdraw.
    """

    value: str = ""
    contrary: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    answered: bool = False


class FormAnswer(NamedTuple):
    """An answer to one question: ``value`` is a yes or no, a number as text, or a date (YYYY, YYYY-MM, YYYY-MM-DD).

    ``bases`` and ``in_spite_of`` are references. ``is_found``: the user confirmed the value from the chart unchanged.
    ``events`` belong to a question that asks for several, each with its date and its attributes by linkId.
    ``is_withdrawn``: the earlier answer no longer holds, and no other answer replaces it.
    """

    question: FormQuestion
    value: bool | str = ""
    observed: str = ""
    bases: tuple[str, ...] = ()
    basis_text: str = ""
    why_not: str = ""
    in_spite_of: tuple[str, ...] = ()
    in_spite_of_why: str = ""
    is_found: bool = False
    events: tuple[Mapping[str, str], ...] = ()
    is_withdrawn: bool = False

    @property
    def has_basis(self) -> bool:
        """True if the answer names its basis."""
        return bool(self.bases or self.basis_text)


class FieldFault(NamedTuple):
    """An invalid field: its name on the form, and the allowed input."""

    field: str
    sentence: str


def read(
    questions: Sequence[FormQuestion], shown: Mapping[str, ShownBeside], posted: Posted, today: date
) -> tuple[list[FormAnswer], list[FieldFault]]:
    """The answers in the posted fields, in the order of the questions, and the faults of invalid fields.

    ``shown`` maps a linkId to the content that the form showed with the question.
    """
    reader = _Reader(posted, today)
    found = [reader.answered(question, shown.get(question.link_id, ShownBeside())) for question in questions]
    return [item for item in found if item is not None], reader.faults


class _Reader:
    def __init__(self, posted: Posted, today: date) -> None:
        self._posted, self._today = posted, today
        self.faults: list[FieldFault] = []

    def answered(self, question: FormQuestion, shown: ShownBeside) -> FormAnswer | None:
        """The answer to a question; None if it is missing or invalid."""
        link = question.link_id
        if question.type == "group":
            events = tuple(filter(None, (self._event(question, number) for number in range(MOST_EVENTS))))
            return FormAnswer(question, events=events) if events else None
        if shown.answered and self._one(link) == WITHDRAW:
            return FormAnswer(question, is_withdrawn=True)
        value = self._value(question, link)
        if value is None:
            return None
        says_yes = value is not False
        despite = self._listed(link + DESPITE, shown.contrary) if says_yes else ()
        why = self._text(link + DESPITE_WHY) if despite else ""
        if despite and not why:
            self._fault(link + DESPITE_WHY, words.WHY_DESPITE)
        return FormAnswer(
            question,
            value,
            self._date(link + OBSERVED),
            self._listed(link + BASIS, shown.bases),
            self._text(link + BASIS_TEXT),
            self._text(link + WHY_NOT) if value is False else "",
            despite,
            why,
            is_found=bool(shown.value) and value == shown.value,
        )

    def _value(self, question: FormQuestion, field: str) -> bool | str | None:
        written = self._one(field)
        if not written:
            return None
        if question.type == "boolean":
            if written not in (YES, NO):
                self._fault(field, words.YES_OR_NO)
                return None
            return written == YES
        if question.type == "decimal":
            return self._number(question, field, written)
        return self._date(field) or None

    def _number(self, question: FormQuestion, field: str, written: str) -> str | None:
        least, most = question.fact.range
        try:
            number = Decimal(written) if len(written) <= _LONGEST_NUMBER else None
        except InvalidOperation:
            number = None
        if number is None or not number.is_finite():
            self._fault(field, words.A_NUMBER)
            return None
        if not least <= number <= most:
            self._fault(field, words.number_between(least, most))
            return None
        return format(number.normalize(), "f")

    def _event(self, question: FormQuestion, number: int) -> Mapping[str, str] | None:
        """One event; its field names contain ``number``. None if all fields are empty."""
        prefix = f"{question.link_id}[{number}]"
        day = self._date(prefix + EVENT_DATE)
        fields: dict[str, str] = {}
        for inner in question.inner:
            name = prefix + inner.link_id.removeprefix(question.link_id)
            value = self._value(inner, name)
            if value is not None:
                fields[inner.link_id] = value if isinstance(value, str) else YES if value else NO
        if not day and not fields:
            return None
        if not day:
            self._fault(prefix + EVENT_DATE, words.DATE_OF_EVENT)
        return {question.link_id + EVENT_DATE: day, **fields}

    def _date(self, field: str) -> str:
        """A date in FHIR format; "" if it is missing or invalid."""
        written = self._one(field)
        if not written:
            return ""
        iso = fhir_date(written)
        if iso is None:
            self._fault(field, words.A_DATE)
            return ""
        if is_future(iso, self._today):
            self._fault(field, words.NOT_IN_FUTURE)
            return ""
        return iso

    def _text(self, field: str) -> str:
        written = " ".join(self._one(field).split())
        if len(written) > LONGEST_TEXT:
            self._fault(field, words.at_most(LONGEST_TEXT))
            return ""
        return "".join(letter for letter in written if letter.isprintable())

    def _listed(self, field: str, offered: Sequence[str]) -> tuple[str, ...]:
        """The selected references, limited to those that the form offered."""
        chosen = self._posted.get(field, ())
        return tuple(item for item in offered if item in chosen)

    def _one(self, field: str) -> str:
        given = self._posted.get(field, ())
        return given[0].strip() if given else ""

    def _fault(self, field: str, sentence: str) -> None:
        self.faults.append(FieldFault(field, sentence))


def fhir_date(written: str) -> str | None:
    """A date in US or FHIR format as a FHIR date (YYYY, YYYY-MM, YYYY-MM-DD); None if it is not a date."""
    if found := _US_DAY.fullmatch(written):
        written = f"{found[3]}-{int(found[1]):02}-{int(found[2]):02}"
    elif found := _US_MONTH.fullmatch(written):
        written = f"{found[2]}-{int(found[1]):02}"
    if len(written) > 10:
        return None
    try:
        days(written)
    except UnreadableError:
        return None
    return written


def fields_of(questions: Sequence[FormQuestion]) -> Iterator[str]:
    """The names of all fields that a form with these questions may post."""
    children = (OBSERVED, BASIS, BASIS_TEXT, WHY_NOT, DESPITE, DESPITE_WHY)
    for question in questions:
        if question.type == "group":
            for number in range(MOST_EVENTS):
                prefix = f"{question.link_id}[{number}]"
                yield prefix + EVENT_DATE
                yield from (prefix + inner.link_id.removeprefix(question.link_id) for inner in question.inner)
        else:
            yield question.link_id
            yield from (question.link_id + child for child in children)


def kept_fields(questions: Sequence[FormQuestion], posted: Mapping[str, Any]) -> dict[str, list[str]]:
    """The posted fields that belong to the form, as its session stores them: each value cut to the maximum length."""
    return {
        name: [value[: 2 * LONGEST_TEXT] for value in posted[name]] for name in fields_of(questions) if name in posted
    }
