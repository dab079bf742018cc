"""The payer's position: believed only from the payer's own text, in force, seen within a year, under a listed name."""

from dataclasses import replace
from datetime import date

import pytest

from cds_service.facts.logic import Truth
from cds_service.verdicts import criteria, payers
from cds_service.verdicts.payer_reasons import NOT_READABLE
from tests.charts import (
    ME,
    TODAY,
    attested,
    bundle,
    chart,
    known_of,
    minimal,
    named,
    order,
    patient,
)
from tests.shipped import library

CAN_HUM = attested({"can-hum": {"valueBoolean": True}})
CANNOT_HUM = attested({"can-hum": {"valueBoolean": False}})


def coverage(payer="Example Mutual", **changes):
    reference = {"display": payer} if isinstance(payer, str) else payer
    defaults = {"resourceType": "Coverage", "id": "v1", "status": "active", "beneficiary": ME, "payor": [reference]}
    return {name: value for name, value in (defaults | changes).items() if value is not ...}


def organization(**changes):
    return {"resourceType": "Organization", "id": "org", "name": "Example Mutual"} | changes


def position(*resources, orders=(), today=TODAY, **values):
    on_record = chart(*resources, **values)
    findings = criteria.find(minimal(), minimal().criteria, known_of(on_record, today), on_record)
    return payers.position(minimal(), on_record, lambda keys: tuple(findings[key] for key in keys), orders, today)


@pytest.mark.parametrize(
    ("payor", "today", "truth", "reason"),
    named(
        ("own text, in force, seen", "Refusing Health", TODAY, "not-met", "Refusing Health 1: not covered"),
        ("seen 365 days ago", "Refusing Health", date(2027, 1, 1), "not-met", "Refusing Health 1: not covered"),
        (
            "seen 366 days ago",
            "Refusing Health",
            date(2027, 1, 2),
            "unknown",
            "its text was not checked in the last 12 months",
        ),
        ("never seen", "Unseen Health", TODAY, "unknown", "its text was not checked in the last 12 months"),
        ("not the payer's own text", "Hearsay Health", TODAY, "unknown", "the payer's own text was not available"),
        (
            "not written as criteria",
            "Unwritten Health",
            TODAY,
            "unknown",
            "the medical policy is not written as criteria",
        ),
        ("the first day in force", "Term Health", date(2026, 2, 10), "not-met", "Term Health 1: not covered"),
        ("the last day in force", "Term Health", date(2026, 3, 31), "not-met", "Term Health 1: not covered"),
        ("the day after", "Term Health", date(2026, 4, 1), "unknown", "not in force on this date"),
        ("the day before", "Term Health", date(2026, 1, 31), "unknown", "not in force on this date"),
        ("a payer of whom nothing is on file", "Nobody Health", TODAY, "unknown", "no medical policy on file"),
    ),
)
def test_a_position_is_believed_only_where_it_may_be(payor, today, truth, reason):
    found = position(coverage(payor), today=today)
    assert (found.truth.value, found.reason) == (truth, reason)


@pytest.mark.parametrize(
    ("resources", "truth"),
    named(
        ("all its criteria met", [CAN_HUM], "met"),
        ("one not met", [CANNOT_HUM], "not-met"),
        ("one open", [], "unknown"),
        ("one not met, one open", [CANNOT_HUM, patient(birthDate="2008")], "not-met"),
    ),
)
def test_a_position_of_criteria_is_as_true_as_its_criteria(resources, truth):
    assert position(coverage(), *resources).truth.value == truth


@pytest.mark.parametrize(
    ("name", "on_file"),
    named(
        ("the name", "Example Mutual", True),
        ("other capitals and signs", "EXAMPLE-MUTUAL,", True),
        ("an alias", "Example Mutual of Nowhere", True),
        ("a longer name", "Example Mutual of Somewhere", False),
        ("a shorter name", "Example", False),
        ("a name that holds it", "The Example Mutual", False),
    ),
)
def test_a_payer_is_known_by_its_exact_name_or_alias(name, on_file):
    ((shown, payer),) = position(coverage(name)).payers
    assert shown == name
    assert (payer is not None) is on_file


IDENTIFIED = {"identifier": [{"system": "http://example.org/payers", "value": "77"}]}


