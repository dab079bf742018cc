"""Feedback over HTTP (CDS Hooks 2.0, "Feedback"): what is acknowledged is on disk."""

from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter

from flask import Flask, Response

from cds_service import bodies, feedback, hooks
from cds_service.errors import RequestError
from cds_service.operations import audit, logs
from cds_service.operations.timing import Timing
from cds_service.outgoing.deadline import Deadline
from cds_service.store.database import Store
from cds_service.store.feedback import Saved, save
from cds_service.surroundings import Surroundings
from cds_service.web import reading
from cds_service.web.gate import Gate
from cds_service.web.record import write_audit

# A cap is not raised from one moment to the next.
SECONDS_WHILE_FULL = "3600"


def _now() -> datetime:
    return datetime.now(UTC)


def register(
    app: Flask,
    reasons: frozenset[str],
    around: Surroundings,
    store: Store,
    gate: Gate,
    now: Callable[[], datetime] = _now,
) -> None:
    """Adds the feedback endpoint of every service.

    ``reasons`` are the codes of the override reasons that our cards offer; ``now`` gives the time of reception.
    """

    @app.post("/cds-services/<service_id>/feedback", strict_slashes=False)
    def receive(service_id: str) -> Response:
        hooks.hook_of(service_id)
        timing, request_id = Timing(perf_counter), logs.new_request_id()
        logs.begin_call(request_id)
        logs.describe_call(service=service_id)
        try:
            admitted = gate.admit(timing, Deadline(around.call_seconds))
            gate.count(admitted)
            caller = admitted.caller
            with timing.step("read"):
                body = reading.body()
                items = feedback.parse(bodies.read_json(body), around.feedback_items)
            gate.count_feedback(admitted, len(items))
            if around.retention is not None and around.retention.feedback_full:
                raise _full()
            with timing.step("write"):
                saved = save(store, items, caller.client, now())
            milliseconds = timing.total() * 1000
            logs.logger().info("feedback", status=200, count=len(items), milliseconds=round(milliseconds, 1))
            line = audit.Feedback(request_id, service_id, caller, 200, milliseconds, body, items, reasons)
            _count(saved, around)
            write_audit(around, lambda log: log.feedback(line))
        except RequestError as error:
            logs.logger().info("refused", status=error.status)
            raise
        finally:
            logs.end_call()
        answer = Response(b"{}", mimetype="application/json")
        answer.headers["Server-Timing"] = timing.header()
        return answer


def _full() -> RequestError:
    return RequestError(
        503,
        "no-store",
        "No more feedback can be kept: the store has reached its cap, and nothing of this request was kept. The "
        "operator can raise CDS_SERVICE_STORE_MAX_FEEDBACK or lower CDS_SERVICE_FEEDBACK_DAYS. Send it again later.",
        headers={"Retry-After": SECONDS_WHILE_FULL},
    )


def _count(saved: Saved, around: Surroundings) -> None:
    if around.metrics is None:
        return
    for outcome, number in (("new", saved.new), ("repeated", saved.repeated), ("unknown-card", saved.unknown)):
        if number:
            around.metrics.feedback(outcome, number)
