"""The operational log: one line for each event, without any patient data, even by mistake.

Event names and fields come from closed lists. Each field has its own form: a number, a name that the service or its
operator chose, or a place in the code. The log drops and counts everything else. It has no free text, so no value of a
request can get in.
"""

import contextlib
import logging
import re
import secrets
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from cds_service import __version__
from cds_service.hooks.draft_orders import CAUSES
from cds_service.operations.exceptions import chain_of, kind_of, place
from cds_service.operations.metric_list import FETCH_FAILURES, FHIR_OPERATIONS, REMOVAL_REASONS, STORAGE_KINDS
from cds_service.operations.names import Names

# Each event, and its meaning for the operator.
EVENTS: Mapping[str, str] = {
    "call": "a hook call was answered",
    "feedback": "feedback was received",
    "form-error": "a client reported an error in a statement's form; the service does not keep its text",
    "fhir": "a request to the FHIR routes was answered; kind names the operation",
    "refused": "a call was answered with an error status",
    "overloaded": "requests were refused with 503 because too many were waiting; count says how many",
    "token-refused": "a caller is not trusted; check names the rule that failed",
    "policy-failed": "one statement could not be evaluated; its card says so, and other statements are unaffected",
    "draft-unread": "drafts of a call could not be read as orders; count says how many, kind says why",
    "fetch-failed": "prefetch that the EHR did not send could not be fetched from its FHIR server",
    "list-failed": "a list that a call reads failed or was incomplete, so criteria that need it stayed unknown",
    "keys-fetched": "a client's key set was fetched",
    "keys-failed": "a client's key set could not be fetched",
    "store-failed": "the store could not be read or written",
    "audit-failed": "the audit log could not be written",
    "removed": "data past its retention or beyond a cap was removed; kind names the data",
    "storage-full": "stored data has reached its cap; kind names the data",
    "metrics-failed": "a metric could not be stored; each worker logs this once; the calls were answered",
    "self-check-failed": "a known-answer patient got a wrong answer",
    "silent-policy": "a statement has had orders and no card for days",
    "policy-left-out": "a rule set could not be loaded at start and is silent; `cds-service check` says why",
    "draft-skipped": "a rule set folder is not filled in yet and was skipped",
    "ready": "the service is ready",
    "not-ready": "the service is not ready; self-check-failed says why",
    "degraded": "the service answers calls, but something else fails; self-check-failed says what",
    "background-failed": "a background task failed; the service tries it again",
    "unexpected": "an unexpected error; the call was answered with 500",
    "server": "gunicorn's main process logged something",
    "library": "a library logged something; the log omits its words, which may repeat request data",
    "unlisted": "something was logged under a name that is not on this list; the log omits the name",
}

_NUMBER = (int, float)
_REQUEST = re.compile(r"[0-9a-f]{32}")
_WORDS = (
    frozenset({"card", "ask", "none", "failed", "late", "refused", "pathway", "new", "repeated", "unknown-card"})
    | frozenset({"filled", "empty", "missing"})
    | frozenset(FETCH_FAILURES)
    | frozenset(STORAGE_KINDS)
    | frozenset({"status", "unreadable"})
    | frozenset(CAUSES)
    | frozenset(FHIR_OPERATIONS)
)

Form = Callable[[Any], bool]
Renderer = Callable[[Any, str, MutableMapping[str, Any]], bytes]
# The call that this thread logs for. One variable for all fields; structlog's own contextvars need one for each.
_CALL: ContextVar[Mapping[str, str]] = ContextVar("call")
_NO_CALL: Mapping[str, str] = {}


def _is_number(value: Any) -> bool:
    return isinstance(value, _NUMBER)


