"""Made-up calls of several clients over several weeks, from a seed, and the audit log that they leave."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson

from cds_service.errors import RequestError
from cds_service.hooks import hook_request
from cds_service.hooks.client_names import WORKBENCH
from cds_service.operations.audit import AuditLog, Call, Caller, audit_folder
from cds_service.operations.sealing import Keys
from cds_service.service import hook_call
from cds_service.web import outcomes
from tests.shipped import TODAY, example, guide

POLICY = "isass-restorative-neurostimulation-2023"
DAYS = 20
OTHERS = ("unrelated-order", "joint-typical-gaps", "patient-view-silent")
AGES = (19, 28)
# Halves on both sides of the limit of 35, and no measurement at all.
INDEXES = (None, *(30 + number / 2 for number in range(15)))


class MadeUp(NamedTuple):
    """One call, and what is known of it apart from what the program makes of it; ``patient`` is empty for one that
    the statement does not answer with criteria."""

    request: dict[str, Any]
    day: date
    client: str
    patient: str
    age: int
    bmi: float | None


def made_up(seed: int, number: int) -> list[MadeUp]:
    """So many calls: most about one statement, the others silent, of another statement, or refused."""
    return list(_made_up(Random(seed), number))


def _made_up(random: Random, number: int) -> Iterator[MadeUp]:
    for place in range(number):
        day = TODAY - timedelta(days=random.randrange(DAYS))
        client = random.choice(("north", "south", "south", WORKBENCH))
        age, bmi, kind = random.randint(*AGES), random.choice(INDEXES), random.random()
        if kind < 0.1:
            yield MadeUp(example(random.choice(OTHERS)), day, client, "", age, bmi)
        elif kind < 0.15:
            refused = typical(f"p{place}", day, age, bmi) | {"prefetch": {}}
            yield MadeUp(refused, day, client, "", age, bmi)
        else:
            yield MadeUp(typical(f"p{place}", day, age, bmi), day, client, f"p{place}", age, bmi)


@cache
def _without_a_chart() -> dict[str, Any]:
    request: dict[str, Any] = example("typical-gaps")
    return request | {"prefetch": dict.fromkeys(request["prefetch"])}


def typical(patient: str, day: date, age: int, bmi: float | None) -> dict[str, Any]:
    """An order of the leads for a patient of whom the chart holds an age and a body mass index, and nothing else."""
    request = deepcopy(_without_a_chart())
    request["context"]["patientId"] = patient
    request["context"]["draftOrders"]["entry"][0]["resource"]["subject"] = {"reference": f"Patient/{patient}"}
    born = day.replace(year=day.year - age) - timedelta(days=100)
    request["prefetch"] |= {
        "patient": {"resourceType": "Patient", "id": patient, "birthDate": born.isoformat()},
        "observation": {"resourceType": "Bundle", "type": "searchset", "entry": []},
    }
    if bmi is not None:
        measured = {
            "resourceType": "Observation",
            "id": "bmi",
            "status": "final",
            "subject": {"reference": f"Patient/{patient}"},
            "code": {"coding": [{"system": "http://loinc.org", "code": "39156-5"}]},
            "effectiveDateTime": (day - timedelta(days=30)).isoformat(),
            "valueQuantity": {"value": bmi, "system": "http://unitsofmeasure.org", "code": "kg/m2"},
        }
        request["prefetch"]["observation"]["entry"].append({"resource": measured})
    return request


def write_log(state: Path, calls: list[MadeUp], key: bytes, keys: Keys | None) -> None:
    """The audit log of the calls below the state folder, as the shipped rule sets answer them; with ``keys`` their
    content too."""
    for place, made in enumerate(sorted(calls, key=lambda item: item.day)):
        at = datetime.combine(made.day, time(12), UTC)
        log = AuditLog(audit_folder(state), key, keys, lambda at=at: at)
        log.call(_line(made, f"{place:032}"))


def _line(made: MadeUp, request_id: str) -> Call:
    request, service_id = made.request, f"coverage-guidance-{made.request['hook']}"
    status, answers = 200, []
    try:
        answers = hook_call.answer(hook_request.parse(service_id, request), guide(), made.day)
    except RequestError as error:
        status = error.status
    return Call(
        request_id=request_id,
        service=service_id,
        caller=Caller(client=made.client),
        today=made.day,
        status=status,
        outcome=outcomes.of_call(answers) if status == 200 else f"refused:{status}",
        milliseconds=1.0,
        request=orjson.dumps(request),
        response=orjson.dumps(hook_call.response(answers)),
        hook=request["hook"],
        hook_instance=request["hookInstance"],
        patient_id=request["context"]["patientId"],
        told=outcomes.told(answers),
    )
