"""The workbench's FHIR server over real HTTP on loopback, with a token, a record of what was asked, and faults."""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

from cds_service.errors import RequestError
from cds_service.fhir.types import subject_of
from cds_service.workbench.fhir import FhirServer as Workbench
from cds_service.workbench.fhir import Parameters

Json = dict[str, Any]
ROOT = "/fhir"
PAGING = ("_count", "_start")
# No test waits as long; a fault that would never end does then.
LONGEST_FAULT = 60.0


def _entries(value: Any) -> Iterator[tuple[Json, bool]]:
    """(resource, whether it is included with another) of one prefetch value; what is not a resource is left out."""
    if value is not None and value["resourceType"] != "Bundle":
        yield value, False
    for entry in (value or {}).get("entry", []):
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
            yield entry["resource"], entry.get("search", {}).get("mode") in ("include", "outcome")


def type_of(key: str) -> str:
    """The resource type of a published prefetch key."""
    return key[0].upper() + key[1:]


class FhirServer:
    """Answers reads and searches by ``patient`` and ``code`` from the resources of a prefetch.

    What an entry includes for another's sake comes with every search of that type. ``careless``: it answers a search
    with all of the type, whatever is asked. ``faults`` maps a resource type to what happens instead. ``inner`` is the
    base that its links name (default: the one that is called), ``stray`` a resource that it adds to each search without
    saying why. ``calls`` are the (path, headers) of each request, in the order of their coming.
    """

    def __init__(
        self,
        prefetch: Mapping[str, Any],
        *,
        token: str | None = None,
        page_size: int | None = None,
        careless: bool = False,
        faults: Mapping[str, "Serve"] | None = None,
        inner: str | None = None,
        stray: Json | None = None,
    ) -> None:
        entries = [(type_of(key), *entry) for key, value in prefetch.items() for entry in _entries(value)]
        self.resources = tuple(resource for _, resource, included in entries if not included)
        self.beside = {
            kind: tuple(resource for key, resource, included in entries if included and key == kind)
            for kind, *_ in entries
        }
        self.token, self.page_size, self.careless, self.faults = token, page_size, careless, dict(faults or {})
        self.inner, self.stray = inner, stray
        self.calls: list[tuple[str, Mapping[str, str]]] = []
        self.stopped = Event()

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"fhir": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.port = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}{ROOT}"

    def held(self) -> Workbench:
        """The reads, searches and pages of the workbench's server, over the same resources."""
        return Workbench(self.base, self.resources, self.beside)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has had enough hangs up; that is what is tested."""


class _Handler(BaseHTTPRequestHandler):
    fhir: FhirServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.fhir.calls.append((self.path, dict(self.headers)))
        url = urlsplit(self.path)
        kind, _, identity = url.path.removeprefix(f"{ROOT}/").partition("/")
        if self.fhir.token is not None and self.headers.get("Authorization") != f"Bearer {self.fhir.token}":
            self.answer(401, outcome())
        elif kind in self.fhir.faults:
            self.fhir.faults[kind](self, kind)
        else:
            try:
                found = self.fhir.held().read(kind, identity) if identity else self.page(kind, parse_qsl(url.query))
                self.answer(200, found)
            except RequestError as error:
                self.answer(error.status, outcome())

    def page(self, kind: str, parameters: Parameters = ()) -> Json:
        """One page of a search, with links that name the base."""
        asked = [(name, value) for name, value in parameters if not self.fhir.careless or name in PAGING]
        if self.fhir.page_size and "_count" not in dict(asked):
            asked.append(("_count", str(self.fhir.page_size)))
        found = self.fhir.held().search(kind, asked)
        for link in found["link"]:
            link["url"] = f"{self.fhir.inner or self.fhir.base}/{link['url']}"
        if self.fhir.stray is not None:
            found.setdefault("entry", []).append({"resource": self.fhir.stray})
        return found

    def answer(self, status: int, body: Json | bytes, kind: str = "application/fhir+json", **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def drip(self, piece: bytes) -> None:
        """The same piece again and again, slowly."""
        for _ in range(int(LONGEST_FAULT / 0.05)):
            if self.fhir.stopped.wait(0.05):
                return
            self.wfile.write(piece)


def outcome(severity: str = "error") -> Json:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": "processing"}]}


def bundle(*resources: Json, following: str | None = None) -> Json:
    links = [] if following is None else [{"relation": "next", "url": following}]
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": links,
        "entry": [{"resource": item} for item in resources],
    }


# --- faults -----------------------------------------------------------------------------------------------------------

Serve = Callable[[_Handler, str], None]


class Fault(NamedTuple):
    """One way in which a server fails: how it serves, or the base under which nothing sound is found.

    ``says`` is what the card says of it (or one of several); ``hangs`` where only the deadline ends it;
    ``searches`` where it can befall a search alone.
    """

    serve: Serve | None
    says: tuple[str, ...]
    hangs: bool = False
    searches: bool = False
    base: Callable[[FhirServer], str] | None = None


def _status(status: int) -> Serve:
    return lambda handler, kind: handler.answer(status, outcome())


def _body(data: bytes, kind: str = "application/fhir+json") -> Serve:
    return lambda handler, _: handler.answer(200, data, kind)


def _hang(handler: _Handler, kind: str) -> None:
    handler.fhir.stopped.wait(LONGEST_FAULT)


def _header_drip(handler: _Handler, kind: str) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    handler.drip(b"X-Slow: yes\r\n")


def _body_drip(handler: _Handler, kind: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    handler.drip(b" ")


def _huge(handler: _Handler, kind: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/fhir+json")
    handler.end_headers()
    for _ in range(800):
        handler.wfile.write(b" " * 65536)


def _cut_off(handler: _Handler, kind: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"resourceType": "Bundle", "entry": [')


def _endless(handler: _Handler, kind: str) -> None:
    page = len(handler.fhir.calls)
    handler.answer(200, bundle(following=f"{handler.fhir.base}/{kind}?page={page}"))


def _circle(handler: _Handler, kind: str) -> None:
    handler.answer(200, bundle(following=f"{handler.fhir.base}/{kind}?again"))


def _elsewhere(handler: _Handler, kind: str) -> None:
    handler.answer(200, bundle(following=f"http://127.0.0.2:{handler.fhir.port}/elsewhere/{kind}"))


def _redirect(handler: _Handler, kind: str) -> None:
    handler.answer(302, b"", Location="http://169.254.169.254/latest/meta-data/")


def _wrong_type(handler: _Handler, kind: str) -> None:
    stray = {"resourceType": "Basic", "id": "stray"}
    handler.answer(200, stray if "?" not in handler.path else bundle(stray))


def _stranger(handler: _Handler, kind: str) -> None:
    theirs = {"resourceType": kind, "id": "theirs", subject_of(kind): {"reference": "Patient/stranger"}}
    handler.answer(200, theirs if "?" not in handler.path else bundle(theirs))


def _refused_base(server: FhirServer) -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}{ROOT}"


_UNREADABLE = ("sent something that cannot be read",)
_LATE = "did not answer in time"
FAULTS = {
    "refused": Fault(None, ("could not be reached",), base=_refused_base),
    "no such host": Fault(None, ("could not be reached", _LATE), base=lambda _: "http://ehr.invalid/fhir"),
    "wrong TLS": Fault(
        None, ("certificate", "could not be reached"), base=lambda server: server.base.replace("http:", "https:")
    ),
    "hangs after accept": Fault(_hang, (_LATE,), hangs=True),
    "header drip": Fault(_header_drip, (_LATE,), hangs=True),
    "body drip": Fault(_body_drip, (_LATE,), hangs=True),
    "400": Fault(_status(400), ("did not accept the query (400)",)),
    "401": Fault(_status(401), ("refused access to it (401)",)),
    "403": Fault(_status(403), ("refused access to it (403)",)),
    "404": Fault(_status(404), ("(404)",)),
    "410": Fault(_status(410), ("(410)",)),
    "429": Fault(_status(429), ("failed (429)",)),
    "500": Fault(_status(500), ("failed (500)",)),
    "502": Fault(_status(502), ("failed (502)",)),
    "503": Fault(_status(503), ("failed (503)",)),
    "HTML with 200": Fault(_body(b"<!doctype html><title>Sign in</title>", "text/html"), _UNREADABLE),
    "JSON of another kind": Fault(_body(b"[1, 2]"), _UNREADABLE),
    "truncated JSON": Fault(_body(b'{"resourceType": "Bundle", "entry": ['), _UNREADABLE),
    "connection cut off": Fault(_cut_off, (*_UNREADABLE, "could not be reached")),
    "empty body": Fault(_body(b""), _UNREADABLE),
    "50 MB": Fault(_huge, ("more than the service reads",)),
    "endless next": Fault(_endless, ("more than the service reads",), searches=True),
    "next in a circle": Fault(_circle, ("sent the same page twice",), searches=True),
    "next to another origin": Fault(_elsewhere, ("the address of its next page is not allowed",), searches=True),
    "redirect to metadata": Fault(_redirect, ("to another address",)),
    "OperationOutcome with 200": Fault(lambda handler, _: handler.answer(200, outcome()), ("reported an error",)),
    "outcome among entries": Fault(
        lambda handler, _: handler.answer(200, bundle(outcome())), ("reported an error",), searches=True
    ),
    "another type": Fault(_wrong_type, ("sent records of other types",)),
    "another patient": Fault(_stranger, ("another patient",)),
    "invalid UTF-8": Fault(_body(b'{"resourceType": "Bundle", "id": "\xff\xfe"}'), _UNREADABLE),
    "nested 300 deep": Fault(_body(b'{"resourceType":"Bundle","entry":' + b"[" * 300 + b"]" * 300 + b"}"), _UNREADABLE),
    "nested 100,000 deep": Fault(_body(b"[" * 100_000 + b"]" * 100_000), _UNREADABLE),
}
