"""The operational log: what gets in, and that nothing else does: no token, nothing of a patient."""

import ast
import io
import json
import logging
import re
import sys
import time
from pathlib import Path

import pytest
import structlog

import cds_service
from cds_service import __version__
from cds_service.installation import names_of
from cds_service.operations import logs
from cds_service.operations.exceptions import chain_of, kind_of
from cds_service.operations.names import Names
from tests.canaries import MARK, Planted, found_in
from tests.shipped import example, library

NAMES = Names(
    services=frozenset({"sign"}), policies=frozenset({"p"}), clients=frozenset({"ehr"}), parts=frozenset({"store"})
)


@pytest.fixture(autouse=True)
def restored():
    root = logging.getLogger()
    handlers, level, raising = [*root.handlers], root.level, logging.raiseExceptions
    yield
    logs.end_call()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising
    structlog.reset_defaults()


def configured(log_format="json", level="info", names=NAMES, on_drop=lambda count: None):
    out = io.BytesIO()
    return out, logs.configure(log_format, level, names, on_drop, out)


def lines(out):
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_has_its_listed_fields_and_the_call_that_it_belongs_to():
    out, keep = configured()
    logs.begin_call("0" * 32)
    logs.describe_call(service="sign", client="ehr")
    logs.logger().info("call", outcome="card", status=200, milliseconds=3.1)
    (line,) = lines(out)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "event": "call",
        "request": "0" * 32,
        "service": "sign",
        "client": "ehr",
        "outcome": "card",
        "status": 200,
        "milliseconds": 3.1,
    }
    assert keep.dropped == 0


def test_the_next_call_has_nothing_of_the_one_before():
    out, _ = configured()
    logs.begin_call("0" * 32)
    logs.describe_call(client="ehr")
    logs.begin_call("1" * 32)
    logs.logger().info("call")
    logs.end_call()
    logs.logger().info("ready")
    first, second = lines(out)
    assert first["request"] == "1" * 32
    assert "client" not in first
    assert "request" not in second


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Jane Doe"),
        ("client", "Jane Doe"),
        ("client", "another-client"),
        ("service", "jane-doe"),
        ("policy", "jane-doe"),
        ("outcome", "Doe"),
        ("kind", "Doe"),
        ("check", "Doe"),
        ("part", ["store"]),
        ("status", "200"),
        ("request", "Jane"),
        ("error", "Doe"),
        ("version", "9"),
        ("place", "cds_service/app.py:1"),
        ("logger", "jane"),
        ("message", "Jane Doe"),
        ("cards", {"Jane": 1}),
        ("stack_info", "Jane"),
        ("positional_args", ("Jane",)),
    ],
)
def test_a_field_that_is_not_listed_or_not_in_its_form_is_dropped_and_counted(field, value):
    counted = []
    out, keep = configured(on_drop=counted.append)
    logs.logger().info("call", **{field: value})
    (line,) = lines(out)
    assert field not in line
    assert line["dropped"] == 1
    assert (keep.dropped, counted) == (1, [1])


def test_an_event_that_is_not_listed_loses_its_name():
    out, keep = configured()
    logs.logger().warning("Jane Doe has no order")
    (line,) = lines(out)
    assert (line["event"], line["dropped"], keep.dropped) == ("unlisted", 1, 1)


def test_events_logged_by_the_service_are_all_listed():
    """Every literal event in the package is of the list, so that none is written as unlisted."""
    for path in Path(cds_service.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"info", "warning", "error", "debug", "critical"}
                and isinstance(node.func.value, ast.Call)
                and "logger" in ast.unparse(node.func.value.func)
                and "getLogger" not in ast.unparse(node.func.value.func)
            ):
                (event,) = node.args
                assert ast.literal_eval(event) in logs.EVENTS, f"{path}:{node.lineno}"


def failed():
    try:
        try:
            raise KeyError(f"{MARK}1")
        except KeyError as error:
            raise ValueError(f"{MARK}2") from error
    except ValueError as error:
        return error


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_an_exception_is_reported_by_kind_and_places_and_never_by_its_words(log_format):
    out, _ = configured(log_format)
    error = failed()
    logs.logger().error("unexpected", exc_info=error)
    logs.logger().error("unexpected", error=error)
    try:
        raise error
    except ValueError:
        logs.logger().error("unexpected", exc_info=True)
    text = out.getvalue().decode()
    assert found_in(text) == set()
    assert text.count("ValueError at tests/test_operations_logs.py:") == 3
    assert text.count("KeyError at tests/test_operations_logs.py:") == 3


def test_a_chain_of_exceptions_ends_even_where_it_is_a_ring_or_deep():
    first, second = ValueError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first
    assert chain_of(first) == ["ValueError at unknown", "KeyError at unknown"]

    def deeper(count):
        return deeper(count - 1) if count else 1 / 0

    with pytest.raises(ZeroDivisionError) as caught:
        deeper(100)
    (line,) = chain_of(caught.value)
    assert line.count(" < ") == 7


def test_a_class_whose_name_came_from_outside_is_called_exception():
    assert kind_of(type("Jane Doe", (Exception,), {})("x")) == "Exception"
    assert kind_of(json.JSONDecodeError("x", "y", 0)) == "json.decoder.JSONDecodeError"


