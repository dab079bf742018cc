"""Whose order it is before any criterion: known as this therapy, another way, or a question."""

from dataclasses import replace

import pytest

from cds_service.chart.orders import recognize
from cds_service.facts.attesters import DEFAULT_ACCEPTS
from cds_service.facts.context import Context
from cds_service.facts.responses import read_answers
from cds_service.facts.vocabulary import VOCABULARY
from cds_service.policy.model import FactRule, Pathway
from tests.charts import CPT, ICD10CM, TODAY, chart, concept, condition, minimal, named, order

KNEE = [{"text": "Right knee"}]
SHARED = replace(minimal().orders, known_by=minimal().code_sets["knee-pain"])


def pathway(name, **orders):
    return Pathway(id=name, title=name, codes=None, phrases=(), when=None, says=name, **orders)


SHORT = pathway("short", routing=(" for a week ", " rented "), keeps=(" bought ",))
AGAIN = pathway("again", routing=(" again ",), reasons=minimal().code_sets["knee-surgery"])
ROUTED = replace(minimal().orders, pathways=(SHORT, AGAIN))


def recognized(rule, *drafts, on_record=()):
    return recognize(
        rule, [(f"ServiceRequest/{draft['id']}", draft) for draft in drafts], chart(*on_record), None, TODAY
    )


def text(words):
    return concept(CPT, "11111", text=words)


@pytest.mark.parametrize(
    ("changes", "certain", "at_site"),
    named(
        ("the site alone, which others share", {"bodySite": KNEE}, False, True),
        ("a reason of the set", {"reasonCode": [concept(ICD10CM, "M25.561")]}, True, True),
        ("a diagnosis of the set", {"reasonReference": [{"reference": "Condition/c1"}]}, True, True),
        ("a reason in the set's words, beside another code", {
            "bodySite": KNEE, "reasonCode": [concept(ICD10CM, "G89.4", text="Knee pain")]}, True, True),
        ("the set's words in the order's own", {"bodySite": KNEE, "code": text("Coil for knee pain")}, True, True),
        ("the name of the therapy", {"code": text("Knee humming")}, True, True),
        ("the name among the details", {"orderDetail": [{"text": "Knee humming"}]}, True, True),
        ("nothing", {}, False, False),
    ),
)  # fmt: skip
def test_a_shared_code_at_the_site_is_known_only_where_something_says_so(changes, certain, at_site):
    found = recognized(SHARED, order(**changes), on_record=[condition()])
    assert (found.certain, found.at_site) == (certain, at_site)


def test_a_shared_code_elsewhere_is_nobodys_business_whatever_its_reason():
    elsewhere = order(bodySite=[{"text": "Left shoulder"}], reasonCode=[concept(ICD10CM, "M25.561")])
    assert recognized(SHARED, elsewhere) is None


@pytest.mark.parametrize(
    ("changes", "way"),
    named(
        ("a routing word beside the code", {"bodySite": KNEE, "code": text("Coil, rented")}, "short"),
        ("a routing word beside the name", {"code": {"text": "Knee humming for a week"}}, "short"),
        ("a routing word among the details", {"bodySite": KNEE, "orderDetail": [{"text": "rented"}]}, "short"),
        ("the second row", {"bodySite": KNEE, "code": text("Coil again")}, "again"),
        ("the first of two rows", {"bodySite": KNEE, "code": text("Coil again, rented")}, "short"),
        ("a denied word", {"bodySite": KNEE, "code": text("Coil, not rented")}, None),
        ("a word inside another", {"bodySite": KNEE, "code": text("Coil against noise")}, None),
        ("a word that keeps it", {"bodySite": KNEE, "code": text("Coil, bought, no longer rented")}, None),
        ("nothing of the kind", {"bodySite": KNEE}, None),
    ),
)
def test_words_send_an_order_another_way(changes, way):
    found = recognized(ROUTED, order(**changes))
    assert (found.pathway.id if found.pathway else None) == way


