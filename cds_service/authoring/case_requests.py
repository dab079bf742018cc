"""Turns a case of cases.json into a hook call: each short item of its chart becomes a FHIR R4 resource."""

import copy
import re
from collections.abc import Mapping
from typing import Any

from cds_service.errors import PolicyError, UnreadableError
from cds_service.facts import roles
from cds_service.fhir.dates import days
from cds_service.fhir.elements import Json
from cds_service.fhir.types import subject_of
from cds_service.hooks import hook_request
from cds_service.library import Library
from cds_service.policy.model import Policy
from cds_service.policy.prefetch_templates import key_of
from cds_service.service.guide import Guide
from cds_service.spelling import nearest

PATIENT = "case-patient"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
# A reference from an answer to an item of the chart: "Condition/finding".
_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]+")
_NURSE = {
    "resourceType": "PractitionerRole",
    "id": "role",
    "code": [{"coding": [{"system": roles.NUCC, "code": "163W00000X"}]}],
}
# The possible authors of a case's answers.
_AUTHORS: Mapping[str, Json] = {
    "clinician": {"author": {"reference": "Practitioner/case-practitioner", "display": "a practitioner"}},
    "staff": {"contained": [_NURSE], "author": {"reference": "#role", "display": "a nurse"}},
    "patient": {"author": {"reference": f"Patient/{PATIENT}"}},
    "device": {"author": {"reference": "Device/case-device"}},
    "nobody": {},
}


def request_of(policy: Policy, case: Mapping[str, Any], guide: Guide) -> tuple[str, Json]:
    """The service id and the hook request of a case."""
    maker = _Maker(policy, guide)
    hook = case.get("hook", hook_request.ORDER_SIGN)
    chart = _changed(_named(policy, "charts", case["chart"]), case.get("change", {}))
    resources = [maker.resource(name, item) for name, item in chart.items()]
    if not any(resource["resourceType"] == "Patient" for resource in resources):
        resources.append({"resourceType": "Patient", "id": PATIENT})
    context: dict[str, Any] = {"userId": "Practitioner/case-practitioner", "patientId": PATIENT}
    if hook != hook_request.PATIENT_VIEW:
        items = (
            _named(policy, "orders", case["orders"])
            if "orders" in case
            else next(iter(policy.cases.frame["orders"].values()))
        )
        drafts = [maker.resource(name, item) for name, item in _changed(items, case.get("change_orders", {})).items()]
        context["draftOrders"] = {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": d} for d in drafts],
        }
        if hook == hook_request.ORDER_SELECT:
            context["selections"] = [f"{draft['resourceType']}/{draft['id']}" for draft in drafts]
    return hook_request.SERVICE_OF[hook], {
        "hook": hook,
        "hookInstance": "00000000-0000-4000-8000-000000000000",
        "context": context,
        "prefetch": prefetch_of(resources, guide.library),
    }


def first_orders(policy: Policy, guide: Guide) -> list[Json]:
    """The first draft orders in a rule set's cases. Raises PolicyError if an item has no known kind."""
    maker = _Maker(policy, guide)
    return [maker.resource(name, item) for name, item in next(iter(policy.cases.frame["orders"].values())).items()]


def prefetch_of(resources: list[Json], library: Library) -> dict[str, Any]:
    """Resources under the published prefetch keys; a key without resources gets an empty searchset."""
    filled: dict[str, Any] = {}
    for key, name in library.prefetch_keys.items():
        found = [resource for resource in resources if resource["resourceType"] == name]
        if name == "Patient":
            filled[key] = found[0] if found else None
        else:
            filled[key] = {
                "resourceType": "Bundle",
                "type": "searchset",
                "entry": [{"resource": item} for item in found],
            }
    for resource in resources:
        if resource["resourceType"] not in library.prefetch_keys.values():
            filled[key_of(resource["resourceType"])] = resource
    return filled


