"""A FHIR Bundle that somebody brings, as one more patient: what is in it, and the prefetch that an EHR would send.

Nothing is kept: the browser brings the Bundle again with each question.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from cds_service.ehr import templates
from cds_service.ehr.templates import UnresolvedError
from cds_service.errors import RequestError
from cds_service.fhir.bundles import read_value
from cds_service.fhir.elements import Json
from cds_service.workbench import fhir
from cds_service.workbench.fhir import Parameters

MOST_TEMPLATES = 100


class Dropped(NamedTuple):
    """The patient of a Bundle, and all resources in it."""

    patient: Json
    resources: tuple[Json, ...]


def read(bundle: Any) -> Dropped:
    """What a Bundle holds. Raises RequestError 422 with the place, in words for whoever brought it."""
    if not isinstance(bundle, dict):
        raise _refused("This is no FHIR Bundle: it must be a JSON object.", None)
    kind = bundle.get("resourceType")
    if kind is None and "hook" in bundle:
        raise _refused(
            "This is a CDS Hooks request, not a Bundle. Paste it under Engineer, Request: there it is sent as it is.",
            "hook",
        )
    if kind != "Bundle":
        said = f"resourceType is '{kind[:40]}'" if isinstance(kind, str) else "it has no resourceType"
        raise _refused(f"This is no FHIR Bundle: {said}; it must be 'Bundle'.", "resourceType")
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not entries:
        raise _refused("The Bundle is empty: entry must list at least the Patient.", "entry")
    for index, entry in enumerate(entries):
        place = f"entry[{index}]"
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            raise _refused(f"{place}.resource must be a FHIR resource.", f"{place}.resource")
        if not isinstance(resource.get("resourceType"), str):
            raise _refused(f"{place}.resource has no resourceType.", f"{place}.resource.resourceType")
    by_type = read_value(bundle).by_type
    patients = by_type.get("Patient", [])
    if len(patients) != 1:
        raise _refused(f"The Bundle holds {len(patients)} Patients; bring the chart of one.", "entry")
    identity = patients[0].get("id")
    if not isinstance(identity, str) or not identity:
        raise _refused("The Patient has no id; the other resources name it by Patient/id.", "Patient.id")
    return Dropped(patients[0], tuple(resource for resources in by_type.values() for resource in resources))


def prefetch(dropped: Dropped, wanted: Any, context: Mapping[str, str]) -> dict[str, Any]:
    """Prefetch key -> value, as an EHR that holds the Bundle would answer the templates (key -> template).

    ``context`` holds the texts at the root of the call's context. Raises RequestError 400 for templates that cannot be
    answered.
    """
    if not isinstance(wanted, dict) or not all(isinstance(item, str) for item in wanted.values()):
        raise RequestError(400, "structure", "templates must be an object of prefetch keys and templates.", "templates")
    if len(wanted) > MOST_TEMPLATES:
        raise RequestError(400, "too-long", f"At most {MOST_TEMPLATES} templates are answered.", "templates")
    queries: dict[str, tuple[str, Parameters | str]] = {}
    for key, template in wanted.items():
        try:
            query = templates.resolve(template, context)
        except UnresolvedError as error:
            raise RequestError(
                400, "value", f"The template of '{key[:40]}': {error}.", f"templates.{key[:40]}"
            ) from None
        if query.search is None:
            queries[key] = (query.resource_type, query.path.partition("/")[2])
        else:
            queries[key] = (query.resource_type, parse_qsl(query.search, keep_blank_values=True))
    return fhir.answers(dropped.resources, queries)


def _refused(sentence: str, place: str | None) -> RequestError:
    return RequestError(422, "structure", sentence, place)
