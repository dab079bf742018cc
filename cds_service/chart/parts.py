"""The parts of a statement's scope that a resource names: by its body site, otherwise by its code and its words."""

from collections.abc import Mapping
from typing import Any

from cds_service.chart.chart import Chart
from cds_service.chart.references import concept_of
from cds_service.fhir.elements import concept_text, list_of, readable_keys
from cds_service.fhir.free_text import FreeText
from cds_service.policy.model import Scope


def parts_named(scope: Scope, resource: Mapping[str, Any], chart: Chart) -> tuple[str, ...]:
    """The ids of the parts that a resource names, in the scope's order; empty if it names none.

    A body site that names a part takes precedence over the code and the words of the resource.
    """
    by_site = chart.told(_named_by_site, resource, scope)
    return by_site or chart.told(_named, concept_of(resource, chart.references, resource), scope)


def parts_of_words(scope: Scope, text: FreeText) -> tuple[str, ...]:
    """The ids of the parts that a text names, in the scope's order."""
    return tuple(part.id for part in scope.parts if part.codes.stands_in(text))


def _named_by_site(resource: Mapping[str, Any], scope: Scope) -> tuple[str, ...]:
    named = {name for concept in list_of(resource.get("bodySite")) for name in _named(concept, scope)}
    return tuple(part.id for part in scope.parts if part.id in named)


def _named(concept: Any, scope: Scope) -> tuple[str, ...]:
    keys, text = readable_keys(concept), FreeText(concept_text(concept))
    return tuple(part.id for part in scope.parts if any(map(part.codes.match, keys)) or part.codes.stands_in(text))
