"""The rule set's part of an evidence page, the same for every patient: sources, wording, studies, and search terms.

It is not stored with a page. The page route joins the two, and says if the rule set has changed since.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from cds_service.card.words.page import label_criteria
from cds_service.facts.evidence import titled
from cds_service.facts.kind import kind_of
from cds_service.fhir.sentence_case import capital
from cds_service.policy.model import Criterion, Policy

Json = dict[str, Any]


def rule_set_part(policy: Policy) -> Json:
    """The rule set's part of a page, as JSON; ``digest`` changes with any word of it."""
    criteria = {item.key: item for item in (*policy.criteria, *policy.variants.values())}
    part: Json = {
        "id": policy.id,
        "title": policy.title,
        "edition": policy.edition,
        "criteria": {key: _criterion(policy, item) for key, item in criteria.items()},
        "verdicts": _headings(policy) | {item.id: item.title for item in policy.profiles.values()},
        "payers": {
            item.id: {"document": item.document, "background": item.background, "sources": list(item.sources)}
            for item in policy.payers
        },
        "evidence": policy.phrases.page.evidence,
        "note": policy.phrases.page.note,
        "studies": [
            {"finding": item.finding, "speaks": item.speaks, "limits": item.limits, "source": item.source}
            for item in policy.evidence
        ],
        "codes": {
            "acts": [
                {
                    "id": act.id,
                    "system": act.code.system_name,
                    "code": act.code.code,
                    "label": act.code.label if act.code.labelled_elsewhere else act.label,
                    "unverified": act.code.seen == "unverified",
                }
                for act in policy.orders.acts
            ],
            "line": policy.phrases.page.codes,
            "by_text": policy.phrases.page.by_text,
            "header": policy.phrases.page.header_code,
            "notices": [
                {"name": f"{name} {system['version']}", "says": system["notice"]}
                for name, system in policy.code_systems.items()
                if "pack" in system
            ],
        },
        "about": _about(policy),
    }
    part["sources"] = _sources(policy, part)
    return part | {"digest": hashlib.sha256(json.dumps(part).encode()).hexdigest()[:16]}


def _criterion(policy: Policy, criterion: Criterion) -> Json:
    facts = (policy.facts[name] for name in criterion.reads)
    # The short phrase is not true of a criterion with the numbers of another rule.
    short = policy.phrases.criteria[criterion.id].short if criterion.key == criterion.id else ""
    return {
        "title": capital(short) or criterion.title,
        "asks": criterion.title,
        "looked_for": [[titled(rule), kind_of(rule).age_limit(rule)] for rule in facts],
        "sources": [
            {
                "source": citation.source,
                "place": citation.place,
                "says": citation.says,
                "quote": citation.quote,
                "seen": citation.verified,
            }
            for citation in criterion.citations
        ],
        "choice": criterion.product_choice,
        "note": criterion.note,
    }


def _headings(policy: Policy) -> dict[str, str]:
    """The heading of each verdict's criteria: of the label, of what trials add, otherwise the verdict's title."""
    named = {item.id: item.title for item in policy.verdicts}
    first, *others = policy.verdicts
    named[first.id] = label_criteria(policy.phrases.label)
    trials = next((item for item in others if not item.payer and item.profile is None), None)
    if trials is not None and policy.phrases.trials:
        named[trials.id] = policy.phrases.trials
    return named


def _about(policy: Policy) -> Json:
    review, later = policy.review, policy.superseded_by
    pending = any(item.statement_text != "verified" for item in policy.criteria)
    return {
        "limits": policy.attributes.limits,
        "funding": [{"says": item.says, "source": item.source} for item in policy.attributes.funding_of_studies],
        "checked_by": review.checked_by,
        "last_review": review.last_review,
        "next_review": review.next_review,
        "pending": policy.phrases.pending if pending else "",
        "later": {"title": later.title, "date": later.date, "url": later.url} if later else None,
    }


def _sources(policy: Policy, part: Json) -> Json:
    """The documents that the part cites, by their names in the rule set."""
    cited: Iterable[str] = (
        *(item["source"] for criterion in part["criteria"].values() for item in criterion["sources"]),
        *(item["source"] for item in part["studies"]),
        *(name for payer in part["payers"].values() for name in payer["sources"]),
    )
    found = (name for name in dict.fromkeys(cited) if name in policy.sources)
    return {
        name: {"title": source.title, "citation": source.citation, "url": source.url, "seen": source.seen}
        for name in found
        for source in (policy.sources[name],)
    }
