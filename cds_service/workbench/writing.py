"""App writes into a demo chart: create, update and transaction (FHIR R4, "RESTful API"), validated. Pure.

Nothing changes here: the functions return the resources to store, and the caller stores them. The caller runs
``check`` first, outside the session's write transaction, so a slow validation blocks nobody.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from cds_service.errors import RequestError
from cds_service.fhir.elements import Json, relative
from cds_service.workbench import fhir
from cds_service.workbench.batches import entries_of, is_bundle

# The element of each type that names the patient; a Provenance names its target instead.
SUBJECTS = {"DocumentReference": "subject", "Observation": "subject", "QuestionnaireResponse": "subject"}
PROVENANCE = "Provenance"
WRITABLE = (*SUBJECTS, PROVENANCE)
CREATED, UPDATED, FOUND = 201, 200, 200


class Stamp(NamedTuple):
    """The server's additions to a stored resource: new ids, and the current instant."""

    new_id: Callable[[], str]
    instant: str


class Written(NamedTuple):
    """The result of one write: the HTTP status, the current resource, and whether the caller must store it."""

    status: int
    resource: Json
    is_new: bool = True


class WritableChart(NamedTuple):
    """The chart that receives the writes: the id of its patient, and its current resources."""

    patient_id: str
    resources: tuple[Json, ...]

    def find(self, kind: str, identity: str) -> Json | None:
        """One resource; None if the chart does not have it."""
        alike = (item for item in self.resources if item["resourceType"] == kind and item.get("id") == identity)
        return next(alike, None)

    def with_(self, resources: Iterable[Json]) -> "WritableChart":
        """The chart with additional resources."""
        return self._replace(resources=(*self.resources, *resources))


def create(chart: WritableChart, kind: str, resource: Json, condition: str | None, stamp: Stamp) -> Written:
    """Create a checked resource; if the search ``condition`` (``If-None-Exist``) finds a resource, return that instead.

    Raises RequestError: 400 ``condition`` is not a search, 412 it finds several, 422 wrong patient.
    """
    _check_subject(chart, kind, resource)
    found = _existing(chart, kind, condition)
    if found is not None:
        return Written(FOUND, found, is_new=False)
    return Written(CREATED, _stored(resource, stamp.new_id(), 1, stamp))


def update(
    chart: WritableChart, kind: str, identity: str, resource: Json, if_match: str | None, stamp: Stamp
) -> Written:
    """Store the next, checked version of a resource in the chart.

    Raises RequestError: as ``create``, 400 another id in the body, 405 no such resource (no update creates one), 412
    ``if_match`` is another version.
    """
    current = chart.find(kind, identity)
    if current is None:
        raise RequestError(
            405, "not-supported", "An update creates nothing here; create the resource with POST.", headers=_ALLOW
        )
    _check_subject(chart, kind, resource)
    if resource.get("id") != identity:
        raise RequestError(400, "invalid", "The id of the resource must be that of the address.", f"{kind}.id")
    version = version_of(current)
    if if_match and if_match.removeprefix("W/").strip('"') != str(version):
        raise RequestError(412, "conflict", "The resource was changed meanwhile; If-Match names another version.")
    return Written(UPDATED, _stored(resource, identity, version + 1, stamp))


_ALLOW = {"Allow": "GET, POST"}


def transaction(chart: WritableChart, bundle: Any, stamp: Stamp) -> list[Written]:
    """All writes of a checked transaction Bundle, in the order of its entries.

    References by fullUrl become references by id. Raises RequestError as ``create`` and ``update`` do, with the faulty
    entry; then nothing is written.
    """
    requests = [_request(entry, index) for index, entry in enumerate(_entries(bundle))]
    existing: list[Json | None] = []
    ids: list[str] = []
    for request in requests:
        with _at(request):
            found = _existing(chart, request.kind, request.condition) if request.creates else None
        existing.append(found)
        ids.append(str(found["id"]) if found else stamp.new_id() if request.creates else request.identity)
    named = list(zip(requests, ids, strict=True))
    addresses = {request.full_url: f"{request.kind}/{identity}" for request, identity in named if request.full_url}
    # Resources of one transaction may refer to each other.
    around = chart.with_({"resourceType": one.kind, "id": identity} for one, identity in named if one.creates)
    written = []
    for (request, identity), found in zip(named, existing, strict=True):
        if found is not None:
            written.append(Written(FOUND, found, is_new=False))
            continue
        resource = _linked(request.resource, addresses)
        with _at(request):
            if request.creates:
                _check_subject(around, request.kind, resource)
                written.append(Written(CREATED, _stored(resource, identity, 1, stamp)))
            else:
                written.append(update(around, request.kind, identity, resource, request.if_match, stamp))
    return written


def version_of(resource: Json) -> int:
    """The version of a resource; 1 if it was never written."""
    meta = resource.get("meta")
    text = meta.get("versionId") if isinstance(meta, dict) else None
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 9 else 1


class _Request(NamedTuple):
    number: int
    creates: bool
    kind: str
    identity: str
    full_url: str
    resource: Any
    condition: str | None
    if_match: str | None


