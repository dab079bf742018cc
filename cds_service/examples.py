"""The synthetic examples: their list, and a request with its dates moved as if made today."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from cds_service.errors import UnreadableError
from cds_service.fhir.dates import shift

# Elements of FHIR R4 and of hook calls that contain dates; a year in any other member does not change.
_DATE_ENDINGS = ("Date", "DateTime", "Instant", "date")
_DATE_NAMES = frozenset(
    (
        "authored",
        "authoredOn",
        "issued",
        "start",
        "end",
        "lastUpdated",
        "dateAsserted",
        "recorded",
        "onsetString",
        "performedString",
        "occurrence",
        "sent",
        "received",
        "created",
    )
)


class Example(NamedTuple):
    """One example: its folder name, the day for which it was made, and the content of ``about.json``."""

    name: str
    folder: Path
    today: date
    about: dict[str, Any]


def examples(folder: Path) -> dict[str, Example]:
    """All examples in a folder, by name."""
    found = {}
    for path in sorted(folder.glob("*/about.json")):
        about = json.loads(path.read_text(encoding="utf-8"))
        found[path.parent.name] = Example(path.parent.name, path.parent, date.fromisoformat(about["today"]), about)
    return found


def request_as_of(example: Example, today: date) -> Any:
    """The example's request with every date moved by the days between the example's own day and ``today``."""
    request = json.loads((example.folder / "request.json").read_text(encoding="utf-8"))
    by = today - example.today
    return moved(request, by) if by else request


def moved(value: Any, by: timedelta, name: str = "") -> Any:
    """A copy of a JSON value in which every date element is moved by whole days."""
    if isinstance(value, str):
        return _moved_date(value, by) if name in _DATE_NAMES or name.endswith(_DATE_ENDINGS) else value
    if isinstance(value, dict):
        return {key: moved(item, by, key) for key, item in value.items()}
    if isinstance(value, list):
        return [moved(item, by, name) for item in value]
    return value


def _moved_date(text: str, by: timedelta) -> str:
    try:
        return shift(text, by)
    except UnreadableError:
        return text
