"""Inputs that grow: one family for each way in which what a caller or a server sends can become large.

``FAMILIES`` maps a name to ``Family``: how an input of size n is made, what reads it, and the largest in bytes that the
default limits let through. ``growth_sizes.json`` holds how large the inputs are by which growth is judged (``sizes``),
so that no test has to look for it; ``python -m tests.growth sizes [NAME...]`` writes it again.
"""

import gc
import json
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from functools import cache
from pathlib import Path
from time import thread_time
from typing import Any, NamedTuple

from cds_service import json_bodies
from cds_service.card.markdown import escape
from cds_service.clock import Deadline
from cds_service.ehr import search
from cds_service.ehr.received import Received
from cds_service.ehr.search import FetchLimits
from cds_service.ehr.templates import Query
from cds_service.errors import RequestError
from cds_service.fhir.bundles import ReadLimits
from cds_service.hooks import feedback, hook_request
from cds_service.hooks.feedback import MOST_ITEMS
from cds_service.service import hook_call
from cds_service.settings.settings import Settings
from cds_service.trust.checks import UntrustedError
from cds_service.trust.entries import Clients
from cds_service.trust.jwk import UnusableKeyError, read_key_set
from cds_service.trust.keys import MAX_BYTES, KeyRing
from cds_service.trust.tokens import Verifier
from cds_service.workbench.rendering import LONGEST as LONGEST_MARKDOWN
from tests.shipped import TODAY, example, guide, library

BEST_OF = 5
MOST = ReadLimits()
MAX_BODY = Settings.model_fields["max_body_bytes"].default
Json = dict[str, Any]
Read = Callable[[bytes], object]


class Family(NamedTuple):
    """``make`` writes the input of size n as bytes, ``read`` is the work to measure, ``most`` the largest in bytes."""

    make: Callable[[int], bytes]
    read: Read
    most: int = MAX_BODY


# --- what reads -------------------------------------------------------------------------------------------------------


def call(data: bytes) -> object:
    """A hook call, from its body to the answer's."""
    try:
        envelope = json_bodies.read_envelope(data, left="prefetch", exact="context")
        request = hook_request.parse("coverage-guidance-order-sign", envelope.value)
        if envelope.unread is not None:
            request = hook_request.with_prefetch(request, envelope.read())
        answers = hook_call.answer(request, guide(), TODAY)
        assert not any(answer.error for answer in answers), [repr(answer.error) for answer in answers]
        return hook_call.response(answers)
    except RequestError as error:
        return error.status


def opened(data: bytes) -> object:
    """The same when a chart is opened."""
    try:
        request = hook_request.parse("coverage-guidance-patient-view", json_bodies.read_json(data))
        return hook_call.response(hook_call.answer(request, guide(), TODAY))
    except RequestError as error:
        return error.status


def given(data: bytes) -> object:
    """Feedback."""
    try:
        return feedback.parse(json_bodies.read_json(data))
    except RequestError as error:
        return error.status


def token(data: bytes) -> object:
    """The Authorization header of a call."""
    verifier = Verifier(Clients(()), KeyRing(None), lambda *_: True, clock=lambda: 0.0)
    try:
        return verifier.verify(data.decode(), ("https://cds.example/",), Deadline(1))
    except UntrustedError as error:
        return error.check


def key_set(data: bytes) -> object:
    """A JWK Set, as its server sends it."""
    try:
        value = json.loads(data)
        return json_bodies.is_deeper(value, 20) or read_key_set(value)
    except (ValueError, RecursionError, UnusableKeyError) as error:
        return str(error)


def page(data: bytes) -> object:
    """One page of a FHIR server's answer to a search, and the chart with it."""

    def get(address: str, limit: int) -> Received:
        return Received(200, "application/fhir+json", data, address)

    query = Query("Condition", "patient=p1")
    return search.search(get, "https://fhir.example", query, PATIENT, FetchLimits(MAX_BODY, 20, 5_000))


def shown(data: bytes) -> object:
    """A text of the chart on a card."""
    return escape(data.decode())


def validated(data: bytes) -> object:
    """A call that the workbench looks at."""
    from cds_service.workbench import prefetch_validation, validation

    published = prefetch_validation.Published(library().prefetch_templates, library().prefetch_keys, False)
    try:
        return validation.request_report(None, json_bodies.read_json(data), published, guide())
    except RequestError as error:
        return error.status


def answer_validated(data: bytes) -> object:
    """An answer that the workbench looks at."""
    from cds_service.workbench import answer_validation

    return answer_validation.response_report(json_bodies.read_json(data))


