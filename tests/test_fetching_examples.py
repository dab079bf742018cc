"""With its prefetch emptied, every example gives the same card: everything is fetched from the EHR's FHIR server."""

import json

import orjson
import pytest

from cds_service.clock import Deadline
from cds_service.ehr.addresses import Allowance
from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.complete import complete_call
from cds_service.ehr.fetch import Fetcher
from cds_service.ehr.search import FetchLimits
from cds_service.errors import UnreadableError
from cds_service.examples import examples
from cds_service.fhir.elements import codings
from cds_service.fhir.types import TYPES
from cds_service.hooks import hook_request
from cds_service.service import hook_call
from cds_service.settings.settings import data_folder
from tests.fhir_server import FhirServer
from tests.shipped import TODAY, example, guide, library, wanted_on

EXAMPLES = examples(data_folder("fhir_examples"))
SECONDS = 10.0
TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="module")
def fetcher():
    client = OutgoingClient()
    made = Fetcher(client, FetchLimits(5_000_000, 20))
    yield made
    made.close()
    client.close()


def emptied(body: dict, server: FhirServer) -> dict:
    granted = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.rs"}
    return body | {"prefetch": {}, "fhirServer": server.base, "fhirAuthorization": granted}


def completed(body: dict, today, fetcher, server):
    request = hook_request.parse(f"coverage-guidance-{body['hook']}", body)
    return complete_call(
        request, wanted_on(request, today), fetcher, Allowance((server.base,), (), loopback=True), Deadline(SECONDS)
    )


def card_bytes(request, today) -> bytes:
    return orjson.dumps(hook_call.response(hook_call.answer(request, guide(), today)))


def serving(body: dict, **how) -> FhirServer:
    return FhirServer(body["prefetch"], token=TOKEN, **how)


def is_found_by_its_code(resource: dict) -> bool:
    """Whether a search brings a resource: one for codes does not bring what has a broken code."""
    row = TYPES.get(resource["resourceType"])
    try:
        return row is None or not row.by_code or codings(resource.get("code")) is not None
    except UnreadableError:
        return False


def as_held(body: dict) -> dict:
    """The call with what a server can hold of its prefetch: objects, and in answer to a search those of the patient."""
    mine = f"Patient/{body['context']['patientId']}"
    for value in body["prefetch"].values():
        if value is not None and "entry" in value:
            sent = value["entry"]
            value["entry"] = [
                entry
                for entry in sent
                if isinstance(entry, dict)
                and isinstance(resource := entry.get("resource"), dict)
                and (resource.get("subject") or {}).get("reference", mine) == mine
                and is_found_by_its_code(resource)
            ]
            if "total" in value:
                value["total"] -= len(sent) - len(value["entry"])
    return body


def test_all_examples_but_the_broken_one_hold_what_a_server_can_hold():
    assert [name for name in EXAMPLES if as_held(example(name)) != example(name)] == ["broken-resources"]


@pytest.mark.parametrize("page_size", [None, 7])
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_card_is_the_same_by_fetching(name, page_size, fetcher):
    body, today = as_held(example(name)), EXAMPLES[name].today
    sent = hook_request.parse(f"coverage-guidance-{body['hook']}", body)
    with serving(body, page_size=page_size) as server:
        result = completed(emptied(body, server), today, fetcher, server)
    assert result.request.unfetched == {}
    assert card_bytes(result.request, today) == card_bytes(sent, today)


def test_no_example_leaves_a_key_out_that_is_published():
    """So there is nothing to decide of keys that an example leaves out or sends as failed."""
    for name in EXAMPLES:
        prefetch = example(name)["prefetch"]
        assert library().prefetch_keys.keys() <= prefetch.keys(), name
        assert all(value is None or value["resourceType"] != "OperationOutcome" for value in prefetch.values()), name


def test_a_server_that_ignores_the_codes_changes_no_card(fetcher):
    """More than was asked for is no harm, as long as it is the patient's."""
    body = example("typical-gaps")
    with serving(body, careless=True) as server:
        result = completed(emptied(body, server), TODAY, fetcher, server)
    assert card_bytes(result.request, TODAY) == card_bytes(
        hook_request.parse("coverage-guidance-order-sign", body), TODAY
    )


def test_a_server_that_ignores_the_patient_is_not_believed(fetcher):
    """Of a search that brings another patient's records, nobody knows whether it brings all of this one's."""
    body = example("broken-resources")
    with serving(body, careless=True) as server:
        result = completed(emptied(body, server), TODAY, fetcher, server)
    assert result.request.unfetched == {
        "observation": "Observation: the EHR's FHIR server sent records of another patient"
    }


