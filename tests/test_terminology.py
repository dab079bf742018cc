"""One name for each code system, one spelling for each code, and words that are not the patient's own record."""

import pytest

from cds_service.fhir.terminology import canonical_code, canonical_system, is_standard, system_of_shape
from tests.charts import CPT, HCPCS, ICD10CM, LOINC, RXNORM, SNOMED, named


@pytest.mark.parametrize("system", [CPT, HCPCS, ICD10CM, LOINC, SNOMED, RXNORM])
def test_a_canonical_system_is_itself_and_standard(system):
    assert canonical_system(system) == system
    assert is_standard(system)


@pytest.mark.parametrize(
    ("written", "system"),
    named(
        ("ICD-10-CM as URN of its OID", "urn:oid:2.16.840.1.113883.6.90", ICD10CM),
        ("ICD-10-CM as bare OID", "2.16.840.1.113883.6.90", ICD10CM),
        ("ICD-10-CM with https", "https://hl7.org/fhir/sid/icd-10-cm", ICD10CM),
        ("ICD-10-CM by name", "ICD-10-CM", ICD10CM),
        ("CPT as URN of its OID", "urn:oid:2.16.840.1.113883.6.12", CPT),
        ("CPT with a final slash", "http://www.ama-assn.org/go/cpt/", CPT),
        ("CPT by name", "CPT", CPT),
        ("HCPCS as URN of its OID", "urn:oid:2.16.840.1.113883.6.285", HCPCS),
        ("HCPCS as in Blue Button", "https://bluebutton.cms.gov/resources/codesystem/hcpcs", HCPCS),
        ("LOINC as URN of its OID", "urn:oid:2.16.840.1.113883.6.1", LOINC),
        ("LOINC with https", "https://loinc.org", LOINC),
        ("SNOMED CT as URN of its OID", "urn:oid:2.16.840.1.113883.6.96", SNOMED),
        ("SNOMED CT in capitals", "HTTP://SNOMED.INFO/SCT", SNOMED),
        ("RxNorm as URN of its OID", "urn:oid:2.16.840.1.113883.6.88", RXNORM),
        ("white space around it", "  http://loinc.org ", LOINC),
    ),
)
def test_a_system_has_one_name_however_it_is_written(written, system):
    assert canonical_system(written) == system


@pytest.mark.parametrize(
    "system",
    named(
        ("ICD-10 of the WHO is another system", "http://hl7.org/fhir/sid/icd-10"),
        ("ICD-9-CM is another system", "http://hl7.org/fhir/sid/icd-9-cm"),
        ("a local system", "urn:oid:1.2.840.114350.1.13.0.1.7.2.696871"),
        ("an OID that only begins alike", "urn:oid:2.16.840.1.113883.6.901"),
        ("nothing", ""),
    ),
)
def test_another_system_stays_another(system):
    assert canonical_system(system) == system
    assert not is_standard(canonical_system(system))


@pytest.mark.parametrize(
    ("system", "written", "code"),
    named(
        ("ICD-10-CM without its dot", ICD10CM, "M25561", "M25.561"),
        ("ICD-10-CM in small letters", ICD10CM, "m25.561", "M25.561"),
        ("ICD-10-CM with seventh character, without dot", ICD10CM, "s32010a", "S32.010A"),
        ("a category of three characters has no dot", ICD10CM, "M25", "M25"),
        ("a prefix of a category is not given a dot", ICD10CM, "M25-", "M25-"),
        ("white space around it", ICD10CM, " M25.561 ", "M25.561"),
        ("CPT is left as it is", CPT, "97110", "97110"),
        ("LOINC is left as it is", LOINC, "39156-5", "39156-5"),
        ("HCPCS in small letters", HCPCS, "c1767", "C1767"),
    ),
)
def test_a_code_has_one_spelling(system, written, code):
    assert canonical_code(system, written) == code


@pytest.mark.parametrize(
    ("code", "system"),
    named(
        ("only ICD-10-CM has a letter, two characters and a dot", "M25.561", ICD10CM),
        ("only LOINC ends in a check digit", "39156-5", LOINC),
        ("one letter and four digits are HCPCS", "C1767", HCPCS),
        ("three digits may be anything", "161", None),
        ("eight digits may be anything", "30989003", None),
        ("words are not a code", "knee pain", None),
        ("a code with more behind it", "M25.561 right", None),
        ("nothing", "", None),
    ),
)
def test_a_code_without_a_system_counts_only_where_its_shape_belongs_to_one(code, system):
    assert system_of_shape(code) == system
