"""A rule set as a FHIR PlanDefinition (R4): its criteria, their sources, and the form that documents them.

It describes and is not executed: the rule set itself decides, and is published at its page and as JSON.
"""

from cds_service.fhir.elements import Json
from cds_service.policy.model import Criterion, Policy, VerdictRule, own_id
from cds_service.questionnaire import question_words as words
from cds_service.questionnaire.rendering import PUBLISHER, criteria_system, fhir_id, questionnaire_url


def plan_definition(policy: Policy, canonical_base: str) -> Json:
    """The PlanDefinition of a rule set."""
    verdicts = [rule for rule in policy.verdicts if rule.criteria]
    counted = {own_id(key) for rule in verdicts for key in rule.criteria}
    rest = [rule for rule in policy.criteria if rule.id not in counted]
    form = {
        "id": "form",
        "title": words.MISSING,
        "definitionCanonical": f"{questionnaire_url(policy, canonical_base)}|{policy.edition}",
    }
    review = {
        "id": "review",
        "title": words.REVIEW,
        "action": [_criterion(policy, rule, canonical_base) for rule in rest],
    }
    return {
        "resourceType": "PlanDefinition",
        "id": fhir_id(policy.id),
        "url": f"{canonical_base}/PlanDefinition/{policy.id}",
        "version": policy.edition,
        "name": "".join(word.capitalize() for word in policy.id.split("-")),
        "title": policy.title,
        "type": {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/plan-definition-type", "code": "clinical-protocol"}
            ]
        },
        "status": "draft" if policy.is_draft else "active",
        "experimental": False,
        "date": policy.review.last_review,
        "publisher": PUBLISHER,
        "purpose": policy.attributes.purpose,
        "usage": policy.attributes.not_for,
        "effectivePeriod": {
            "start": policy.effective_from,
            **({"end": policy.effective_until} if policy.effective_until else {}),
        },
        "relatedArtifact": [
            {
                "type": "citation",
                "display": source.title,
                "citation": source.citation,
                **({"url": source.url} if source.url else {}),
            }
            for source in policy.sources.values()
        ],
        "action": [
            *(_verdict(policy, rule, canonical_base) for rule in verdicts),
            *([review] if rest else []),
            form,
        ],
    }


def _verdict(policy: Policy, rule: VerdictRule, canonical_base: str) -> Json:
    criteria = [policy.criterion(key) for key in rule.criteria]
    actions = [_criterion(policy, criterion, canonical_base, rule.id) for criterion in criteria]
    return {"id": rule.id, "title": rule.title, "action": actions}


def _criterion(policy: Policy, rule: Criterion, canonical_base: str, within: str = "review") -> Json:
    coding = {"system": criteria_system(policy, canonical_base), "code": rule.id}
    cited = [
        {
            "type": "citation",
            "display": policy.sources[citation.source].title,
            "citation": f"{citation.place}: {citation.says} ({citation.verified})",
        }
        for citation in rule.citations
        if citation.source in policy.sources
    ]
    return {
        # Several verdicts may count the same criterion.
        "id": f"{within}.{rule.id}",
        "title": rule.title,
        "textEquivalent": words.criterion(rule.title, words.settled_by(rule.settled_by)),
        "code": [{"coding": [coding]}],
        **({"documentation": cited} if cited else {}),
    }
