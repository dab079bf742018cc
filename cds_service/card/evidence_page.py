"""A decision as an evidence page: everything that a packet needs, as JSON, with sex, age, dates and codes but no name.

The rule set's own content is in ``evidence_sources``; a page is stored without it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from cds_service.card import evidence_words
from cds_service.card.assessment import Assessment, rows_of
from cds_service.card.evidence_rows import NOT_READ, OPEN, Need, Rows, result_of, said
from cds_service.card.patient_words import Nameless
from cds_service.card.style import DEFAULT_STYLE
from cds_service.card.words.page import PATIENT, for_trial
from cds_service.chart.chart import Chart
from cds_service.chart.narratives import narratives
from cds_service.chart.sites import reason_concepts
from cds_service.errors import UnreadableError
from cds_service.facts.evaluated import DOES_NOT_APPLY
from cds_service.facts.logic import Truth
from cds_service.fhir.dates import years_between
from cds_service.fhir.elements import days_of, readable_keys
from cds_service.fhir.types import TYPES
from cds_service.policy.codes import Code, CodeSet
from cds_service.policy.editions import date_of_service
from cds_service.policy.model import Payer, Policy
from cds_service.verdicts.decisions import Decision, Verdict
from cds_service.verdicts.payers import why_unknown

Json = dict[str, Any]
# A stored page is shown only by the version that made it.
VERSION = 2
MOST_PAYERS = 5
MOST_REASONS = 12
MOST_REVIEW = 12
LONGEST_NAME = 100
# http://hl7.org/fhir/R4/valueset-administrative-gender.html
_SEXES = ("female", "male", "other", "unknown")
_STATUSES = ("draft", "active", "on-hold")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWords:
    """The card's words about a decision: its ``summary``, its ``outcome`` (an id), and whether it ``suggests`` codes.

    ``checklist`` are the documents to attach, each with everything that it must say; ``needs`` are the same by the keys
    of findings. With ``references``, evidence carries the references of its records, allowed only on a page that names
    the patient.
    """

    summary: str
    outcome: str | None = None
    suggests: bool = False
    checklist: tuple[Need, ...] = ()
    needs: Mapping[str, Need] = field(default_factory=dict)
    references: bool = False


def page_words(found: Assessment, summary: str) -> PageWords:
    """The words of the card; for each open criterion of a verdict, the document and what it must say."""
    counted = {item.key: item for verdict in found.decision.verdicts for item in verdict.findings}
    open_ones = [item for item in counted.values() if result_of(item) in (OPEN, NOT_READ)]
    needs = {
        finding.key: (row.phrases.doc, evidence_words.document(row, DEFAULT_STYLE))
        for finding in open_ones
        for row in rows_of(found.policy, (finding,))
    }
    of_trial = {finding.key for row in found.trial for finding in row.findings} if found.label else set()
    own = [needs[item.key] for item in open_ones if item.key not in of_trial]
    trial = [needs[item.key] for item in open_ones if item.key in of_trial]
    return PageWords(
        summary=summary,
        outcome=found.outcome.value,
        suggests=found.outcome.suggests,
        checklist=(*_by_document(own), *((name, for_trial(says)) for name, says in _by_document(trial))),
        needs=needs,
    )


def _by_document(needs: Iterable[Need]) -> Iterator[Need]:
    """Each document once, with everything that it must say."""
    said: dict[str, list[str]] = {}
    for document, says in needs:
        said.setdefault(document, []).append(says)
    return ((document, "; ".join(dict.fromkeys(says))) for document, says in said.items())


def evidence_page(
    decision: Decision,
    chart: Chart,
    words: PageWords,
    *,
    card: str,
    digest: str,
    made: datetime,
    expires: datetime | None = None,
) -> Json:
    """The page of one decision, as JSON, without the content of ``evidence_sources.rule_set_part``.

    ``card`` is the id of its card, ``digest`` that of the rule set's part; ``made`` and ``expires`` (None: never) have
    a time zone. The page has no name, number or birth date of the patient; dates are ISO 8601.
    """
    policy = decision.policy
    nameless = Nameless(chart.patients)
    rows = Rows(nameless, words.needs, apart=len(decision.parts) > 1, references=words.references)
    return {
        "version": VERSION,
        "summary": words.summary,
        "outcome": words.outcome,
        "card": card,
        "policy": policy.id,
        "digest": digest,
        "made": made.isoformat(timespec="seconds"),
        "expires": expires.isoformat(timespec="seconds") if expires else None,
        "day": decision.today.isoformat(),
        "patient": _patient(chart, decision),
        "parts": [part.label for part in decision.parts],
        "orders": _orders(decision),
        "payers": [said(name, nameless, LONGEST_NAME) for name, _ in decision.payer.payers[:MOST_PAYERS]],
        "checklist": [[said(text, nameless) for text in item] for item in words.checklist],
        "groups": [*_groups(decision, rows)],
        "review": _review(decision, rows),
        "payer": _payer(decision, rows, nameless),
        "codes": _codes(decision, chart, words.suggests),
        "received": [*_received(policy, chart, nameless)],
    }


def _patient(chart: Chart, decision: Decision) -> Json:
    """Sex and age in years, if in the chart; an uncertain age has two values, and a deceased patient has none."""
    patient = chart.patient or {}
    sex = patient.get("gender")
    found: Json = {"sex": sex} if sex in _SEXES else {}
    try:
        born = days_of(patient["birthDate"])
        ages = [years_between(day, decision.today) for day in (born.last, born.first)]
        if ages[0] >= 0 and decision.died is None:
            found["age"] = sorted(set(ages))
    except (KeyError, UnreadableError):
        pass
    return found


def _orders(decision: Decision) -> list[Json]:
    drafts = decision.order.drafts if decision.order else ()
    orders = []
    for draft in drafts:
        status = draft.resource.get("status")
        coded = draft.act.id in draft.coded
        orders.append(
            {
                "label": draft.act.label,
                "status": status if status in _STATUSES else None,
                **({"system": draft.act.code.system_name, "code": draft.act.code.code} if coded else {}),
            }
        )
    return orders


def _groups(decision: Decision, rows: Rows) -> Iterator[Json]:
    """The criteria under the first verdict that counts them; later verdicts do not repeat them."""
    listed: set[str] = set()
    verdicts = [*decision.verdicts, *([decision.requested] if decision.requested else [])]
    for verdict in verdicts:
        if verdict.rule.payer:
            continue
        fresh = [item for item in verdict.findings if item.key not in listed]
        yield _group(verdict, rows.of(fresh), above=len(verdict.findings) - len(fresh))
        listed |= {item.key for item in verdict.findings}


def _group(verdict: Verdict, rows: list[Json], above: int) -> Json:
    group: Json = {"id": verdict.rule.id, "truth": verdict.truth.value, "rows": rows}
    told = {"above": above, "reason": verdict.reason}
    if verdict.truth is Truth.MET:
        told["as_far_as"] = verdict.rule.as_far_as
    return group | {name: value for name, value in told.items() if value}


def _review(decision: Decision, rows: Rows) -> Json:
    """The content that no verdict counts: records to confirm, and criteria shown for review."""
    confirm = [
        {"says": line.says, "evidence": [rows.evidence(item) for item in evidence[:MOST_REVIEW]]}
        for line, evidence in decision.for_review
    ]
    shown = (item for item in decision.outside_verdicts if item.manner != DOES_NOT_APPLY)
    return {"confirm": confirm, "rows": rows.of(shown)}


def _payer(decision: Decision, rows: Rows, nameless: Nameless) -> Json:
    """The payer's own clauses, if its text is on file, and the reasons if they decide nothing."""
    position = decision.payer
    return {
        "truth": position.truth.value,
        "reason": said(position.reason, nameless),
        "positions": [
            {"name": said(name, nameless, LONGEST_NAME), **(_on_file(payer, decision.today) if payer else {})}
            for name, payer in position.payers[:MOST_PAYERS]
        ],
        "more": max(0, len(position.payers) - MOST_PAYERS),
        "rows": rows.of(position.held),
    }


