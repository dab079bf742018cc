"""Answers as FHIR R4 resources: the QuestionnaireResponse, its numbers as Observations, its Provenance. Pure.

Da Vinci DTR 2.2 (dtr-questionnaireresponse, information-origin); SDC, "Form Data Extraction", by hand: an Observation
for each number that has a LOINC code. Answers become no other resources: no Condition, no change to a problem list.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import NamedTuple

import orjson

from cds_service.card.style import DEFAULT_STYLE, Style
from cds_service.documentation import form_words as words
from cds_service.documentation.answers import FormAnswer
from cds_service.facts.responses import ABSENT
from cds_service.facts.roles import NUCC
from cds_service.fhir.elements import UCUM, Json
from cds_service.fhir.terminology import LOINC
from cds_service.policy.model import Policy
from cds_service.questionnaire import question_words
from cds_service.questionnaire.draft import ORIGIN, PURPOSE
from cds_service.questionnaire.questions import (
    ATTESTER,
    ATTESTER_NAME,
    ATTESTER_ROLE,
    ATTESTER_STATEMENT,
    BASIS,
    BASIS_TEXT,
    DESPITE,
    DESPITE_WHY,
    OBSERVED,
    WHY_NOT,
    FormGroup,
    FormQuestion,
)
from cds_service.questionnaire.rendering import questionnaire_url
from cds_service.questionnaire.versions import DTR, Version

_SIGNATURE = "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-signature"
_AUTHORSHIP = {
    "system": "urn:iso-astm:E1762-95:2013",
    "code": "1.2.840.10065.1.12.1.1",
    "display": question_words.SIGNATURE,
}
_CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
_PARTICIPANTS = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
# Sizes of a body have these units and are vital signs; every other number is a score.
_OF_A_BODY = ("kg/m2", "kg", "cm")
_PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>{}</title>{}</html>'
_FORM_IDENTIFIERS = "{}/form"


class Signer(NamedTuple):
    """A signer: a reference ("Practitioner/1"), the displayed name, and the role (NUCC code, and in words)."""

    reference: str
    name: str
    role_code: str
    role: str


class FormOccasion(NamedTuple):
    """The occasion of writing a form: its identifier, the patient, coverages and orders as references, and the time.

    ``authored`` is a FHIR instant with its zone.
    """

    form: str
    patient: str
    coverages: tuple[str, ...]
    orders: tuple[str, ...]
    authored: str


class Wording(NamedTuple):
    """The wording of answers: the ``style`` of dates, and the labels of records on the form, by reference."""

    style: Style = DEFAULT_STYLE
    names: Mapping[str, str] = MappingProxyType({})

    def record(self, reference: str) -> str:
        """The label of a record."""
        return self.style.date(self.names.get(reference, reference))


DEFAULT_WORDING = Wording()


class ResponseWriter:
    """Creates the resources of one form; ``groups`` are the questions of its statement."""

    def __init__(
        self,
        policy: Policy,
        canonical_base: str,
        groups: Sequence[FormGroup],
        occasion: FormOccasion,
        by: Signer,
        wording: Wording = DEFAULT_WORDING,
    ) -> None:
        self._policy, self._base, self._groups = policy, canonical_base, groups
        self._occasion, self._by, self._wording = occasion, by, wording

    @property
    def identifier(self) -> Json:
        """The identifier of all resources of the form, so that a second write creates no duplicate."""
        return {"system": _FORM_IDENTIFIERS.format(self._base), "value": self._occasion.form}

    def response(self, answers: Sequence[FormAnswer], *, status: str) -> Json:
        """The QuestionnaireResponse; ``status`` is completed, in-progress for a draft, or amended."""
        signed = status != "in-progress"
        use = {"coding": [{"system": Version.V2_2.intended_use_system, "code": PURPOSE}]}
        context = Version.V2_2.context(_references(self._occasion.coverages), _references(self._occasion.orders))
        given = {item.question.link_id: item for item in answers}
        return {
            "resourceType": "QuestionnaireResponse",
            "meta": {"profile": [f"{DTR}/dtr-questionnaireresponse"]},
            "text": {"status": "generated", "div": self._narrative(answers, signed=signed)},
            "extension": [
                *context,
                {"url": f"{DTR}/intendedUse", "valueCodeableConcept": use},
                *([self._signature()] if signed else []),
            ],
            "identifier": self.identifier,
            "questionnaire": f"{questionnaire_url(self._policy, self._base)}|{self._policy.edition}",
            "status": status,
            "subject": {"reference": self._occasion.patient},
            "authored": self._occasion.authored,
            "author": self._author(),
            "item": [*self._answered_groups(given), *([self._attested()] if signed else [])],
        }

    def observations(self, answers: Sequence[FormAnswer], response: str) -> list[Json]:
        """An Observation for each changed number with a LOINC code; ``response`` is the source reference."""
        return [
            self._observation(item, code, response)
            for item in answers
            if not item.is_found and isinstance(item.value, str) and (code := loinc_of(item.question))
        ]

    def provenance(self, targets: Sequence[str], response: str) -> Json:
        """The author of the resources, and the response as their source."""
        role = {"coding": [{"system": _PARTICIPANTS, "code": "author"}]}
        return {
            "resourceType": "Provenance",
            "target": _references(targets),
            "recorded": self._occasion.authored,
            "agent": [{"type": role, "who": self._author()}],
            "entity": [{"role": "source", "what": {"reference": response}}],
        }

    def document(self, response: Json) -> Json:
        """The same answers as a DocumentReference: a page that any EHR can show, and the response itself."""
        page = _PAGE.format(words.FORM, response["text"]["div"])
        return {
            "resourceType": "DocumentReference",
            "identifier": [self.identifier],
            "status": "current",
            "docStatus": "final",
            "type": {"coding": [{"system": LOINC, "code": "74465-6"}], "text": words.ANSWERED_FORM},
            "subject": {"reference": self._occasion.patient},
            "date": self._occasion.authored,
            "author": [self._author()],
            "description": words.document(self._policy.title),
            "content": [
                _attachment("text/html", page.encode()),
                _attachment("application/fhir+json", orjson.dumps(response)),
            ],
        }

    def _answered_groups(self, given: dict[str, FormAnswer]) -> Iterator[Json]:
        for group in self._groups:
            items = [
                item
                for question in group.questions
                if question.link_id in given
                for item in self._items(given[question.link_id])
            ]
            if items:
                yield {"linkId": group.link_id, "text": group.title, "item": items}

    def _items(self, answered: FormAnswer) -> Iterator[Json]:
        question = answered.question
        if question.type != "group":
            yield self._item(answered)
            return
        inner = {item.link_id: item for item in question.inner}
        for event in answered.events:
            items = []
            for link, value in event.items():
                asked = inner.get(link)
                text = asked.text if asked else question_words.DONE_ON
                kind = asked.type if asked else "date"
                items.append({"linkId": link, "text": text, "answer": [self._answer(_value(kind, value))]})
            yield {"linkId": question.link_id, "text": question.text, "item": items}

    def _item(self, answered: FormAnswer) -> Json:
        question = answered.question
        link = question.link_id
        if answered.is_withdrawn:
            absent = {"url": ABSENT, "valueCode": "unknown"}
            return {"linkId": link, "text": question.text, "extension": [absent]}
        children = [
            _child(link + OBSERVED, question_words.OBSERVED, _dates(answered.observed)),
            _child(link + BASIS, question_words.BASIS, self._named(answered.bases)),
            _child(link + BASIS_TEXT, question_words.BASIS_IN_WORDS, _strings(answered.basis_text)),
            _child(link + WHY_NOT, question_words.WHY_NOT, _strings(answered.why_not)),
            _child(link + DESPITE, question_words.DESPITE, self._named(answered.in_spite_of)),
            _child(link + DESPITE_WHY, question_words.WHY_DESPITE, _strings(answered.in_spite_of_why)),
        ]
        answer = self._answer(_value(question.type, answered.value), is_found=answered.is_found)
        if kept := [child for child in children if child]:
            answer["item"] = kept
        return {"linkId": link, "text": question.text, "answer": [answer]}

    def _named(self, references: Sequence[str]) -> list[Json]:
        """Answers that name records, with their labels on the form."""
        names = self._wording.names
        return [
            {"valueReference": {"reference": name, **({"display": names[name]} if name in names else {})}}
            for name in references
        ]

    def _answer(self, value: Json, *, is_found: bool = False) -> Json:
        """One answer with its source: the person, or the service for an unchanged number from the chart."""
        parts: list[Json] = [{"url": "source", "valueCode": "auto-client" if is_found else "manual"}]
        if not is_found:
            who: list[Json] = [{"url": "practitioner", "valueReference": self._author()}]
            # A draft does not yet have the signer's role.
            if self._by.role:
                who.append({"url": "role", "valueCodeableConcept": self._role()})
            parts.append({"url": "author", "extension": who})
        return {"extension": [{"url": ORIGIN, "extension": parts}], **value}

    def _attested(self) -> Json:
        coding = {"system": NUCC, "code": self._by.role_code, "display": self._by.role}
        role: Json = {"valueCoding": coding} if self._by.role_code else {"valueString": self._by.role}
        answers = (
            (ATTESTER_NAME, question_words.ATTESTED_BY, {"valueReference": self._author()}),
            (ATTESTER_ROLE, question_words.ATTESTED_AS, role),
            (ATTESTER_STATEMENT, question_words.SAYS_TRUE, {"valueBoolean": True}),
        )
        items = [{"linkId": link, "text": text, "answer": [value]} for link, text, value in answers]
        return {"linkId": ATTESTER, "text": question_words.ATTESTER, "item": items}

    def _author(self) -> Json:
        return {"reference": self._by.reference, "display": self._by.name}

    def _role(self) -> Json:
        coded = [{"system": NUCC, "code": self._by.role_code, "display": self._by.role}] if self._by.role_code else []
        return {**({"coding": coded} if coded else {}), "text": self._by.role}

    def _signature(self) -> Json:
        signed = {"type": [_AUTHORSHIP], "when": self._occasion.authored, "who": self._author()}
        return {"url": _SIGNATURE, "valueSignature": signed}

    def _observation(self, answered: FormAnswer, code: str, response: str) -> Json:
        rule = answered.question.fact
        has_unit = rule.unit == "%" or rule.unit in _OF_A_BODY
        unit = {"unit": rule.unit, "system": UCUM, "code": rule.unit} if has_unit else {}
        day = answered.observed or self._occasion.authored[:10]
        return {
            "resourceType": "Observation",
            "identifier": [self.identifier | {"value": f"{self._occasion.form}.{answered.question.link_id}"}],
            "status": "final",
            "category": [
                {"coding": [{"system": _CATEGORIES, "code": "vital-signs" if rule.unit in _OF_A_BODY else "survey"}]}
            ],
            "code": {"coding": [{"system": LOINC, "code": code}], "text": rule.title},
            "subject": {"reference": self._occasion.patient},
            "effectiveDateTime": day,
            "performer": [self._author()],
            "valueQuantity": {"value": _number(str(answered.value)), **unit},
            "derivedFrom": [{"reference": response}],
        }

    def _narrative(self, answers: Sequence[FormAnswer], *, signed: bool) -> str:
        """The answers as text, because many EHRs show only the text of a response."""
        rows = "".join(f"<li>{escape(line)}</li>" for item in answers for line in in_words(item, self._wording))
        by = words.signer(self._by.name, self._by.role)
        on = self._wording.style.date(self._occasion.authored[:10])
        end = words.signed(by, on) if signed else words.draft(by, on)
        title = escape(words.response(self._policy.title, self._policy.edition))
        return f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{title}</p><ul>{rows}</ul><p>{escape(end)}</p></div>'


def loinc_of(question: FormQuestion) -> str:
    """The LOINC code of a number; "" if it has none, or if the question is about one of several parts."""
    rule = question.fact
    if question.type != "decimal" or question.part or rule.codes is None:
        return ""
    return next((row.code for row in rule.codes.listed if row.system == LOINC), "")


def in_words(answered: FormAnswer, wording: Wording = DEFAULT_WORDING) -> Iterator[str]:
    """An answer in words for the user: one line, or one for each event."""
    question, style = answered.question, wording.style
    if question.type == "group":
        inner = {item.link_id: item.text for item in question.inner}
        for event in answered.events:
            parts = [f"{inner.get(link, question_words.DONE_ON)} {style.date(value)}" for link, value in event.items()]
            yield f"{question.text} {'; '.join(parts)}"
        return
    if answered.is_withdrawn:
        yield words.withdrawn(question.text)
        return
    said = style.date(answered.value) if isinstance(answered.value, str) else words.YES if answered.value else words.NO
    bases, contrary = ([*map(wording.record, listed)] for listed in (answered.bases, answered.in_spite_of))
    unit = question.fact.unit if question.type == "decimal" else ""
    parts = [
        f"{said} {unit}".strip(),
        words.observed(style.date(answered.observed)) if answered.observed else "",
        words.based_on(filter(None, (*bases, answered.basis_text))) if answered.has_basis else "",
        words.because(answered.why_not) if answered.why_not else "",
        words.despite(contrary, answered.in_spite_of_why) if answered.in_spite_of else "",
    ]
    yield f"{question.text} {'; '.join(filter(None, parts))}"


def _value(kind: str, value: bool | str) -> Json:
    if kind == "boolean":
        return {"valueBoolean": value if isinstance(value, bool) else value == "yes"}
    if kind == "decimal":
        return {"valueDecimal": _number(str(value))}
    return {"valueDate": value}


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number == int(number) else number


def _child(link: str, text: str, answers: list[Json]) -> Json:
    return {"linkId": link, "text": text, "answer": answers} if answers else {}


def _strings(text: str) -> list[Json]:
    return [{"valueString": text}] if text else []


def _dates(day: str) -> list[Json]:
    return [{"valueDate": day}] if day else []


def _references(names: Sequence[str]) -> list[Json]:
    return [{"reference": name} for name in names]


def _attachment(kind: str, content: bytes) -> Json:
    return {"attachment": {"contentType": kind, "data": base64.b64encode(content).decode()}}
