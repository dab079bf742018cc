"""The draft response of a package (QuestionnaireResponse, R4; Da Vinci DTR): numbers found in the chart, no
attestations.

DTR, spec-125: completed older responses do not fill a new form, so an earlier attested answer is not an answer here.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from cds_service.facts.evidence import Known, OnRecord
from cds_service.facts.kind import kind_of
from cds_service.fhir.elements import Json
from cds_service.policy.model import Policy
from cds_service.questionnaire import question_words as words
from cds_service.questionnaire.found import found_in_words
from cds_service.questionnaire.questions import BASIS, FormGroup, FormQuestion, groups
from cds_service.questionnaire.rendering import PUBLISHER, questionnaire_url
from cds_service.questionnaire.versions import DTR, Version
from cds_service.verdicts.criteria import Finding

ORIGIN = f"{DTR}/information-origin"
# The purpose of the response: a payer requests it before the procedure (Da Vinci CRD, doc-purpose).
PURPOSE = "withpa"


class Occasion(NamedTuple):
    """The patient, coverages and orders of a form as references (``Type/id``), and the time as a FHIR instant."""

    patient: str
    coverages: Sequence[str]
    orders: Sequence[str]
    authored: str


def recorded_answer(question: FormQuestion, recorded: Known) -> OnRecord | None:
    """The chart's own answer to a question; None for an attestation, or if the chart has no answer.

    ``recorded`` are the facts of the call without the answers to forms (``facts.gather`` with no questionnaires).
    """
    if question.is_attestation or question.ends:
        return None
    facts = recorded.parts.get(question.part, {}) if question.part else recorded.whole
    fact = facts.get(question.fact.name)
    return kind_of(question.fact).recorded_answer(fact) if fact is not None else None


def draft_response(
    policy: Policy,
    canonical_base: str,
    version: Version,
    occasion: Occasion,
    recorded: Known,
    findings: Mapping[str, Finding],
) -> Json:
    """The initial response of a form, with the service (a Device) as its author.

    ``recorded`` is as for ``recorded_answer``; ``findings`` are those of the decision, by key. The narrative says what
    was found for each question.
    """
    asked = groups(policy)
    use = {"coding": [{"system": version.intended_use_system, "code": PURPOSE}]}
    return {
        "resourceType": "QuestionnaireResponse",
        "meta": {"profile": [f"{DTR}/dtr-questionnaireresponse"]},
        "text": {"status": "generated", "div": _narrative(asked, recorded, findings)},
        "extension": [
            *version.context(_references(occasion.coverages), _references(occasion.orders)),
            {"url": f"{DTR}/intendedUse", "valueCodeableConcept": use},
        ],
        "questionnaire": f"{questionnaire_url(policy, canonical_base)}|{policy.edition}",
        "status": "in-progress",
        "subject": {"reference": occasion.patient},
        "authored": occasion.authored,
        "author": {
            "type": "Device",
            "identifier": {"system": canonical_base, "value": PUBLISHER},
            "display": words.filled_in(PUBLISHER),
        },
        "item": [_group(group, recorded, version) for group in asked],
    }


def _references(names: Sequence[str]) -> list[Json]:
    return [{"reference": name} for name in names]


def _group(group: FormGroup, recorded: Known, version: Version) -> Json:
    items = [
        _item(question, answer, version)
        for question in group.questions
        if (answer := recorded_answer(question, recorded)) is not None
    ]
    return {"linkId": group.link_id, "text": group.title, **({"item": items} if items else {})}


def _item(question: FormQuestion, answer: OnRecord, version: Version) -> Json:
    origin = {"url": ORIGIN, "extension": [{"url": "source", "valueCode": version.origin_of_server}]}
    bases = [{"extension": [origin], "valueReference": {"reference": name}} for name in answer.references]
    basis = {"linkId": question.link_id + BASIS, "answer": bases}
    return {
        "linkId": question.link_id,
        "text": question.text,
        "answer": [{"extension": [origin], **_value(answer.value), "item": [basis]}],
    }


def _value(value: float | str) -> Json:
    if isinstance(value, str):
        return {"valueDate": value}
    return {"valueDecimal": int(value) if value == int(value) else value}


def _narrative(asked: Sequence[FormGroup], recorded: Known, findings: Mapping[str, Finding]) -> str:
    rows = (
        f"<li>{escape(question.text)} {escape(found_in_words(question, recorded, findings))}</li>"
        for group in asked
        for question in group.questions
    )
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><ul>{"".join(rows)}</ul></div>'
