"""A FHIR R4 server over the resources of one patient: reads, searches, pages (FHIR R4 RESTful API). Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from cds_service.errors import RequestError, UnreadableError
from cds_service.fhir.elements import Json, codings, list_of, relative
from cds_service.fhir.terminology import canonical_system
from cds_service.fhir.types import TYPES, subject_of

PAGE = 50
LARGEST_PAGE = 200
# The search parameters. The server refuses any other parameter rather than ignore it, so no answer is wider than asked.
PARAMETERS = ("_id", "category", "code", "identifier", "intent", "patient", "questionnaire", "status", "target")
_REFERENCES = {"patient": "reference", "questionnaire": "reference", "target": "reference"}
_PAGING = ("_count", "_start")
_FORMAT = "_format"

Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class FhirServer:
    """``base`` is the absolute address without a trailing slash, ``resources`` the entire content.

    Links between pages are relative to the base, so they work for any host name of the server. ``beside`` maps a
    resource type to the unrequested resources on the first page of its search, as some servers send them.
    """

    base: str
    resources: tuple[Json, ...]
    beside: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)

    def types(self) -> list[str]:
        """The resource types on this server, sorted."""
        return sorted({resource["resourceType"] for resource in self.resources})

    def read(self, kind: str, identity: str) -> Json:
        """One resource. Raises RequestError 404."""
        for resource in self._of(kind):
            if resource.get("id") == identity:
                return resource
        raise RequestError(404, "not-found", f"This chart holds no {kind[:40]} with that id.")

    def search(self, kind: str, parameters: Parameters) -> Json:
        """One page of a search as a searchset Bundle, with a ``next`` link if more pages follow.

        Raises RequestError 400 for an unknown parameter, or for a paging parameter that is not a number.
        """
        found = list(matches(self._of(kind), parameters))
        start, count = _paging(parameters)
        asked = [(name, value) for name, value in parameters if name not in _PAGING]
        links = [_link("self", kind, parameters)]
        if start + count < len(found):
            following = [*asked, ("_count", str(count)), ("_start", str(start + count))]
            links.append(_link("next", kind, following))
        shown = [(resource, "match") for resource in found[start : start + count]]
        if start == 0 and found:
            shown += [(resource, _mode(resource)) for resource in self.beside.get(kind, ())]
        entries = [
            {
                "fullUrl": f"{self.base}/{resource['resourceType']}/{resource.get('id', '')}",
                "resource": resource,
                "search": {"mode": mode},
            }
            for resource, mode in shown
        ]
        bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "link": links}
        # An empty list is not FHIR.
        return bundle | ({"entry": entries} if entries else {})

    def capabilities(
        self, kinds: Iterable[str], day: str, writable: Collection[str] = (), security: Json | None = None
    ) -> Json:
        """The CapabilityStatement: the supported reads, searches and writes.

        ``day`` is its date, ``security`` describes how the server authorizes an app.
        """
        search = [{"name": name, "type": _REFERENCES.get(name, "token")} for name in PARAMETERS]
        read, write = ("read", "search-type"), ("create", "update")
        return {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": day,
            "kind": "instance",
            "software": {"name": "cds-service workbench"},
            "implementation": {"description": "One synthetic patient of the demo EHR", "url": self.base},
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json"],
            "rest": [
                {
                    "mode": "server",
                    **({"security": security} if security else {}),
                    "resource": [
                        {
                            "type": kind,
                            "interaction": [{"code": code} for code in (*read, *(write if kind in writable else ()))],
                            **({"versioning": "versioned", "conditionalCreate": True} if kind in writable else {}),
                            "searchParam": search,
                        }
                        for kind in sorted({*kinds, *writable, *self.types()})
                    ],
                    "interaction": [{"code": code} for code in ("batch", *(("transaction",) if writable else ()))],
                }
            ],
        }

    def _of(self, kind: str) -> Iterator[Json]:
        return (resource for resource in self.resources if resource["resourceType"] == kind)


def _mode(unasked: Json) -> str:
    """The search mode of an unrequested resource (FHIR R4 search.mode)."""
    return "outcome" if unasked["resourceType"] == "OperationOutcome" else "include"


def matches(resources: Iterable[Json], parameters: Parameters) -> Iterator[Json]:
    """The resources that match all parameters; commas separate alternative values of one parameter.

    Raises RequestError 400 for an unknown parameter.
    """
    wanted: list[tuple[str, set[str]]] = []
    for name, value in parameters:
        if name in (*_PAGING, _FORMAT):
            continue
        if name not in PARAMETERS:
            raise RequestError(
                400,
                "not-supported",
                f"The search parameter '{name[:40]}' is not known here; there are {', '.join(PARAMETERS)} and _count.",
            )
        wanted.append((name, {part.strip() for part in value.split(",")}))
    return (resource for resource in resources if all(_fits(resource, name, values) for name, values in wanted))


def _fits(resource: Json, name: str, values: set[str]) -> bool:
    if name == "_id":
        return resource.get("id") in values
    if name in ("intent", "questionnaire", "status"):
        return resource.get(name) in values
    if name == "identifier":
        given = resource.get(name)
        held = {
            (item.get("system") or "", item.get("value"))
            for item in (given if isinstance(given, list) else [given])
            if isinstance(item, dict)
        }
        return any(_identified(value, held) for value in values)
    if name == "target":
        targets = resource.get(name)
        targeted = {
            relative(item["reference"])
            for item in (targets if isinstance(targets, list) else ())
            if isinstance(item, dict) and isinstance(item.get("reference"), str)
        }
        return bool(targeted & {relative(value) for value in values})
    if name == "patient":
        subject = resource.get(subject_of(resource["resourceType"]))
        reference = subject.get("reference") if isinstance(subject, dict) else None
        named = relative(reference) if isinstance(reference, str) else None
        return named in {f"Patient/{relative(value).removeprefix('Patient/')}" for value in values}
    row = TYPES.get(resource["resourceType"])
    element = row.concept if name == "code" and row else name
    tokens = set(_tokens(resource.get(element)))
    return any(_token(value) in tokens for value in values)


def _identified(wanted: str, held: set[tuple[str, Any]]) -> bool:
    """True if ``held``, as (system, value), has an identifier: ``value``, ``system|value``, or ``|value``."""
    system, bar, value = wanted.rpartition("|")
    return (system, value) in held if bar else any(value == one for _, one in held)


def _tokens(concepts: Any) -> Iterator[tuple[str | None, str]]:
    """Two search tokens for each coding: one with its system, one with its code alone (None)."""
    for concept in list_of(concepts):
        try:
            found = codings(concept)
        except UnreadableError:
            continue
        for coding in found:
            system, code = coding.get("system"), coding.get("code")
            if isinstance(code, str):
                yield None, code
                yield (canonical_system(system) if isinstance(system, str) else ""), code


def _token(value: str) -> tuple[str | None, str]:
    """A token of a search: ``code``, ``system|code``, or ``|code`` for a coding without a system."""
    system, bar, code = value.rpartition("|")
    return (canonical_system(system) if system else "", code) if bar else (None, code)


def _paging(parameters: Parameters) -> tuple[int, int]:
    found = {"_start": 0, "_count": PAGE}
    for name, value in parameters:
        if name in found:
            if not (value.isascii() and value.isdigit() and len(value) < 7):
                raise RequestError(400, "value", f"{name} must be a whole number.")
            found[name] = int(value)
    return found["_start"], min(max(found["_count"], 1), LARGEST_PAGE)


def _link(relation: str, address: str, parameters: Parameters) -> Json:
    query = f"?{urlencode(parameters)}" if parameters else ""
    return {"relation": relation, "url": address + query}


def answers(resources: Iterable[Json], queries: Mapping[str, tuple[str, Parameters | str]]) -> dict[str, Any]:
    """Prefetch key -> the answer of an EHR with these resources to a query; ``None`` for a missing resource.

    A query is (type, id) of a read or (type, parameters) of a search. Raises RequestError 400 as ``matches`` does.
    """
    held = list(resources)
    values: dict[str, Any] = {}
    for key, (kind, asked) in queries.items():
        own = [resource for resource in held if resource["resourceType"] == kind]
        if isinstance(asked, str):
            values[key] = next((resource for resource in own if resource.get("id") == asked), None)
        else:
            found = [{"resource": resource, "search": {"mode": "match"}} for resource in matches(own, asked)]
            bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
            values[key] = bundle | ({"entry": found} if found else {})
    return values
