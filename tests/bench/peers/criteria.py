"""The criteria that every peer decides, read from plain JSON: what a peer must answer, and HealthChain without models.

It runs in the environment of a peer too, so that it imports nothing but the standard library.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

CRITERIA: dict[str, Any] = json.loads(Path(__file__).with_name("criteria.json").read_text(encoding="utf-8"))
ADULT, BACK_PAIN, EXERCISES, PAIN, OBESITY = CRITERIA


def decided(prefetch: Mapping[str, Any], today: date) -> dict[str, bool]:
    """Criterion -> whether the prefetched chart meets it."""
    born = date.fromisoformat(prefetch["patient"]["birthDate"])
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    conditions = [item for item in _coded(prefetch, "condition", BACK_PAIN) if _is_active(item)]
    exercises = [item for item in _coded(prefetch, "procedure", EXERCISES) if item["status"] == "completed"]
    return {
        ADULT: years >= CRITERIA[ADULT]["years"],
        BACK_PAIN: bool(conditions),
        EXERCISES: len(exercises) >= CRITERIA[EXERCISES]["times"],
        PAIN: _is_above(prefetch, PAIN),
        OBESITY: _is_above(prefetch, OBESITY),
    }


def card(met: Mapping[str, bool]) -> dict[str, Any]:
    """The one card of an answer."""
    return {
        "summary": f"{sum(met.values())} of {len(met)} criteria are met",
        "detail": "\n".join(f"{name}: {'met' if is_met else 'not met'}" for name, is_met in met.items()),
        "indicator": "info",
        "source": {"label": "Criteria"},
    }


def _coded(prefetch: Mapping[str, Any], key: str, criterion: str) -> Iterator[Any]:
    """The resources of a prefetched search that have one of a criterion's codes."""
    system, codes = CRITERIA[criterion]["system"], CRITERIA[criterion]["codes"]
    for entry in (prefetch.get(key) or {}).get("entry", ()):
        codings = entry["resource"].get("code", {}).get("coding", ())
        if any(coding.get("system") == system and coding.get("code") in codes for coding in codings):
            yield entry["resource"]


def _is_active(condition: Any) -> bool:
    return any(coding.get("code") == "active" for coding in condition.get("clinicalStatus", {}).get("coding", ()))


def _is_above(prefetch: Mapping[str, Any], criterion: str) -> bool:
    values = (item.get("valueQuantity", {}).get("value") for item in _coded(prefetch, "observation", criterion))
    return any(value is not None and value > CRITERIA[criterion]["above"] for value in values)
