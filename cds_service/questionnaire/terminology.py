"""The codes of a rule set as FHIR (R4): each code set as a ValueSet, its criteria as a CodeSystem."""

from collections.abc import Mapping

from cds_service.fhir.elements import Json
from cds_service.policy.codes import Code, CodeSet
from cds_service.policy.model import Policy
from cds_service.questionnaire import question_words as words
from cds_service.questionnaire.code_patterns import pattern_of, pattern_of_exception
from cds_service.questionnaire.rendering import PUBLISHER, criteria_system, fhir_id


def value_sets(policy: Policy, canonical_base: str) -> list[Json]:
    """The ValueSets of the code sets that contain codes; sets of words alone have none."""
    return [_value_set(policy, codes, canonical_base) for codes in policy.code_sets.values() if codes.listed]


def value_set_id(policy: Policy, codes: CodeSet) -> str:
    """The id of a code set's ValueSet."""
    return fhir_id(f"{policy.id}-{codes.name}")


def _value_set(policy: Policy, codes: CodeSet, canonical_base: str) -> Json:
    identity = value_set_id(policy, codes)
    excluded = [
        {"system": row.system, "filter": [_regex(pattern_of_exception(kept_out))]}
        for row in codes.listed
        for kept_out in row.exceptions
    ]
    return {
        "resourceType": "ValueSet",
        "id": identity,
        "url": f"{canonical_base}/ValueSet/{identity}",
        "version": policy.edition,
        "name": "".join(word.capitalize() for word in identity.split("-")),
        "title": codes.title,
        **_published(policy),
        "compose": {"include": _included(codes), **({"exclude": excluded} if excluded else {})},
    }


def _included(codes: CodeSet) -> list[Json]:
    concepts: dict[str, list[Json]] = {}
    for row in codes.listed:
        # An ingredient without a known code has only a name.
        if not row.is_family and row.code:
            concepts.setdefault(row.system, []).append(concept_of(row))
    families = [{"system": row.system, "filter": [_regex(pattern_of(row))]} for row in codes.listed if row.is_family]
    return [*({"system": system, "concept": listed} for system, listed in concepts.items()), *families]


def concept_of(row: Code) -> Json:
    """A code with its display, if the display is ours."""
    # A licensed descriptor must not be passed on.
    return {"code": row.code, **({} if row.labelled_elsewhere else {"display": row.label})}


def _regex(pattern: str) -> Json:
    return {"property": "code", "op": "regex", "value": pattern}


def _published(policy: Policy) -> Json:
    return {
        "status": "draft" if policy.is_draft else "active",
        "experimental": False,
        "date": policy.review.last_review,
        "publisher": PUBLISHER,
    }


def criteria_code_system(policy: Policy, canonical_base: str) -> Json:
    """The criteria of a rule set as a CodeSystem, which the questions of its form refer to."""
    url = criteria_system(policy, canonical_base)
    concepts = [
        {"code": rule.id, "display": rule.title, "definition": words.settled_by(rule.settled_by)}
        for rule in policy.criteria
    ]
    title = words.criteria(policy.title)
    return _code_system(url, policy.edition, title, concepts) | _published(policy)


def own_code_systems(
    canonical_base: str, reasons: Mapping[str, str], topics: Mapping[str, str], version: str
) -> list[Json]:
    """The code systems of all cards: override reasons and topics, each mapping codes to displays."""
    named = (
        ("override-reasons", words.REASONS, reasons),
        ("topics", words.TOPICS, topics),
    )
    return [
        _code_system(
            f"{canonical_base}/CodeSystem/{name}",
            version,
            title,
            [{"code": code, "display": display} for code, display in sorted(codes.items())],
        )
        | {"status": "active", "experimental": False, "publisher": PUBLISHER}
        for name, title, codes in named
    ]


def _code_system(url: str, version: str, title: str, concepts: list[Json]) -> Json:
    identity = fhir_id(url.rpartition("/")[2])
    return {
        "resourceType": "CodeSystem",
        "id": identity,
        "url": url,
        "version": version,
        "name": "".join(word.capitalize() for word in identity.split("-")),
        "title": title,
        "caseSensitive": True,
        "content": "complete",
        "count": len(concepts),
        "concept": concepts,
    }
