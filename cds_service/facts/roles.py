"""Which roles count as clinician, and which as staff: one published table.

A clinician is a physician, a physician assistant or an advanced practice nurse. Every other role counts as staff, in
the table or not.
"""

from typing import Any, NamedTuple

from cds_service.fhir.elements import codings, concept_text
from cds_service.fhir.free_text import words
from cds_service.fhir.terminology import SNOMED

NUCC = "http://nucc.org/provider-taxonomy"
DEGREES = "http://terminology.hl7.org/CodeSystem/v2-0360"
ROLES = "http://terminology.hl7.org/CodeSystem/practitioner-role"
PLAN_NET = "http://hl7.org/fhir/us/davinci-pdex-plan-net/CodeSystem/ProviderRoleCS"

CLINICIAN, STAFF, PATIENT = "clinician", "staff", "patient"

_UTG = "HL7/UTG, cs-v2-0360.xml (2.1.0)"
_US_CORE = "US Core, comparison of value sets with NUCC's provider taxonomy"
_DTR = "HL7 Da Vinci DTR, examples of information-origin"
_PLAN_NET = "HL7 Da Vinci PDex Plan-Net, ProviderRoleCS"
_SNOMED = "FHIR R4 value set practitioner-role, and public FHIR examples"


class Role(NamedTuple):
    """One row: the ``code`` of a ``system`` (a dash at the end: all codes with this prefix), what it counts as, our
    label, and its source."""

    system: str
    code: str
    kind: str
    label: str
    seen: str


TABLE = (
    Role(NUCC, "20-", CLINICIAN, "physician", _US_CORE),
    Role(NUCC, "363A-", CLINICIAN, "physician assistant", _US_CORE),
    Role(NUCC, "363L-", CLINICIAN, "nurse practitioner", _US_CORE),
    Role(NUCC, "364S-", CLINICIAN, "clinical nurse specialist", _US_CORE),
    Role(NUCC, "163W-", STAFF, "registered nurse", _US_CORE),
    Role(NUCC, "164W-", STAFF, "licensed practical nurse", _US_CORE),
    Role(NUCC, "183500000X", STAFF, "pharmacist", _US_CORE),
    Role(NUCC, "2251-", STAFF, "physical therapist", _US_CORE),
    Role(NUCC, "3747-", STAFF, "technician", _US_CORE),
    Role(NUCC, "376K-", STAFF, "nurse's aide", _US_CORE),
    Role(NUCC, "390200000X", STAFF, "student in training", _US_CORE),
    Role(DEGREES, "MD", CLINICIAN, "physician", _UTG),
    Role(DEGREES, "DO", CLINICIAN, "physician", _UTG),
    Role(DEGREES, "PA", CLINICIAN, "physician assistant", _UTG),
    Role(DEGREES, "NP", CLINICIAN, "nurse practitioner", _UTG),
    Role(DEGREES, "CNP", CLINICIAN, "nurse practitioner", _UTG),
    Role(DEGREES, "CANP", CLINICIAN, "nurse practitioner", _UTG),
    Role(DEGREES, "CPNP", CLINICIAN, "nurse practitioner", _UTG),
    Role(DEGREES, "FPNP", CLINICIAN, "nurse practitioner", _UTG),
    Role(DEGREES, "PN", CLINICIAN, "advanced practice nurse", _UTG),
    Role(DEGREES, "CMA", STAFF, "medical assistant", _UTG),
    Role(DEGREES, "MDA", STAFF, "medical assistant", _UTG),
    Role(DEGREES, "MT", STAFF, "medical technician", _UTG),
    Role(DEGREES, "CRN", STAFF, "registered nurse", _UTG),
    Role(DEGREES, "BN", STAFF, "nurse", _UTG),
    Role(DEGREES, "BSN", STAFF, "nurse", _UTG),
    Role(DEGREES, "MSN", STAFF, "nurse", _UTG),
    Role(DEGREES, "PHARMD", STAFF, "pharmacist", _UTG),
    Role(DEGREES, "EMT", STAFF, "emergency medical technician", _UTG),
    Role(ROLES, "DOCTOR", CLINICIAN, "physician", _DTR),
    Role(ROLES, "NURSE", STAFF, "nurse", _DTR),
    Role(ROLES, "PHARMACIST", STAFF, "pharmacist", _DTR),
    Role(PLAN_NET, "PH", CLINICIAN, "physician", _PLAN_NET),
    Role(PLAN_NET, "PA", CLINICIAN, "physician assistant", _PLAN_NET),
    Role(PLAN_NET, "APN", CLINICIAN, "advanced practice nurse", _PLAN_NET),
    Role(PLAN_NET, "CRNP", CLINICIAN, "nurse practitioner", _PLAN_NET),
    Role(PLAN_NET, "RN", STAFF, "registered nurse", _PLAN_NET),
    Role(PLAN_NET, "LPN", STAFF, "licensed practical nurse", _PLAN_NET),
    Role(PLAN_NET, "PT", STAFF, "physical therapist", _PLAN_NET),
    Role(SNOMED, "112247003", CLINICIAN, "physician", _SNOMED),
    Role(SNOMED, "158965000", CLINICIAN, "medical practitioner", _SNOMED),
    Role(SNOMED, "224571005", CLINICIAN, "nurse practitioner", _SNOMED),
    Role(SNOMED, "224535009", STAFF, "registered nurse", _SNOMED),
)
# A role in words alone counts only if it is the whole text: "surgeon's assistant" is not a surgeon.
IN_WORDS = {
    **dict.fromkeys(("md", "m d", "do", "d o", "physician", "surgeon", "medical doctor", "doctor"), CLINICIAN),
    **dict.fromkeys(("doctor of medicine", "doctor of osteopathic medicine", "attending physician"), CLINICIAN),
    **dict.fromkeys(("pa", "pa c", "physician assistant", "np", "nurse practitioner", "aprn"), CLINICIAN),
    **dict.fromkeys(("clinical nurse specialist", "advanced practice nurse"), CLINICIAN),
    **dict.fromkeys(("rn", "registered nurse", "nurse", "lpn", "medical assistant", "ma", "physical therapist"), STAFF),
}

