"""A documentation form in progress, as its card shows it: the answers so far, and the criteria left for a clinician.

The card names the draft, but its answers do not count until it is signed.
"""

from collections.abc import Iterator

from cds_service.card.assessment import Assessment, Row
from cds_service.card.style import Line, Style
from cds_service.card.words.facts import draft_waits
from cds_service.facts.evidence import WaitingDraft
from cds_service.facts.kind import kind_of
from cds_service.facts.logic import Truth
from cds_service.facts.roles import CLINICIAN
from cds_service.policy.model import FactRule, Part, Policy


def waiting_lines(found: Assessment, style: Style) -> tuple[Line, ...]:
    """The line for the newest draft; empty without a draft, or if all criteria are settled."""
    drafts = found.decision.drafts
    if not drafts or not any(map(_is_open, found.counted)):
        return ()
    draft = drafts[0]
    begun = style.date(draft.authored[:10])
    return (draft_waits(begun, answers_of(found.policy, draft), for_clinician(found, draft)),)


def answers_of(policy: Policy, draft: WaitingDraft) -> int:
    """The number of a rule set's questions that a draft answers."""
    parts = policy.scope.parts if policy.scope else ()
    links = {link for rule in policy.facts.values() for link in _links(rule, parts)}
    return len(links & draft.links)


def for_clinician(found: Assessment, draft: WaitingDraft) -> int:
    """The number of open criteria that a clinician must still attest: the draft answers none of their questions."""
    return sum(_is_open(row) and _waits_for_clinician(found, row, draft) for row in found.counted)


def _is_open(row: Row) -> bool:
    return row.truth is Truth.UNKNOWN or row.conflict


def _waits_for_clinician(found: Assessment, row: Row, draft: WaitingDraft) -> bool:
    policy = found.policy
    rules = [policy.facts[name] for name in policy.behind(row.finding.criterion.test.facts())]
    asked = [rule for rule in rules if kind_of(rule).answer_type == "boolean" and rule.attested_by == {CLINICIAN}]
    return any(rule.item for rule in asked) and not any(
        link in draft.links for rule in rules for link in _links(rule, found.decision.parts)
    )


def _links(rule: FactRule, parts: tuple[Part, ...]) -> Iterator[str]:
    """The linkIds of the answers to a fact."""
    for item in filter(None, (rule.item, rule.until)):
        if rule.per_part:
            yield from (f"{item}.{part.id}" for part in parts)
        else:
            yield item
