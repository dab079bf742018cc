"""The invariant of cost: twice the input is at most about twice the work, whatever a caller or a server sends.

The only tests that measure time: the processor time of their own thread, which other work on the machine changes
little.

Growth is judged for each doubling apart, at n, 2n and 4n, without exception: 4n costs 50 ms or is the largest input
that the limits allow (``growth_sizes.json``). The process keeps its memory meanwhile (``kept_memory`` says why).
"""

import gc
import json
import math
from collections.abc import Iterator

import orjson
import pytest

from cds_service import json_bodies
from cds_service.clock import Deadline
from cds_service.ehr.addresses import Allowance
from cds_service.ehr.fetch import Fetcher
from cds_service.ehr.received import Received
from cds_service.ehr.search import FetchLimits
from cds_service.errors import RequestError
from cds_service.fhir.bundles import ReadLimits, once, size_of
from cds_service.hooks import hook_request
from cds_service.hooks.hook_request import HookRequest
from tests import growth
from tests.charts import chart, condition, facts_of, observation
from tests.growth import FAMILIES, Family, seconds, sizes
from tests.growth_doublings import MOST_FOR_A_DOUBLING, doublings, in_a_new_process, kept_memory, measured

TRIES = 5


@pytest.fixture(autouse=True, scope="module")
def settled_heap() -> Iterator[None]:
    """What other tests left behind is looked through once, not before each family."""
    gc.collect()
    gc.freeze()
    with kept_memory():
        yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def no_garbage_collector() -> Iterator[None]:
    """Its runs fall where they like."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", FAMILIES)
def test_twice_the_input_is_at_most_about_twice_the_work(name):
    assert max(grown := measured(name)) <= MOST_FOR_A_DOUBLING, grown


def test_a_family_is_measured_in_a_new_process_as_in_this_one():
    name = "measurements"
    assert len(in_a_new_process(name)) == len(measured(name))


def test_each_family_has_a_size():
    assert sorted(sizes()) == sorted(FAMILIES)


# Passes over the input that readers make whose work is n log n, n times its root, and the square of n.
PASSES = {"n log n": int.bit_length, "n to the power of 1.5": math.isqrt, "the square of n": lambda size: size}


@pytest.mark.parametrize(
    ("work", "size", "passes"),
    [("n log n", 1 << 16, True), ("n to the power of 1.5", 1 << 14, False), ("the square of n", 1 << 9, False)],
)
def test_the_test_tells_work_that_grows_too_fast(work, size, passes):
    family = Family(lambda n: b'"' + b"x" * n + b'"', lambda data: [sum(data) for _ in range(PASSES[work](len(data)))])
    assert (max(doublings(family, size)) <= MOST_FOR_A_DOUBLING) == passes


CRITICAL = {
    "text that never ends": growth.CALLS["depth behind which text never ends"](65_000),
    "copies of one id": growth.CALLS["copies of one id"](1_600),
}


@pytest.mark.parametrize("name", CRITICAL)
def test_a_small_hostile_body_is_answered_at_once(name):
    answer = growth.call(CRITICAL[name])
    assert isinstance(answer, dict) or 400 <= answer < 500
    assert min(seconds(growth.call, CRITICAL[name]) for _ in range(TRIES)) < 0.05


def test_the_look_at_depth_costs_little_of_a_usual_call():
    data = json.dumps(growth.example("typical-gaps")).encode()
    # In pairs: the machine may be slower for one of two readings that lie apart.
    assert min(seconds(json_bodies.read_json, data, 50) / seconds(orjson.loads, data, 50) for _ in range(TRIES)) < 2


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "name"),
    [(ReadLimits(resources=3), "CDS_SERVICE_MAX_RESOURCES"), (ReadLimits(drafts=2), "CDS_SERVICE_MAX_DRAFTS")],
)
def test_a_call_beyond_a_limit_names_the_limit(limits, name):
    call = json.loads(growth.body(growth.order(), condition=[growth.condition(k) for k in range(3)]))
    with pytest.raises(RequestError, match=name) as caught:
        hook_request.parse("coverage-guidance-order-sign", call, limits)
    assert (caught.value.status, caught.value.code) == (413, "too-costly")


def test_the_limits_count_each_copy_and_what_bundles_hold():
    bundle = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Condition", "id": "c"}}] * 3}
    nested = {"resourceType": "Bundle", "entry": [{"resource": bundle}, {"resource": {"resourceType": "Patient"}}]}
    assert [size_of(value) for value in (None, {"resourceType": "Patient"}, bundle, nested, [bundle, 1])] == [
        0,
        1,
        3,
        4,
        3,
    ]


def test_a_code_in_too_many_words_spoils_its_record_and_not_the_call():
    wordy = chart(condition=condition(code={"text": "pain " * 3_000}), patient={"resourceType": "Patient", "id": "p1"})
    (item,) = wordy.unreadable
    assert (item.reference, "CDS_SERVICE_MAX_TEXT_CHARACTERS" in item.why) == ("Condition/c1", True)
    assert facts_of(wordy)


def test_components_beyond_the_limit_cannot_be_read():
    many = chart(observation=observation("1-1", component=[{}] * 5_001))
    assert "CDS_SERVICE_MAX_RESOURCES" in many.unreadable[0].why


@pytest.mark.parametrize("shares", [[5_002], [2_000, 2_000, 2_000]])
def test_payors_beyond_the_limit_are_unreadable_and_leave_the_payer_unknown(shares):
    call = json.loads(growth.body())
    call["prefetch"]["coverage"] = growth.searchset(
        [
            {
                "resourceType": "Coverage",
                "id": f"v{place}",
                "status": "active",
                "beneficiary": growth.ME,
                "payor": [{"display": "P"}] * share,
            }
            for place, share in enumerate(shares)
        ]
    )
    detail = growth.call(json.dumps(call).encode())["cards"][0]["detail"]
    assert "**Payer:** " in detail
    assert "has more payor than are read" in detail


def test_sites_beyond_the_limit_make_a_record_unreadable():
    surgery = {"resourceType": "Procedure", "id": "s1", "status": "completed", "subject": {"reference": "Patient/p1"}}
    many = chart(
        surgery | {"code": {"text": "lumbar fusion"}, "bodySite": [{"text": "lumbar spine"}] * 5_002},
        patient={"resourceType": "Patient", "id": "p1"},
    )
    assert [item.reference for item in many.unreadable] == ["Procedure/s1"]
    assert "has more bodySite than are read (CDS_SERVICE_MAX_RESOURCES" in many.unreadable[0].why


@pytest.mark.parametrize("name", ["words of one order", "codings of one order", "words of one order's site"])
def test_an_order_of_too_many_characters_is_refused_with_the_setting(name):
    with pytest.raises(RequestError, match="CDS_SERVICE_MAX_ALL_TEXT_CHARACTERS") as caught:
        hook_request.parse("coverage-guidance-order-sign", json.loads(growth.CALLS[name](200_000)))
    assert (caught.value.status, caught.value.code) == (413, "too-costly")


def test_a_public_chart_of_4_mb_passes_under_the_default_limits():
    data = growth.synthea_shaped()
    assert 4_000_000 < len(data) < growth.MAX_BODY
    answer = growth.call(data)
    assert answer["cards"]
    assert "CDS_SERVICE_MAX" not in json.dumps(answer)


def test_what_is_fetched_beyond_the_limit_is_unknown_and_said_to_be():
    class Server:
        def get(self, url, **_):
            kind = url.rpartition("/")[2].partition("?")[0]
            listed = [
                {"resource": {"resourceType": kind, "id": f"{k}", "subject": {"reference": "Patient/p1"}}}
                for k in range(3)
            ]
            body = json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": listed}).encode()
            return Received(200, "application/fhir+json", body, url)

    request = HookRequest(
        hook="patient-view",
        patient_id="p1",
        drafts=(),
        selections=None,
        prefetch={},
        fhir_server="http://127.0.0.1:1/fhir",
    )
    fetcher = Fetcher(Server(), FetchLimits(100_000, 5, 4))
    wanted = {"condition": "Condition?patient=p1", "procedure": "Procedure?patient=p1"}
    completed = fetcher.complete(request, wanted, Allowance(loopback=True), Deadline(5)).request
    fetcher.close()
    assert list(completed.prefetch) == ["condition"]
    assert "CDS_SERVICE_MAX_RESOURCES" in completed.unfetched["procedure"]


def test_of_two_versions_the_later_is_kept_and_each_is_written_down_at_most_once(monkeypatch):
    written = []
    monkeypatch.setattr("cds_service.fhir.bundles.dumps", lambda value, **_: written.append(value) or json.dumps(value))
    kept = {"id": "a", "meta": {"lastUpdated": "9999"}, "note": "large"}
    copies = [{"id": "a", "note": str(number)} for number in range(5)]
    same_moment = [{"id": "b", "note": str(number)} for number in range(5)]
    assert once([kept, *copies, *same_moment]) == [kept, same_moment[-1]]
    assert len(written) == len(same_moment)
