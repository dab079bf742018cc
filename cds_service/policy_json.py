"""A Policy as JSON, with the source attributes that 45 CFR 170.315(b)(11)(iv)(A) names for decision support. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cds_service import __version__, clause_text, code_text, rule_text
from cds_service.policy import Code, CodeSet, Criterion, FactRule, Payer, Policy
from cds_service.terminology import ICD10CM


class Use(NamedTuple):
    """Whether a policy uses one kind of data about the patient, and by which facts."""

    key: str
    name: str
    used: bool
    facts: tuple[str, ...]

    @property
    def because(self) -> str:
        """Why, in words."""
        return f"read by: {', '.join(self.facts)}" if self.used else "no fact of this statement reads it"


def uses(policy: Policy) -> list[Use]:
    """The nine uses of 45 CFR 170.315(b)(11)(iv)(A), derived from the facts that the policy reads.

    Of the Patient a fact can read the birth date alone; a measurement is a health status assessment, and so is what it
    fell by; a code of ICD-10-CM Z55 to Z65 is a social determinant. What is asked of an event counts as a fact.
    """
    read = list(_read(policy))
    readers = {
        "useOfRace": ("Race", ()),
        "useOfEthnicity": ("Ethnicity", ()),
        "useOfLanguage": ("Language", ()),
        "useOfSexualOrientation": ("Sexual orientation", ()),
        "useOfGenderIdentity": ("Gender identity", ()),
        "useOfSex": ("Sex", ()),
        "useOfDateOfBirth": (
            "Date of birth",
            tuple(title for title, rule in read if "Patient" in rule.types()),
        ),
        "useOfSocialDeterminants": (
            "Social determinants of health",
            tuple(title for title, rule in read if _reads_social(rule)),
        ),
        "useOfHealthStatusAssessments": (
            "Health status assessments",
            tuple(title for title, rule in read if rule.kind in ("measurement", "reduction")),
        ),
    }
    return [Use(key, name, bool(facts), facts) for key, (name, facts) in readers.items()]


def _read(policy: Policy) -> Iterator[tuple[str, FactRule]]:
    """Every fact with its title, and behind it what is asked of each event."""
    for rule in policy.facts.values():
        yield rule.title, rule
        for attribute in rule.attributes.values():
            yield f"{rule.title}: {attribute.title}", attribute


def _reads_social(rule: FactRule) -> bool:
    sets = [codes for codes in (rule.codes, rule.site, rule.reason) if codes is not None]
    return any(_is_social(row) for codes in sets for row in codes.codes)


def _is_social(row: Code) -> bool:
    """Whether a code is one of Z55 to Z65, or begins some of them."""
    first, last = (row.code.ljust(3, filler)[:3] for filler in "09")
    return row.system == ICD10CM and first <= "Z65" and last >= "Z55"


def citation(policy: Policy) -> Mapping[str, Any]:
    """The register's entry of the statement itself: the source whose address the cards name, else the first."""
    sources: list[Mapping[str, Any]] = list(policy.raw["sources"].values())
    address = policy.wording["source"]["url"]
    return next((source for source in sources if source["url"] == address), sources[0])


def source_attributes(policy: Policy) -> dict[str, Any]:
    """The thirteen source attributes of an evidence-based intervention, under keys that do not change."""
    raw, source, review = policy.raw, citation(policy), policy.raw["review"]
    return {
        "bibliographicCitation": {key: source[key] for key in ("citation", "url", "seen")},
        "developer": {
            "writtenBy": review["written_by"],
            "checkedBy": review["checked_by"],
            "edition": policy.edition,
            "release": __version__,
        },
        "fundingSource": raw["attributes"]["funding"],
        "releaseAndRevisionDates": {
            "effectiveFrom": raw["effective"]["from"],
            "effectiveUntil": raw["effective"]["until"],
            "lastReview": review["last_review"],
            "nextReview": review["next_review"],
        },
    } | {use.key: {"name": use.name, "used": use.used, "facts": list(use.facts)} for use in uses(policy)}


def as_json(policy: Policy) -> dict[str, Any]:
    """The whole policy as JSON: policy.json as written, with its codes, payers, wording and source attributes.

    ``variants`` are the criteria with the numbers or the test of a profile, by "criterion@profile".
    """
    return {
        **policy.raw,
        "codes": {
            "systems": policy.code_systems,
            "sets": {name: _code_set_json(codes) for name, codes in policy.code_sets.items()},
        },
        "payers": [_payer_json(rule) for rule in policy.payers],
        "wording": policy.wording,
        "variants": {key: _variant_json(policy, rule) for key, rule in policy.variants.items()},
        "sourceAttributes": source_attributes(policy),
    }


def _variant_json(policy: Policy, rule: Criterion) -> dict[str, Any]:
    return {
        "criterion": rule.id,
        "profile": rule.profile,
        "title": rule.title,
        "fails_as": rule.fails_as,
        "test": clause_text.sentence(rule.test, policy.facts),
        "settled_by": rule.settled_by,
    }


def _code_set_json(codes: CodeSet) -> dict[str, Any]:
    return {
        "title": codes.title,
        "text": [phrase.strip() for phrase in codes.phrases],
        "words_beside_codes": codes.words_beside_codes,
        "codes": [
            {
                "system": row.system_name,
                "code": code_text.spelling(row),
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
        "position": rule.position,
        "own_text": rule.own_text,
        "seen_in_force": rule.seen_in_force.isoformat() if rule.seen_in_force else None,
        "in_force": {
            "from": rule_text.first_day(rule.in_force_from) if rule.in_force_from else None,
            "until": rule_text.last_day(rule.in_force_until) if rule.in_force_until else None,
        },
        "background": rule.background,
        "verified": rule.verified,
        "next_review": rule.next_review,
    }
