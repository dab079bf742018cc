"""The FHIR servers of the demo EHR over HTTP: reads for the workbench, and reads and writes for apps with a token."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import format_datetime
from functools import partial
from typing import Any

import orjson
from flask import Blueprint, Response, request

from cds_service import json_bodies
from cds_service.errors import RequestError
from cds_service.fhir.elements import Json
from cds_service.web import reading
from cds_service.workbench import batches, browser, demo_ehr, refusals, smart_documents, writing
from cds_service.workbench.batches import Asked
from cds_service.workbench.demo_ehr import AppAccess, DemoEhr
from cds_service.workbench.fhir import FhirServer
from cds_service.workbench.patients import Patients
from cds_service.workbench.session import Session
from cds_service.workbench.writing import WritableChart, Written

LARGEST_WRITE = 500_000
# Each late answer holds a thread, and other requests need threads too.
MOST_LATE = 2
_FHIR = "application/fhir+json"


# Writes the transaction Bundle that an app sent to a patient's server.
Transaction = Callable[[str, AppAccess, Any], Response]


@dataclass(frozen=True)
class ChartReader:
    """Reads the charts of the ``patients`` for whoever sent the current request.

    ``clock`` gives the day to which the charts are moved, ``address`` is ours. Without an ``ehr`` no token is known.
    """

    patients: Patients
    clock: Callable[[], date]
    address: str
    ehr: DemoEhr | None

    def seen(self, name: str) -> tuple[FhirServer, AppAccess | None]:
        """The server as the current caller sees it, and the access of the caller's token, if any."""
        base = smart_documents.Endpoints(browser.root_of(self.address), name).base
        found = demo_ehr.opened(self.patients, name, self.clock())
        header = request.headers.get("Authorization")
        if self.ehr is None or header is None:
            session = self.ehr.of_browser(browser.cookie()) if self.ehr is not None else None
            return demo_ehr.server_of(found, base, session), None
        granted = self.ehr.granted(header, name)
        return demo_ehr.only_of(demo_ehr.server_of(found, base, granted.session), found.patient_id), granted

    def capabilities(self, name: str, kinds: set[str]) -> Json:
        """The CapabilityStatement of a server that also knows ``kinds``."""
        endpoints = smart_documents.Endpoints(browser.root_of(self.address), name)
        server = demo_ehr.server_of(demo_ehr.opened(self.patients, name, self.clock()), endpoints.base, None)
        day = self.clock().isoformat()
        if self.ehr is None:
            return server.capabilities(kinds, day)
        return server.capabilities(kinds, day, writing.WRITABLE, smart_documents.security(endpoints))


def _found(name: str, server: FhirServer, granted: AppAccess | None, asked: Asked) -> Json:
    """What is read or searched, if the caller's token covers it."""
    kind, identity, parameters = asked
    if granted is not None and f"{server.base}/{kind}/{identity}" != granted.user:
        granted.require(kind, "r" if identity else "s")
    if not identity:
        return server.search(kind, parameters)
    resource = server.read(kind, identity)
    if granted is not None and granted.session.refusals.read_back and _is_written(granted.session, name, resource):
        raise refusals.refusal_of(granted.session.refusals.read_back)
    return resource


def register_reads(parts: Blueprint, reader: ChartReader, kinds: set[str], transaction: Transaction | None) -> None:
    """Add the read routes. ``kinds`` are the types that the service asks for; ``transaction`` is None where apps cannot
    write.
    """

    @parts.get("/fhir/<name>/metadata")
    def metadata(name: str) -> Response:
        return _answer(reader.capabilities(name, kinds))

    @parts.get("/fhir/<name>/<kind>")
    def search(name: str, kind: str) -> Response:
        asked = Asked(kind, "", list(request.args.items(multi=True)))
        return _answer(_found(name, *reader.seen(name), asked))

    @parts.get("/fhir/<name>/<kind>/<identity>")
    def read(name: str, kind: str, identity: str) -> Response:
        resource = _found(name, *reader.seen(name), Asked(kind, identity, ()))
        return _answer(resource, headers=_version_headers(resource))

    @parts.post("/fhir/<name>", strict_slashes=False)
    def bundle(name: str) -> Response:
        server, granted = reader.seen(name)
        body = _body()
        if batches.is_bundle(body, "batch"):
            return _answer(batches.answered(body, partial(_found, name, server, granted)))
        if granted is None or transaction is None:
            raise RequestError(401, "login", "Without an access token only a Bundle of type batch is answered here.")
        return transaction(name, granted, body)

    @parts.get("/fhir/<name>/<kind>/<identity>/_history/<version>")
    def read_version(name: str, kind: str, identity: str, version: str) -> Response:
        answer = read(name, kind, identity)
        if answer.headers.get("ETag") != f'W/"{version}"':
            raise RequestError(404, "not-found", "Only the newest version of a resource is kept.")
        return answer


def _is_written(session: Session, name: str, resource: Json) -> bool:
    return any(item is resource for item in session.written.get(name, ()))