@pytest.mark.parametrize(
    ("payor", "resources", "changes"),
    named(
        ("an Organization of the chart", {"reference": "Organization/org"}, [organization()], {}),
        ("an Organization by its UUID", {"reference": "urn:uuid:org"}, [("urn:uuid:org", organization())], {}),
        ("a contained Organization", {"reference": "#org"}, [], {"contained": [organization()]}),
        (
            "an Organization by its identifier",
            {"reference": "Organization/org"},
            [organization(name="Ex. M.", **IDENTIFIED)],
            {},
        ),
        ("an identifier in the reference", {"identifier": IDENTIFIED["identifier"][0], "display": "Ex. M."}, [], {}),
        (
            "a display beside an Organization that was not sent",
            {"reference": "Organization/lost", "display": "Example Mutual"},
            [],
            {},
        ),
    ),
)
def test_a_payer_is_found_however_it_is_referred_to(payor, resources, changes):
    ((_, payer),) = position(coverage(payor, **changes), *resources).payers
    assert payer is not None
    assert payer.id == "example-mutual"


@pytest.mark.parametrize(
    "payor",
    named(
        ("an identifier of another system", {"identifier": {"system": "http://example.org/others", "value": "77"}}),
        ("an identifier without a system", {"identifier": {"value": "77"}}),
        ("an identifier that is text", {"identifier": "77"}),
        ("a name that is not text", {"display": ["Example Mutual"]}),
        ("nothing", {}),
        ("text", "  "),
        ("a number", 7),
    ),
)
def test_a_payer_that_is_not_named_is_not_on_file(payor):
    found = position(coverage(payor))
    assert found.truth.value == "unknown"
    assert all(payer is None for _, payer in found.payers)


@pytest.mark.parametrize(
    ("changes", "counts"),
    named(
        ("active", {}, True),
        ("no status", {"status": ...}, True),
        ("cancelled", {"status": "cancelled"}, False),
        ("a draft", {"status": "draft"}, False),
        ("entered in error", {"status": "entered-in-error"}, False),
        ("until today", {"period": {"end": "2026-03-15"}}, True),
        ("until yesterday", {"period": {"end": "2026-03-14"}}, False),
        ("until this month", {"period": {"end": "2026-03"}}, True),
        ("from today", {"period": {"start": "2026-03-15"}}, True),
        ("from tomorrow", {"period": {"start": "2026-03-16"}}, False),
        ("from this year", {"period": {"start": "2026"}}, True),
        ("a period that cannot be read", {"period": {"end": "someday"}}, False),
        ("another patient's", {"beneficiary": {"reference": "Patient/p2"}}, False),
        ("nobody's", {"beneficiary": ...}, False),
    ),
)
def test_only_the_patients_coverage_in_force_counts(changes, counts):
    found = position(coverage(**changes), CAN_HUM)
    assert bool(found.payers) is counts
    assert found.truth.value == ("met" if counts else "unknown")


@pytest.mark.parametrize(
    ("value", "reason"),
    [(bundle(), "no active coverage in chart"), (..., "Coverage not sent (prefetch coverage)")],
    ids=["none", "not sent"],
)
def test_without_a_coverage_nothing_is_known(value, reason):
    found = position(coverage=value)
    assert (found.truth.value, found.payers, found.reason) == ("unknown", (), reason)


@pytest.mark.parametrize("payor", [..., [], [{}]])
def test_a_coverage_that_names_no_payer_leaves_it_open(payor):
    found = position(coverage(payor=payor), CAN_HUM)
    assert found.truth.value == "unknown"
    assert all(payer is None for _, payer in found.payers)


def test_two_coverages_of_one_payer_are_one_payer():
    found = position(coverage(), coverage(id="v2"), CAN_HUM)
    assert len(found.payers) == 1
    assert found.truth.value == "met"


def test_two_payers_leave_it_open():
    found = position(coverage(), coverage("Refusing Health", id="v2"), CAN_HUM)
    assert found.truth.value == "unknown"
    assert found.reason == "more than one payer in chart"
    assert [name for name, _ in found.payers] == ["Example Mutual", "Refusing Health"]


TWO = (coverage(), coverage("Refusing Health", id="v2"))


@pytest.mark.parametrize(
    "insurance",
    named(
        ("relative", {"reference": "Coverage/v2"}),
        ("absolute", {"reference": "https://ehr.example/fhir/Coverage/v2"}),
        ("with a version", {"reference": "Coverage/v2/_history/1"}),
    ),
)
def test_the_coverage_that_the_order_names_is_the_one(insurance):
    assert position(*TWO, orders=[order(insurance=[insurance])]).truth.value == "not-met"


def test_the_coverage_that_the_order_names_may_have_been_sent_twice():
    sent_twice = position(*TWO, orders=[order(insurance=[{"reference": "Coverage/v2"}])], others=bundle(*TWO))
    assert sent_twice.truth.value == "not-met"


def test_an_order_that_names_no_known_coverage_leaves_all_of_them():
    assert len(position(*TWO, orders=[order(insurance=[{"reference": "Coverage/lost"}])]).payers) == 2