def dropped(data: bytes) -> object:
    """A Bundle that is dropped on the workbench, and the prefetch made of it."""
    from cds_service.workbench import dropped

    try:
        found = dropped.chart_of(dropped.read(json_bodies.read_json(data)), None)
        return dropped.prefetch(found, dict(library().prefetch_templates), {"patientId": found.patient_id})
    except RequestError as error:
        return error.status


def rendered(data: bytes) -> object:
    """Markdown that the workbench shows."""
    from cds_service.workbench import rendering

    return rendering.render(data.decode())


# --- what is sent -----------------------------------------------------------------------------------------------------


@cache
def _base() -> str:
    base = example("joint-typical-gaps")
    base["context"]["draftOrders"]["entry"] += example("typical-gaps")["context"]["draftOrders"]["entry"]
    mine = base["context"]["patientId"]
    for entry in base["context"]["draftOrders"]["entry"]:
        entry["resource"]["subject"] = {"reference": f"Patient/{mine}"}
    # What is measured is what is added.
    empty = {"resourceType": "Bundle", "type": "searchset"}
    base["prefetch"] = {key: value if key == "patient" else empty for key, value in base["prefetch"].items()}
    return json.dumps(base)


PATIENT: str = json.loads(_base())["context"]["patientId"]
ME = {"reference": f"Patient/{PATIENT}"}


def order(**changes: Any) -> Json:
    """An order of the procedure of one of the statements."""
    return {
        "resourceType": "ServiceRequest",
        "id": "order",
        "status": "draft",
        "intent": "order",
        "subject": ME,
        "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "27279"}]},
    } | changes


@cache
def codes_of(name: str) -> list[Json]:
    """The codings of a code set of the statements, by the set's name."""
    found = [codes for policy in library().policies for key, codes in policy.code_sets.items() if key == name]
    return [{"system": row.system, "code": row.code} for row in found[0].codes if not row.prefix]


@cache
def every_code() -> list[Json]:
    """The codings of all code sets."""
    sets = [codes for policy in library().policies for codes in policy.code_sets.values()]
    return [{"system": system, "code": code} for codes in sets for system, code in codes.exact]


@cache
def phrases() -> list[str]:
    """All phrases of all code sets."""
    sets = [codes for policy in library().policies for codes in policy.code_sets.values()]
    return [phrase.strip() for codes in sets for phrase in codes.phrases]


def body(*drafts: Json, hook: str = "order-sign", **prefetch: Any) -> bytes:
    """A call with both orders, these drafts too, and these resources behind those that the example has."""
    request = json.loads(_base())
    request["hook"] = hook
    request["context"]["draftOrders"]["entry"] += [{"resource": draft} for draft in drafts]
    for key, resources in prefetch.items():
        request["prefetch"][key] = searchset(resources)
    return json.dumps(request).encode()


def searchset(resources: list[Json]) -> Json:
    """A Bundle of what a search found."""
    listed = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": listed}


def condition(number: int, **changes: Any) -> Json:
    """A confirmed, active condition."""
    return {
        "resourceType": "Condition",
        "id": f"c{number}",
        "subject": ME,
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "onsetDateTime": "2020-01-01",
    } | changes


def observation(number: int, **changes: Any) -> Json:
    """A final measurement of pain."""
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "subject": ME,
        "status": "final",
        "code": {"coding": codes_of("pain-score")[:1]},
        "effectiveDateTime": "2026-11-20",
        "valueInteger": 7,
    } | changes


def procedure(number: int, **changes: Any) -> Json:
    """A completed procedure that a statement reads."""
    return {
        "resourceType": "Procedure",
        "id": f"x{number}",
        "subject": ME,
        "status": "completed",
        "code": {"coding": codes_of("prior-fusion")[:1]},
        "performedDateTime": "2026-01-01",
    } | changes


def answers(n: int, **changes: Any) -> Json:
    """The statement's form with n answers to each of a few questions."""
    policy = next(policy for policy in library().policies if policy.scope)
    address = sorted(library().questionnaires(policy))[0]
    return {
        "resourceType": "QuestionnaireResponse",
        "id": "form",
        "questionnaire": f"{address}|2020",
        "status": "completed",
        "subject": ME,
        "authored": "2026-11-20",
        "item": [
            {"linkId": name, "answer": [{"valueBoolean": number % 2 == 0}]}
            for number in range(n)
            for name in ("care-failed", "fit-for-implant.right", "pain-severity")
        ],
    } | changes


def report(number: int, **changes: Any) -> Json:
    """A final report of an image."""
    return {
        "resourceType": "DiagnosticReport",
        "id": f"d{number}",
        "status": "final",
        "subject": ME,
        "code": {"text": "MRI"},
    } | changes


def in_html(text: str) -> list[Json]:
    """The presentedForm of a report that came as HTML."""
    return [{"contentType": "text/html", "data": b64encode(text.encode()).decode()}]


