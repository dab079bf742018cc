"""Code systems: one name for each system however it is written, and codes that match in spite of their spelling."""

import re

ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
CPT = "http://www.ama-assn.org/go/cpt"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"

# The OIDs are those HL7 registered for the same systems (https://terminology.hl7.org, identifier of each CodeSystem).
_SPELLINGS = {
    ICD10CM: (
        *("2.16.840.1.113883.6.90", "icd-10-cm", "icd10cm", "i10", "i10c"),
        "terminology.hl7.org/codesystem/icd10cm",
    ),
    ICD10PCS: ("2.16.840.1.113883.6.4", "icd-10-pcs", "icd10pcs", "terminology.hl7.org/codesystem/icd10pcs"),
    CPT: ("2.16.840.1.113883.6.12", "cpt", "cpt-4", "cpt4", "c4", "ama cpt", "terminology.hl7.org/codesystem/cpt"),
    HCPCS: (
        "2.16.840.1.113883.6.285",
        "2.16.840.1.113883.6.14",
        "hcpcs",
        "terminology.hl7.org/codesystem/hcpcs-all-codes",
        "terminology.hl7.org/codesystem/hcpcs-level-ii",
        "terminology.hl7.org/codesystem/hcpcs",
        "bluebutton.cms.gov/resources/codesystem/hcpcs",
    ),
    LOINC: ("2.16.840.1.113883.6.1", "ln", "loinc"),
    SNOMED: ("2.16.840.1.113883.6.96", "sct", "snomed", "snomed-ct"),
    RXNORM: ("2.16.840.1.113883.6.88", "rxnorm"),
}


def _bare(system: str) -> str:
    return re.sub(r"^(https?://(www\.)?|urn:oid:|urn:)", "", system.strip().lower()).rstrip("/")


_BY_SPELLING = {_bare(uri): uri for uri in _SPELLINGS} | {
    spelling: uri for uri, spellings in _SPELLINGS.items() for spelling in spellings
}
_CANONICAL = dict.fromkeys(_SPELLINGS)

# A code without a system counts only where its shape is that of one system; SNOMED CT and RxNorm have no own shape.
_SHAPES = (
    (re.compile(r"[A-TV-Z]\d[0-9A-Z]\.[0-9A-Z]{1,4}"), ICD10CM),
    (re.compile(r"\d{3,5}-\d"), LOINC),
    (re.compile(r"[A-V]\d{4}"), HCPCS),
    (re.compile(r"\d{5}(?:[-\s,]+[0-9A-Z]{2})*"), CPT),
)
# HCPCS level I is CPT, so that either stands under the other's name; modifiers are written behind a code.
_PROCEDURE = re.compile(r"(?:(\d{4}[0-9FMTU])|([A-V]\d{4}))(?:[-\s,:]+[0-9A-Z]{2})*")


def canonical_system(system: str) -> str:
    """The FHIR URI of a code system written as URI, OID or short name; an unknown system comes back as it is."""
    if system in _CANONICAL:
        return system
    return _BY_SPELLING.get(_bare(system), system)


def is_standard(system: str) -> bool:
    """Whether a canonical system is one of those whose codes policies use."""
    return system in _CANONICAL


def system_of_shape(code: str) -> str | None:
    """The system that a code without one must belong to, judged by its shape, or None."""
    return next((system for shape, system in _SHAPES if shape.fullmatch(code)), None)


def canonical_code(system: str, code: str) -> str:
    """The code in the system's own spelling: upper case, and ICD-10-CM with its dot."""
    code = code.strip().upper()
    if system == ICD10CM and len(code) > 3 and "." not in code and not code.endswith("-"):
        return f"{code[:3]}.{code[3:]}"
    return code


def own_system(system: str, code: str) -> tuple[str, str]:
    """Canonical (system, code) of a canonical pair: CPT and HCPCS told apart by shape, a code without its modifiers.

    ("HCPCS", "12345-50") is CPT 12345: HCPCS level I consists of CPT, and claims name either system for both.
    """
    shaped = _PROCEDURE.fullmatch(code) if system in (CPT, HCPCS) else None
    if shaped is None:
        return system, code
    return (CPT, shaped[1]) if shaped[1] else (HCPCS, shaped[2])


def common_beginning(first: str, last: str) -> str:
    """The characters with which two codes, and so all codes between them, begin."""
    count = next(
        (place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first)
    )
    return first[:count]
