"""Charts made at random from a seed, of records that know the limits: look-backs, partial dates, statuses, units.

They are made of what the statement on restorative neurostimulation reads, so that few of their records are noise.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from random import Random
from typing import Any

from cds_service.chart.arrivals import arrived
from cds_service.chart.chart import Chart
from cds_service.facts import gather
from cds_service.verdicts import criteria
from tests.shipped import BASE, TODAY, library

Json = dict[str, Any]
POLICY = "isass-restorative-neurostimulation-2023"
ME = {"reference": "Patient/p1"}
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
CPT = "http://www.ama-assn.org/go/cpt"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}

DIAGNOSES = (
    *("M54.50", "M54.59", "M62.85", "M46.46", "A41.9", "F01.50", "M48.061", "M41.9", "M54.16", "Z79.01", "Z98.1"),
    *("Z68.36", "E11.9", "M62.5A2"),
)
OPERATIONS = ("63030", "22612", "22558", "97110", "64590", "99213")
DRUGS = ("11289", "7258", "161", "5640")
MEASURED = {
    "72514-3": ((5, 6, 7, 9, 3.5), ({}, {"unit": "{score}"}, {"code": "mm", "unit": "mm"})),
    "97909-6": ((20, 21, 44, 60, 61), ({"code": "%"}, {"unit": "{score}"}, {"unit": "%"})),
    "39156-5": ((28, 34.9, 35, 35.1), ({"code": "kg/m2"}, {"unit": "kg/m2"}, {})),
}
ANSWERS = (
    *("physical-therapy", "pain-medication", "medical-management", "not-surgical-candidate", "can-operate-device"),
    *("fit-for-implant", "scoliosis", "structural-cause", "prior-lumbar-surgery", "leg-pain", "multifidus-dysfunction"),
)
# In days before today: the limits of the look-backs, and a day on each side.
AGES = (0, 1, 30, 89, 90, 91, 179, 180, 181, 364, 365, 366, 400, 1000, 4000)


def day(random: Random, *, partial: bool = True) -> str:
    """A day near a limit, now and then without its day or its month."""
    written = (TODAY - timedelta(days=random.choice(AGES))).isoformat()
    return written[: random.choice((10, 10, 10, 7, 4))] if partial else written


def maybe(random: Random, name: str, values: tuple[Any, ...]) -> Json:
    """A member that may be left out."""
    value = random.choice((None, *values))
    return {} if value is None else {name: value}


def _status(code: str) -> Json:
    return {"coding": [{"code": code}]}


def diagnosis(random: Random) -> Json:
    made = {
        "resourceType": "Condition",
        "subject": ME,
        "code": {"coding": [{"system": ICD10CM, "code": random.choice(DIAGNOSES)}]},
        **maybe(random, "clinicalStatus", (_status("active"), _status("active"), _status("resolved"))),
        **maybe(random, "verificationStatus", (_status("confirmed"), _status("confirmed"), _status("refuted"))),
        **maybe(random, "onsetDateTime", (day(random), day(random))),
        **maybe(random, "recordedDate", (day(random),)),
    }
    if random.random() < 0.15:
        made["abatementDateTime"] = day(random)
    if random.random() < 0.2:
        made["category"] = [_status("encounter-diagnosis")]
    return made


def measurement(random: Random) -> Json:
    code = random.choice(tuple(MEASURED))
    values, units = MEASURED[code]
    return {
        "resourceType": "Observation",
        "subject": ME,
        "status": random.choice(("final", "final", "final", "amended", "preliminary", "entered-in-error")),
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "effectiveDateTime": day(random),
        "valueQuantity": {"value": random.choice(values), **random.choice(units)},
    }


def operation(random: Random) -> Json:
    return {
        "resourceType": "Procedure",
        "subject": ME,
        "status": random.choice(("completed", "completed", "in-progress", "not-done")),
        "code": {"coding": [{"system": CPT, "code": random.choice(OPERATIONS)}]},
        **maybe(random, "performedDateTime", (day(random), day(random))),
    }


def drug(random: Random) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "subject": ME,
        "status": random.choice(("active", "completed", "stopped", "cancelled")),
        "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": random.choice(DRUGS)}]},
        **maybe(random, "authoredOn", (day(random), day(random))),
    }


def form(random: Random) -> Json:
    items = [
        {"linkId": name, "answer": [{"valueBoolean": random.random() < 0.8}]}
        for name in random.sample(ANSWERS, random.randint(1, len(ANSWERS)))
    ]
    if random.random() < 0.4:
        items.append({"linkId": "pain-severity", "answer": [{"valueDecimal": random.choice((5, 6, 7))}]})
    if random.random() < 0.3:
        items.append({"linkId": "pain-duration", "answer": [{"valueDate": day(random)}]})
    return {
        "resourceType": "QuestionnaireResponse",
        "subject": ME,
        "questionnaire": f"{BASE}/Questionnaire/{POLICY}|2023",
        "status": random.choice(("completed", "completed", "completed", "amended", "in-progress")),
        "authored": day(random),
        "author": {"reference": "Practitioner/dr"},
        "item": items,
    }


MAKERS: tuple[Callable[[Random], Json], ...] = (
    *(diagnosis, diagnosis, diagnosis, measurement, measurement, operation, drug),
    *(form, form, form),
)


def records(random: Random) -> list[Json]:
    """The records of one chart, each with an id, the Patient first."""
    made = [random.choice(MAKERS)(random) for _ in range(random.randint(2, 10))]
    numbered = [record | {"id": f"r{number}"} for number, record in enumerate(made)]
    return [{"resourceType": "Patient", "id": "p1", "birthDate": random.choice(("1980", "1975-05-05"))}, *numbered]


def prefetch(chart: list[Json], failed: frozenset[str] = frozenset()) -> Json:
    """The chart under the published keys: the lists of some types failed, all others came whole."""
    return {
        key: OUTCOME
        if kind in failed
        else {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [{"resource": record} for record in chart if record["resourceType"] == kind],
        }
        for key, kind in library().prefetch_keys.items()
    }


def truths_of(sent: Json, policy_id: str = POLICY, today: date = TODAY) -> Mapping[str, str]:
    """Criterion -> truth of a prefetch, where nothing is ordered."""
    policy = next(item for item in library().policies if item.id == policy_id)
    came = arrived(sent, library().prefetch_keys, "p1")
    types, lexicon = library().policy_reads.of([policy])
    read = Chart.of(
        came.resources, came.listings, patient_id="p1", types=types, lexicon=lexicon, addresses=came.addresses
    )
    silences = library().silences(policy)
    known = gather.gather(policy, read, library().questionnaires(policy), today, silent=silences.facts)
    found = criteria.find(policy, policy.criteria, known, read, silences.findings)
    return {name: finding.truth.value for name, finding in found.items()}


def truths(chart: list[Json], failed: frozenset[str] = frozenset(), today: date = TODAY) -> Mapping[str, str]:
    """Criterion -> truth of a chart of which the lists of some types failed and all others came whole."""
    return truths_of(prefetch(chart, failed), today=today)
