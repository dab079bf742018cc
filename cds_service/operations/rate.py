"""How many calls a client may make. Counted in this process's memory: each worker counts for itself."""

import ipaddress
import time
from functools import cache

from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

# Of refused calls, whatever the limit of the clients: a caller that guesses is slowed, one that errs can go on.
REFUSALS = "30/minute"
# Of evidence pages opened from one address, behind which a whole hospital may be.
OPENINGS = "600/minute"


@cache
def limit_of(text: str) -> RateLimitItem:
    """A limit such as ``600/minute`` or ``10 per second``. Raises ValueError with a sentence that says the form."""
    try:
        items = parse_many(text)
    except ValueError:
        items = []
    if len(items) != 1 or items[0].amount < 1 or items[0].get_expiry() < 1:
        raise ValueError(
            f"'{text}' is not a rate limit; write one number of calls and one time: 600/minute, 10/second, 20000/day"
        )
    return items[0]


class RateLimiter:
    """Counts calls over a moving window: a limit of 600/minute holds for every minute, whenever it begins.

    The counts are in the memory of this process, so that N workers let through up to N times the limit. Make it in
    the worker, after the fork: it keeps a thread that forgets what has expired.
    """

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._window = MovingWindowRateLimiter(self._storage)

    def check(self, client_id: str, limit: str) -> float | None:
        """Counts one call of a client; None, or the seconds to wait where it is one too many (which is not counted).

        An empty ``limit`` is none. Raises ValueError for one that cannot be read.
        """
        return self._count("client", client_id, limit) if limit else None

    def feedback(self, client_id: str, limit: str, items: int) -> float | None:
        """Counts the items of feedback of a client, all or none of them, as ``check`` does a call."""
        return self._count("feedback", client_id, limit, items) if limit else None

    def refused(self, address: str, limit: str = REFUSALS) -> float | None:
        """Counts one refused call from a remote address; None, or the seconds to wait where there were too many.

        It is asked after a token was refused and not before one is looked at: behind one proxy all callers may have
        one address, and whoever guesses must not shut out those who know.
        """
        return self._count("address", neighbourhood(address), limit)

    def opening(self, address: str, limit: str = OPENINGS) -> float | None:
        """Counts one attempt to open an evidence page from a remote address, as ``check`` does a call."""
        return self._count("evidence", neighbourhood(address), limit)

    def close(self) -> None:
        """Ends the thread that forgets."""
        self._storage.timer.cancel()

    def _count(self, kind: str, key: str, limit: str, cost: int = 1) -> float | None:
        item = limit_of(limit)
        if self._window.hit(item, kind, key, cost=cost):
            return None
        return max(self._window.get_window_stats(item, kind, key).reset_time - time.time(), 0.0)


def neighbourhood(address: str) -> str:
    """What one caller holds: an IPv4 address, or the /64 network of an IPv6 address, of which anyone has 2^64."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