def _named(policy: Policy, kind: str, name: str) -> Mapping[str, Any]:
    if name not in policy.cases.frame[kind]:
        allowed = ", ".join(sorted(policy.cases.frame[kind]))
        raise PolicyError([f"cases.json: $.{kind}: '{name}' does not exist; allowed: {allowed}"])
    found: Mapping[str, Any] = policy.cases.frame[kind][name]
    return found


def _changed(items: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in ({**items, **change}).items() if item is not None}


class _Maker:
    """Makes one FHIR R4 resource from one item; the item's member that is in ``_MAKERS`` determines the type."""

    def __init__(self, policy: Policy, guide: Guide) -> None:
        self.policy = policy
        self.guide = guide

    def resource(self, name: str, item: Mapping[str, Any]) -> Json:
        kind = next((word for word in _MAKERS if word in item), None)
        if kind is None:
            raise PolicyError([f"cases.json: the item '{name}' says nothing; it needs one of {', '.join(_MAKERS)}"])
        made = {"id": name} | _MAKERS[kind](self, item)
        return {key: value for key, value in made.items() if value is not None}

    def concept(self, code: str, text: str | None = None) -> Json:
        """A CodeableConcept from "SYSTEM|code", or with text only if the code is empty."""
        if not code:
            return {"text": text}
        system, _, value = code.partition("|")
        systems = self.policy.code_systems
        if not value:
            raise PolicyError(
                [f"cases.json: '{code}' must be written SYSTEM|code, for example {next(iter(systems))}|…"]
            )
        # EHRs also send codings without a system, or with the system's URL.
        if system and system not in systems and ":" not in system and "." not in system:
            raise PolicyError([f"cases.json: '{system}' is not a system of codes.json; {nearest(system, systems)}"])
        url = systems[system]["url"] if system in systems else system
        coding = {"system": url, "code": value} if url else {"code": value}
        return {"coding": [coding]} | ({"text": text} if text else {})

    def patient(self, item: Mapping[str, Any]) -> Json:
        return {"resourceType": "Patient", "id": PATIENT, "birthDate": item["born"]}

    def condition(self, item: Mapping[str, Any]) -> Json:
        return _about() | {
            "resourceType": "Condition",
            "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": item.get("clinical", "active")}]},
            "verificationStatus": {
                "coding": [{"system": _VERIFICATION, "code": item.get("verification", "confirmed")}]
            },
            "code": self.concept(item["condition"], item.get("text")),
            "onsetDateTime": item.get("onset"),
            "recordedDate": item.get("date"),
            "note": _note(item),
        }

    def observation(self, item: Mapping[str, Any]) -> Json:
        value = item.get("value")
        made = _about() | {
            "resourceType": "Observation",
            "status": item.get("status", "final"),
            "code": self.concept(item["observation"], item.get("text")),
            "effectiveDateTime": item.get("date"),
            "bodySite": next(iter(self._sites(item)), None),
        }
        if isinstance(value, str):
            made["valueString"] = value
        elif value is not None:
            made["valueQuantity"] = {"value": value} | ({"unit": item["unit"]} if "unit" in item else {})
        return made

    def procedure(self, item: Mapping[str, Any]) -> Json:
        return (
            _about()
            | self._reason_and_site(item)
            | {
                "resourceType": "Procedure",
                "status": item.get("status", "completed"),
                "code": self.concept(item["procedure"], item.get("text")),
                "performedDateTime": item.get("date"),
                "note": _note(item),
            }
        )

    def medication(self, item: Mapping[str, Any]) -> Json:
        return _about() | {
            "resourceType": "MedicationRequest",
            "status": item.get("status", "active"),
            "intent": "order",
            "medicationCodeableConcept": self.concept(item["medication"], item.get("text")),
            "authoredOn": item.get("date"),
        }

    def report(self, item: Mapping[str, Any]) -> Json:
        return _about() | {
            "resourceType": "DiagnosticReport",
            "status": item.get("status", "final"),
            "code": self.concept(item["report"], item.get("text")),
            "effectiveDateTime": item.get("date"),
            "conclusion": item.get("words"),
        }

    def device(self, item: Mapping[str, Any]) -> Json:
        return {
            "resourceType": "Device",
            "status": item.get("status", "active"),
            "type": self.concept(item["device"], item.get("text")),
            "patient": {"reference": f"Patient/{PATIENT}"},
        }

    def coverage(self, item: Mapping[str, Any]) -> Json:
        return {
            "resourceType": "Coverage",
            "status": item.get("status", "active"),
            "beneficiary": {"reference": f"Patient/{PATIENT}"},
            "payor": [{"display": item["coverage"]}],
        }

    def answers(self, item: Mapping[str, Any]) -> Json:
        base = f"{self.guide.addresses.canonical_base}/Questionnaire/{self.policy.id}|{self.policy.edition}"
        return _about() | {
            "resourceType": "QuestionnaireResponse",
            "questionnaire": base,
            "status": item.get("status", "completed"),
            "authored": item.get("date"),
            **_AUTHORS[item.get("by", "clinician")],
            "item": [made for link, value in item["answers"].items() for made in _items(link, value)],
        }

    def order(self, item: Mapping[str, Any]) -> Json:
        return (
            _about()
            | self._reason_and_site(item)
            | {
                "resourceType": "ServiceRequest",
                "status": item.get("status", "draft"),
                "intent": "order",
                "code": self.concept(item["order"], item.get("text")),
                "authoredOn": item.get("date"),
                "occurrenceDateTime": item.get("service"),
            }
        )

    def device_order(self, item: Mapping[str, Any]) -> Json:
        reason = self._reason_and_site(item)
        return _about() | {
            "resourceType": "DeviceRequest",
            "status": item.get("status", "draft"),
            "intent": "order",
            "codeCodeableConcept": self.concept(item["device_order"], item.get("text")),
            "reasonCode": reason["reasonCode"],
        }

    def raw(self, item: Mapping[str, Any]) -> Json:
        resource: Json = copy.deepcopy(item["resource"])
        return {subject_of(resource["resourceType"]): {"reference": f"Patient/{PATIENT}"}} | resource

    def _reason_and_site(self, item: Mapping[str, Any]) -> Json:
        return {
            "reasonCode": [self.concept(item["reason"])] if "reason" in item else None,
            "bodySite": self._sites(item) or None,
        }

    def _sites(self, item: Mapping[str, Any]) -> list[Json]:
        sides = item.get("side", [])
        coded = [self.concept(side) for side in ([sides] if isinstance(sides, str) else sides)]
        return [*coded, {"text": item["site"]}] if "site" in item else coded


