"""A question as an item of a FHIR Questionnaire (R4), with child items for the basis of its answer."""

from collections.abc import Collection

from cds_service.facts.roles import NUCC
from cds_service.fhir.elements import UCUM, Json
from cds_service.fhir.terminology import LOINC
from cds_service.policy.model import FactRule
from cds_service.questionnaire import population
from cds_service.questionnaire import question_words as words
from cds_service.questionnaire.questions import (
    ATTESTER,
    ATTESTER_NAME,
    ATTESTER_ROLE,
    ATTESTER_STATEMENT,
    BASIS,
    BASIS_TEXT,
    DESPITE,
    DESPITE_WHY,
    EVENT_DATE,
    FOUND,
    HELP,
    OBSERVED,
    WHY_NOT,
    FormGroup,
    FormQuestion,
)

_CORE = "http://hl7.org/fhir/StructureDefinition"
# The resource types that an answer may rest on, and those that may be contrary to it.
_BASES = ("DocumentReference", "DiagnosticReport", "Observation", "Procedure", "Condition")
_CONTRARY = ("Condition", "Observation", "Procedure", "DiagnosticReport", "MedicationRequest", "MedicationStatement")
# ``facts.attested`` shows at most this much of a text.
LONGEST_TEXT = 200
# The UCUM units that rule sets use; any other unit appears only in the words of the question.
_UCUM_UNITS = ("%", "kg/m2", "ng/mL", "cm", "mm", "kg", "deg", "d", "mo")
# A reduction may also be any rise, and without a range there is no limit.
_NO_LIMIT = 1e9


class ItemWriter:
    """Writes items with or without expressions. Questions of the criteria ``despite`` (ids) also get items for answers
    despite a contrary record. Criterion codes use the code system ``criteria``."""

    def __init__(self, criteria: str, *, expressions: bool, despite: Collection[str] = ()) -> None:
        self._criteria = criteria
        self._expressions = expressions
        self._despite = despite

    def group(self, group: FormGroup) -> Json:
        """The questions of one verdict."""
        items = [self.question(question) for question in group.questions]
        return {"linkId": group.link_id, "type": "group", "text": group.title, "item": items}

    def question(self, question: FormQuestion) -> Json:
        """One question with its children."""
        item: Json = {"linkId": question.link_id, "type": question.type, "text": question.text, "required": False}
        extensions = [*self._population(question), *_number(question)]
        if extensions:
            item["extension"] = extensions
        if codes := self._codes(question):
            item["code"] = codes
        if question.type == "group":
            item["repeats"] = True
            item["item"] = [*self._notes(question), *self._event(question)]
        else:
            item["item"] = [*self._notes(question), *self._children(question)]
        return item

    def attester(self) -> Json:
        """Who signs, in which role, and the statement that they sign."""
        roles = [
            {"valueCoding": {"system": NUCC, "code": code, "display": display}}
            for code, display in words.SIGNER_ROLES.items()
        ]
        name = [_allowed("Practitioner"), *(population.signer() if self._expressions else [])]
        return {
            "linkId": ATTESTER,
            "type": "group",
            "text": words.ATTESTER,
            "item": [
                {
                    "linkId": ATTESTER_NAME,
                    "type": "reference",
                    "text": words.ATTESTED_BY,
                    "required": True,
                    "extension": name,
                },
                {
                    "linkId": ATTESTER_ROLE,
                    "type": "open-choice",
                    "text": words.ATTESTED_AS,
                    "required": True,
                    "answerOption": roles,
                },
                {"linkId": ATTESTER_STATEMENT, "type": "boolean", "text": words.SAYS_TRUE, "required": True},
            ],
        }

    def _population(self, question: FormQuestion) -> list[Json]:
        return population.initial_expression(question) if self._expressions else []

    def _codes(self, question: FormQuestion) -> list[Json]:
        """The first LOINC code of a measurement, and the criteria that the answer bears on."""
        listed = question.fact.codes.listed if question.fact.codes and question.type == "decimal" else ()
        measured = [{"system": LOINC, "code": row.code} for row in listed if row.system == LOINC][:1]
        return measured + [{"system": self._criteria, "code": name} for name in question.criteria]

    def _notes(self, question: FormQuestion) -> list[Json]:
        """The notes next to a question: what would settle it, and its help."""
        notes = []
        if question.settled_by:
            category = _concept("displayCategory", "display-category", "instructions")
            notes.append(_display(question.link_id + FOUND, words.to_add(question.settled_by), category))
        if question.help:
            control = _concept("itemControl", "item-control", "help")
            notes.append(_display(question.link_id + HELP, question.help, control))
        return notes

    def _children(self, question: FormQuestion) -> list[Json]:
        answered = _enabled(question, "exists", True)
        children = [
            {"linkId": question.link_id + OBSERVED, "type": "date", "text": words.OBSERVED, **answered},
            self._reference(question.link_id + BASIS, words.BASIS, _BASES, answered),
            _text(question.link_id + BASIS_TEXT, words.BASIS_IN_WORDS, answered),
        ]
        if question.is_attestation:
            no = _enabled(question, "=", False)
            children.append(_text(question.link_id + WHY_NOT, words.WHY_NOT, no))
        if any(name in self._despite for name in question.criteria):
            children += [
                self._reference(question.link_id + DESPITE, words.DESPITE, _CONTRARY, answered),
                _text(question.link_id + DESPITE_WHY, words.WHY_DESPITE, answered),
            ]
        return children

    def _event(self, question: FormQuestion) -> list[Json]:
        """The items of one event: its day and its attributes."""
        day = {"linkId": question.link_id + EVENT_DATE, "type": "date", "text": words.DONE_ON}
        return [day, *(self._attribute(inner) for inner in question.inner)]

    def _attribute(self, question: FormQuestion) -> Json:
        item: Json = {"linkId": question.link_id, "type": question.type, "text": question.text}
        if extensions := _number(question):
            item["extension"] = extensions
        if told := self._notes(question):
            item["item"] = told
        return item

    def _reference(self, link: str, text: str, types: tuple[str, ...], enabled: Json) -> Json:
        extensions = [_allowed(name) for name in types]
        if self._expressions:
            extensions.append(population.candidates())
        return {
            "linkId": link,
            "type": "reference",
            "text": text,
            **enabled,
            "repeats": True,
            "extension": extensions,
        }


