"""FHIR models (fhir.resources, R4B: it has no plain R4) for resources that we create or authors bring; never for a
call."""

from collections.abc import Iterator
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from cds_service.fhir.bundles import read_value
from cds_service.fhir.elements import Json

MOST_FOR_A_RESOURCE = 3


def problems(resource: Json) -> Iterator[str]:
    """A sentence with its place for each of the first few ways in which a resource breaks its model."""
    kind = resource.get("resourceType")
    try:
        get_fhir_model_class(str(kind)).model_validate(resource)
    except ValidationError as error:
        for item in error.errors()[:MOST_FOR_A_RESOURCE]:
            place = ".".join(str(part) for part in item["loc"])
            yield f"{place}: {item['msg']}" if place else str(item["msg"])
    # ValidationError is a ValueError too; the library raises either for an unknown type.
    except (LookupError, ValueError):
        yield f"'{kind}' is not a FHIR resource"


def request_problems(body: Any) -> Iterator[str]:
    """The problems of every resource in a hook request's prefetch and drafts, each after its reference."""
    if not isinstance(body, dict):
        return
    prefetch, context = body.get("prefetch"), body.get("context")
    values = list(prefetch.values()) if isinstance(prefetch, dict) else []
    if isinstance(context, dict):
        values.append(context.get("draftOrders"))
    for value in values:
        for kind, resources in read_value(value).by_type.items():
            for resource in resources:
                yield from (f"{kind}/{resource.get('id', '?')}: {problem}" for problem in problems(resource))
