"""The examples as charts from which forms are filled in, and what a form filler finds in each by a form's queries."""

from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from cds_service.examples import examples
from cds_service.facts import gather
from cds_service.facts.evidence import Known
from cds_service.fhir.bundles import read_value
from cds_service.fhir.elements import Json
from cds_service.policy.model import Policy
from cds_service.questionnaire.draft import recorded_answer
from cds_service.questionnaire.population import VARIABLE, is_populated
from cds_service.questionnaire.questions import questions
from tests.examples import FOLDER
from tests.fhir_queries import filled, searched
from tests.shipped import TODAY, answers, example

# A chart whose code systems are spelled in the EHR's own way: the service reads more than a query finds.
WRITTEN_OTHERWISE = {"epic-like"}
# What no FHIR server would hold.
BROKEN = {"broken-resources"}
USER: Json = {"resourceType": "Practitioner", "id": "dr-example"}


class Case(NamedTuple):
    """One example as one policy reads it, without what was answered before."""

    name: str
    policy: Policy
    known: Known
    patient: str
    resources: list[Json]

    def __str__(self) -> str:
        return f"{self.name}-{self.policy.procedure}"

    @property
    def read(self) -> dict[str, float | str | None]:
        """linkId -> what the service itself reads of the chart, of each question that has an expression."""
        return {
            question.link_id: plain(answer.value) if answer else None
            for question in questions(self.policy)
            if is_populated(question)
            for answer in [recorded_answer(question, self.known)]
        }

    def agrees(self, given: dict[str, Any]) -> bool:
        """Whether the values that a form was filled in with are what the service reads."""
        if self.name in WRITTEN_OTHERWISE:
            return {link: value for link, value in given.items() if value is not None}.items() <= self.read.items()
        return given == self.read


@cache
def cases() -> tuple[Case, ...]:
    """Each example with each policy that evaluates it."""
    found = []
    for name in sorted(examples(FOLDER).keys() - BROKEN):
        request = example(name)
        for answer in answers(request):
            if answer.decision is not None and answer.assessment is not None:
                policy = answer.policy
                chart, order = answer.assessment.chart, answer.decision.order
                known = gather.gather(policy, chart, frozenset(), TODAY, order)
                found.append(Case(name, policy, known, request["context"]["patientId"], list(_resources(request))))
    return tuple(found)


def _resources(request: Any) -> Iterator[Json]:
    for value in request["prefetch"].values():
        for found in read_value(value).by_type.values():
            yield from found


def expressions(item: Json, url: str) -> list[Any]:
    """The expressions of an item's, or a form's, extensions of one address."""
    return [extension["valueExpression"] for extension in item.get("extension", ()) if extension["url"] == url]


def searches(form: Json, case: Case, today: date) -> dict[str, Any]:
    """The launch contexts, and what each query of a form finds in a chart, by the names of their variables."""
    known: dict[str, Any] = {"patient": {"resourceType": "Patient", "id": case.patient}, "user": USER}
    for found in expressions(form, VARIABLE):
        if found["language"] == "application/x-fhir-query":
            known[found["name"]] = searched(filled(found["expression"], case.patient, today), case.resources)
    return known


def computed(form: Json) -> list[tuple[str, str]]:
    """The variables of a form that are FHIRPath, in the order of their evaluation: name and expression."""
    return [
        (found["name"], found["expression"])
        for found in expressions(form, VARIABLE)
        if found["language"] == "text/fhirpath"
    ]


def plain(value: float | str) -> float | str:
    """A value as it is compared: numbers of every type are one."""
    return value if isinstance(value, str) else float(value)