def _enabled(question: FormQuestion, operator: str, answer: bool) -> Json:
    return {"enableWhen": [{"question": question.link_id, "operator": operator, "answerBoolean": answer}]}


def _text(link: str, text: str, enabled: Json) -> Json:
    return {"linkId": link, "type": "string", "maxLength": LONGEST_TEXT, "text": text, **enabled}


def _display(link: str, text: str, extension: Json) -> Json:
    return {"linkId": link, "type": "display", "text": text, "extension": [extension]}


def _concept(name: str, system: str, code: str) -> Json:
    coding = {"system": f"http://hl7.org/fhir/questionnaire-{system}", "code": code}
    return {"url": f"{_CORE}/questionnaire-{name}", "valueCodeableConcept": {"coding": [coding]}}


def _allowed(kind: str) -> Json:
    return {"url": f"{_CORE}/questionnaire-referenceResource", "valueCode": kind}


def _number(question: FormQuestion) -> list[Json]:
    """The limits and unit of a number."""
    if question.type != "decimal":
        return []
    rule = question.fact
    ends = zip(("minValue", "maxValue"), rule.range, strict=True)
    limits: list[Json] = [
        {"url": f"{_CORE}/{name}", "valueDecimal": _decimal(end)} for name, end in ends if abs(end) < _NO_LIMIT
    ]
    return [*limits, *_unit(rule)]


def _decimal(end: float) -> float:
    return int(end) if end == int(end) else end


def _unit(rule: FactRule) -> list[Json]:
    """The unit, if it is a UCUM unit."""
    if rule.unit not in _UCUM_UNITS:
        return []
    coding = {"system": UCUM, "code": rule.unit, "display": rule.unit}
    return [{"url": f"{_CORE}/questionnaire-unit", "valueCoding": coding}]
