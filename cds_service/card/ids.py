"""Ids of cards and suggestions: the same call gives the same id, and without the key an id reveals nothing."""

import hmac
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid5

import orjson

from cds_service.facts.evidence import Evidence
from cds_service.facts.logic import Truth
from cds_service.verdicts.criteria import Finding
from cds_service.verdicts.decisions import Decision

IdMaker = Callable[[str], str]


def reason_system(canonical_base: str) -> str:
    """The code system of the override reasons that our cards offer."""
    return f"{canonical_base}/CodeSystem/override-reasons"


def id_maker(
    key: bytes, *, client: str, patient: str, orders: str, policy: str, edition: str, findings: str
) -> IdMaker:
    """A function from a name (such as "card" or "suggestion:generator") to a UUID.

    The UUID is an HMAC-SHA-256 under ``key`` of the name and all other arguments.
    """
    scope = [client, patient, orders, policy, edition, findings]
    seed = hmac.digest(key, json.dumps(scope).encode(), "sha256")

    def make(name: str) -> str:
        return str(UUID(bytes=hmac.digest(seed, json.dumps(name).encode(), "sha256")[:16], version=5))

    return make


def fingerprint(decision: Decision) -> str:
    """The basis of the decision, as text: the same findings on the same drafts give the same ids."""
    findings = [(name, *_rests_on(finding)) for name, finding in decision.findings.items()]
    drafts = [(draft.act.id, sorted(draft.coded)) for draft in decision.order.drafts] if decision.order else []
    payers = [name for name, _ in decision.payer.payers]
    review = [(line.says, *map(_plain, evidence)) for line, evidence in decision.for_review]
    lent = [(finding.key, *_rests_on(finding)) for finding in decision.lent if finding.key not in decision.findings]
    inapplicable = [(item.rule.id, item.reason) for item in decision.verdicts if item.truth is Truth.NOT_APPLICABLE]
    parts = [part.id for part in decision.parts]
    rest = filter(None, (lent, inapplicable, parts))
    return orjson.dumps([findings, drafts, payers, decision.payer.truth.value, review, *rest]).decode()


def results_digest(key: bytes, decision: Decision) -> str:
    """A digest of all criteria's results: 8 characters that reveal nothing without ``key``.

    It changes with any result.
    """
    results = [(name, finding.truth.value, finding.reason) for name, finding in decision.findings.items()]
    return hmac.digest(key, orjson.dumps(results), "sha256")[:4].hex()


def _rests_on(finding: Finding) -> tuple[Any, ...]:
    evidence = (*finding.evidence, *finding.contrary)
    return finding.truth.value, finding.reason, *map(_plain, evidence)


def _plain(item: Evidence) -> tuple[Any, ...]:
    """Evidence as plain tuples, because named tuples cannot be written as JSON."""
    by = item.attested
    said = (*by[:-1], [tuple(record) for record in by.in_spite_of]) if by else None
    return (*item[:-2], *filter(None, (item.quote,)), said)


def derived(uuid: str, name: str) -> str:
    """The id of a part of the item with the id ``uuid``; that id is enough to identify the part.

    A UUID of version 5 (RFC 9562, section 5.5) of ``name`` in the namespace ``uuid``.
    """
    return str(uuid5(UUID(uuid), name))