def _on_file(payer: Payer, today: date) -> Json:
    return {
        "payer": payer.id,
        "seen_in_force": payer.seen_in_force.isoformat() if payer.seen_in_force else None,
        "doubts": list(why_unknown(payer, today)),
    }


def _codes(decision: Decision, chart: Chart, suggests: bool) -> Json:
    """The codes for the order, the codes of its reasons, and whether the card suggests any."""
    policy, drafts = decision.policy, decision.order.drafts if decision.order else ()
    on = date_of_service((draft.resource for draft in drafts), decision.today)
    here = [row for draft in drafts for row in reasons_here(policy, draft.resource, chart)]
    return {
        "withheld": not suggests,
        "by_text": decision.order is not None and decision.order.by_text,
        "not_valid": [act.id for act in policy.orders.acts if not act.code.is_valid(on)],
        "on": on.isoformat(),
        "reasons": [
            {"system": row.system_name, "code": row.code, "label": row.label, "leaves": _leaves(row, policy)}
            for row in list(dict.fromkeys(here))[:MOST_REASONS]
        ],
    }


def _leaves(header: Code, policy: Policy) -> list[list[str]]:
    """The codes under a header, each with its label."""
    leaves = (policy.orders.here.exact.get((header.system, leaf)) for leaf in header.leaves)
    return [[leaf.code, leaf.label] for leaf in leaves if leaf]


def _received(policy: Policy, chart: Chart, nameless: Nameless) -> Iterator[Json]:
    """The delivery of each type that the rule set reads; types that no prefetch asks for appear only if some came."""
    in_words = {name for rule in policy.facts.values() if rule.kind.is_of_words for name in rule.resources}
    for name in sorted({"Patient"} | policy.resource_types):
        found = chart.delivery(name)
        if found.unasked and not found.received:
            continue
        reasons: dict[str, int] = {}
        for item in found.dropped:
            why = said(item.why, nameless)
            reasons[why] = reasons.get(why, 0) + 1
        row = {
            "type": TYPES[name].called if name != "Patient" else PATIENT,
            "state": found.state,
            "received": found.received,
            "text_not_read": _text_not_read(chart, name) if name in in_words else 0,
            "dropped": [[why, number] for why, number in list(reasons.items())[:MOST_REASONS]],
            "why": said(chart.why_missing.get(name, ""), nameless),
        }
        yield {key: value for key, value in row.items() if value or key == "received"}


def _text_not_read(chart: Chart, name: str) -> int:
    """The number of records of a type whose text could not be read, fully or in part."""
    return sum(bool(item.narrative.failed or item.narrative.unread) for item in narratives(chart, name).told)


def reasons_here(policy: Policy, resource: Json, chart: Chart) -> list[Code]:
    """The rows of the rule set's site codes that an order gives as its reasons."""
    concepts = reason_concepts(resource, chart)
    return [row for concept in concepts for row in chart.told(_rows_of, concept, policy.orders.here)]


def _rows_of(concept: Any, codes: CodeSet) -> list[Code]:
    """The rows of a code set that match the codes of a concept, each once."""
    return list(dict.fromkeys(row for key in readable_keys(concept) if (row := codes.match(key))))
