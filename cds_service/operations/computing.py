"""The turn to compute: only one thread of a process parses and evaluates at a time."""

from threading import Lock

from cds_service.clock import Deadline


class Turn:
    """One turn, shared by all calls of a process.

    Python computes in one thread at a time anyway, so waiting here costs nothing. Without the turn, a worker's main
    loop, which must read and refuse calls, waits behind every computing thread each time it returns from the operating
    system. The thread that has the turn never waits for a caller, a server, or the store.
    """

    def __init__(self) -> None:
        self._lock = Lock()

    def taken(self, deadline: Deadline | None = None) -> "Turn":
        """Wait for the turn, and keep it until the end of the ``with``.

        Raises TimeoutError if the turn does not come by the deadline.
        """
        if not self._lock.acquire(timeout=-1 if deadline is None else deadline.left()):
            raise TimeoutError
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._lock.release()
