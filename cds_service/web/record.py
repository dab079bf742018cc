"""The record of one call, from its first byte to its last, for log, metrics and audit log."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from time import perf_counter
from typing import Any

from cds_service.ehr.fetch import KeyReport
from cds_service.fhir.elements import Json
from cds_service.hooks import hook_request
from cds_service.hooks.client_names import WORKBENCH
from cds_service.hooks.hook_request import HookRequest
from cds_service.installation import Installation
from cds_service.library import Library
from cds_service.operations import audit, logs
from cds_service.operations.audit import AuditError, AuditLog, Caller, NoAuditLog
from cds_service.operations.counting import NoMetrics
from cds_service.operations.timing import Timing
from cds_service.policy.model import Policy
from cds_service.service import call_chart
from cds_service.service.statement import Answer
from cds_service.store.ledger import Ledger, NoLedger
from cds_service.store.shown import Shown
from cds_service.web import outcomes


@dataclass(slots=True)
class CallRecord:
    """The known facts of a call so far; each step adds to them.

    ``caller`` is None until the caller is known; a call without one leaves no audit line. ``told`` is the response as
    the client gets it; ``links`` are the addresses of its evidence pages, by card id. ``parsed`` is the JSON of the
    body as far as read. ``arrived`` is the state of each prefetch list (``call_chart.states``), empty if the call never
    read its prefetch; ``fetched`` are the prefetch values that came from the FHIR server.
    """

    service_id: str
    today: date
    request_id: str = field(default_factory=logs.new_request_id)
    timing: Timing = field(default_factory=lambda: Timing(perf_counter))
    caller: Caller | None = None
    body: bytes = b""
    parsed: Any = None
    request: HookRequest | None = None
    report: tuple[KeyReport, ...] = ()
    fetched: Mapping[str, Any] = field(default_factory=dict)
    concerned: Sequence[Policy] = ()
    answers: Sequence[Answer] = ()
    arrived: Mapping[str, str] = field(default_factory=dict)
    told: Json = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


def tell(record: CallRecord, status: int, answer: bytes, installation: Installation, library: Library) -> None:
    """Report an answered call to log, metrics and audit log; a failure there never costs the caller the answer."""
    outcome = outcomes.of_call(record.answers) if status == 200 else f"refused:{status}"
    seconds = record.timing.total()
    log = logs.logger()
    for failed in (item for item in record.answers if item.error is not None):
        log.error("policy-failed", policy=failed.policy.id, exc_info=failed.error)
    unread = Counter(item.cause for item in record.request.unread_drafts) if record.request is not None else Counter()
    for cause, count in unread.items():
        log.warning("draft-unread", kind=cause, count=count)
    for key in (item for item in record.report if item.cause):
        log.warning("fetch-failed", key=key.key, kind=key.cause)
    fetched = {item.key for item in record.report if item.cause}
    for name in call_chart.failed_lists(record.arrived):
        if name not in fetched:
            log.warning("list-failed", key=name)
    told = {"cards": len(record.answers), "outcome": outcome} if status == 200 else {}
    log.info("call" if status == 200 else "refused", status=status, milliseconds=round(seconds * 1000, 1), **told)
    _count(record, outcome, seconds, installation.metrics, library)
    caller = record.caller
    # Untrusted calls leave no audit line: anyone could fill the disk with them.
    if caller is None:
        return
    if status == 200:
        _note(record, caller.client, installation.ledger)
    write_audit(installation, lambda log: log.call(_line(record, caller, status, outcome, seconds, answer)))
    for card in record.links:
        write_audit(installation, partial(_write_page_made, card, caller.client, record.request_id))


def _write_page_made(card: str, client: str, request_id: str, log: AuditLog) -> None:
    log.evidence(audit.EvidencePageEvent(event="made", card=card, client=client, request_id=request_id))


def write_audit(installation: Installation, write: Callable[[AuditLog], None]) -> None:
    """Write a line to the audit log, if it is on; report a failure without costing the caller the answer."""
    if isinstance(installation.audit, NoAuditLog):
        return
    try:
        write(installation.audit)
    except AuditError as error:
        logs.logger().error("audit-failed", exc_info=error)
        installation.metrics.audit_failed()


def note_opened(installation: Installation, card: str, client: str) -> None:
    """Write to the audit log that a card's evidence page was opened."""
    write_audit(
        installation, lambda log: log.evidence(audit.EvidencePageEvent(event="opened", card=card, client=client))
    )


def _note(record: CallRecord, client: str, ledger: Ledger | NoLedger) -> None:
    # Use the response as sent, because feedback names suggestions by the ids that the client received.
    offered = {card["uuid"]: card.get("suggestions", ()) for card in record.told["cards"]}
    cards = [
        Shown(
            card=item.card["uuid"],
            client=client,
            policy=item.policy.id,
            edition=item.policy.edition,
            outcome=outcomes.of_answer(item),
            service=record.service_id,
            day=record.today,
            suggestions=tuple((one["uuid"], one["label"]) for one in offered[item.card["uuid"]]),
        )
        for item in record.answers
        if item.card is not None
    ]
    answered = [item.policy.id for item in record.answers if item.error is None and not item.late]
    # If one of two editions answers, the other counts as having had no order.
    statements = {item.policy.statement: item.policy.id for item in record.answers}
    is_order = record.request is not None and record.request.hook != hook_request.PATIENT_VIEW
    orders = {statements.get(item.statement, item.id) for item in record.concerned} if is_order else ()
    if client == WORKBENCH:
        # Only real calls show whether a rule set has gone silent.
        orders, answered = (), []
    ledger.note(cards, record.today, orders, answered)


def _count(record: CallRecord, outcome: str, seconds: float, metrics: NoMetrics, library: Library) -> None:
    metrics.call(record.service_id, outcome, seconds)
    for item in record.answers:
        became = outcomes.of_answer(item)
        metrics.card(item.policy.id, became)
        metrics.unknowns(item.policy.id, outcomes.unknowns(item))
        if became == "failed":
            metrics.policy_failed(item.policy.id)
    for name, state in record.arrived.items():
        metrics.prefetch(name, state)
    for key in record.report:
        if key.cause:
            metrics.fetch_failed(key.cause)
    if record.timing.seconds("fetch"):
        metrics.fetched(record.timing.seconds("fetch"))


def _line(record: CallRecord, caller: Caller, status: int, outcome: str, seconds: float, answer: bytes) -> audit.Call:
    request = record.request
    instance = record.parsed.get("hookInstance") if isinstance(record.parsed, dict) else None
    return audit.Call(
        request_id=record.request_id,
        service=record.service_id,
        caller=caller,
        today=record.today,
        status=status,
        outcome=outcome,
        milliseconds=seconds * 1000,
        request=record.body,
        response=answer,
        hook=request.hook if request else None,
        hook_instance=instance if isinstance(instance, str) else None,
        patient_id=request.patient_id if request else None,
        told=outcomes.told(record.answers),
        secrets=tuple(record.links.values()),
        fetched=record.fetched,
        unfetched=request.unfetched if request else {},
    )