def forms(names: Names) -> dict[str, Form]:
    """Each allowed field, and the test that its value must pass."""

    def among(allowed: frozenset[str]) -> Form:
        return lambda value: isinstance(value, str) and value in allowed

    def is_request(value: Any) -> bool:
        return isinstance(value, str) and _REQUEST.fullmatch(value) is not None

    counts = (*("status", "milliseconds", "cards", "count", "failing"),)
    return {
        **dict.fromkeys(counts, _is_number),
        "request": is_request,
        "service": among(names.services),
        "policy": among(names.policies),
        "criterion": among(names.criteria),
        "key": among(names.keys),
        "client": among(names.clients),
        "check": among(names.checks | names.self_checks),
        "part": among(names.parts),
        "outcome": among(_WORDS),
        "kind": among(_WORDS),
        "reason": among(frozenset(REMOVAL_REASONS)),
        "version": among(frozenset({__version__})),
    }


class OnlyListedFields:
    """A structlog processor that keeps listed fields with a valid value, and drops and counts all others.

    An exception may come as ``exc_info`` or as ``error``; the log reports its kind and places, never its message.
    ``on_drop`` gets the number of fields that a line lost.
    """

    def __init__(self, names: Names, on_drop: Callable[[int], None] = lambda count: None) -> None:
        self._forms = forms(names)
        self._on_drop = on_drop
        self.dropped = 0

    def __call__(self, logger: Any, method: str, event: EventDict) -> EventDict:
        name = event.pop("event", None)
        error = event.pop("exc_info", None)
        if error is None and isinstance(event.get("error"), BaseException):
            error = event.pop("error")
        kept: dict[str, Any] = {"time": _now(), "level": method}
        lost = 0
        if isinstance(name, str) and name in EVENTS:
            kept["event"] = name
        else:
            kept["event"] = "unlisted"
            lost += 1
        for field, value in event.items():
            form = self._forms.get(field)
            if form is not None and form(value):
                kept[field] = value
            else:
                lost += 1
        if error:
            raised = _raised(error)
            if raised is not None:
                kept["error"], kept["chain"] = kind_of(raised), chain_of(raised)
        if lost:
            kept["dropped"] = lost
            self.dropped += lost
            self._on_drop(lost)
        return kept


def with_call(logger: Any, method: str, event: EventDict) -> EventDict:
    """A structlog processor that adds the fields of the current call; the line's own fields win."""
    return {**_CALL.get(_NO_CALL), **event}


def _raised(given: Any) -> BaseException | None:
    """The exception in ``exc_info``: an exception, a tuple of sys.exc_info, or True for the one being handled."""
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return given[1] if isinstance(given[1], BaseException) else None
    return sys.exc_info()[1]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_json(logger: Any, method: str, event: MutableMapping[str, Any]) -> bytes:
    """A line of JSON."""
    return orjson.dumps(event)


def as_text(logger: Any, method: str, event: MutableMapping[str, Any]) -> bytes:
    """A line for people: time, level, event, then the fields as name=value."""
    head = f"{event.pop('time')} {event.pop('level'):7} {event.pop('event')}"
    chain = event.pop("chain", ())
    fields = "".join(f" {name}={_shown(value)}" for name, value in event.items())
    return (head + fields + "".join(f"\n    {line}" for line in chain)).encode()