def in_words(number: int) -> Json:
    """A result that says something in words."""
    return observation(number, valueString="no pain", valueInteger=None)


def groups(n: int) -> list[Json]:
    """n groups of attested events, each with a few answers."""
    rules = [
        rule
        for policy in library().policies
        for rule in policy.facts.values()
        if rule.kind.name == "events" and rule.item
    ]
    return [
        {
            "linkId": f"{rule.item}{part}",
            "item": [
                {
                    "linkId": f"{rule.item}{part}.date",
                    "answer": [{"valueDate": f"2026-{1 + k % 10:02}-{1 + k % 28:02}"}],
                },
                *(
                    {"linkId": f"{rule.item}{part}.{attribute.item}", "answer": [{"valueInteger": k % 10}]}
                    for attribute in rule.attributes.values()
                    if attribute.item
                ),
            ],
        }
        for k in range(n)
        for rule in rules
        for part in ("", ".right", ".left")
    ]


def entries(resources: list[Json], **more: Any) -> bytes:
    """A page of a search."""
    return json.dumps(searchset(resources) | more).encode()


def bearer(payload: bytes, header: bytes = b'{"alg":"RS384","typ":"JWT","kid":"k"}') -> bytes:
    """An Authorization header whose token has these parts."""
    parts = [urlsafe_b64encode(part).rstrip(b"=") for part in (header, payload, b"signature")]
    return b"Bearer " + b".".join(parts)


def _told(n: int) -> list[Json]:
    return [{"card": f"c{k}", "outcome": "overridden", "overrideReason": {"userComment": "x" * 100}} for k in range(n)]


def _feedback(n: int) -> bytes:
    return json.dumps({"feedback": _told(n)}).encode()


def one_large(n: int, small: Json) -> list[Json]:
    """One large resource, the newest of its id, and as many small ones with that id."""
    large = condition(0, meta={"lastUpdated": "9999"}, note=[{"text": f"note {k}"} for k in range(n)])
    return [large, *(condition(0, **small) for _ in range(n))]


def referred(n: int, target: Json, make: Callable[[int, Json], Json]) -> list[Json]:
    """n resources that all refer to one."""
    reference = {"reference": f"{target['resourceType']}/{target['id']}"}
    return [target, *(make(k, reference) for k in range(n))]


def big_concept(n: int) -> Json:
    """A concept of many codings and words."""
    return {"coding": [{"system": "http://snomed.info/sct", "code": str(k)} for k in range(n)], "text": "pain " * n}


def synthea_shaped() -> bytes:
    """A call of 4 MB, shaped like the charts of Synthea: 2,500 resources and one large attachment in base64."""
    coded = {"coding": [{"system": "http://snomed.info/sct", "code": "1", "display": "Finding"}], "text": "Finding"}
    return body(
        condition=[condition(k, code=coded) for k in range(500)],
        observation=[observation(k) for k in range(1_500)],
        procedure=[procedure(k) for k in range(499)],
        diagnosticReport=[report(0, presentedForm=[{"contentType": "text/plain", "data": "QUJD" * 830_000}])],
    )


