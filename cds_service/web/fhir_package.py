"""``POST /fhir/Questionnaire/$questionnaire-package`` (Da Vinci DTR): the forms for an order, each with its draft.

The chart comes in the parameters ``data`` (resources or Bundles), which DTR leaves open; without them the draft is
empty. Only the line in the audit log outlives the request.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from flask import Flask, Response

from cds_service import json_bodies
from cds_service.errors import RequestError
from cds_service.fhir.elements import Json, relative
from cds_service.hooks import hook_request
from cds_service.installation import Installation
from cds_service.library import Library
from cds_service.policy.model import Policy
from cds_service.questionnaire.artifacts import Artifacts
from cds_service.questionnaire.draft import Occasion, draft_response
from cds_service.questionnaire.found import contradicted
from cds_service.questionnaire.package import issue, output_parameters, package_bundle
from cds_service.questionnaire.rendering import questionnaire
from cds_service.questionnaire.versions import Version
from cds_service.service import hook_call
from cds_service.service.form_decisions import FormDecision, form_decisions
from cds_service.service.guide import Guide
from cds_service.web import fhir_parameters, reading
from cds_service.web.fhir_record import begin, deadline_of, fhir, version_of
from cds_service.web.gate import Gate

_SERVICE = hook_request.SERVICE_OF[hook_request.ORDER_SIGN]
_UNKNOWN = "A requested Questionnaire is not known here; search /fhir/Questionnaire for those that are."
_UNCHANGED = "Forms that did not change since changedsince are left out."
_NONE = "No Questionnaire applies to what was sent."
_ORDERS = (
    *("Appointment", "CommunicationRequest", "DeviceRequest", "Encounter", "MedicationRequest", "NutritionOrder"),
    *("ServiceRequest", "SupplyRequest", "VisionPrescription"),
)


class PackageRequest(NamedTuple):
    """The input of the operation: coverages, orders, forms (canonical addresses), and the chart (``data``)."""

    patient_id: str
    coverages: Sequence[Json]
    orders: Sequence[Json]
    questionnaires: Sequence[str]
    changed_since: datetime | None
    data: Sequence[Json]


class Packages(NamedTuple):
    """The answer of the operation (Parameters), and "policy|edition" of the forms in it."""

    parameters: Json
    forms: tuple[str, ...]


def register(
    app: Flask,
    artifacts: Artifacts,
    guide: Guide,
    installation: Installation,
    gate: Gate,
    clock: Callable[[], date],
) -> None:
    """Add the route; ``clock`` gives the UTC day on which charts are evaluated."""

    @app.post("/fhir/Questionnaire/$questionnaire-package")
    def package() -> Response:
        record = begin("package")
        deadline = deadline_of(installation)
        if deadline.left() <= 0:
            raise hook_call.late()
        client = record.admitted(gate.admit_to("Questionnaire", record.timing, deadline))
        version = version_of(client)
        with record.timing.step("read"):
            asked = read_request(json_bodies.read_json(reading.body(deadline)), version)
        record.patient_id = asked.patient_id
        try:
            with installation.turn.taken(deadline), record.timing.step("evaluate"):
                answer = packages(asked, version, artifacts, guide, today=clock(), now=datetime.now(UTC))
        except TimeoutError:
            raise hook_call.late() from None
        record.forms = answer.forms
        return fhir(answer.parameters)


def read_request(body: Any, version: Version) -> PackageRequest:
    """The request in a body (DTR, dtr-qpackage-input-parameters). Raises RequestError 400."""
    sent = fhir_parameters.read(body)
    coverages = [fhir_parameters.resource(item, ("Coverage",)) for item in sent.get("coverage", ())]
    if not coverages or (version is Version.V2_2 and len(coverages) > 1):
        many = "at least one Coverage" if version is Version.V2_0_1 else "exactly one Coverage"
        raise RequestError(400, "required", f"The parameter coverage must hold {many}.", "coverage")
    orders = [fhir_parameters.resource(item, _ORDERS) for item in sent.get("order", ())]
    questionnaires = [fhir_parameters.text(item, "valueCanonical") for item in sent.get("questionnaire", ())]
    if sent.get("context"):
        # This service issues no context ids (DTR, spec-130).
        sentence = (
            "The context id is not known: this service issues no coverage assertions; send order or questionnaire "
            "without context."
        )
        raise RequestError(400, "not-found", sentence, "context")
    if not orders and not questionnaires:
        raise RequestError(
            400, "required", "One of order, questionnaire, and context is required (dtr-1).", "parameter"
        )
    data = [fhir_parameters.resource(item) for item in sent.get("data", ())]
    return PackageRequest(
        patient_id=_patient(coverages, orders),
        coverages=coverages,
        orders=orders,
        questionnaires=questionnaires,
        changed_since=_instant(sent),
        data=data,
    )


def _patient(coverages: Sequence[Json], orders: Sequence[Json]) -> str:
    """The id of the one patient of all coverages and orders. Raises RequestError 400."""
    found = [_reference(item, "beneficiary", "coverage") for item in coverages]
    found += [_reference(item, "subject", "order") for item in orders if item["resourceType"] != "Appointment"]
    if len(set(found)) > 1:
        sentence = "coverage.beneficiary and order.subject name different patients; send those of one patient."
        raise RequestError(400, "business-rule", sentence, "coverage")
    for item, place in (*((one, "coverage") for one in coverages), *((one, "order") for one in orders)):
        if not isinstance(item.get("id"), str):
            raise RequestError(400, "required", f"The {place} must have an id, so that the draft can name it.", place)
    return found[0]


def _reference(resource: Json, member: str, place: str) -> str:
    named = resource.get(member)
    reference = named.get("reference") if isinstance(named, dict) else None
    kind, _, identity = relative(reference).partition("/") if isinstance(reference, str) else ("", "", "")
    if kind != "Patient" or not identity:
        raise RequestError(400, "required", f"{place}.{member} must refer to a Patient.", f"{place}.{member}")
    return identity


def _instant(sent: fhir_parameters.Parameters) -> datetime | None:
    if not sent.get("changedsince"):
        return None
    written = fhir_parameters.text(sent["changedsince"][0], "valueInstant")
    try:
        moment = datetime.fromisoformat(written)
        in_utc = moment.astimezone(UTC) if moment.tzinfo is not None else None
    # A time zone can move the last day of the calendar out of range in UTC.
    except (ValueError, OverflowError):
        in_utc = None
    if in_utc is None:
        sentence = "changedsince must be an instant with a time zone, such as 2026-11-23T10:00:00Z."
        raise RequestError(400, "value", sentence, "changedsince")
    return in_utc


def packages(
    asked: PackageRequest, version: Version, artifacts: Artifacts, guide: Guide, *, today: date, now: datetime
) -> Packages:
    """The answer of the operation. Raises RequestError if the chart cannot be read."""
    issues = []
    named: list[Policy] = []
    for canonical in asked.questionnaires:
        policy = artifacts.policy_of(canonical)
        if policy is None:
            issues.append(issue("warning", "not-found", _UNKNOWN))
        else:
            named.append(policy)
    request = hook_request.parse(_SERVICE, _as_call(asked, guide.library), guide.limits)
    found = list(form_decisions(request, guide, today, named))
    changed = [item for item in found if _is_newer(item.policy, asked.changed_since)]
    if len(changed) < len(found):
        issues.append(issue("information", "informational", _UNCHANGED))
    elif not found and not issues:
        issues.append(issue("information", "informational", _NONE))
    occasion = Occasion(
        patient=f"Patient/{asked.patient_id}",
        coverages=[f"Coverage/{item['id']}" for item in asked.coverages],
        orders=[f"{item['resourceType']}/{item['id']}" for item in asked.orders],
        authored=now.isoformat(timespec="seconds"),
    )
    bundles = [_bundle(item, version, artifacts.canonical_base, occasion) for item in changed]
    forms = tuple(f"{item.policy.id}|{item.policy.edition}" for item in changed)
    return Packages(output_parameters(version, bundles, issues), forms)


def _bundle(found: FormDecision, version: Version, canonical_base: str, occasion: Occasion) -> Json:
    findings = found.decision.findings
    form = questionnaire(found.policy, canonical_base, version, despite=contradicted(findings))
    draft = draft_response(found.policy, canonical_base, version, occasion, found.recorded, findings)
    return package_bundle(form, draft)


def _is_newer(policy: Policy, since: datetime | None) -> bool:
    """Whether a form may have changed since a moment in UTC; the day of its last review counts as changed."""
    return since is None or date.fromisoformat(policy.review.last_review) >= since.date()


def _as_call(asked: PackageRequest, library: Library) -> Json:
    """The request as a hook call, so that the chart is read as for any call."""
    drafts = [{"resource": order} for order in asked.orders]
    return {
        "hook": hook_request.ORDER_SIGN,
        "hookInstance": "questionnaire-package",
        "context": {
            "patientId": asked.patient_id,
            "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": drafts},
        },
        "prefetch": _prefetch(asked, library),
    }


def _prefetch(asked: PackageRequest, library: Library) -> Mapping[str, Any]:
    """The chart by prefetch keys; a type without resources is missing, and so never counts as absent from the chart."""
    keys = {kind: key for key, kind in library.prefetch_keys.items()}
    by_key: dict[str, list[Json]] = {}
    for resource in (*asked.data, *asked.coverages):
        for item in _opened(resource):
            by_key.setdefault(keys.get(item["resourceType"], "others"), []).append(item)
    patients = by_key.pop("patient", [])
    chart: dict[str, Any] = {
        key: {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": item} for item in listed]}
        for key, listed in by_key.items()
    }
    # Earlier answers are not part of a new form (DTR, spec-125), so the caller need not send them.
    chart.setdefault("questionnaireResponse", None)
    mine = (item for item in patients if item.get("id") == asked.patient_id)
    return chart | {"patient": next(mine, {"resourceType": "Patient", "id": asked.patient_id})}


def _opened(resource: Json) -> Sequence[Json]:
    """The resources of a Bundle, or the resource itself."""
    if resource["resourceType"] != "Bundle":
        return [resource]
    listed = resource.get("entry")
    entries = listed if isinstance(listed, list) else []
    inner = [entry.get("resource") for entry in entries if isinstance(entry, dict)]
    return [item for item in inner if isinstance(item, dict) and isinstance(item.get("resourceType"), str)]