_EXACT = {(row.system, row.code): row for row in TABLE if not row.code.endswith("-")}
_FAMILIES = tuple(row for row in TABLE if row.code.endswith("-"))
# Longer than any role; longer text is not searched.
_LONGEST = 60


def kind_of_role(concept: Any) -> str:
    """What a role (CodeableConcept) counts as: "clinician", "staff", or "" if the table does not list it.

    If one of several codes means clinician, that code decides. Raises UnreadableError if the concept does not have
    FHIR's shape.
    """
    found = {_kind(coding.get("system"), coding.get("code")) for coding in codings(concept)} - {""}
    if not found:
        text = concept.get("text") if isinstance(concept, dict) else None
        found = {IN_WORDS.get(words(text).strip(), "")} if isinstance(text, str) and len(text) <= _LONGEST else set()
    return CLINICIAN if CLINICIAN in found else next(iter(found), "")


def role_in_words(concept: Any) -> str:
    """The name of a role: its own words, otherwise our label."""
    listed = [_row(coding.get("system"), coding.get("code")) for coding in codings(concept)]
    text = concept.get("text") if isinstance(concept, dict) else None
    label = next((row.label for row in listed if row is not None), "")
    return text if isinstance(text, str) and text.strip() else concept_text(concept) or label


def _row(system: Any, code: Any) -> Role | None:
    if not isinstance(system, str) or not isinstance(code, str):
        return None
    bare, spelled = system.partition("|")[0].rstrip("/"), code.strip().upper()
    found = _EXACT.get((bare, spelled))
    return found or next((row for row in _FAMILIES if row.system == bare and spelled.startswith(row.code[:-1])), None)


def _kind(system: Any, code: Any) -> str:
    row = _row(system, code)
    return row.kind if row else ""
