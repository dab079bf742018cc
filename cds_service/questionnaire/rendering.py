"""A rule set as a FHIR Questionnaire (R4, Da Vinci DTR dtr-std-questionnaire), in the version that the caller uses."""

from collections.abc import Collection
from hashlib import sha256
from html import escape

from cds_service.fhir.elements import Json
from cds_service.policy.model import Policy
from cds_service.questionnaire import population
from cds_service.questionnaire import question_words as words
from cds_service.questionnaire.items import ItemWriter
from cds_service.questionnaire.questions import FormGroup, FormQuestion, groups
from cds_service.questionnaire.versions import DTR, Version

PUBLISHER = "cds-service"
LONGEST_ID = 64
_PROFILE = f"{DTR}/dtr-std-questionnaire"
_SIGNATURE = "http://hl7.org/fhir/StructureDefinition/questionnaire-signatureRequired"
# Seconds for one question: a yes or no from someone who knows the patient, or an answer with its date and basis.
_AT_LEAST, _AT_MOST = 5, 15


def fhir_id(name: str) -> str:
    """A name as a resource id (FHIR R4, id): the name itself, or if too long, its beginning and a hash."""
    if len(name) <= LONGEST_ID:
        return name
    return f"{name[: LONGEST_ID - 9]}-{sha256(name.encode()).hexdigest()[:8]}"


def questionnaire_url(policy: Policy, canonical_base: str) -> str:
    """The canonical URL of a rule set's Questionnaire, without its version, which is the edition."""
    return f"{canonical_base}/Questionnaire/{policy.id}"


def criteria_system(policy: Policy, canonical_base: str) -> str:
    """The code system of a rule set's criteria; questions carry its codes."""
    return f"{canonical_base}/CodeSystem/{policy.id}-criteria"


def questionnaire(
    policy: Policy, canonical_base: str, version: Version = Version.V2_2, *, despite: Collection[str] = ()
) -> Json:
    """The Questionnaire of a rule set, derived entirely from its documents.

    ``despite`` are the ids of criteria that records of the call contradict; their questions get items for an answer
    despite the record. Without ``despite``, the result is the shared definition and contains nothing of a patient.
    """
    asked = groups(policy)
    writer = ItemWriter(criteria_system(policy, canonical_base), expressions=version.has_expressions, despite=despite)
    return {
        "resourceType": "Questionnaire",
        "id": fhir_id(policy.id),
        "meta": {"profile": [_PROFILE]},
        "text": {"status": "generated", "div": _narrative(policy, asked)},
        "extension": _extensions(policy, asked, version),
        "url": questionnaire_url(policy, canonical_base),
        "version": policy.edition,
        "name": "".join(word.capitalize() for word in policy.id.split("-")),
        "title": words.form(policy.title),
        "status": "draft" if policy.is_draft else "active",
        "experimental": False,
        "subjectType": ["Patient"],
        "date": policy.review.last_review,
        "publisher": PUBLISHER,
        "effectivePeriod": _period(policy),
        "item": [*(writer.group(group) for group in asked), writer.attester()],
    }


def _period(policy: Policy) -> Json:
    until = {"end": policy.effective_until} if policy.effective_until else {}
    return {"start": policy.effective_from, **until}


def _extensions(policy: Policy, asked: tuple[FormGroup, ...], version: Version) -> list[Json]:
    signature = {
        "url": _SIGNATURE,
        "valueCodeableConcept": {
            "coding": [
                {
                    "system": "urn:iso-astm:E1762-95:2013",
                    "code": "1.2.840.10065.1.12.1.1",
                    "display": words.SIGNATURE,
                }
            ]
        },
    }
    if not version.has_expressions:
        # DTR 2.1 added the form's purpose and completion time.
        return [signature]
    every = [question for group in asked for question in group.questions]
    own = [question for group in asked if group.verdict for question in group.questions]
    return [
        {"url": f"{DTR}/questionnaireAudience", "valueCode": "clinical"},
        {
            "url": f"{DTR}/estimated-completion-time",
            "extension": [
                {"url": "clinicalTime", "valueCode": _takes(len(own) * _AT_LEAST)},
                {"url": "totalTime", "valueCode": _takes(len(own) * _AT_MOST)},
            ],
        },
        {"url": f"{DTR}/request-specific", "valueBoolean": False},
        signature,
        *population.launch_contexts(),
        *population.variables(every),
    ]


def _takes(seconds: int) -> str:
    """A code of DTR's completion times."""
    limits = ((60, "under-1min"), (180, "under-3min"), (300, "under-5min"))
    return next((code for limit, code in limits if seconds < limit), "over-5min")


def _narrative(policy: Policy, asked: tuple[FormGroup, ...]) -> str:
    """The questions as text, for a reader without a form."""
    parts = "".join(f"<h2>{escape(group.title)}</h2><ul>{''.join(map(_row, group.questions))}</ul>" for group in asked)
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><h1>{escape(policy.title)}</h1>{parts}</div>'


def _row(question: FormQuestion) -> str:
    return f"<li>{escape(question.text)}</li>"
