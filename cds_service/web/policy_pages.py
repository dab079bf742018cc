"""The content of rule set pages: the text of a rule set, its editions, and the use of each prefetch key."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

from cds_service.card.words.facts import DISCLAIMER
from cds_service.facts import word
from cds_service.policy import editions
from cds_service.policy.model import Policy
from cds_service.publish import codes, criteria, rules, source_attributes
from cds_service.publish.changes import changes
from cds_service.publish.effects import effects

# The modules with sentences for templates, by the names that templates use.
TEXTS: Mapping[str, Any] = {
    "text": criteria,
    "tests_text": word,
    "codes_text": codes,
    "rules": rules,
    "about": source_attributes,
}


class EditionsText(NamedTuple):
    """The editions of one statement, for the page of one edition, by effective date.

    ``others`` are all other editions. ``changes`` are sentences on the differences from ``before``, the previous
    edition; ``on_cards`` are sentences on their possible effects on cards.
    """

    others: tuple[Policy, ...]
    before: Policy | None
    changes: tuple[str, ...]
    on_cards: tuple[str, ...]


class AskedFor(NamedTuple):
    """One prefetch key of discovery: its template, and what each rule set reads from it."""

    key: str
    template: str
    read: tuple[tuple[Policy, tuple[str, ...]], ...]


def asked_for(templates: Mapping[str, str], policies: Iterable[Policy]) -> list[AskedFor]:
    """The use of each prefetch key; ``templates`` are those that discovery publishes."""
    by_key: dict[str, list[tuple[Policy, tuple[str, ...]]]] = {}
    for policy in policies:
        for row in source_attributes.sent(policy):
            if row.inputs:
                by_key.setdefault(row.key, []).append((policy, row.inputs))
    return [AskedFor(key, template, tuple(by_key.get(key, ()))) for key, template in templates.items()]


def editions_of(policy: Policy, policies: Iterable[Policy]) -> EditionsText:
    """The editions of a rule set's statement among the loaded rule sets."""
    same = sorted((item for item in policies if item.statement == policy.statement), key=editions.effective)
    place = next(index for index, item in enumerate(same) if item.id == policy.id)
    before = same[place - 1] if place else None
    return EditionsText(
        tuple(item for item in same if item.id != policy.id),
        before,
        tuple(changes(before, policy)) if before else (),
        tuple(effects(before, policy)) if before else (),
    )


def values(policy: Policy, policies: Iterable[Policy], drafts: Iterable[Policy], today: date) -> dict[str, Any]:
    """The template values for the page of one rule set on a day.

    ``policies`` are all loaded rule sets, including its other editions; ``drafts`` are editions that are never in
    force.
    """
    return {
        "policy": policy,
        "groups": criteria.groups(policy),
        "payers": [rules.payer(policy, item, today) for item in policy.payers],
        "code_sets": codes.code_sets(policy),
        "footer": f"{DISCLAIMER} {policy.phrases.pending}".rstrip(),
        "editions": editions_of(policy, policies),
        "drafts": [item for item in drafts if item.statement == policy.statement],
    }
