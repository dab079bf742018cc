"""One connection of a caller: its state, its unsent bytes, and answers that need no application."""

import errno
import selectors
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
from gunicorn import util

from cds_service.errors import RequestError, operation_outcome
from cds_service.server.arrival import Arrival


class Outbox:
    """Replaces connection and socket while gunicorn writes an answer: collects the answer, to send it as a whole."""

    def __init__(self, client: Any, server: Any, accepted: float) -> None:
        self.client, self.server, self.accepted = client, server, accepted
        self.written = bytearray()
        self.is_cut_off = False

    @property
    def sock(self) -> "Outbox":
        """gunicorn's name for what it writes to. An attribute would keep each answer until garbage is collected."""
        return self

    def sendall(self, data: bytes) -> None:
        """Take a part of the answer."""
        self.written += data

    def shutdown(self, how: int) -> None:
        """Raise OSError: gunicorn closes after a broken answer, but here the worker closes."""
        raise OSError(errno.ENOTCONN, "the worker closes")

    def close(self) -> None:
        """Do nothing."""

    def cut_off(self) -> None:
        """Let an application end the connection without an answer."""
        self.is_cut_off = True


class Connection:
    """One connection and its state; ``timeout`` is gunicorn's name for the closing time of an idle connection."""

    def __init__(self, sock: socket.socket, client: Any, server: Any) -> None:
        self.sock, self.client, self.server = sock, client, server
        self.timeout = 0.0
        self.arrival: Arrival | None = None
        self.held = 0
        self.unsent = b""
        self.keep = False
        # The event that the connection waits for, and its callback.
        self.watched: tuple[int, Callable[[Connection], None]] | None = None
        self.to_discard = 0

    def watch(self, poller: selectors.BaseSelector, event: int, then: Callable[["Connection"], None]) -> None:
        """Call ``then`` with this connection at each event; replaces the earlier callback."""
        if self.watched == (event, then):
            return

        def run(sock: socket.socket) -> None:
            # An earlier event of the same round may have ended this connection.
            if self.watched:
                then(self)

        if self.watched:
            poller.modify(self.sock, event, run)
        else:
            poller.register(self.sock, event, run)
        self.watched = event, then

    def unwatch(self, poller: selectors.BaseSelector) -> None:
        """Stop waiting for events."""
        if self.watched:
            poller.unregister(self.sock)
            self.watched = None

    def flush(self) -> bool:
        """Send as much as possible without waiting; returns True if everything is sent. Raises OSError."""
        while self.unsent:
            try:
                sent = self.sock.send(self.unsent)
            except BlockingIOError:
                return False
            self.unsent = self.unsent[sent:]
        return True

    def close(self) -> None:
        """Close the socket."""
        util.close(self.sock)


def answer_of(error: RequestError) -> bytes:
    """The bytes of an answer that ends the connection, with an OperationOutcome."""
    body = orjson.dumps(operation_outcome(error.code, error.sentence))
    lines = (
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        f"Date: {util.http_date()}",
        "Connection: close",
        "Content-Type: application/fhir+json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in error.headers.items()),
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
