"""gunicorn's thread worker, which gives a caller only so long to send its request.

A request that is announced and never sent would else hold a thread for as long as the caller likes, and a few of them
all threads. gunicorn itself only bounds the wait for the first byte.
"""

import contextlib
import socket
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

# From the first byte of a request to the end of its answer; 5 MB take that long at 350 kB/s.
REQUEST_SECONDS = 15.0


class BoundedWorker(ThreadWorker):
    """A connection whose request is not read in time is shut for reading: what waits for more of it goes on.

    An answer that is being made or written by then still gets out.
    """

    def __init__(self, *arguments: Any, **values: Any) -> None:
        super().__init__(*arguments, **values)
        self._begun: dict[Any, float] = {}

    def handle(self, conn: Any) -> Any:
        """Handles one request on a connection; in a thread of the pool."""
        self._begun[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            self._begun.pop(conn, None)

    def wait_for_and_dispatch_events(self, timeout: float | None) -> None:
        """One round of the main loop, of a second at most."""
        super().wait_for_and_dispatch_events(timeout)
        latest = time.monotonic() - REQUEST_SECONDS
        for conn, begun in [*self._begun.items()]:
            if begun < latest:
                # The caller may be gone already.
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)
