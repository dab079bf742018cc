"""The synthetic patients of the workbench: each example as a chart, draft orders, and a line about its lesson."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from cds_service import examples
from cds_service.errors import UnreadableError
from cds_service.examples import Example
from cds_service.fhir.bundles import once, read_value
from cds_service.fhir.dates import years_between
from cds_service.fhir.elements import Json, days_of
from cds_service.hooks import hook_request
from cds_service.policy import prefetch_templates
from cds_service.service import hook_call
from cds_service.service.guide import Guide
from cds_service.web import outcomes
from cds_service.workbench.facets import NO_CARD, Facet, facet_of, telling_order
from cds_service.workbench.words import NO_NAME

# The example that a newcomer sees first, if the folder has it.
FIRST = "typical-gaps"
# A chart takes about a megabyte of memory, and users open only a few at a time.
MOST_OPEN = 8


class Listed(NamedTuple):
    """One line of the patient list. ``age`` is in years, None if the birth date leaves it open.

    ``facet`` groups the card of the example's call; ``statement`` is the title of the statement behind that card, empty
    if there is no card.
    """

    name: str
    patient: str
    age: int | None
    title: str
    shows: str
    facet: Facet
    statement: str


class Opened(NamedTuple):
    """One opened patient: the context of the example's call, its draft orders, and all resources of the chart.

    ``beside`` maps a resource type to the unrequested resources in its search results (``search.mode`` include).
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
    """The examples in one folder, read on first use and cached for the day to which their dates are moved."""

    def __init__(self, folder: Path, guide: Guide) -> None:
        self._guide = guide
        # Caches of this object: the list is short, and only the most recently opened charts stay.
        self._examples = lru_cache(maxsize=1)(lambda: examples.examples(folder))
        self.listed = lru_cache(maxsize=1)(self._listed)
        self.opened = lru_cache(maxsize=MOST_OPEN)(self._opened)

    def _listed(self, today: date) -> tuple[Listed, ...]:
        """All patients as of a day: the example to begin with first, then one of each facet in turn."""
        in_turn = sorted(self._examples().values(), key=lambda example: example.name != FIRST)
        lines = [_line(example, self._guide, today) for example in in_turn]
        return tuple(telling_order((line.facet, line) for line in lines))

    def _opened(self, name: str, today: date) -> Opened | None:
        """The chart of an example with its dates moved to a day; None if there is no such example."""
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
                # An OperationOutcome is a message of the example's own server, not a record.
                if prefetch_templates.key_of(kind) != key and kind != "OperationOutcome":
                    beside[f"{key[0].upper()}{key[1:]}"] = tuple(resources)
        by_type.pop("OperationOutcome", None)
        records = tuple(resource for resources in by_type.values() for resource in once(resources))
        return Opened(
            name=name,
            about=example.about,
            context=context,
            drafts=tuple(entry["resource"] for entry in drafts),
            resources=records,
            beside=beside,
        )


def _line(example: Example, guide: Guide, today: date) -> Listed:
    """One line of the list. Evaluates the loaded statements, so the line matches the card that the reader will see."""
    request = examples.request_as_of(example, today)
    patient = request["prefetch"]["patient"]
    answers = hook_call.answer(hook_request.parse(example.about["service"], request), guide, today)
    # The card that the EHR shows first.
    shown = [(item.card["indicator"] != "warning", place) for place, item in enumerate(answers) if item.card]
    lead = answers[min(shown)[1]] if shown else None
    return Listed(
        name=example.name,
        patient=name_of(patient),
        age=age_of(patient, today),
        title=example.about["title"],
        shows=example.about["shows"],
        facet=facet_of(outcomes.of_answer(lead) if lead else NO_CARD),
        statement=lead.policy.title if lead else "",
    )


def name_of(patient: Json) -> str:
    """The name of a Patient; its id if the resource has no readable name."""
    names = patient.get("name")
    for name in names if isinstance(names, list) else ():
        if isinstance(name, dict):
            given = name.get("given")
            parts = [*(given if isinstance(given, list) else ()), name.get("family")]
            said = name.get("text") or " ".join(part for part in parts if isinstance(part, str))
            if isinstance(said, str) and said:
                return said
    return str(patient.get("id", NO_NAME))


def age_of(patient: Json, today: date) -> int | None:
    """The age of a Patient on a day in whole years; None if the birth date leaves it open."""
    try:
        born = days_of(patient.get("birthDate"))
    except UnreadableError:
        return None
    ages = {years_between(day, today) for day in (born.first, born.last)}
    return ages.pop() if len(ages) == 1 else None
