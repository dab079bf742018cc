"""Code systems: one name for each system however it is written, and codes that match despite different spellings."""

import re

ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
CPT = "http://www.ama-assn.org/go/cpt"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"

# HL7 registered these OIDs for the same systems (https://terminology.hl7.org, identifier of each CodeSystem).
_SPELLINGS = {
    ICD10CM: (
        *("2.16.840.1.113883.6.90", "icd10cm", "i10", "i10c", "cms.gov/medicare/coding/icd10cm"),
        *("hl7.org/fhir/sid/icd10cm", "terminology.hl7.org/codesystem/icd10cm"),
    ),
    ICD10PCS: (
        *("2.16.840.1.113883.6.4", "icd10pcs", "hl7.org/fhir/sid/icd-10-pcs"),
        "terminology.hl7.org/codesystem/icd10pcs",
    ),
    CPT: ("2.16.840.1.113883.6.12", "cpt", "cpt4", "c4", "ama cpt", "terminology.hl7.org/codesystem/cpt"),
    HCPCS: (
        "2.16.840.1.113883.6.285",
        "2.16.840.1.113883.6.14",
        "hcpcs",
        "terminology.hl7.org/codesystem/hcpcs-all-codes",
        "terminology.hl7.org/codesystem/hcpcs-level-ii",
        "terminology.hl7.org/codesystem/hcpcs",
        "bluebutton.cms.gov/resources/codesystem/hcpcs",
    ),
    LOINC: ("2.16.840.1.113883.6.1", "ln", "lnc", "loinc", "terminology.hl7.org/codesystem/v3-loinc"),
    SNOMED: ("2.16.840.1.113883.6.96", "sct", "snomed", "snomedct", "terminology.hl7.org/codesystem/v3-snomed-ct"),
    RXNORM: ("2.16.840.1.113883.6.88", "rxnorm", "rxn", "terminology.hl7.org/codesystem/v3-rxnorm"),
}


def _bare(system: str) -> str:
    """A system's name without the parts whose spelling varies: the scheme, the version, dashes and spaces."""
    bare = re.sub(r"^(https?://(www\.)?|urn:oid:|urn:)", "", system.strip().lower()).partition("|")[0].rstrip("/")
    if bare.startswith(_SNOMED_EDITIONS):
        return _SNOMED_EDITIONS[0].rstrip("/")
    return bare if "/" in bare or "." in bare else re.sub(r"[-_ ]", "", bare)


# "http://snomed.info/sct/731000124108/version/20250901" names an edition (SNOMED CT URI standard, section 2.1), and
# ".../id" addresses single concepts.
_SNOMED_EDITIONS = ("snomed.info/sct/", "snomed.info/id", "snomed.info/xsct")
_BY_SPELLING = {_bare(uri): uri for uri in _SPELLINGS} | {
    _bare(spelling): uri for uri, spellings in _SPELLINGS.items() for spelling in spellings
}
_CANONICAL = dict.fromkeys(_SPELLINGS)

# A code without a system counts only if its shape identifies one system; SNOMED CT and RxNorm have no unique shape.
_SHAPES = (
    (re.compile(r"[A-TV-Z]\d[0-9A-Z]\.[0-9A-Z]{1,4}"), ICD10CM),
    (re.compile(r"\d{3,5}-\d"), LOINC),
    (re.compile(r"[A-V]\d{4}"), HCPCS),
    (re.compile(r"\d{5}(?:[-\s,]+[0-9A-Z]{2})*"), CPT),
)


def canonical_system(system: str) -> str:
    """The FHIR URI of a code system written as URI, OID or short name; an unknown system comes back unchanged."""
    if system in _CANONICAL:
        return system
    return _BY_SPELLING.get(_bare(system), system)


PROCEDURE_LENGTH = 5
_CPT_SHAPE = re.compile(r"\d{4}[0-9FTU]")
_HCPCS_SHAPE = re.compile(r"[A-V]\d{4}")
# Modifiers that bills add to a procedure's code: "99213-25", "99213 LT".
_MODIFIERS = re.compile(r"(?<=^.{5})(?:[-: ]?[0-9A-Z]{2})+$")


def system_of_code(system: str, code: str) -> str:
    """The system that a code belongs to (both canonical): CPT is level I of HCPCS, and senders use either name for
    both; the code shows which it is."""
    if system == HCPCS and _CPT_SHAPE.fullmatch(code):
        return CPT
    return HCPCS if system == CPT and _HCPCS_SHAPE.fullmatch(code) else system


def is_standard(system: str) -> bool:
    """Whether a canonical system is one whose codes rule sets use."""
    return system in _CANONICAL


def system_of_shape(code: str) -> str | None:
    """The system of a code that came without one, judged by the code's shape, or None."""
    return next((system for shape, system in _SHAPES if shape.fullmatch(code)), None)


def canonical_code(system: str, code: str) -> str:
    """The code in the system's own spelling: upper case, ICD-10-CM with its dot, CPT and HCPCS without modifiers."""
    code = code.strip().upper()
    if system in (CPT, HCPCS):
        return _MODIFIERS.sub("", code) if len(code) > PROCEDURE_LENGTH else code
    if system == ICD10CM and len(code) > 3 and "." not in code and not code.endswith("-"):
        return f"{code[:3]}.{code[3:]}"
    return code


def common_beginning(first: str, last: str) -> str:
    """The characters that two codes, and so all codes between them, begin with."""
    count = next(
        (place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first)
    )
    return first[:count]
