"""The operational log: one line for each event, and nothing of a patient in it, not even by mistake.

An event has a name of a closed list and fields of a closed list, each with its own form: a number, a name that the
service or its operator made up, a place in the code. Whatever else is handed over is dropped and counted. There is no
free text, so that there is no place where a value of a request could stand.
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

# Each event that may be logged, and what it tells the operator.
EVENTS: Mapping[str, str] = {
    "call": "a hook call was answered",
    "feedback": "feedback was received",
    "form-error": "a client reported an error in the form of a statement; what it says is not kept",
    "fhir": "a request to the FHIR routes was answered; kind says which",
    "refused": "a call was answered with an error status",
    "overloaded": "requests were refused with 503, as more were waiting than can be answered; count says how many",
    "token-refused": "a caller is not trusted; check says by which rule",
    "policy-failed": "one statement could not be evaluated; its card says so, the others are unaffected",
    "draft-unread": "drafts of a call could not be read as orders; count says how many, kind says why",
    "fetch-failed": "prefetch that the EHR did not send could not be fetched from its FHIR server",
    "list-failed": "a list that a call reads failed or came in part, so criteria that need it stayed unknown",
    "keys-fetched": "a client's key set was fetched",
    "keys-failed": "a client's key set could not be fetched",
    "store-failed": "the store could not be read or written",
    "audit-failed": "the audit log could not be written",
    "removed": "data past its retention or beyond a cap was removed; kind says which",
    "storage-full": "stored data has reached its cap; kind says which",
    "metrics-failed": "a number could not be kept; logged once by each worker; the calls were answered",
    "self-check-failed": "a known-answer patient got a wrong answer",
    "silent-policy": "a statement has had orders and no card for days",
    "policy-left-out": "a rule set could not be loaded at the start and is silent; `cds-service check` says why",
    "draft-skipped": "a rule set folder is still to be filled in and was skipped",
    "ready": "the service is ready",
    "not-ready": "the service is not ready; self-check-failed says why",
    "degraded": "the service answers calls, and something else fails; self-check-failed says what",
    "background-failed": "a background task failed; it is tried again",
    "unexpected": "an unexpected error; the call was answered with 500",
    "server": "gunicorn's main process logged something",
    "library": "a library logged something; its words are left out, because they may repeat what was sent",
    "unlisted": "something was logged under a name that is not on this list; the name is left out",
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
# Whose the lines are that this thread logs. One value for all fields: structlog's own takes a variable for each.
_CALL: ContextVar[Mapping[str, str]] = ContextVar("call")
_NO_CALL: Mapping[str, str] = {}


def _is_number(value: Any) -> bool:
    return isinstance(value, _NUMBER)


def forms(names: Names) -> dict[str, Form]:
    """Each field that may be logged, with the test that its value must pass."""

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
    """A structlog processor that lets through what is listed, in its form, and drops and counts all else.

    An exception may be given as ``exc_info`` or as ``error``; its kind and its places are reported, never its words.
    ``on_drop`` is called with the number of fields that one line lost.
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
    """A structlog processor that adds whose call it is; what the line itself says stands."""
    return {**_CALL.get(_NO_CALL), **event}


def _raised(given: Any) -> BaseException | None:
    """The exception that ``exc_info`` means: itself, the tuple of sys.exc_info, or True for the one being handled."""
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
    """Takes what is logged with ``logging`` and writes it through the same filter and renderer.

    Words are kept of gunicorn's main process alone, which has not seen a request. Of all others the logger, the level,
    the place and the kind of an exception are reported: their words may hold a path, a header or a value.
    """

    def __init__(self, keep: OnlyListedFields, render: Callable[..., bytes], write: Callable[[bytes], None]) -> None:
        super().__init__()
        self._keep, self._render, self._write = keep, render, write

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record; a record that cannot be written is left out, as ``logging`` would."""
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
        """Says nothing: ``logging`` would print the message that is to be kept out of the log."""


def _without_traceback(record: logging.LogRecord) -> str:
    # gunicorn pastes a traceback, messages included, behind the first line of what it says of a worker's end.
    return record.getMessage().partition("\n")[0][:200]


def configure(
    log_format: str,
    log_level: str,
    names: Names,
    on_drop: Callable[[int], None] = lambda count: None,
    stream: BinaryIO | None = None,
) -> OnlyListedFields:
    """Sends every log of this process to ``stream`` (default: standard error), as ``json`` or ``text``.

    Call it at the start of the program, and again when the names are known; the last call counts. Returns the filter,
    which knows how many fields it has dropped.
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
    # gunicorn and libraries that brought handlers of their own would write past the filter.
    for name in [*logging.root.manager.loggerDict]:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.raiseExceptions = False
    # Python's own would print the words of the error.
    threading.excepthook = lambda ended: _failed_beside_the_calls(ended.exc_value)
    sys.unraisablehook = lambda failed: _failed_beside_the_calls(failed.exc_value)
    # urllib3 and others tell at debug level what they send.
    logging.getLogger("urllib3").setLevel(max(level, logging.WARNING))
    return keep


def _send(keep: OnlyListedFields, render: Renderer, write: Callable[[bytes], None], level: int) -> None:
    structlog.configure(
        processors=[with_call, keep, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(write),
        # A logger that was cached would go on writing as it was set before.
        cache_logger_on_first_use=False,
    )


def _writer(stream: BinaryIO | None) -> Callable[[bytes], None]:
    def write(line: bytes) -> None:
        out = sys.stderr.buffer if stream is None else stream
        # A reader that went away, or a full disk, must not cost the caller the answer.
        with contextlib.suppress(OSError, ValueError):
            out.write(line)
            out.flush()

    return write


class _Lines:
    """What structlog hands finished lines to; each level has its method."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def msg(self, line: bytes) -> None:
        # One write for a line, so that the lines of two workers do not mix.
        self._write(line + b"\n")

    debug = info = warning = error = critical = exception = log = fatal = msg


def logger() -> FilteringBoundLogger:
    """The log: ``logger().info("call", outcome="card", milliseconds=3.1)``; events as in EVENTS, fields as in forms."""
    if not structlog.is_configured():
        # As structlog comes, it writes out every argument and, of an error, every variable.
        _send(OnlyListedFields(Names()), as_text, _writer(None), logging.INFO)
    return cast(FilteringBoundLogger, structlog.get_logger().bind())


def _failed_beside_the_calls(error: BaseException | None) -> None:
    # That a thread ends itself is no failure.
    if not isinstance(error, SystemExit):
        logger().error("background-failed", exc_info=error)


def new_request_id() -> str:
    """An id of a call, of our own making and random: nobody can choose it, and it says nothing."""
    return secrets.token_hex(16)


def begin_call(request_id: str) -> None:
    """All that this thread logs from now on belongs to the call; what the one before had left is forgotten."""
    _CALL.set({"request": request_id})


def describe_call(*, service: str | None = None, client: str | None = None) -> None:
    """Adds to every line of the call whose it is: the service, once it is known to exist, and the trusted client."""
    told = {name: value for name, value in (("service", service), ("client", client)) if value}
    _CALL.set({**_CALL.get(_NO_CALL), **told})


def end_call() -> None:
    """What this thread logs from now on belongs to no call."""
    _CALL.set(_NO_CALL)