@pytest.mark.parametrize(
    "changes",
    named(
        ("nothing says where", {"code": text("Coil, rented")}),
        ("elsewhere", {"code": text("Coil, rented"), "bodySite": [{"text": "Left shoulder"}]}),
        ("neither the code nor the name", {"code": {"text": "Crutches, rented"}, "bodySite": KNEE}),
    ),
)
def test_what_is_not_known_to_be_here_goes_no_way_at_all(changes):
    """Asked is only what may be judged: an order that goes another way somewhere else concerns no rule set."""
    assert recognized(ROUTED, order(**changes)) is None


def test_a_draft_that_goes_another_way_settles_its_act():
    """What is drafted already is not suggested again, though it is another's to judge."""
    drafts = order(bodySite=KNEE), order("22222", id="s2", bodySite=KNEE, code=concept(CPT, "22222", text="rented"))
    found = recognized(ROUTED, *drafts)
    assert found.pathway is None
    assert found.settled == {"coil", "driver"}


@pytest.mark.parametrize("status", ["refuted", "entered-in-error"])
def test_a_diagnosis_that_was_withdrawn_is_no_reason(status):
    on_record = [condition(verificationStatus={"coding": [{"code": status}]})]
    found = recognized(minimal().orders, order(reasonReference=[{"reference": "Condition/c1"}]), on_record=on_record)
    assert found.certain is False


def test_a_diagnosis_whose_status_cannot_be_read_still_is_a_reason():
    found = recognized(
        minimal().orders,
        order(reasonReference=[{"reference": "Condition/c1"}]),
        on_record=[condition(verificationStatus=7)],
    )
    assert found.certain is True


@pytest.mark.parametrize(
    "code",
    named(
        ("a modifier behind a dash", concept(CPT, "11111-50")),
        ("a modifier behind a space", concept(CPT, "11111 LT")),
        ("two modifiers", concept(CPT, "11111-50-LT")),
        ("under HCPCS, as claims have it", concept("https://bluebutton.cms.gov/resources/codesystem/hcpcs", "11111")),
        ("a CodeableReference of R5", {"concept": concept(CPT, "11111")}),
        ("a billing option of CRD", {
            "coding": [{"system": "http://snomed.info/sct", "code": "1"}],
            "extension": [
                {
                    "url": "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-billing-options",
                    "valueCodeableConcept": concept(CPT, "11111"),
                }
            ],
        }),
    ),
)  # fmt: skip
def test_a_code_is_read_however_it_is_written(code):
    found = recognized(minimal().orders, order(code=code, bodySite=KNEE))
    assert [draft.act.id for draft in found.drafts] == ["coil"]
    assert found.coded == {"coil"}


def test_the_reasons_of_r5_are_read():
    for reason in ({"concept": concept(ICD10CM, "M25.561")}, {"reference": {"reference": "Condition/c1"}}):
        found = recognized(minimal().orders, order(reason=[reason]), on_record=[condition()])
        assert found.certain is True


@pytest.mark.parametrize(
    ("changes", "values"),
    named(
        ("a reason of the set", {"reasonCode": [concept(ICD10CM, "M25.561")]}, (True,)),
        ("a diagnosis of the set", {"reasonReference": [{"reference": "Condition/c1"}]}, (True,)),
        ("another reason, which does not say that this is none", {"reasonCode": [concept(ICD10CM, "M17.11")]}, ()),
        ("no reason", {}, ()),
    ),
)
def test_a_fact_may_read_why_something_is_ordered(changes, values):
    knee_pain = minimal().code_sets["knee-pain"]
    rule = FactRule("why", VOCABULARY.kinds["order"], "Knee pain as reason", "unknown", reason=knee_pain)
    drafts = [("ServiceRequest/s1", order(bodySite=KNEE, **changes))]
    on_record = chart(condition())
    asked = recognize(minimal().orders, drafts, on_record, None, TODAY)
    context = Context(on_record, read_answers(on_record, frozenset(), DEFAULT_ACCEPTS), TODAY, asked, None, {})
    assert VOCABULARY.kinds["order"].read(rule, context).values == values
