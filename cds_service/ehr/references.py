"""Resources that a call references but does not include: payers, drugs, and reasons for orders.

A prefetch template cannot request them (not every CDS Hooks 2.0 client supports ``_include``), so the service reads a
few of them by id.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.fhir.bundles import read_value
from cds_service.fhir.elements import Json, list_of, relative
from cds_service.fhir.types import ORDERS, TYPES
from cds_service.hooks.hook_request import HookRequest

# Each reference costs one request; for a chart with more of them, an _include would be better.
MOST_REFERENCES = 12
_LITERAL = re.compile(r"(Condition|Medication|Organization)/[A-Za-z0-9._~-]{1,128}")
_DOTS = (".", "..")


def unresolved(request: HookRequest) -> Mapping[str, str]:
    """``Type/id`` -> its read template, for the resources that the call references without a display; payers first.

    A reference with a display needs no reading, except the reasons of the drafts: the code of a reason decides to which
    statement the order belongs. Pure.
    """
    held: dict[str, list[Json]] = {}
    for value in request.prefetch.values():
        for kind, resources in read_value(value).by_type.items():
            held.setdefault(kind, []).extend(resources)
    present = {f"{kind}/{item.get('id')}" for kind, resources in held.items() for item in resources}
    base = (request.fhir_server or "").rstrip("/")
    found = (_literal(reference, base) for reference in _references(request, held))
    wanted = [target for target in dict.fromkeys(found) if target is not None and target not in present]
    return {target: target for target in wanted[:MOST_REFERENCES]}


def _references(request: HookRequest, held: Mapping[str, list[Json]]) -> Iterator[Any]:
    coverages = held.get("Coverage", ())
    yield from _bare(payor for item in coverages for payor in list_of(item.get("payor") or item.get("insurer")))
    for _, draft in request.drafts:
        if draft["resourceType"] in ORDERS:
            yield from list_of(draft.get("reasonReference"))
    for kind, row in TYPES.items():
        if row.concept_at == "medicationReference":
            yield from _bare(item.get(row.concept_at) for item in held.get(kind, ()))
    for kind, row in TYPES.items():
        if row.reasons:
            yield from _bare(ref for item in held.get(kind, ()) for ref in list_of(item.get("reasonReference")))


def _bare(references: Iterator[Any]) -> Iterator[Any]:
    """The references without a display."""
    return (item for item in references if isinstance(item, dict) and not item.get("display"))


def _literal(reference: Any, base: str) -> str | None:
    """``Type/id`` of a reference to a readable resource on the server, or None."""
    target = reference.get("reference") if isinstance(reference, dict) else None
    if not isinstance(target, str) or ("://" in target and not target.startswith(f"{base}/")):
        return None
    named = relative(target)
    return named if _LITERAL.fullmatch(named) and named.rpartition("/")[2] not in _DOTS else None
