"""The turn to compute: of a process's threads one parses and evaluates at a time."""

from threading import Lock

from cds_service.clock import Deadline


class Turn:
    """One for all calls of a process.

    Python computes in one thread at a time whatever the number of threads, so that waiting here costs nobody anything.
    Without it the main loop of a worker, which must read and refuse, has to wait behind each computing thread whenever
    it comes back from the operating system. Who has the turn waits for nothing: neither caller, server nor store.
    """

    def __init__(self) -> None:
        self._lock = Lock()

    def taken(self, deadline: Deadline | None = None) -> "Turn":
        """Waits for the turn, which is kept until the end of the ``with``.

        Raises TimeoutError where it does not come by the deadline.
        """
        if not self._lock.acquire(timeout=-1 if deadline is None else deadline.left()):
            raise TimeoutError
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._lock.release()
