"""How long a thread waits for a database: until the deadline of the call that it serves, and never without end.

A server's own limits (``statement_timeout``) hold only while the server runs: one that is stopped while its connections
live answers nothing, and its kernel still acknowledges what it is sent. So the waiting ends on our side.
"""

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cds_service.clock import Deadline

if TYPE_CHECKING:
    import psycopg

# Longer than a server that runs takes to end a statement by itself (engines.SECONDS_BUSY).
SECONDS_UNANSWERED = 8.0
NEVER_CAME = "the server did not answer in time"


class Patience(threading.local):
    """The deadline under which a thread works now; without one each wait has ``SECONDS_UNANSWERED``."""

    deadline: Deadline | None = None

    @contextmanager
    def until(self, deadline: Deadline) -> Iterator[None]:
        """What happens inside waits for nothing beyond the deadline."""
        before, self.deadline = self.deadline, deadline
        try:
            yield
        finally:
            self.deadline = before

    def seconds(self, usual: float) -> float:
        """What is left of the deadline, or the usual seconds where there is none."""
        return usual if self.deadline is None else self.deadline.left()


def connection_class(patience: Patience) -> "type[psycopg.Connection[Any]]":
    """Connections to PostgreSQL that wait only so long; one that waited in vain is closed, and no answer is left over.

    Its statements raise ``psycopg.errors.ConnectionTimeout`` then; what the server was sent, it may still do. The limit
    without a deadline counts from the last sign of life, since a large batch may take its time.
    """
    # An installation with SQLite does without the driver.
    import psycopg

    def limited(waiting: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """psycopg's own waiting: it is woken when the socket is ready, and without an answer several times a second."""
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
            """Runs one exchange with the server to its end (called by psycopg)."""
            try:
                return super().wait(limited(gen), *arguments, **named)
            except psycopg.errors.ConnectionTimeout:
                self.close()
                raise

        @classmethod
        def _connect_gen(cls, *arguments: Any, **named: Any) -> Any:
            # psycopg's own time to connect is whole seconds, two at least.
            return limited(super()._connect_gen(*arguments, **named))

    return Limited