# --- who pays, however the coverage says so ---

NAMES = library().policies[0].payer_names
PLAN = {"type": {"coding": [{"code": "plan"}]}, "name": "Example Mutual"}
GROUP = {"type": {"coding": [{"code": "group"}]}, "name": "Some Works"}


@pytest.mark.parametrize(
    ("changes", "name"),
    named(
        ("the name of the plan beside a bare reference", {"payor": [{"reference": "Organization/x"}], "class": [PLAN]},
         "Example Mutual"),
        ("the plan before the group", {"payor": [{"reference": "Organization/x"}], "class": [GROUP, PLAN]},
         "Example Mutual"),
        ("the group where no plan is named", {"payor": [{"reference": "Organization/x"}], "class": [GROUP]},
         "Some Works"),
        ("the reference's display before the plan", {"payor": [{"display": "Example Mutual"}], "class": [GROUP]},
         "Example Mutual"),
        ("the insurer of R5", {"payor": ..., "insurer": {"display": "Example Mutual"}}, "Example Mutual"),
        ("a class of another shape", {"payor": [{"reference": "Organization/x"}], "class": {"name": 7}},
         NOT_READABLE),
        ("a reference that was not sent", {"payor": [{"reference": "Organization/x"}]}, NOT_READABLE),
        ("no payer at all", {"payor": ...}, NOT_READABLE),
    ),
)  # fmt: skip
def test_a_coverage_says_who_pays(changes, name):
    found = position(coverage(**changes), patient())
    assert [payer for payer, _ in found.payers] == [name]
    if name == NOT_READABLE:
        assert "does not say who the payer is" in found.reason


@pytest.mark.parametrize(
    ("written", "payer"),
    named(
        ("a plan of UnitedHealthcare", "UnitedHealthcare Choice Plus", "unitedhealthcare"),
        ("in two words", "United Healthcare Options PPO", "unitedhealthcare"),
        ("its short name", "UHC Navigate", "unitedhealthcare"),
        ("its Medicaid plans, by the longer beginning", "UnitedHealthcare Community Plan of Iowa", "uhc-community"),
        ("a plan of Aetna", "AETNA OPEN CHOICE", "aetna"),
        ("a plan of Cigna", "Cigna LocalPlus", "cigna"),
        ("a plan of Humana", "HumanaChoice", None),
        ("a plan of Humana in words", "Humana Medicare Advantage PPO", "humana"),
        ("Anthem, and", "Anthem Blue Cross and Blue Shield of Ohio", "anthem"),
        ("Kaiser", "Kaiser Permanente HMO Colorado", "kaiser-permanente"),
        ("a brand of Centene", "Ambetter Silver", "centene"),
        ("a Blue plan, spelled out", "Blue Cross and Blue Shield of Illinois", "hcsc"),
        ("the same in short", "BCBS of Oklahoma", "hcsc"),
        ("the same run together", "BlueCross BlueShield of Montana", "hcsc"),
        ("another Blue plan", "Blue Cross Blue Shield of Vermont", None),
        ("Molina", "Molina Marketplace", "molina"),
        ("Highmark", "Highmark Blue Shield", "highmark"),
        ("Medicare", "Medicare Part A", "medicare"),
        ("a private plan under Medicare", "Medicare Advantage HMO", None),
        ("TRICARE", "TRICARE Prime", "tricare"),
        ("a name that only contains one", "Friends of Aetna", None),
        ("another line of its business", "Cigna Dental Care", None),
    ),
)
def test_a_plan_is_known_by_how_its_name_begins(written, payer):
    found = NAMES.payer_of(written)
    assert (found.id if found else None) == payer


def test_two_plans_of_one_payer_are_one_payer():
    policy = replace(minimal(), payer_names=NAMES)
    on_record = chart(coverage("Aetna POS"), coverage("AETNA PPO", id="v2"), patient())
    found = payers.position(policy, on_record, lambda keys: (), (), TODAY)
    assert found.reason == "no medical policy on file"


def test_what_is_known_of_a_payer_never_decides_for_a_plan_that_only_begins_so():
    refusing = replace(minimal().payers[0], id="aetna", name="Aetna", aliases=frozenset((" aetna ",)))
    policy = replace(minimal(), payers=(refusing,), payer_names=NAMES)
    on_record = chart(coverage("Aetna Choice"), patient())
    found = payers.position(policy, on_record, lambda keys: (), (), TODAY)
    assert found.truth is Truth.UNKNOWN
    assert found.reason == "a plan of Aetna; which of the payer's policies applies was not verified"
    assert found.payers == (("Aetna Choice", refusing),)