def _shown(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


class _ThroughOurs(logging.Handler):
    """Sends records of ``logging`` through the same filter and renderer.

    Only gunicorn's main process keeps its words, because it never sees a request. For all others the log reports
    logger, level, place and kind of exception: their words may contain a path, a header or a value.
    """

    def __init__(self, keep: OnlyListedFields, render: Callable[..., bytes], write: Callable[[bytes], None]) -> None:
        super().__init__()
        self._keep, self._render, self._write = keep, render, write

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; skip a record that cannot be written, as ``logging`` would."""
        try:
            level = "warning" if record.levelno == logging.WARNING else record.levelname.lower()
            of_server = record.name == "gunicorn.error" and record.module == "arbiter"
            event: EventDict = {
                **_CALL.get(_NO_CALL),
                "event": "server" if of_server else "library",
                "exc_info": record.exc_info,
            }
            kept = self._keep(None, level, event)
            kept["logger"], kept["place"] = record.name[:80], place(record.pathname, record.lineno)
            if of_server:
                kept["message"] = _without_traceback(record)
            self._write(self._render(None, level, kept) + b"\n")
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is that of logging
        """Do nothing: ``logging`` would print the message that must stay out of the log."""


def _without_traceback(record: logging.LogRecord) -> str:
    # gunicorn appends a traceback, messages included, to its line about a worker's end.
    return record.getMessage().partition("\n")[0][:200]


def configure(
    log_format: str,
    log_level: str,
    names: Names,
    on_drop: Callable[[int], None] = lambda count: None,
    stream: BinaryIO | None = None,
) -> OnlyListedFields:
    """Send all logs of this process to ``stream`` (default: standard error), as ``json`` or ``text``.

    Call it at the start of the program, and again when the names are known; the last call wins. Returns the filter,
    which counts the fields that it drops.
    """
    keep = OnlyListedFields(names, on_drop)
    render = as_json if log_format == "json" else as_text
    write = _writer(stream)
    level = logging.getLevelNamesMapping()[log_level.upper()]
    _send(keep, render, write, level)
    root = logging.getLogger()
    for handler in [*root.handlers]:
        root.removeHandler(handler)
    root.addHandler(_ThroughOurs(keep, render, write))
    root.setLevel(level)
    # Handlers of gunicorn and other libraries would bypass the filter.
    for name in [*logging.root.manager.loggerDict]:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.raiseExceptions = False
    # Python's default hooks would print the error's message.
    threading.excepthook = lambda ended: _failed_beside_the_calls(ended.exc_value)
    sys.unraisablehook = lambda failed: _failed_beside_the_calls(failed.exc_value)
    # At debug level urllib3 logs what it sends.
    logging.getLogger("urllib3").setLevel(max(level, logging.WARNING))
    return keep


def _send(keep: OnlyListedFields, render: Renderer, write: Callable[[bytes], None], level: int) -> None:
    structlog.configure(
        processors=[with_call, keep, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(write),
        # A cached logger would keep its earlier configuration.
        cache_logger_on_first_use=False,
    )


def _writer(stream: BinaryIO | None) -> Callable[[bytes], None]:
    def write(line: bytes) -> None:
        out = sys.stderr.buffer if stream is None else stream
        # A closed stream or a full disk must not cost the caller the answer.
        with contextlib.suppress(OSError, ValueError):
            out.write(line)
            out.flush()

    return write


class _Lines:
    """The logger that gets finished lines from structlog, with a method for each level."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def msg(self, line: bytes) -> None:
        # One write per line, so that the lines of two workers do not mix.
        self._write(line + b"\n")

    debug = info = warning = error = critical = exception = log = fatal = msg


def logger() -> FilteringBoundLogger:
    """The log: ``logger().info("call", outcome="card", milliseconds=3.1)``; see EVENTS and ``forms``."""
    if not structlog.is_configured():
        # By default structlog prints every argument and, for an error, every variable.
        _send(OnlyListedFields(Names()), as_text, _writer(None), logging.INFO)
    return cast(FilteringBoundLogger, structlog.get_logger().bind())


def _failed_beside_the_calls(error: BaseException | None) -> None:
    # A thread that exits on purpose has not failed.
    if not isinstance(error, SystemExit):
        logger().error("background-failed", exc_info=error)


def new_request_id() -> str:
    """A random id for a call: no caller can choose it, and it reveals nothing."""
    return secrets.token_hex(16)


def begin_call(request_id: str) -> None:
    """Assign this thread's log lines to the call, and forget the previous call."""
    _CALL.set({"request": request_id})


def describe_call(*, service: str | None = None, client: str | None = None) -> None:
    """Add to each line of the call its service, once known to exist, and its trusted client."""
    told = {name: value for name, value in (("service", service), ("client", client)) if value}
    _CALL.set({**_CALL.get(_NO_CALL), **told})


def end_call() -> None:
    """Stop assigning this thread's log lines to a call."""
    _CALL.set(_NO_CALL)
