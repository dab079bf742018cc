"""Prefetch templates, derived from the facts that the loaded rule sets read (CDS Hooks 2.0, "Prefetch Template")."""

from collections.abc import Iterable, Mapping

from cds_service.fhir.terminology import LOINC
from cds_service.fhir.types import TYPES
from cds_service.policy.model import Policy


def key_of(resource_type: str) -> str:
    """The prefetch key of a resource type: ``MedicationRequest`` is ``medicationRequest``."""
    return resource_type[0].lower() + resource_type[1:]


def keys(policies: Iterable[Policy]) -> dict[str, str]:
    """Prefetch key -> resource type, for every type that a rule set reads and requests; Patient is always included."""
    types = {"Patient"}.union(*(policy.resource_types for policy in policies))
    types = {name for name in types if not TYPES[name].unasked}
    return {key_of(name): name for name in sorted(types, key=lambda name: (name != "Patient", name))}


def templates(policies: Iterable[Policy]) -> Mapping[str, str]:
    """Prefetch key -> template, using only root tokens of CDS Hooks 2.0 and searches without ``_include``."""
    policies = tuple(policies)
    return {key: _template(name, policies) for key, name in keys(policies).items()}


def lean(all_templates: Mapping[str, str]) -> Mapping[str, str]:
    """The templates of the ``lean`` types, for EHRs whose FHIR server serves everything else on demand.

    Most calls concern no rule set, so most of a full prefetch is wasted.
    """
    asked = {key_of(name) for name, row in TYPES.items() if row.lean}
    return {key: template for key, template in all_templates.items() if key in asked}


def _template(name: str, policies: Iterable[Policy]) -> str:
    row = TYPES[name]
    if not row.search:
        return f"{name}/{{{{context.patientId}}}}"
    query = f"{name}?{row.search}={{{{context.patientId}}}}" + (f"&{row.narrowed}" if row.narrowed else "")
    if row.by_code:
        codes = {
            f"{code.system}|{code.code}"
            for policy in policies
            for rule in policy.facts.values()
            if name in rule.types()
            for codes in rule.code_sets
            for code in codes.codes
            if code.system == LOINC
        }
        query += f"&code={','.join(sorted(codes))}" if codes else ""
    return query
