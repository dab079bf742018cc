"""Traces: off they cost nothing, on they tell names of closed lists, and missing libraries are said at start."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from cds_service.app import create_app
from cds_service.installation import Installation, names_of
from cds_service.operations.names import Names
from cds_service.operations.traces import NoTraces, OpenTelemetry, TracesError, open_traces
from cds_service.settings.settings import Settings
from tests.canaries import MARK, Planted, found_in
from tests.shipped import TODAY, example, library

NAMES = Names(services=frozenset({"sign"}), keys=frozenset({"patient"}))
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans():
    exporter = InMemorySpanExporter()
    traces = OpenTelemetry(NAMES, lambda: SimpleSpanProcessor(exporter))
    traces.start()
    yield traces, exporter.get_finished_spans
    traces.stop()


def test_a_call_is_a_span_with_its_steps_below(spans):
    traces, finished = spans
    with traces.span("call", PARENT, service="sign") as note:
        with traces.span("fetch", key="patient"):
            pass
        with traces.span("evaluate"):
            pass
        note(outcome="card", status=200, cards=1)
    fetch, evaluate, call = finished()
    assert [span.name for span in (fetch, evaluate, call)] == ["fetch", "evaluate", "call"]
    assert dict(call.attributes) == {"cds.service": "sign", "cds.outcome": "card", "cds.status": 200, "cds.cards": 1}
    assert dict(fetch.attributes) == {"cds.key": "patient"}
    assert fetch.parent.span_id == evaluate.parent.span_id == call.context.span_id
    assert (call.kind, fetch.kind) == (SpanKind.SERVER, SpanKind.INTERNAL)
    assert f"{call.context.trace_id:032x}" == PARENT[3:35]
    assert f"{call.parent.span_id:016x}" == PARENT[36:52]


@pytest.mark.parametrize(
    ("traceparent", "honored"),
    [
        (PARENT, True),
        (PARENT.replace("00-", "01-", 1) + "-more", True),
        (None, False),
        ("", False),
        (PARENT.upper(), False),
        (PARENT + "-more", False),
        (PARENT.replace("00-", "ff-", 1), False),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", False),
        (f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01", False),
        (PARENT[:-1], False),
        (" " + PARENT, False),
        ("01-" + PARENT[3:] + "-" + "x" * 10_000, False),
    ],
)
def test_the_callers_trace_is_joined_where_its_header_is_well_formed(spans, traceparent, honored):
    """W3C Trace Context, section 3.2: what is not well-formed is as if it had not been sent."""
    traces, finished = spans
    with traces.span("call", traceparent):
        pass
    (span,) = finished()
    assert (span.parent is not None) is honored


def test_a_caller_that_does_not_sample_is_obeyed(spans):
    traces, finished = spans
    with traces.span("call", PARENT[:-2] + "00"):
        pass
    assert finished() == ()


def test_nothing_but_listed_names_is_reported(spans):
    traces, finished = spans
    with traces.span(f"{MARK}1", service=f"{MARK}2", key=f"{MARK}3", patient=f"{MARK}4", cards=10**9) as note:
        note(outcome=f"{MARK}5", status=999)
    (span,) = finished()
    assert (span.name, dict(span.attributes)) == ("other", {})


def test_an_error_is_reported_by_its_kind_and_goes_on(spans):
    traces, finished = spans
    with pytest.raises(KeyError), traces.span("evaluate"):
        raise KeyError(f"{MARK}1")
    (span,) = finished()
    assert span.status.status_code is StatusCode.ERROR
    assert dict(span.attributes) == {"error.type": "KeyError"}
    assert span.events == ()
    assert found_in(span.to_json()) == set()


def test_traces_that_are_off_import_nothing():
    program = (
        "import sys; from cds_service.operations.names import Names; from cds_service.operations import traces\n"
        "off = traces.open_traces(False, Names()); off.start()\n"
        "with off.span('call', 'x', service='s') as note: note(status=200)\n"
        "off.stop(); print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_without_the_libraries_the_start_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(TracesError, match=r"pip install 'cds-service\[traces\]'"):
        open_traces(True, NAMES)
    assert isinstance(open_traces(False, NAMES), NoTraces)


def test_before_the_start_and_after_the_end_a_span_is_nothing():
    traces = OpenTelemetry(NAMES)
    with traces.span("call") as note:
        note(status=200)
    traces.stop()


def test_spans_reach_a_collector_over_http(monkeypatch):
    received = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        traces = open_traces(True, NAMES)
        traces.start()
        with traces.span("call", service="sign"):
            pass
        traces.stop()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    ((path, body),) = received
    assert path == "/v1/traces"
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    said = {item.key: item.value.string_value for item in resource.resource.attributes}
    assert said["service.name"] == "cds-service"
    assert resource.scope_spans[0].spans[0].name == "call"


def test_a_hook_call_is_traced_with_its_steps_and_nothing_of_the_patient():
    exporter = InMemorySpanExporter()
    traces = OpenTelemetry(names_of(library()), lambda: SimpleSpanProcessor(exporter))
    traces.start()
    client = create_app(Settings(), library(), "http://x", lambda: TODAY, Installation(traces=traces)).test_client()
    planted = Planted(example("typical-gaps"))
    path = "/cds-services/coverage-guidance-order-sign"
    assert client.post(path, json=planted.request, headers={"traceparent": PARENT}).status_code == 200
    assert client.post(path, json={"hook": planted.mark()}).status_code == 400
    traces.stop()
    evaluate, call, refused = exporter.get_finished_spans()
    assert (evaluate.name, call.name, refused.name) == ("evaluate", "call", "call")
    assert call.attributes["cds.outcome"] == "card"
    assert f"{call.context.trace_id:032x}" == PARENT[3:35]
    assert refused.status.status_code is StatusCode.ERROR
    assert found_in("".join(span.to_json() for span in exporter.get_finished_spans())) == set()
