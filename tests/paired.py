"""A made-up statement that judges both knees apart and uses every word of the language: the minimal one, grown."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from tests.charts import MINIMAL
from tests.spec.kinds.test_order import ORDER as OLD_COIL
from tests.spec.options.test_per import PER as SCOPED
from tests.spec.pieces import EXERCISE, SCOPE, SESSIONS, is_yes, yes

Json = dict[str, Any]
REVIEW = "2027-01-01"

FACTS: Json = {
    "side-right": yes("side-right", "Right knee named by the clinician"),
    "knees": {"kind": "parts", "title": "Knees on the order", "when_absent": "unknown"},
    "old-coil": {"kind": "order", "title": "Coil of the old meaning", "codes": "old-coil", "when_absent": "unknown"},
    "hum": yes("hum", "Humming heard") | {"per": "knee", "aliases": ["murmur"]},
    "buzz": yes("buzz", "Buzzing felt") | {"per": "knee"},
    "ring": yes("ring", "Ringing felt"),
    "hoarse": yes("hoarse", "Hoarse today"),
    "excused": yes("excused", "Humming not tolerated"),
    "care": yes("care-start", "Months of care")
    | {"kind": "onset", "until": "care-end", "in": "months", "answer_look_back_days": 180},
    "last-exercise": EXERCISE | {"kind": "since", "title": "Last exercise", "item": "last-exercise", "in": "months"},
    "earlier": EXERCISE | {"title": "Earlier surgery of the knee", "codes": "knee-surgery"},
    "pain-then": yes("pain-then", "Pain then") | {"kind": "measurement", "unit": "", "range": [0, 10]},
    "pain-now": yes("pain-now", "Pain now") | {"kind": "measurement", "unit": "", "range": [0, 10]},
    "fall": {
        "kind": "reduction",
        "title": "Fall of the pain",
        "from": "pain-then",
        "to": "pain-now",
        "item": "fall",
        "when_absent": "unknown",
    },
    "sessions": SESSIONS
    | {
        "per": "knee",
        "attributes": SESSIONS["attributes"]
        | {"guided": {"kind": "answer", "title": "Guided", "item": "guided", "codes": "guided-session"}},
    },
}
CRITERIA: dict[str, tuple[str, Json]] = {
    "signs": (
        "{signs-least} or more signs",
        {
            "of": [is_yes("hum"), {"test": is_yes("buzz"), "voided_by": is_yes("hoarse")}, is_yes("ring")],
            "at_least": "$signs-least",
        },
    ),
    "sessions": (
        "Sessions with relief",
        {
            "count": "sessions",
            "where": {"all": [is_yes("guided"), {"fact": "relief", "at_least": "$relief-least"}]},
            "after": "earlier",
            "at_least": 1,
        },
    ),
    "care": ("Care was tried", {"test": {"fact": "care", "at_least": 6}, "waived_by": is_yes("excused")}),
    "one-knee": ("One knee a day", {"if": {"fact": "knees", "more_than": 1}, "then": is_yes("ring")}),
    "recent": ("Exercise is recent", {"fact": "last-exercise", "less_than": 6}),
    "fell": ("Pain fell", {"fact": "fall", "at_least": 30}),
}
OF_THE_STATEMENT = ("signs", "sessions", "care")
SOURCES = {
    "bulletin": ("Bulletin", "A made-up bulletin of a payer", "Summaries only."),
    "charter": ("Charter", "A made-up charter", "Its title alone."),
}


def paired() -> Json:
    """The documents of the statement."""
    made = SCOPED.documents()
    policy = made["policy"]
    template = policy["criteria"][0]
    policy |= {"id": "paired", "title": "Humming of both knees", "facts": deepcopy(FACTS), "scope": _scope()}
    policy["sources"] |= {
        name: {"title": title, "citation": citation, "url": None, "seen": seen, "read_on": "2026-01"}
        for name, (title, citation, seen) in SOURCES.items()
    }
    policy["criteria"] = [
        template | {"id": name, "title": title, "test": test, "settled_by": f"a note on {name}"}
        for name, (title, test) in CRITERIA.items()
    ]
    for criterion in policy["criteria"]:
        criterion["fails_as"] = f"fails: {criterion['id']}"
        if criterion["id"] != "recent":
            cited = {
                "source": "bulletin",
                "place": "item 2",
                "says": "As the bulletin has it.",
                "verified": "paraphrase",
            }
            criterion["sources"] = [*template["sources"], cited]
    policy["parameters"] = {
        "signs-least": {"title": "Least signs", "value": 2, "source": "primer", "place": "page 7"},
        "relief-least": {"title": "Least relief, in percent", "value": 50, "source": "primer", "place": "page 8"},
    }
    policy["profiles"] = {
        "bulletin": {
            "title": "The bulletin's rule",
            "source": "bulletin",
            "parameters": {"relief-least": 75},
            "replaces": {
                "care": {
                    "test": {"fact": "care", "at_least": 3},
                    "title": "Care of three months",
                    "fails_as": "care too short",
                    "settled_by": "the dates of care",
                }
            },
            "all": ["sessions", "care", "one-knee", "fell"],
            "next_review": REVIEW,
        },
        "charter": {
            "title": "The charter's rule",
            "source": "charter",
            "pending": "its text was not available",
            "next_review": REVIEW,
        },
    }
    policy["verdicts"] = [
        {
            "id": "own",
            "title": "Own criteria",
            "all": list(OF_THE_STATEMENT),
            "applies_unless": is_yes("old-coil"),
        },
        {"id": "by-charter", "title": "As the charter asks", "profile": "charter"},
        {"id": "payer", "title": "Payer", "payer": True},
    ]
    policy["pathways"] = [
        {
            "id": "again",
            "title": "Humming again",
            "orders": {"codes": "old-coil", "text": ["second humming"]},
            "when": is_yes("earlier"),
            "says": "again",
        }
    ]
    policy["orders"]["acts"][0]["names_site"] = True
    made["card"] |= {
        "no_label": "coil of the old meaning",
        "all_parts": "bilateral",
        "pathways": {
            "again": {
                "summary": "Not evaluated: humming again",
                "lines": ["**Of the {parts}:** knee humming was done before."],
            }
        },
        "criteria": {name: _phrases(name) for name in CRITERIA},
    }
    made["codes"]["sets"] |= OLD_COIL.documents()["codes"]["sets"] | {
        "guided-session": {"title": "Guided session", "codes": [_row("CPT", "97112")]}
    }
    made["payers"] = {"payers": [_payer("bulletin-health", {"profile": "bulletin"})]}
    made["cases"] = _minimal("cases")
    return made


def _phrases(name: str) -> Json:
    topic = name.replace("-", " ")
    return {
        "short": f"{topic} met",
        "topic": topic,
        "doc": "Note",
        "document": f"a note on {topic}",
        "fails": f"{topic} fails: {{value}}",
        "letter": f"{topic} is {{value}}",
    }


def _scope() -> Json:
    right, left = SCOPE["parts"]
    return SCOPE | {"parts": [right | {"when": is_yes("side-right")}, left]}


def _row(system: str, code: str) -> Json:
    return {
        "system": system,
        "code": code,
        "label": "made up",
        "seen": "unverified",
        "provenance": "made up",
        "valid_from": None,
        "valid_until": None,
    }


def _minimal(name: str) -> Json:
    document: Json = json.loads((MINIMAL / f"{name}.json").read_text(encoding="utf-8"))
    return document


def _payer(name: str, position: Json) -> Json:
    return _minimal("payers")["payers"][0] | {"id": name, "name": "Bulletin Health", "position": position}


def write(folder: Path, made: Json) -> Path:
    """The documents as a policy folder named by the policy's id."""
    target = folder / made["policy"]["id"]
    target.mkdir(parents=True, exist_ok=True)
    for name, document in made.items():
        (target / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    return target
