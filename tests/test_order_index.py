"""Many policies: an order finds those that it concerns, and no card depends on who else is loaded."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.chart import orders
from cds_service.chart.code_index import Lexicon
from cds_service.chart.order_index import OrderIndex
from cds_service.chart.policy_reads import REMEMBERED, PolicyReadsIndex
from cds_service.fhir.free_text import words
from cds_service.fhir.terminology import ICD10PCS
from cds_service.hooks import hook_request
from cds_service.library import Library, load_library
from cds_service.policy.codes import Code, CodeSet
from cds_service.policy.model import Act, Pathway, Policy
from cds_service.service import hook_call
from cds_service.service.guide import Guide
from tests import shipped
from tests.bench.many import documents, with_copies
from tests.charts import CPT, HCPCS, SNOMED, TODAY, chart_of, concept, minimal, named, order, sent
from tests.loading import policy_of

OTHERS = 99


def row(code, *, system=CPT, since=None, until=None, prefix=False):
    told = dict.fromkeys(("system_name", "label", "seen", "provenance"), "")
    return Code(system=system, code=code, valid_from=since, valid_until=until, prefix=prefix, **told)


def codes_of(*rows, phrases=()):
    exact = {(item.system, item.code): item for item in rows if not item.prefix}
    prefixes = tuple(item for item in rows if item.prefix)
    return CodeSet(name="set", title="", codes=rows, exact=exact, families=prefixes, phrases=phrases)


def policy(name, *rows, phrases=(), denied=(), pathway=None):
    """The made-up statement, known by other codes and phrases; ``pathway`` are the rows and the phrases of one."""
    acts = (Act(id="act", label="", codes=codes_of(*rows), code=row("none"), phrases=()),)
    pathways = ()
    if pathway is not None:
        codes, said = codes_of(*pathway[0]), tuple(map(words, pathway[1]))
        pathways = (Pathway(id="away", title="", codes=codes, phrases=said, when=None, says="away"),)
    rule = replace(
        minimal().orders,
        acts=acts,
        named_in_text=tuple(map(words, phrases)),
        not_the_procedure_in_text=tuple(map(words, denied)),
        pathways=pathways,
    )
    return replace(minimal(), id=name, statement=name, orders=rule)


KNOWN = (
    policy("exact", row("11111"), row("22222"), phrases=("knee humming",)),
    policy("same code", row("11111", system=HCPCS), row("11111")),
    policy("prefix", row("111", prefix=True), row("2", prefix=True, system=HCPCS), phrases=("knee",)),
    policy("hidden behind an old code", row("11111", until="2020"), row("1", prefix=True)),
    policy("from next year", row("33333", since="2027-01-01"), phrases=("knee humming trial",)),
    policy("denied beside", phrases=("hum", "humming"), denied=("removal",)),
    policy("pathway", row("44444"), pathway=((row("55555"), row("5", prefix=True)), ("hum", "no hum"))),
    policy("nothing"),
)


def by_asking_each(policies, drafts, today=TODAY):
    return [item.id for item in policies if any(orders.may_concern(item.orders, draft, today) for draft in drafts)]


def by_index(policies, drafts, today=TODAY):
    return [item.id for item in OrderIndex(policies).concerned(drafts, today)]


@pytest.mark.parametrize(
    ("drafts", "expected"),
    named(
        ("nothing ordered", [], []),
        ("a code of several", [order("11111")], ["exact", "same code", "prefix"]),
        (
            "a code under the name of another system",
            [order(code=concept(HCPCS, "11111"))],
            ["exact", "same code", "prefix"],
        ),
        ("a code of another system", [order(code=concept(SNOMED, "11111"))], []),
        ("a prefix", [order("11199")], ["prefix", "hidden behind an old code"]),
        ("a code that is not a prefix's", [order("99999")], []),
        ("a code of next year", [order("33333")], []),
        ("a code on its date of service", [order("33333", occurrenceDateTime="2027-02-01")], ["from next year"]),
        ("words", [order(code={"text": "Knee humming"})], ["exact", "prefix", "denied beside"]),
        ("a part of a word", [order(code={"text": "Kneeling, chumming"})], []),
        ("denied words", [order(code={"text": "no knee"})], []),
        ("words that are not the procedure", [order(code={"text": "Removal, hum"})], ["pathway"]),
        ("a pathway's code", [order("55555")], ["pathway"]),
        ("a pathway's prefix", [order("51111")], ["pathway"]),
        ("two drafts", [order("44444"), order("22222")], ["exact", "pathway"]),
        (
            "a reference that may lead anywhere",
            [order("99999", codeReference={"reference": "#d"})],
            [item.id for item in KNOWN],
        ),
        (
            "a code that cannot be read",
            [order(code={"coding": [{"code": 5}], "text": "hum"})],
            ["denied beside", "pathway"],
        ),
    ),
)
def test_an_order_finds_its_policies(drafts, expected):
    assert by_index(KNOWN, drafts) == by_asking_each(KNOWN, drafts)
    assert by_index(KNOWN, drafts) == expected


CODES = st.text("125", max_size=6)
WORDS = st.lists(st.sampled_from(["knee", "hum", "no", "trial", "removal", "evaluation", "-", "denied"]), max_size=6)
PHRASES = st.lists(WORDS.map(" ".join), max_size=4)
SYSTEMS = st.sampled_from([CPT, HCPCS])
YEARS = st.sampled_from([None, "2025", "2026", "2027"])
ROWS = st.lists(st.builds(row, CODES, system=SYSTEMS, since=YEARS, until=YEARS, prefix=st.booleans()), max_size=4)
POLICIES = st.lists(
    st.builds(
        lambda rows, phrases, denied, pathway: policy("", *rows, phrases=phrases, denied=denied, pathway=pathway),
        ROWS,
        PHRASES,
        PHRASES,
        st.none() | st.tuples(ROWS, PHRASES),
    ),
    max_size=5,
).map(lambda items: [replace(item, id=str(number)) for number, item in enumerate(items)])
CONCEPTS = st.fixed_dictionaries(
    {
        "coding": st.lists(
            st.fixed_dictionaries({"system": SYSTEMS | st.none(), "code": CODES, "display": WORDS.map(" ".join)}),
            max_size=3,
        ),
        "text": WORDS.map(" ".join),
    }
)
DRAFTS = st.lists(
    st.builds(
        lambda code, day, device, reference: (
            (
                {"resourceType": "DeviceRequest", "codeCodeableConcept": code, "occurrenceDateTime": day}
                if device
                else {"resourceType": "ServiceRequest", "code": code, "occurrenceDateTime": day}
            )
            | ({"codeReference": {}} if reference else {})
        ),
        CONCEPTS | st.none() | st.just(3),
        YEARS,
        st.booleans(),
        st.integers(0, 9).map(lambda number: number == 0),
    ),
    max_size=3,
)


@given(policies=POLICIES, drafts=DRAFTS)
def test_the_index_finds_what_asking_each_policy_finds(policies, drafts):
    assert by_index(policies, drafts, date(2026, 6, 1)) == by_asking_each(policies, drafts, date(2026, 6, 1))


# --- a hundred policies -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowd() -> Library:
    """Many policies, and behind them the shipped ones; all of them read the same of every chart."""
    others = (policy_of(Path(made["policy"]["id"]), made) for made in documents(OTHERS))
    return Library((*others, *shipped.library().policies), shipped.BASE)


def answered(request, library):
    guide = Guide(library, shipped.guide().addresses, shipped.guide().id_key)
    parsed = hook_request.parse(hook_request.SERVICE_OF[request["hook"]], request)
    return {item.policy.id: item.card for item in hook_call.answer(parsed, guide, shipped.TODAY)}


def own(policy_id, request, crowd):
    return answered(request, Library((crowd.policy(policy_id),), crowd.canonical_base)).get(policy_id)


def with_order_of(request, policy: Policy):
    """The call, with an order of a policy's first act in place of its own drafts."""
    code = policy.orders.acts[0].code
    (entry, *_) = request["context"]["draftOrders"]["entry"]
    draft = entry["resource"] | {"code": concept(code.system, code.code)}
    drafts = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": draft}]}
    return request | {"context": request["context"] | {"draftOrders": drafts}}


