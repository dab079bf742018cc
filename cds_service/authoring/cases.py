"""Cases: patients as short items in cases.json, made into hook calls, answered and compared with what is expected."""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from cds_service import service
from cds_service.authoring import case_reports
from cds_service.card import evidence_text
from cds_service.card.details import DISCLAIMER
from cds_service.errors import PolicyError, RequestError, UnreadableError
from cds_service.facts import roles
from cds_service.facts.logic import every
from cds_service.fhir.dates import days
from cds_service.fhir.elements import Json
from cds_service.fhir.types import subject_of
from cds_service.hooks import hook_request
from cds_service.hooks.prefetch import key_of
from cds_service.library import Library
from cds_service.policy.model import Policy
from cds_service.service import Answer, Guide
from cds_service.spelling import nearest
from cds_service.verdicts.criteria import Finding
from cds_service.verdicts.decisions import Decision

PATIENT = "case-patient"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
# An item of the chart as an answer refers to it: "Condition/finding".
_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]+")
_NURSE = {
    "resourceType": "PractitionerRole",
    "id": "role",
    "code": [{"coding": [{"system": roles.NUCC, "code": "163W00000X"}]}],
}
# Who gave the answers of a case.
_AUTHORS: Mapping[str, Json] = {
    "clinician": {"author": {"reference": "Practitioner/case-practitioner", "display": "a practitioner"}},
    "staff": {"contained": [_NURSE], "author": {"reference": "#role", "display": "a nurse"}},
    "patient": {"author": {"reference": f"Patient/{PATIENT}"}},
    "device": {"author": {"reference": "Device/case-device"}},
    "nobody": {},
}


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case after the run: its sentence, what differed from what was expected, and what was answered."""

    name: str
    differences: tuple[str, ...]
    answers: tuple[Answer, ...]


def run_cases(policy: Policy, guide: Guide) -> Iterator[CaseResult]:
    """Runs every case of a policy through the real service, with that policy alone."""
    alone = guide_of(policy, guide)
    return (case_result(policy, case, alone) for case in policy.cases["cases"])


def case_result(policy: Policy, case: Mapping[str, Any], guide: Guide) -> CaseResult:
    """Makes the request of one case and runs it; one that cannot be made says why. ``guide`` is to the policy alone."""
    try:
        request = request_of(policy, case, guide)
    except PolicyError as error:
        return CaseResult(case["name"], tuple(error.problems), ())
    return run_case(case, request, guide, today_of(policy))


def guide_of(policy: Policy, guide: Guide) -> Guide:
    """A guide like the one given, to that policy alone."""
    return replace(guide, library=Library((policy,), guide.library.canonical_base))


def run_case(case: Mapping[str, Any], request: tuple[str, Json], guide: Guide, today: date) -> CaseResult:
    """Answers the request of a case (``request_of``) and holds the answer against what the case expects."""
    wanted = case["expect"].get("refused")
    try:
        answers = service.answer(hook_request.parse(*request), guide, today, case.get("profile"))
    except RequestError as error:
        refused = () if wanted and wanted in str(error) else (f"the call was refused: {error}",)
        return CaseResult(case["name"], refused, ())
    found = [f"expected a refusal that says '{wanted}', and the call was answered"] if wanted else []
    found += differences(case["expect"], answers)
    return CaseResult(case["name"], tuple(found), tuple(answers))


def today_of(policy: Policy) -> date:
    """The day on which a policy's cases are evaluated."""
    return date.fromisoformat(policy.cases["today"])


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
            else next(iter(policy.cases["orders"].values()))
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
    """The draft orders that stand first among those of a policy's cases. Raises PolicyError where one says nothing."""
    maker = _Maker(policy, guide)
    return [maker.resource(name, item) for name, item in next(iter(policy.cases["orders"].values())).items()]


def prefetch_of(resources: list[Json], library: Library) -> dict[str, Any]:
    """Resources laid out under the published prefetch keys; a key without resources holds an empty searchset."""
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
    if name not in policy.cases[kind]:
        allowed = ", ".join(sorted(policy.cases[kind]))
        raise PolicyError([f"cases.json: $.{kind}: '{name}' is not there; allowed are {allowed}"])
    found: Mapping[str, Any] = policy.cases[kind][name]
    return found


def _changed(items: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in ({**items, **change}).items() if item is not None}


class _Maker:
    """Makes one FHIR R4 resource from one item; the word of ``_MAKERS`` that stands in the item says which."""

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
        """A CodeableConcept from "SYSTEM|code", or of text alone where the code is empty."""
        if not code:
            return {"text": text}
        system, _, value = code.partition("|")
        systems = self.policy.code_systems
        if not value:
            raise PolicyError(
                [f"cases.json: '{code}' must be written SYSTEM|code, for example {next(iter(systems))}|…"]
            )
        # A system may also be left out, or stand as its address, as EHRs send both.
        if system and system not in systems and ":" not in system and "." not in system:
            raise PolicyError([f"cases.json: '{system}' is no system of codes.json; {nearest(system, systems)}"])
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
    """The items of one answer: one, or a group for each event, whose items begin with the group's linkId."""
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


