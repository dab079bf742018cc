"""The synthetic patients of the workbench: the examples, each as a chart, draft orders, and a line on what it shows."""

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

# The one that a newcomer is shown first, if it is among the examples.
FIRST = "typical-gaps"
# A chart in memory is about a megabyte, and few are open at a time.
MOST_OPEN = 8


class Listed(NamedTuple):
    """One line of the patient list. ``age`` in years, None where the birth date does not tell it.

    ``facet`` says what the card of its call says, and ``statement`` is the title of the statement that gives the card;
    empty where there is none.
    """

    name: str
    patient: str
    age: int | None
    title: str
    shows: str
    facet: Facet
    statement: str


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

    def __init__(self, folder: Path, guide: Guide) -> None:
        self._guide = guide
        # Caches of this object: the list is short, and of the charts only those last opened are kept.
        self._examples = lru_cache(maxsize=1)(lambda: examples.examples(folder))
        self.listed = lru_cache(maxsize=1)(self._listed)
        self.opened = lru_cache(maxsize=MOST_OPEN)(self._opened)

    def _listed(self, today: date) -> tuple[Listed, ...]:
        """All patients as of a day, the most telling first: the one to begin with, then one of each outcome."""
        in_turn = sorted(self._examples().values(), key=lambda example: example.name != FIRST)
        lines = [_line(example, self._guide, today) for example in in_turn]
        return tuple(telling_order((line.facet, line) for line in lines))

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
                # A remark of the example's own server (OperationOutcome) is not a record.
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
    """One line of the list. The loaded statements are asked, so that the list says what a reader of it will see."""
    request = examples.request_as_of(example, today)
    patient = request["prefetch"]["patient"]
    answers = hook_call.answer(hook_request.parse(example.about["service"], request), guide, today)
    # The card that comes first.
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
    """The name by which a Patient is called; its id where no name can be read."""
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
    """Whole years of a Patient on a day, or None where the birth date does not settle them."""
    try:
        born = days_of(patient.get("birthDate"))
    except UnreadableError:
        return None
    ages = {years_between(day, today) for day in (born.first, born.last)}
    return ages.pop() if len(ages) == 1 else None
