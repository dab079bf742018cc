"""One call from its first byte to its last, as it is told to the log, the metrics and the audit log."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from cds_service.fetching.fetch import KeyReport
from cds_service.hooks import HookRequest
from cds_service.operations import audit, logs, outcomes
from cds_service.operations.audit import AuditError, Caller
from cds_service.operations.timing import Timing
from cds_service.service import Answer
from cds_service.surroundings import Surroundings

# How a key came, in the words of the metrics (operations.metric_list).
_STATES = {"fetched": "fetched", "in-part": "failed", "failed": "failed", "not-asked": "missing"}


@dataclass(slots=True)
class CallRecord:
    """What is known of a call so far; each step on its way adds to it.

    ``caller`` is None until it is known who calls: of such a call nothing is kept.
    """

    service_id: str
    request_id: str = field(default_factory=logs.new_request_id)
    timing: Timing = field(default_factory=lambda: Timing(perf_counter))
    caller: Caller | None = None
    body: bytes = b""
    parsed: Any = None
    request: HookRequest | None = None
    report: tuple[KeyReport, ...] = ()
    answers: Sequence[Answer] = ()


def tell(record: CallRecord, status: int, answer: bytes, around: Surroundings) -> None:
    """Tells log, metrics and audit log of a call that was answered; none of them can cost the caller the answer."""
    outcome = outcomes.of_call(record.answers) if status == 200 else f"refused:{status}"
    seconds = record.timing.total()
    log = logs.logger()
    for failed in (item for item in record.answers if item.error is not None):
        log.error("policy-failed", policy=failed.policy.id, exc_info=failed.error)
    told = {"cards": len(record.answers), "outcome": outcome} if status == 200 else {}
    log.info("call" if status == 200 else "refused", status=status, milliseconds=round(seconds * 1000, 1), **told)
    if around.metrics is not None:
        _count(record, outcome, seconds, around)
    # Of calls that nobody answers for nothing is kept: anyone could fill the disk with them.
    if around.audit is not None and record.caller is not None:
        try:
            around.audit.call(_line(record, record.caller, status, outcome, seconds, answer))
        except AuditError as error:
            log.error("audit-failed", exc_info=error)
            if around.metrics is not None:
                around.metrics.audit_failed()


def _count(record: CallRecord, outcome: str, seconds: float, around: Surroundings) -> None:
    metrics = around.metrics
    assert metrics is not None
    metrics.call(record.service_id, outcome, seconds)
    for item in record.answers:
        became = outcomes.of_answer(item)
        metrics.card(item.policy.id, became)
        metrics.unknowns(item.policy.id, outcomes.unknowns(item))
        if became == "failed":
            metrics.policy_failed(item.policy.id)
    for key in record.report:
        metrics.prefetch(key.key, _STATES.get(key.state) or _as_sent(record, key.key))
        if key.cause:
            metrics.fetch_failed(key.cause)
    if record.timing.seconds("fetch"):
        metrics.fetched(record.timing.seconds("fetch"))


def _as_sent(record: CallRecord, key: str) -> str:
    """How a key stands that the call brought itself."""
    value = record.request.prefetch.get(key) if record.request else None
    kind = value.get("resourceType") if isinstance(value, dict) else None
    if value is None or (kind == "Bundle" and isinstance(value, dict) and not value.get("entry")):
        return "empty"
    return "failed" if kind in (None, "OperationOutcome") else "filled"


def _line(record: CallRecord, caller: Caller, status: int, outcome: str, seconds: float, answer: bytes) -> audit.Call:
    request = record.request
    instance = record.parsed.get("hookInstance") if isinstance(record.parsed, dict) else None
    return audit.Call(
        record.request_id,
        record.service_id,
        caller,
        status,
        outcome,
        seconds * 1000,
        record.body,
        answer,
        request.hook if request else None,
        instance if isinstance(instance, str) else None,
        request.patient_id if request else None,
        outcomes.told(record.answers),
        record.parsed,
    )
