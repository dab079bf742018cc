"""Tiny builders of FHIR R4 JSON, and a made-up statement ("knee humming") to check it against."""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cds_service.chart.arrivals import arrived
from cds_service.chart.chart import Chart
from cds_service.chart.code_index import Lexicon
from cds_service.facts import gather
from cds_service.facts.evidence import Fact, Known
from cds_service.policy import prefetch_templates
from cds_service.policy.model import Policy
from cds_service.verdicts import criteria
from cds_service.verdicts.criteria import Finding
from tests.loading import load_policy

MINIMAL = Path(__file__).parent / "policies" / "minimal"
TODAY = date(2026, 3, 15)
BASE = "https://cds-service.example/fhir"
QUESTIONNAIRE = f"{BASE}/Questionnaire/minimal"
# The forms of both editions of the made-up statement.
FORMS = frozenset((f"{QUESTIONNAIRE}|0", f"{QUESTIONNAIRE}|1"))
ME = {"reference": "Patient/p1"}

CPT = "http://www.ama-assn.org/go/cpt"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"

Json = dict[str, Any]


def named(*rows: tuple) -> list:
    """Rows of a table test; the first column says the case in words and becomes its id."""
    return [pytest.param(*values, id=remark) for remark, *values in rows]


# --- the pieces -------------------------------------------------------------------------------------------------------


def concept(system: str | None, code: str, **more: Any) -> Json:
    """A CodeableConcept of one coding."""
    return {"coding": [({"system": system} if system else {}) | {"code": code}]} | more


def _resource(defaults: Json, changes: Json) -> Json:
    return {name: value for name, value in (defaults | changes).items() if value is not ...}


def patient(**changes: Any) -> Json:
    """The patient of the call, born on 1 January 1970."""
    return _resource({"resourceType": "Patient", "id": "p1", "birthDate": "1970-01-01"}, changes)


def condition(**changes: Any) -> Json:
    """Confirmed, active pain in the right knee since 1 January 2024; ``...`` as a value leaves the element out."""
    defaults = {
        "resourceType": "Condition",
        "id": "c1",
        "subject": ME,
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "code": concept(ICD10CM, "M25.561"),
        "onsetDateTime": "2024-01-01",
    }
    return _resource(defaults, changes)


def observation(loinc: str, **changes: Any) -> Json:
    """A final Observation of 1 March 2026, without a value."""
    defaults = {
        "resourceType": "Observation",
        "id": "o1",
        "subject": ME,
        "status": "final",
        "code": concept(LOINC, loinc),
        "effectiveDateTime": "2026-03-01",
    }
    return _resource(defaults, changes)


def quantity(value: float, unit: str | None = None, code: str | None = None, **more: Any) -> Json:
    """A Quantity."""
    return {"value": value} | ({"unit": unit} if unit else {}) | ({"code": code} if code else {}) | more


def weight_ratio(value: float = 30, **changes: Any) -> Json:
    """A body mass index in kg/m2."""
    return observation("39156-5", **({"valueQuantity": quantity(value, code="kg/m2")} | changes))


def procedure(code: Json | None = None, **changes: Any) -> Json:
    """A completed exercise session of 1 February 2026."""
    defaults = {
        "resourceType": "Procedure",
        "id": "x1",
        "subject": ME,
        "status": "completed",
        "code": code or concept(CPT, "97110"),
        "performedDateTime": "2026-02-01",
    }
    return _resource(defaults, changes)


def medicine(**changes: Any) -> Json:
    """An order of acetaminophen of 1 February 2026."""
    defaults = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "subject": ME,
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": concept(RXNORM, "161"),
        "authoredOn": "2026-02-01",
    }
    return _resource(defaults, changes)


def attested(answers: Json | None = None, **changes: Any) -> Json:
    """A completed form of 1 March 2026 by Dr. A. Example; ``answers`` maps linkId to the answer, such as
    {"valueBoolean": True}."""
    defaults = {
        "resourceType": "QuestionnaireResponse",
        "id": "q1",
        "subject": ME,
        "questionnaire": f"{QUESTIONNAIRE}|1",
        "status": "completed",
        "authored": "2026-03-01",
        "author": {"reference": "Practitioner/p9", "display": "Dr. A. Example"},
        "item": [{"linkId": link, "answer": [answer]} for link, answer in (answers or {}).items()],
    }
    return _resource(defaults, changes)