def _entries(bundle: Any) -> list[Any]:
    if not is_bundle(bundle, "transaction"):
        raise RequestError(400, "not-supported", "Only a Bundle of type transaction is written here.", "Bundle.type")
    return entries_of(bundle)


def _request(entry: Any, index: int) -> _Request:
    place = f"Bundle.entry[{index}]"
    asked = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(asked, dict) or not isinstance(entry.get("resource"), dict):
        raise RequestError(400, "structure", "An entry needs a request and a resource.", place)
    texts = {name: asked.get(name) for name in ("method", "url", "ifNoneExist", "ifMatch")}
    full_url = entry.get("fullUrl", "")
    if not all(value is None or isinstance(value, str) for value in (*texts.values(), full_url)):
        raise RequestError(400, "structure", "The parts of a request are texts.", f"{place}.request")
    method, url = texts["method"] or "", texts["url"] or ""
    kind, _, identity = url.partition("/")
    if method not in ("POST", "PUT") or bool(identity) != (method == "PUT"):
        raise RequestError(
            400, "not-supported", "A transaction can POST to Type, and PUT to Type/id.", f"{place}.request"
        )
    conditions = texts["ifNoneExist"], texts["ifMatch"]
    return _Request(index, method == "POST", kind, identity, full_url, entry["resource"], *conditions)


@contextmanager
def _at(request: _Request) -> Iterator[None]:
    """Add the faulty entry's place to an error raised within."""
    try:
        yield
    except RequestError as error:
        place = f"Bundle.entry[{request.number}].resource"
        raise RequestError(error.status, error.code, error.sentence, place, error.headers) from None


def _existing(chart: WritableChart, kind: str, condition: str | None) -> Json | None:
    if not condition:
        return None
    asked = parse_qsl(condition.partition("?")[2] or condition, keep_blank_values=True)
    if not asked:
        raise RequestError(400, "value", "If-None-Exist must be a search, such as identifier=system|value.")
    found = list(fhir.matches((item for item in chart.resources if item["resourceType"] == kind), asked))
    if len(found) > 1:
        raise RequestError(412, "multiple-matches", "If-None-Exist finds several resources.")
    return found[0] if found else None


def check(kind: str, resource: Any) -> None:
    """Validate a resource as far as possible without the chart; slow for a large resource.

    Raises RequestError: 400 wrong shape, 404 a type that cannot be written, 422 invalid FHIR.
    """
    if kind not in WRITABLE:
        raise RequestError(
            404, "not-supported", f"'{kind[:40]}' cannot be written here; {', '.join(sorted(WRITABLE))} can."
        )
    if not isinstance(resource, dict) or resource.get("resourceType") != kind:
        raise RequestError(400, "structure", f"The body must be a resource of type {kind}.", "resourceType")
    from cds_service.fhir import models

    # A model's message may repeat values of the resource, which the sender may see.
    fault = next(models.problems(resource), None)
    if fault is not None:
        raise RequestError(422, "structure", f"The {kind} is not valid FHIR R4: {fault[:300]}", kind)


def check_transaction(bundle: Any) -> set[tuple[str, str]]:
    """Validate each entry of a transaction Bundle; returns its interactions, as (type, letter c or u).

    Raises RequestError as ``check`` does, with the faulty entry.
    """
    requests = [_request(entry, index) for index, entry in enumerate(_entries(bundle))]
    for request in requests:
        with _at(request):
            check(request.kind, request.resource)
    return {(request.kind, "c" if request.creates else "u") for request in requests}


def _check_subject(chart: WritableChart, kind: str, resource: Json) -> None:
    if kind == PROVENANCE:
        _check_targets(chart, resource)
    elif _reference(resource.get(SUBJECTS[kind])) != f"Patient/{chart.patient_id}":
        sentence = f"The subject must be the patient of this chart, Patient/{chart.patient_id}."
        raise RequestError(422, "business-rule", sentence, f"{kind}.subject")


def _check_targets(chart: WritableChart, provenance: Json) -> None:
    for target in provenance["target"]:
        kind, _, identity = (_reference(target) or "").partition("/")
        if chart.find(kind, identity) is None:
            raise RequestError(
                422, "business-rule", "A target is not in the chart of this patient.", "Provenance.target"
            )


def _reference(value: Any) -> str | None:
    named = value.get("reference") if isinstance(value, dict) else None
    return relative(named) if isinstance(named, str) else None


def _stored(resource: Json, identity: str, version: int, stamp: Stamp) -> Json:
    given = resource.get("meta")
    meta = {**(given if isinstance(given, dict) else {}), "versionId": str(version), "lastUpdated": stamp.instant}
    return {**resource, "id": identity, "meta": meta}


def _linked(value: Any, addresses: Mapping[str, str]) -> Any:
    """A resource with each reference to another entry's fullUrl replaced by that entry's new address."""
    if isinstance(value, list):
        return [_linked(item, addresses) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: addresses[item]
        if name == "reference" and isinstance(item, str) and item in addresses
        else _linked(item, addresses)
        for name, item in value.items()
    }