def test_an_order_that_is_nobodys_business_opens_no_connection(fetcher):
    body = example("unrelated-order")
    with serving(body) as server:
        result = completed(emptied(body, server), TODAY, fetcher, server)
        assert server.calls == []
    assert result.report == ()


def test_a_chart_that_nobody_has_a_word_on_is_asked_for_no_more_than_tells_that(fetcher):
    body = example("patient-view-silent")
    with serving(body) as server:
        result = completed(emptied(body, server), TODAY, fetcher, server)
        asked = {path.removeprefix("/fhir/").partition("?")[0].partition("/")[0] for path, _ in server.calls}
    opening = set().union(*library().read_when_a_chart_is_opened.values()) | {"Patient"}
    assert asked == opening
    assert asked < set(library().prefetch_keys.values())
    assert hook_call.answer(result.request, guide(), TODAY) == []


def test_a_chart_that_a_policy_has_a_word_on_is_asked_for_all_in_two_stages(fetcher):
    body = example("patient-view-multifidus")
    with serving(body) as server:
        result = completed(emptied(body, server), TODAY, fetcher, server)
        assert len(server.calls) == len({path for path, _ in server.calls})
    (answer,) = hook_call.answer(result.request, guide(), TODAY)
    kinds = {library().prefetch_keys[item.key] for item in result.report}
    asked_for = {name for name in answer.policy.resource_types if not TYPES[name].unasked}
    assert kinds == asked_for | {"Patient"}
    assert {item.state for item in result.report} == {"fetched"}


def test_a3_4_a2_what_was_sent_is_not_asked_for_and_what_is_absent_is(fetcher):
    """Rule A3.4: absent leads to a fetch; null and an empty Bundle are answers; a failed key is not asked again."""
    body = example("all-met")
    sent = body["prefetch"]
    with serving(body) as server:
        call = emptied(body, server)
        call["prefetch"] = {
            "patient": sent["patient"],
            "device": None,
            "procedure": {"resourceType": "Bundle", "type": "searchset"},
            "condition": {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]},
            "coverage": ["no resource"],
        }
        result = completed(call, TODAY, fetcher, server)
        asked = {path.removeprefix("/fhir/").partition("?")[0] for path, _ in server.calls}
    assert not asked & {"Patient/marisol-quintero", "Device", "Procedure", "Condition", "Coverage"}
    assert {"Observation", "MedicationRequest", "QuestionnaireResponse"} <= asked
    assert {key: result.request.prefetch[key] for key in call["prefetch"]} == call["prefetch"]
    assert result.request.unfetched == {}


def test_a3_4_the_pages_behind_a_first_page_are_followed_with_the_token(fetcher):
    body = example("all-met")
    whole = hook_request.parse("coverage-guidance-order-sign", body)
    with serving(body, page_size=10) as server:
        call = emptied(body, server)
        entries = body["prefetch"]["condition"]["entry"]
        first = body["prefetch"]["condition"] | {
            "entry": entries[:10],
            "link": [{"relation": "next", "url": "Condition?patient=marisol-quintero&_start=10"}],
        }
        call["prefetch"] = body["prefetch"] | {"condition": first}
        result = completed(call, TODAY, fetcher, server)
        ((path, headers),) = server.calls
    assert path == "/fhir/Condition?patient=marisol-quintero&_start=10"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Accept"] == "application/fhir+json"
    assert card_bytes(result.request, TODAY) == card_bytes(whole, TODAY)


def test_a3_6_works_from_prefetch_alone_where_no_server_is_named(fetcher):
    body = example("typical-gaps")
    del body["prefetch"]["observation"]
    request = hook_request.parse("coverage-guidance-order-sign", body)
    result = complete_call(request, wanted_on(request, TODAY), fetcher, Allowance((), ()), Deadline(SECONDS))
    assert result.request is request
    assert result.report == ()


def test_a_token_is_neither_shown_nor_kept(fetcher):
    body = example("typical-gaps")
    with serving(body) as server:
        result = completed(emptied(body, server), TODAY, fetcher, server)
    assert TOKEN not in repr(result)
    assert TOKEN not in json.dumps(result.request.unfetched)


def test_a3_5_412_says_why_the_patient_could_not_be_fetched(fetcher):
    body = example("all-met")
    with FhirServer({}, token="another token") as server:
        request = completed(emptied(body, server), TODAY, fetcher, server).request
    with pytest.raises(hook_request.RequestError) as refusal:
        hook_call.answer(request, guide(), TODAY)
    assert refusal.value.status == 412
    assert "Patient: the EHR refused access to it (401)" in refusal.value.sentence
