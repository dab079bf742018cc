"""A call whose content the audit log kept, as a hook request that can be evaluated again. Pure."""

from collections.abc import Mapping
from typing import Any

from cds_service.fhir.elements import Json


def request_of(content: Any) -> Json | None:
    """The request of an audit line's opened content, with what was fetched for it in its prefetch; None where the
    content was not kept or cannot be opened.

    A list that could not be fetched, or only in part, holds an OperationOutcome with the reason.
    """
    if not isinstance(content, dict) or not isinstance(content.get("request"), dict):
        return None
    request: Json = content["request"]
    prefetch = {**(request.get("prefetch") or {}), **content.get("fetched", {})}
    for key, why in content.get("unfetched", {}).items():
        prefetch[key] = _incomplete(prefetch.get(key), why)
    return {**request, "prefetch": prefetch}


def _incomplete(value: Any, why: str) -> Json:
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "incomplete", "diagnostics": why}],
    }
    if not isinstance(value, Mapping) or value.get("resourceType") != "Bundle":
        return outcome
    return {**value, "entry": [*value.get("entry", ()), {"resource": outcome, "search": {"mode": "outcome"}}]}