CALLS: dict[str, Callable[[int], bytes]] = {
    "conditions that count": lambda n: body(
        condition=[condition(k, code={"coding": codes_of("si-pain")[:1]}) for k in range(n)]
    ),
    "conditions of other codes": lambda n: body(
        condition=[
            condition(k, code={"coding": [{"system": "http://snomed.info/sct", "code": str(k)}]}) for k in range(n)
        ]
    ),
    "conditions in words": lambda n: body(condition=[condition(k, code={"text": f"Pain {k}"}) for k in range(n)]),
    "conditions in words that count": lambda n: body(
        condition=[condition(k, code={"text": f"sacroiliac joint pain {k}"}) for k in range(n)]
    ),
    "more conditions than are read": lambda n: body(
        condition=[condition(k, code={"text": f"Pain {k}"}) for k in range(MOST.resources + n)]
    ),
    "conditions without an id": lambda n: body(
        condition=[condition(k, code={"text": f"Pain {k}"}) | {"id": None} for k in range(n)]
    ),
    "codings of one condition": lambda n: body(condition=[condition(0, code=big_concept(n))]),
    "codings that count, of one condition": lambda n: body(
        condition=[condition(0, code={"coding": every_code() * max(1, n // 100)})]
    ),
    "conditions with all codes": lambda n: body(
        condition=[condition(k, code={"coding": every_code()}) for k in range(max(1, n // 100))]
    ),
    "words of one condition": lambda n: body(condition=[condition(0, code={"text": "pain " * n})]),
    "phrases of one condition": lambda n: body(
        condition=[condition(0, code={"text": ", ".join(phrases() * max(1, n // 100))})]
    ),
    "phrases of many conditions": lambda n: body(
        condition=[condition(k, code={"text": ", ".join(phrases())[:9_000]}) for k in range(n)]
    ),
    "different words of many conditions": lambda n: body(
        condition=[condition(k, code={"text": f"{k} " + ", ".join(phrases())[:9_000]}) for k in range(n)]
    ),
    "denied phrases of one condition": lambda n: body(
        condition=[condition(0, code={"text": "no " * n + ", ".join(phrases())})]
    ),
    "digits of one condition's text": lambda n: body(condition=[condition(0, code={"text": "-." * n + "si"})]),
    "a long code": lambda n: body(condition=[condition(0, code={"coding": [{"code": "9" * n}]})]),
    "a long system": lambda n: body(condition=[condition(0, code={"coding": [{"code": "9", "system": "urn:" * n}]})]),
    "measurements": lambda n: body(observation=[observation(k) for k in range(n)]),
    "measurements of one day that differ": lambda n: body(
        observation=[observation(k, valueInteger=k % 11) for k in range(n)]
    ),
    "measurements that cannot be read": lambda n: body(
        observation=[observation(k, valueInteger="x") for k in range(n)]
    ),
    "measurements of many numbers": lambda n: body(
        observation=[
            observation(k, valueInteger=None, valueQuantity={"value": k % 1000 / 100, "unit": "score"})
            for k in range(n)
        ]
    ),
    "measurements in different words": lambda n: body(
        observation=[
            observation(k, code={"coding": codes_of("pain-score")[:1], "text": f"pain score {k}"}) for k in range(n)
        ]
    ),
    "measurements at different sites": lambda n: body(
        observation=[
            observation(k, code=observation(0)["code"] | {"text": f"pain score {k}"}, bodySite={"text": f"back {k}"})
            for k in range(n)
        ]
    ),
    "components of one measurement": lambda n: body(
        observation=[
            observation(0, component=[{"code": {"coding": codes_of("pain-score")[:1]}, "valueInteger": 7}] * n)
        ]
    ),
    "components of one measurement with a long name": lambda n: body(
        observation=[
            observation(
                0,
                code={"text": "family " * n},
                component=[{"code": {"coding": codes_of("pain-score")[:1]}, "valueInteger": 7}] * n,
            )
        ]
    ),
    "components of one measurement with many sites": lambda n: body(
        observation=[
            observation(
                0,
                bodySite=[{"text": f"place {k}"} for k in range(n)],
                component=[{"code": {"coding": codes_of("pain-score")[:1]}, "valueInteger": 7}] * n,
            )
        ]
    ),
    "procedures that count": lambda n: body(procedure=[procedure(k) for k in range(n)]),
    "procedures of many days": lambda n: body(
        procedure=[
            procedure(k, performedDateTime=f"{1900 + k % 120}-{1 + k % 12:02}-{1 + k % 28:02}") for k in range(n)
        ]
    ),
    "events of one day": lambda n: body(
        procedure=[
            procedure(k, code={"coding": every_code()[k % len(every_code()) :][:1]}, bodySite=[{"text": "right"}])
            for k in range(n)
        ]
    ),
    "events in words": lambda n: body(
        procedure=[
            procedure(k, code={"text": phrases()[k % len(phrases())]}, bodySite=[{"text": "right"}]) for k in range(n)
        ]
    ),
    "sites of one procedure": lambda n: body(
        procedure=[procedure(0, bodySite=[{"text": f"place {k}"} for k in range(n)])]
    ),
    "sites of one procedure by code": lambda n: body(procedure=[procedure(0, bodySite=[big_concept(n)])]),
    "procedures that refer to one reason": lambda n: body(
        condition=[condition(0, code=big_concept(n))],
        procedure=[procedure(k, reasonReference=[{"reference": "Condition/c0"}]) for k in range(n)],
    ),
    "reasons of one procedure": lambda n: body(
        condition=[condition(0, code=big_concept(n))],
        procedure=[procedure(0, reasonReference=[{"reference": "Condition/c0"}] * n)],
    ),
    "prescriptions of one medication": lambda n: body(
        medicationRequest=referred(
            n,
            {"resourceType": "Medication", "id": "m", "code": big_concept(n)},
            lambda k, reference: {
                "resourceType": "MedicationRequest",
                "id": f"r{k}",
                "status": "active",
                "intent": "order",
                "subject": ME,
                "medicationReference": reference,
            },
        )
    ),
    "contained resources": lambda n: body(
        medicationRequest=[
            {
                "resourceType": "MedicationRequest",
                "id": "r",
                "status": "active",
                "intent": "order",
                "subject": ME,
                "medicationReference": {"reference": f"#m{n - 1}"},
                "contained": [{"resourceType": "Medication", "id": f"m{k}", "code": {"text": "x"}} for k in range(n)],
            }
        ]
    ),
    "reports": lambda n: body(diagnosticReport=[report(k) for k in range(n)]),
    "reports in words": lambda n: body(
        diagnosticReport=[
            report(k, conclusion=f"Finding {k}. IMPRESSION: {phrases()[k % len(phrases())]}.") for k in range(n)
        ]
    ),
    "reports that say much": lambda n: body(
        diagnosticReport=[report(k, conclusion=f"{k}. {', '.join(phrases())[:9_000]}") for k in range(n)]
    ),
    "reports as HTML": lambda n: body(
        diagnosticReport=[report(k, presentedForm=in_html("<p>si joint<br>" * 500)) for k in range(n)]
    ),
    "tags of one report": lambda n: body(diagnosticReport=[report(0, presentedForm=in_html("<p>" * n))]),
    "headings of reports": lambda n: body(
        diagnosticReport=[report(k, conclusion="\nFINDINGS:\nx\nINDICATION:\ny" * 300) for k in range(n)]
    ),
    "sentences of one report": lambda n: body(diagnosticReport=[report(0, conclusion="no pain. " * n)]),
    "results of one report": lambda n: body(
        diagnosticReport=[report(0, result=[{"reference": f"Observation/o{k}"} for k in range(n)])],
        observation=[in_words(k) for k in range(n)],
    ),
    "one result of one report, again and again": lambda n: body(
        diagnosticReport=[report(0, result=[{"reference": "Observation/o0"}] * n)], observation=[in_words(0)]
    ),
    "results of one report that are few": lambda n: body(
        diagnosticReport=[report(0, result=[{"reference": f"Observation/o{k % 2_000}"} for k in range(n)])],
        observation=[in_words(k) for k in range(min(n, 2_000))],
    ),
    "results of many reports": lambda n: body(
        diagnosticReport=[
            report(k, result=[{"reference": f"Observation/o{place}"} for place in range(10)]) for k in range(n)
        ],
        observation=[in_words(k) for k in range(10)],
    ),
    "notes of one measurement": lambda n: body(
        observation=[observation(0, note=[{"text": f"pain {k}"} for k in range(n)])]
    ),
    "notes under a long name": lambda n: body(
        observation=[observation(0, code={"text": "pain " * n}, note=[{"text": f"pain {k}"} for k in range(n)])]
    ),
    "results under a long name": lambda n: body(
        diagnosticReport=[report(0, result=[{"reference": f"Observation/o{k}"} for k in range(n)])],
        observation=[
            observation(k, code={"text": "pain " * 200}, note=[{"text": f"pain {place}"} for place in range(100)])
            for k in range(n)
        ],
    ),
    "notes of conditions": lambda n: body(
        condition=[condition(k, code={"text": "pain"}, note=[{"text": f"pain {k}"}] * 3) for k in range(n)]
    ),
    "devices": lambda n: body(
        device=[
            {"resourceType": "Device", "id": f"d{k}", "patient": ME, "type": {"text": "neurostimulator"}}
            for k in range(n)
        ]
    ),
    "coverages": lambda n: body(
        coverage=[
            {
                "resourceType": "Coverage",
                "id": f"v{k}",
                "status": "active",
                "beneficiary": ME,
                "payor": [{"display": f"P{k}"}],
            }
            for k in range(n)
        ]
    ),
    "payors of one coverage": lambda n: body(
        coverage=[
            {
                "resourceType": "Coverage",
                "id": "v",
                "status": "active",
                "beneficiary": ME,
                "payor": [{"display": f"P{k}"} for k in range(n)],
            }
        ]
    ),
    "coverages of one payor": lambda n: body(
        coverage=[
            {
                "resourceType": "Organization",
                "id": "payor",
                "name": "P" * n,
                "identifier": [{"system": "x", "value": str(k)} for k in range(n)],
            },
            *(
                {
                    "resourceType": "Coverage",
                    "id": f"v{k}",
                    "status": "active",
                    "beneficiary": ME,
                    "payor": [{"reference": "Organization/payor"}],
                }
                for k in range(n)
            ),
        ]
    ),
    "answers of one form": lambda n: body(questionnaireResponse=[answers(n)]),
    "answers to one question": lambda n: body(
        questionnaireResponse=[answers(0, item=[{"linkId": "care-failed", "answer": [{"valueBoolean": True}] * n}])]
    ),
    "answers that cannot be read": lambda n: body(
        questionnaireResponse=[answers(0, item=[{"linkId": "care-failed", "answer": [{"valueString": "x"}] * n}])]
    ),
    "forms": lambda n: body(questionnaireResponse=[answers(1, id=f"f{k}") for k in range(n)]),
    "forms that do not count": lambda n: body(
        questionnaireResponse=[answers(1, id=f"f{k}", status="x") for k in range(n)]
    ),
    "forms of other days": lambda n: body(
        questionnaireResponse=[
            answers(1, id=f"f{k}", authored=f"2026-{1 + k % 11:02}-{1 + k % 28:02}") for k in range(n)
        ]
    ),
    "attested events": lambda n: body(questionnaireResponse=[answers(0, item=groups(n))]),
    "groups within groups": lambda n: body(
        questionnaireResponse=[answers(0, item=[{"linkId": "x", "item": [{"linkId": "y", "item": groups(1)}]}] * n)]
    ),
    "orders that count": lambda n: body(*(order(id=f"d{k}") for k in range(n))),
    "more orders than are read": lambda n: body(*(order(id=f"d{k}") for k in range(MOST.drafts + n))),
    "orders in words": lambda n: body(*(order(id=f"d{k}", code={"text": "si joint fusion"}) for k in range(n))),
    "orders of other things": lambda n: body(*(order(id=f"d{k}", code={"text": "chest x-ray"}) for k in range(n))),
    "orders that go another way": lambda n: body(
        *(order(id=f"d{k}", code={"text": phrases()[k % len(phrases())]}) for k in range(n))
    ),
    "device orders by reference": lambda n: body(
        *(
            {
                "resourceType": "DeviceRequest",
                "id": f"q{k}",
                "status": "draft",
                "subject": ME,
                "codeReference": {"reference": "Device/dev"},
            }
            for k in range(n)
        ),
        device=[{"resourceType": "Device", "id": "dev", "patient": ME, "type": big_concept(n)}],
    ),
    "reasons of one order": lambda n: body(
        order(id="more", reasonReference=[{"reference": "Condition/c0"}] * n),
        condition=[condition(0, code=big_concept(n))],
    ),
    "reasons of one order that count": lambda n: body(
        order(id="more", reasonCode=[{"coding": [code]} for code in codes_of("si-joint") * max(1, n // 10)])
    ),
    "different reasons of one order": lambda n: body(
        order(
            id="more",
            reasonCode=[
                {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": f"M53.{k}"}]} for k in range(n)
            ],
        )
    ),
    "codings of one order": lambda n: body(order(id="more", code=big_concept(n))),
    "words of one order": lambda n: body(order(id="more", code={"text": "si joint fusion " * n})),
    "words of one order's site": lambda n: body(
        order(id="more", code={"text": "si joint fusion"}, bodySite=[{"text": "right " * n}])
    ),
    "orders that hold much": lambda n: body(
        *(order(id=f"d{k}", code={"text": "si joint fusion"}, note=[{"text": "x" * 500}]) for k in range(n))
    ),
    "insurances of one order": lambda n: body(
        order(id="more", insurance=[{"reference": f"Coverage/v{k}"} for k in range(n)])
    ),
    "copies of one id": lambda n: body(condition=one_large(n, {})),
    "copies of one id and moment": lambda n: body(
        condition=[
            condition(0, meta={"lastUpdated": "9999"}, note=[{"text": "x" * 10}] * n),
            *(condition(0, meta={"lastUpdated": "9999"}, note=[{"text": f"{k}"}]) for k in range(n)),
        ]
    ),
    "equal copies": lambda n: body(condition=[condition(0, note=[{"text": "x" * 50}] * 5)] * n),
    "bundles in bundles": lambda n: body(
        condition=[{"resourceType": "Bundle", "entry": [{"resource": condition(k)}]} for k in range(n)]
    ),
    "unknown prefetch keys": lambda n: _with(
        lambda request: request["prefetch"].update({f"key{k}": None for k in range(n)})
    ),
    "members of the context": lambda n: _with(
        lambda request: request["context"].update({f"key{k}": "x" for k in range(n)})
    ),
    "empty lists": lambda n: b'{"a":[' + b"[]," * n + b"[]]}",
    "depth": lambda n: b'{"a":' + b"[" * n,
    "depth behind which text never ends": lambda n: b"[" * 201 + b'"' + b'\\"' * n,
    "brackets in a text": lambda n: _with(lambda request: request.update(extension="[{" * n)),
    "escapes in a text": lambda n: _with(lambda request: request.update(extension='"\\' * n)),
    "a large attachment": lambda n: body(diagnosticReport=[report(0, presentedForm=[{"data": "QUJD" * n}])]),
    "digits of a number": lambda n: b'{"a":' + b"1" * n + b"}",
    "identifiers of the patient": lambda n: _with(
        lambda request: request["prefetch"]["patient"].update(
            identifier=[{"system": "x", "value": str(k)} for k in range(n)]
        )
    ),
    "subjects by identifier": lambda n: body(
        condition=[condition(k, subject={"identifier": {"system": "x", "value": str(k)}}) for k in range(n)]
    ),
    "subjects by address": lambda n: body(
        condition=[condition(k, subject={"reference": "https://a.example/" + "x/" * 20 + str(k)}) for k in range(n)]
    ),
}


def _with(change: Callable[[Json], object]) -> bytes:
    request = json.loads(_base())
    change(request)
    return json.dumps(request).encode()


OTHERS: dict[str, Family] = {
    "chart opened: conditions": Family(
        lambda n: body(hook="patient-view", condition=[condition(k, code={"text": f"Pain {k}"}) for k in range(n)]),
        opened,
    ),
    "feedback: items": Family(_feedback, given, len(_feedback(MOST_ITEMS))),
    "feedback: more items than are read": Family(_feedback, given),
    "feedback: a long comment": Family(
        lambda n: json.dumps({"feedback": [_told(1)[0] | {"overrideReason": {"userComment": "x" * n}}]}).encode(), given
    ),
    "feedback: suggestions": Family(
        lambda n: json.dumps(
            {
                "feedback": [
                    {"card": "c", "outcome": "accepted", "acceptedSuggestions": [{"id": f"s{k}"} for k in range(n)]}
                ]
            }
        ).encode(),
        given,
    ),
    "token: members": Family(lambda n: bearer(json.dumps({f"claim{k}": k for k in range(n)}).encode()), token, 8000),
    "token: depth": Family(lambda n: bearer(b'{"a":' + b"[" * n + b"]" * n + b"}"), token, 8000),
    "token: text that never ends": Family(lambda n: bearer(b"[" * 11 + b'"' + b'\\"' * n), token, 8000),
    "token: a long issuer": Family(lambda n: bearer(json.dumps({"iss": "x" * n}).encode()), token, 8000),
    "token: parts": Family(lambda n: b"Bearer " + b"a." * n, token, 8000),
    "token: blanks": Family(lambda n: b"Bearer" + b" " * n, token, 8000),
    "key set: text that never ends": Family(lambda n: b"[" * 21 + b'"' + b'\\"' * n, key_set, MAX_BYTES),
    "key set: members of a key": Family(
        lambda n: json.dumps({"keys": [{f"m{k}": "x" for k in range(n)}]}).encode(), key_set, MAX_BYTES
    ),
    "key set: a long number": Family(
        lambda n: json.dumps({"keys": [{"kty": "RSA", "kid": "k", "e": "AQAB", "n": "A" * 4 * n}]}).encode(),
        key_set,
        MAX_BYTES,
    ),
    "page: resources": Family(lambda n: entries([condition(k, code={"text": f"Pain {k}"}) for k in range(n)]), page),
    "page: copies of one id": Family(lambda n: entries(one_large(n, {})), page),
    "page: links": Family(lambda n: entries([], link=[{"relation": "x", "url": "https://fhir.example/"}] * n), page),
    "page: a long link": Family(
        lambda n: entries([], link=[{"relation": "next", "url": "https://fhir.example/" + "%2e/" * n}]), page
    ),
    "card: plain text": Family(lambda n: b"word " * n, shown),
    "card: marks": Family(lambda n: b"*_[](<&" * n, shown),
    "card: addresses": Family(lambda n: b"a:www.b@c " * n, shown),
    "card: blanks": Family(lambda n: b" \xe2\x80\x8b" * n, shown),
    "workbench: a call": Family(
        lambda n: body(condition=[condition(k, code={"text": "x"}) for k in range(n)]), validated
    ),
    "workbench: drafts": Family(lambda n: body(*(order(id=f"d{k}") for k in range(n))), validated),
    "workbench: faults": Family(lambda n: body(*({"resourceType": "X", "a": 1} for k in range(n))), validated),
    "workbench: members": Family(
        lambda n: _with(lambda request: request.update({f"m{k}": 1 for k in range(n)})), validated
    ),
    "workbench: cards": Family(
        lambda n: json.dumps({"cards": [{"summary": "x", "indicator": "info", "source": {"label": "x"}}] * n}).encode(),
        answer_validated,
    ),
    "workbench: actions": Family(
        lambda n: json.dumps(
            {
                "cards": [
                    {
                        "summary": "x",
                        "indicator": "info",
                        "source": {"label": "x"},
                        "suggestions": [
                            {"label": "x", "actions": [{"type": "create", "description": "x", "resource": order()}] * n}
                        ],
                    }
                ]
            }
        ).encode(),
        answer_validated,
    ),
    "workbench: a Bundle": Family(
        lambda n: entries([{"resourceType": "Patient", "id": PATIENT}, *(condition(k) for k in range(n))]), dropped
    ),
    **{
        f"workbench: Markdown of {name}": Family(lambda n, text=text: text * n, rendered, LONGEST_MARKDOWN)
        for name, text in {
            "words": b"word ",
            "emphasis": b"*a ",
            "emphasis both ways": b"*a_ ",
            "brackets": b"[",
            "links": b"[a](",
            "links closed": b"[a](b) ",
            "quotes": b">",
            "lists": b"- a\n",
            "backquotes": b"`a``",
            "tables": b"|a",
            "rows": b"|a|b|\n|-|-|\n",
            "entities": b"&#1;",
            "angles": b"<a ",
            "strikes": b"~~a ",
            "nested lists": b"* ",
            "definitions": b"[a]: b\n",
        }.items()
    },
}

FAMILIES: dict[str, Family] = {name: Family(make, call) for name, make in CALLS.items()} | OTHERS


# --- the worst calls --------------------------------------------------------------------------------------------------


def largest(family: Family) -> int:
    """About the largest n whose input the limits of bytes let through: an input grows evenly with n."""
    small, larger = 200, 400
    while len(family.make(larger)) > family.most:
        small, larger = small // 2, small
    empty, grown = len(family.make(small)), len(family.make(larger))
    most = small + (family.most - empty) * (larger - small) // (grown - empty)
    while len(family.make(most)) > family.most:
        most -= 1 + most // 50
    return most


def is_refused(answer: object) -> bool:
    """Whether what came of a reading is the status of a refusal."""
    return isinstance(answer, int)


def largest_read(family: Family) -> int:
    """About the largest n whose input is read and not refused; of what is refused at any size the largest of all."""
    most, least = largest(family), 4
    if is_refused(family.read(family.make(least))) or not is_refused(family.read(family.make(most))):
        return most
    while most - least > max(4, least // 100):
        middle = (least + most) // 2
        least, most = (least, middle) if is_refused(family.read(family.make(middle))) else (middle, most)
    return least


def seconds(read: Read, data: bytes, best_of: int = BEST_OF) -> float:
    """The processor time of reading, the best of several."""
    return min(timed(read, data)[0] for _ in range(best_of))


def timed(read: Read, data: bytes) -> tuple[float, object]:
    """The processor time of reading once, and what came of it."""
    started = thread_time()
    answer = read(data)
    return thread_time() - started, answer


def worst(family: Family) -> tuple[float, int, int]:
    """The most seconds of processor time that one input of a family costs, with its n and its bytes.

    Beyond a limit of resources, drafts or words an input is refused for little, so that the one just below it is tried
    too.
    """
    costs = []
    for n in {largest(family), largest_read(family)}:
        data = family.make(n)
        costs.append((seconds(family.read, data, 1), n, len(data)))
    return max(costs)


# --- the sizes by which growth is judged ------------------------------------------------------------------------------

SIZES = Path(__file__).with_name("growth_sizes.json")
# What the largest input must cost, in seconds, for its time to be distinguished from noise; most families get there. A
# quicker machine needs no longer inputs for that, so that the sizes aim at somewhat more.
WORTH_MEASURING, AIMED_AT = 0.05, 0.06


@cache
def sizes() -> dict[str, int]:
    """By the name of a family the size 4n by which its growth is judged.

    It costs ``WORTH_MEASURING``, or is the largest that the limits allow.
    """
    return json.loads(SIZES.read_text(encoding="utf-8"))


def _size(family: Family) -> int:
    most = largest_read(family)
    cost = seconds(family.read, family.make(most), 2)
    # Work grows evenly with n.
    return rounded(round(most * min(1.0, AIMED_AT / cost)))


def rounded(size: int) -> int:
    """A size 4n that can be parted; some inputs grow by the hundred."""
    step = 400 if size >= 4_000 else 4
    return max(4, size // step * step)


def write_sizes(names: list[str]) -> None:
    """Measures and writes ``growth_sizes.json``, whole or for the families that are named."""
    from tests.growth_doublings import kept_memory

    gc.disable()
    with kept_memory():
        found = {name: _size(family) for name, family in FAMILIES.items() if not names or name in names}
    kept = sizes() if names else {}
    merged = {name: found.get(name) or kept[name] for name in FAMILIES}
    SIZES.write_text(json.dumps(merged, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Prints the worst calls that the default limits let through, the costliest first."""
    gc.disable()
    measured = []
    for name, family in FAMILIES.items():
        family.read(family.make(1))
        measured.append((*worst(family), name))
        print(name, measured[-1][:3], file=sys.stderr, flush=True)
        gc.collect()
    print("| input | n | size | CPU ms |\n|---|---|---|---|")
    for cost, n, size, name in sorted(measured, reverse=True):
        print(f"| {name} | {n:,} | {size / 1e6:.1f} MB | {cost * 1000:.0f} |")


if __name__ == "__main__":
    write_sizes(sys.argv[2:]) if sys.argv[1:2] == ["sizes"] else main()
