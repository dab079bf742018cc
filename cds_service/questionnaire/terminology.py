"""The codes of a policy as FHIR (R4): each code set a ValueSet, its criteria a CodeSystem."""

from collections.abc import Mapping
from typing import NamedTuple

from cds_service.errors import RequestError
from cds_service.fhir.elements import Json
from cds_service.policy.codes import Code, CodeSet
from cds_service.policy.model import Policy
from cds_service.questionnaire.code_patterns import pattern_of, pattern_of_exception
from cds_service.questionnaire.rendering import PUBLISHER, criteria_system, fhir_id

MOST_OF_A_PAGE = 1000


class Page(NamedTuple):
    """What of an expansion is asked for: whose codes or words hold ``filter``, ``size`` of it from ``offset`` on."""

    filter: str = ""
    offset: int = 0
    size: int = MOST_OF_A_PAGE


def value_sets(policy: Policy, canonical_base: str) -> list[Json]:
    """The code sets that name codes; one that names words alone is none."""
    return [_value_set(policy, codes, canonical_base) for codes in policy.code_sets.values() if codes.listed]


def _value_set(policy: Policy, codes: CodeSet, canonical_base: str) -> Json:
    identity = fhir_id(f"{policy.id}-{codes.name}")
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
        # An ingredient of which no code was available has a name alone.
        if not row.is_family and row.code:
            concepts.setdefault(row.system, []).append(_concept(row))
    families = [{"system": row.system, "filter": [_regex(pattern_of(row))]} for row in codes.listed if row.is_family]
    return [*({"system": system, "concept": listed} for system, listed in concepts.items()), *families]


def _concept(row: Code) -> Json:
    # A licensed descriptor is not passed on.
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
    """The criteria of a policy, which the questions of its form name."""
    url = criteria_system(policy, canonical_base)
    concepts = [
        {"code": rule.id, "display": rule.title, "definition": f"Settled by: {rule.settled_by}."}
        for rule in policy.criteria
    ]
    title = f"{policy.title}: criteria"
    return _code_system(url, policy.edition, title, concepts) | _published(policy)


def own_code_systems(
    canonical_base: str, reasons: Mapping[str, str], topics: Mapping[str, str], version: str
) -> list[Json]:
    """The code systems of all cards: override reasons, and topics; each maps a code to what it is called."""
    named = (
        ("override-reasons", "Reasons for not taking a card's advice", reasons),
        ("topics", "Topics of cards: therapy and outcome", topics),
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


def expanded(value_set: Json, page: Page, identifier: str, timestamp: str) -> Json:
    """A ValueSet with its expansion (FHIR R4, ValueSet/$expand); ``identifier`` is a URI, ``timestamp`` an instant.

    Raises RequestError 422 where the set stands for all codes that begin so: the code system is not held here.
    """
    included = value_set["compose"]["include"]
    if any("filter" in part for part in included):
        raise RequestError(
            422,
            "too-costly",
            f"The ValueSet '{value_set['id']}' stands for families of codes (compose.include.filter), and this service "
            "holds no code system to list them from; expand it on a terminology server.",
        )
    every = [{"system": part["system"], **concept} for part in included for concept in part["concept"]]
    wanted = page.filter.casefold()
    found = [item for item in every if wanted in f"{item['code']} {item.get('display', '')}".casefold()]
    shown = found[page.offset : page.offset + page.size]
    expansion = {
        "identifier": identifier,
        "timestamp": timestamp,
        "total": len(found),
        "offset": page.offset,
        "parameter": [{"name": "filter", "valueString": page.filter}] if page.filter else [],
        "contains": shown,
    }
    # An empty list is no FHIR.
    return value_set | {"expansion": {name: value for name, value in expansion.items() if value != []}}
