"""gunicorn's thread worker, changed so that no caller can delay another: only complete requests reach a thread.

gunicorn gives each connection a thread and lets it read. Here only the main loop reads and writes, without blocking
(``arrival`` assembles a request), and a connection is in one of five states:

- idle: new, or kept open after an answer; it waits in the poller, for gunicorn's ``keepalive``.
- arriving: from its first byte, the request has REQUEST_SECONDS to become complete.
- admitted: the request waits for a thread, or a thread answers it. If more than ``WorkerLimits.waiting`` requests wait,
  or all requests inside hold too many bytes, the worker refuses with 503 and closes. Probes have their own thread, and
  need no free place among the others.
- answered: the caller did not take the whole answer at once; the worker sends the rest as the caller takes it, for
  ANSWER_SECONDS.
- lingering: the answer ended the connection before the whole request was read (413, 400). The worker discards further
  bytes for a moment, because closing at once could destroy the answer (RFC 9112, section 9.6).

So a thread holds a request no longer than the application needs, however slowly callers send and read. The WSGI
environment has the time of the first byte, because waiting counts toward a call's deadline.
"""

import contextlib
import errno
import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from gunicorn.workers import gthread

from cds_service.errors import RequestError
from cds_service.server.arrival import Arrival, looks_whole
from cds_service.server.connection import Connection, Outbox, answer_of
from cds_service.server.refusals import BUG, BUSY, TOO_SLOW
from cds_service.web import accepted
from cds_service.web.browsers import PROBES

# From the first byte of a request to its last; 5 MB take this long at 350 kB/s.
REQUEST_SECONDS = 15.0
ANSWER_SECONDS = 15.0
LINGER_SECONDS = 5.0
# After refusing a request for its size, the worker discards at most this multiple of the allowed size.
LINGER_SHARE = 4
# The maximum content of all requests inside, in bodies of the largest size.
LARGEST_INSIDE = 16
# With fewer free places than this, the connection that was idle longest makes room for the next.
SPARE = 16
# A worker that is asked to end keeps idle connections this long, because a request may be on its way.
LAST_SECONDS = 2.0
LOOK_SECONDS = 0.25
READ = 256 * 1024
READ_AT_ONCE = 1024 * 1024
# The maximum in one round of the main loop.
ACCEPTED_AT_ONCE = 8
# The maximum in one look: each slow request needs a place for its answer, and other requests need places too.
ENDED_AT_ONCE = 8
_PROBED = tuple(f"{method} {path}".encode() for method in ("GET", "HEAD") for path in PROBES)


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """``waiting``: requests that may wait for a thread; ``body_bytes``: the maximum size of a body."""

    waiting: int = 16
    body_bytes: int = 5_000_000


