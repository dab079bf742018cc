"""Validation of a call's prefetch: the value under each key, and the part of it that the service can use."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cds_service.ehr import templates
from cds_service.ehr.templates import UnresolvedError
from cds_service.errors import RequestError
from cds_service.fhir.bundles import next_page, read_value, unwrapped
from cds_service.fhir.elements import Json
from cds_service.fhir.types import subject_of
from cds_service.hooks.draft_orders import is_of_another
from cds_service.hooks.hook_request import HookRequest
from cds_service.policy.prefetch_templates import key_of
from cds_service.service import call_chart
from cds_service.service.guide import Guide
from cds_service.workbench import check_words as words
from cds_service.workbench.remarks import ERROR, NOTE, WARNING, Check, Remark, models_check


class Published(NamedTuple):
    """The data of discovery: prefetch key -> template and key -> resource type; ``fetches`` is true if the
    service fetches missing keys."""

    templates: Mapping[str, str]
    types: Mapping[str, str]
    fetches: bool


def checks(body: Mapping[str, Any], request: HookRequest | None, published: Published) -> Iterator[Check]:
    """The checks of a call's prefetch; ``request`` is the request as parsed, None if the service refuses it."""
    sent = body.get("prefetch")
    if sent is not None and not isinstance(sent, dict):
        return
    values: Mapping[str, Any] = sent or {}
    reachable = published.fetches and bool(body.get("fhirServer"))
    missing = [
        _not_sent(key, template, request, reachable)
        for key, template in published.templates.items()
        if key not in values
    ]
    yield Check(words.PREFETCH_SENT, missing)
    if values:
        yield Check(words.PREFETCH_FITS, _values(values, request, published, reachable))
        yield models_check("prefetch", _records(values, published))


def _values(
    values: Mapping[str, Any], request: HookRequest | None, published: Published, reachable: bool
) -> Iterator[Remark]:
    for key, value in values.items():
        place = f"prefetch.{key[:60]}"
        if key not in published.templates and key not in published.types:
            yield Remark(place, NOTE, words.no_key(key[:60], published.templates))
        else:
            yield from _value(place, key, value, request, published, reachable)


def _not_sent(key: str, template: str, request: HookRequest | None, reachable: bool) -> Remark:
    place = f"prefetch.{key}"
    if request is not None:
        try:
            templates.resolve(template, request.context)
        except UnresolvedError as error:
            return Remark(place, WARNING, words.no_template(str(error)))
    if reachable:
        return Remark(place, NOTE, words.WILL_FETCH)
    return Remark(place, WARNING, words.NO_PATIENT if key == "patient" else words.not_sent(template))


def _value(
    place: str, key: str, value: Any, request: HookRequest | None, published: Published, reachable: bool
) -> Iterator[Remark]:
    expected = published.types.get(key)
    template = published.templates.get(key, "")
    arrival = read_value(value)
    if unwrapped(value) is not value:
        yield Remark(place, ERROR, words.WRAPPED)
        value = unwrapped(value)
    if arrival.failure is not None:
        yield Remark(place, WARNING, words.failed(arrival.failure))
    if value is not None and isinstance(value, dict) and value.get("resourceType") == "Bundle":
        if not template.partition("?")[1] and template:
            yield Remark(place, ERROR, words.a_read(expected or "resource"))
        if next_page(value) is None and arrival.left_out is not None:
            yield Remark(place, WARNING, words.failed(arrival.left_out.format(expected or "resources")))
        if next_page(value) is not None:
            level, says = (NOTE, words.FIRST_PAGE) if reachable else (WARNING, words.FIRST_PAGE_ALONE)
            yield Remark(f"{place}.link", level, says)
    elif isinstance(value, dict) and template.partition("?")[1] and arrival.failure is None:
        yield Remark(place, ERROR, words.A_SEARCH)
    if isinstance(value, list):
        yield Remark(place, ERROR, words.A_LIST)
    if expected and arrival.by_type and expected not in arrival.by_type and arrival.failure is None:
        yield Remark(place, WARNING, words.holds_others(expected, sorted(arrival.by_type)))
    if request is not None:
        yield from _strangers(place, arrival.by_type, request.patient_id)


def _records(values: Mapping[str, Any], published: Published) -> list[tuple[str, Any]]:
    """The records under published keys, each with its place."""
    return [
        (f"prefetch.{key} {kind}/{_identity(resource)}", resource)
        for key, value in values.items()
        if key in published.templates or key in published.types
        for kind, found in read_value(value).by_type.items()
        for resource in found
    ]


def _strangers(place: str, by_type: Mapping[str, list[Any]], patient_id: str) -> Iterator[Remark]:
    for kind, resources in by_type.items():
        if kind == "Patient":
            if any(resource.get("id") != patient_id for resource in resources):
                yield Remark(place, ERROR, words.OTHER_PATIENT)
            continue
        others = sum(is_of_another(resource.get(subject_of(kind)), patient_id) for resource in resources)
        if others:
            yield Remark(place, ERROR, words.of_another(others, kind))


def delivery(request: HookRequest | None, guide: Guide) -> tuple[dict[str, Json], list[Remark]]:
    """The records that the service can use, for each type that the loaded statements need, and remarks on the others.

    The ledger, as JSON by type, comes from the chart itself, so an unusable list cannot pass unnoticed.
    """
    if request is None:
        return {}, []
    policies = guide.library.policies
    try:
        chart = call_chart.read_chart(request, policies, guide, call_chart.arrivals(request, guide.library))
    except RequestError as error:
        return {}, [Remark(error.expression or "prefetch", ERROR, words.answered(error.status, error.sentence))]
    kinds = sorted({"Patient"}.union(*(policy.resource_types for policy in policies)))
    ledger = {kind: chart.delivery(kind) for kind in kinds}
    asked = {kind: found.as_json() for kind, found in ledger.items() if found.received or not found.unasked}
    return asked, [_not_counted(kind, found) for kind, found in asked.items() if found["dropped"]]


def _not_counted(kind: str, found: Json) -> Remark:
    first, received = found["dropped"][0], found["received"]
    example = f"{first['reference']} {first['why']}"
    place = f"prefetch.{key_of(kind)}"
    if not found["counted"]:
        return Remark(place, WARNING, words.none_counts(received, kind, example))
    return Remark(place, WARNING, words.not_counted(len(found["dropped"]), received, kind, example))


def _identity(resource: Mapping[str, Any]) -> str:
    identity = resource.get("id")
    return identity[:64] if isinstance(identity, str) and identity else "?"
