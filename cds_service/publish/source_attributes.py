"""What a reader must know of a rule set as decision support: 13 source attributes, and FDA's (a) to (d). Pure, no
Flask.

The thirteen are those of an evidence-based intervention (45 CFR 170.315(b)(11)(iv)(A)). (a) to (d) are from FDA's
guidance on clinical decision support software: its fourth criterion, that a professional can review the basis of a
recommendation.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

from cds_service import __version__
from cds_service.facts.kind import kind_of
from cds_service.fhir.terminology import ICD10CM
from cds_service.fhir.types import TYPES
from cds_service.policy import prefetch_templates
from cds_service.policy.codes import Code
from cds_service.policy.model import Criterion, FactRule, Policy
from cds_service.policy.sources import Source
from cds_service.publish import criteria as policy_text
from cds_service.publish.criteria import ReadingText

TIME_CRITICAL = "Not for time-critical use: it recognizes no emergency, and a card may come late or not at all."
METHOD = (
    "Each criterion is a clause of a source, or a choice of the authors that is named as one, written as a test over "
    "facts of the record. The same record, order and day always give the same card: nothing is estimated, and no model "
    "was trained on data."
)
TRUTHS = {
    "met": "What was found settles the criterion, and supports the order; an exclusion is met where it is absent.",
    "not met": "What was found settles the criterion, and contradicts the order.",
    "unknown": "What was found does not settle it. What is not on record is never a yes.",
}
# How the service handles an unsuitable value: the name of the fault, and the effect.
FAULTS = {
    "Missing": (
        "Nothing was sent for a question, or it could not be fetched: what it would have settled is unknown, and the "
        "card names what was not sent."
    ),
    "Corrupted": (
        "A resource that cannot be read is listed on the card and spoils only the criteria that it may bear on; all "
        "others are evaluated."
    ),
    "Unexpected": (
        "A value in another unit, out of range, too old, dated in the future, refuted, cancelled or entered in error "
        "is not evidence, and the card says why."
    ),
    "Contradictory": (
        "Two values of one day, or a record and an attested answer, that disagree make the criterion unknown, and both "
        "are shown. No codes are then offered."
    ),
}


# --- attributes 1 to 4 -----------------------------------------------------------------------------------------------


def citation(policy: Policy) -> Source:
    """The register's entry of the statement itself: the source that was checked for its funding."""
    return policy.sources[policy.attributes.funding_of_statement.source]


class Funding(NamedTuple):
    """Who paid for one thing, or that this is unknown, and the source that was checked."""

    of: str
    says: str
    source: str | None


def funding(policy: Policy) -> list[Funding]:
    """Who paid for the technical implementation, for the statement, and for each study behind it."""
    statement = policy.attributes.funding_of_statement
    return [
        Funding("This decision support", policy.attributes.funding, None),
        Funding("The statement", statement.says, statement.source),
        *(Funding("A study", study.says, study.source) for study in policy.attributes.funding_of_studies),
    ]


# --- attributes 5 to 13 ----------------------------------------------------------------------------------------------


class Use(NamedTuple):
    """Whether a rule set uses one kind of patient data, and which facts use it."""

    key: str
    name: str
    used: bool
    facts: tuple[str, ...]

    @property
    def because(self) -> str:
        """The reason, in words."""
        return f"read by: {', '.join(self.facts)}" if self.used else "no fact of this statement reads it"


def uses(policy: Policy) -> list[Use]:
    """The nine uses, attributes 5 to 13 in the regulation's order, derived from the facts that the rule set reads.

    The birth date is the only element of Patient that a fact can read. A measurement, or its reduction, is a health
    status assessment; a code of ICD-10-CM Z55 to Z65 is a social determinant. An attribute of events counts as a fact.
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
            tuple(title for title, rule in read if kind_of(rule).is_of_scores),
        ),
    }
    return [Use(key, name, bool(facts), facts) for key, (name, facts) in readers.items()]


def _read(policy: Policy) -> Iterator[tuple[str, FactRule]]:
    """Every fact with its title, each followed by its attributes of events."""
    for rule in policy.facts.values():
        yield rule.title, rule
        for attribute in rule.attributes.values():
            yield f"{rule.title}: {attribute.title}", attribute


def _reads_social(rule: FactRule) -> bool:
    sets = (*((rule.codes,) if rule.codes else ()), *rule.narrowed_by)
    return any(_is_social(row) for codes in sets for row in codes.codes)


def _is_social(row: Code) -> bool:
    """Whether a code is in Z55 to Z65, or is a prefix of such codes."""
    first, last = (row.code.ljust(3, filler)[:3] for filler in "09")
    return row.system == ICD10CM and first <= "Z65" and last >= "Z55"


# --- (b) inputs ------------------------------------------------------------------------------------------------------


class Input(NamedTuple):
    """One fact as an input: its reading in words, its prefetch keys, and the criteria that use it."""

    name: str
    reading: ReadingText
    prefetch: tuple[str, ...]
    criteria: tuple[Criterion, ...]

    @property
    def obtained(self) -> str:
        """Its origin, in words."""
        if self.reading.age == "of this call":
            return "the order itself"
        return ", ".join(self.prefetch) or "computed from other inputs"

    @property
    def units(self) -> str:
        """The accepted units, including those of an event's attributes; "" if none is needed."""
        asked = (f"{item.title}: {item.units}" for item in self.reading.attributes if item.units)
        return "; ".join(filter(None, (self.reading.units, *asked)))