class LateAnswers:
    """Delays the answers of late writes; ``wait`` waits for a number of seconds."""

    def __init__(self, wait: Callable[[float], object]) -> None:
        self._wait, self._room = wait, threading.BoundedSemaphore(MOST_LATE)

    def hold(self) -> None:
        """Wait, unless too many answers already wait."""
        if self._room.acquire(blocking=False):
            try:
                self._wait(refusals.LATE_SECONDS)
            finally:
                self._room.release()


def register_writes(  # noqa: C901 - the branches are those of its routes, which are functions within it
    parts: Blueprint, ehr: DemoEhr, address: str, late: LateAnswers
) -> Transaction:
    """Add the write routes for apps, but for that of transactions, which share their address with batches."""

    def granted(name: str) -> AppAccess:
        """The access of the current request's token. Raises RequestError 401 before the body is parsed."""
        return ehr.granted(request.headers.get("Authorization", ""), name)

    def written(
        name: str, by: AppAccess, needs: set[tuple[str, str]], work: Callable[[WritableChart], list[Written]]
    ) -> list[Written] | Response:
        """The result of checked writes, or an answer if the EHR is set to refuse them."""
        for kind, interaction in sorted(needs):
            by.require(kind, interaction)
        refused = by.session.refusals.of_write({kind for kind, _ in needs})
        if refused == refusals.RESET:
            return _cut_off()
        if refused not in (refusals.OFF, refusals.TIMEOUT):
            raise refusals.refusal_of(refused)

        def put(session: Session) -> list[Written]:
            found = work(ehr.chart(name, session))
            for item in found:
                if item.is_new:
                    session.put(name, item.resource)
            return found

        done = ehr.change(by.session.name, put)
        if done is None:
            raise RequestError(401, "login", "The session of the workbench is over.")
        if refused == refusals.TIMEOUT:
            late.hold()
        return done

    @parts.post("/fhir/<name>/<kind>")
    def create(name: str, kind: str) -> Response:
        by = granted(name)
        body, condition, stamp = _body(), request.headers.get("If-None-Exist"), ehr.stamp()
        writing.check(kind, body)
        done = written(name, by, {(kind, "c")}, lambda chart: [writing.create(chart, kind, body, condition, stamp)])
        return done if isinstance(done, Response) else _stored(done[0], _base(name))

    @parts.put("/fhir/<name>/<kind>/<identity>")
    def update(name: str, kind: str, identity: str) -> Response:
        by = granted(name)
        body, if_match, stamp = _body(), request.headers.get("If-Match"), ehr.stamp()
        writing.check(kind, body)
        done = written(
            name, by, {(kind, "u")}, lambda chart: [writing.update(chart, kind, identity, body, if_match, stamp)]
        )
        return done if isinstance(done, Response) else _stored(done[0], _base(name))

    def transaction(name: str, by: AppAccess, body: Any) -> Response:
        stamp = ehr.stamp()
        done = written(name, by, writing.check_transaction(body), lambda chart: writing.transaction(chart, body, stamp))
        if isinstance(done, Response):
            return done
        entries = [{"response": _entry(item, _base(name)), "resource": item.resource} for item in done]
        return _answer({"resourceType": "Bundle", "type": "transaction-response", "entry": entries})

    def _base(name: str) -> str:
        return smart_documents.Endpoints(browser.root_of(address), name).base

    return transaction


def _cut_off() -> Response:
    """End the connection without an answer, if the current server supports that."""
    ours, plain = request.environ.get("gunicorn.socket"), request.environ.get("werkzeug.socket")
    if ours is not None:
        ours.cut_off()
    elif plain is not None:
        plain.shutdown(socket.SHUT_RDWR)
    else:
        raise refusals.refusal_of("500")
    # The connection is closed, so no client receives this answer.
    return Response(status=500)


def _body() -> Any:
    request.max_content_length = LARGEST_WRITE
    return json_bodies.read_json(reading.body())


def _answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), status, mimetype=_FHIR, headers=headers)


def _stored(written: Written, base: str) -> Response:
    resource = written.resource
    location = f"{base}/{_versioned(resource)}"
    return _answer(resource, written.status, {"Location": location, **_version_headers(resource)})


def _versioned(resource: Json) -> str:
    return f"{resource['resourceType']}/{resource['id']}/_history/{writing.version_of(resource)}"


def _entry(written: Written, base: str) -> Json:
    resource = written.resource
    status = "201 Created" if written.status == writing.CREATED else "200 OK"
    etag = {"etag": f'W/"{writing.version_of(resource)}"'}
    stamped = {"lastModified": resource["meta"]["lastUpdated"]} if resource.get("meta", {}).get("lastUpdated") else {}
    return {"status": status, "location": f"{base}/{_versioned(resource)}", **etag, **stamped}


def _version_headers(resource: Json) -> dict[str, str]:
    headers = {"ETag": f'W/"{writing.version_of(resource)}"'}
    meta = resource.get("meta")
    stamped = meta.get("lastUpdated") if isinstance(meta, dict) else None
    try:
        changed = datetime.fromisoformat(str(stamped)).astimezone(UTC)
    except (ValueError, OverflowError):
        return headers
    return {**headers, "Last-Modified": format_datetime(changed, usegmt=True)}
