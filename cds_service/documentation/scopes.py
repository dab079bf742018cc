"""The scopes that the form requests, computed from the needs of a statement, and the rights of granted scopes. Pure.

SMART App Launch 2.2, "Scopes for requesting FHIR Resources"; the spelling of SMART 1 if a server knows no other.
"""

import re
from collections.abc import Collection, Iterable

RESPONSES, DOCUMENTS, OBSERVATIONS, PROVENANCE = (
    "QuestionnaireResponse",
    "DocumentReference",
    "Observation",
    "Provenance",
)
_FHIR = re.compile(r"(?:patient|user)/(\*|[A-Za-z]+)\.(read|write|\*|c?r?u?d?s?)(?:\?.*)?")
_OLD = {"read": "rs", "write": "cud", "*": "cruds"}


def asked(reads: Iterable[str], writes: Collection[str], *, observations: bool, launched: bool, old: bool) -> str:
    """The scopes of one sign-in; ``reads`` are the resource types that the statements need.

    ``writes`` are the types in which the form may be written, ``launched``: the EHR launched it, ``old``: the server
    knows only the scopes of SMART 1. No offline access: the service reads nothing after the user has left.
    """
    verbs: dict[str, str] = dict.fromkeys(("Patient", *sorted(set(reads) - {"Patient"})), "rs")
    verbs["Patient"] = "r"
    if RESPONSES in writes:
        verbs[RESPONSES] = "crus"
    if DOCUMENTS in writes:
        verbs[DOCUMENTS] = _union(verbs.get(DOCUMENTS, ""), "crs")
    if observations:
        verbs[OBSERVATIONS] = _union(verbs.get(OBSERVATIONS, ""), "c")
    if RESPONSES in writes:
        verbs[PROVENANCE] = _union(verbs.get(PROVENANCE, ""), "c")
    plain = ["openid", "fhirUser", "launch" if launched else "launch/patient"]
    return " ".join([*plain, *(scope for kind, verb in verbs.items() for scope in _written(kind, verb, old=old))])


def may(granted: str, kind: str, verb: str) -> bool:
    """True if granted scopes allow a verb ("c", "r", "u", "d", "s") on a resource type of the patient in context."""
    for scope in granted.split():
        found = _FHIR.fullmatch(scope)
        if found and found[1] in ("*", kind) and verb in _OLD.get(found[2], found[2]):
            return True
    return False


def _union(one: str, other: str) -> str:
    return "".join(verb for verb in "cruds" if verb in one or verb in other)


def _written(kind: str, verbs: str, *, old: bool) -> list[str]:
    if not old:
        return [f"patient/{kind}.{verbs}"]
    words = (("read", "rs"), ("write", "cud"))
    return [f"patient/{kind}.{word}" for word, meant in words if set(meant) & set(verbs)]
