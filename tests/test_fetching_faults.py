"""Every fault of a FHIR server x every prefetch key: answered in time, and the fault spoils only what it befalls."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic

import orjson
import pytest

from cds_service.authoring import cases
from cds_service.clock import Deadline
from cds_service.ehr.addresses import Allowance
from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.complete import complete_call
from cds_service.ehr.fetch import Fetcher
from cds_service.ehr.search import FetchLimits
from cds_service.errors import RequestError
from cds_service.facts.logic import Truth
from cds_service.hooks import hook_request
from cds_service.service import hook_call
from tests.fhir_server import FAULTS, LONGEST_FAULT, FhirServer
from tests.shipped import TODAY, example, guide, library, wanted_on

KEYS = sorted(library().prefetch_keys)
# Generous, for a machine that is busy with other things; a fault that hangs would hang for longer still.
SLACK = LONGEST_FAULT / 2
LIMITS = FetchLimits(1_000_000, 5)
EXAMPLES = ("all-met", "joint-all-documented")


@contextmanager
def fetching(server: FhirServer, base: str, limits: FetchLimits = LIMITS) -> Iterator[tuple[Fetcher, Allowance]]:
    client = OutgoingClient()
    fetcher = Fetcher(client, limits, threads=256, most_outstanding=512)
    try:
        yield fetcher, Allowance((base,), (), loopback=True)
    finally:
        fetcher.close()
        client.close()


def read_by(policy, criterion) -> set[str]:
    """Every resource type that may change what is found for a criterion."""
    names = [*criterion.test.facts(), *criterion.beside]
    rules = [policy.facts[name] for name in names]
    rules += [policy.facts[name] for rule in rules for name in (rule.start, rule.end) if name]
    reasons = {"Condition"} if any(rule.reason for rule in rules) else set()
    return set().union(*(rule.types() for rule in rules)) | reasons


def bytes_of(finding) -> bytes:
    return orjson.dumps([finding.truth.value, finding.reason, finding.beside, finding.evidence], default=list)


def decided(request):
    (answer,) = hook_call.answer(request, guide(), TODAY)
    assert answer.decision is not None
    return answer


def told(name: str, key: str, base: str, fetcher: Fetcher, allowance: Allowance, seconds: float):
    """One call that sends all but one key: the call as completed, its answer or refusal, and the seconds it took."""
    body = example(name)
    del body["prefetch"][key]
    body["fhirServer"] = base
    request = hook_request.parse(f"coverage-guidance-{body['hook']}", body)
    started = monotonic()
    completed = complete_call(request, wanted_on(request, TODAY), fetcher, allowance, Deadline(seconds)).request
    try:
        answer = decided(completed)
    except RequestError as error:
        answer = error
    return completed, answer, monotonic() - started


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_spoils_only_what_it_befalls(name):
    fault = FAULTS[name]
    # What does not hang has time enough on a busy machine too, and what hangs time enough to be asked for.
    seconds = 4.0 if fault.hangs else 20.0
    for example_name in EXAMPLES:
        body = example(example_name)
        whole = decided(hook_request.parse(f"coverage-guidance-{body['hook']}", body))
        policy = whole.policy
        keys = [key for key in KEYS if library().prefetch_keys[key] in {*policy.resource_types, "Patient"}]
        keys = [key for key in keys if key != "patient" or not fault.searches]
        faults = {} if fault.serve is None else {library().prefetch_keys[key]: fault.serve for key in keys}
        with FhirServer(body["prefetch"], faults=faults) as server:
            base = fault.base(server) if fault.base else server.base
            with fetching(server, base) as (fetcher, allowance), ThreadPoolExecutor(len(keys)) as pool:
                calls = [pool.submit(told, example_name, key, base, fetcher, allowance, seconds) for key in keys]
                results = dict(zip(keys, [call.result() for call in calls], strict=True))
        for key, (completed, answer, taken) in results.items():
            kind = library().prefetch_keys[key]
            assert taken < seconds + SLACK, key
            assert completed.unfetched.keys() == {key}
            sentence = completed.unfetched[key]
            assert any(words in sentence for words in fault.says), sentence
            if kind == "Patient":
                assert isinstance(answer, RequestError)
                assert answer.status == 412
                assert sentence in answer.sentence
                continue
            _only_its_own(whole, answer, policy, kind, sentence)


def _only_its_own(whole, answer, policy, kind, sentence):
    decision = answer.decision
    assert decision.findings.keys() == whole.decision.findings.keys()
    for name, finding in decision.findings.items():
        before = whole.decision.findings[name]
        if kind not in read_by(policy, finding.criterion):
            assert bytes_of(finding) == bytes_of(before), (kind, name)
        elif finding.truth is not before.truth:
            assert finding.truth is Truth.UNKNOWN, (kind, name)
            assert sentence in finding.reason, (kind, name)
    assert f"Not fetched:** {sentence}." in cases.told(answer)


def test_the_table_has_the_faults_that_were_promised():
    assert len(FAULTS) >= 20


def test_a_fault_that_befalls_what_settles_criteria_makes_them_unknown():
    """The table above would be satisfied by criteria that no fault ever touches."""
    body = example("all-met")
    del body["prefetch"]["questionnaireResponse"]
    with FhirServer({}, faults={"QuestionnaireResponse": FAULTS["503"].serve}) as server:
        body["fhirServer"] = server.base
        with fetching(server, server.base) as (fetcher, allowance):
            request = hook_request.parse("coverage-guidance-order-sign", body)
            completed = complete_call(request, wanted_on(request, TODAY), fetcher, allowance, Deadline(20)).request
    reasons = [item.reason for item in decided(completed).decision.findings.values() if item.truth is Truth.UNKNOWN]
    said = [reason for reason in reasons if "QuestionnaireResponse: the EHR's FHIR server failed (503)" in reason]
    assert len(said) >= 5


MANY = [
    {
        "resourceType": "Condition",
        "id": f"more-{number}",
        "subject": {"reference": f"Patient/{example('all-met')['context']['patientId']}"},
        "code": {"text": "x" * 400},
    }
    for number in range(40)
]
# As much as the first pages take, and not as much as all of them do.
ROOM = 15_000


def limited(body, **sent):
    """A call of which only ``sent`` and the patient come with it, fetched page by page with little room for bytes."""
    prefetch = body["prefetch"] | {"condition": {"resourceType": "Bundle", "entry": [{"resource": it} for it in MANY]}}
    with FhirServer(prefetch, page_size=1) as server:
        call = body | {"fhirServer": server.base, "prefetch": {"patient": body["prefetch"]["patient"]} | sent}
        request = hook_request.parse(f"coverage-guidance-{body['hook']}", call)
        limits = FetchLimits(1_000_000, 100, max_call_bytes=ROOM)
        with fetching(server, server.base, limits) as (fetcher, allowance):
            return complete_call(request, wanted_on(request, TODAY), fetcher, allowance, Deadline(30))


def test_beyond_the_bytes_of_a_call_a_list_has_come_in_part():
    body = example("all-met")
    sent = {key: value for key, value in body["prefetch"].items() if key != "condition"}
    completed = limited(body, **sent)
    found = completed.request.prefetch["condition"]["entry"]
    assert 0 < len(found) < len(MANY)
    assert len(orjson.dumps(found)) <= ROOM
    assert "CDS_SERVICE_FHIR_MAX_CALL_BYTES" in completed.request.unfetched["condition"]
    assert [(item.state, item.cause) for item in completed.report if item.key == "condition"] == [
        ("in-part", "too-large")
    ]
    (answer,) = hook_call.answer(completed.request, guide(), TODAY)
    ledger = answer.assessment.chart.delivery("Condition")
    assert (ledger.state, ledger.received) == ("in-part", len(found))


def test_the_searches_of_a_call_share_its_bytes_over_all_stages():
    completed = limited(example("all-met"))
    fetched = {item.key: item for item in completed.report if item.state != "sent"}
    came = [completed.request.prefetch[key] for key in fetched if key in completed.request.prefetch]
    assert len(orjson.dumps(came)) <= ROOM
    beyond = {key for key, item in fetched.items() if item.cause == "too-large"}
    assert "condition" in beyond
    for key in beyond:
        assert "CDS_SERVICE_FHIR_MAX_CALL_BYTES" in completed.request.unfetched[key]
