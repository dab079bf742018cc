"""What the pages of policies show: the texts of a policy, its editions, and what each prefetch key is for."""

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

# The modules that templates ask for sentences, by the names that templates use.
TEXTS: Mapping[str, Any] = {
    "text": criteria,
    "tests_text": word,
    "codes_text": codes,
    "rules": rules,
    "about": source_attributes,
}


class EditionsText(NamedTuple):
    """The editions of one statement as the page of one of them sees them, by the day from which each counts.

    ``others`` are all but this one; ``changes`` are sentences on what is different in this one from ``before``, the
    edition that came before it, and ``on_cards`` on what this can change on cards.
    """

    others: tuple[Policy, ...]
    before: Policy | None
    changes: tuple[str, ...]
    on_cards: tuple[str, ...]


class AskedFor(NamedTuple):
    """One prefetch key of discovery: its template, its resource type, and what each statement reads from it."""

    key: str
    template: str
    read: tuple[tuple[Policy, tuple[str, ...]], ...]


def asked_for(templates: Mapping[str, str], policies: Iterable[Policy]) -> list[AskedFor]:
    """What each prefetch key is for; ``templates`` are those that discovery publishes."""
    by_key: dict[str, list[tuple[Policy, tuple[str, ...]]]] = {}
    for policy in policies:
        for row in source_attributes.sent(policy):
            if row.inputs:
                by_key.setdefault(row.key, []).append((policy, row.inputs))
    return [AskedFor(key, template, tuple(by_key.get(key, ()))) for key, template in templates.items()]


def editions_of(policy: Policy, policies: Iterable[Policy]) -> EditionsText:
    """What else is on file of the statement of a policy, among the policies that are loaded."""
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
    """What the page of one policy shows on a day; ``policies`` are all that are loaded, its other editions included,
    and ``drafts`` those that are never in force."""
    return {
        "policy": policy,
        "groups": criteria.groups(policy),
        "payers": [rules.payer(policy, item, today) for item in policy.payers],
        "code_sets": codes.code_sets(policy),
        "footer": f"{DISCLAIMER} {policy.phrases.pending}".rstrip(),
        "editions": editions_of(policy, policies),
        "drafts": [item for item in drafts if item.statement == policy.statement],
    }
