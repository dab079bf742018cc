"""What tables are made of: items of patients, and facts of the made-up statement."""

from typing import Any

Json = dict[str, Any]
RIGHT, LEFT, BOTH = "SNOMED CT|24028007", "SNOMED CT|7771000", "SNOMED CT|51440002"
SIDES = {
    "right-side": {"title": "Right", "text": ["right", "bilateral"], "codes": [RIGHT, BOTH]},
    "left-side": {"title": "Left", "text": ["left", "bilateral"], "codes": [LEFT, BOTH]},
}
SCOPE = {
    "name": "knee",
    "parts": [
        {"id": "right", "label": "right knee", "codes": "right-side"},
        {"id": "left", "label": "left knee", "codes": "left-side"},
    ],
}


def born(day: str) -> Json:
    return {"person": {"born": day}}


def answered(date: str = "2026-03-01", **answers: Any) -> Json:
    """A form; an underscore in a name stands for the dash of the linkId, two for its dot."""
    return {
        "form": {
            "answers": {name.replace("__", ".").replace("_", "-"): value for name, value in answers.items()},
            "date": date,
        }
    }


def score(value: Any, unit: str = "%", date: str = "2026-03-01", name: str = "score") -> Json:
    return {name: {"observation": "LOINC|97909-6", "value": value, "unit": unit, "date": date}}


def exercise(date: str | None = "2026-02-01", name: str = "exercise", **more: Any) -> Json:
    item = {"procedure": "CPT|97110"} | more
    return {name: item | {"date": date} if date else item}


def diagnosis(code: str = "ICD-10-CM|M25.561", **more: Any) -> Json:
    return {"diagnosis": {"condition": code} | more}


def yes(item: str, title: str | None = None, **more: Any) -> Json:
    """A fact that is attested."""
    return {
        "kind": "answer",
        "title": title or f"Can {item}",
        "item": item,
        "look_back_days": 180,
        "when_absent": "unknown",
    } | more


def is_yes(fact: str) -> Json:
    return {"fact": fact, "is": True}


SCORE = {
    "kind": "measurement",
    "title": "Function score",
    "codes": "function-score",
    "item": "function",
    "look_back_days": 180,
    "unit": "%",
    "units": {"%": [1], "{score}": [1, 2]},
    "range": [0, 100],
    "when_absent": "unknown",
}
EXERCISE = {
    "kind": "record",
    "title": "Exercise",
    "codes": "exercise",
    "resources": ["Procedure"],
    "state": "ever",
    "when_absent": "unknown",
}
KNEE_PAIN = {"kind": "onset", "title": "Knee pain since", "codes": "knee-pain", "when_absent": "unknown"}
HUM, BUZZ, RING = yes("hum"), yes("buzz"), yes("ring")
THREE = {"hum": HUM, "buzz": BUZZ, "ring": RING}
SESSIONS = {
    "kind": "events",
    "title": "Humming session",
    "codes": "exercise",
    "resources": ["Procedure"],
    "state": "ever",
    "item": "session",
    "noun": ["session", "sessions"],
    "attributes": {
        "guided": {"kind": "answer", "title": "Guided", "item": "guided"},
        "before": {"kind": "measurement", "title": "Pain before", "item": "before", "unit": "", "range": [0, 10]},
        "after": {"kind": "measurement", "title": "Pain after", "item": "after", "unit": "", "range": [0, 10]},
        "relief": {"kind": "reduction", "title": "Relief", "from": "before", "to": "after", "item": "relief"},
    },
    "when_absent": "unknown",
}
FIRST_DAY, SECOND_DAY = "2026-01-10", "2026-02-10"


def sessions(*groups: Json) -> Json:
    return {"form": {"answers": {"session": list(groups)}, "date": "2026-03-01"}}
