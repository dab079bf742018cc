"""The FHIR requests that a granted scope allows (SMART App Launch 1.0.0 and 2.0, "Scopes")."""

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qsl

# patient/Observation.read, user/*.*, system/Condition.rs, patient/Observation.rs?category=vital-signs
_SCOPE = re.compile(r"(?:patient|user|system)/(\*|[A-Za-z]+)\.(read|write|\*|c?r?u?d?s?)(?:\?(.*))?")


class _Grant(NamedTuple):
    resource_type: str
    interactions: str
    constraint: str


def covers(scope: str | None, resource_type: str, search: str | None) -> bool:
    """True if a scope string covers a read (``search`` is None) or a search of a resource type.

    Without a scope, or with a scope that names no FHIR resources in SMART's syntax (some EHRs use their own), the
    server decides. A grant with a constraint covers only a search with the same constraint or a narrower one: for any
    other search the server would return an incomplete result that looks complete.
    """
    grants = list(_grants(scope or ""))
    return not grants or any(_covers(grant, resource_type, search) for grant in grants)


def _grants(scope: str) -> Iterator[_Grant]:
    for word in scope.split():
        if match := _SCOPE.fullmatch(word):
            kind, interactions, constraint = match.groups(default="")
            yield _Grant(
                kind.lower(), {"read": "rs", "*": "cruds", "write": ""}.get(interactions, interactions), constraint
            )


def _covers(grant: _Grant, resource_type: str, search: str | None) -> bool:
    if grant.resource_type not in ("*", resource_type.lower()):
        return False
    if ("r" if search is None else "s") not in grant.interactions:
        return False
    return not grant.constraint or (search is not None and _is_within(search, grant.constraint))


def _is_within(search: str, constraint: str) -> bool:
    asked = parse_qsl(search, keep_blank_values=True)
    return all(
        any(name == limited and set(values.split(",")) <= set(allowed.split(",")) for name, values in asked)
        for limited, allowed in parse_qsl(constraint, keep_blank_values=True)
    )
