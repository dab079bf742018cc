"""Which parts of a statement's scope a resource speaks of: by its body site, else by its code and its words."""

from collections.abc import Mapping
from typing import Any

from cds_service.chart import Chart, concept_of
from cds_service.elements import concept_text, list_of, readable_keys
from cds_service.policy import CodeSet, Scope
from cds_service.terminology import words


def parts_named(scope: Scope, resource: Mapping[str, Any], chart: Chart) -> tuple[str, ...]:
    """The ids of the parts that a resource names, in the scope's order; none where it names none.

    A body site that names a part stands above the code and the words of the resource.
    """
    sites = list_of(resource.get("bodySite"))
    return _named(scope, sites) or _named(scope, [concept_of(resource, chart, resource)])


def _named(scope: Scope, concepts: list[Any]) -> tuple[str, ...]:
    return tuple(part.id for part in scope.parts if any(_stands_in(part.codes, concept) for concept in concepts))


def _stands_in(codes: CodeSet, concept: Any) -> bool:
    return any(codes.match(key) for key in readable_keys(concept)) or codes.stands_in(words(concept_text(concept)))