@pytest.mark.parametrize(
    "name", ["urllib3.connectionpool", "sqlalchemy.engine", "werkzeug", "cds_service", "gunicorn.error"]
)
@pytest.mark.parametrize("log_format", ["json", "text"])
def test_what_a_library_says_is_reduced_to_logger_level_kind_and_place(name, log_format):
    out, _ = configured(log_format)
    try:
        raise ConnectionError(f"https://ehr.example/Patient/{MARK}1")
    except ConnectionError:
        logging.getLogger(name).exception("Retrying %s", f"{MARK}2", extra={"url": f"{MARK}3"})
    text = out.getvalue().decode()
    assert found_in(text) == set()
    assert "Retrying" not in text
    for told in (name, "error", "ConnectionError", "tests/test_operations_logs.py:"):
        assert told in text


def test_what_the_main_process_of_gunicorn_says_is_kept_without_a_traceback():
    out, _ = configured()
    record = logging.LogRecord(
        "gunicorn.error", logging.INFO, "/x/gunicorn/arbiter.py", 1, "Listening at: %s", ("h",), None
    )
    logging.getLogger("gunicorn.error").handle(record)
    record = logging.LogRecord(
        "gunicorn.error",
        logging.WARNING,
        "/x/gunicorn/arbiter.py",
        1,
        "Exception during exit:\n%s",
        (MARK + "1",),
        None,
    )
    logging.getLogger("gunicorn.error").handle(record)
    assert [(line["event"], line["level"], line["message"]) for line in lines(out)] == [
        ("server", "info", "Listening at: h"),
        ("server", "warning", "Exception during exit:"),
    ]


def test_what_a_worker_of_gunicorn_says_of_a_request_is_not_kept():
    out, _ = configured()
    message = f"Invalid request from ip=1: Invalid HTTP Header: 'Authorization Bearer {MARK}1'"
    record = logging.LogRecord("gunicorn.error", logging.WARNING, "/x/gunicorn/workers/base.py", 1, message, (), None)
    logging.getLogger("gunicorn.error").handle(record)
    assert found_in(out.getvalue()) == set()
    assert lines(out)[0]["event"] == "library"


def test_a_library_that_brought_a_handler_does_not_write_past_the_filter(capsys):
    stray = logging.getLogger("a.library")
    stray.addHandler(logging.StreamHandler(sys.stderr))
    stray.propagate = False
    out, _ = configured()
    stray.warning(f"{MARK}1")
    stray.warning("%d", MARK)
    assert found_in(capsys.readouterr().err) == set()
    assert [line["logger"] for line in lines(out)] == ["a.library"] * 2


def test_the_gunicorn_logger_brings_no_handler():
    from gunicorn.config import Config

    from cds_service.operations.gunicorn_logs import ThroughTheRoot

    out, _ = configured()
    ThroughTheRoot(Config()).info("Booting %s", "x")
    assert logging.getLogger("gunicorn.error").handlers == []
    assert [line["logger"] for line in lines(out)] == ["gunicorn.error"]


@pytest.mark.parametrize(("level", "expected"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_less_than_the_level_is_not_written(level, expected):
    out, _ = configured(level=level)
    log = logs.logger()
    log.debug("call")
    log.info("call")
    log.warning("call")
    log.error("call")
    assert len(lines(out)) == expected


def test_a_line_of_text_is_for_people():
    out, _ = configured("text")
    logs.logger().info("call", outcome="card", milliseconds=3.14159, version=__version__)
    (line,) = out.getvalue().decode().splitlines()
    assert line.split(" ", 1)[1] == f"info    call outcome=card milliseconds=3.1 version={__version__}"


def test_a_log_that_cannot_be_written_does_not_fail_the_call():
    class Broken(io.BytesIO):
        def write(self, data):
            raise BrokenPipeError

    logs.configure("json", "info", NAMES, stream=Broken())
    logs.logger().info("call")
    logging.getLogger("x").warning("y")


@pytest.mark.parametrize("name", ["typical-gaps", "epic-like"])
def test_no_text_of_a_request_reaches_the_log_though_it_is_handed_over(name):
    """Every text of a request as event, as every field, and as an exception."""
    planted = Planted(example(name))
    out, keep = configured(level="debug", names=names_of(library()))
    log = logs.logger()
    for mark in planted.marks:
        log.error(mark, **dict.fromkeys(logs.forms(NAMES), mark))
        log.error("unexpected", exc_info=ValueError(mark), request_body=planted.request)
        logging.getLogger("urllib3").error("sent %s", mark)
        logs.begin_call(mark)
        logs.describe_call(service=mark, client=mark)
    log.error("call")
    assert found_in(out.getvalue()) == set()
    assert keep.dropped > len(planted.marks)


def test_request_ids_are_random_and_pass_the_filter():
    ids = {logs.new_request_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(logs.forms(NAMES)["request"](one) for one in ids)


def test_a_line_costs_little():
    configured()
    log = logs.logger()
    started = time.thread_time()
    for _ in range(2000):
        log.info("call", outcome="card", status=200, milliseconds=3.1)
    assert (time.thread_time() - started) / 2000 < 0.001


def test_every_event_is_reported_somewhere():
    """A list that promises what nobody writes would be searched for in vain."""
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(cds_service.__file__).parent.rglob("*.py"))
    told = set(re.findall(r"\.(?:info|warning|error)\(\s*\"([a-z-]+)\"", sources)) | {"unlisted", "server", "library"}
    told |= {
        "call",
        "refused",
        "silent-policy",
        "policy-left-out",
        "self-check-failed",
        "ready",
        "degraded",
        "not-ready",
    }
    assert set(logs.EVENTS) == told