def order(cpt: str | None = "11111", **changes: Any) -> Json:
    """A draft order for the coil; without site or reason it does not say where."""
    defaults = {
        "resourceType": "ServiceRequest",
        "id": "s1",
        "subject": ME,
        "status": "draft",
        "intent": "order",
        "code": concept(CPT, cpt) if cpt else ...,
    }
    return _resource(defaults, changes)


def bundle(*resources: Any) -> Json:
    """A searchset; a (fullUrl, resource) pair sets the entry's address."""
    entries = [
        {"fullUrl": item[0], "resource": item[1]} if isinstance(item, tuple) else {"resource": item}
        for item in resources
    ]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


# --- from resources to facts and findings -----------------------------------------------------------------------------


@cache
def minimal() -> Policy:
    """The made-up statement."""
    return load_policy(MINIMAL)


@cache
def lexicon() -> Lexicon:
    return Lexicon([minimal().code_sets.values()])


def keys() -> dict[str, str]:
    """The published prefetch keys of the made-up statement."""
    return prefetch_templates.keys([minimal()])


def sent(*resources: Any, **values: Any) -> Json:
    """A prefetch in which each type was searched and holds these resources.

    ``values`` replaces whole keys; ``...`` as a value leaves the key out.
    """
    plain = [item[1] if isinstance(item, tuple) else item for item in resources]
    filled: Json = {"patient": patient()}
    for key, name in keys().items():
        found = [item for item, bare in zip(resources, plain, strict=True) if bare["resourceType"] == name]
        if name != "Patient":
            filled[key] = bundle(*found)
        elif found:
            filled[key] = bundle(*found) if len(found) > 1 or isinstance(found[0], tuple) else found[0]
    others = [item for item, bare in zip(resources, plain, strict=True) if bare["resourceType"] not in keys().values()]
    filled["others"] = bundle(*others)
    return {key: value for key, value in (filled | values).items() if value is not ...}


def read(prefetched: Json) -> Chart:
    """The chart of patient p1."""
    return chart_of(prefetched, keys(), minimal().resource_types | {"Patient"}, lexicon())


def chart_of(prefetched: Json, published: Mapping[str, str], types: Iterable[str], codes: Lexicon) -> Chart:
    """The same, as other policies read it; ``published`` maps prefetch keys to resource types."""
    came = arrived(prefetched, published, "p1")
    return Chart.of(
        came.resources, came.listings, patient_id="p1", types=types, lexicon=codes, addresses=came.addresses
    )


def chart(*resources: Any, **values: Any) -> Chart:
    """The chart of patient p1 with these resources on record; see ``sent``."""
    return read(sent(*resources, **values))


def facts_of(on_record: Chart, today: date = TODAY) -> dict[str, Fact]:
    """All facts of the made-up statement."""
    return dict(known_of(on_record, today).whole)


def known_of(on_record: Chart, today: date = TODAY) -> Known:
    """All that is known from a chart by the made-up statement."""
    return gather.gather(minimal(), on_record, FORMS, today)


def fact(name: str, *resources: Any, today: date = TODAY, **values: Any) -> Fact:
    """One fact of the made-up statement."""
    return facts_of(chart(*resources, **values), today)[name]


def finding(criterion: str, *resources: Any, today: date = TODAY, **values: Any) -> Finding:
    """What becomes of one criterion of the made-up statement."""
    on_record = chart(*resources, **values)
    return criteria.find(minimal(), minimal().criteria, known_of(on_record, today), on_record)[criterion]


def truth(criterion: str, *resources: Any, today: date = TODAY, **values: Any) -> str:
    """The truth of one criterion, as the word used in JSON."""
    return finding(criterion, *resources, today=today, **values).truth.value
