"""What changed between two editions of a statement, in sentences for a clinician. Pure and complete."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

from cds_service.policy.model import Policy
from cds_service.publish import changed_criteria as asked
from cds_service.publish import changed_readings as read
from cds_service.publish.differences import plain


def changes(old: Policy, new: Policy) -> list[str]:
    """The differences in ``new``, one sentence each; an empty list if nothing changed.

    The order is: criteria, verdicts, single-source rules, numbers, parts, pathways, readings, codes, sources, payers,
    then the names of all other changed parts.
    """
    parts = (
        *(asked.in_criteria, asked.in_verdicts, asked.in_profiles, asked.in_numbers, asked.in_scope),
        *(asked.in_pathways, read.in_readings, read.in_codes, read.in_sources, read.in_payers, _in_all_else),
    )
    return list(chain.from_iterable(part(old, new) for part in parts))


def _in_all_else(old: Policy, new: Policy) -> Iterator[str]:
    before, after = _all_else(old), _all_else(new)
    names = [name for name in after if before[name] != after[name]]
    if names:
        yield f"Also changed: {'; '.join(names)}."


def _all_else(policy: Policy) -> dict[str, Any]:
    """The parts that no other sentence reports, by name."""
    return {
        "the title": policy.title,
        "the name of the procedure": policy.procedure,
        "the description of purpose, funding and limits": policy.attributes,
        "how an order is recognized": plain(replace(policy.orders, pathways=())),
        "when a chart that is opened gets a card": plain((policy.patient_view_when, policy.patient_view_unless)),
        "what is shown for review": policy.for_review,
        "the information beside it": policy.information,
        "the evidence": policy.evidence,
        "the words of the card": policy.wording,
    }
