"""A FHIR Bundle that a user brings: its patients, the chart of one, and the prefetch that an EHR would send.

The service stores nothing: the browser sends the Bundle again with each request.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from cds_service.ehr import templates
from cds_service.ehr.templates import UnresolvedError
from cds_service.errors import RequestError
from cds_service.fhir.bundles import PrefetchValue, read_value
from cds_service.fhir.elements import Json, first_of, relative
from cds_service.fhir.types import subject_of
from cds_service.workbench import fhir, words
from cds_service.workbench.fhir import Parameters
from cds_service.workbench.patients import name_of

MOST_TEMPLATES = 100
MOST_PATIENTS = 200
_ORDERS = ("ServiceRequest", "DeviceRequest")


class Brought(NamedTuple):
    """The content of a Bundle: its patients by id, all other resources, and the patient id at each address."""

    patients: Mapping[str, Json]
    others: Sequence[Json]
    addresses: Mapping[str, str]


class BroughtChart(NamedTuple):
    """The part of a Bundle that belongs to one patient: draft orders, and records with the Patient first."""

    patient_id: str
    drafts: tuple[Json, ...]
    records: tuple[Json, ...]


def read(bundle: Any) -> Brought:
    """The content of a Bundle. Raises RequestError 422 with the place, worded for the user who brought the Bundle."""
    if not isinstance(bundle, dict):
        raise _refused(words.NOT_AN_OBJECT, None)
    kind = bundle.get("resourceType")
    if kind is None and "hook" in bundle:
        raise _refused(words.A_REQUEST, "hook")
    if kind != "Bundle":
        raise _refused(words.no_bundle(kind[:40] if isinstance(kind, str) else ""), "resourceType")
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not entries:
        raise _refused(words.EMPTY, "entry")
    for index, entry in enumerate(entries):
        place = f"entry[{index}]"
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            raise _refused(words.no_resource(place), f"{place}.resource")
        if not isinstance(resource.get("resourceType"), str):
            raise _refused(words.no_type(place), f"{place}.resource.resourceType")
    return _brought(read_value(bundle))


def _brought(value: PrefetchValue) -> Brought:
    found = value.by_type.get("Patient", ())
    if not found:
        raise _refused(words.NO_PATIENT, "entry")
    address_of = {id(resource): address for address, resource in value.addresses.items()}
    named: dict[str, Json] = {}
    addresses: dict[str, str] = {}
    for patient in found:
        address = address_of.get(id(patient), "")
        identity = patient.get("id") or address.rpartition(":")[2].rpartition("/")[2]
        if isinstance(identity, str) and identity:
            named.setdefault(identity, patient | {"id": identity})
            addresses |= {f"Patient/{identity}": identity, address: identity}
    if not named:
        raise _refused(words.NO_ID, "Patient.id")
    if len(named) > MOST_PATIENTS:
        raise _refused(words.too_many_patients(len(named), MOST_PATIENTS), "entry")
    others = [resource for kind, resources in value.by_type.items() if kind != "Patient" for resource in resources]
    return Brought(named, others, addresses)


def choices(brought: Brought) -> list[dict[str, Any]]:
    """The patients of a Bundle to choose from: id, name, and the number of records that belong to each."""
    records = Counter(_owner(resource, brought) for resource in brought.others)
    return [
        {"id": identity, "name": name_of(patient), "records": 1 + records[identity]}
        for identity, patient in brought.patients.items()
    ]


def chart_of(brought: Brought, patient_id: Any) -> BroughtChart:
    """The part of a Bundle that belongs to one patient: every resource that names no other patient of the Bundle.

    ``None`` chooses the first patient. References by fullUrl become references by id, which searches find. Raises
    RequestError 422 for a patient that is not in the Bundle.
    """
    chosen = patient_id if patient_id is not None else next(iter(brought.patients))
    if not isinstance(chosen, str) or chosen not in brought.patients:
        raise _refused(words.NOT_CHOSEN, "patientId")
    records, drafts = [brought.patients[chosen]], list[Json]()
    for resource in brought.others:
        owner = _owner(resource, brought)
        if owner is not None and owner != chosen:
            continue
        drafted = resource["resourceType"] in _ORDERS and resource.get("status") == "draft"
        (drafts if drafted else records).append(_by_id(resource, chosen) if owner else resource)
    return BroughtChart(chosen, tuple(drafts), tuple(records))


def _subject(resource: Json) -> tuple[str, Json] | None:
    """The element that names a resource's patient, as (name, element); None if the resource has none."""
    for name in dict.fromkeys((subject_of(resource["resourceType"]), "subject", "patient")):
        subject = first_of(resource, name)
        if isinstance(subject, dict) and isinstance(subject.get("reference"), str):
            return name, subject
    return None


def _owner(resource: Json, brought: Brought) -> str | None:
    """The id of the Bundle's patient to whom a resource belongs; None if it names none of them."""
    found = _subject(resource)
    if found is None:
        return None
    reference = found[1]["reference"]
    return brought.addresses.get(reference) or brought.addresses.get(relative(reference))


def _by_id(resource: Json, patient_id: str) -> Json:
    found = _subject(resource)
    if found is None:
        return resource
    name, subject = found
    return resource | {name: subject | {"reference": f"Patient/{patient_id}"}}


def prefetch(chart: BroughtChart, wanted: Any, context: Mapping[str, str]) -> dict[str, Any]:
    """Prefetch key -> value, as an EHR with this chart would answer the templates (key -> template).

    ``context`` maps the text members at the root of the call's context. Raises RequestError 400 for templates that the
    service cannot answer.
    """
    if not isinstance(wanted, dict) or not all(isinstance(item, str) for item in wanted.values()):
        raise RequestError(400, "structure", words.NO_TEMPLATES, "templates")
    if len(wanted) > MOST_TEMPLATES:
        raise RequestError(400, "too-long", words.too_many_templates(MOST_TEMPLATES), "templates")
    queries: dict[str, tuple[str, Parameters | str]] = {}
    for key, template in wanted.items():
        try:
            query = templates.resolve(template, context)
        except UnresolvedError as error:
            sentence = words.no_template(key[:40], str(error))
            raise RequestError(400, "value", sentence, f"templates.{key[:40]}") from None
        if query.search is None:
            queries[key] = (query.resource_type, query.path.partition("/")[2])
        else:
            queries[key] = (query.resource_type, parse_qsl(query.search, keep_blank_values=True))
    return fhir.answers(chart.records, queries)


def _refused(sentence: str, place: str | None) -> RequestError:
    return RequestError(422, "structure", sentence, place)
