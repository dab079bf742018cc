"""Feedback over HTTP (CDS Hooks 2.0, "Feedback"): acknowledged feedback is on disk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter

from flask import Flask, Response, g, request

from cds_service import json_bodies
from cds_service.clock import Deadline
from cds_service.errors import RequestError
from cds_service.hooks import feedback, hook_request
from cds_service.hooks.feedback import FeedbackItem
from cds_service.installation import Installation
from cds_service.operations import audit, logs
from cds_service.operations.audit import Caller
from cds_service.operations.timing import Timing
from cds_service.service import hook_call
from cds_service.store.database import Store
from cds_service.store.feedback import Saved, save
from cds_service.web import accepted, reading
from cds_service.web.gate import Gate
from cds_service.web.record import write_audit

# An operator does not raise a cap within minutes.
SECONDS_WHILE_FULL = "3600"
# Seconds reserved for answering after waiting for the store.
RESERVE = 0.2


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Record:
    """The known facts of a request so far; ``caller`` is None until the sender is trusted."""

    service_id: str
    request_id: str = field(default_factory=logs.new_request_id)
    timing: Timing = field(default_factory=lambda: Timing(perf_counter))
    caller: Caller | None = None
    body: bytes = b""
    items: Sequence[FeedbackItem] = ()
    saved: Saved | None = None


def register(
    app: Flask,
    reasons: frozenset[str],
    installation: Installation,
    store: Store,
    gate: Gate,
    now: Callable[[], datetime] = _now,
) -> None:
    """Add the feedback endpoint of every service.

    ``reasons`` are the codes of the override reasons that our cards offer; ``now`` gives the time of receipt.
    """

    @app.post("/cds-services/<service_id>/feedback", strict_slashes=False)
    def receive(service_id: str) -> Response:
        hook_request.hook_of(service_id)
        record = g.feedback = _Record(service_id)
        logs.begin_call(record.request_id)
        logs.describe_call(service=service_id)
        _receive(record, accepted.deadline_of(request.environ, installation.call_seconds).earlier(RESERVE))
        return Response(b"{}", mimetype="application/json")

    def _receive(record: _Record, deadline: Deadline) -> None:
        if deadline.left() <= 0:
            raise hook_call.late()
        admitted = gate.admit(record.timing, deadline)
        record.caller = admitted.caller
        gate.count(admitted)
        with record.timing.step("read"):
            record.body = reading.body(deadline)
            record.items = feedback.parse(json_bodies.read_json(record.body), installation.feedback_items)
        gate.count_feedback(admitted, len(record.items))
        if installation.retention.feedback_full:
            raise _full()
        with record.timing.step("write"), store.within(deadline):
            record.saved = save(store, record.items, admitted.caller.client, now())

    @app.after_request
    def told(answer: Response) -> Response:
        record: _Record | None = g.get("feedback")
        if record is not None:
            _tell(record, answer.status_code, installation, reasons)
            if record.saved is not None:
                answer.headers["Server-Timing"] = record.timing.header()
            logs.end_call()
        return answer


def _full() -> RequestError:
    return RequestError(
        503,
        "no-store",
        "The feedback store is full, so the service stored nothing from this request. The "
        "operator can raise CDS_SERVICE_STORE_MAX_FEEDBACK or lower CDS_SERVICE_FEEDBACK_DAYS. Send it again later.",
        headers={"Retry-After": SECONDS_WHILE_FULL},
    )


def _tell(record: _Record, status: int, installation: Installation, reasons: frozenset[str]) -> None:
    """Report an answered request to log, metrics and audit log."""
    milliseconds = record.timing.total() * 1000
    saved, caller = record.saved, record.caller
    log, rounded = logs.logger(), round(milliseconds, 1)
    if saved is not None:
        log.info("feedback", status=status, milliseconds=rounded, count=len(record.items))
    else:
        log.info("refused", status=status, milliseconds=rounded)
    for outcome, number in _counted(saved, status):
        installation.metrics.feedback(outcome, number)
    # Untrusted requests leave no audit line: anyone could fill the disk with them.
    if caller is not None:
        write_audit(installation, lambda log: log.feedback(_line(record, caller, status, milliseconds, reasons)))


def _line(record: _Record, caller: Caller, status: int, milliseconds: float, reasons: frozenset[str]) -> audit.Feedback:
    return audit.Feedback(
        request_id=record.request_id,
        service=record.service_id,
        caller=caller,
        status=status,
        milliseconds=milliseconds,
        request=record.body,
        items=record.items if record.saved is not None else (),
        reasons=reasons,
    )


def _counted(saved: Saved | None, status: int) -> list[tuple[str, int]]:
    if saved is None:
        return [(f"refused:{status}", 1)]
    counts = (("new", saved.new), ("repeated", saved.repeated), ("unknown-card", saved.unknown))
    return [(outcome, number) for outcome, number in counts if number]
