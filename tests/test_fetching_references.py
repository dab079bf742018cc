"""What a call refers to by id alone is read from the EHR's server, a few at most and within the deadline."""

import json

import pytest

from cds_service.clock import Deadline
from cds_service.ehr.addresses import Allowance
from cds_service.ehr.complete import complete_call
from cds_service.ehr.fetch import Fetcher
from cds_service.ehr.received import OutgoingError, Received
from cds_service.ehr.references import MOST_REFERENCES, unresolved
from cds_service.ehr.search import FetchLimits
from cds_service.hooks.hook_request import parse
from tests.charts import ME, bundle, named, order

BASE = "https://ehr.example/fhir"
PAYER = {"reference": "Organization/o1"}


def coverage(payor=PAYER, **changes):
    named_by = {"payor": [payor]} if payor else {}
    return {"resourceType": "Coverage", "id": "v1", "beneficiary": ME} | named_by | changes


def call(*resources, draft=None, server=BASE):
    by_type = {}
    for resource in resources:
        by_type.setdefault(resource["resourceType"], []).append(resource)
    prefetch = {kind: bundle(*found) for kind, found in by_type.items()}
    context = {"patientId": "p1", "draftOrders": {"entry": [{"resource": draft or order()}]}}
    body = {"hook": "order-sign", "hookInstance": "x", "context": context, "prefetch": prefetch, "fhirServer": server}
    return parse("coverage-guidance-order-sign", body)


def drug(kind, **reference):
    return {"resourceType": kind, "id": "m1", "subject": ME, "medicationReference": reference}


def done(**reference):
    return {"resourceType": "Procedure", "id": "x1", "subject": ME, "reasonReference": [reference]}


@pytest.mark.parametrize(
    ("request_", "wanted"),
    named(
        ("a payer by reference", call(coverage()), ["Organization/o1"]),
        ("the insurer of R5", call(coverage(payor=None, insurer=PAYER)), ["Organization/o1"]),
        ("an address on the server", call(coverage({"reference": f"{BASE}/Organization/o1"})), ["Organization/o1"]),
        ("a drug", call(drug("MedicationRequest", reference="Medication/d1")), ["Medication/d1"]),
        ("a drug of the medication list", call(drug("MedicationStatement", reference="Medication/d1")),
         ["Medication/d1"]),
        ("the reason of something done", call(done(reference="Condition/c1")), ["Condition/c1"]),
        ("the reason of a draft, whatever its words", call(draft=order(
            reasonReference=[{"reference": "Condition/c1", "display": "Pain"}])), ["Condition/c1"]),
        ("one of two alike", call(coverage(), coverage(id="v2")), ["Organization/o1"]),
        ("a payer with its name", call(coverage(PAYER | {"display": "Example Mutual"})), []),
        ("a payer that was sent", call(coverage(), {"resourceType": "Organization", "id": "o1"}), []),
        ("a contained payer", call(coverage({"reference": "#o1"})), []),
        ("a payer on another server", call(coverage({"reference": "https://elsewhere.example/Organization/o1"})), []),
        ("a urn", call(coverage({"reference": "urn:uuid:6a0a3f0e-0c5e-4b7e-9a53-1d2b3c4d5e6f"})), []),
        ("another type", call(coverage({"reference": "Patient/p2"})), []),
        ("a step upwards", call(coverage({"reference": "Organization/.."})), []),
        ("an id that is none", call(coverage({"reference": "Organization/a?b=c"})), []),
        ("a payor of another shape", call(coverage("Example Mutual")), []),
    ),
)  # fmt: skip
def test_only_bare_references_of_the_server_are_read(request_, wanted):
    assert list(unresolved(request_)) == wanted


def test_the_payers_come_first_and_only_so_many_are_read():
    drugs = [drug("MedicationRequest", reference=f"Medication/d{n}") | {"id": f"m{n}"} for n in range(50)]
    wanted = list(unresolved(call(*drugs, coverage())))
    assert wanted[0] == "Organization/o1"
    assert len(wanted) == MOST_REFERENCES


class Server:
    """Answers reads of the resources that it holds, and remembers what it was asked for."""

    def __init__(self, *held):
        self.held = {f"{BASE}/{item['resourceType']}/{item['id']}": item for item in held}
        self.asked = []

    def get(self, url, **_):
        self.asked.append(url)
        if url not in self.held:
            raise OutgoingError("unreachable", "no such record")
        return Received(200, "application/fhir+json", json.dumps(self.held[url]).encode(), url)


def completed(request, server, seconds=10.0):
    fetcher = Fetcher(server, FetchLimits(100_000, 5))
    try:
        return complete_call(request, lambda _: {}, fetcher, Allowance((BASE,), ()), Deadline(seconds))
    finally:
        fetcher.close()


def test_what_is_referred_to_is_read_and_stands_in_the_call():
    server = Server({"resourceType": "Organization", "id": "o1", "name": "Example Mutual"})
    result = completed(call(coverage()), server)
    assert server.asked == [f"{BASE}/Organization/o1"]
    assert result.request.prefetch["Organization/o1"]["name"] == "Example Mutual"
    assert result.report == ()


def test_what_cannot_be_read_changes_nothing_else():
    server = Server()
    result = completed(call(coverage()), server)
    assert "Organization/o1" not in result.request.prefetch
    assert list(result.request.prefetch) == ["Coverage"]


def test_nothing_is_read_without_a_server_or_without_time():
    server = Server({"resourceType": "Organization", "id": "o1"})
    completed(call(coverage(), server=None), server)
    completed(call(coverage()), server, seconds=0.0)
    assert server.asked == []
