"""What a form filler does with a Questionnaire's variables (HL7 SDC, x-fhir-query): it searches a chart."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cds_service.errors import UnreadableError
from cds_service.fhir.elements import Json, codings

_HOLE = re.compile(r"\{\{(.+?)\}\}")
_DAYS_AGO = re.compile(r"today\(\) - (\d+) days")
_SORTED_BY = {"date": "effectiveDateTime", "onset-date": "onsetDateTime"}


def filled(query: str, patient: str, today: date) -> str:
    """A query with its holes filled."""

    def value(hole: re.Match[str]) -> str:
        if hole[1] == "%patient.id":
            return patient
        ago = _DAYS_AGO.fullmatch(hole[1])
        assert ago, hole[1]
        return (today - timedelta(days=int(ago[1]))).isoformat()

    return _HOLE.sub(value, query)


def searched(query: str, resources: Iterable[Json]) -> Json:
    """The searchset Bundle that a server answers to a filled query."""
    address = urlsplit(query)
    parameters = dict(parse_qsl(address.query))
    found = [item for item in resources if item.get("resourceType") == address.path and _fits(item, parameters)]
    name = parameters["_sort"]
    by = _SORTED_BY[name.removeprefix("-")]
    found.sort(key=lambda item: str(item.get(by, "")), reverse=name.startswith("-"))
    found = [item for item in found if item.get(by)] + [item for item in found if not item.get(by)]
    entries = [{"resource": item} for item in found[: int(parameters["_count"])]]
    return {"resourceType": "Bundle", "type": "searchset", **({"entry": entries} if entries else {})}


def _fits(resource: Json, parameters: Mapping[str, str]) -> bool:
    wanted = {name: value.split(",") for name, value in parameters.items() if not name.startswith("_")}
    if "code" in wanted and not set(wanted["code"]) & _tokens(resource.get("code")):
        return False
    if "status" in wanted and resource.get("status") not in wanted["status"]:
        return False
    clinical = {token.partition("|")[2] for token in _tokens(resource.get("clinicalStatus"))}
    if "clinical-status" in wanted and not set(wanted["clinical-status"]) & clinical:
        return False
    since = parameters.get("date", "").removeprefix("ge")
    return not since or str(resource.get("effectiveDateTime", ""))[:10] >= since


def _tokens(concept: Any) -> set[str]:
    try:
        return {f"{item.get('system')}|{item.get('code')}" for item in codings(concept)}
    except UnreadableError:
        return set()
