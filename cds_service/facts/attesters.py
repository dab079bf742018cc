"""Who gave an answer: the author of a QuestionnaireResponse (FHIR R4), or the author stated for a single answer.

A single answer names its author in the extension information-origin (HL7 Da Vinci DTR), which takes precedence over the
author of the response.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cds_service.chart.chart import Chart
from cds_service.errors import UnreadableError
from cds_service.facts.evidence import Attested
from cds_service.facts.roles import CLINICIAN, PATIENT, STAFF, kind_of_role, role_in_words
from cds_service.fhir.elements import Json, list_of, relative
from cds_service.policy.model import FactRule

ORIGIN = "http://hl7.org/fhir/us/davinci-dtr/StructureDefinition/information-origin"
UNNAMED = "unnamed"
NO_ROLE = "role not recorded"
NOT_A_PERSON = "not attested by a person"
# A name, a role or a basis is shown, never searched; longer ones are cut.
_LONGEST = 200


class Accepts(NamedTuple):
    """The answers that a deployment accepts: answers without any author (``unsigned``), and answers of practitioners
    without a recorded role as those of clinicians (``without_role``)."""

    unsigned: bool = False
    without_role: bool = True


DEFAULT_ACCEPTS = Accepts()


class Attester(NamedTuple):
    """Who answered: the name, the role in words, and the ``kind`` that the role counts as ("" if no person answered;
    ``why_not`` then says so)."""

    by: str
    role: str
    kind: str
    why_not: str = ""

    def why_not_accepted(self, rule: FactRule, accepts: Accepts) -> str:
        """Why the answer does not count for a fact; "" if it counts.

        A clinician may answer what staff may.
        """
        if self.kind == UNNAMED:
            return "" if accepts.unsigned else f"{NOT_A_PERSON}: no author"
        if not self.kind:
            return self.why_not
        counts_as = self.kind
        if counts_as == CLINICIAN and self.role == NO_ROLE and not accepts.without_role:
            counts_as = STAFF
        allowed = rule.attested_by | ({CLINICIAN} if STAFF in rule.attested_by else frozenset())
        if counts_as in allowed:
            return ""
        wanted = " or ".join(sorted(rule.attested_by))
        return f"attested by {self.by} ({self.role}), and only {wanted} may attest it"

    def attested(self) -> Attested:
        """The attester as part of evidence."""
        return Attested(self.by, self.role, self.kind)


def author_of(response: Json, stated_roles: Iterable[Any], chart: Chart) -> Attester:
    """The author of a response; ``stated_roles`` are the roles (CodeableConcept) stated in its items."""
    return _attester(response.get("author"), list(stated_roles), response, chart)


def author_of_answer(answer: Mapping[str, Any], author: Attester, response: Json, chart: Chart) -> Attester:
    """The author of one answer: the author that its information-origin names, otherwise the author of the response.

    An answer with an automatic origin and no author was given by no person.
    """
    origin = _extension(answer, ORIGIN)
    if origin is None:
        return author
    named = _extension(origin, "author")
    if named is None:
        source = (_extension(origin, "source") or {}).get("valueCode")
        is_automatic = isinstance(source, str) and source.startswith("auto")
        return Attester("", "", "", f"{NOT_A_PERSON}: filled in automatically") if is_automatic else author
    role = (_extension(named, "role") or {}).get("valueCodeableConcept")
    practitioner = (_extension(named, "practitioner") or {}).get("valueReference")
    if practitioner is None:
        practitioner = {"type": "Practitioner", "display": author.by if author.kind else "a practitioner"}
    return _attester(practitioner, [role] if role is not None else [], response, chart)


def _attester(author: Any, stated_roles: list[Any], response: Json, chart: Chart) -> Attester:
    if author is None:
        return Attester("an unnamed author", NO_ROLE, UNNAMED)
    kind = type_named(author, response, chart)
    if kind in ("Practitioner", "PractitionerRole"):
        return _practitioner(author, stated_roles, response, chart)
    if kind == "Patient":
        if chart.references.is_the_patients(author):
            return Attester(_name(author, response, chart) or "the patient", "patient", PATIENT)
        return Attester("", "", "", "attested by another patient")
    if kind == "RelatedPerson":
        return Attester(_name(author, response, chart) or "a related person", "related person", PATIENT)
    what = kind.lower() if kind in ("Device", "Organization") else "an author whose type is not stated"
    return Attester("", "", "", f"{NOT_A_PERSON}: {what}")


def _practitioner(author: Any, stated_roles: list[Any], response: Json, chart: Chart) -> Attester:
    resource = chart.references.resolve(author, response) or {}
    person = resource
    in_role: list[Any] = []
    if resource.get("resourceType") == "PractitionerRole":
        in_role = list_of(resource.get("code"))
        person = chart.references.resolve(resource.get("practitioner"), response) or {}
    qualified = [item.get("code") for item in list_of(person.get("qualification")) if isinstance(item, dict)]
    by = _name(author, response, chart) or _reference(author) or "a practitioner"
    unknown = ""
    for roles in (in_role, stated_roles, qualified):
        kind, role = _role(roles)
        if kind:
            return Attester(by, role, kind)
        unknown = unknown or role
    # A person in an unknown role does not count as a clinician.
    return Attester(by, unknown, STAFF) if unknown else Attester(by, NO_ROLE, CLINICIAN)


def _role(concepts: list[Any]) -> tuple[str, str]:
    """The kind that several roles count as, and the role in words that decides; ("", its words) if no role is known."""
    found: list[tuple[str, str]] = []
    for concept in concepts:
        try:
            said = role_in_words(concept).strip()[:_LONGEST]
            found.append((kind_of_role(concept), said or "role without words"))
        except UnreadableError:
            found.append(("", "role not readable"))
    best = (next(((kind, role) for kind, role in found if kind == wanted), None) for wanted in (CLINICIAN, STAFF, ""))
    return next(filter(None, best), ("", ""))


def type_named(reference: Any, container: Json, chart: Chart) -> str:
    """The type of the resource that a Reference names, by resolving it, by its address, or as stated; else ""."""
    if not isinstance(reference, dict):
        return ""
    resolved = chart.references.resolve(reference, container)
    if resolved is not None:
        return str(resolved.get("resourceType", ""))
    named = relative(_reference(reference)).partition("/")[0] if "/" in _reference(reference) else ""
    stated = reference.get("type")
    return named or (stated if isinstance(stated, str) else "")


def _reference(reference: Any) -> str:
    target = reference.get("reference") if isinstance(reference, dict) else None
    return target if isinstance(target, str) else ""


def _name(reference: Any, response: Json, chart: Chart) -> str:
    """The name of a person: as the reference shows it, otherwise from the resource."""
    display = reference.get("display") if isinstance(reference, dict) else None
    if isinstance(display, str) and display.strip():
        return display.strip()[:_LONGEST]
    resource = chart.references.resolve(reference, response) or {}
    if resource.get("resourceType") == "PractitionerRole":
        return _name(resource.get("practitioner"), response, chart)
    name = next((item for item in list_of(resource.get("name")) if isinstance(item, dict)), {})
    text = name.get("text")
    parts = [part for kind in ("prefix", "given", "family", "suffix") for part in list_of(name.get(kind))]
    written = text if isinstance(text, str) else " ".join(part for part in parts if isinstance(part, str))
    return written.strip()[:_LONGEST]


def _extension(element: Mapping[str, Any], url: str) -> Json | None:
    listed = list_of(element.get("extension"))
    return next((item for item in listed if isinstance(item, dict) and item.get("url") == url), None)
