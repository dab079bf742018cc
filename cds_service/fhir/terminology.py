"""Code systems: one name for each system however it is written, and codes that match in spite of their spelling."""

import re
from collections.abc import Iterable

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
    """A system's name without what is written in more than one way: how it begins, its version, dashes and spaces."""
    bare = re.sub(r"^(https?://(www\.)?|urn:oid:|urn:)", "", system.strip().lower()).partition("|")[0].rstrip("/")
    if bare.startswith(_SNOMED_EDITIONS):
        return _SNOMED_EDITIONS[0].rstrip("/")
    return bare if "/" in bare or "." in bare else re.sub(r"[-_ ]", "", bare)


# "http://snomed.info/sct/731000124108/version/20250901" names an edition (SNOMED CT URI standard, section 2.1), and
# ".../id" is how single concepts are addressed.
_SNOMED_EDITIONS = ("snomed.info/sct/", "snomed.info/id", "snomed.info/xsct")
_BY_SPELLING = {_bare(uri): uri for uri in _SPELLINGS} | {
    _bare(spelling): uri for uri, spellings in _SPELLINGS.items() for spelling in spellings
}
_CANONICAL = dict.fromkeys(_SPELLINGS)

# A code without a system counts only where its shape is that of one system; SNOMED CT and RxNorm have no own shape.
_SHAPES = (
    (re.compile(r"[A-TV-Z]\d[0-9A-Z]\.[0-9A-Z]{1,4}"), ICD10CM),
    (re.compile(r"\d{3,5}-\d"), LOINC),
    (re.compile(r"[A-V]\d{4}"), HCPCS),
    (re.compile(r"\d{5}"), CPT),
)


def canonical_system(system: str) -> str:
    """The FHIR URI of a code system written as URI, OID or short name; an unknown system comes back as it is."""
    if system in _CANONICAL:
        return system
    return _BY_SPELLING.get(_bare(system), system)


PROCEDURE_LENGTH = 5
_CPT_SHAPE = re.compile(r"\d{4}[0-9FTU]")
_HCPCS_SHAPE = re.compile(r"[A-V]\d{4}")
# What a bill puts behind a procedure's code: "64555-50", "64555 LT".
_MODIFIERS = re.compile(r"(?<=^.{5})(?:[-: ]?[0-9A-Z]{2})+$")


def system_of_code(system: str, code: str) -> str:
    """The system that a code belongs to (both canonical): CPT is level I of HCPCS, and each stands under the other's
    name; which of the two it is shows in the code."""
    if system == HCPCS and _CPT_SHAPE.fullmatch(code):
        return CPT
    return HCPCS if system == CPT and _HCPCS_SHAPE.fullmatch(code) else system


def is_standard(system: str) -> bool:
    """Whether a canonical system is one of those whose codes policies use."""
    return system in _CANONICAL


def system_of_shape(code: str) -> str | None:
    """The system that a code without one must belong to, judged by its shape, or None."""
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
    """The characters with which two codes, and so all codes between them, begin."""
    count = next(
        (place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first)
    )
    return first[:count]


# Byte by byte, what is no letter or digit becomes a space: many times quicker than a pattern.
_TO_WORDS = bytes(byte if chr(byte) in "0123456789abcdefghijklmnopqrstuvwxyz" else ord(" ") for byte in range(256))


def words(text: str) -> str:
    """Text as lower-case words with one space around each, so that " phrase " can be looked for inside it."""
    plain = text.lower().encode("ascii", "replace").translate(_TO_WORDS)
    return f" {b' '.join(plain.split()).decode()} "


def inside_sentence(title: str) -> str:
    """A title as it stands inside a sentence: its first letter small, unless it begins with an abbreviation."""
    return title[0].lower() + title[1:] if title[1:2].islower() or title[1:2] == " " else title


def _any_of(phrases: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(f" ({'|'.join(phrases)}) ")


_DENIALS = ("no", "not", "without", "denies", "denied", "negative for", "free of", "absence of")
_DENIED_BEHIND = ("denied", "absent", "negative", "none", "excluded", "unlikely")
# With the space behind it, or a longer word would seem to be one of these.
_LONGEST_DENIAL = max(map(len, _DENIED_BEHIND)) + 1
# Beside one of these a phrase in free text may be a plan, a question or a lesson, and not what the patient has or had.
_MENTIONS = frozenset(
    (
        *("screening", "screen", "protocol", "education", "counseling", "counselling", "discussed", "discussion"),
        *("consult", "consultation", "referral", "evaluation", "evaluate", "risk", "prophylaxis", "candidate"),
        *("planned", "scheduled", "declined", "refused", "cancelled", "canceled", "postponed"),
        *("before", "pre", "after", "following"),
    )
)
_RELATIVES = (
    "mother",
    "father",
    "son",
    "daughter",
    "parent",
    "sister",
    "brother",
    "sibling",
    "uncle",
    "aunt",
    "cousin",
)
_OF_ANOTHER = (
    *("family history", "family hx", "fh", "fhx", "maternal", "paternal"),
    *(f"{before}{relative}{after}" for relative in _RELATIVES for before in ("", "grand") for after in ("", "s")),
    *("rule out", "ruled out", "r o", "suspected", "suspicion of", "possible", "probable"),
)
_DENIES = _any_of(_DENIALS)
_SPEAKS_OF_ANOTHER = _any_of(_OF_ANOTHER)
# The first words of those phrases: most texts have none of them, which is quicker to see than that no phrase fits.
_TELLTALE = frozenset(phrase.partition(" ")[0] for phrase in (*_DENIALS, *_OF_ANOTHER))


def reported_until(text: str) -> int:
    """Up to which place words report what stands in them: before a denial, or 0 where all is only mentioned."""
    if not _MENTIONS.isdisjoint(text.split()):
        return 0
    denial = _DENIES.search(text)
    return len(text) if denial is None else denial.end() - 1


def reports_any(text: str, phrases: Iterable[str], until: int | None = None) -> bool:
    """Whether one of the phrases stands in text (all in the form of ``words``), neither denied nor only mentioned.

    ``until`` is ``reported_until`` of the text, where it is known.

    A word before it denies it ("no sepsis"), or the one behind it ("sepsis: denied"); "sepsis screening" mentions it.
    """
    found = [phrase for phrase in phrases if phrase in text]
    if found and until is None:
        until = reported_until(text)
    for phrase in found:
        start = text.index(phrase)
        # The space before a phrase is the one behind the denial.
        if until is not None and start >= until:
            continue
        end = start + len(phrase)
        if text[end : end + _LONGEST_DENIAL].partition(" ")[0] not in _DENIED_BEHIND:
            return True
    return False


def speaks_of_another(text: str) -> bool:
    """Whether words speak of a relative or a mere suspicion, or begin by denying: no record of what the patient has.

    A denial further on may concern something else ("low back pain without sciatica").
    """
    plain = words(text)
    if _TELLTALE.isdisjoint(plain.split()):
        return False
    return _SPEAKS_OF_ANOTHER.search(plain) is not None or _DENIES.match(plain.replace(" patient ", " ", 1)) is not None


_PAST = re.compile(r" (history of|hx of|h o|status post|s p|resolved|previous|prior) ")


def speaks_of_the_past(text: str) -> bool:
    """Whether words name something as over, so that they are no record of a present state."""
    return _PAST.search(words(text)) is not None