def _about() -> Json:
    return {"subject": {"reference": f"Patient/{PATIENT}"}}


def _note(item: Mapping[str, Any]) -> list[Json] | None:
    return [{"text": item["words"]}] if "words" in item else None


def _items(link: str, value: Any) -> list[Json]:
    """The items of one answer: one item, or for each event a group whose items' linkIds begin with the group's
    linkId."""
    if not isinstance(value, list):
        return [{"linkId": link, "answer": [_answer(value)]}]
    return [
        {
            "linkId": link,
            "item": [{"linkId": f"{link}.{name}", "answer": [_answer(given)]} for name, given in event.items()],
        }
        for event in value
    ]


def _answer(value: Any) -> Json:
    if isinstance(value, bool):
        return {"valueBoolean": value}
    if isinstance(value, str) and _REFERENCE.fullmatch(value):
        return {"valueReference": {"reference": value}}
    if isinstance(value, str):
        return {"valueDate" if _is_date(value) else "valueString": value}
    return {"valueDecimal": value}


def _is_date(text: str) -> bool:
    try:
        days(text)
    except UnreadableError:
        return False
    return True


_MAKERS = {
    "resource": _Maker.raw,
    "born": _Maker.patient,
    "condition": _Maker.condition,
    "observation": _Maker.observation,
    "procedure": _Maker.procedure,
    "medication": _Maker.medication,
    "report": _Maker.report,
    "device": _Maker.device,
    "coverage": _Maker.coverage,
    "answers": _Maker.answers,
    "order": _Maker.order,
    "device_order": _Maker.device_order,
}