def differences(  # noqa: C901 - one branch for each thing that a case can expect
    expect: Mapping[str, Any], answers: Sequence[Answer]
) -> Iterator[str]:
    """A sentence for each point in which the answers of a case's policy are not what the case expects."""
    wanted, shown = expect.get("cards", 1), [item for item in answers if item.card is not None]
    if len(shown) != wanted:
        yield f"expected {wanted} cards, got {len(shown)}"
        return
    if not shown or (card := shown[0].card) is None:
        return
    decision = shown[0].decision
    if decision is not None and decision.order is not None and DISCLAIMER not in card.get("detail", ""):
        yield f"the card does not end with '{DISCLAIMER}'"
    if "outcome" in expect and shown[0].outcome.value != expect["outcome"]:
        yield f"outcome: expected {expect['outcome']}, got {shown[0].outcome.value}"
    for name in ("summary", "indicator"):
        if name in expect and card[name] != expect[name]:
            yield f"{name}: expected '{expect[name]}', got '{card[name]}'"
    if "pathway" in expect and shown[0].pathway != expect["pathway"]:
        yield f"pathway: expected {expect['pathway']}, got {shown[0].pathway or 'none'}"
    said = told(shown[0]) if {"says", "omits"} & expect.keys() else ""
    for words in expect.get("says", ()):
        if words not in said:
            yield f"neither card nor evidence says '{words}'"
    for words in expect.get("omits", ()):
        if words in said:
            yield f"card or evidence says '{words}', which it must not"
    if "suggests" in expect:
        offered = sorted(_suggested(card))
        if offered != sorted(expect["suggests"]):
            yield f"suggests: expected {sorted(expect['suggests'])}, got {offered}"
    verdicts = _verdicts(decision) if decision else {}
    for name, truth in expect.get("verdicts", {}).items():
        if name not in verdicts:
            yield f"verdict {name}: expected {truth}, got no verdict of that name"
        elif verdicts[name][0] != truth:
            why = case_reports.of_findings(verdicts[name][1])
            yield f"verdict {name}: expected {truth}, got {verdicts[name][0]}{why}"
    findings = list(_findings(decision)) if decision else []
    for name, truth in expect.get("criteria", {}).items():
        found = [finding for finding in findings if name in (finding.key, finding.criterion.key)]
        if not found:
            yield f"criterion {name}: expected {truth}, got no criterion of that name"
        for finding in found:
            got = finding.manner.replace(" ", "-") or finding.truth.value
            if got != truth:
                yield f"criterion {finding.key}: expected {truth}, got {got}{case_reports.of_finding(finding)}"


def told(answer: Answer) -> str:
    """All that a reader of a card can come to see: its summary and detail, and the evidence behind it."""
    card, found = answer.card or {}, answer.assessment
    behind: tuple[str, ...] = ()
    if found is not None:
        behind = tuple(evidence_text.lines(found.decision, found.chart, answer.outcome.suggests))
    return "\n".join((card.get("summary", ""), card.get("detail", ""), *behind))


def _verdicts(decision: Decision) -> dict[str, tuple[str, tuple[Finding, ...]]]:
    """Truth and findings by verdict id, and for each part by "id part"; the rule that was asked for is among them."""
    truths: dict[str, tuple[str, tuple[Finding, ...]]] = {}
    for verdict in (*decision.verdicts, *([decision.requested] if decision.requested else ())):
        truths[verdict.rule.id] = (verdict.truth.value, verdict.findings)
        for part, findings in verdict.by_part():
            truths[f"{verdict.rule.id} {part.id}"] = (every(item.truth for item in findings).value, findings)
    return truths


def _findings(decision: Decision) -> Iterator[Finding]:
    """Every finding, those of the payer's rule and of the rule that was asked for among them, each once."""
    lent = [*decision.payer.held, *(decision.requested.findings if decision.requested else ())]
    yield from {finding.key: finding for finding in (*decision.findings.values(), *lent)}.values()


def _suggested(card: Mapping[str, Any]) -> Iterator[str]:
    """The code that each suggestion adds: the one of the order's codes that the action's description names."""
    for suggestion in card.get("suggestions", ()):
        for action in suggestion["actions"]:
            order, named = action["resource"], action["description"].split()
            concepts = [order.get("code", {}), *order.get("reasonCode", [])]
            codes = [coding.get("code") for concept in concepts for coding in concept.get("coding", [])]
            yield from dict.fromkeys(code for code in codes if code in {word.strip("()") for word in named})
