"""A thread's wait for a database, limited by the deadline of its call, or else by a fixed time.

A server's own limits (``statement_timeout``) work only while the server runs. A stopped server with live connections
answers nothing, although its kernel still acknowledges packets. So this side must end the wait.
"""

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cds_service.clock import Deadline

if TYPE_CHECKING:
    import psycopg

# Longer than a running server needs to end a statement by itself (engines.SECONDS_BUSY).
SECONDS_UNANSWERED = 8.0
NEVER_CAME = "the server did not answer in time"


class Patience(threading.local):
    """The current deadline of a thread; without one, each wait has ``SECONDS_UNANSWERED``."""

    deadline: Deadline | None = None

    @contextmanager
    def until(self, deadline: Deadline) -> Iterator[None]:
        """Limit every wait inside to the deadline."""
        before, self.deadline = self.deadline, deadline
        try:
            yield
        finally:
            self.deadline = before

    def seconds(self, usual: float) -> float:
        """The rest of the deadline in seconds, or ``usual`` without a deadline."""
        return usual if self.deadline is None else self.deadline.left()


def connection_class(patience: Patience) -> "type[psycopg.Connection[Any]]":
    """A class of PostgreSQL connections with limited waits. A connection closes after a wait in vain, so no late answer
    remains.

    Its statements then raise ``psycopg.errors.ConnectionTimeout``; the server may still carry out what it received.
    Without a deadline, the limit counts from the last sign of life, because a large batch may take long.
    """
    # An installation with SQLite does not need the driver.
    import psycopg

    def limited(waiting: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """psycopg's own wait: it resumes when the socket is ready, or several times a second without an answer."""
        try:
            wanted = next(waiting)
            silent = Deadline(SECONDS_UNANSWERED)
            while True:
                ready = yield wanted
                if ready:
                    silent = Deadline(SECONDS_UNANSWERED)
                elif patience.seconds(silent.left()) <= 0:
                    raise psycopg.errors.ConnectionTimeout(NEVER_CAME)
                wanted = waiting.send(ready)
        except StopIteration as end:
            return end.value

    class Limited(psycopg.Connection[Any]):
        def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:
            """Run one exchange with the server to its end (called by psycopg)."""
            try:
                return super().wait(limited(gen), *arguments, **named)
            except psycopg.errors.ConnectionTimeout:
                self.close()
                raise

        @classmethod
        def _connect_gen(cls, *arguments: Any, **named: Any) -> Any:
            # psycopg's own connection timeout is in whole seconds, with a minimum of two.
            return limited(super()._connect_gen(*arguments, **named))

    return Limited
