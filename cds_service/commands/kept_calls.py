"""Turns a call stored in the audit log back into a hook request that can be evaluated again. Pure."""

from collections.abc import Mapping
from typing import Any

from cds_service.fhir.elements import Json


def request_of(content: Any) -> Json | None:
    """The request in the opened content of an audit line, with fetched resources in its prefetch; None if the content
    is not stored or cannot be opened.

    A list that was not fetched, or only in part, gets an OperationOutcome with the reason.
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