class BoundedWorker(gthread.ThreadWorker):
    """Reads and writes in the main loop, answers in threads. gunicorn's ``app`` is our Server, with limits."""

    def __init__(self, *arguments: Any, **values: Any) -> None:
        super().__init__(*arguments, **values)
        self._server = cast(Any, self.app)
        self._limits: WorkerLimits = self._server.limits
        # gunicorn's list of idle connections in the order of their timeouts; gunicorn closes the expired ones.
        self._idle: Any = self.keepalived_conns
        # For each pool, the number of requests that wait or run in it.
        self._inside: dict[ThreadPoolExecutor, int] = {}
        self._held = self._refused = 0
        # Built in advance, because many refusals must be cheap; rebuilt now and then for its date.
        self._refusal = answer_of(BUSY)
        self._next_look = 0.0
        # For each connection: a deadline, and the action after it.
        self._timed: dict[Connection, tuple[float, Callable[[Connection], None]]] = {}
        self._names: dict[Any, Any] = {}

    def init_process(self) -> None:
        """Run the worker until it ends; called by gunicorn in the worker, after the fork."""
        self._probes = ThreadPoolExecutor(1, "probes")
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application; called by gunicorn before the first request."""
        super().load_wsgi()
        answer = self.wsgi

        def timed(environment: Any, start_response: Any) -> Any:
            environment[accepted.KEY] = environment["gunicorn.socket"].accepted
            return answer(environment, start_response)

        self.wsgi = timed

    def run(self) -> None:
        """Run the main loop; called by gunicorn."""
        try:
            super().run()
        finally:
            self._probes.shutdown(wait=False)

    def is_parent_alive(self) -> bool:
        """Called by gunicorn in each round; without the main process, the last answers end their connections."""
        there = bool(super().is_parent_alive())
        self.alive = self.alive and there
        return there

    def wait_for_and_dispatch_events(self, timeout: float | None) -> None:
        """Run one round of the main loop, which takes one second at most."""
        super().wait_for_and_dispatch_events(timeout)
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        self._refusal = answer_of(BUSY)
        due = [(conn, end) for conn, (until, end) in self._timed.items() if until < now]
        for conn, end in due[:ENDED_AT_ONCE]:
            del self._timed[conn]
            end(conn)
        if self._refused:
            self._server.tell_refused(self._refused)
            self._refused = 0

    # --- idle and arriving ---

    def accept(self, listener: Any) -> None:
        """Accept new connections."""
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                sock, client = listener.accept()
            except OSError as error:
                # Too few free files: closing an idle connection frees one, and the caller keeps waiting.
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._make_room()
                elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                    raise
                return
            self._accepted(listener, sock, client)

    def _accepted(self, listener: Any, sock: socket.socket, client: Any) -> None:
        sock.setblocking(False)
        self.nr_conns += 1
        if self.nr_conns > self.worker_connections - SPARE:
            self._make_room()
        name = self._names.get(listener) or self._names.setdefault(listener, listener.getsockname())
        # Usually the request is already there, so try to read before using the poller.
        self._readable(Connection(sock, client, name))

    def _make_room(self) -> None:
        oldest = next(iter(self._idle or self._timed), None)
        if oldest is not None:
            self._drop(oldest)

    def _await_request(self, conn: Connection) -> None:
        conn.arrival = None
        conn.timeout = time.monotonic() + (self.cfg.keepalive if self.alive else LAST_SECONDS)
        self._idle.append(conn)
        conn.watch(self.poller, selectors.EVENT_READ, self._readable)

    def _readable(self, conn: Connection) -> None:
        wanted = conn.arrival.wanted() if conn.arrival else 0
        try:
            data = conn.sock.recv(max(READ, min(wanted, READ_AT_ONCE)))
        except BlockingIOError:
            if not conn.watched:
                self._await_request(conn)
            return
        except OSError:
            data = b""
        if data:
            self._take(conn, data)
        elif conn.arrival is not None and conn.arrival.request is not None:
            # The caller may have closed only its sending side.
            self._cut_off(conn)
        else:
            self._drop(conn)

    def _take(self, conn: Connection, data: bytes) -> None:
        if conn.arrival is None:
            begun = time.monotonic()
            if conn.watched:
                self._idle.remove(conn)
            if self._is_full(self.tpool) and not data.startswith(_PROBED) and looks_whole(data):
                conn.unwatch(self.poller)
                self._refuse(conn)
                return
            conn.arrival = Arrival(self.cfg, conn.client, begun, self._limits.body_bytes)
            self._timed[conn] = begun + REQUEST_SECONDS, self._too_slow
        conn.held += len(data)
        self._held += len(data)
        if conn.arrival.feed(data):
            self._admit(conn)
        elif self._held > LARGEST_INSIDE * self._limits.body_bytes:
            self._refuse(conn)
        else:
            if conn.arrival.continues:
                conn.arrival.continues = False
                with contextlib.suppress(OSError):
                    conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            conn.watch(self.poller, selectors.EVENT_READ, self._readable)

    def _too_slow(self, conn: Connection) -> None:
        if conn.arrival is not None and conn.arrival.request is not None:
            self._cut_off(conn)
        else:
            self._tell(conn, TOO_SLOW)

    def _cut_off(self, conn: Connection) -> None:
        assert conn.arrival is not None
        conn.arrival.cut_off()
        self._admit(conn)

    # --- admitted ---

    def _admit(self, conn: Connection) -> None:
        assert conn.arrival is not None
        self._timed.pop(conn, None)
        conn.unwatch(self.poller)
        request = conn.arrival.request
        if conn.arrival.error is not None:
            self._tell(conn, conn.arrival.error)
            return
        is_probe = request.path in PROBES and request.method in ("GET", "HEAD")
        pool = self._probes if is_probe else self.tpool
        if self._is_full(pool):
            self._refuse(conn)
            return
        self._inside[pool] = self._inside.get(pool, 0) + 1
        future = pool.submit(self._answer, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self._finished, conn, pool, done))

    def _is_full(self, pool: ThreadPoolExecutor) -> bool:
        threads = 1 if pool is self._probes else self.cfg.threads
        return self._inside.get(pool, 0) >= threads + self._limits.waiting

    def _refuse(self, conn: Connection) -> None:
        self._refused += 1
        with contextlib.suppress(OSError):
            conn.sock.send(self._refusal)
        self._drop(conn)

    def _answer(self, conn: Connection) -> None:
        """Answer one request; runs in a thread of a pool."""
        assert conn.arrival is not None
        outbox: Any = Outbox(conn.client, conn.server, conn.arrival.begun)
        try:
            conn.keep = self.handle_request(conn.arrival.request, outbox)
        # gunicorn raises it for an answer that broke off after its head.
        except StopIteration:
            conn.keep = False
        except Exception:
            self.log.exception("Error handling request")
            conn.keep, outbox.written = False, bytearray(answer_of(BUG))
        if outbox.is_cut_off:
            conn.keep, outbox.written = False, bytearray()
        conn.unsent = bytes(outbox.written)
        # Usually the caller takes it at once; the main loop handles the rest, and errors.
        with contextlib.suppress(OSError):
            conn.flush()

    # --- answered ---

    def _finished(self, conn: Connection, pool: ThreadPoolExecutor, done: "Future[None]") -> None:
        self._inside[pool] -= 1
        if done.cancelled() or done.exception() is not None:
            self._drop(conn)
        else:
            self._send(conn)

    def _tell(self, conn: Connection, error: RequestError) -> None:
        """Answer an invalid request without a thread."""
        conn.unsent, conn.keep = answer_of(error), False
        self._send(conn)

    def _send(self, conn: Connection) -> None:
        self._release(conn)
        try:
            sent = conn.flush()
        except OSError:
            self._drop(conn)
            return
        if not sent:
            self._timed.setdefault(conn, (time.monotonic() + ANSWER_SECONDS, self._drop))
            conn.watch(self.poller, selectors.EVENT_WRITE, self._send)
            return
        self._timed.pop(conn, None)
        conn.unwatch(self.poller)
        self._after(conn)

    def _after(self, conn: Connection) -> None:
        arrival = conn.arrival
        assert arrival is not None
        if not conn.keep:
            if arrival.whole and not arrival.rest:
                self._drop(conn)
            else:
                self._linger(conn)
        elif arrival.rest:
            conn.arrival = None
            self._take(conn, arrival.rest)
        else:
            self._await_request(conn)

    def _linger(self, conn: Connection) -> None:
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
            return
        conn.to_discard = LINGER_SHARE * self._limits.body_bytes
        self._timed[conn] = time.monotonic() + LINGER_SECONDS, self._drop
        conn.watch(self.poller, selectors.EVENT_READ, self._discard)

    def _discard(self, conn: Connection) -> None:
        try:
            data = conn.sock.recv(READ_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        conn.to_discard -= len(data)
        if not data or conn.to_discard < 0:
            self._drop(conn)

    # --- all states ---

    def _release(self, conn: Connection) -> None:
        self._held -= conn.held
        conn.held = 0

    def _drop(self, conn: Connection) -> None:
        self._timed.pop(conn, None)
        self._release(conn)
        if conn.arrival is None and conn.watched:
            self._idle.remove(conn)
        conn.unwatch(self.poller)
        conn.close()
        self.nr_conns -= 1
