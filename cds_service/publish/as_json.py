"""A Policy as JSON, with its source attributes. Pure."""

from collections.abc import Mapping
from typing import Any

from cds_service.facts import word
from cds_service.policy.codes import CodeSet
from cds_service.policy.model import Criterion, Payer, Policy
from cds_service.publish import rules, source_attributes


def as_json(policy: Policy, written: Mapping[str, Any]) -> dict[str, Any]:
    """The whole rule set as JSON: policy.json as ``written``, plus its codes, payers, wording and source attributes.

    ``variants`` are the criteria with a profile's numbers or test, by "criterion@profile".
    """
    return {
        **written,
        "codes": {
            "systems": policy.code_systems,
            "sets": {name: _code_set_json(codes) for name, codes in policy.code_sets.items()},
        },
        "payers": [_payer_json(rule) for rule in policy.payers],
        "wording": policy.wording,
        "variants": {key: _variant_json(policy, rule) for key, rule in policy.variants.items()},
        "sourceAttributes": source_attributes.source_attributes(policy),
    }


def _variant_json(policy: Policy, rule: Criterion) -> dict[str, Any]:
    return {
        "criterion": rule.id,
        "profile": rule.profile,
        "title": rule.title,
        "fails_as": rule.fails_as,
        "test": word.sentence(rule.test, policy.facts),
        "settled_by": rule.settled_by,
    }


def _code_set_json(codes: CodeSet) -> dict[str, Any]:
    return {
        "title": codes.title,
        "text": [phrase.strip() for phrase in codes.alone],
        "text_together": {
            "any_of": [phrase.strip() for phrase in codes.together],
            "beside": [phrase.strip() for phrase in codes.beside],
        },
        "unless": [phrase.strip() for phrase in codes.unless],
        "words_beside_codes": codes.words_beside_codes,
        "codes": [
            {
                "system": row.system_name,
                "code": f"{row.code}-" if row.prefix else row.code,
                "through": row.through or None,
                "except": list(row.exceptions),
                "label": row.label,
                "seen": row.seen,
                "provenance": row.provenance,
                "valid_from": row.valid_from,
                "valid_until": row.valid_until,
                "leaves": list(row.leaves),
                "remark": row.remark,
                "use": row.use,
            }
            for row in codes.codes
        ],
    }


def _payer_json(rule: Payer) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "identifiers": [{"system": system, "value": value} for system, value in sorted(rule.identifiers)],
        "aliases": sorted(alias.strip() for alias in rule.aliases),
        "document": rule.document,
        "sources": list(rule.sources),
        "position": rule.position,
        "own_text": rule.own_text,
        "seen_in_force": rule.seen_in_force.isoformat() if rule.seen_in_force else None,
        "in_force": {
            "from": rules.first_day(rule.in_force_from) if rule.in_force_from else None,
            "until": rules.last_day(rule.in_force_until) if rule.in_force_until else None,
        },
        "background": rule.background,
        "verified": rule.verified,
        "next_review": rule.next_review,
    }
