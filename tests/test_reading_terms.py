"""How codes, numbers and words are read as charts write them: systems, typed numbers, units, families, drugs."""

import pytest

from cds_service.fhir import terminology
from cds_service.fhir.elements import Quantity, coding_key, is_annotation, typed_quantity, unit_spelling
from cds_service.fhir.terminology import CPT, HCPCS, ICD10CM, LOINC, RXNORM, SNOMED
from cds_service.policy import drugs
from cds_service.policy.codes import Code
from tests.charts import named
from tests.shipped import library

FIRST = "isass-restorative-neurostimulation-2023"


@pytest.mark.parametrize(
    ("written", "system"),
    [
        ("http://snomed.info/sct/731000124108", SNOMED),
        ("http://snomed.info/sct/731000124108/version/20250901", SNOMED),
        ("http://snomed.info/id", SNOMED),
        ("http://snomed.info/sct|2025-09", SNOMED),
        ("SNOMED CT", SNOMED),
        ("snomed_ct", SNOMED),
        ("ICD 10 CM", ICD10CM),
        ("LNC", LOINC),
        ("CPT-4", CPT),
        ("http://snomed.info/sctx", "http://snomed.info/sctx"),
        ("http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10"),
        ("local", "local"),
    ],
)
def test_a_system_is_one_however_it_is_written(written, system):
    assert terminology.canonical_system(written) == system


@pytest.mark.parametrize(
    ("system", "code", "key"),
    named(
        ("CPT under the name of HCPCS", HCPCS, "97110", (CPT, "97110")),
        ("a category III code of CPT", HCPCS, "0775T", (CPT, "0775T")),
        ("HCPCS under the name of CPT", CPT, "G0283", (HCPCS, "G0283")),
        ("each under its own name", HCPCS, "C1767", (HCPCS, "C1767")),
        ("a modifier behind a dash", CPT, "64555-50", (CPT, "64555")),
        ("a modifier behind a space", CPT, "64555 LT", (CPT, "64555")),
        ("two modifiers", CPT, "97110-GP-59", (CPT, "97110")),
        ("a modifier without a mark", HCPCS, "97110GP", (CPT, "97110")),
    ),
)
def test_a_code_belongs_to_the_system_of_its_shape(system, code, key):
    assert coding_key(system, code) == key


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("7", Quantity((7, 7), ("",), "7")),
        ("7/10", Quantity((7, 7), ("/10",), "7")),
        (" 6-7 out of 10 ", Quantity((6, 7), ("/10",), "6 to 7")),
        ("44 %", Quantity((44, 44), ("%",), "44")),
        ("27/50", Quantity((27, 27), ("/50",), "27")),
        ("28.4 kg/m\u00b2", Quantity((28.4, 28.4), ("kg/m2",), "28.4")),
        ("8 with movement", Quantity((8, 8), ("withmovement",), "8")),
        ("7-6/10", None),
        ("10/10/2026", None),
        ("severe", None),
        ("", None),
        ("7" * 50, Quantity((float("7" * 50), float("7" * 50)), ("",), f"{float('7' * 50):g}")),
    ],
)
def test_a_typed_number_is_read_with_what_stands_behind_it(text, found):
    assert typed_quantity(text) == found


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("KG / M2", "kg/m2"),
        ("kg/(m^2)", "kg/m2"),
        ("{0-10}", "/10"),
        ("0-10", "/10"),
        ("(0-10)", "/10"),
        ("/ 10", "/10"),
    ],
)
def test_a_unit_has_one_spelling(written, unit):
    assert unit_spelling(written) == unit


@pytest.mark.parametrize(("unit", "expected"), [("{score}", True), ("{score}/50", False), ("kg", False), ("", False)])
def test_an_annotation_alone_is_no_unit(unit, expected):
    assert is_annotation(unit) is expected


def family(code, **more):
    return Code(
        system=ICD10CM,
        system_name="ICD-10-CM",
        code=code,
        label="family",
        seen="verbatim",
        provenance="seen",
        valid_from=None,
        valid_until=None,
        **more,
    )


@pytest.mark.parametrize(
    ("row", "inside", "outside"),
    named(
        ("a prefix", family("M41", prefix=True), ["M41", "M41.9", "M41.116"], ["M42", "M4"]),
        (
            "with exceptions",
            family("M41", prefix=True, exceptions=("M41.1-", "M41.9")),
            ["M41.26"],
            ["M41.116", "M41.9"],
        ),
        ("a range", family("F01", through="F03"), ["F01", "F01.50", "F02.80", "F03.918"], ["F00", "F04", "F05"]),
        ("a range of leaves", family("M46.25", through="M46.28"), ["M46.25", "M46.27"], ["M46.24", "M46.29", "M46.2"]),
        ("one code", family("G83.4"), ["G83.4"], ["G83.40", "G83"]),
    ),
)
def test_a_row_stands_for_its_family(row, inside, outside):
    assert [code for code in inside if not row.covers(code)] == []
    assert [code for code in outside if row.covers(code)] == []
    assert all(code.startswith(row.begins) for code in inside)


def test_a_code_of_a_family_is_shown_as_itself():
    found = library().policy(FIRST).code_sets["scoliosis"].match((ICD10CM, "M41.26"))
    assert (found.code, found.label, found.is_family) == ("M41.26", "scoliosis", False)


def test_every_drug_of_the_table_is_named_once_and_its_codes_lead_to_it_alone():
    table = drugs.drug_table()
    codes = [code for code, _ in table.products] + [drug.rxnorm for drug in table.drugs.values() if drug.rxnorm]
    assert len(set(codes)) == len(codes)
    names = [name for drug in table.drugs.values() for name in drug.names] + [brand for brand, _ in table.brands]
    assert len(set(names)) == len(names)
    assert all(code.isdigit() for code in codes)
    assert len(table.drugs) >= 55


@pytest.mark.parametrize(
    ("code", "label"),
    [("849574", "naproxen"), ("856987", "acetaminophen and hydrocodone"), ("7258", "naproxen"), ("314076", None)],
)
def test_a_product_leads_to_its_ingredients(code, label):
    found = library().policy(FIRST).code_sets["pain-medication"].match((RXNORM, code))
    assert (found.label if found else None) == label
