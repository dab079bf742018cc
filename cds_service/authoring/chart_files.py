"""Files of FHIR resources as hook calls: one order-sign request for each patient, as an EHR would send it.

A file counts as the patient's whole record, so a type without resources becomes an empty list. The exception is a file
that says it is only a part: a Bundle with a ``next`` link, a ``total`` above its entries, or a failed entry.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cds_service.errors import PolicyError
from cds_service.fhir.bundles import PrefetchValue, read_value
from cds_service.fhir.elements import Json, first_of, relative
from cds_service.fhir.types import subject_of
from cds_service.hooks.hook_request import ORDER_SIGN
from cds_service.policy.prefetch_templates import key_of

_FAILED: Json = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "incomplete"}]}
_MORE = [{"relation": "next", "url": ""}]


class ChartFile(NamedTuple):
    """One file: its patients, each with all copies, and all other resources."""

    patients: Mapping[str, Sequence[Json]]
    others: Sequence[Json]
    # Object id of a resource -> its fullUrl.
    addresses: Mapping[int, str]
    read: PrefetchValue


def chart_files(folder: Path) -> list[Path]:
    """The JSON files of a folder and its subfolders, sorted by path."""
    return sorted(path for path in folder.rglob("*.json") if path.is_file())


def read_file(path: Path) -> ChartFile:
    """The resources of a file: a Bundle, a resource, or a list of either.

    Raises PolicyError if a file is not JSON or has no Patient with an id.
    """
    try:
        document: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise PolicyError([f"is not JSON: {error}"]) from None
    read = read_value(document)
    addresses = {id(resource): address for address, resource in read.addresses.items()}
    patients: dict[str, list[Json]] = {}
    for patient in read.by_type.get("Patient", ()):
        identity = patient.get("id") or addresses.get(id(patient), "").rpartition(":")[2].rpartition("/")[2]
        if isinstance(identity, str) and identity:
            named = patient if "id" in patient else patient | {"id": identity}
            addresses[id(named)] = addresses.get(id(patient), "")
            patients.setdefault(identity, []).append(named)
    if not patients:
        raise PolicyError(["holds no Patient with an id" if read.by_type else "holds no FHIR resource"])
    others = [resource for kind, found in read.by_type.items() if kind != "Patient" for resource in found]
    return ChartFile(patients, others, addresses, read)


def requests_of(file: ChartFile, keys: Mapping[str, str], drafts: Iterable[Json]) -> Iterator[tuple[str, Json]]:
    """(patient id, order-sign request) for each patient of a file.

    ``keys`` maps each published prefetch key to its resource type. ``drafts`` are the orders to sign; their subject
    becomes this patient.
    """
    whose = {
        address: patient
        for patient, copies in file.patients.items()
        for address in (f"Patient/{patient}", *filter(None, (file.addresses.get(id(copy)) for copy in copies)))
    }
    orders = list(drafts)
    for patient, copies in file.patients.items():
        mine = [*copies, *(item for item in file.others if whose.get(_subject(item), patient) == patient)]
        yield patient, _request(patient, _prefetch(mine, file, keys), orders)


def _subject(resource: Json) -> str:
    """The address of the patient that a resource refers to; "" if it has no readable reference."""
    subject = first_of(resource, subject_of(resource["resourceType"]), "subject", "patient")
    reference = subject.get("reference") if isinstance(subject, dict) else None
    return relative(reference) if isinstance(reference, str) else ""


def _prefetch(resources: Iterable[Json], file: ChartFile, keys: Mapping[str, str]) -> dict[str, Json]:
    by_type: dict[str, list[Json]] = {kind: [] for kind in keys.values()}
    for resource in resources:
        by_type.setdefault(resource["resourceType"], []).append(resource)
    key_by_type = {kind: key for key, kind in keys.items()}
    return {key_by_type.get(kind) or key_of(kind): _bundle(found, file) for kind, found in by_type.items()}


def _bundle(resources: Iterable[Json], file: ChartFile) -> Json:
    entries = [{"fullUrl": file.addresses.get(id(item)), "resource": item} for item in resources]
    if file.read.failure:
        entries.append({"fullUrl": None, "resource": _FAILED})
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    return bundle | {"link": _MORE} if file.read.left_out else bundle


def _request(patient: str, prefetch: Mapping[str, Json], drafts: Iterable[Json]) -> Json:
    about = {"reference": f"Patient/{patient}"}
    entries = [
        {"resource": draft | {"id": f"draft-{number}", subject_of(draft["resourceType"]): about}}
        for number, draft in enumerate(drafts, 1)
    ]
    return {
        "hook": ORDER_SIGN,
        "hookInstance": "00000000-0000-4000-8000-000000000000",
        "context": {
            "userId": "Practitioner/charts",
            "patientId": patient,
            "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": entries},
        },
        "prefetch": prefetch,
    }
