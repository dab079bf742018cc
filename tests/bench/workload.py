"""The calls that are measured: an example at the size of a real chart, and the same chart with another order."""

import copy
import json
from datetime import date, timedelta
from typing import Any

from cds_service import hooks
from cds_service.examples import examples, request_as_of
from cds_service.settings import data_folder

EXAMPLE = "typical-gaps"
RESOURCES = 80

_TERMS = "http://terminology.hl7.org/CodeSystem"
_ICD, _CPT = "http://hl7.org/fhir/sid/icd-10-cm", "http://www.ama-assn.org/go/cpt"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
# What a primary care chart holds beside the reason for this order: records that no criterion reads.
_EVERYDAY = (
    ("Condition", _ICD, "I10", "Essential hypertension"),
    ("MedicationRequest", _RXNORM, "314076", "Lisinopril 10 mg tablet"),
    ("Procedure", _CPT, "99213", "Office visit"),
    ("Condition", _ICD, "E78.5", "Hyperlipidemia"),
    ("MedicationRequest", _RXNORM, "617310", "Atorvastatin 20 mg tablet"),
    ("ServiceRequest", _CPT, "80053", "Metabolic panel"),
    ("Condition", _ICD, "J30.2", "Seasonal allergic rhinitis"),
    ("Procedure", _CPT, "90686", "Influenza vaccination"),
    ("MedicationStatement", _RXNORM, "311372", "Loratadine 10 mg tablet"),
    ("ServiceRequest", _CPT, "83036", "Hemoglobin A1c"),
)
_PREFETCH_KEYS = {
    "Condition": "condition",
    "MedicationRequest": "medicationRequest",
    "MedicationStatement": "medicationStatement",
    "Procedure": "procedure",
    "ServiceRequest": "serviceRequest",
}


def whole_card(today: date) -> tuple[str, Any]:
    """Service id and body of an order that a policy recognises, signed on a full chart."""
    found = examples(data_folder("fhir_examples"))[EXAMPLE]
    request = request_as_of(found, today)
    _fill(request, today)
    return f"coverage-guidance-{hooks.ORDER_SIGN}", request


def unrecognised(request: Any) -> Any:
    """The same call with an order that is no policy's business."""
    other = copy.deepcopy(request)
    order = {
        "resourceType": "ServiceRequest",
        "id": "knee",
        "status": "draft",
        "intent": "order",
        "code": {"coding": [{"system": _CPT, "code": "73721", "display": "MRI of the knee"}]},
        "subject": {"reference": f"Patient/{request['context']['patientId']}"},
        "reasonCode": [{"coding": [{"system": _ICD, "code": "M17.11", "display": "Osteoarthritis of the right knee"}]}],
    }
    other["context"]["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]}
    return other


def count(request: Any) -> int:
    """How many resources the prefetch of a call holds."""
    return sum(len(_resources(value)) for value in request["prefetch"].values())


def _resources(value: Any) -> list[Any]:
    if value is None:
        return []
    return value.get("entry", []) if value["resourceType"] == "Bundle" else [value]


def _fill(request: Any, today: date) -> None:
    """Adds everyday records until the chart is as long as a real one; an example that already is stays as it is."""
    patient = request["context"]["patientId"]
    for number in range(RESOURCES - count(request)):
        kind, system, code, display = _EVERYDAY[number % len(_EVERYDAY)]
        bundle = request["prefetch"].setdefault(_PREFETCH_KEYS[kind], None) or {
            "resourceType": "Bundle",
            "type": "searchset",
        }
        record = _record(kind, number, patient, {"system": system, "code": code, "display": display}, today)
        bundle.setdefault("entry", []).append({"fullUrl": f"https://ehr.example/fhir/{kind}/{record['id']}", **_hit(record)})
        request["prefetch"][_PREFETCH_KEYS[kind]] = bundle


def _hit(record: Any) -> dict[str, Any]:
    return {"resource": record, "search": {"mode": "match"}}


def _record(kind: str, number: int, patient: str, coding: dict[str, str], today: date) -> dict[str, Any]:
    day = (today - timedelta(days=20 + 23 * number)).isoformat()
    concept = {"coding": [coding], "text": coding["display"]}
    person = {"reference": f"Patient/{patient}", "display": "Example, Patient"}
    clinician = {"reference": "Practitioner/everyday", "display": "Clinician, Example, MD"}
    words = f"<p>{coding['display']}</p><p>Recorded {day} at Example Family Medicine by Example Clinician, MD.</p>"
    record: dict[str, Any] = {
        "resourceType": kind,
        "id": f"everyday-{number}",
        "meta": {"versionId": "1", "lastUpdated": f"{day}T16:20:11.482Z", "source": "https://ehr.example/fhir"},
        "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{words}</div>'},
        "identifier": [{"use": "usual", "system": "https://ehr.example/identifiers", "value": f"EX-{number:08}"}],
        "subject": person,
        "encounter": {"reference": f"Encounter/visit-{number}", "display": "Office visit"},
    }
    if kind == "Condition":
        return record | {
            "clinicalStatus": {"coding": [{"system": f"{_TERMS}/condition-clinical", "code": "active"}]},
            "verificationStatus": {"coding": [{"system": f"{_TERMS}/condition-ver-status", "code": "confirmed"}]},
            "category": [{"coding": [{"system": f"{_TERMS}/condition-category", "code": "problem-list-item"}]}],
            "code": concept,
            "onsetDateTime": day,
            "recordedDate": day,
            "recorder": clinician,
        }
    if kind == "Procedure":
        return record | {"status": "completed", "code": concept, "performedDateTime": day, "recorder": clinician}
    if kind == "ServiceRequest":
        return record | {
            "status": "completed",
            "intent": "order",
            "code": concept,
            "authoredOn": f"{day}T15:02:00-06:00",
            "requester": clinician,
        }
    dosage = {"text": "Take one tablet by mouth every day", "timing": {"repeat": {"frequency": 1, "period": 1}}}
    if kind == "MedicationStatement":
        return record | {
            "status": "active",
            "medicationCodeableConcept": concept,
            "effectiveDateTime": day,
            "dosage": [dosage],
        }
    return record | {
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": concept,
        "authoredOn": f"{day}T15:02:00-06:00",
        "requester": clinician,
        "dosageInstruction": [dosage],
    }