def test_copies_stand_the_real_loader(tmp_path):
    assert len(load_library(with_copies(tmp_path, 2), shipped.BASE).policies) == 2 + len(shipped.library().policies)


def test_a_card_is_the_same_among_many_policies(crowd):
    request = shipped.example("typical-gaps")
    cards = answered(request, crowd)
    assert list(cards) == [shipped.library().policies[0].id]
    assert orjson.dumps(cards) == orjson.dumps(answered(request, shipped.library()))


def test_each_of_many_policies_answers_its_own_order_alone(crowd):
    request = shipped.example("typical-gaps")
    for policy in crowd.policies[:: OTHERS // 3]:
        mine = with_order_of(request, policy)
        cards = answered(mine, crowd)
        assert list(cards) == [policy.id]
        assert orjson.dumps(cards[policy.id]) == orjson.dumps(own(policy.id, mine, crowd))


@pytest.mark.parametrize("name", ["typical-gaps", "unrelated-order"])
def test_where_every_policy_looks_each_card_is_the_same(crowd, name):
    request = shipped.example(name)
    drafts = [entry["resource"] for entry in request["context"]["draftOrders"]["entry"]]
    drafts[0]["codeReference"] = {"reference": "#nothing"}
    assert len(crowd.order_index.concerned(drafts, shipped.TODAY)) == len(crowd.policies)
    cards = answered(request, crowd)
    assert orjson.dumps(cards) == orjson.dumps(answered(request, shipped.library()))


def test_an_opened_chart_gets_the_same_card_from_each_policy_that_opens_on_it(crowd):
    request = shipped.example("patient-view-multifidus")
    silent = replace(crowd.policies[0], patient_view_when=None)
    cards = answered(request, Library((silent, *crowd.policies[1:]), crowd.canonical_base))
    assert list(cards) == [policy.id for policy in crowd.policies[1:] if policy.patient_view_when]
    for policy_id in list(cards)[:: OTHERS // 3]:
        assert orjson.dumps(cards[policy_id]) == orjson.dumps(own(policy_id, request, crowd))


def test_policies_that_are_no_candidates_are_not_evaluated(crowd, monkeypatch):
    asked = []
    recognize = orders.recognize
    monkeypatch.setattr(orders, "recognize", lambda rule, *rest: asked.append(rule) or recognize(rule, *rest))
    answered(shipped.example("typical-gaps"), crowd)
    answered(shipped.example("unrelated-order"), crowd)
    assert [rule is shipped.library().policies[0].orders for rule in asked] == [True]


# --- what is read of a chart ------------------------------------------------------------------------------------------


def test_only_what_the_candidates_read_is_read():
    one, other = minimal(), replace(minimal(), id="other", resource_types=frozenset({"Device"}), code_sets={})
    needs = PolicyReadsIndex([one, other])
    assert needs.of([one]).resource_types == one.resource_types
    assert needs.of([one, other]).resource_types == one.resource_types | {"Device"}
    therapy = ((CPT, "97110"),)
    assert needs.of([other]).lexicon.read(therapy).rows == ()
    assert needs.of([one]).lexicon.read(therapy).rows


def test_what_is_read_is_remembered_for_the_last_few_combinations():
    policies = [replace(minimal(), id=str(number)) for number in range(REMEMBERED + 1)]
    needs = PolicyReadsIndex(policies)
    first = needs.of(policies[:1])
    assert needs.of(policies[:1]) is first
    for policy in policies[1:]:
        needs.of([policy])
    assert needs.of(policies[:1]) is not first


def test_a_code_that_another_policy_lists_leaves_the_words_beside_it_to_be_read():
    mine = codes_of(row("97110"), phrases=(words("exercise"),))
    theirs = codes_of(row("0XX", system=ICD10PCS))
    prefetch = sent(
        {
            "resourceType": "Procedure",
            "id": "x",
            "subject": {"reference": "Patient/p1"},
            "code": concept(ICD10PCS, "0XX", text="Exercise"),
        }
    )

    def found(*policies):
        on_record = chart_of(prefetch, {"procedure": "Procedure"}, ["Procedure"], Lexicon(policies))
        return [(match.text, match.beside_code) for match in on_record.matches("Procedure", mine)]

    assert found([mine]) == found([mine], [theirs]) == [("Exercise", False)]
    assert found([mine, theirs]) == [("Exercise", True)]