class Sent(NamedTuple):
    """What one prefetch key requests from the EHR, and the inputs read from it."""

    key: str
    resource_type: str
    template: str
    inputs: tuple[str, ...]


def inputs(policy: Policy) -> list[Input]:
    """Every fact of the rule set, in order."""
    users: dict[str, dict[str, Criterion]] = {}
    for rule in policy.criteria:
        text = policy_text.criterion(policy, rule)
        for name in (*text.reads, *rule.beside):
            users.setdefault(name, {})[rule.id] = rule
    return [
        Input(
            name,
            policy_text.reading(rule, policy.facts, None, policy.scope),
            tuple(prefetch_templates.key_of(kind) for kind in sorted(rule.types()) if not TYPES[kind].unasked),
            tuple(users.get(name, {}).values()),
        )
        for name, rule in policy.facts.items()
    ]


def sent(policy: Policy) -> list[Sent]:
    """The prefetch that this rule set alone needs; discovery offers the prefetch of all rule sets together."""
    templates = prefetch_templates.templates((policy,))
    return [
        Sent(
            key,
            kind,
            templates[key],
            tuple(rule.title for rule in policy.facts.values() if kind in rule.types())
            + (("Payer of the patient",) if kind == "Coverage" else ()),
        )
        for key, kind in prefetch_templates.keys((policy,)).items()
    ]


# --- the answers as data --------------------------------------------------------------------------------------------


def source_attributes(policy: Policy) -> dict[str, Any]:
    """The thirteen source attributes in order, then (a) to (d), under stable keys."""
    source, review, attributes = citation(policy), policy.review, policy.attributes
    return (
        {
            "bibliographicCitation": {"citation": source.citation, "url": source.url, "seen": source.seen},
            "developer": {
                "writtenBy": review.written_by,
                "checkedBy": review.checked_by,
                "edition": policy.edition,
                "release": __version__,
            },
            "fundingSource": _funding_json(policy),
            "releaseAndRevisionDates": {
                "effectiveFrom": policy.effective_from,
                "effectiveUntil": policy.effective_until,
                "lastReview": review.last_review,
                "nextReview": review.next_review,
                "revisions": [asdict(item) for item in review.revisions],
            },
        }
        | {use.key: {"name": use.name, "used": use.used, "facts": list(use.facts)} for use in uses(policy)}
        | {
            "purposeAndUse": {
                "purpose": attributes.purpose,
                "intendedUser": attributes.intended_user,
                "intendedPopulation": attributes.intended_population,
                "notFor": attributes.not_for,
                "timeCritical": TIME_CRITICAL,
            },
            "inputs": _inputs_json(policy),
            "logicAndEvidence": {
                "method": METHOD,
                "verdicts": [
                    {"id": rule.id, "title": rule.title, "means": policy_text.composed(policy, rule)}
                    for rule in policy.verdicts
                ],
                "criteria": [
                    {
                        "id": rule.id,
                        "title": rule.title,
                        "metWhen": policy_text.criterion(policy, rule).sentence,
                        "comparedWithTheStatement": rule.statement_text == "verified",
                    }
                    for rule in policy.criteria
                ],
                "evidence": [asdict(item) for item in policy.evidence],
                "limits": attributes.limits,
            },
            "knownsAndUnknowns": {
                "truths": TRUTHS,
                "faults": {name.lower(): says for name, says in FAULTS.items()},
                "silenceMeansNo": [
                    {"fact": rule.title, "because": rule.absent_because} for rule in silence_means_no(policy)
                ],
            },
        }
    )


def silence_means_no(policy: Policy) -> list[FactRule]:
    """The facts whose absence from the chart counts as no, for a reason that the rule set gives."""
    return [rule for rule in policy.facts.values() if rule.when_absent == "no" and rule.absent_because]


def _funding_json(policy: Policy) -> dict[str, Any]:
    of_this, of_statement, *of_studies = (
        {"says": item.says, "source": item.source} if item.source else {"says": item.says} for item in funding(policy)
    )
    return {"implementation": of_this, "statement": of_statement, "studies": of_studies}


def _inputs_json(policy: Policy) -> dict[str, Any]:
    return {
        "prefetch": [
            {"key": row.key, "resourceType": row.resource_type, "template": row.template, "inputs": list(row.inputs)}
            for row in sent(policy)
        ],
        "facts": [
            {
                "id": item.name,
                "title": item.reading.title,
                "readFrom": item.reading.origin,
                "prefetch": list(item.prefetch),
                "codeSets": [codes.name for codes in item.reading.sets],
                "units": item.units or None,
                "noOlderThan": item.reading.age,
                "nothingOnRecord": item.reading.absence,
                "criteria": [rule.id for rule in item.criteria],
            }
            for item in inputs(policy)
        ],
    }
