"""Traces of calls, off by default: spans with names and attributes from closed lists, and no free text.

With traces off, opentelemetry is not imported and a span costs nothing. With traces on, each worker calls ``start``
after the fork, because the exporter runs a thread.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from cds_service import __version__
from cds_service.operations.exceptions import kind_of
from cds_service.operations.metric_list import CALL_OUTCOMES, PREFETCH_STATES
from cds_service.operations.names import STATUSES, Names

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

SPANS = ("call", "fetch", "evaluate")
# W3C Trace Context, section 3.2: version 00; a later version may append fields.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class TracesError(Exception):
    """Traces are on but not possible; the message says what is missing."""


class Note(Protocol):
    """A running span, for attributes that are known only at its end."""

    def __call__(self, **attributes: str | int) -> None: ...


class _Nothing:
    """A span that records nothing."""

    def __enter__(self) -> "_Nothing":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, **attributes: str | int) -> None:
        return None


class NoTraces:
    """Traces that are off."""

    _nothing = _Nothing()

    def span(self, name: str, traceparent: str | None = None, **attributes: str | int) -> AbstractContextManager[Note]:
        """A span that records nothing."""
        return self._nothing

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""


class OpenTelemetry:
    """Traces sent over OTLP/HTTP; the OTEL_* variables set the address and the sampling.

    ``processor`` makes the receiver of finished spans; the default sends them in batches.
    """

    def __init__(self, names: Names, processor: Callable[[], "SpanProcessor"] | None = None) -> None:
        self._attributes = _attributes(names)
        self._processor = processor or _batches
        self._provider: TracerProvider | None = None

    def start(self) -> None:
        """Start the exporter, in the worker after the fork. Earlier spans record nothing."""
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES override these values.
        said = Resource.create()
        named = {"service.version": __version__}
        if str(said.attributes.get("service.name", "unknown_service")).startswith("unknown_service"):
            named["service.name"] = "cds-service"
        self._provider = TracerProvider(resource=said.merge(Resource(named)))
        self._provider.add_span_processor(self._processor())

    def stop(self) -> None:
        """Send the remaining spans and end the exporter, when the worker ends."""
        if self._provider is not None:
            self._provider.shutdown()
            self._provider = None

    @contextmanager
    def span(self, name: str, traceparent: str | None = None, **attributes: str | int) -> Iterator[Note]:
        """A span named as in SPANS. For an error it reports only the kind, and raises it again."""
        if self._provider is None:
            yield _Nothing()
            return
        from opentelemetry import trace

        tracer = self._provider.get_tracer("cds_service", __version__)
        with tracer.start_as_current_span(
            name if name in SPANS else "other",
            _context(traceparent),
            trace.SpanKind.SERVER if name == "call" else trace.SpanKind.INTERNAL,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:

            def note(**told: str | int) -> None:
                span.set_attributes(self._kept(told))

            note(**attributes)
            try:
                yield note
            except Exception as error:
                span.set_status(trace.StatusCode.ERROR)
                span.set_attribute("error.type", kind_of(error))
                raise

    def _kept(self, given: Mapping[str, Any]) -> dict[str, str | int]:
        return {
            f"cds.{name}": value
            for name, value in given.items()
            if name in self._attributes and value in self._attributes[name]
        }


def _attributes(names: Names) -> Mapping[str, frozenset[str] | frozenset[int] | range]:
    """The allowed values of each attribute; numbers are counts and statuses."""
    return {
        "service": names.services,
        "client": names.clients,
        "policy": names.policies,
        "key": names.keys,
        "outcome": frozenset((*CALL_OUTCOMES, *PREFETCH_STATES)) | {f"refused:{status}" for status in STATUSES},
        "status": frozenset(STATUSES),
        "cards": range(1000),
        "pages": range(1000),
    }


def _context(traceparent: str | None) -> Any:
    """The caller's context; None for a malformed header, which the standard says to treat as absent."""
    from opentelemetry import trace

    match = _TRACEPARENT.fullmatch(traceparent) if traceparent and len(traceparent) < 200 else None
    if match is None or (match[1] == "00" and match[5]):
        return None
    parent = trace.SpanContext(int(match[2], 16), int(match[3], 16), True, trace.TraceFlags(int(match[4], 16) & 1))
    return trace.set_span_in_context(trace.NonRecordingSpan(parent))


def _batches() -> "SpanProcessor":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(OTLPSpanExporter())


def open_traces(wanted: bool, names: Names) -> NoTraces | OpenTelemetry:
    """The traces according to the settings. Raises TracesError if the libraries are not installed."""
    if not wanted:
        return NoTraces()
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: F401 - is it there? The worker uses it
        import opentelemetry.sdk.trace  # noqa: F401 - is it there? The worker uses it
    except ImportError:
        raise TracesError(
            "CDS_SERVICE_TRACES is on, and the OpenTelemetry SDK is not installed. Install it with "
            "pip install 'cds-service[traces]', or set CDS_SERVICE_TRACES=false."
        ) from None
    return OpenTelemetry(names)
