"""The record of a request to the FHIR routes for log, metrics and audit log; and its answer."""

from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import orjson
from flask import Flask, Response, g, request
from werkzeug.http import parse_options_header

from cds_service.clock import Deadline
from cds_service.errors import RequestError
from cds_service.installation import Installation
from cds_service.operations import audit, logs
from cds_service.operations.audit import Caller
from cds_service.operations.metric_list import ANSWERED
from cds_service.operations.timing import Timing
from cds_service.questionnaire.versions import Version
from cds_service.trust.entries import Client
from cds_service.web import accepted
from cds_service.web.gate import Admitted
from cds_service.web.record import write_audit

MEDIA = "application/fhir+json"
# Seconds reserved for answering after the body has been read.
RESERVE = 0.2
# The operations that write a line to the audit log.
_AUDITED = ("package", "errors")
# The media type parameter that names a version of DTR.
_VERSION = "dtr"


@dataclass(slots=True)
class FhirRecord:
    """The known facts of a request so far; ``caller`` is None until the sender is trusted.

    ``operation`` is one of FHIR_OPERATIONS; ``forms`` are "policy|edition" of the forms that the caller gets or
    reports.
    """

    operation: str
    request_id: str = field(default_factory=logs.new_request_id)
    timing: Timing = field(default_factory=lambda: Timing(perf_counter))
    caller: Caller | None = None
    forms: tuple[str, ...] = ()
    patient_id: str | None = None

    def admitted(self, found: Admitted) -> Client:
        """Set the caller, and return its entry."""
        self.caller = found.caller
        return found.client


def begin(operation: str) -> FhirRecord:
    """The record of the current request, which is logged after the answer."""
    record = g.fhir = FhirRecord(operation)
    logs.begin_call(record.request_id)
    return record


def deadline_of(installation: Installation) -> Deadline:
    """The deadline of the current request."""
    return accepted.deadline_of(request.environ, installation.call_seconds).earlier(RESERVE)


def version_of(client: Client) -> Version:
    """The version of DTR in Accept ("application/fhir+json; dtr=2.0.1"), or else the client's.

    Raises RequestError 406 for an unsupported version.
    """
    for value in request.headers.get("Accept", "").split(","):
        _, parameters = parse_options_header(value.strip())
        if asked := parameters.get(_VERSION):
            if asked not in tuple(Version):
                sentence = f"This service speaks Da Vinci DTR {' and '.join(Version)}; Accept asks for another version."
                raise RequestError(406, "not-supported", sentence)
            return Version(asked)
    return Version(client.dtr)


def fhir(resource: Any) -> Response:
    """The answer with a resource."""
    return Response(orjson.dumps(resource), mimetype=MEDIA)


def register(app: Flask, installation: Installation) -> None:
    """Report each answered request to the FHIR routes."""

    @app.after_request
    def told(answer: Response) -> Response:
        record: FhirRecord | None = g.get("fhir")
        if record is not None:
            _tell(record, answer.status_code, installation)
            logs.end_call()
        return answer


def _tell(record: FhirRecord, status: int, installation: Installation) -> None:
    milliseconds = record.timing.total() * 1000
    is_answered = status < 400
    installation.metrics.fhir_request(record.operation, ANSWERED if is_answered else f"refused:{status}")
    log, rounded = logs.logger(), round(milliseconds, 1)
    if is_answered:
        log.info("fhir", kind=record.operation, status=status, milliseconds=rounded)
    else:
        log.info("refused", kind=record.operation, status=status, milliseconds=rounded)
    caller = record.caller
    # Untrusted requests leave no audit line: anyone could fill the disk with them.
    if caller is None or record.operation not in _AUDITED:
        return
    line = audit.FormEvent(
        event=record.operation,
        caller=caller,
        request_id=record.request_id,
        status=status,
        milliseconds=milliseconds,
        forms=record.forms,
        patient_id=record.patient_id,
    )
    write_audit(installation, lambda log: log.form(line))
