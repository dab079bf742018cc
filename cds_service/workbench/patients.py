"""The synthetic patients of the workbench: the examples, each as a chart, draft orders, and a line on what it shows."""

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from cds_service import examples
from cds_service.errors import UnreadableError
from cds_service.examples import Example
from cds_service.fhir.bundles import once, read_value
from cds_service.fhir.dates import years_between
from cds_service.fhir.elements import Json, days_of
from cds_service.hooks import prefetch

# The one that a newcomer is shown first, if it is among the examples.
FIRST = "typical-gaps"
# A chart in memory is about a megabyte, and few are open at a time.
MOST_OPEN = 8
_POLICY_LINK = re.compile(r"/policies/([A-Za-z0-9._-]+)$")


class Listed(NamedTuple):
    """One line of the patient list. ``age`` in years, None where the birth date does not tell it.

    ``policies`` are the ids of those whose cards the example gives; empty where it gives none.
    """

    name: str
    patient: str
    age: int | None
    title: str
    shows: str
    hook: str
    policies: tuple[str, ...]


class Opened(NamedTuple):
    """One patient opened: the context of the example's call, its draft orders, and all resources of the chart.

    ``beside`` maps a resource type to what its server sends with a search of it unasked (``search.mode`` include).
    """

    name: str
    about: Mapping[str, Any]
    context: Mapping[str, Any]
    drafts: tuple[Json, ...]
    resources: tuple[Json, ...]
    beside: Mapping[str, tuple[Json, ...]]

    @property
    def patient_id(self) -> str:
        """The id of the patient."""
        return str(self.context["patientId"])


class Patients:
    """The examples in one folder, read when first asked for, and kept for the day for which their dates were moved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Caches of this object: the list is short, and of the charts only those last opened are kept.
        self._examples = lru_cache(maxsize=1)(lambda: examples.examples(folder))
        self.listed = lru_cache(maxsize=1)(self._listed)
        self.opened = lru_cache(maxsize=MOST_OPEN)(self._opened)

    def _listed(self, today: date) -> tuple[Listed, ...]:
        """All patients as of a day, the one to begin with first."""
        lines = [_line(example, today) for example in self._examples().values()]
        return tuple(sorted(lines, key=lambda line: line.name != FIRST))

    def _opened(self, name: str, today: date) -> Opened | None:
        """The chart of an example with its dates moved to a day; None where there is no such example."""
        example = self._examples().get(name)
        if example is None:
            return None
        request = examples.request_as_of(example, today)
        context = dict(request["context"])
        drafts = context.pop("draftOrders", {}).get("entry", [])
        by_type: dict[str, list[Json]] = {}
        beside: dict[str, tuple[Json, ...]] = {}
        for key, value in request["prefetch"].items():
            for kind, resources in read_value(value).by_type.items():
                by_type.setdefault(kind, []).extend(resources)
                # A remark of the example's own server (OperationOutcome) is no record.
                if prefetch.key_of(kind) != key and kind != "OperationOutcome":
                    beside[f"{key[0].upper()}{key[1:]}"] = tuple(resources)
        by_type.pop("OperationOutcome", None)
        records = tuple(resource for resources in by_type.values() for resource in once(resources))
        return Opened(name, example.about, context, tuple(entry["resource"] for entry in drafts), records, beside)


def _line(example: Example, today: date) -> Listed:
    request = orjson.loads((example.folder / "request.json").read_bytes())
    response = orjson.loads((example.folder / "response.json").read_bytes())
    patient = request["prefetch"]["patient"]
    links = [link["url"] for card in response["cards"] for link in card.get("links", ())]
    named = [match.group(1) for url in links if (match := _POLICY_LINK.search(url))]
    # The ages of examples are those of their own day, and stay so: birth dates move with it.
    return Listed(
        example.name,
        name_of(patient),
        age_of(examples.moved(patient, today - example.today), today),
        example.about["title"],
        example.about["shows"],
        example.about["hook"],
        tuple(dict.fromkeys(named)),
    )


def name_of(patient: Json) -> str:
    """The name by which a Patient is called; its id where no name can be read."""
    names = patient.get("name")
    for name in names if isinstance(names, list) else ():
        if isinstance(name, dict):
            given = name.get("given")
            parts = [*(given if isinstance(given, list) else ()), name.get("family")]
            said = name.get("text") or " ".join(part for part in parts if isinstance(part, str))
            if isinstance(said, str) and said:
                return said
    return str(patient.get("id", "A patient without a name"))


def age_of(patient: Json, today: date) -> int | None:
    """Whole years of a Patient on a day, or None where the birth date does not settle them."""
    try:
        born = days_of(patient.get("birthDate"))
    except UnreadableError:
        return None
    ages = {years_between(day, today) for day in (born.first, born.last)}
    return ages.pop() if len(ages) == 1 else None
